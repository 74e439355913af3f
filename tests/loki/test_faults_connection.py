"""Connections that break between us and Loki: whatever was stored meanwhile, each line is in Loki once in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.faults import (
    Fault,
    Proxy,
    cut_request,
    half_body,
    half_head,
    half_refusal,
    lose_answer,
    never_answer,
    pass_on,
    proxy,
    pushes,
    reset,
    slow,
)
from support.journal import Journal, journaling
from support.loki import Loki
from support.saying import Saying

pytestmark = pytest.mark.usefixtures("no_settings")

# Nothing is stored, or nobody can tell that it was.
NOTHING_KNOWN = {
    "never-answered": never_answer,
    "pushes-never-answered": pushes(never_answer),
    "reset": reset,
    "half-of-the-request": cut_request,
    "half-of-an-error": half_refusal,
    "halves-of-all-answers": half_body,
}

# The push is stored, its answer lost; queries are answered.
ANSWER_LOST = {"reset": lose_answer, "half-of-the-first-line": half_head, "half-of-the-head": half_body}


# Five seconds a request: with more patience than that, with less, and with less where queries are quick; then a push is
# stored when nobody waits for its answer any more.
SLOW = {"patient": (slow(5), 30), "impatient": (slow(5), 2), "impatient-with-pushes": (pushes(slow(5)), 2)}


@dataclass
class Broken:
    """A proxy with a fault, and a program that logs through it."""

    between: Proxy
    journal: Journal


@contextmanager
def all_of(loki: Loki, folder: Path, faults: Mapping[str, tuple[Fault, float]]) -> Iterator[list[Broken]]:
    """Several faults at once, by the run's id, each with a time-out: they mostly wait."""
    with ExitStack() as stack:

        def broken(run_id: str, fault: Fault, timeout: float) -> Broken:
            between = stack.enter_context(proxy(loki, fault))
            journal = journaling(folder, run_id, between.url, timeout_seconds=timeout)
            return Broken(between, stack.enter_context(journal))

        yield [broken(run_id, *how) for run_id, how in faults.items()]


def test_lines_wait_until_somebody_answers(loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saying = Saying(capfd)
    with all_of(loki, folder, {run_id: (fault, 1.0) for run_id, fault in NOTHING_KNOWN.items()}) as everything:
        for each in everything:
            each.journal.write()
        for each in everything:
            each.between.wait_for(3)
            each.journal.write()
            each.journal.check_held()
            each.between.fault = pass_on
            each.journal.write()
        for each in everything:
            each.journal.settled()
            each.journal.check_delivered(loki)
            told = saying.of(each.journal.log)
            assert len(told) == 2, told
            assert f" {each.between.url}/loki/api/v1/push: " in told[0], told
            assert told[0].endswith("; lines wait in the file until it takes them"), told
            assert told[1].endswith("Loki takes the lines again"), told


@pytest.mark.parametrize("name", ANSWER_LOST)
def test_what_was_stored_behind_a_lost_answer_is_looked_up_and_not_sent_twice(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    run_id = f"lost-{name}"
    with proxy(loki, pushes(ANSWER_LOST[name])) as between, journaling(folder, run_id, between.url) as journal:
        for _ in range(2):
            journal.write()
            journal.settled()
        journal.check_delivered(loki)
        # Each as large as it was: nothing of the first is in the second.
        assert len(between.pushes) == 2, between.pushes
        between.fault = pass_on
        journal.write()
        journal.settled()
        journal.check_delivered(loki)
        told = Saying(capfd).of(journal.log)
        assert [line.endswith("Loki takes the lines again") for line in told] == [False, True], told


def test_a_slow_loki_gets_each_line_once(loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """So many lines that sending them twice would be counted."""
    saying = Saying(capfd)
    with all_of(loki, folder, SLOW) as everything:
        for each in everything:
            each.journal.write(2500)
            each.between.wait_for(1)
            each.journal.write(2500)
        for each in everything:
            each.journal.settled()
            each.journal.check_delivered(loki)
            told = saying.of(each.journal.log)
            if each.journal.run_id == "patient":
                assert not told
            else:
                assert len(told) == 1, told
                assert "/loki/api/v1/push: no answer within 2s; see loki.timeout_seconds; " in told[0], told
