"""Lines are forced to the disk: when, how often, and before a flush says so. What the kernel was asked for tells."""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from support.clib import Logger
from support.paths import TESTS
from support.process import wait_until
from support.strace import Call, calls

HOUR_MS = 3_600_000
IDENTITY = {"component": "c", "host": "h", "run_id": "r"}

# Logs, flushes and says so; argv: the configuration, how many lines, how long each is.
WORKER = f"""
import json, os, sys
sys.path.insert(0, {str(TESTS)!r})
from support.clib import Logger
with Logger(json.loads(sys.argv[1])) as logger:
    for number in range(int(sys.argv[2])):
        logger.log((b"line %d " % number).ljust(int(sys.argv[3]), b"x"))
        logger.flush()
        os.write(1, b"flushed %d" % number)
"""


def traced(folder: Path, lines: int, length: int = 10, **settings: Any) -> list[Call]:
    """The calls of a worker that matter here."""
    config = json.dumps({**IDENTITY, "output_dir": str(folder / "out"), **settings})
    command = [sys.executable, "-c", WORKER, config, str(lines), str(length)]
    return calls(command, "write,fdatasync", folder / "trace")


def forced(found: list[Call]) -> list[Call]:
    """The calls that force a log to the disk."""
    return [call for call in found if call.name == "fdatasync" and ".jsonl>" in call.arguments]


def synced(logger: Logger, times: int) -> bool:
    """Whether the log was forced to the disk so many times."""
    return logger.stats()["syncs"] == times


def test_a_flush_returns_when_its_lines_are_on_the_disk(folder: Path) -> None:
    found = traced(folder, 10, sync="always", sync_interval_ms=HOUR_MS)
    for number in range(10):
        written = next(call for call in found if f"line {number} " in call.arguments)
        flushed = next(call for call in found if call.arguments.endswith(f'"flushed {number}", {8 + len(str(number))}'))
        between = [call for call in forced(found) if written.ended < call.began and call.ended < flushed.began]
        assert [call.answer for call in between] == ["0"], (number, written, flushed, forced(found))


def test_otherwise_a_flush_leaves_the_disk_alone_and_the_end_does_not(folder: Path) -> None:
    found = traced(folder, 10, sync_interval_ms=HOUR_MS)
    last = next(call for call in found if "flushed 9" in call.arguments)
    at_the_end = forced(found)
    assert [call.answer for call in at_the_end] == ["0"]
    assert at_the_end[0].began > last.ended


def test_a_rotated_file_is_forced_to_the_disk(folder: Path) -> None:
    found = traced(folder, 100, 300, sync_interval_ms=HOUR_MS, jsonl={"log_rotate_bytes": 8192})
    seen = {Path(path).name for call in forced(found) for path in re.findall(r"<(.*?)>", call.arguments)}
    there = {path.name for path in (folder / "out/r/logs").iterdir() if path.suffix == ".jsonl"}
    assert len(there) > 5, there
    assert seen == there


def test_what_was_written_is_forced_to_the_disk_within_the_interval_and_then_left_alone(folder: Path) -> None:
    settings = {**IDENTITY, "output_dir": str(folder / "out"), "sync_interval_ms": 100}
    with Logger(settings) as logger:
        for expected in (1, 2, 3):
            logger.log(b"line")
            wait_until(functools.partial(synced, logger, expected), 10, f"sync {expected}")
        time.sleep(0.5)
        assert logger.stats()["syncs"] == 3, "nothing was written since"
        assert logger.stats()["sync_errors"] == 0
