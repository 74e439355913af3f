"""However an interpreter ends, nothing hangs or crashes, and what was logged is in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.lb import lb
from support.process import clean_environment
from support.python import PROGRAMS, PYTHONS, package_environment, python_command
from support.records import read_log

RECORDS = 500
#: Behind the interpreter's last words the log is opened for each record alone.
LATE_RECORDS = 10


def records_of(how: str) -> int:
    return LATE_RECORDS if how == "__del__" else RECORDS


def ended(python: str, folder: Path, how: str, **settings: object) -> subprocess.CompletedProcess[str]:
    config = {"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder), **settings}
    command = [*python_command(python), str(PROGRAMS / "ends.py"), json.dumps(config), how, str(records_of(how))]
    environment = clean_environment(package_environment())
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def count(folder: Path, message: str) -> int:
    """Records of that message, each number once."""
    records = [record for record in read_log(folder / "r" / "logs" / "c-h.jsonl") if record["message"] == message]
    assert [record["tags"]["number"] for record in records] == list(range(len(records)))
    return len(records)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("how", ["plain", "atexit", "__del__", "daemon", "handler", "shutdown"])
def test_an_interpreter_ends(python: str, how: str, folder: Path) -> None:
    done = ended(python, folder, how)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert count(folder, how) == records_of(how)


@pytest.mark.parametrize("python", PYTHONS)
def test_with_an_exception(python: str, folder: Path) -> None:
    done = ended(python, folder, "exception")
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: as a program ends that fails\n")
    assert count(folder, "exception") == RECORDS


def test_after_close(folder: Path) -> None:
    """A record that comes too late is told, and no reason to fail."""
    done = ended(sys.executable, folder, "closed")
    assert (done.returncode, done.stderr) == (0, "RuntimeError: the logger was closed\n")
    assert count(folder, "closed") == RECORDS


@pytest.mark.parametrize("python", PYTHONS)
def test_without_any_farewell(python: str, folder: Path) -> None:
    """os._exit runs nothing of ours: what the rings hold is moved by whoever comes next."""
    assert ended(python, folder, "_exit").returncode == 0
    assert lb("drain", folder).code == 0
    assert count(folder, "_exit") == RECORDS


@pytest.mark.parametrize("how", ["plain", "handler"])
def test_a_dead_loki_holds_no_end_up(how: str, folder: Path) -> None:
    loki = {"enabled": True, "endpoint": "http://127.0.0.1:9"}
    done = ended(sys.executable, folder, how, loki=loki)
    assert (done.returncode, done.stdout) == (0, "")
    assert count(folder, how) == RECORDS
