"""Dashboards as Grafana reads them: which queries they have, and what becomes of the variables in them.

Grafana itself cannot be had here. This does what its Loki and Prometheus datasources do with a query before they send
it: `interpolateQueryExpr` of both, the intervals of `rangeUtil.roundInterval`, `$__auto` of Loki's backend."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.paths import ROOT

Json = dict[str, Any]

PLUGINS = ROOT / "plugins"
ALL = "$__all"
# Of a panel that is as wide as a screen.
MAX_DATA_POINTS = 1000
# What a Prometheus datasource takes for the time between two scrapes unless it is told.
SCRAPE_MS = 15_000

VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}")

# Up to which number of milliseconds an interval becomes which.
ROUNDED = (
    *((10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1500, 1000), (3500, 2000)),
    *((7500, 5000), (12_500, 10_000), (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000)),
    *((210_000, 120_000), (450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000)),
    *((2_700_000, 1_800_000), (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000)),
)

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)(ms|[smhd])", duration)
    assert found, f"no duration: {duration!r}"
    return int(found[1]) * UNITS[found[2]]


def shortest(ms: int) -> str:
    """A duration in the largest unit that it is a multiple of."""
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if ms % UNITS[unit] == 0)
    return f"{ms // UNITS[unit]}{unit}"


@dataclass(frozen=True)
class TimeRange:
    """Of a dashboard, in milliseconds since 1970."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first

    def interval(self, least: int) -> int:
        """`$__interval`, milliseconds: a round number that makes about as many values as a panel has points."""
        exact = self.length / MAX_DATA_POINTS
        rounded = next((value for bound, value in ROUNDED if exact < bound), 21_600_000)
        return max(rounded, least)


@dataclass(frozen=True)
class Variable:
    """What a variable stands for."""

    values: Sequence[str]
    # More than one may be chosen: what is chosen goes into regular expressions.
    several: bool = False
    # What stands for all of them.
    all_value: str = ""

    def text(self, name: str, spelling: str, special: Callable[[str], str], plain: Callable[[str], str]) -> str:
        if spelling == "raw":
            assert len(self.values) == 1, f"{name} has several values"
            return self.values[0]
        assert not spelling, f"the test does not know ${{{name}:{spelling}}}"
        if list(self.values) == [ALL]:
            return self.all_value
        if not self.several:
            (value,) = self.values
            return plain(value)
        return "|".join(special(value) for value in self.values)


def loki_special(value: str) -> str:
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def loki_plain(value: str) -> str:
    return value.replace("'", "\\\\'")


def prometheus_special(value: str) -> str:
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def prometheus_plain(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\\\'")


@dataclass(frozen=True)
class Query:
    """One query of a panel, a variable or an annotation."""

    board: str
    place: str
    """Where it stands, for people and for the test's name."""
    kind: str
    """`loki` or `prometheus`."""
    expression: str
    instant: bool = False
    least_ms: int = 0
    panel: Json = field(default_factory=dict, compare=False)
    max_lines: int = 1000

    def __str__(self) -> str:
        return f"{self.board}: {self.place}"

    def resolved(self, variables: Mapping[str, Variable], time: TimeRange) -> tuple[str, int]:
        """The query as it is sent, and its step in milliseconds."""
        least = max(self.least_ms, SCRAPE_MS if self.kind == "prometheus" else 0)
        step = time.interval(least)
        seconds = -(-time.length // 1000)
        builtin = {
            "__interval": shortest(step),
            "__interval_ms": str(step),
            "__range": f"{seconds}s",
            "__range_s": str(seconds),
            "__range_ms": str(time.length),
            "__from": str(time.first),
            "__to": str(time.last),
        }
        if self.kind == "loki":
            builtin["__auto"] = f"{seconds}s" if self.instant else shortest(step)
            special, plain = loki_special, loki_plain
        else:
            builtin["__rate_interval"] = shortest(max(step + SCRAPE_MS, 4 * SCRAPE_MS))
            special, plain = prometheus_special, prometheus_plain

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2] or found[4]
            assert not found[5], f"{self}: the test does not know {found[0]}"
            if name in builtin:
                return builtin[name]
            assert name in variables, f"{self}: nothing tells what {found[0]} is"
            return variables[name].text(name, found[3] or found[6] or "", special, plain)

        return VARIABLE.sub(value, self.expression), step


@dataclass(frozen=True)
class Board:
    """A dashboard in a file."""

    path: Path

    @property
    def content(self) -> Json:
        content: Json = json.loads(self.path.read_text(encoding="utf-8"))
        return content

    @property
    def uid(self) -> str:
        return str(self.content["uid"])

    @property
    def variables(self) -> list[Json]:
        listed: list[Json] = self.content["templating"]["list"]
        return listed

    def panels(self) -> Iterator[Json]:
        """All panels, those in folded rows too; not the rows."""
        for panel in self.content["panels"]:
            if panel["type"] == "row":
                yield from panel["panels"]
            else:
                yield panel

    def folded(self) -> set[int]:
        """The panels that ask nothing until somebody opens their row."""
        rows = [panel for panel in self.content["panels"] if panel["type"] == "row"]
        return {panel["id"] for row in rows for panel in row["panels"]}

    def queries(self) -> Iterator[Query]:
        """Those of all panels."""
        for panel in self.panels():
            for target in panel.get("targets", []):
                kind = target["datasource"]["type"]
                yield Query(
                    self.uid,
                    f"{panel['title']} {target['refId']}",
                    kind,
                    target["expr"],
                    instant=target.get("queryType") == "instant" or target.get("instant") is True,
                    least_ms=milliseconds(panel["interval"]) if "interval" in panel else 0,
                    panel=panel,
                    max_lines=target.get("maxLines", 1000),
                )

    def annotations(self) -> Iterator[Query]:
        for mark in self.content["annotations"]["list"]:
            yield Query(self.uid, f"annotation {mark['name']}", mark["datasource"]["type"], mark["expr"])


def boards() -> list[Board]:
    """Those that our plugins ship."""
    return [Board(path) for path in sorted(PLUGINS.glob("*/grafana/dashboards/*.json"))]
