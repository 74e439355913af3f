"""A runner of today's kind, moved over by its import lines alone, and the migration page's own programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.lb import lb
from support.loki import free_port
from support.paths import ROOT, TESTS
from support.process import clean_environment
from support.python import PROGRAMS, PYTHONS, package_environment, package_folder, python_command
from support.records import read_log

MIGRATION = TESTS / "python" / "migration"
PAGE = ROOT / "docs" / "python-migration.md"


def run(program: Path, *arguments: str, python: str = sys.executable) -> str:
    """What a Python program writes; warnings are errors."""
    # The package that is tested here, wherever it is.
    path = os.pathsep.join([str(MIGRATION), str(package_folder().parent)])
    command = [*python_command(python), str(program), *arguments]
    environment = clean_environment({"PYTHONPATH": path})
    done = subprocess.run(command, cwd=program.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def moved(text: str) -> str:
    """The same program with the other import line."""
    lines = [line.replace("from today import", "from lb_log import") for line in text.splitlines(keepends=True)]
    assert sum(old != new for old, new in zip(text.splitlines(keepends=True), lines, strict=True)) == 1
    return "".join(lines)


def essence(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """What is the same before and after: all but the time, what our schema adds, and tracebacks, which today lack."""
    found: Counter[str] = Counter()
    for record in records:
        tags = {name: value for name, value in record.get("tags", {}).items() if name != "exception"}
        rest = {name: value for name, value in record.items() if name not in ("timestamp", "tags")}
        found[json.dumps([rest, tags], sort_keys=True)] += 1
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_a_runner_is_moved_by_its_import_line(folder: Path, python: str) -> None:
    program = folder / "runner.py"
    text = (MIGRATION / "runner.py").read_text(encoding="utf-8")
    program.write_text(text, encoding="utf-8")
    run(program, str(folder / "today"), python=python)
    program.write_text(moved(text), encoding="utf-8")
    run(program, str(folder / "moved"), python=python)
    log = Path("logs") / "runner-node-1.jsonl"
    today = [json.loads(line) for line in (folder / "today" / log).read_text(encoding="utf-8").splitlines()]
    ours = read_log(folder / "moved" / log)
    assert len(ours) == len(today) > 1300
    assert essence(ours) == essence(today)
    (failed,) = [record for record in ours if record["message"] == "something failed"]
    assert "OSError: the disk is on fire" in failed["tags"]["exception"]
    assert ours[-1]["message"] == "the last record, and no close"
    assert [path.name for path in (folder / "moved" / "logs").glob("*.jsonl")] == [log.name], "nothing beside it"


def test_a_moved_runner_that_is_killed(folder: Path) -> None:
    """Loki is dead, and handlers are made anew all the time: what a call has logged is there, and once."""
    log = folder / "logs" / "runner-node-1.jsonl"
    logged: list[str] = []
    for kill in range(10):
        url = f"http://127.0.0.1:{free_port()}"
        command = [*python_command(), str(PROGRAMS / "swapped.py"), str(folder), url, str(kill)]
        environment = clean_environment(package_environment())
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(30 + 17 * kill)]
            process.kill()
            lines += process.stdout.readlines()
        # The last one may be cut.
        logged += [line.decode().strip() for line in lines if line.endswith(b"\n")]
    drained = lb("drain", folder)
    assert drained.code == 0, drained.stderr
    found = Counter(record["message"].split()[1] for record in read_log(log) if record["event_type"] == "log")
    lost = set(logged) - set(found)
    assert not lost, f"{len(lost)} of {len(logged)} records are lost: {sorted(lost)[:5]}"
    assert max(found.values()) == 1
    assert len(set(found) - set(logged)) <= 10, "of each program one whose call had not returned"


PAGE_PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(PAGE_PROGRAMS)))
def test_the_programs_of_the_migration_page(folder: Path, number: int) -> None:
    program = folder / "program.py"
    text = PAGE_PROGRAMS[number].replace("from lb_common.api import", "from today import")
    program.write_text(text, encoding="utf-8")
    run(program)
    assert list(folder.rglob("*.jsonl")), "it has logged"
