"""Sessions of the program in crash/ on one log, what they had accepted when they died, and the judgement on it."""

from __future__ import annotations

import fcntl
import json
import signal
import struct
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import cc
from support.paths import LB, STATIC_LIBRARY, TESTS
from support.process import clean_environment
from support.records import Record, parse_bytes_fast
from support.sidefiles import lock_path

THREADS = 4
IDENTITY = {"run_id": "crash-1", "component": "generator", "host": "node-1"}
Accepted = dict[tuple[int, int], int]


def build_program(to: Path, library: Path = STATIC_LIBRARY) -> Path:
    """The program that is killed."""
    return cc.build(TESTS / "crash" / "crash.c", to, library=library)


class Campaign:
    """Sessions of the program on one log, and what they had accepted when they were killed."""

    def __init__(self, program: Path, folder: Path, *, lb: Path = LB, **settings: Any) -> None:
        self.program, self.lb, self.folder = program, lb, folder
        self.output = folder / "out"
        self.log = self.output / IDENTITY["run_id"] / "logs" / "generator-node-1.jsonl"
        self.config = json.dumps({**IDENTITY, "output_dir": str(self.output), **settings})
        self.sessions = 0
        self.accepted: Accepted = {}
        # What stands before the command of a session.
        self.prefix: Sequence[str] = ()
        # The gap records of the last check.
        self.gaps: list[Record] = []

    def page(self, session: int) -> Path:
        return self.folder / f"page-{session}"

    def start(
        self, burst: int, pause_us: int, *more: int, environment: Mapping[str, str] | None = None
    ) -> tuple[int, subprocess.Popen[bytes]]:
        """A new session, running."""
        self.sessions += 1
        command = [*self.prefix, str(self.program), self.config, str(self.sessions), str(self.page(self.sessions))]
        command += [str(number) for number in (burst, pause_us, *more)]
        process = subprocess.Popen(command, env=clean_environment(environment), stderr=subprocess.PIPE)
        return self.sessions, process

    def kill(self, session: int, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL, and what was accepted until then."""
        process.kill()
        self.died(session, process)

    def died(self, session: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
        """Wait for a session that is killed, and read what was accepted until then."""
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"nothing killed the program within {seconds} s") from None
        assert process.returncode == -signal.SIGKILL, f"it ended by itself, {process.returncode}: {said.decode()}"
        self.accept(session)

    def accept(self, session: int) -> None:
        """Read what was accepted of a session's threads until now."""
        page = self.page(session)
        content = page.read_bytes() if page.exists() else b""
        words = struct.unpack(f"<{len(content) // 8}Q", content)
        for thread in range(THREADS):
            self.accepted[session, thread] = words[thread * 8] if words else 0

    def in_file(self, session: int, thread: int) -> bool:
        """Whether the last accepted record of a thread is in the log, by its own text."""
        number = self.accepted[session, thread]
        text = f'"message":"{session} {thread} {number} '.encode()
        return number == 0 or any(text in path.read_bytes() for path in self.files())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The log's lock is held: what is logged stays in the rings."""
        with lock_path(self.log).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def killed_session(self, burst: int, pause_us: int, seconds: float) -> None:
        """One session that is killed after so many seconds."""
        session, process = self.start(burst, pause_us)
        time.sleep(seconds)
        self.kill(session, process)

    @property
    def drain_command(self) -> list[str]:
        """`lb drain`."""
        return [str(self.lb), "drain", str(self.output)]

    @property
    def open_command(self) -> list[str]:
        """An ordinary process that opens the log and closes it."""
        return [str(self.program), self.config, "0", "", "1", "0"]

    def drain(self) -> str:
        """What `lb drain` says."""
        done = run(self.drain_command)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def open_and_close(self) -> None:
        """The next open of an ordinary process."""
        done = run(self.open_command)
        assert done.returncode == 0, done.stderr

    def files(self) -> list[Path]:
        """The log's rotated segments, oldest first, then the log, then logs apart from it."""
        found = self.log.parent.glob(f"{self.log.stem}*.jsonl")
        return sorted(found, key=lambda path: ("~" in path.name, path == self.log, path.name))

    def check(self, *, lossy: bool = False, gaps: bool = False) -> int:
        """Every accepted record once, in its thread's order, nothing cut or glued. The number of lines.

        `lossy`: the last records of a thread may be missing. `gaps`: records may say so."""
        self.gaps = []
        numbers: dict[tuple[int, int], list[int]] = defaultdict(list)
        lines = 0
        for path in self.files():
            content = path.read_bytes()
            for record in parse_bytes_fast(content) if content else []:
                lines += 1
                # Refused for a full ring, and offered again: nothing is missing.
                if record["event_type"] == "log_gap" and ": a ring was full" in record["message"]:
                    continue
                if gaps and record["event_type"] == "log_gap":
                    self.gaps.append(record)
                    continue
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


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        command, env=clean_environment(environment), capture_output=True, text=True, timeout=60, check=False
    )


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
