"""Forks while the writer runs, with logging on both sides: no deadlock, each record once, no warning of CPython's."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.lb import lb
from support.process import clean_environment
from support.python import PROGRAMS, PYTHONS, package_environment, python_command
from support.records import Record, read_log

FORKS, RECORDS = 50, 40


def forked(python: str, folder: Path, *more: str) -> tuple[Any, list[Record]]:
    config = {"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder), "full_timeout_ms": 20000}
    command = [*python_command(python), str(PROGRAMS / "forks.py"), json.dumps(config), str(FORKS), str(RECORDS), *more]
    environment = clean_environment(package_environment())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # The last child has ended without a farewell, and the parent may have ended before it looked again.
    assert lb("drain", folder).code == 0
    return json.loads(done.stdout), read_log(folder / "r" / "logs" / "c-h.jsonl")


def numbers(records: list[Record]) -> dict[str, list[int]]:
    """What each who has logged."""
    found: dict[str, list[int]] = {}
    for record in records:
        found.setdefault(record["tags"]["who"], []).append(record["tags"]["number"])
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("threads", [(), ("threads",)])
def test_fifty_forks(python: str, threads: tuple[str, ...], folder: Path) -> None:
    result, records = forked(python, folder, *threads)
    assert Counter(result["ends"]) == {0: FORKS}
    found = numbers(records)
    if threads:
        for thread, count in enumerate(result["counts"]):
            assert found.pop(f"thread {thread}") == list(range(count))
    else:
        assert result["warned"] == [], "the only threads were ours, and they were ended before the fork"
        assert found.pop("main") == list(range(FORKS))
    assert found == {f"child {fork}": list(range(RECORDS)) for fork in range(FORKS)}
    children = [record for record in records if record["tags"]["who"].startswith("child")]
    bound = {record["workload"] for record in children if record["tags"]["number"] % 2 == 0}
    assert bound == {f"child {fork}" for fork in range(FORKS)}
