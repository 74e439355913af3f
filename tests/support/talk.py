"""A program that logs through the C library in this process, and what it says on stderr meanwhile."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.clib import LEVELS, Logger
from support.loki import Loki
from support.process import wait_until


def talk(logger: Logger, count: int, *, timestamps: Iterator[int] | None = None, what: str = "record") -> None:
    """Log so many records, of all levels in turn; with times of their own, if they are given."""
    levels = itertools.cycle(LEVELS.values())
    for number, level in zip(range(count), levels, strict=False):
        logger.log(f"{what} {number}".encode(), level, timestamp_ns=next(timestamps) if timestamps else 0)
    logger.flush()


@contextmanager
def talking(logger: Logger, *, pause: float = 0.001) -> Iterator[None]:
    """A thread that logs all the time."""
    over = threading.Event()

    def run() -> None:
        for number in itertools.count():
            logger.log(f"number {number}".encode(), 1 + number % 6)
            if over.wait(pause):
                break

    thread = threading.Thread(target=run, name="talking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_delivered(logger: Logger) -> Callable[[], bool]:
    """Whether everything that this process has written is dealt with; nobody else writes to the log."""

    def look() -> bool:
        logger.flush()
        stats = logger.stats()
        return stats["loki_lines"] >= stats["written"] and stats["loki_pending"] == 0

    return look


def wait_until_delivered(logger: Logger, seconds: float = 30) -> None:
    wait_until(is_delivered(logger), seconds, f"everything is in Loki, {logger.stats()}")


def wait_until_the_rest_waits(logger: Logger, most: int, seconds: float = 20) -> None:
    """Wait until nothing is left but lines that Loki does not take yet: `most` of them, or less where the machine is so
    slow that it has taken some meanwhile.
    """
    logger.flush()

    def look() -> bool:
        stats = logger.stats()
        is_read = stats["loki_lines"] >= stats["written"]
        return is_read and 0 < stats["loki_pending"] == stats["loki_parked"] <= most

    wait_until(look, seconds, "some lines are parked, and Loki has the rest")


def wait_until_grown(path: Path, size: int, seconds: float = 20) -> None:
    """Wait until a file has so many bytes more than now; it may be about to appear."""
    before = path.stat().st_size if path.exists() else 0
    wait_until(lambda: path.exists() and path.stat().st_size > before + size, seconds, f"{path.name} grows")


def judge_said(said: str, log: Path, loki: Loki, *parts: str) -> None:
    """What was said is one line for each of these parts, in this order, and each names the log and the URL."""
    lines = said.splitlines()
    assert len(lines) == len(parts), said
    for line, part in zip(lines, parts, strict=True):
        assert line.startswith(f"lb-log: {log}: {loki.url}/loki/api/v1/push: "), line
        assert part in line, f"{part!r} is not in {line!r}"
