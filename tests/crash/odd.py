"""Processes that end in odd ways: python odd.py MODE CONFIG PAGE [MORE…]. What was accepted is counted in PAGE.

A record's message is "SESSION THREAD NUMBER FILL", as the program crash.c has it; the session is always 1.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support.campaign import THREADS, expected_fill
from support.clib import UNSIGNED, Logger


class Voice:
    """One thread's numbers, counted in the page once they were accepted."""

    def __init__(self, logger: Logger, page: Path, thread: int, session: int = 1) -> None:
        descriptor = os.open(page, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, THREADS * 64)
        self.page = mmap.mmap(descriptor, THREADS * 64)
        os.close(descriptor)
        self.logger, self.thread, self.session = logger, thread, session
        (self.number,) = struct.unpack_from("<Q", self.page, thread * 64)

    def say(self, count: int = 1) -> None:
        """Log the next records."""
        for _ in range(count):
            number = self.number + 1
            message = f"{self.session} {self.thread} {number} {expected_fill(number)}"
            self.logger.log(message.encode(), tags=[(b"number", UNSIGNED, number)])
            struct.pack_into("<Q", self.page, self.thread * 64, number)
            self.number = number

    def go_on(self) -> None:
        """Log until killed."""
        while True:
            self.say()
            time.sleep(0.001)


def tell(what: str) -> None:
    """To the test, by a line."""
    print(what, flush=True)


def fork(config: bytes, page: Path) -> None:
    """A parent and its child, who both log."""
    logger = Logger(config)
    Voice(logger, page, 0).say(50)
    child = os.fork()
    if child == 0:
        Voice(logger, page, 1).go_on()
    tell(str(child))
    Voice(logger, page, 0).go_on()


def pool(config: bytes, page: Path) -> None:
    """A parent and three workers of a pool that was forked; the workers' work never ends."""
    logger = Logger(config)
    Voice(logger, page, 0).say(50)

    def work(thread: int) -> None:
        Voice(logger, page, thread).go_on()

    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(thread,), daemon=True) for thread in range(1, THREADS)]
    for worker in workers:
        worker.start()
    tell(" ".join(str(worker.pid) for worker in workers))
    Voice(logger, page, 0).go_on()


def exec_again(config: bytes, page: Path, *left: str) -> None:
    """Logs, and becomes another program of the same pid, which logs on, with what the first had in its rings."""
    logger = Logger(config)
    voice = Voice(logger, page, len(left))
    voice.say(50)
    tell("ready")
    if left:
        voice.go_on()
    sys.stdin.readline()
    voice.say(300)
    os.execv(sys.executable, [sys.executable, __file__, "exec", config.decode(), str(page), "again"])


def several(config: bytes, page: Path, *others: str) -> None:
    """Several cores in one process: each a CONFIG or the same again, of the library or of a copy of it."""

    def opened(other: str) -> Logger:
        return Logger(config, Path(other)) if other.startswith("/") else Logger(other.encode() or config)

    loggers = [Logger(config), *(opened(other) for other in others)]
    for thread, logger in enumerate(loggers):
        # A log of its own has a page of its own.
        own = logger.config()["path"] != loggers[0].config()["path"]
        where = page.with_name(page.name + "-other") if own else page
        threading.Thread(target=Voice(logger, where, 0 if own else thread).go_on).start()
    tell("ready")


MODES: dict[str, Callable[..., None]] = {"fork": fork, "pool": pool, "exec": exec_again, "several": several}

if __name__ == "__main__":
    mode, given, counted, *rest = sys.argv[1:]
    MODES[mode](given.encode(), Path(counted), *rest)
