"""Nothing that a call has accepted is lost by a death: processes with two logging threads are killed, many times."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.campaign import Campaign, run
from support.process import clean_environment, wait_until
from support.python import PROGRAMS, PYTHONS, package_environment, python_command
from support.records import read_log

#: How often the steady program is killed, unless TEST_PYTHON_KILLS says otherwise.
KILLS = {"this": 12, "second": 4}


class Killed(Campaign):
    """The campaign of the C program, with one in Python."""

    def __init__(self, python: str, folder: Path) -> None:
        super().__init__(PROGRAMS / "killed.py", folder, full_timeout_ms=20000)
        self.prefix = python_command(python)

    @property
    def open_command(self) -> list[str]:
        return [*self.prefix, *super().open_command]

    def started(self, session: int) -> bool:
        """Whether both of its threads have logged."""
        page = self.page(session)
        words = struct.unpack("<32Q", page.read_bytes()) if page.exists() and page.stat().st_size == 256 else (0,) * 32
        return bool(words[0] and words[8])

    def session(self, burst: int, pause_us: int, seconds: float) -> None:
        """One session that is killed so many seconds behind its first records."""
        session, process = self.start(burst, pause_us, environment=package_environment())
        self.wait_for(session, process)
        time.sleep(seconds)
        self.kill(session, process)

    def wait_for(self, session: int, process: subprocess.Popen[bytes]) -> None:
        def ready() -> bool:
            assert process.poll() is None, process.communicate()[1].decode()
            return self.started(session)

        wait_until(ready, 30, "both threads log")

    def collect(self) -> None:
        done = run(
            [str(self.lb), "collect", "crash-1", "--from", str(self.output), "--output-dir", f"{self.folder}/here"]
        )
        assert done.returncode == 0, done.stderr

    def open_and_close(self) -> None:
        done = run(self.open_command, package_environment())
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def seeded(request: pytest.FixtureRequest) -> random.Random:
    """Moments that are random and yet the same each time; TEST_SEED asks for others."""
    return random.Random(request.node.name + os.environ.get("TEST_SEED", ""))


@pytest.mark.parametrize("python", PYTHONS)
def test_many_kills(python: str, folder: Path, seeded: random.Random) -> None:
    campaign = Killed(python, folder)
    kills = int(os.environ.get("TEST_PYTHON_KILLS", KILLS["this" if python == sys.executable else "second"]))
    for kill in range(kills):
        flat_out = seeded.random() < 0.25
        pause_us = 0 if flat_out else seeded.randint(200, 3000)
        campaign.session(seeded.randint(1, 20), pause_us, seeded.uniform(0, 0.02 if flat_out else 0.08))
        # Where it is neither, the next session's start recovers, and may be killed while it does.
        if kill % 3 == 1:
            campaign.drain()
            campaign.check()
        elif kill % 3 == 2:
            campaign.collect()
            campaign.check()
    campaign.open_and_close()
    lines = campaign.check()
    assert lines > 100 * min(kills, 10), "hardly anything was logged"
    campaign.drain()
    assert campaign.check() == lines, "draining once more must change nothing"
    assert not list(campaign.log.parent.glob(".*.rings")), "notes of dead processes are left"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_a_child_of_multiprocessing_is_killed(python: str, how: str, folder: Path, seeded: random.Random) -> None:
    campaign = Killed(python, folder)
    for _ in range(2):
        campaign.sessions += 1
        session = campaign.sessions
        command = [*campaign.prefix, str(campaign.program), campaign.config, str(session), str(campaign.page(session))]
        parent = subprocess.Popen(
            [*command, "3", "500", how], env=clean_environment(package_environment()), stderr=subprocess.PIPE
        )
        campaign.wait_for(session, parent)
        time.sleep(seeded.uniform(0, 0.05))
        os.kill(struct.unpack("<32Q", campaign.page(session).read_bytes())[31], signal.SIGKILL)
        _, said = parent.communicate(timeout=30)
        assert parent.returncode == 0, said.decode()
        campaign.accept(session)
    campaign.drain()
    campaign.check()


@pytest.mark.parametrize("python", PYTHONS)
def test_idle_for_50_ms_and_killed(python: str, folder: Path) -> None:
    """Everything is in the file then, without anybody's help."""

    def missing(attempt: int) -> int:
        config = {"component": "c", "host": "h", "run_id": f"r{attempt}", "output_dir": str(folder)}
        command = [*python_command(python), str(PROGRAMS / "idle.py"), json.dumps(config), "500"]
        done = run(command, package_environment())
        assert done.returncode == -signal.SIGKILL, done.stderr
        return 500 - len(read_log(folder / f"r{attempt}" / "logs" / "c-h.jsonl"))

    # On a machine that is busy its writer may not have had a processor for so long.
    assert 0 in (missing(attempt) for attempt in range(4))
