"""Grafana's dashboard model, as far as ours need it: variables, queries, links, and the grid that panels lie on.

A dashboard is described as lines of panels from top to bottom. A line fills the width of the grid, so nothing overlaps
and nothing is left empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# What Grafana 11.0 writes; later ones read it and migrate it by themselves.
SCHEMA_VERSION = 39
GRID_WIDTH = 24

LOKI: Json = {"type": "loki", "uid": "${loki}"}
PROMETHEUS: Json = {"type": "prometheus", "uid": "${prometheus}"}

# VariableRefresh and VariableSort of Grafana's schema.
ON_TIME_RANGE_CHANGED = 2
ALPHABETICAL, ALPHABETICAL_DESC, NUMERICAL = 1, 2, 3


@dataclass(frozen=True)
class Line:
    """Panels side by side, all of one height."""

    height: int
    panels: Sequence[Json]


@dataclass(frozen=True)
class Section:
    """A row that can be folded, with its lines. A folded one asks nothing until it is opened."""

    title: str
    lines: Sequence[Line]
    folded: bool = False


# --- variables ---


def datasource_variable(name: str, label: str, kind: str, uid: str, title: str) -> Json:
    """Which of the datasources of a kind; at first the one that we provision."""
    return {
        "name": name,
        "label": label,
        "description": f"The {label} that this dashboard reads",
        "type": "datasource",
        "query": kind,
        "regex": "",
        "current": {"text": title, "value": uid},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
    }


def loki_variable() -> Json:
    return datasource_variable("loki", "Loki", "loki", "lb-loki", "lb-log Loki")


def prometheus_variable() -> Json:
    return datasource_variable("prometheus", "Prometheus", "prometheus", "lb-prometheus", "lb-log Prometheus")


def label_variable(
    name: str, of: str, stream: str, description: str, *, several: bool = True, sort: int = ALPHABETICAL
) -> Json:
    """The values of a label in Loki's streams. Where several may be chosen, all are at first."""
    everything = {"current": {"text": ["All"], "value": ["$__all"]}, "allValue": ".+"} if several else {}
    return {
        "name": name,
        "label": name.capitalize(),
        "description": description,
        "type": "query",
        "datasource": LOKI,
        # Type 1 asks for the values of a label.
        "query": {"label": of, "stream": stream, "type": 1, "refId": f"variable-{name}"},
        "definition": "",
        "regex": "",
        "hide": 0,
        "includeAll": several,
        "multi": several,
        "options": [],
        "refresh": ON_TIME_RANGE_CHANGED,
        "sort": sort,
        **everything,
    }


def metric_variable(name: str, expression: str, description: str, regex: str = "") -> Json:
    """Label values of a metric in Prometheus, all at first; `regex` takes its first group out of each."""
    return {
        "name": name,
        "label": name.capitalize(),
        "description": description,
        "type": "query",
        "datasource": PROMETHEUS,
        # Type 1 is a query of label values.
        "query": {"query": expression, "qryType": 1, "refId": f"variable-{name}"},
        "definition": expression,
        "regex": regex,
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
        "refresh": ON_TIME_RANGE_CHANGED,
        "sort": ALPHABETICAL,
    }


def list_variable(name: str, description: str, choices: Sequence[tuple[str, str]]) -> Json:
    """One of a fixed list of (text, value), the first at first."""
    options = [{"text": text, "value": value, "selected": at == 0} for at, (text, value) in enumerate(choices)]
    return {
        "name": name,
        "label": name.capitalize(),
        "description": description,
        "type": "custom",
        "query": ",".join(f"{text} : {value}" for text, value in choices),
        "current": {"text": choices[0][0], "value": choices[0][1]},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": options,
    }


def text_variable(name: str, description: str) -> Json:
    """What a person types, at first nothing."""
    return {
        "name": name,
        "label": name.capitalize(),
        "description": description,
        "type": "textbox",
        "query": "",
        "current": {"text": "", "value": ""},
        "hide": 0,
        "options": [],
    }


# --- queries ---


def over_time(expression: str, legend: str, ref: str = "A") -> Json:
    """A LogQL query with a value for each step."""
    return {
        "datasource": LOKI,
        "refId": ref,
        "expr": expression,
        "legendFormat": legend,
        "queryType": "range",
        "editorMode": "code",
    }


def at_end(expression: str, ref: str = "A") -> Json:
    """A LogQL query with one value, over the whole time range: a column of a table."""
    return {
        "datasource": LOKI,
        "refId": ref,
        "expr": expression,
        "legendFormat": "",
        "queryType": "instant",
        "editorMode": "code",
    }


def log_lines(expression: str, most: int) -> Json:
    """The newest lines."""
    return {
        "datasource": LOKI,
        "refId": "A",
        "expr": expression,
        "queryType": "range",
        "editorMode": "code",
        "maxLines": most,
    }


def metric(expression: str, legend: str, ref: str = "A") -> Json:
    """A PromQL query with a value for each step."""
    return {
        "datasource": PROMETHEUS,
        "refId": ref,
        "expr": expression,
        "legendFormat": legend,
        "range": True,
        "instant": False,
        "editorMode": "code",
    }


# --- links and annotations ---


def link(title: str, url: str) -> Json:
    return {"title": title, "url": url, "targetBlank": False}


def to_tag(tag: str, title: str) -> Json:
    """A menu of the dashboards with a tag, which keep the time range and the variables."""
    return {
        "title": title,
        "type": "dashboards",
        "tags": [tag],
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def annotation(name: str, expression: str, colour: str, text: str, *, shown: bool = True) -> Json:
    """Marks on the time axis of all panels, one for each line of a query."""
    return {
        "name": name,
        "datasource": LOKI,
        "enable": shown,
        "hide": False,
        "iconColor": colour,
        "expr": expression,
        "titleFormat": name,
        "textFormat": text,
        "tagKeys": "component,host,workload,repetition",
    }


# --- the dashboard ---


def placed(sections: Sequence[Section]) -> list[Json]:
    """The panels with their places on the grid and their numbers, in order."""
    panels: list[Json] = []
    number = y = 0
    for section in sections:
        inside: list[Json] = []
        if section.title:
            number += 1
            row = {
                "id": number,
                "type": "row",
                "title": section.title,
                "collapsed": section.folded,
                "gridPos": {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1},
                "panels": inside if section.folded else [],
            }
            panels.append(row)
            y += 1
        for line in section.lines:
            x = 0
            for panel in line.panels:
                number += 1
                place = {"x": x, "y": y, "w": panel["width"], "h": line.height}
                rest = {key: value for key, value in panel.items() if key != "width"}
                inside.append({"id": number, **rest, "gridPos": place})
                x += panel["width"]
            if x != GRID_WIDTH:
                raise ValueError(f"{line.panels[0]['title']}: its line is {x} wide, not {GRID_WIDTH}")
            y += line.height
        if not (section.title and section.folded):
            panels += inside
    return panels


def dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    tags: Sequence[str],
    variables: Sequence[Json],
    sections: Sequence[Section],
    since: str,
    links: Sequence[Json] = (),
    annotations: Sequence[Json] = (),
) -> Json:
    """A whole dashboard. `since`: where its time range begins at first, as `now-24h`."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": list(tags),
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "",
        "time": {"from": since, "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m"]},
        "timezone": "browser",
        "links": list(links),
        "annotations": {"list": list(annotations)},
        "templating": {"list": list(variables)},
        "panels": placed(sections),
    }
