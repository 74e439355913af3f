"""Programs that ship their log to Loki and end in several ways: python shipper.py MODE CONFIG [MORE…]."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from support.clib import Logger

PATIENCE_MS = 60_000


def tell(what: object) -> None:
    """To the test, a line of JSON."""
    print(json.dumps(what), flush=True)


def wait() -> None:
    """Until the test says a line."""
    sys.stdin.readline()


def say(logger: Logger, who: str, count: int) -> None:
    for number in range(count):
        logger.log(f"{who} {number}".encode())


def finish(config: bytes) -> None:
    """Ships what is left, and tells how it came out."""
    logger = Logger(config)
    logger.close(PATIENCE_MS)
    tell(logger.stats())


def fork(config: bytes) -> None:
    """Logs, forks, and both log on and close; the child when the test says so."""
    logger = Logger(config)
    say(logger, "parent", 200)
    child = os.fork()
    if child == 0:
        say(logger, "child", 200)
        logger.flush()
        tell({"child": os.getpid(), **logger.stats()})
        wait()
        say(logger, "child behind", 200)
        logger.close(PATIENCE_MS)
        tell(logger.stats())
        os._exit(0)
    say(logger, "parent behind", 200)
    os.waitpid(child, 0)
    logger.close(PATIENCE_MS)
    tell(logger.stats())


def replaced(config: bytes) -> None:
    """Logs, and becomes another program in the middle of it, without a close."""
    logger = Logger(config)
    say(logger, "before", 500)
    logger.flush()
    wait()
    say(logger, "just before", 100)
    os.execv(sys.executable, [sys.executable, __file__, "finish", config.decode()])


def daemon(config: bytes, when: str, until: str) -> None:
    """A program that logs until a file is there. It has no standard streams from before it opens its log, and prints
    all the same; or it closes its output later: what the shipper opens is the next to be opened.
    """

    def close(*descriptors: int) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def print_all() -> None:
        for descriptor in range(3):
            with suppress(OSError):
                os.write(descriptor, b"printed by the program\n")

    if when == "before":
        close(0, 1, 2)
    logger = Logger(config)
    if when == "after":
        close(1, 2)
    while not Path(until).exists():
        say(logger, "round", 20)
        logger.flush()
        if when == "before":
            print_all()
        time.sleep(0.05)
    logger.close(PATIENCE_MS)


MODES: dict[str, Callable[..., None]] = {"finish": finish, "fork": fork, "replaced": replaced, "daemon": daemon}

if __name__ == "__main__":
    mode, given, *rest = sys.argv[1:]
    MODES[mode](given.encode(), *rest)
