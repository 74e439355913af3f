"""Logs, and ends in one of the ways that an interpreter can.

ends.py CONFIG HOW RECORDS
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import time

import lb_log

config, how, records = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
logger = lb_log.Logger(**config)


def log(target: lb_log.Logger = logger) -> None:
    for number in range(records):
        target.info(how, number=number)


class Late:
    """Logs when it is collected, which for a global is at the very end."""

    def __init__(self) -> None:
        self.log = log

    def __del__(self) -> None:
        self.log()


def endless() -> None:
    """A daemon thread that logs while the interpreter goes down."""
    while True:
        logger.info("endless")
        time.sleep(0.0001)


if how == "plain":
    log()
elif how == "_exit":
    log()
    os._exit(0)
elif how == "atexit":
    atexit.register(log)
elif how == "__del__":
    late = Late()
elif how == "daemon":
    for _ in range(3):
        threading.Thread(target=endless, daemon=True).start()
    log()
elif how == "handler":
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    root.addHandler(lb_log.Handler(**config))
    for number in range(records):
        root.info(how, extra={"number": number})
elif how == "shutdown":
    # The standard library closes handlers at exit; ours goes on taking records of later atexit handlers.
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    root.addHandler(lb_log.Handler(**config))
    logging.shutdown()
    for number in range(records):
        root.info(how, extra={"number": number})
elif how == "exception":
    log()
    raise RuntimeError("as a program ends that fails")
elif how == "closed":
    log()
    logger.close()
    logger.info("after its end")
else:
    raise SystemExit(f"{how}: there is no such way")
