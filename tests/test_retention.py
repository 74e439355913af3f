"""Rotated files beyond the wanted number go: each is told, and nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.clib import LibraryError, Logger
from support.loki import Loki, free_port
from support.paths import TESTS
from support.process import clean_environment, wait_until
from support.records import Record, read_log

PROCESSES, RECORDS, STEP, BACKUPS, LIMIT = 4, 4000, 50, 20, 64 * 1024
IDENTITY = {"component": "x", "host": "h", "run_id": "r"}

# Logs in steps of so many records, each allowed by a byte on stdin and answered by one on stdout; at the end its
# accounting. argv: the configuration, its own number, how many records.
WORKER = f"""
import json, os, sys
sys.path.insert(0, {str(TESTS)!r})
from support.clib import Logger
with Logger(json.loads(sys.argv[1])) as logger:
    for number in range(int(sys.argv[3])):
        if number % {STEP} == 0:
            logger.flush()
            os.write(1, b"\\n")
            os.read(0, 1)
        logger.log((b"%s %d " % (sys.argv[2].encode(), number)).ljust(200, b"x"))
    logger.flush()
    print(json.dumps(logger.stats()))
"""


def config(folder: Path, **more: Any) -> dict[str, Any]:
    return {**IDENTITY, "output_dir": str(folder / "out"), **more}


def segments(logs: Path) -> list[Path]:
    """Rotated files whose names are exactly ours."""
    found = logs.glob("x-h.[0-9][0-9][0-9][0-9][0-9][0-9].jsonl")
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def plant(logs: Path) -> list[str]:
    """Files that look like ours."""
    names = ["x-h.000001.jsonl.bak", "x-h.1.jsonl", "x-h.0000001.jsonl", "x-h.quarantined.jsonl", "y-h.000001.jsonl"]
    for name in names:
        (logs / name).write_text("foreign\n", encoding="utf-8")
    (logs / "x-h.000003.jsonl").mkdir()
    (logs / "x-h.000004.jsonl").symlink_to(logs / "y-h.000001.jsonl")
    return [*names, "x-h.000003.jsonl", "x-h.000004.jsonl"]


def keep_links(logs: Path, archive: Path) -> None:
    """A second name for each segment, so that it can be read after its deletion."""
    for path in segments(logs):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            (archive / path.name).hardlink_to(path)


def test_processes_that_rotate_at_once_keep_so_many_files_and_tell_of_each_that_goes(folder: Path) -> None:
    logs, archive = folder / "out/r/logs", folder / "archive"
    archive.mkdir()
    logs.mkdir(parents=True)
    foreign = plant(logs)
    settings = json.dumps(config(folder, jsonl={"log_rotate_bytes": LIMIT, "log_backups": BACKUPS}))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, settings, str(number), str(RECORDS)],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    most = 0
    for _ in range(0, RECORDS, STEP):
        # All write their step at once; what a step rotates away is still there when it is over.
        keep_links(logs, archive)
        for worker in workers:
            assert worker.stdin
            assert worker.stdout
            assert os.read(worker.stdout.fileno(), 1) == b"\n", "a worker has ended"
            worker.stdin.write(b"g")
            worker.stdin.flush()
        most = max(most, len(segments(logs)))
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    keep_links(logs, archive)
    left = segments(logs)
    # The last record of a deletion may have begun a file once more.
    assert BACKUPS <= len(left) <= BACKUPS + 1, left
    # A listing is no snapshot, and each process deletes behind its own rotation.
    assert most <= 2 * BACKUPS
    assert sum(json.loads(output)["segments_deleted"] for output in outputs) >= 30, "too few to prove anything"
    for name in foreign:
        assert (logs / name).exists() or (logs / name).is_symlink(), f"deleted, and not ours: {name}"
    check_records(logs, archive, {path.name for path in left})


def check_records(logs: Path, archive: Path, left: set[str]) -> None:
    """Nothing is lost but what was deleted, and exactly that was told."""
    files = sorted(archive.iterdir())
    assert all(path.stat().st_size <= LIMIT for path in files)
    records: list[Record] = [record for path in [*files, logs / "x-h.jsonl"] for record in read_log(path)]
    deletions = [record for record in records if record["event_type"] == "log_deleted"]
    told = Counter(record["tags"]["file"] for record in deletions)
    assert set(told) == {path.name for path in files} - left
    assert set(told.values()) == {1}, told
    assert all(record["tags"]["bytes"] == (archive / record["tags"]["file"]).stat().st_size for record in deletions)
    seen = Counter(tuple(record["message"].split()[:2]) for record in records if record["event_type"] == "log")
    assert seen == Counter((str(worker), str(number)) for worker in range(PROCESSES) for number in range(RECORDS))


def fill(logger: Logger, records: int = 300) -> None:
    for number in range(records):
        logger.log((b"0 %d " % number).ljust(200, b"x"))
    logger.flush()


def held_back(said: str) -> int:
    """How often it was said that files stay because of Loki."""
    return sum("retention_over_delivery" in line for line in said.splitlines())


@pytest.mark.usefixtures("no_settings")
def test_what_loki_does_not_have_stays_until_it_has(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Loki is dead at first, which is said once, and not at once; when it comes the surplus files go."""
    logs, loki = folder / "out/r/logs", Loki(folder, {}, free_port(), free_port())
    rotation = {"log_rotate_bytes": 8192, "log_backups": 1}
    # Pauses shorter than by default, so that the test is.
    shipping = {"enabled": True, "endpoint": loki.url, "backoff_factor": 1.0}
    said: list[str] = []
    began = time.time_ns()

    def has_said_it() -> bool:
        said.append(capfd.readouterr().err)
        return held_back("".join(said)) > 0

    try:
        with Logger(config(folder, jsonl=rotation, loki=shipping)) as logger:
            fill(logger)
            rotated = len(segments(logs))
            assert rotated == logger.stats()["rotations"] > 5
            wait_until(has_said_it, 20, "it is said that rotated files stay")
            assert len(segments(logs)) == rotated, "a file went that Loki does not have"
            loki.start()
            wait_until(lambda: len(segments(logs)) <= 1, 30, "what Loki has goes")
            wait_until(lambda: logger.stats()["segments_deleted"] >= rotated - 1, 5, "what went is counted")
            assert logger.stats()["loki_missing"] == 0, logger.stats()
        said.append(capfd.readouterr().err)
        assert held_back("".join(said)) == 1, said
        found = loki.lines('{run_id="r"}', began, time.time_ns())
    finally:
        loki.stop()
    messages = Counter(json.loads(entry.line)["message"].split()[1] for entry in found)
    numbers = Counter({str(number): 1 for number in range(300)})
    assert messages & numbers == numbers, "Loki lacks lines whose file was deleted"


@pytest.mark.usefixtures("no_settings")
def test_retention_may_come_before_loki(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    loki = {"enabled": True, "endpoint": f"http://127.0.0.1:{free_port()}"}
    rotation = {"log_rotate_bytes": 8192, "log_backups": 1}
    logger = Logger(config(folder, jsonl=rotation, loki=loki, retention_over_delivery=True))
    try:
        fill(logger)
        wait_until(lambda: len(segments(folder / "out/r/logs")) <= 1, 10, "surplus files go")
        with pytest.raises(LibraryError, match="are not in Loki yet"):
            logger.close()
    finally:
        logger.library.lb_logger_free(logger.handle)
    assert held_back(capfd.readouterr().err) == 0


def test_none_goes_unless_asked_for(folder: Path) -> None:
    with Logger(config(folder, jsonl={"log_rotate_bytes": 8192})) as logger:
        for _ in range(300):
            logger.log(b"x" * 200)
        logger.flush()
        stats = logger.stats()
    assert len(segments(folder / "out/r/logs")) == stats["rotations"] > 5
    assert stats["segments_deleted"] == 0
