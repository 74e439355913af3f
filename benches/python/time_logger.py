"""One logger, timed: WHO KIND BURSTS FOLDER → nanoseconds a call, as JSON. All of its lines are in a file at the end.

A burst is shorter than a slice of the scheduler's and fits a ring, and the file has it before the next: what is timed
is the call, and not the disk. The median of the bursts, so that what else the machine does does not count.

Run by `benches/python_calls.py`, each time in a process of its own.
"""

from __future__ import annotations

import gc
import json
import logging
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

# About 100 bytes, as in the other benchmarks.
MESSAGE = "the generator has finished a step of its warm-up and goes on with the next one of the configured plan"
TEMPLATE = "the generator has finished step %d of its warm-up and goes on with the next one of the configured %s"

#: Calls in a burst, and bursts before the first one that counts.
BURST, WARM = 200, 10

Call = Callable[[], object]
#: A call, what waits until the file has its lines, and the end, which says what file that is.
Timed = tuple[Call, Call, Callable[[], Path | None]]


def nothing() -> None:
    """A call that does nothing, for the loop's own cost."""


def rest() -> None:
    """Between two bursts of those that wait for nothing: a scheduler is kinder to who waits."""
    time.sleep(0.002)


def identity(folder: Path) -> dict[str, Any]:
    return {"component": "bench", "host": "h", "run_id": "r", "output_dir": folder}


def ours(kind: str, folder: Path) -> Timed:
    """Calls of lb_log.Logger."""
    import lb_log

    log = lb_log.Logger(**identity(folder))
    bound = log.bind(workload="w", user="u", attempt=3, ratio=0.5)
    calls: dict[str, Call] = {
        "plain": lambda: log.info(MESSAGE),
        "bound": lambda: bound.info(MESSAGE),
        "tags": lambda: log.info(MESSAGE, user="u", attempt=3, ratio=0.5, ok=True),
    }

    def end() -> Path:
        log.close(60)
        return Path(log.path)

    return calls[kind], log.flush, end


class OnlyMessage(logging.Handler):
    """The least that a handler can do."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def standard(kind: str, handler: logging.Handler) -> Call:
    """Calls through `logging` with one handler."""
    log = logging.getLogger("bench.engine")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(handler)
    if kind == "tags":
        extra = {"user": "u", "attempt": 3, "ratio": 0.5, "ok": True}
        return lambda: log.info(MESSAGE, extra=extra)
    if kind == "arguments":
        return lambda: log.info(TEMPLATE, 17, "plan")
    return lambda: log.info(MESSAGE)


def handled(kind: str, folder: Path) -> Timed:
    """Through lb_log.Handler."""
    import lb_log

    handler = lb_log.Handler(**identity(folder))

    def end() -> Path:
        handler.flush()
        return Path(handler.path)

    return standard(kind, handler), handler.flush, end


def only_message(kind: str, _folder: Path) -> Timed:
    """Through a handler that writes nothing."""
    return standard(kind, OnlyMessage()), rest, lambda: None


def python_json_logger(kind: str, folder: Path) -> Timed:
    json_formatter: Any = import_module("pythonjsonlogger.json").JsonFormatter

    path = folder / "peer.jsonl"
    handler = logging.FileHandler(path)
    handler.setFormatter(json_formatter("{asctime}{levelname}{name}{message}", style="{"))
    return standard(kind, handler), rest, lambda: path


def structlog_orjson(kind: str, folder: Path) -> Timed:
    orjson: Any = import_module("orjson")
    structlog: Any = import_module("structlog")

    path = folder / "peer.jsonl"
    sink = path.open("wb")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sink),
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger().bind(component="bench", host="h", run_id="r")
    bound = log.bind(user="u", attempt=3, ratio=0.5)

    def end() -> Path:
        sink.close()
        return path

    calls: dict[str, Call] = {
        "plain": lambda: log.info(MESSAGE),
        "bound": lambda: bound.info(MESSAGE),
        "tags": lambda: log.info(MESSAGE, user="u", attempt=3, ratio=0.5, ok=True),
    }
    return calls[kind], rest, end


def loguru(kind: str, folder: Path) -> Timed:
    logger: Any = import_module("loguru").logger

    path = folder / "peer.jsonl"
    logger.remove()
    logger.add(path, serialize=True)
    bound = logger.bind(user="u", attempt=3, ratio=0.5)
    calls: dict[str, Call] = {
        "plain": lambda: logger.info(MESSAGE),
        "bound": lambda: bound.info(MESSAGE),
        "tags": lambda: logger.bind(user="u", attempt=3, ratio=0.5, ok=True).info(MESSAGE),
    }

    def end() -> Path:
        logger.remove()
        return path

    return calls[kind], rest, end


def picologging_json(kind: str, folder: Path) -> Timed:
    """It has no JSON formatter: its fastest formatter writes plain text."""
    picologging: Any = import_module("picologging")

    path = folder / "peer.log"
    handler = picologging.FileHandler(str(path))
    handler.setFormatter(picologging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    log = picologging.getLogger("bench.engine")
    log.setLevel(picologging.DEBUG)
    log.addHandler(handler)
    calls: dict[str, Call] = {
        "plain": lambda: log.info(MESSAGE),
        "arguments": lambda: log.info(TEMPLATE, 17, "plan"),
    }

    def end() -> Path:
        handler.close()
        return path

    return calls[kind], rest, end


WHO: dict[str, Callable[[str, Path], Timed]] = {
    "nothing": lambda _kind, _folder: (nothing, rest, lambda: None),
    "lb_log": ours,
    "handler": handled,
    "only_message": only_message,
    "python-json-logger": python_json_logger,
    "structlog": structlog_orjson,
    "loguru": loguru,
    "picologging": picologging_json,
}


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    who, kind, bursts, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    call, drain, end = WHO[who](kind, folder)
    gc.collect()
    gc.disable()
    took = []
    before = 0
    for burst in range(bursts + WARM):
        if burst == WARM:
            before = memory()
        began = time.perf_counter_ns()
        for _ in range(BURST):
            call()
        took.append((time.perf_counter_ns() - began) / BURST)
        drain()
    grown = memory() - before
    path = end()
    lines = 0
    if path is not None:
        with path.open("rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        path.unlink()
        if lines != len(took) * BURST:
            raise AssertionError(f"{who}: {lines} lines of {len(took) * BURST} calls")
    print(json.dumps({"ns": statistics.median(took[WARM:]), "lines": lines, "grown": grown}))


main()
