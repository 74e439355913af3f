"""Nothing accepted is lost by a crash: a C program with four logging threads is killed, again and again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.campaign import IDENTITY, THREADS, Campaign, build_program, expected_fill
from support.paths import LB
from support.process import clean_environment, wait_until


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that is killed."""
    return build_program(tmp_path_factory.mktemp("crash") / "crash")


@pytest.fixture
def seeded(request: pytest.FixtureRequest) -> random.Random:
    """Moments that are random and yet the same each time; TEST_SEED asks for others."""
    return random.Random(request.node.name + os.environ.get("TEST_SEED", ""))


def moment(rng: random.Random) -> tuple[int, int, float]:
    """Burst, pause and time until the kill: mostly steady, sometimes flat out, sometimes right after the start."""
    kind = rng.random()
    if kind < 0.15:
        return 1, 0, rng.uniform(0, 0.004)
    if kind < 0.35:
        return 1, 0, rng.uniform(0.004, 0.008)
    if kind < 0.45:
        return 500, 5000, rng.uniform(0.002, 0.03)
    return rng.randint(1, 10), rng.randint(500, 3000), rng.uniform(0.01, 0.1)


# How often each place of the rings sees a kill; TEST_KILLS gives another number for all.
KILLS = {place: int(os.environ.get("TEST_KILLS", kills)) for place, kills in (("auto", 50), ("shm", 10), ("log", 20))}


@pytest.mark.parametrize(("ring_dir", "kills"), KILLS.items())
def test_many_kills(ring_dir: str, kills: int, program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder, ring_dir=ring_dir)
    for kill in range(kills):
        campaign.killed_session(*moment(seeded))
        if kill % 2:
            campaign.drain()
        if kill % 20 == 13:
            campaign.check()
        # Without a drain the next session's open recovers, and may be killed while it does.
    campaign.open_and_close()
    lines = campaign.check()
    assert lines > 1000, "hardly anything was logged"
    assert campaign.drain() is not None
    assert campaign.check() == lines, "draining once more must change nothing"
    leftovers = [path.name for path in (campaign.output / IDENTITY["run_id"] / "logs").glob(".*.rings")]
    assert not leftovers, "notes of dead processes are left"


def test_plain_memory_loses_the_last_records_only(program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder, ring_dir="memory")
    for _ in range(12):
        campaign.killed_session(*moment(seeded))
    campaign.open_and_close()
    assert campaign.check(lossy=True) > 100, "hardly anything was written"


def test_kills_with_rotation(program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder, jsonl={"log_rotate_bytes": 65536})
    for _ in range(10):
        burst, pause_us, seconds = moment(seeded)
        campaign.killed_session(burst, max(pause_us, 300), seconds)
    # Not by `lb drain`, which knows nothing of the program's limit.
    campaign.open_and_close()
    campaign.check()
    assert len(campaign.files()) > 2, "nothing was rotated"
    for path in campaign.files():
        assert path.stat().st_size <= 65536


def test_a_living_sibling_recovers(program: Path, folder: Path, seeded: random.Random) -> None:
    """Within a second or so, without anybody opening or draining anything."""
    campaign = Campaign(program, folder)
    alive, sibling = campaign.start(1, 3000)
    wait_until(lambda: bool(campaign.files()) and campaign.files()[-1].stat().st_size > 0, 10, "the sibling logs")
    for _ in range(5):
        session, process = campaign.start(20, 1000)
        time.sleep(seeded.uniform(0.01, 0.06))
        campaign.kill(session, process)

        def all_there(session: int = session) -> bool:
            return all(campaign.in_file(session, thread) for thread in range(THREADS))

        wait_until(all_there, 3, f"the records of session {session} are in the file")
    campaign.kill(alive, sibling)
    campaign.open_and_close()
    campaign.check()


def fill_rings_and_kill(campaign: Campaign) -> None:
    """A session whose writer cannot have the file's lock any more, so that its rings are full when it is killed."""
    session, process = campaign.start(1, 0)
    page = campaign.page(session)
    wait_until(lambda: page.exists() and any(page.read_bytes()), 10, "something is logged")
    with campaign.locked():
        before = campaign.files()[-1].stat().st_size
        time.sleep(0.15)
        campaign.kill(session, process)
        assert campaign.files()[-1].stat().st_size == before, "the lock did not hold the writer up"


