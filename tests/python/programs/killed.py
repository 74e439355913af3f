"""Two threads that log until they are killed, one by `lb_log.Logger`, one by the standard library.

    killed.py CONFIG SESSION PAGE BURST PAUSE_US [HOW]

The same as crash/crash.c: behind each call its number is published in PAGE, which outlives this process. With SESSION
0 the log is opened and closed. HOW is who logs: `here` (the default), or a child of multiprocessing: `fork`, `spawn`,
`forkserver`. What is killed is who logs: its pid is PAGE's last word.
"""

from __future__ import annotations

import json
import logging
import mmap
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lb_log

#: As `support.campaign` has them: eight words for each of four threads.
PAGE_WORDS = 4 * 8
ALPHABET = "abcdefghijklmnopqrstuvwxyz" * (4096 // 26 + 3)


def fill(number: int) -> str:
    """As `support.campaign.expected_fill`."""
    length = number * 131 % 4096 if number % 50 == 0 else number * 7 % 90
    return ALPHABET[number % 26 :][:length]


def page_of(path: str) -> memoryview:
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), PAGE_WORDS * 8)).cast("Q")


def through_logger(config: dict[str, Any]) -> Callable[[str, int], None]:
    logger = lb_log.Logger(**config)

    def log(message: str, number: int) -> None:
        logger.info(message, number=number)

    return log


def through_handler(config: dict[str, Any]) -> Callable[[str, int], None]:
    logger = logging.getLogger("killed")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(lb_log.Handler(**config))

    def log(message: str, number: int) -> None:
        logger.info("%s", message, extra={"number": number})

    return log


def work(config: dict[str, Any], session: int, path: str, burst: int, pause_s: float) -> None:
    page = page_of(path)
    ways = [through_logger(config), through_handler(config)]

    def logging_thread(thread: int) -> None:
        log, number = ways[thread], 0
        while True:
            for _ in range(burst):
                number += 1
                log(f"{session} {thread} {number} {fill(number)}", number)
                page[thread * 8] = number
            if pause_s:
                time.sleep(pause_s)

    page[PAGE_WORDS - 1] = os.getpid()
    threads = [threading.Thread(target=logging_thread, args=(thread,)) for thread in range(len(ways))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    config = json.loads(sys.argv[1])
    session, path = int(sys.argv[2]), sys.argv[3]
    if session == 0:
        lb_log.Logger(**config).close()
        return
    if not Path(path).exists():
        Path(path).write_bytes(bytes(PAGE_WORDS * 8))
    job = (config, session, path, int(sys.argv[4]), int(sys.argv[5]) / 1e6)
    how = sys.argv[6] if len(sys.argv) > 6 else "here"
    if how == "here":
        work(*job)
    context: Any = multiprocessing.get_context(how)
    child = context.Process(target=work, args=job)
    child.start()
    child.join()


if __name__ == "__main__":
    main()
