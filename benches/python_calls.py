"""A call from Python: lb_log beside python-json-logger, structlog with orjson, loguru and picologging, and beside a
handler that does nothing but getMessage. Every line is in a file at the end."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import BUILD, ROOT, Setting

PYTHON = BUILD / "python-peers" / "bin" / "python"
PROGRAM = ROOT / "benches" / "python" / "time_logger.py"

#: What one of our own calls may take, less the empty loop, nanoseconds.
OURS = {"plain": ("no tags", 100), "bound": ("bound fields", 150), "tags": ("four tags", 450)}
HANDLED = {"plain": "no arguments", "arguments": "two arguments"}
PEERS = {
    "handler": ["plain", "tags"],
    "structlog": ["plain", "bound", "tags"],
    "python-json-logger": ["plain", "tags"],
    "loguru": ["plain", "bound", "tags"],
    "picologging": ["plain"],
}
MOST_MEMORY = 64 << 20


def run(setting: Setting) -> list[Table]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    grown: dict[tuple[str, str], float] = {}

    def measure(who: str, kind: str, bursts: int) -> None:
        with tempfile.TemporaryDirectory(dir=setting.scratch) as folder:
            command: list[str | Path] = [PYTHON, "-I", PROGRAM, who, kind, str(bursts), folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        told: dict[str, float] = json.loads(done.stdout)
        found[who, kind].append(told["ns"])
        grown[who, kind] = told["grown"]

    bursts = setting.size(50, 250)
    cases = [("nothing", "plain", 4 * bursts), *(("lb_log", kind, 2 * bursts) for kind in OURS)]
    for kind in HANDLED:
        cases += [("handler", kind, bursts), ("only_message", kind, bursts)]
    known = {case[:2] for case in cases}
    cases += [(who, kind, bursts // 4) for who, kinds in PEERS.items() for kind in kinds if (who, kind) not in known]
    alternate(setting.rounds, [(f"{who} {kind}", partial(measure, who, kind, count)) for who, kind, count in cases])
    measure("lb_log", "tags", setting.size(5_000, 50_000))

    empty = found["nothing", "plain"]
    rows = []
    for kind, (words, most) in OURS.items():
        net = [call - loop for call, loop in zip(found["lb_log", kind], empty, strict=False)]
        aim = Aim(f"Logger.info with {words} takes {{}} ns more than an empty call", at_most=most)
        rows.append(Row(f"Logger.info, {words}, less the loop", f"{Spread.of(net).text(0)} ns", Spread.of(net), aim))
    for kind, words in HANDLED.items():
        ours = found["handler", kind]
        aim = Aim(f"lb_log.Handler, {words}, takes {{}} of a handler that only calls getMessage", at_most=1.2)
        against = ratios(ours, found["only_message", kind])
        rows.append(
            Row(f"lb_log.Handler, {words}; over getMessage alone", f"{Spread.of(ours).text(0)} ns", against, aim)
        )
    for who, kinds in PEERS.items():
        for kind in kinds:
            over = ratios(found[who, kind], found["lb_log", kind][: len(found[who, kind])])
            rows.append(Row(f"{who}, {kind}; over Logger.info", f"{Spread.of(found[who, kind]).text(0)} ns", over))
    flat = Aim("memory grows by {} MiB over ten million records", at_most=MOST_MEMORY / (1 << 20))
    size = grown["lb_log", "tags"] / (1 << 20)
    rows.append(Row("memory over ten million records", f"{size:.1f} MiB", Spread.of([size]), flat))
    return [Table(setting.title("A call from Python"), rows)]
