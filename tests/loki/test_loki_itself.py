"""The Loki that the tests run against: what it does by itself, and what the product has to know of it."""

from __future__ import annotations

import time
from pathlib import Path

from support.loki import HOUR, PAGE, Loki, running_loki


def test_lines_come_back(loki: Loki) -> None:
    now = time.time_ns()
    values = [(now + n, f'line {n} \u2028 "x" \\ \U0001f980') for n in range(2 * PAGE + 10)]
    assert loki.push({"run_id": "pages"}, values) == (204, "")
    found = loki.lines('{run_id="pages"}', now, now + len(values))
    assert [(entry.ns, entry.line) for entry in found] == values
    assert found[0].labels["run_id"] == "pages"


def test_lines_of_an_old_run_are_found_at_once(loki: Loki) -> None:
    """With Loki's defaults a line that is older than 2.75 hours is found only after it was flushed."""
    now = time.time_ns()
    for age in (2 * HOUR, 4 * HOUR, 100 * HOUR):
        stream = {"run_id": f"old {age}"}
        assert loki.push(stream, [(now - age, "old")]) == (204, "")
        assert [entry.line for entry in loki.lines(f'{{run_id="old {age}"}}', now - age, now - age)] == ["old"]


def test_the_answers_that_the_product_reads(loki: Loki) -> None:
    now = time.time_ns()
    status, body = loki.push({"run_id": "ahead"}, [(now, "good"), (now + HOUR, "bad")])
    assert status == 400, body
    assert " has timestamp too new: " in body
    assert [entry.line for entry in loki.lines('{run_id="ahead"}', now, now + 2 * HOUR)] == ["good"]
    status, body = loki.push({"run_id": "ahead"}, [(now - 2 * HOUR, "bad"), (now + 1, "good")])
    assert status == 400, body
    assert "entry too far behind, entry timestamp is: " in body
    assert "total ignored: 1 out of 2 for stream: " in body


def test_what_was_accepted_survives_a_kill(folder: Path) -> None:
    with running_loki(folder) as loki:
        now = time.time_ns()
        assert loki.push({"run_id": "kill"}, [(now, "a"), (now + 1, "b")]) == (204, "")
        loki.kill()
        assert not loki.is_ready()
        loki.start()
        assert [entry.line for entry in loki.lines('{run_id="kill"}', now, now + 1)] == ["a", "b"]
