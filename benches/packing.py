"""Collection: gzip as it packs (benches/peers/packing) beside `gzip -6`, and 1 GB over ssh on the loopback interface
beside ssh alone and gzip alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from functools import partial
from pathlib import Path

from support.paths import LB
from support.sshd import Host, Site

from benches.encoding import KINDS, k6_log, made_up_log
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.programs import Programs
from benches.setting import BUILD, Setting

PROGRAM = BUILD / "peers" / "release" / "packing"
# The level of `lb collect`, unless another is asked for.
LEVEL = "6"
MIB = 1 << 20
RUN = "run-1"


def repeated(source: Path, size: int, target: Path) -> Path:
    """A file so large, of whole copies: gzip looks back 32 KiB, and never sees the copy before."""
    content = source.read_bytes()
    with target.open("wb") as file:
        for _ in range(max(1, size // len(content))):
            file.write(content)
    return target


def gzip_table(setting: Setting, logs: dict[str, Path]) -> Table:
    programs, ours = Programs(), defaultdict[str, list[dict[str, float]]](list)
    packed = setting.scratch / "packed.gz"
    sizes: dict[str, int] = {}

    def theirs(kind: str) -> None:
        programs.run(kind, ["gzip", "-6", "-c", logs[kind]], packed)
        sizes[kind] = packed.stat().st_size

    def us(kind: str) -> None:
        done = subprocess.run([PROGRAM, LEVEL, logs[kind]], stdout=subprocess.PIPE, text=True, check=True)
        ours[kind].append(json.loads(done.stdout))

    variants = [(f"{who} {kind}", partial(run, kind)) for kind in logs for who, run in (("gzip", theirs), ("ours", us))]
    alternate(setting.rounds, variants)
    rows = []
    for kind in logs:
        plain, name = logs[kind].stat().st_size, KINDS[kind]
        seconds = [result["ns"] / 1e9 for result in ours[kind]]
        times = ratios(programs.cpu[kind], seconds)
        size = Spread.of([result["bytes"] / sizes[kind] for result in ours[kind]])

        def text(found: list[float], packed: float, plain: int = plain) -> str:
            return f"{Spread.of([plain / MIB / each for each in found]).text(0)} MiB/s, {plain / packed:.1f} to 1"

        speed = Aim(f"gzip at collection is {{}} times as fast as gzip -6 on one thread, {name}", at_least=2)
        worse = Aim(f"gzip at collection makes {{}} times the bytes of gzip -6, {name}", at_most=1)
        rows += [
            Row(f"gzip -6, {name}", text(programs.cpu[kind], sizes[kind])),
            Row("ours; how many times as fast", text(seconds, ours[kind][0]["bytes"]), times, speed),
            Row("  its bytes over those of gzip -6", f"{100 * (size.median - 1):+.1f} %", size, worse),
        ]
    return Table(setting.title("Gzip on one thread"), rows)


def host_with(setting: Setting, log: Path, site: Site) -> tuple[Host, Path]:
    host = site.host("host").start()
    (host.runs / RUN / "logs").mkdir(parents=True)
    size = setting.size(100, 1000) * MIB
    return host, repeated(log, size, host.runs / RUN / "logs" / "k6-node-1.jsonl")


def collection_table(setting: Setting, log: Path) -> Table:
    site = Site(setting.scratch / "site")
    try:
        host, source = host_with(setting, log, site)
        programs = Programs(site.environment)
        into = setting.scratch / "collected"

        def collect(name: str, *flags: str) -> None:
            command: list[str | Path] = [
                LB,
                "collect",
                RUN,
                "--from",
                f"{host.name}:",
                "--output-dir",
                into,
                "--quiet",
                *flags,
            ]
            programs.run(name, command)
            shutil.rmtree(into)

        ssh = ["ssh", "-F", str(site.configuration), host.name, f"cat {source}"]
        variants = [
            ("ssh", partial(programs.run, "ssh", ssh)),
            ("gzip", partial(programs.run, "gzip", ["gzip", "-6", "-c", source])),
            ("collect", partial(collect, "collect")),
        ]
        alternate(setting.rounds, variants)
        mib = source.stat().st_size / MIB
    finally:
        site.close()
    slower = [max(pair) for pair in zip(programs.wall["ssh"], programs.wall["gzip"], strict=True)]
    aim = Aim("a collection over ssh takes {} times the slower of ssh alone and gzip alone", at_most=1.2)
    names = {"ssh": "ssh HOST cat FILE", "gzip": "gzip -6", "collect": "lb collect; over the slower of the two"}
    rows = []
    for who, name in names.items():
        compared = ratios(programs.wall[who], slower) if who == "collect" else None
        found = Spread.of(programs.wall[who]).text(1)
        rows.append(Row(name, f"{found} s", compared, aim if compared else None))
    return Table(setting.title(f"{mib:.0f} MiB from a host on the loopback interface"), rows)


def run(setting: Setting) -> list[Table]:
    k6 = k6_log(setting.scratch)
    size = setting.size(16, 64) * MIB
    logs = {
        "k6": repeated(k6, size, setting.scratch / "k6.jsonl"),
        "record": made_up_log(setting.scratch, setting.size(50_000, 200_000)),
    }
    return [gzip_table(setting, logs), collection_table(setting, k6)]
