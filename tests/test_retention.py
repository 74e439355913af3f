"""Rotated files beyond the wanted number go: each is told, and nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from support.clib import Logger
from support.paths import TESTS
from support.process import clean_environment
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


def test_loki_holds_rotated_files_back_and_that_is_said_once(folder: Path) -> None:
    loki = {"enabled": True, "endpoint": "http://127.0.0.1:1"}
    rotation = {"log_rotate_bytes": 8192, "log_backups": 1}
    for over_delivery, kept in ((False, 8), (True, 1)):
        settings = config(folder, jsonl=rotation, loki=loki, retention_over_delivery=over_delivery)
        command = [sys.executable, "-c", WORKER, json.dumps(settings), "0", "300"]
        go = "g" * 300
        done = subprocess.run(
            command, env=clean_environment(), input=go, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        files = segments(folder / "out/r/logs")
        assert len(files) >= kept if kept > 1 else len(files) == kept, files
        said = [line for line in done.stderr.splitlines() if "retention_over_delivery" in line]
        assert len(said) == (0 if over_delivery else 1), done.stderr


def test_none_goes_unless_asked_for(folder: Path) -> None:
    with Logger(config(folder, jsonl={"log_rotate_bytes": 8192})) as logger:
        for _ in range(300):
            logger.log(b"x" * 200)
        logger.flush()
        stats = logger.stats()
    assert len(segments(folder / "out/r/logs")) == stats["rotations"] > 5
    assert stats["segments_deleted"] == 0
