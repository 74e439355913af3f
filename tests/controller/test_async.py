"""What coroutines have of their own: events, cancellation, a loop that is not blocked."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from lb_controller.async_api import Controller, Event, Host, Workload
from lb_log.controller.feed import MOST_WAITING, Feed

from support.controlling import RUN, alive, statuses
from support.process import wait_until

ENDLESS = "sleep 1000 & echo begun; wait"


def controller(folder: Path, *, grace_s: float = 1.0) -> Controller:
    """On this machine."""
    return Controller(RUN, [Host("a"), Host("b")], folder / "out", grace_s=grace_s)


async def begun(events: object) -> None:
    """Both hosts are at work."""
    count = 0
    async for event in events:  # type: ignore[attr-defined]
        count += event.message == "begun"
        if count == 2:
            return


def test_events_end_with_the_run_and_the_loop_goes_on(folder: Path) -> None:
    async def main() -> None:
        async with controller(folder) as running:
            first, second = running.events(), running.events()
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.001)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            running.start([Workload("w", run="sleep 0.2; echo x")])
            one = [event.event_type async for event in first]
            result = await running.wait()
            ticking.cancel()
            assert ticks > 10
            assert result is not None
            assert result.ok
            assert one == [event.event_type async for event in second]
            assert (one[0], one[-1], one.count("output")) == ("campaign_start", "campaign_end", 2)
            # And another one, with readers of its own.
            third = running.events()
            assert (await running.run([Workload("v", run="true")])).ok
            assert [event.event_type async for event in third][-1] == "campaign_end"
            assert running.status().state == "finished"
            assert (await running.collect()).missing == ()
            torn = await running.teardown([Workload("v", teardown="true")])
            assert [each.ok for each in torn] == [True, True]

    asyncio.run(main())


def test_a_second_cancellation_waits_for_nothing(folder: Path) -> None:
    async def main() -> None:
        running = controller(folder, grace_s=60)
        events = running.events()
        stubborn = 'trap "" TERM; echo down; while :; do sleep 1; done'
        task = asyncio.create_task(running.run([Workload("w", run=ENDLESS, teardown=stubborn)]))
        await begun(events)
        task.cancel()
        async for event in events:
            if event.message == "down":
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        result = await running.wait()
        assert result is not None
        assert result.stopped == "cancelled"
        assert set(statuses(result)["a", "w", 1].items()) == {("run", "stopped"), ("teardown", "stopped")}

    asyncio.run(main())
    wait_until(lambda: not alive(f"LB_RUN_ID={RUN}\0"), 10, "all commands have ended")


def test_a_time_limit_of_asyncio_tears_down_too(folder: Path) -> None:
    async def main() -> None:
        running = controller(folder)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(running.run([Workload("w", run=ENDLESS, teardown="true")]), 0.3)
        assert running.result is not None
        assert statuses(running.result)["b", "w", 1] == {"run": "stopped", "teardown": "passed"}

    asyncio.run(main())


def test_a_slow_reader_misses_lines_of_output_and_hears_how_many() -> None:
    async def main() -> None:
        feed = Feed(asyncio.get_running_loop())

        def give() -> None:
            for number in range(MOST_WAITING + 5):
                feed.give(Event("output", str(number)))
            feed.give(Event("phase_end", "end"))
            feed.give(None)

        thread = threading.Thread(target=give)
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        found = [event async for event in feed]
        assert [event.message for event in found[:MOST_WAITING]] == [str(number) for number in range(MOST_WAITING)]
        assert [(event.event_type, event.tags.get("skipped")) for event in found[MOST_WAITING:]] == [
            ("trouble", 5),
            ("phase_end", None),
        ]

    asyncio.run(main())


def test_nobody_started(folder: Path) -> None:
    async def main() -> None:
        start = time.monotonic()
        assert await controller(folder).wait() is None
        assert time.monotonic() - start < 10

    asyncio.run(main())
