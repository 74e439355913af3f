"""`lb_log.aio`: what may wait does not hold up the loop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
from pathlib import Path

import lb_log
import pytest
from lb_log import aio

from support.records import read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def test_flush_and_close_beside_the_loop(folder: Path) -> None:
    async def program() -> int:
        logger = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder)
        ticks = 0
        lock = Path(logger.path).with_name(".c-h.lock")

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        with lock.open("rb") as held:
            # The writer cannot have its file, so a flush has to wait.
            fcntl.flock(held, fcntl.LOCK_EX)
            logger.info("waits")
            flushing = asyncio.create_task(aio.aflush(logger))
            before = ticks
            while ticks < before + 20:
                await asyncio.sleep(0.001)
            assert not flushing.done()
        await flushing
        assert len(read_log(Path(logger.path))) == 1
        logger.info("last")
        await aio.aclose(logger)
        ticking.cancel()
        return ticks

    assert asyncio.run(program()) > 20
    assert len(read_log(folder / "r" / "logs" / "c-h.jsonl")) == 2


def test_errors_come_through(folder: Path) -> None:
    logger = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder)
    with (Path(logger.path).with_name(".c-h.lock")).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        logger.info("waits")
        with pytest.raises(TimeoutError):
            asyncio.run(aio.aflush(logger, 0.05))
    logger.close()
    with pytest.raises(ValueError, match="timeout"):
        asyncio.run(aio.aflush(logger, -1))


def test_handlers_and_collections(folder: Path) -> None:
    async def program() -> lb_log.Report:
        handler = lb_log.Handler(component="c", host="h", run_id="r", output_dir=folder / "out")
        handler.handle(handler_record())
        await aio.aflush(handler)
        await aio.aclose(handler)
        return await aio.acollect("r", [folder / "out"], output_dir=folder / "here")

    report = asyncio.run(program())
    assert report["ok"]
    assert [file["lines"] for file in report["files"]] == [1]


def handler_record() -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "m", "levelno": logging.INFO, "levelname": "INFO"})


def test_a_cancelled_collection_is_cancelled_for_who_waits(folder: Path) -> None:
    async def program() -> None:
        hanging = "h:x"
        task = asyncio.create_task(
            aio.acollect("r", [hanging], ssh="sh -c 'sleep 1; exit 1'", output_dir=folder / "here")
        )
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
