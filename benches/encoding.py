"""The CPU time that making the body of a push takes (benches/peers/encoding): protobuf with raw snappy, as we send it,
beside JSON with gzip (flate2 with zlib-rs, level 6) of the same lines.

Two things are timed apart. Reading the lines is the same for both: finding their ends, their time, labels and
structured metadata, and packing them by stream, up to 1 MiB a push. Making the body is what is compared: from the lines
in memory to the bytes that are sent. The lines are those from INFO up, which are sent by default: of the small shop
under k6 that `make demo` loads, and of a made-up record, the one that the other parts have, but that the numbers in its
message vary."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

from support.process import clean_environment

from benches.k6run import target
from benches.loggers import IDENTITY
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import BUILD, ROOT, Setting

PROGRAM = BUILD / "peers" / "release" / "encoding"
KINDS = {"k6": "k6's lines", "record": "lines of a made-up record"}
# Some of the shop's thresholds are meant to be missed.
K6_MISSED = 99
SECOND_NS = 1_000_000_000


def k6_log(folder: Path) -> Path:
    """What a run of ten seconds leaves."""
    with target() as url:
        command = [str(BUILD / "k6"), "run", "--quiet", "--out", "lb-loki", "--env", f"TARGET={url}"]
        command.append(str(ROOT / "examples" / "demo" / "script.js"))
        environment = clean_environment({"LB_OUTPUT_DIR": str(folder), "HOME": str(folder)})
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, K6_MISSED):
        sys.exit(f"k6: exit {done.returncode}\n{done.stderr}")
    (log,) = folder.glob("*/logs/k6-*.jsonl")
    return log


def made_up_log(folder: Path, lines: int) -> Path:
    """200,000 lines a second."""
    numbers, moment = random.Random("made up"), 0
    before = ",".join(f'"{name}":"{IDENTITY[name]}"' for name in ("component", "host", "run_id", "logger"))
    after = f'"event_type":"log","workload":"{IDENTITY["workload"]}","repetition":{IDENTITY["repetition"]}'
    path = folder / "made-up.jsonl"
    with path.open("w", encoding="utf-8") as log:
        for number in range(lines):
            moment += numbers.randrange(10_000)
            seconds, rest = divmod(moment, SECOND_NS)
            message = f"00 {number:08} stressor finished its step: {numbers.randrange(1000)} operations, "
            message += f"{numbers.randrange(100)} retries, queue depth {numbers.randrange(10)}, "
            message = f"{message}next in {numbers.randrange(500)} ms".ljust(100, ".")
            stamp = f"2026-11-22T10:{seconds // 60:02}:{seconds % 60:02}.{rest:09}Z"
            log.write(f'{{"timestamp":"{stamp}","level":"INFO",{before},"message":"{message}",{after}}}\n')
    return path


def run(setting: Setting) -> list[Table]:
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    lines = setting.size(50_000, 500_000)
    logs = {"k6": k6_log(setting.scratch), "record": made_up_log(setting.scratch, 100_000)}

    def measure(who: str, kind: str) -> None:
        command = [str(PROGRAM), who, str(logs[kind]), str(lines)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[who, kind].append(json.loads(done.stdout))

    cases = [(who, kind) for kind in KINDS for who in ("protobuf", "json")]
    alternate(setting.rounds, [(f"{who} {kind}", partial(measure, who, kind)) for who, kind in cases])
    return [Table(setting.title("The body of a push"), [row for kind in KINDS for row in rows_of(kind, found)])]


def rows_of(kind: str, found: dict[tuple[str, str], list[dict[str, float]]]) -> list[Row]:
    def of(who: str, *keys: str) -> list[float]:
        return [sum(result[key] for key in keys) for result in found[who, kind]]

    def over(*keys: str) -> Spread:
        return ratios(of("protobuf", *keys), of("json", *keys))

    def text(who: str) -> str:
        return f"{Spread.of(of(who, 'encode_ns')).text(0)} ns, {of(who, 'body_bytes')[0]:.1f} bytes"

    name = KINDS[kind]
    cpu = Aim(f"making the body of a push takes {{}} of the CPU of JSON and gzip, {name}", at_most=1 / 6)
    size = Aim(f"the body of a push has {{}} times the bytes of JSON and gzip, {name}", at_most=2.2)
    read = f"{Spread.of(of('protobuf', 'read_ns')).text(0)} ns"
    return [
        Row(f"JSON and gzip, {name} ({of('json', 'line_bytes')[0]:.0f} bytes)", text("json")),
        Row("protobuf and snappy; CPU over JSON and gzip", text("protobuf"), over("encode_ns"), cpu),
        Row("  its bytes over JSON and gzip", "", over("body_bytes"), size),
        Row("  reading the lines before; CPU over JSON and gzip with it", read, over("read_ns", "encode_ns")),
    ]