def test_a_killed_recovery_is_taken_up_by_the_next(program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder, ring_bytes=2 << 20)
    campaign.open_and_close()
    drain, opening = campaign.drain_command, campaign.open_command
    logs = campaign.output / IDENTITY["run_id"] / "logs"
    interrupted = 0
    for _ in range(12):
        if interrupted > 4:
            break
        fill_rings_and_kill(campaign)
        for _ in range(8):
            process = subprocess.Popen(
                seeded.choice([drain, opening]),
                env=clean_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(seeded.uniform(0.002, 0.012))
            process.kill()
            # What is left has a note yet: it was killed before its end.
            interrupted += process.wait() == -signal.SIGKILL and any(logs.glob(".*.rings"))
    assert interrupted, "no recovery was killed"
    campaign.drain()
    campaign.check()


def test_many_recover_at_once(program: Path, folder: Path) -> None:
    campaign = Campaign(program, folder)
    campaign.open_and_close()
    drain, opening = campaign.drain_command, campaign.open_command
    for _ in range(3):
        fill_rings_and_kill(campaign)
        crowd = [
            subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL)
            for command in (drain, opening, drain, opening)
        ]
        assert [process.wait(20) for process in crowd] == [0, 0, 0, 0]
    campaign.check()


def test_status_moves_and_counts(program: Path, folder: Path) -> None:
    campaign = Campaign(program, folder)
    campaign.open_and_close()
    fill_rings_and_kill(campaign)
    command = [str(LB), "status", IDENTITY["run_id"], "--output-dir", str(campaign.output), "--format", "json"]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (log,) = json.loads(done.stdout)["logs"]
    assert log["recovered"] > 2000, "the rings were not full"
    assert (log["lines"], log["queued"]) == (campaign.check(), 0)
    assert log["bytes"] == sum(path.stat().st_size for path in campaign.files())


def test_two_at_once_and_both_killed(program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder)
    for _ in range(5):
        pair = [campaign.start(10, 1000), campaign.start(1, 200)]
        time.sleep(seeded.uniform(0.01, 0.08))
        for session, process in pair:
            campaign.kill(session, process)
    campaign.drain()
    campaign.check()


def test_the_check_sees_what_it_is_for(folder: Path) -> None:
    """The campaign's own judgement, on files made by hand."""
    campaign = Campaign(Path("/nonexistent"), folder)
    logs = campaign.output / IDENTITY["run_id"] / "logs"
    logs.mkdir(parents=True)

    def line(thread: int, number: int) -> str:
        record = {"timestamp": "2026-11-22T10:11:12.123456789Z", "level": "INFO", "component": "generator"}
        record |= {"host": "node-1", "run_id": "crash-1", "logger": "c"}
        rest = {"message": f"1 {thread} {number} {expected_fill(number)}", "event_type": "log", "workload": "none"}
        rest_of = {"repetition": 1, "tags": {"number": number}}
        return json.dumps({**record, **rest, **rest_of}, separators=(",", ":")) + "\n"

    good = [line(0, 1), line(1, 1), line(0, 2), line(1, 2), line(0, 3)]
    campaign.accepted = {(1, 0): 3, (1, 1): 1, (1, 2): 0}

    def judged(lines: list[str]) -> int:
        (logs / "generator-node-1.jsonl").write_text("".join(lines), encoding="utf-8")
        return campaign.check()

    assert judged(good) == 5
    seen_as_good: list[str] = []
    broken = {
        "lost": good[:-1],
        "lost in the middle": [*good[:2], *good[3:]],
        "doubled": [*good, good[1]],
        "out of order": [good[2], good[1], good[0], *good[3:]],
        "more than one that nobody published": [*good, line(1, 3)],
        "cut": [*good[:-1], good[-1][:-20]],
        "glued": [*good[:3], good[3][:40] + good[4]],
        "of nobody": [*good, line(3, 1)],
        "another fill": [*good[:-1], good[-1].replace(expected_fill(3), "x" * 21)],
    }
    for what, lines in broken.items():
        with contextlib.suppress(AssertionError, ValueError, KeyError):
            judged(lines)
            seen_as_good.append(what)
    assert not seen_as_good
