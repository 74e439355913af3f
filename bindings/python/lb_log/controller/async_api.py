"""The controller as coroutines, for programs that live in asyncio; `api` is what others want.

    from lb_controller.async_api import Controller, Host, Workload

    async with Controller(run_id="run-1", hosts=[Host("node1", ssh="root@node1")]) as controller:
        controller.start([Workload("io", run="fio --name=a --size=1g")], repetitions=3)
        async for event in controller.events():
            print(event.message)
        result = await controller.wait()

The commands run on the threads of `api`'s controller; nothing here blocks the loop. A coroutine that is cancelled
stops the run, waits for teardown and collection, and is cancelled then; cancelled a second time, it aborts.

`ControllerRunner`, `ControllerState`, `ControllerStateMachine`, `DoubleCtrlCStateMachine` and
`SigintDoublePressHandler` are what this module once offered, for programs that use them.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterator, Iterable
from types import TracebackType

from . import api
from .api import (
    Collection,
    Event,
    Host,
    Missing,
    PhaseResult,
    RepetitionResult,
    RunResult,
    RunStatus,
    Workload,
)
from .environment import Loki
from .feed import Feed, on_loop
from .interrupts import DoubleCtrlCStateMachine, SigintDecision, SigintDoublePressHandler
from .runner import ControllerRunner
from .states import ControllerState, ControllerStateMachine

__all__ = [
    "Collection",
    "Controller",
    "ControllerRunner",
    "ControllerState",
    "ControllerStateMachine",
    "DoubleCtrlCStateMachine",
    "Event",
    "Host",
    "Missing",
    "PhaseResult",
    "RepetitionResult",
    "RunResult",
    "RunStatus",
    "SigintDecision",
    "SigintDoublePressHandler",
    "Workload",
]


class Controller:
    """As `api.Controller`, whose arguments say what each is. For one event loop at a time, the one that runs."""

    def __init__(
        self,
        run_id: str | None = None,
        hosts: Iterable[Host] = (),
        output_dir: str | os.PathLike[str] | None = None,
        loki: Loki | None = None,
        *,
        ssh: str | None = None,
        answer_timeout_s: float = 15.0,
        grace_s: float = 5.0,
        collect_each_repetition: bool = True,
    ) -> None:
        self._feeds: weakref.WeakSet[Feed] = weakref.WeakSet()
        self._waiters: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()
        self._controller = api.Controller(
            run_id,
            hosts,
            output_dir,
            loki,
            self._hear,
            ssh=ssh,
            answer_timeout_s=answer_timeout_s,
            grace_s=grace_s,
            collect_each_repetition=collect_each_repetition,
            at_end=self._ended,
        )

    @property
    def run_id(self) -> str:
        """The run."""
        return self._controller.run_id

    @property
    def result(self) -> RunResult | None:
        """The result of the last run, of a cancelled one too; None while it goes on."""
        return self._controller.result

    async def run(self, workloads: Iterable[Workload], repetitions: int = 1) -> RunResult:
        """Runs the workloads on all hosts. Cancelled, it stops them, and is cancelled when all is torn down and
        collected: `result` tells then. Raises as `api.Controller.run` does.
        """
        self.start(workloads, repetitions)
        result = await self.wait()
        if result is None:
            raise RuntimeError("the run has no result")
        return result

    def start(self, workloads: Iterable[Workload], repetitions: int = 1) -> None:
        """Starts a run; `wait` has its result. Opens the log, which takes about a millisecond."""
        self._controller.start(workloads, repetitions)

    async def wait(self) -> RunResult | None:
        """The result of the run; None: none was started. Cancelled, it does as `run` does."""
        try:
            await self._end()
        except asyncio.CancelledError:
            self.stop("cancelled")
            try:
                await self._end()
            except asyncio.CancelledError:
                self.abort("cancelled again")
                raise
            raise
        return self.result

    def stop(self, reason: str = "stop") -> None:
        """Ends the commands that run, and begins no more; teardown and collection follow."""
        self._controller.stop(reason)

    def abort(self, reason: str = "abort") -> None:
        """Kills whatever runs, teardown too, and collects no more."""
        self._controller.abort(reason)

    def status(self) -> RunStatus:
        """What is going on now."""
        return self._controller.status()

    def events(self) -> AsyncIterator[Event]:
        """The events from now on, up to the end of the run. A reader that is slow misses lines of output, and hears
        how many: `tags["skipped"]` of an event `trouble`.
        """
        feed = Feed(asyncio.get_running_loop())
        with self._lock:
            self._feeds.add(feed)
        return feed

    async def collect(self) -> Collection:
        """Fetches the logs of all hosts now."""
        return await asyncio.to_thread(self._controller.collect)

    async def teardown(self, workloads: Iterable[Workload]) -> tuple[RepetitionResult, ...]:
        """Runs the teardown of these workloads once on every host."""
        return await asyncio.to_thread(self._controller.teardown, tuple(workloads))

    async def __aenter__(self) -> Controller:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops a run that goes on, and waits for its end."""
        self.stop("the controller is closed")
        await self.wait()

    async def _end(self) -> None:
        """Until the run has ended."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if not self._controller.is_active:
                return
            self._waiters.add(waiter)
        try:
            await waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    # --- called on the controller's threads ---

    def _hear(self, event: Event) -> None:
        with self._lock:
            for feed in self._feeds:
                feed.give(event)

    def _ended(self) -> None:
        with self._lock:
            for feed in self._feeds:
                feed.give(None)
            self._feeds.clear()
            for waiter in self._waiters:
                on_loop(waiter.get_loop(), _wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
