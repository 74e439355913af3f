"""For programs that run on asyncio: what may wait, without holding up the loop.

Logging itself needs nothing of this: a call copies its record and returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import lb_log

if TYPE_CHECKING:
    from lb_log import Handler, Logger, Report

__all__ = ["aclose", "acollect", "aflush"]


async def aflush(logger: Logger | Handler, *timeout: float) -> None:
    """`logger.flush(...)`, with the same arguments: everything that was accepted before is in the file then."""
    await asyncio.to_thread(logger.flush, *timeout)


async def aclose(logger: Logger | Handler, *timeout: float) -> None:
    """`logger.close(...)`, with the same arguments: waits for file and Loki."""
    await asyncio.to_thread(logger.close, *timeout)


async def acollect(run_id: str, sources: Iterable[str | PathLike[str]], **options: Any) -> Report:
    """`lb_log.collect(...)`, with the same arguments and result.

    A collection that is cancelled goes on in its thread: what it has begun is whole or not there.
    """
    return await asyncio.to_thread(lb_log.collect, run_id, sources, **options)
