"""Nothing accepted is lost by a crash: a C program with four logging threads is killed, again and again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from support import cc
from support.paths import LB, TESTS
from support.process import clean_environment, wait_until
from support.records import parse_bytes_fast

THREADS = 4
IDENTITY = {"run_id": "crash-1", "component": "generator", "host": "node-1"}
Accepted = dict[tuple[int, int], int]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that is killed."""
    return cc.build(TESTS / "crash" / "crash.c", tmp_path_factory.mktemp("crash") / "crash")


class Campaign:
    """Sessions of the program on one log, and what they had accepted when they were killed."""

    def __init__(self, program: Path, folder: Path, **settings: Any) -> None:
        self.program, self.folder = program, folder
        self.output = folder / "out"
        self.config = json.dumps({**IDENTITY, "output_dir": str(self.output), **settings})
        self.sessions = 0
        self.accepted: Accepted = {}

    def page(self, session: int) -> Path:
        return self.folder / f"page-{session}"

    def start(self, burst: int, pause_us: int) -> tuple[int, subprocess.Popen[bytes]]:
        """A new session, running."""
        self.sessions += 1
        command = [str(self.program), self.config, str(self.sessions), str(self.page(self.sessions))]
        command += [str(burst), str(pause_us)]
        process = subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE)
        return self.sessions, process

    def kill(self, session: int, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, and what was accepted until then."""
        process.kill()
        _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"the program ended by itself: {said.decode()}"
        page = self.page(session)
        content = page.read_bytes() if page.exists() else b""
        words = struct.unpack(f"<{len(content) // 8}Q", content)
        for thread in range(THREADS):
            self.accepted[session, thread] = words[thread * 8] if words else 0

    def killed_session(self, burst: int, pause_us: int, seconds: float) -> None:
        """One session that is killed after so many seconds."""
        session, process = self.start(burst, pause_us)
        time.sleep(seconds)
        self.kill(session, process)

    def drain(self) -> str:
        """What `lb drain` says."""
        done = subprocess.run(
            [LB, "drain", self.output], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def open_and_close(self) -> None:
        """The next open of an ordinary process."""
        done = subprocess.run(
            [self.program, self.config, "0", "", "1", "0"],
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def files(self) -> list[Path]:
        """The log and its rotated segments, oldest first: in time order, the plain name last."""
        found = (self.output / IDENTITY["run_id"] / "logs").glob("generator-node-1*.jsonl")
        return sorted(found, key=lambda path: (path.name == "generator-node-1.jsonl", path.name))

    def check(self, *, lossy: bool = False) -> int:
        """Every accepted record once, in its thread's order, nothing cut or glued. The number of lines.

        `lossy`: the last records of a thread may be missing."""
        numbers: dict[tuple[int, int], list[int]] = defaultdict(list)
        lines = 0
        for path in self.files():
            content = path.read_bytes()
            for record in parse_bytes_fast(content) if content else []:
                lines += 1
                key, number = self.parsed(record)
                numbers[key].append(number)
        for key, accepted in self.accepted.items():
            found = numbers.pop(key, [])
            assert found == list(range(1, len(found) + 1)), f"session, thread {key}: {first_break(found)}"
            least = 0 if lossy else accepted
            assert least <= len(found) <= accepted + 1, f"{key}: {accepted} accepted, {len(found)} in the file"
        assert not numbers, f"records of sessions that never were: {list(numbers)[:5]}"
        return lines

    @staticmethod
    def parsed(record: dict[str, Any]) -> tuple[tuple[int, int], int]:
        """Session and thread, and the number, of a record that looks as it was logged."""
        assert record["event_type"] == "log", record
        session, thread, number, fill = record["message"].split(" ")
        assert record["tags"] == {"number": int(number)}, record
        assert fill == expected_fill(int(number)), f"not the text of number {number}: {fill[:80]!r}"
        return (int(session), int(thread)), int(number)


def expected_fill(number: int) -> str:
    """What the program puts behind a record's number."""
    length = number * 131 % 4096 if number % 50 == 0 else number * 7 % 90
    alphabet = "abcdefghijklmnopqrstuvwxyz" * (length // 26 + 2)
    return alphabet[number % 26 :][:length]


def first_break(numbers: list[int]) -> str:
    """Where a list of numbers stops being 1, 2, 3, …"""
    for index, number in enumerate(numbers):
        if number != index + 1:
            return f"{index + 1} expected, then {numbers[index : index + 5]} ({len(numbers)} in all)"
    return "no break"


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


@pytest.mark.parametrize(("ring_dir", "kills"), [("auto", 50), ("shm", 10), ("log", 20)])
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
        expected = [f" {thread} {campaign.accepted[session, thread]} " for thread in range(THREADS)]

        def all_there(session: int = session, expected: list[str] = expected) -> bool:
            content = campaign.files()[-1].read_text(encoding="utf-8")
            return all(f'"message":"{session}{text}' in content or text.endswith(" 0 ") for text in expected)

        wait_until(all_there, 3, f"the records of session {session} are in the file")
    campaign.kill(alive, sibling)
    campaign.open_and_close()
    campaign.check()


def fill_rings_and_kill(campaign: Campaign) -> None:
    """A session whose writer cannot have the file's lock any more, so that its rings are full when it is killed."""
    session, process = campaign.start(1, 0)
    page = campaign.page(session)
    wait_until(lambda: page.exists() and any(page.read_bytes()), 10, "something is logged")
    lock = campaign.output / IDENTITY["run_id"] / "logs" / ".generator-node-1.lock"
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = campaign.files()[-1].stat().st_size
        time.sleep(0.15)
        campaign.kill(session, process)
        assert campaign.files()[-1].stat().st_size == before, "the lock did not hold the writer up"


def test_a_killed_recovery_is_taken_up_by_the_next(program: Path, folder: Path, seeded: random.Random) -> None:
    campaign = Campaign(program, folder, ring_bytes=2 << 20)
    campaign.open_and_close()
    drain = [str(LB), "drain", str(campaign.output)]
    opening = [str(program), campaign.config, "0", "", "1", "0"]
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
    drain = [str(LB), "drain", str(campaign.output)]
    opening = [str(program), campaign.config, "0", "", "1", "0"]
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
