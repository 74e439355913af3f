"""Every query of every dashboard, as Grafana sends it, brings something from a real run; and no query is an error on a
fresh install."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.grafana import Query, TimeRange, Variable, boards
from support.loki import running_loki
from support.sources import Sources

BOARDS = {board.uid: board for board in boards()}
QUERIES = [query for board in BOARDS.values() for query in (*board.queries(), *board.annotations())]
VARIABLES = [
    (board.uid, model["name"]) for board in BOARDS.values() for model in board.variables if model["type"] == "query"
]
DAY_MS = 86_400_000
# What may well be 0: all traffic of the tests is within the machine.
ZERO = {f"lb-dfaas-nodes: {panel}" for panel in ("Disk A", "Disk B", "Network A", "Network B")}


def need_prometheus(sources: Sources, kinds: Iterable[str]) -> None:
    if "prometheus" in kinds and sources.prometheus is None:
        pytest.skip("Prometheus is not installed: make deps")


def numbers(found: list[dict[str, Any]]) -> list[float]:
    """The values of series or of a vector; none of streams."""
    pairs = [pair for series in found for pair in series.get("values", [series.get("value")]) if "metric" in series]
    return [float(value) for _, value in pairs]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("chosen", ["as it is opened", "over the last day", "each value chosen"])
def test_a_query_brings_something(sources: Sources, query: Query, chosen: str) -> None:
    board, run = BOARDS[query.board], sources.whole_run()
    kinds = {model["datasource"]["type"] for model in board.variables if model["type"] == "query"}
    need_prometheus(sources, {query.kind} | (kinds if chosen == "each value chosen" else set()))
    window = TimeRange(run.last - DAY_MS, run.last) if chosen == "over the last day" else run
    variables = sources.variables(board, window, one_by_one=chosen == "each value chosen")
    found = sources.ask(query, variables, window)
    assert found, f"nothing: {query.resolved(variables, window)[0]}"
    # A query that only says zero, or that cannot be computed, is as good as none. (In a step of minutes the phases of a
    # run of seconds begin and end.)
    values = numbers(found)
    if window is run and str(query) not in ZERO:
        assert not values or any(value == value and value != 0 for value in values), found[:3]
    if query.panel.get("type") == "stat":
        assert len(found) == 1, f"it shows one of these: {found}"
    wrong = [series["metric"] for series in found if "__error__" in series.get("metric", {})]
    wrong += [series["stream"] for series in found if "__error__" in series.get("stream", {})]
    assert not wrong, wrong[:3]


@pytest.mark.parametrize(("uid", "name"), VARIABLES)
def test_a_variable_offers_what_the_run_has(sources: Sources, uid: str, name: str) -> None:
    board, window = BOARDS[uid], sources.whole_run()
    model = next(model for model in board.variables if model["name"] == name)
    need_prometheus(sources, [model["datasource"]["type"]])
    assert sources.choices(model, sources.variables(board, window), window)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    """A Loki that nobody has sent anything to."""
    with running_loki(tmp_path_factory.mktemp("fresh")) as loki:
        yield Sources(loki, None, 0, 0)


@pytest.mark.parametrize("query", [query for query in QUERIES if query.kind == "loki"], ids=str)
def test_on_a_fresh_install_a_query_is_no_error(fresh: Sources, query: Query) -> None:
    """Variables have no values yet, and a panel shows its own words, or 0."""
    board, now = BOARDS[query.board], time.time_ns() // 1_000_000
    window = TimeRange(now - DAY_MS, now)
    nothing = {model["name"]: Variable([""]) for model in board.variables if model["type"] == "query"}
    several = {model["name"]: fresh.variable(model, {}, window) for model in board.variables if model.get("multi")}
    others = {model["name"]: fresh.variable(model, {}, window) for model in board.variables if model["type"] != "query"}
    found = fresh.ask(query, {**nothing, **several, **others}, window)
    assert not any(numbers(found)), found


def test_a_script_that_names_no_requests_breaks_no_panel(tmp_path: Path) -> None:
    """Each URL is a name then: more series than Loki shows at a time (500)."""
    now = time.time_ns()
    labels = {"run_id": "r", "component": "k6", "host": "h", "workload": "w", "repetition": "1"}
    durations = '"metric":"http_req_duration","count":1,"avg":1,"p50":1,"p95":2,"p99":3,"max":3'
    kinds = (
        ("metric_summary", "log", f'{durations},"final":false'),
        ("metric_summary", "log", f'{durations},"final":true'),
        ("metric_summary", "log", '"metric":"http_reqs","per_second":1,"final":false'),
        ("http_req", "sample", '"status":200,"duration_ms":1.5'),
    )
    with running_loki(tmp_path) as loki:
        for event_type, kind, tags in kinds:
            head = f'"level":"INFO","event_type":"{event_type}"'
            lines = [(now + at, f'{{{head},"tags":{{{tags},"name":"/{at}"}}}}') for at in range(700)]
            status, said = loki.push({**labels, "kind": kind}, lines, {"event_type": event_type, "level": "INFO"})
            assert status == 204, said
        sources = Sources(loki, None, now // 1_000_000, now // 1_000_000)
        window = sources.whole_run()
        by_name = [query for query in QUERIES if 'name="tags.name"' in query.expression]
        assert {query.board for query in by_name} == {
            f"lb-platform-{name}" for name in ("run", "k6", "requests", "compare")
        }
        for query in by_name:
            if query.panel["type"] != "logs":
                found = sources.ask(query, sources.variables(BOARDS[query.board], window), window)
                assert found or "iterations" in query.expression, query
