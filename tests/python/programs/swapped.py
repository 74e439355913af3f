"""A runner that logs until it is killed, and makes its handlers anew all the time: swapped.py FOLDER URL SESSION.

Behind each call it writes session and number of the record, one a line.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from typing import Any

from lb_log import attach_jsonl_handler, attach_loki_handler

IDENTITY: dict[str, Any] = {"component": "runner", "host": "node-1", "run_id": "run-1"}


def main(folder: str, url: str, session: str) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    handlers: list[logging.Handler] = []
    for number in itertools.count():
        if number % 50 == 0:
            for handler in handlers:
                root.removeHandler(handler)
                handler.close()
            loki = attach_loki_handler(root, enabled=True, endpoint=url, **IDENTITY)
            assert loki is not None
            handlers = [attach_jsonl_handler(root, output_dir=folder, **IDENTITY), loki]
        root.info("record %s-%d", session, number)
        os.write(1, f"{session}-{number}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
