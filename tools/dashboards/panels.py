"""The kinds of panels that our dashboards are made of, each with the settings that all of its kind share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.dashboards.model import Json

LEVEL_COLOURS = {
    "TRACE": "super-light-blue",
    "DEBUG": "light-blue",
    "INFO": "green",
    "WARNING": "orange",
    "ERROR": "red",
    "CRITICAL": "dark-red",
}

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


def steps(colour: str, *more: tuple[float, str]) -> Json:
    """Thresholds: a colour to begin with, and from which value which other."""
    first: list[Json] = [{"color": colour, "value": None}]
    return {"mode": "absolute", "steps": first + [{"color": name, "value": value} for value, name in more]}


def override(name: str, **properties: Any) -> Json:
    """What is special about the field of a name; a property `custom.width` is written custom_width."""
    listed = [{"id": key.replace("custom_", "custom."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def fixed(colour: str) -> Json:
    return {"mode": "fixed", "fixedColor": colour}


def by_level() -> list[Json]:
    """Each level in its colour."""
    return [override(level, color=fixed(colour)) for level, colour in LEVEL_COLOURS.items()]


def panel(
    kind: str, title: str, description: str, width: int, targets: Sequence[Json], options: Json, defaults: Json
) -> Json:
    """What every panel has."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "width": width,
        "datasource": targets[0]["datasource"],
        "targets": list(targets),
        "options": options,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }


def lines(
    title: str,
    description: str,
    width: int,
    *targets: Json,
    unit: str,
    no_value: str,
    bars: bool = False,
    stacked: bool = False,
    least: str = "",
    bounds: tuple[float | None, float | None] = (0, None),
    thresholds: Json | None = None,
    overrides: Sequence[Json] = (),
    links: Sequence[Json] = (),
    calculations: Sequence[str] = (),
) -> Json:
    """Values over time. `least`: the smallest step, where the records themselves come no closer."""
    low, high = bounds
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 70 if bars else 10,
        "gradientMode": "none",
        "showPoints": "auto",
        "pointSize": 4,
        # Milliseconds: what is missing for longer is a hole, not a line.
        "spanNulls": 60_000,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
        "axisPlacement": "auto",
    }
    defaults: Json = {"unit": unit, "noValue": no_value, "color": {"mode": "palette-classic"}, "custom": custom}
    defaults |= {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    if thresholds:
        defaults["thresholds"] = thresholds
    if links:
        defaults["links"] = list(links)
    options: Json = {
        "legend": {
            "showLegend": True,
            "displayMode": "table" if calculations else "list",
            "placement": "bottom",
            "calcs": list(calculations),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    made = panel("timeseries", title, description, width, targets, options, defaults)
    made["fieldConfig"]["overrides"] = list(overrides)
    if least:
        made["interval"] = least
    return made


def number(
    title: str,
    description: str,
    width: int,
    target: Json,
    *,
    unit: str,
    no_value: str,
    thresholds: Json,
    mappings: Sequence[Json] = (),
    links: Sequence[Json] = (),
) -> Json:
    """One number, large; its background tells when it is bad."""
    defaults: Json = {
        "unit": unit,
        "noValue": no_value,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds,
        "mappings": list(mappings),
    }
    if links:
        defaults["links"] = list(links)
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "value",
        "colorMode": "background_solid",
        "graphMode": "none",
        "justifyMode": "center",
        "wideLayout": True,
        "showPercentChange": False,
    }
    return panel("stat", title, description, width, [target], options, defaults)


def table(
    title: str,
    description: str,
    width: int,
    *targets: Json,
    unit: str,
    no_value: str,
    columns: Mapping[str, str],
    hidden: Sequence[str] = (),
    overrides: Sequence[Json] = (),
    sort: tuple[str, bool] | None = None,
) -> Json:
    """Instant queries, one a column, joined by their labels. `columns`: what each field is called, from left to right;
    `sort`: by which of them, and whether from the largest.
    """
    places = {field: at for at, field in enumerate(columns)}
    away = dict.fromkeys(("Time", *hidden), True)
    renamed = {field: name for field, name in columns.items() if field != name}
    defaults: Json = {
        "unit": unit,
        "noValue": no_value,
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False},
    }
    options: Json = {
        "showHeader": True,
        "cellHeight": "sm",
        "sortBy": [{"displayName": sort[0], "desc": sort[1]}] if sort else [],
    }
    made = panel("table", title, description, width, targets, options, defaults)
    made["fieldConfig"]["overrides"] = list(overrides)
    organize = {"excludeByName": away, "indexByName": places, "renameByName": renamed}
    made["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    return made


def bands(
    title: str,
    description: str,
    width: int,
    target: Json,
    *,
    no_value: str,
    mappings: Sequence[Json],
    links: Sequence[Json] = (),
) -> Json:
    """States over time; each number of the query stands for one."""
    defaults: Json = {
        "unit": "none",
        "noValue": no_value,
        "color": {"mode": "thresholds"},
        "thresholds": steps("transparent"),
        "mappings": list(mappings),
        "custom": {"fillOpacity": 75, "lineWidth": 0},
    }
    if links:
        defaults["links"] = list(links)
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "center",
        "rowHeight": 0.8,
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel("state-timeline", title, description, width, [target], options, defaults)


def states(*known: tuple[int, str, str]) -> list[Json]:
    """Value mappings: which number has which name and colour."""
    options = {
        str(value): {"text": text, "color": colour, "index": at} for at, (value, text, colour) in enumerate(known)
    }
    return [{"type": "value", "options": options}]


def log(title: str, description: str, width: int, target: Json, *, no_value: str) -> Json:
    """Lines of the log, newest first; the fields of each open with a click."""
    options = {
        "showTime": True,
        "showLabels": False,
        "showCommonLabels": False,
        "wrapLogMessage": True,
        "prettifyLogMessage": False,
        "enableLogDetails": True,
        "showLogContextToggle": True,
        "dedupStrategy": "none",
        "sortOrder": "Descending",
    }
    return panel("logs", title, description, width, [target], options, {"noValue": no_value})


def text(title: str, description: str, width: int, content: str) -> Json:
    """Words, in Markdown."""
    return {
        "type": "text",
        "title": title,
        "description": description,
        "width": width,
        "options": {"mode": "markdown", "content": content},
    }
