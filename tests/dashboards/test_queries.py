"""Every query of every dashboard, as Grafana sends it, brings something from a real run; and no query is an error on a
fresh install."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from support.grafana import Query, TimeRange, boards
from support.loki import Loki, running_loki
from support.sources import Sources

BOARDS = {board.uid: board for board in boards()}
QUERIES = [query for board in BOARDS.values() for query in (*board.queries(), *board.annotations())]
VARIABLES = [
    (board.uid, model["name"]) for board in BOARDS.values() for model in board.variables if model["type"] == "query"
]
DAY_MS = 86_400_000
# What may well be 0: the target speaks no TLS, and all traffic of the tests is within the machine.
ZERO = {
    "lb-platform-k6: Where the time goes C",
    *(f"lb-dfaas-nodes: {panel}" for panel in ("Disk A", "Disk B", "Network A", "Network B")),
}


def need_prometheus(sources: Sources, kinds: Iterable[str]) -> None:
    if "prometheus" in kinds and sources.prometheus is None:
        pytest.skip("Prometheus is not installed: make deps")


def numbers(found: list[dict[str, Any]]) -> list[float]:
    """The values of series or of a vector; none of streams."""
    pairs = [pair for series in found for pair in series.get("values", [series.get("value")]) if "metric" in series]
    return [float(value) for _, value in pairs]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("range_name", ["the run's own time", "the last day"])
def test_a_query_brings_something(sources: Sources, query: Query, range_name: str) -> None:
    need_prometheus(sources, [query.kind])
    board, run = BOARDS[query.board], sources.whole_run()
    time = run if range_name == "the run's own time" else TimeRange(run.last - DAY_MS, run.last)
    variables = sources.variables(board, time)
    found = sources.ask(query, variables, time)
    assert found, f"nothing: {query.resolved(variables, time)[0]}"
    # A query that only says zero, or that cannot be computed, is as good as none. (In a step of minutes the phases of a
    # run of seconds begin and end.)
    values = numbers(found)
    if time is run and str(query) not in ZERO:
        assert not values or any(value == value and value != 0 for value in values), found[:3]
    wrong = [series["metric"] for series in found if "__error__" in series.get("metric", {})]
    wrong += [series["stream"] for series in found if "__error__" in series.get("stream", {})]
    assert not wrong, wrong[:3]


@pytest.mark.parametrize(("uid", "name"), VARIABLES)
def test_a_variable_offers_what_the_run_has(sources: Sources, uid: str, name: str) -> None:
    board, time = BOARDS[uid], sources.whole_run()
    model = next(model for model in board.variables if model["name"] == name)
    need_prometheus(sources, [model["datasource"]["type"]])
    assert sources.choices(model, sources.variables(board, time), time)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterable[Loki]:
    with running_loki(tmp_path_factory.mktemp("empty")) as loki:
        yield loki
