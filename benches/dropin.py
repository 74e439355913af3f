"""The drop-in for existing runners beside what they have today: the time of a record, and of the change of handlers
that a runner makes at each phase.

Today's handlers are those of `tests/python/migration/today.py`: a rotating file and a JSON formatter; without the
checks of the module that they stand for, which take longer than all the rest. A change of handlers closes both and
makes both anew; today's waits one second for Loki, and two where it is dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

from support.loki import free_port
from support.python import package_folder

from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import ROOT, Setting

TODAY = ROOT / "tests" / "python" / "migration"
PROGRAM = ROOT / "benches" / "python" / "dropin.py"

# What is aimed at: so many times as fast.
CALLS = {"a record": 3.0, "with two arguments": 3.0, "with attributes of its own": 1.5}


def measured(setting: Setting, module: str, what: str, count: int, port: int) -> list[float]:
    """What the program tells: nanoseconds of each kind of call, or microseconds of changes."""
    folder = setting.scratch / f"{module}-{what}"
    command = [sys.executable, str(PROGRAM), module, what, str(folder), str(count), str(port)]
    environment = {"PYTHONPATH": os.pathsep.join([str(TODAY), str(package_folder().parent)])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def calls(setting: Setting) -> Table:
    found: dict[str, list[list[float]]] = {"lb_log": [], "today": [], "floor": []}
    count = setting.size(5_000, 50_000)

    def measure(module: str) -> None:
        found[module].append(measured(setting, module, "calls", count, 0))

    alternate(setting.rounds, [(module, partial(measure, module)) for module in found])
    rows = []
    for number, (what, times) in enumerate(CALLS.items()):
        ours, today, floor = ([figures[number] for figures in found[module]] for module in found)
        words = f"{what}: {{}} times as fast as today's handler, the same file at the end"
        rows.append(
            Row(f"{what}, ours", f"{Spread.of(ours).text(0)} ns", ratios(today, ours), Aim(words, at_least=times))
        )
        rows.append(Row(f"{what}, today", f"{Spread.of(today).text(0)} ns"))
        rows.append(Row(f"{what}, a handler that only calls getMessage", f"{Spread.of(floor).text(0)} ns"))
    return Table(setting.title("A record by the drop-in; today's time over ours"), rows)


def changes(setting: Setting) -> Table:
    found: dict[str, list[list[float]]] = {"off": [], "dead": []}
    count = setting.size(20, 200)

    def measure(state: str) -> None:
        found[state].append(measured(setting, "lb_log", f"changes-{state}", count, free_port()))

    alternate(setting.rounds, [(state, partial(measure, state)) for state in found])
    rows = []
    for state, title in (("off", "Loki off"), ("dead", "Loki dead")):
        middle = Spread.of([times[0] for times in found[state]])
        words = f"with {title} closing both handlers and making them anew takes {{}} ms at the median"
        rows.append(Row(f"{title}, p50", f"{middle.text()} ms", middle, Aim(words, at_most=1)))
        rows.append(Row("  p95", f"{Spread.of([times[1] for times in found[state]]).text()} ms"))
        rows.append(Row("  maximum", f"{Spread.of([times[2] for times in found[state]]).text()} ms"))
    return Table(setting.title("A change of handlers, milliseconds"), rows)


def run(setting: Setting) -> list[Table]:
    return [calls(setting), changes(setting)]
