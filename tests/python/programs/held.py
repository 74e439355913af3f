"""Logs while the log's lock is held by somebody else, so that everything stays in the rings, and dies by SIGKILL.

held.py CONFIG RECORDS
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from pathlib import Path

import lb_log

logger = lb_log.Logger(**json.loads(sys.argv[1]))
log = Path(logger.path)
with (log.parent / f".{log.stem}.lock").open("rb") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    for number in range(int(sys.argv[2])):
        logger.info("held", number=number)
    os.kill(os.getpid(), signal.SIGKILL)
