"""Events on their way from the controller's threads to a coroutine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from .events import Event

#: Events that wait for their reader; lines of output beyond that are skipped, and counted.
MOST_WAITING = 10_000


def on_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: Any) -> None:
    """Calls on the loop's thread, where there still is one."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)


class Feed(AsyncIterator[Event]):
    """The events of one reader. `give` is for any thread, everything else for the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Event] = deque()
        self._skipped = 0
        self._ended = False
        self._news = asyncio.Event()

    def give(self, event: Event | None) -> None:
        """The next event; None: there are no more."""
        on_loop(self._loop, self._take, event)

    async def __anext__(self) -> Event:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def _take(self, event: Event | None) -> None:
        self._news.set()
        if event is None:
            self._ended = True
        elif event.event_type == "output" and len(self._waiting) >= MOST_WAITING:
            self._skipped += 1
        else:
            if self._skipped:
                text = f"{self._skipped} lines of output were skipped here; the log has them"
                self._waiting.append(Event("trouble", text, "WARNING", tags={"skipped": self._skipped}))
                self._skipped = 0
            self._waiting.append(event)
