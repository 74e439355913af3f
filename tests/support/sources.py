"""Where the queries of dashboards go: a Loki and, where it is installed, a Prometheus."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.grafana import ALL, Board, Query, TimeRange, Variable
from support.loki import Loki
from support.prometheus import Prometheus


@dataclass(frozen=True)
class Sources:
    """Where the queries go."""

    loki: Loki
    prometheus: Prometheus | None
    began_ms: int
    ended_ms: int
    # The files of the run.
    logs: Path = Path()

    def whole_run(self) -> TimeRange:
        """The run with a little around it, as a link to it sets it."""
        return TimeRange(self.began_ms - 20_000, self.ended_ms + 20_000)

    def ask(self, query: Query, variables: Mapping[str, Variable], time: TimeRange) -> list[dict[str, Any]]:
        """What a query brings: series, streams, or the elements of a vector."""
        text, step = query.resolved(variables, time)
        if query.kind == "loki":
            if query.instant:
                at = {"time": f"{time.last}000000"}
                return result(self.loki.answer("/loki/api/v1/query", query=text, **at))
            window = {"start": f"{time.first}000000", "end": f"{time.last}000000", "step": f"{step}ms"}
            return result(self.loki.answer("/loki/api/v1/query_range", query=text, limit=query.max_lines, **window))
        assert self.prometheus is not None
        window = {"start": str(time.first / 1000), "end": str(time.last / 1000), "step": str(step / 1000)}
        return result(self.prometheus.answer("/api/v1/query_range", query=text, **window))

    def variables(self, board: Board, time: TimeRange, *, one_by_one: bool = False) -> dict[str, Variable]:
        """Each variable with what Grafana chooses when a dashboard is opened; or, where several may be chosen, with
        each of them chosen.
        """
        chosen: dict[str, Variable] = {}
        for model in board.variables:
            chosen[model["name"]] = self.variable(model, chosen, time)
            if one_by_one and chosen[model["name"]].several:
                chosen[model["name"]] = Variable(self.choices(model, chosen, time), several=True)
        return chosen

    def variable(self, model: Mapping[str, Any], before: Mapping[str, Variable], time: TimeRange) -> Variable:
        if model["type"] != "query":
            return Variable([model["current"]["value"]])
        if model["includeAll"]:
            return Variable([ALL], several=True, all_value=model["allValue"])
        found = self.choices(model, before, time)
        assert found, f"the variable {model['name']} has no values"
        return Variable([sorted(found)[-1] if model["sort"] == 2 else sorted(found)[0]])

    def choices(self, model: Mapping[str, Any], before: Mapping[str, Variable], time: TimeRange) -> list[str]:
        """What a query variable offers."""
        query = model["query"]
        if model["datasource"]["type"] == "loki":
            stream, _ = Query("", model["name"], "loki", query["stream"]).resolved(before, time)
            window = {"start": f"{time.first}000000", "end": f"{time.last}000000"}
            path = f"/loki/api/v1/label/{query['label']}/values"
            values: list[str] = self.loki.answer(path, query=stream, **window) or []
            return values
        assert self.prometheus is not None
        text, _ = Query("", model["name"], "prometheus", query["query"]).resolved(before, time)
        metric, label = text.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        window = {"start": str(time.first / 1000), "end": str(time.last / 1000)}
        path = f"/api/v1/label/{label}/values"
        found: list[str] = self.prometheus.answer(path, **{"match[]": metric, **window})
        return shown(found, model["regex"])


def shown(values: Sequence[str], pattern: str) -> list[str]:
    """What a variable's own regular expression leaves of its values: its first group."""
    if not pattern:
        return list(values)
    found = [re.search(pattern.strip("/"), value) for value in values]
    return list(dict.fromkeys(match[1] for match in found if match))


def result(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["result"]
    return found
