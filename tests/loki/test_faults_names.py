"""Names that do not resolve: one that does not exist, and a name server that never answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.delivery import check_equal
from support.loki import Loki
from support.namespaces import needs_namespaces
from support.process import wait_until
from support.resolver import Names, names
from support.speaker import Speaker, check, read, speaking

pytestmark = needs_namespaces

# What a call may take beyond its deadline, microseconds; and what a busy machine may add.
BEYOND = 200_000
BUSY = 1_500_000


@contextmanager
def speaker_of(
    program: Path, folder: Path, known: Names, run_id: str, loki: Loki, **settings: Any
) -> Iterator[tuple[Speaker, Path]]:
    """A program that pushes to a host that nobody knows yet, and its log."""
    shipping = {"enabled": True, "endpoint": f"http://loki.test:{loki.http_port}", "backoff_factor": 1.0, **settings}
    output = folder / run_id
    configuration = {"run_id": run_id, "output_dir": str(output), "loki": shipping}
    with speaking(program, folder / f"own-{run_id}", configuration, prefix=known.prefix) as speaker:
        yield speaker, output / run_id / "logs" / "generator-node-1.jsonl"


def said_once(speaker: Speaker, loki: Loki, why: str) -> None:
    wait_until(lambda: bool(speaker.said()), 30, "something is said")
    (told,) = speaker.said()
    assert f": http://loki.test:{loki.http_port}/loki/api/v1/push: {why}" in told, told
    assert told.endswith("; lines wait in the file until it takes them"), told


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (True, "dns error: failed to lookup address information: Name or service not known"),
        (False, "no connection in time: the host, or who resolves its name, does not answer; see loki.timeout_seconds"),
    ],
    ids=["no such name", "no answer"],
)
def test_lines_wait_until_the_name_resolves(
    loki: Loki, folder: Path, speaker_program: Path, answers: bool, why: str
) -> None:
    run_id = f"names-{answers}"
    with (
        # The system waits for the name server for longer than we for a connection.
        names(folder, answers=answers, patience="timeout:3 attempts:1") as known,
        speaker_of(speaker_program, folder, known, run_id, loki, timeout_seconds=1) as (speaker, log),
    ):
        longest = speaker.log(200, pause_us=5000)["longest_us"]
        said_once(speaker, loki, why)
        assert known.asked, "nobody asked for the name"
        longest = max(longest, speaker.log(200, pause_us=5000)["longest_us"])
        assert longest < BUSY, f"a call took {longest} µs"
        known.add("loki.test")
        wait_until(lambda: len(speaker.said()) == 2, 30, "Loki takes the lines")
        assert speaker.said()[1].endswith("Loki takes the lines again")
        assert speaker.close(20_000)["code"] == 0
        records = read([log])
        check(speaker, records)
        assert check_equal(loki, log, run_id) == len(records) == 400


def test_neither_close_nor_exit_waits_for_a_name(loki: Loki, folder: Path, speaker_program: Path) -> None:
    """Its deadline is shorter than any time-out of a look-up; several at once, the quickest of which shows what it
    takes on a machine with time to spare.
    """
    with names(folder, answers=False) as known, ExitStack() as stack:
        every = [
            stack.enter_context(speaker_of(speaker_program, folder, known, f"close-{number}", loki, timeout_seconds=60))
            for number in range(5)
        ]
        for speaker, _ in every:
            speaker.log(100)
        wait_until(lambda: len(known.asked) >= len(every), 20, "all ask for the name")
        took = []
        for speaker, log in every[:3]:
            closed = speaker.close(500)
            assert closed["code"] == 7, closed
            assert "100 lines are not in Loki yet (http://loki.test:" in closed["message"], closed
            took.append(closed["took_us"] - 500_000)
            check(speaker, read([log]))
        assert min(took) < BEYOND, took
        assert max(took) < BUSY, took

        exits = []
        for speaker, _ in every:
            began = time.monotonic()
            speaker.send("exit")
            assert speaker.process.wait(60) == 0
            exits.append(int((time.monotonic() - began) * 1_000_000))
        assert min(exits) < BEYOND, exits
        assert max(exits) < BUSY, exits
        for speaker, log in every:
            check(speaker, read([log]))
