"""Runs a campaign through `api` or `async_api`, and reads what it has left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lb_controller import api, async_api
from lb_controller.api import Event, Host, PhaseResult, RunResult, Workload

from support.records import Record, read_log
from support.sshd import Site

#: Of this process alone: the tests look for what runs under it.
RUN = f"campaign-{os.getpid()}"
#: Seconds that hosts may be silent, and that commands have for their end: short, and long enough for a busy machine.
ANSWER_S, GRACE_S = 4.0, 1.0

OnEvent = Callable[[Event], object]
Plan = Sequence[Workload]


class Drive:
    """One controller of a test. `stop` is what a user of this API does who has enough: Ctrl-C, or a cancellation."""

    def __init__(self, output: Path, name: str) -> None:
        self.output, self.name = output, name
        self.events: list[Event] = []
        self.controller: api.Controller | async_api.Controller | None = None
        self._task: asyncio.Task[RunResult] | None = None

    def run(
        self,
        hosts: Sequence[Host],
        plan: Plan,
        repetitions: int = 1,
        on_event: OnEvent = lambda _: None,
        site: Site | None = None,
        **arguments: Any,
    ) -> RunResult:
        """The campaign, to its end, whatever ends it."""
        if site is not None:
            arguments["ssh"] = site.ssh
        arguments = {"answer_timeout_s": ANSWER_S, "grace_s": GRACE_S, **arguments}
        return APIS[self.name](self, hosts, plan, repetitions, on_event, arguments)

    def stop(self) -> None:
        """From any thread."""
        if self._task is None:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def of(self, event_type: str, **fields: object) -> list[Event]:
        """The events of a type, with these fields."""
        return [
            event
            for event in self.events
            if event.event_type == event_type and all(getattr(event, name) == value for name, value in fields.items())
        ]

    def printed(self, **fields: object) -> list[str]:
        """The lines that commands have printed."""
        return [event.message for event in self.of("output", **fields)]

    def records(self) -> list[Record]:
        """The controller's own log."""
        (log,) = (self.output / RUN / "logs").glob("controller-*.jsonl")
        return read_log(log)

    def plain(
        self, hosts: Sequence[Host], plan: Plan, repetitions: int, on_event: OnEvent, arguments: dict[str, Any]
    ) -> RunResult:
        """Through `api`."""

        def hear(event: Event) -> None:
            self.events.append(event)
            on_event(event)

        self.controller = api.Controller(RUN, hosts, self.output, None, hear, **arguments)
        return self.controller.run(plan, repetitions)

    def coroutines(
        self, hosts: Sequence[Host], plan: Plan, repetitions: int, on_event: OnEvent, arguments: dict[str, Any]
    ) -> RunResult:
        """Through `async_api`: the events are read by a coroutine beside the run."""

        async def main() -> RunResult:
            controller = self.controller = async_api.Controller(RUN, hosts, self.output, None, **arguments)
            events = controller.events()

            async def hear() -> None:
                async for event in events:
                    self.events.append(event)
                    on_event(event)

            self._task = asyncio.create_task(controller.run(plan, repetitions))
            hearing = asyncio.create_task(hear())
            done = (await asyncio.gather(self._task, hearing, return_exceptions=True))[0]
            if isinstance(done, asyncio.CancelledError):
                assert controller.result is not None
                return controller.result
            assert isinstance(done, RunResult), done
            return done

        return asyncio.run(main())


APIS: dict[str, Callable[..., RunResult]] = {"api": Drive.plain, "async_api": Drive.coroutines}


def statuses(result: RunResult) -> dict[tuple[str, str, int], dict[str, str]]:
    """What became of each phase, by host, workload and repetition."""
    return {
        (each.host, each.workload, each.repetition): {phase.phase: phase.status for phase in each.phases}
        for each in result.repetitions
    }


def phase(result: RunResult, host: str, name: str, repetition: int = 1) -> PhaseResult:
    """One phase of a campaign of one workload."""
    (found,) = (each for each in result.repetitions if (each.host, each.repetition) == (host, repetition))
    (only,) = (each for each in found.phases if each.phase == name)
    return only


def alive(sign: str) -> list[int]:
    """The processes that have this text in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if sign.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found
