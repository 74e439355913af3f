"""Crowds: many processes on one file, one of them stopped while all wait for it, thousands of threads in one."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import cc
from support.paths import TESTS
from support.process import clean_environment, wait_until
from support.records import Record
from support.speaker import IDENTITY, Speaker, check, gaps, log_path, numbers, read, speaking

SEGMENT_BYTES = 256 * 1024
PATIENT = {"full_timeout_ms": 30000}


def crowd(stack: ExitStack, program: Path, folder: Path, count: int, threads: int, **settings: Any) -> list[Speaker]:
    """So many speakers on one log. Their records are told apart by their logger."""
    return [
        stack.enter_context(
            speaking(
                program,
                folder / str(number),
                {**PATIENT, "output_dir": str(folder / "out"), "logger": f"speaker.{number}", **settings},
                threads=threads,
            )
        )
        for number in range(count)
    ]


def of(number: int, records: list[Record]) -> list[Record]:
    """The records of one speaker of a crowd."""
    return [record for record in records if record["logger"] == f"speaker.{number}"]


# --- many processes ---


def test_eight_processes_rotate_one_file(speaker_program: Path, folder: Path) -> None:
    with ExitStack() as stack:
        speakers = crowd(stack, speaker_program, folder, 8, 4, jsonl={"log_rotate_bytes": SEGMENT_BYTES})
        for speaker in speakers:
            speaker.send("log 2500 60 0")
        for speaker in speakers:
            assert speaker.answer(120)["accepted"] == 10000
        for speaker in speakers:
            assert speaker.close()["code"] == 0
        rotations = sum(speaker.stats()["rotations"] for speaker in speakers)
        log = log_path(folder / "out")
        segments = sorted(log.parent.glob("generator-node-1.*.jsonl"))
        assert [path.name for path in sorted(log.parent.glob("*.jsonl"))] == [path.name for path in [*segments, log]]
        assert [path.name for path in segments] == [f"generator-node-1.{n:06}.jsonl" for n in range(1, rotations + 1)]
        assert rotations > 50, "hardly anything was rotated"
        too_large = {path.name: path.stat().st_size for path in segments if path.stat().st_size > SEGMENT_BYTES}
        assert not too_large
        records = read([*segments, log])
        assert len(records) == 80000
        for number, speaker in enumerate(speakers):
            check(speaker, of(number, records))
            assert speaker.said() == []


# --- a process that is stopped while it holds the lock ---

HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def stopped_holder(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has stopped while it held the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        wait_until(lambda: state_of(process.pid) == "T", 10, "the holder has stopped")
        yield process
    finally:
        process.kill()
        process.communicate()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def holds(pid: int, lock: Path) -> bool:
    """Whether a process has the lock, as the kernel says."""
    inode = lock.stat().st_ino
    pattern = re.compile(rf"^\d+: FLOCK +ADVISORY +WRITE {pid} [0-9a-f:]+:{inode} ", re.MULTILINE)
    return bool(pattern.search(Path("/proc/locks").read_text()))


def own_files(log: Path) -> list[Path]:
    """The files of those who went on without the others."""
    found = sorted(log.parent.glob("*~*.jsonl"))
    for path in found:
        assert re.fullmatch(r"generator-node-1~[0-9a-f]{8}\.jsonl", path.name)
    return found


def went_apart(speaker: Speaker, log: Path) -> Path:
    """Where a speaker went; it has said so once."""
    first, second = speaker.said()
    lock = log.parent / ".generator-node-1.lock"
    held = f"{lock}: another process holds the lock and does not let go; is it stopped? (fuser {lock} names it)"
    assert held in first, first
    found = re.search(r"does not go on \(is it stopped\? fuser \S+ names it\): going on in (\S+)$", second)
    assert found, second
    return Path(found[1])


def test_the_holder_of_the_lock_is_stopped(speaker_program: Path, folder: Path) -> None:
    log = log_path(folder / "out")
    with ExitStack() as stack:
        speakers = crowd(stack, speaker_program, folder, 3, 2)
        for speaker in speakers:
            speaker.log(100)
            assert speaker.flush()["code"] == 0
        lock = log.parent / ".generator-node-1.lock"
        with stopped_holder(lock) as holder:
            started = time.monotonic()
            for speaker in speakers:
                speaker.log(100)
            for speaker in speakers:
                assert speaker.flush(20000)["code"] == 0
            print(f"after {time.monotonic() - started:.1f} s they went on without the lock")
            theirs = [went_apart(speaker, log) for speaker in speakers]
            assert sorted(theirs) == own_files(log)
            # Who comes now waits, too, and has a file of its own from the start.
            (late,) = crowd(stack, speaker_program, folder / "late", 1, 1, output_dir=str(folder / "out"))
            late.log(10)
            assert late.close()["code"] == 0
            assert len(own_files(log)) == 4
            (said,) = late.said()
            assert "going on in" in said, said
            holder.send_signal(signal.SIGCONT)
            assert holder.wait(10) == 0
        for speaker in speakers:
            speaker.log(100)
            assert speaker.close()["code"] == 0
            assert len(speaker.said()) == 2
        # Nothing is in the way any more.
        (next_one,) = crowd(
            stack, speaker_program, folder / "next", 1, 1, output_dir=str(folder / "out"), logger="next"
        )
        next_one.log(10)
        assert next_one.close()["code"] == 0
        shared = read([log])
        check(next_one, [record for record in shared if record["logger"] == "next"])
        for number, (speaker, own) in enumerate(zip(speakers, theirs, strict=True)):
            check(speaker, of(number, shared) + read([own]))
            assert len(numbers(of(number, shared))[0]) == 100, "what was written before is in the file of all"
        left = {path.name for path in log.parent.glob(".*")}
        assert not {name for name in left if not name.endswith(".lock")}, left


def test_a_writer_is_stopped_in_the_middle(speaker_program: Path, folder: Path) -> None:
    """At a moment in which it holds the lock: likely in the middle of an append."""
    rng = random.Random(os.environ.get("TEST_SEED", "stops"))
    log = log_path(folder / "out")
    lock = log.parent / ".generator-node-1.lock"
    with ExitStack() as stack:
        victim, *others = speakers = crowd(stack, speaker_program, folder, 3, 2)
        for speaker in speakers:
            speaker.log(10)
        pid, stops = victim.process.pid, 0

        def stop_it_while_it_holds_the_lock() -> bool:
            nonlocal stops
            while not victim.has_answer():
                time.sleep(rng.uniform(0, 0.002))
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda: state_of(pid) == "T", 10, "it has stopped")
                stops += 1
                if holds(pid, lock):
                    return True
                os.kill(pid, signal.SIGCONT)
            return False

        for _ in range(20):
            # Over in a second or so: its writer always has work.
            victim.send("log 10000 1000 5")
            if stop_it_while_it_holds_the_lock():
                break
            victim.answer()
        assert holds(pid, lock), f"it never held the lock in {stops} stops"
        print(f"it held the lock when it was stopped for time {stops}")
        for speaker in others:
            speaker.log(200)
        for speaker in others:
            assert speaker.flush(20000)["code"] == 0
        theirs = [went_apart(speaker, log) for speaker in others]
        os.kill(pid, signal.SIGCONT)
        assert victim.answer(60)["dropped"] == 0
        for speaker in speakers:
            speaker.log(10)
            assert speaker.close()["code"] == 0
        shared = read([log])
        check(victim, of(0, shared))
        assert victim.said() == []
        for number, (speaker, own) in enumerate(zip(others, theirs, strict=True), 1):
            check(speaker, of(number, shared) + read([own]))
        assert not gaps(shared)


# --- very many threads ---


def many_threads(program: Path, config: dict[str, Any] | None, *arguments: str | int) -> dict[str, Any]:
    """What the program has seen. It logs with the configuration, or does not log."""
    settings = {**IDENTITY, "full_timeout_ms": 60000, "ring_dir": "shm"}
    command = [str(program), "-" if config is None else json.dumps({**settings, **config})]
    command += map(str, arguments)
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def threads_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cc.build(TESTS / "crowds" / "many_threads.c", tmp_path_factory.mktemp("threads") / "many_threads")


def resident_mib(seen: dict[str, int]) -> float:
    """Anonymous and shared memory."""
    return (seen["anonymous_kib"] + seen["shared_kib"]) / 1024


def all_there(folder: Path, threads: int, records: int) -> None:
    """Each thread's records, once, in its order; those of the late threads, too."""
    found = numbers(read([log_path(folder)]))
    assert set(found) == set(range(threads + 16))
    wrong = {thread: seen[:20] for thread, seen in found.items() if seen != list(range(records))}
    assert not wrong, wrong


