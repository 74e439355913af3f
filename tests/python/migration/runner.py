"""A runner of today's kind, which logs in every way that such programs do. What it logs is in its file afterwards.

Usage: runner.py FOLDER
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import multiprocessing
import queue
import sys
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from today import JsonlLogFormatter, attach_jsonl_handler, attach_loki_handler  # type: ignore[import-not-found]

IDENTITY: dict[str, Any] = {"component": "runner", "host": "node-1", "run_id": "run-20261129-101112"}
log = logging.getLogger("lb_runner.engine")


def attach(folder: Path, repetition: int, phase: str | None) -> list[logging.Handler | None]:
    """Both handlers on the root logger, with a filter against the plugins' own records."""
    root = logging.getLogger()
    jsonl = attach_jsonl_handler(
        root,
        output_dir=folder,
        **IDENTITY,
        workload="stress",
        package="lb_runner",
        repetition=repetition,
        tags={"phase": phase} if phase else None,
    )
    loki = attach_loki_handler(root, enabled=False, endpoint="http://127.0.0.1:3100", **IDENTITY)
    if loki is not None:
        loki.setFormatter(JsonlLogFormatter(**IDENTITY, workload="stress", repetition=repetition))
    jsonl.addFilter(lambda record: not record.name.startswith("lb_plugins"))
    return [jsonl, loki]


def detach(handlers: list[logging.Handler | None]) -> None:
    for handler in handlers:
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            handler.close()


def plain() -> None:
    log.debug("a debug record")
    log.info("an info record of %d and %s", 7, "words")
    log.warning("percent %(a)s and %(b)r", {"a": "by", "b": "name"})
    log.error('umlauts äöü, 漢字, \U0001f600, a tab\t, a newline\n, quotes " and \\')
    log.critical("the end is near")
    logging.getLogger("lb_plugins.stress").warning("the filter takes this away")
    log.info("with a plugin", extra={"lb_plugin": "dfaas", "lb_workload": "other", "lb_repetition": 9})
    log.info("with a phase", extra={"lb_phase": "teardown", "lb_event_type": "phase", "lb_scenario": "s1"})
    log.info("with tags", extra={"lb_tags": {"n": 1, "x": 2.5, "ok": True, "none": None, "text": "t"}})
    try:
        raise OSError("the disk is on fire")
    except OSError:
        log.exception("something failed")


def threads() -> None:
    def work(number: int) -> None:
        for count in range(200):
            log.info("thread %d record %d", number, count)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


async def task(number: int) -> None:
    for count in range(50):
        log.info("task %d record %d", number, count)
        await asyncio.sleep(0)


async def tasks() -> None:
    await asyncio.gather(*(task(number) for number in range(4)))


def listener(handlers: list[logging.Handler | None]) -> None:
    """Records pass through a queue to a thread that hands them to the handlers."""
    root, records = logging.getLogger(), queue.Queue[logging.LogRecord]()
    present = [handler for handler in handlers if handler is not None]
    front = logging.handlers.QueueHandler(records)
    behind = logging.handlers.QueueListener(records, *present)
    for handler in present:
        root.removeHandler(handler)
    root.addHandler(front)
    behind.start()
    for count in range(100):
        log.info("queued record %d", count)
    behind.stop()
    root.removeHandler(front)
    for handler in present:
        root.addHandler(handler)


def in_pool(number: int) -> int:
    """In a worker process that was forked with the handlers of its parent."""
    log.info("pool record %d", number)
    return number


def in_child(number: int) -> None:
    for count in range(50):
        log.info("forked child %d record %d", number, count)


def in_spawned(folder: str, number: int) -> None:
    """In a process that starts from nothing, and has handlers of its own."""
    logging.getLogger().setLevel(logging.DEBUG)
    handlers = attach(Path(folder), 1, None)
    for count in range(50):
        log.info("spawned child %d record %d", number, count)
    detach(handlers)


def processes(folder: str) -> None:
    fork, spawn = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    with fork.Pool(2) as pool:
        assert pool.map(in_pool, range(60)) == list(range(60))
        pool.close()
        pool.join()
    children: list[BaseProcess] = [fork.Process(target=in_child, args=(number,)) for number in range(2)]
    children += [spawn.Process(target=in_spawned, args=(folder, number)) for number in range(2)]
    for child in children:
        child.start()
    log.info("the parent goes on")
    for child in children:
        child.join()
        assert child.exitcode == 0


def main(folder: str) -> None:
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    handlers = attach(Path(folder), 1, None)
    plain()
    threads()
    asyncio.run(tasks())
    listener(handlers)
    processes(folder)
    detach(handlers)
    for repetition in (1, 2, 3):
        for phase in ("install", "setup", None, "teardown", None):
            handlers = attach(Path(folder), repetition, phase)
            log.info("repetition %d, phase %s", repetition, phase)
            detach(handlers)
    attach(Path(folder), 3, None)
    log.info("the last record, and no close")


if __name__ == "__main__":
    main(sys.argv[1])
