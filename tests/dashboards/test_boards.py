"""Dashboards by themselves: names, words, units, the grid, and that whatever they refer to is there."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from support.grafana import PLUGINS, VARIABLE, Board, boards

BOARDS = boards()
# People have links to these: one that goes needs a word in the change log.
UIDS = {
    "platform": {f"lb-platform-{name}" for name in ("runs", "run", "k6", "requests", "compare", "logs")},
    "dfaas": {f"lb-dfaas-{name}" for name in ("functions", "nodes", "requests")},
}
WIDTH = 24
# Variables of data links, and of Grafana itself.
OF_LINKS = {"__value", "__field", "__data", "__url_time_range"}
OF_GRAFANA = {"__all", "__auto", "__range", "__interval", "__rate_interval", "__from", "__to"}

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def texts(value: Any) -> list[str]:
    """All texts in it, however deep."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def links(board: Board) -> list[str]:
    """Where its panels lead to."""
    urls = []
    for panel in board.panels():
        config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        listed = list(config["defaults"].get("links", []))
        properties = [each for override in config["overrides"] for each in override["properties"]]
        listed += [link for each in properties if each["id"] == "links" for link in each["value"]]
        urls += [link["url"] for link in listed]
    return urls


def used(text: str) -> set[str]:
    return {found[1] or found[2] or found[4] for found in VARIABLE.finditer(text)}


def declared_datasources() -> dict[str, str]:
    """uid and type of what our plugins declare, but for those of each host."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PLUGINS.glob("*/grafana/datasources.yaml")))
    return dict(re.findall(r"uid: ([\w-]+)\n +name: .+\n +type: (\w+)", text))


def test_names_are_those_that_people_have_links_to() -> None:
    found: dict[str, set[str]] = {}
    for board in BOARDS:
        found.setdefault(board.path.parents[2].name, set()).add(board.uid)
        assert board.path.name == f"{board.uid}.json"
    assert found == UIDS
    assert max(Counter(board.content["title"] for board in BOARDS).values()) == 1


@each_board
def test_a_dashboard_says_what_it_is(board: Board) -> None:
    content = board.content
    assert content["title"].startswith("lb-log / ")
    assert content["description"].endswith(".")
    assert "lb-log" in content["tags"]
    assert content["refresh"] == ""
    assert re.fullmatch(r"now-\d+[hd]", content["time"]["from"])
    assert 39 <= content["schemaVersion"] <= 41
    # What is numbered by a server is no part of a file: else each import would be a change.
    assert not {"id", "version"} & set(content)


@each_board
def test_each_panel_says_what_it_shows_also_where_it_is_empty(board: Board) -> None:
    for panel in board.panels():
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        if panel["type"] == "text":
            continue
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"], panel["title"]
        assert panel["type"] == "logs" or defaults["unit"], panel["title"]


@each_board
def test_panels_fill_the_grid(board: Board) -> None:
    """No two share a place, and nothing is left empty, folded rows included."""
    panels = board.content["panels"]
    for shown in [panels, *(row["panels"] for row in panels if row["type"] == "row" and row["panels"])]:
        places = Counter(
            (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
            for panel in shown
            for dx in range(panel["gridPos"]["w"])
            for dy in range(panel["gridPos"]["h"])
        )
        assert max(places.values()) == 1, "panels overlap"
        rows = {y for _, y in places}
        assert all(0 <= x < WIDTH for x, _ in places), "a panel is outside"
        assert len(places) == WIDTH * len(rows), "a place is empty"
        assert rows == set(range(min(rows), max(rows) + 1)), "a line is empty"
    numbers = Counter(panel["id"] for panel in (*panels, *board.panels()) if panel["type"] != "row")
    assert set(numbers.values()) <= {1, 2}


@each_board
def test_datasources_are_those_that_plugins_declare(board: Board) -> None:
    declared = declared_datasources()
    assert declared == {"lb-loki": "loki", "lb-prometheus": "prometheus"}
    variables = {model["name"]: model for model in board.variables}
    for model in board.variables:
        if model["type"] == "datasource":
            assert declared[model["current"]["value"]] == model["query"]
    referring = [*board.panels(), *board.variables, *board.content["annotations"]["list"]]
    referring += [target for panel in board.panels() for target in panel.get("targets", [])]
    for each in referring:
        if each.get("type") in ("text", "datasource", "custom", "textbox"):
            continue
        source = each["datasource"]
        found = re.fullmatch(r"\$\{(\w+)\}", source["uid"])
        assert found, source
        assert variables[found[1]]["query"] == source["type"]


@each_board
def test_every_variable_is_declared_and_used(board: Board) -> None:
    names = [model["name"] for model in board.variables]
    assert len(names) == len(set(names))
    for at, model in enumerate(board.variables):
        queries = {key: model.get(key) for key in ("query", "datasource", "definition")}
        before = set().union(*(used(text) for text in texts(queries)))
        assert before <= set(names[:at]), f"{model['name']} asks for what comes later: {before}"
    content = board.content
    everywhere = set().union(*(used(text) for text in texts(content)))
    assert everywhere <= {*names, *OF_LINKS, *OF_GRAFANA}, everywhere
    assert set(names) <= everywhere, f"nothing uses {set(names) - everywhere}"


@each_board
def test_links_lead_to_dashboards_that_take_their_variables(board: Board) -> None:
    by_uid = {each.uid: each for each in BOARDS}
    for url in links(board):
        found = re.match(r"/d/([\w-]+)\?", url)
        assert found, url
        target = {model["name"] for model in by_uid[found[1]].variables}
        given = {*re.findall(r"[?&]var-(\w+)=", url), *re.findall(r"\$\{(\w+):queryparam\}", url)}
        assert given <= target, f"{url}: {found[1]} has no {given - target}"
    for menu in board.content["links"]:
        assert any(tag in each.content["tags"] for tag in menu["tags"] for each in BOARDS)


@each_board
def test_what_links_say_of_a_point_is_among_its_labels(board: Board) -> None:
    """A link that names a label of a series, from a panel whose series have no such label, leads nowhere."""
    for panel in board.panels():
        urls = [link["url"] for link in panel.get("fieldConfig", {"defaults": {}})["defaults"].get("links", [])]
        for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", " ".join(urls)):
            for target in panel["targets"]:
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), f"{panel['title']}: {label}"