def test_four_thousand_threads_together(threads_program: Path, folder: Path) -> None:
    """32 MiB of rings and a little, however many threads there are, with all rings in use from end to end."""
    threads, records = 4000, 25
    arguments = ("together", threads, records, 3000)
    without = many_threads(threads_program, None, *arguments)
    config = {"output_dir": str(folder), "ring_bytes": 65536}
    seen = many_threads(threads_program, config, *arguments)
    assert seen["refused"] == 0
    assert seen["offered"] == seen["written"] == (threads + 16) * records
    all_there(folder, threads, records)
    # 512 rings, one of them shared.
    assert seen["shared"] == (threads - 511) * records, "who has no ring of his own shares one, and that is counted"
    assert seen["shared_later"] == 0, "threads that end give their rings back"
    more = resident_mib(seen["all"]) - resident_mib(without["all"])
    print(f"{threads} threads take {more:.1f} MiB more with the library; {seen}; without: {without}")
    # Shared memory is the rings and what describes them.
    assert 31 * 1024 < seen["all"]["shared_kib"] < 33 * 1024
    assert more < 32 + 16


def test_four_thousand_threads_in_turn(threads_program: Path, folder: Path) -> None:
    threads, records = 4000, 10
    seen = many_threads(threads_program, {"output_dir": str(folder)}, "in_turn", threads, records, 0)
    assert seen["refused"] == 0
    assert seen["offered"] == seen["written"] == (threads + 16) * records
    all_there(folder, threads, records)
    assert (seen["shared"], seen["shared_later"]) == (0, 0), "one ring is enough for all of them"
    growth = resident_mib(seen["all"]) - resident_mib(seen["early"])
    print(f"from thread 100 to {threads}: {growth:.1f} MiB; {seen}")
    # The one ring becomes resident while it is used for the first time.
    assert growth < 4
    assert seen["all"]["shared_kib"] < 2 * 1024
