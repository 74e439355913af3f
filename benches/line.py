"""The time of one JSON line, ours beside sonic-rs (benches/peers/line)."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from functools import partial

from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import BUILD, Setting

PROGRAM = BUILD / "peers" / "release" / "line"
AIMS = {"clean": 0.25, "escapes": 0.5}
NAMES = {"ours": "lb-log", "sonic": "sonic-rs", "sonic-text": "sonic-rs, the timestamp's text given"}


def run(setting: Setting) -> list[Table]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    lines = setting.size(200_000, 2_000_000)

    def measure(who: str, what: str) -> None:
        done = subprocess.run([PROGRAM, who, what, str(lines)], stdout=subprocess.PIPE, text=True, check=True)
        found[who, what].append(json.loads(done.stdout)["ns"])

    cases = [(who, what) for what in AIMS for who in NAMES]
    alternate(setting.rounds, [(f"{who} {what}", partial(measure, who, what)) for who, what in cases])
    rows = []
    for who, what in cases:
        compared = None if who == "ours" else ratios(found["ours", what], found[who, what])
        words = {"clean": "nothing to escape", "escapes": "six bytes to escape"}[what]
        aim = Aim(f"a JSON line with {words} takes {{}} of sonic-rs's time", at_most=AIMS[what])
        name = f"{NAMES[who]}, {words}{'' if who == 'ours' else '; ours over it'}"
        text = f"{Spread.of(found[who, what]).text(1)} ns"
        rows.append(Row(name, text, compared, aim if who == "sonic" else None))
    return [Table(setting.title("A JSON line"), rows)]
