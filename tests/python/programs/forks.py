"""Forks again and again while threads of the parent log; each child logs, too.

    forks.py CONFIG FORKS RECORDS

Records of the parent's threads and of each child are numbered. Prints as JSON what was logged: the parent's counts,
how each child ended, and what CPython warned of (as an error it would get lost in os.fork).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings

import lb_log

config, forks, records = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
logger = lb_log.Logger(**config)
standard = logging.getLogger("forks")
standard.setLevel(logging.DEBUG)
standard.propagate = False
standard.addHandler(lb_log.Handler(**config))
over = threading.Event()
counts = [0, 0]


def steady(thread: int) -> None:
    """Logs until all forks are over."""
    while not over.is_set():
        if thread:
            standard.info("parent", extra={"who": "thread 1", "number": counts[thread]})
        else:
            logger.info("parent", who="thread 0", number=counts[thread])
        counts[thread] += 1
        over.wait(0.0002)


def child(name: str) -> None:
    """Half through each, and out without any farewell."""
    bound = logger.bind(workload=name)
    for number in range(records):
        if number % 2:
            standard.info("child", extra={"who": name, "number": number})
        else:
            bound.info("child", who=name, number=number)


def fork_and_wait() -> None:
    for fork in range(forks):
        if not with_threads:
            logger.info("parent", who="main", number=fork)
        pid = os.fork()
        if pid == 0:
            try:
                child(f"child {fork}")
            finally:
                os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


with_threads = len(sys.argv) > 4 and sys.argv[4] == "threads"
threads = [threading.Thread(target=steady, args=(thread,)) for thread in (0, 1) if with_threads]
for thread in threads:
    thread.start()
ends: list[int] = []
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    fork_and_wait()
over.set()
for thread in threads:
    thread.join()
said = [str(warning.message) for warning in warned]
print(json.dumps({"counts": counts, "ends": ends, "warned": said}))
