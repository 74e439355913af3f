"""What `benches/dropin.py` times, in a process of its own: dropin.py MODULE WHAT FOLDER COUNT PORT."""

from __future__ import annotations

import importlib
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

IDENTITY: dict[str, Any] = {"component": "runner", "host": "node-1", "run_id": "run-1"}
FIELDS: dict[str, Any] = {"workload": "stress", "package": "lb_runner", "repetition": 3}
EXTRA = {"lb_phase": "setup", "lb_tags": {"rate": 120, "function": "figlet"}}
MESSAGE = "configuration 17 of 120, iteration 2 of 3: the target answers, and the cooldown is over"


class Floor(logging.Handler):
    """The least that a handler can do."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def time_of(call: Callable[[], None], count: int) -> float:
    """Nanoseconds of one of many calls."""
    for _ in range(count // 10):
        call()
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) / count


def calls(module: str, folder: str, count: int) -> list[float]:
    logger = logging.getLogger("lb_runner.engine")
    logger.setLevel(logging.INFO)
    if module == "floor":
        handler: logging.Handler = Floor()
        logger.addHandler(handler)
    else:
        attach = importlib.import_module(module).attach_jsonl_handler
        handler = attach(logger, output_dir=folder, **IDENTITY, **FIELDS)
    times = [
        time_of(lambda: logger.info(MESSAGE), count),
        time_of(lambda: logger.info("configuration %d of %s", 17, MESSAGE), count),
        time_of(lambda: logger.info(MESSAGE, extra=EXTRA), count),
    ]
    handler.close()
    return times


def changes(module: str, folder: str, count: int, port: int, shipping: bool) -> list[float]:
    ours, root, times = importlib.import_module(module), logging.getLogger(), []
    root.setLevel(logging.INFO)
    handlers: list[logging.Handler] = []
    for _ in range(count):
        start = time.perf_counter()
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        handlers = [ours.attach_jsonl_handler(root, output_dir=folder, **IDENTITY, **FIELDS)]
        if shipping:
            url = f"http://127.0.0.1:{port}"
            handlers.append(ours.attach_loki_handler(root, enabled=True, endpoint=url, **IDENTITY, **FIELDS))
        times.append((time.perf_counter() - start) * 1000)
        for _ in range(20):
            root.info(MESSAGE)
    # The first one has nothing to close, and opens the log.
    times = sorted(times[1:])
    return [statistics.median(times), times[len(times) * 95 // 100], times[-1]]


def main(module: str, what: str, folder: str, count: str, port: str) -> None:
    if what == "calls":
        found = calls(module, folder, int(count))
    else:
        found = changes(module, folder, int(count), int(port), what == "changes-dead")
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
