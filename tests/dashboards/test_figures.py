"""Figures of dashboards are those of the files: counted once, by whoever else counts them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from support.delivery import SAMPLES
from support.grafana import boards
from support.k6 import nanoseconds
from support.loki import SECOND
from support.records import Record, read_log
from support.sources import Sources

BOARDS = {board.uid: board for board in boards()}


@pytest.fixture(scope="module")
def records(sources: Sources) -> list[Record]:
    """What Loki has: all from INFO up."""
    every = [record for path in sorted(sources.logs.glob("*.jsonl")) for record in read_log(path)]
    return [record for record in every if record["level"] not in ("TRACE", "DEBUG")]


def shown(sources: Sources, uid: str, title: str, kind: str = "stat", ref: str = "A") -> list[dict[str, Any]]:
    """What a panel's query brings over the whole run."""
    board, window = BOARDS[uid], sources.whole_run()
    (query,) = (
        query
        for query in board.queries()
        if (query.panel["title"], query.panel["type"]) == (title, kind) and query.place.endswith(f" {ref}")
    )
    return sources.ask(query, sources.variables(board, window), window)


def number(sources: Sources, uid: str, title: str) -> float:
    ((found),) = shown(sources, uid, title)
    return float(found["value"][1])


def requests(records: list[Record]) -> list[Record]:
    return [record for record in records if record["event_type"] == "http_req"]


def failed(records: list[Record]) -> float:
    found = requests(records)
    return sum(bool(record["tags"]["failed"]) for record in found) / len(found)


def of_level(*levels: str) -> Callable[[list[Record]], float]:
    """Log lines of some levels."""

    def count(records: list[Record]) -> float:
        return sum(bool(record["level"] in levels) for record in records if record["event_type"] not in SAMPLES)

    return count


def checks(records: list[Record]) -> float:
    """Share that failed; passed ones are no records from INFO up: an iteration is one check, and one request of two."""
    answered = [record for record in requests(records) if record["tags"].get("function")]
    missed = sum(bool(record["event_type"] == "check") for record in records)
    return missed / len(answered)


@pytest.mark.parametrize(
    ("uid", "title", "expected"),
    [
        ("lb-platform-run", "HTTP requests", lambda records: len(requests(records))),
        ("lb-platform-run", "Failed requests", failed),
        ("lb-platform-run", "Errors", of_level("ERROR", "CRITICAL")),
        ("lb-platform-run", "Warnings", of_level("WARNING")),
        ("lb-platform-run", "Records dropped", lambda _: 3),
        ("lb-platform-run", "Thresholds missed", lambda _: 1),
        ("lb-platform-k6", "Requests", lambda records: len(requests(records))),
        ("lb-platform-k6", "Failed requests", failed),
        ("lb-platform-k6", "Failed checks", checks),
        ("lb-dfaas-functions", "Calls", lambda records: sum("function" in each["tags"] for each in requests(records))),
        ("lb-dfaas-functions", "Success", lambda records: 1 - checks(records)),
        ("lb-dfaas-functions", "Overloads", lambda _: 2),
        ("lb-dfaas-functions", "Errors", of_level("ERROR", "CRITICAL")),
    ],
)
def test_a_number_is_that_of_the_files(
    sources: Sources, records: list[Record], uid: str, title: str, expected: Callable[[list[Record]], float]
) -> None:
    assert number(sources, uid, title) == pytest.approx(expected(records))


def test_the_table_of_repetitions_is_that_of_the_files(sources: Sources, records: list[Record]) -> None:
    counted = Counter(str(record["repetition"]) for record in requests(records))
    found = shown(sources, "lb-platform-compare", "Load", "table")
    assert {row["metric"]["repetition"]: int(row["value"][1]) for row in found} == counted


def test_the_table_of_names_is_that_of_the_files(sources: Sources, records: list[Record]) -> None:
    """Its figures are labels, and the longest duration is the value."""
    longest: dict[tuple[str, str], list[float]] = {}
    for record in requests(records):
        key = str(record["repetition"]), record["tags"]["name"]
        longest.setdefault(key, []).append(record["tags"]["duration_ms"])
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in shown(sources, "lb-platform-compare", "Load by request name", "table"):
        rows.setdefault((row["metric"]["repetition"], row["metric"]["name"]), []).append(row)
    assert rows.keys() == longest.keys()
    for key, durations in longest.items():
        (row,) = rows[key]
        assert float(row["value"][1]) == pytest.approx(max(durations))
        assert int(row["metric"]["count"]) == len(durations)
        assert float(row["metric"]["avg"]) == pytest.approx(sum(durations) / len(durations))


def test_rates_are_those_of_all_windows_together(sources: Sources, records: list[Record]) -> None:
    """At each step: of each request name and scenario the mean of k6's windows, added up."""
    step = 10 * SECOND
    windows = [
        (nanoseconds(record["timestamp"]), record)
        for record in records
        if record["event_type"] == "metric_summary"
        and record["tags"]["metric"] == "http_reqs"
        and not record["tags"]["final"]
    ]
    assert windows
    for row in shown(sources, "lb-platform-k6", "Requests", "timeseries"):
        for at, value in row["values"]:
            end, parts = int(at) * SECOND, defaultdict(list)
            for ns, record in windows:
                if end - step < ns <= end and str(record["repetition"]) == row["metric"]["repetition"]:
                    parts[record.get("scenario"), record["tags"]["name"]].append(record["tags"]["per_second"])
            assert float(value) == pytest.approx(sum(sum(part) / len(part) for part in parts.values()))


def test_phases_are_bands_that_end(sources: Sources) -> None:
    """Each program and repetition is a row; install to collect are 1 to 5, and behind the last phase is none."""
    rows = {
        (row["metric"]["component"], row["metric"]["repetition"]): [int(value) for _, value in row["values"]]
        for row in shown(sources, "lb-platform-run", "Phases", "state-timeline", "A-do-not-chunk")
    }
    assert set(rows) == {("k6", "1"), ("runner", "1"), ("runner", "2")}
    for states in rows.values():
        assert states[-1] == 0
        assert set(states) <= {0, 1, 2, 3, 4, 5}
    # k6's run takes seconds, and a step less.
    assert 3 in rows["k6", "1"]
