"""A C program that logs on command (trouble/speaker.c), and what must be in its log."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.process import clean_environment
from support.records import Record, parse_bytes_fast
from support.sidefiles import lock_path

# As in trouble/speaker.c.
NUMBERS = 1 << 18
SHM, LOG, MEMORY = 1, 2, 3
IDENTITY = {"run_id": "trouble", "component": "generator", "host": "node-1"}


def log_path(output: Path) -> Path:
    """The log of a speaker whose output folder this is."""
    return output / IDENTITY["run_id"] / "logs" / "generator-node-1.jsonl"


class Speaker:
    """The program, running. Commands are those of trouble/speaker.c."""

    def __init__(
        self,
        program: Path,
        own: Path,
        settings: Mapping[str, Any],
        *,
        threads: int = 1,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`own` is a folder for the program's page and what it says; `prefix` a command that starts it;
        `environment` is added to its own.
        """
        own.mkdir(parents=True, exist_ok=True)
        self.threads, self.page, self._said = threads, own / "page", own / "stderr"
        command = [*prefix, str(program), json.dumps({**IDENTITY, **settings}), str(threads), str(self.page)]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                command,
                env=clean_environment(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=0,
            )
        self._rest = b""

    def send(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")

    def answer(self, seconds: float = 30) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([descriptor], [], [], seconds)
            assert ready, f"no answer within {seconds} s; it said {self.said()}"
            more = os.read(descriptor, 65536)
            assert more, f"it ended ({self.process.wait(10)}) and said {self.said()}"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        result: dict[str, Any] = json.loads(line)
        return result

    def has_answer(self) -> bool:
        """Whether the next answer has begun."""
        assert self.process.stdout is not None
        return bool(self._rest or select.select([self.process.stdout], [], [], 0)[0])

    def ask(self, command: str, seconds: float = 30) -> dict[str, Any]:
        self.send(command)
        return self.answer(seconds)

    def log(self, count: int, *, fill: int = 60, pause_us: int = 0, seconds: float = 60) -> dict[str, Any]:
        """Each thread logs so many records."""
        result = self.ask(f"log {count} {fill} {pause_us}", seconds)
        assert result["accepted"] + result["dropped"] == count * self.threads, result
        return result

    def flush(self, ms: int = 10000) -> dict[str, Any]:
        return self.ask(f"flush {ms}", ms / 1000 + 20)

    def close(self, ms: int = 10000) -> dict[str, Any]:
        return self.ask(f"close {ms}", ms / 1000 + 20)

    def stats(self) -> dict[str, Any]:
        return self.ask("stats")

    def said(self) -> list[str]:
        """The lines on its stderr until now."""
        return self._said.read_text(encoding="utf-8").splitlines()

    def end(self, seconds: float = 30) -> int:
        """The end of its input, and its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(seconds)

    def leave_in_rings(self, log: Path, count: int) -> None:
        """Each thread logs so many records, and the program is killed before any of them is in the log."""
        with lock_path(log).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.log(count)
            self.process.kill()
            self.process.wait(30)

    def accepted(self) -> dict[int, list[int]]:
        """The numbers that each thread has got accepted."""
        content = self.page.read_bytes()
        flags = (content[thread * NUMBERS : (thread + 1) * NUMBERS] for thread in range(self.threads))
        return {thread: [number for number, flag in enumerate(each) if flag] for thread, each in enumerate(flags)}


@contextmanager
def speaking(program: Path, own: Path, settings: Mapping[str, Any], **options: Any) -> Iterator[Speaker]:
    """A speaker that has opened its log and does not outlive the test."""
    speaker = Speaker(program, own, settings, **options)
    try:
        speaker.answer()
        yield speaker
    finally:
        for stream in (speaker.process.stdin, speaker.process.stdout):
            if stream is not None:
                stream.close()
        speaker.process.kill()
        speaker.process.wait(30)


def read(paths: Iterable[Path]) -> list[Record]:
    """All records of the files, in their order; a damaged line is an error."""
    contents = [path.read_bytes() for path in paths]
    return [record for content in contents if content for record in parse_bytes_fast(content)]


def gaps(records: Iterable[Record]) -> list[Record]:
    """The records that tell of a loss."""
    return [record for record in records if record["event_type"] == "log_gap"]


def numbers(records: Iterable[Record]) -> dict[int, list[int]]:
    """The numbers of each thread of a speaker, in the order of the records."""
    found: dict[int, list[int]] = defaultdict(list)
    for record in records:
        if record["event_type"] == "log":
            thread, number, _ = record["message"].split(" ", 2)
            found[int(thread)].append(int(number))
    return found


def check(speaker: Speaker, records: Sequence[Record]) -> None:
    """What was accepted is there, once, in each thread's order, and nothing else."""
    found = numbers(records)
    for thread, accepted in speaker.accepted().items():
        there = found.pop(thread, [])
        if there != accepted:
            missing = sorted(set(accepted) - set(there))
            extra = sorted(set(there) - set(accepted))
            doubled = (
                sorted({number for number in there if there.count(number) > 1})[:20] if len(there) < 20000 else "?"
            )
            raise AssertionError(
                f"thread {thread}: {len(accepted)} were accepted, {len(there)} are there; missing {missing[:20]}, "
                f"never accepted {extra[:20]}, doubled {doubled}"
            )
    assert not found, f"records of threads that there are not: {list(found)}"
