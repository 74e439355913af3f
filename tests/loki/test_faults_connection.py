"""Connections that break between us and Loki: whatever was stored meanwhile, each line is in Loki once in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.faults import (
    Fault,
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
from support.journal import journaling
from support.loki import Loki
from support.process import wait_until

pytestmark = pytest.mark.usefixtures("no_settings")

# Nothing is stored, or nobody can tell that it was.
NOTHING_KNOWN = {
    "never answered": never_answer,
    "reset": reset,
    "half of the request": cut_request,
    "half of an error": half_refusal,
    "nothing but halves of answers": half_body,
    "no answer to pushes": pushes(never_answer),
}

# The push is stored, its answer lost; queries are answered.
ANSWER_LOST = {"reset": lose_answer, "half of the first line": half_head, "half of the head": half_body}


def said(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What the library has said on stderr since the last time."""
    return [line for line in capfd.readouterr().err.splitlines() if line.startswith("lb-log: ")]


@pytest.mark.parametrize("name", NOTHING_KNOWN)
def test_lines_wait_until_somebody_answers(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    fault: Fault = NOTHING_KNOWN[name]
    run_id = name.replace(" ", "-")
    with proxy(loki, fault) as between, journaling(folder, run_id, between.url) as journal:
        journal.write()
        wait_until(lambda: len(between.requests) >= 3, 30, "several tries")
        journal.write()
        journal.check_held()
        between.fault = pass_on
        journal.write()
        journal.settled()
        journal.check_delivered(loki)
        told = said(capfd)
        assert len(told) == 2, told
        assert between.url in told[0], told
        assert "wait in the file" in told[0], told
        assert told[1].endswith("Loki takes the lines again"), told


@pytest.mark.parametrize("name", ANSWER_LOST)
def test_what_was_stored_behind_a_lost_answer_is_looked_up_and_not_sent_twice(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    run_id = f"lost-{name.replace(' ', '-')}"
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
        told = said(capfd)
        assert [line.endswith("Loki takes the lines again") for line in told] == [False, True], told


def test_a_slow_loki_is_waited_for(loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Five seconds a request, and more patience than that."""
    with proxy(loki, slow(5)) as between, journaling(folder, "patient", between.url, timeout_seconds=30) as journal:
        journal.write()
        wait_until(lambda: len(between.pushes) == 1, 10, "a push is under way")
        journal.write()
        journal.settled()
        journal.check_delivered(loki)
        assert not said(capfd)


@pytest.mark.parametrize(("name", "fault"), [("all", slow(5)), ("pushes", pushes(slow(5)))])
def test_what_a_slow_loki_stores_after_we_have_gone_is_not_sent_twice(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str], name: str, fault: Fault
) -> None:
    """Five seconds a request, and less patience: a push is stored when nobody waits for its answer any more."""
    with proxy(loki, fault) as between, journaling(folder, f"slow-{name}", between.url, timeout_seconds=2) as journal:
        journal.write(2500)
        wait_until(lambda: len(between.pushes) == 1, 10, "a push is under way")
        journal.write(2500)
        journal.settled()
        journal.check_delivered(loki)
        (told,) = said(capfd)
        assert f"{between.url}/loki/api/v1/push: no answer within 2s; see loki.timeout_seconds" in told, told
