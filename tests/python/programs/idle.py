"""Logs, is idle for 50 ms, and dies by SIGKILL.

idle.py CONFIG RECORDS
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import lb_log

logger = lb_log.Logger(**json.loads(sys.argv[1]))
for number in range(int(sys.argv[2])):
    logger.info("idle", number=number)
time.sleep(0.05)
os.kill(os.getpid(), signal.SIGKILL)
