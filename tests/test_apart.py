"""Where locks are not to be trusted each process writes a file of its own; the file system here is a real FUSE."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import clib, fuse
from support.paths import LB, TESTS
from support.process import clean_environment, wait_until
from support.records import read_log

IDENTITY = {"component": "c", "host": "h", "run_id": "r"}
OWN = re.compile(r"c-h~[0-9a-f]{8}\.jsonl")

# Logs as many lines as stdin has; argv: the configuration. Answers each with its accounting.
WORKER = f"""
import json, sys
sys.path.insert(0, {str(TESTS)!r})
from support.clib import Logger
with Logger(json.loads(sys.argv[1])) as logger:
    for line in sys.stdin:
        logger.log(line.strip().encode())
        logger.flush()
        print(json.dumps(logger.stats()), flush=True)
"""


@pytest.fixture
def mount(folder: Path) -> Iterator[fuse.Mount]:
    with fuse.mounted(folder) as mounted:
        yield mounted


def config(mount: fuse.Mount, **more: Any) -> dict[str, Any]:
    return {**IDENTITY, "output_dir": str(mount.path / "out"), **more}


def start(mount: fuse.Mount) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, json.dumps(config(mount))],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lb(*arguments: str | Path) -> str:
    done = subprocess.run(
        [LB, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_each_process_writes_a_file_of_its_own(mount: fuse.Mount) -> None:
    workers = [start(mount), start(mount)]
    for number, worker in enumerate(workers):
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(f"of {number}\n")
        worker.stdin.flush()
        stats = json.loads(worker.stdout.readline())
        assert (stats["apart"], stats["rings_in"], stats["written"]) == (1, clib.RINGS_MEMORY, 1)
    logs = mount.path / "out/r/logs"
    while_they_live = sorted(path.name for path in logs.iterdir())
    own = [name for name in while_they_live if OWN.fullmatch(name)]
    locks = [f".{name.removesuffix('.jsonl')}.lock" for name in own]
    assert (len(own), while_they_live) == (2, sorted([*own, *locks])), "no shared file, no notes, no rings"
    # Half a line that another machine is about to finish is nothing to cut.
    with (logs / own[0]).open("ab") as file:
        file.write(b'{"half":')
    status = json.loads(lb("status", mount.path / "out/r", "--format", "json"))
    lb("drain", mount.path / "out")
    assert (logs / own[0]).read_bytes().endswith(b'{"half":')
    (logs / own[0]).write_bytes((logs / own[0]).read_bytes().removesuffix(b'{"half":'))
    assert {Path(log["path"]).name for log in status["logs"]} == set(own), status
    for worker in workers:
        _, said = worker.communicate(timeout=30)
        assert worker.returncode == 0, said
        lines = said.splitlines()
        assert len(lines) == 1, "said once"
        assert "(FUSE) are not to be trusted" in lines[0]
        assert OWN.search(lines[0])
    assert sorted(read_log(logs / name)[0]["message"] for name in own) == ["of 0", "of 1"]


def test_a_disk_that_does_not_answer_holds_nobody_beyond_the_deadline(mount: fuse.Mount, folder: Path) -> None:
    """The thread that syncs hangs in the kernel: flush and close answer in time, and nobody joins it."""
    program = f"""
import json, os, sys, time
sys.path.insert(0, {str(TESTS)!r})
from support.clib import Logger, LibraryError, TIMEOUT
logger = Logger(json.loads(sys.argv[1]))
logger.log(b"one")
while logger.stats()["written"] < 1: time.sleep(0.001)
os.kill(int(sys.argv[2]), {int(signal.SIGSTOP)})
for wait in (lambda: logger.flush(300), lambda: logger.close(300)):
    begun = time.monotonic()
    try:
        wait()
        print("not late")
    except LibraryError as error:
        print(error.code == TIMEOUT, round(time.monotonic() - begun, 2), error.message, flush=True)
print("the end", flush=True)
"""
    settings = json.dumps(config(mount, sync="always", sync_interval_ms=3_600_000))
    command = [sys.executable, "-c", program, settings, str(mount.daemon.pid)]
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=clean_environment(), stdout=output, stderr=output)
    try:
        wait_until(lambda: "the end" in said.read_text("utf-8"), 20, f"the end of the program: {said.read_text()}")
    finally:
        # The kernel itself waits at the end of a process for an answer about its open files.
        mount.go_on()
        process.wait(20)
    lines = [line for line in said.read_text("utf-8").splitlines() if not line.startswith("lb-log: ")]
    assert lines[2:] == ["the end"], lines
    for line in lines[:2]:
        late, seconds, message = line.split(" ", 2)
        assert late == "True", line
        assert 0.25 < float(seconds) < 5, line
        assert "was not finished within 300ms" in message, line
    # The writer may hang as well by the time of the close: it looks after its folder once a second.
    assert "all records are in the file, but the disk has not confirmed them" in lines[0], lines[0]
    assert process.returncode == 0
