"""A runner of today's kind, moved over by its import lines alone, and the migration page's own programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT, TESTS
from support.process import clean_environment
from support.python import package_folder, python_command
from support.records import read_log

MIGRATION = TESTS / "python" / "migration"
PAGE = ROOT / "docs" / "python-migration.md"


def run(program: Path, *arguments: str, **environment: str) -> str:
    """What a Python program writes; warnings are errors."""
    # The package that is tested here, wherever it is.
    path = os.pathsep.join([str(MIGRATION), str(package_folder().parent)])
    command = [*python_command(), str(program), *arguments]
    environment = clean_environment({"PYTHONPATH": path, **environment})
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


def test_a_runner_is_moved_by_its_import_line(folder: Path) -> None:
    program = folder / "runner.py"
    text = (MIGRATION / "runner.py").read_text(encoding="utf-8")
    program.write_text(text, encoding="utf-8")
    run(program, str(folder / "today"))
    program.write_text(moved(text), encoding="utf-8")
    run(program, str(folder / "moved"))
    log = Path("logs") / "runner-node-1.jsonl"
    today = [json.loads(line) for line in (folder / "today" / log).read_text(encoding="utf-8").splitlines()]
    ours = read_log(folder / "moved" / log)
    assert len(ours) == len(today) > 1300
    assert essence(ours) == essence(today)
    (failed,) = [record for record in ours if record["message"] == "something failed"]
    assert "OSError: the disk is on fire" in failed["tags"]["exception"]
    assert ours[-1]["message"] == "the last record, and no close"
    assert [path.name for path in (folder / "moved" / "logs").glob("*.jsonl")] == [log.name], "nothing beside it"


PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_of_the_migration_page(folder: Path, number: int) -> None:
    program = folder / "program.py"
    text = PROGRAMS[number].replace("from lb_common.api import", "from today import")
    program.write_text(text, encoding="utf-8")
    run(program)
    assert list(folder.rglob("*.jsonl")), "it has logged"
