"""`lb logs` beside jq, grep and lnav on the same file, and how long `lb --help` takes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from support.paths import LB

from benches.encoding import k6_log
from benches.packing import MIB
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.programs import Programs
from benches.setting import Setting

# Each asks for the same records, and prints their lines.
ERRORS: dict[str, Sequence[str]] = {
    "grep": ["grep", "-F", '"level":"ERROR"'],
    "jq": ["jq", "-c", 'select(.level == "ERROR")'],
    "lnav": ["lnav", "-n", "-c", ':filter-in "level":"ERROR"'],
}


def day_by_day(source: Path, size: int, target: Path) -> Path:
    """A file so large: the same again, each copy a day later, so that it is in order."""
    content, mark = source.read_bytes(), b'"timestamp":"'
    begin = content.index(mark) + len(mark)
    first = content[begin : begin + len("2026-11-22")]
    with target.open("wb") as file:
        for number in range(max(1, size // len(content))):
            day = date.fromisoformat(first.decode()) + timedelta(days=number)
            file.write(content.replace(mark + first, mark + day.isoformat().encode()))
    return target


def logs_table(setting: Setting, log: Path) -> Table:
    file = day_by_day(log, setting.size(50, 500) * MIB, setting.scratch / "k6-node-1.jsonl")
    mib = file.stat().st_size / MIB
    programs = Programs({"HOME": str(setting.scratch)})
    commands: dict[str, list[str | Path]] = {
        name: [*command, file] for name, command in ERRORS.items() if shutil.which(command[0])
    }
    commands["lb"] = [LB, "logs", "--format", "json", "--level", "error", file]
    commands["lb grep"] = [LB, "logs", "--format", "json", "--grep", "payment", file]
    # Into files: grep ends at its first match where nobody reads them.
    outputs = {name: setting.scratch / f"{name}.out" for name in commands}
    runs = [(name, partial(programs.run, name, command, outputs[name])) for name, command in commands.items()]
    alternate(setting.rounds, runs)
    found = {name: outputs[name].read_bytes().count(b"\n") for name in commands if name != "lb grep"}
    if len(set(found.values())) > 1:
        sys.exit(f"they have not found the same: {found}")
    speed = [mib / seconds for seconds in programs.cpu["lb"]]
    aim = Aim("lb logs searches {} MiB/s a core", at_least=300)
    text = {name: f"{Spread.of(found).text(2)} s" for name, found in programs.wall.items()}
    rows = [Row("lb logs --level error; MiB/s a core", text["lb"], Spread.of(speed), aim)]
    rows.append(Row("lb logs --grep payment", text["lb grep"]))
    for name in ERRORS:
        if name in commands:
            compared = ratios(programs.wall[name], programs.wall["lb"])
            rows.append(Row(f"{name}; over lb logs", text[name], compared))
        else:
            rows.append(Row(f"{name} is not here (make deps)", ""))
    return Table(setting.title(f"The errors in {mib:.0f} MiB, by the clock"), rows)


def start_table(setting: Setting) -> Table:
    programs = Programs()
    times = setting.size(20, 100)
    variants = [("true", partial(programs.run, "true", ["true"])), ("lb", partial(programs.run, "lb", [LB, "--help"]))]
    alternate(times, variants)
    milliseconds = {name: Spread.of([seconds * 1000 for seconds in found]) for name, found in programs.wall.items()}
    aim = Aim("lb --help takes {} ms", at_most=10)
    rows = [
        Row("true", f"{milliseconds['true'].text()} ms"),
        Row("lb --help; ms", f"{milliseconds['lb'].text()} ms", milliseconds["lb"], aim),
    ]
    return Table(f"A start ({times} alternating rounds)", rows)


def run(setting: Setting) -> list[Table]:
    return [logs_table(setting, k6_log(setting.scratch)), start_table(setting)]
