"""The comparator itself: equal outputs are equal, and every single change of one side is seen."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from support.compare import HTTP_PARTS, Identity, Line, compare, compare_lines, k6_lines, number, our_lines, renamed
from support.records import Record

TIME = "2026-11-22T10:11:12.1234Z"
OUR_TIME = "2026-11-22T10:11:12.123400000Z"
IDENTITY = Identity(run_tags={"run_id": "r1", "workload": "web", "campaign": "x"}, configured={"repetition": "3"})
RUN_TAGS = {"run_id": "r1", "workload": "web", "campaign": "x"}
HTTP_TAGS = {"method": "GET", "name": "n", "status": "200", "scenario": "default", "group": "", **RUN_TAGS}
PARTS = {part: 0.125 * index for index, part in enumerate(HTTP_PARTS)}


def point(metric: str, value: float, tags: dict[str, str], metadata: dict[str, str] | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"time": TIME, "value": value, "tags": tags}
    if metadata:
        data["metadata"] = metadata
    return {"type": "Point", "metric": metric, "data": data}


def record(event: str, tags: dict[str, Any], **fields: Any) -> Record:
    return {
        "timestamp": OUR_TIME,
        "component": "k6",
        "run_id": "r1",
        "event_type": event,
        "workload": "web",
        "repetition": 3,
        **fields,
        "tags": {**tags, "campaign": "x", "group": "", "instance": "17"},
    }


def points() -> list[dict[str, Any]]:
    tags = {**HTTP_TAGS, "duration_ms": "mine", "vu": "seven"}
    metadata = {"vu": "1", "iter": "0"}
    http = [point("http_reqs", 1, tags, metadata), point("http_req_failed", 0, tags, metadata)]
    http += [point(metric, PARTS[part], tags, metadata) for part, metric in HTTP_PARTS.items()]
    plain = {"scenario": "default", "group": "", **RUN_TAGS}
    other = {**plain, "scenario": "ramp", "workload": "buy", "repetition": "9"}
    rest = [
        point("iterations", 1, plain),
        point("iteration_duration", 2.5, plain),
        point("data_sent", 100, plain),
        point("data_received", 200, plain),
        point("data_sent", 0, other),
        point("checks", 0, {**plain, "check": "is fine"}),
        point("my_gauge", -0.0, {**other, "value": "v", "tag_value": "w"}, {"trace": "t"}),
    ]
    return http + rest


def records() -> list[Record]:
    http = {**PARTS, "method": "GET", "name": "n", "status": 200, "failed": False}
    http |= {"tag_duration_ms": "mine", "metadata_vu": "1", "iter": "0", "vu": "seven"}
    gauge = {"metric": "my_gauge", "type": "gauge", "contains": "default", "value": -0.0}
    gauge |= {"tag_value": "v", "tag_tag_value": "w", "trace": "t"}
    elsewhere: dict[str, Any] = {"workload": "buy", "repetition": 9, "scenario": "ramp"}
    sent = {"metric": "data_sent", "type": "counter", "contains": "data", "value": 0.0}
    return [
        record("http_req", http),
        record("iteration", {"duration_ms": 2.5, "data_sent": 100.0, "data_received": 200.0}),
        record("metric", sent, **elsewhere),
        record("check", {"check": "is fine", "passed": False}),
        record("metric", gauge, **elsewhere),
        {**record("console", {}), "message": "not a sample"},
    ]


def test_equal_outputs_are_equal() -> None:
    difference = compare(points(), records(), IDENTITY, "compact")
    assert not difference, str(difference)


def change(index: int, **tags: Any) -> Callable[[list[Record]], None]:
    def apply(changed: list[Record]) -> None:
        changed[index]["tags"].update(tags)

    return apply


def field(index: int, **fields: Any) -> Callable[[list[Record]], None]:
    def apply(changed: list[Record]) -> None:
        changed[index].update(fields)

    return apply


def removed(index: int, tag: str) -> Callable[[list[Record]], None]:
    def apply(changed: list[Record]) -> None:
        del changed[index]["tags"][tag]

    return apply


CHANGES: dict[str, Callable[[list[Record]], Any]] = {
    "a record is missing": lambda changed: changed.pop(0),
    "the last record is missing": lambda changed: changed.pop(4),
    "a record is there twice": lambda changed: changed.append(copy.deepcopy(changed[3])),
    "a value differs in its last bit": change(0, waiting_ms=math.nextafter(PARTS["waiting_ms"], 9)),
    "minus zero became zero": change(4, value=0.0),
    "failed is the other way round": change(0, failed=True),
    "failed is not judged": change(0, failed=None),
    "passed is the other way round": change(3, passed=True),
    "a tag's value differs": change(0, name="m"),
    "a tag is missing": removed(0, "name"),
    "an empty tag is missing": removed(2, "group"),
    "a run tag is missing": removed(3, "campaign"),
    "a tag too many": change(1, more="x"),
    "a tag and the metadata of its name are swapped": change(0, vu="1", metadata_vu="seven"),
    "the two colliding tags are swapped": change(4, tag_value="w", tag_tag_value="v"),
    "metadata is missing": removed(4, "trace"),
    "an identity tag is repeated": change(0, workload="web"),
    "text became a number": change(0, name=7),
    "a number became text": change(0, status=200.0),
    "one nanosecond later": field(1, timestamp="2026-11-22T10:11:12.123400001Z"),
    "another workload": field(0, workload="none"),
    "another repetition": field(4, repetition=3),
    "the scenario is lost": lambda changed: changed[4].pop("scenario"),
    "the scenario default is told": field(0, scenario="default"),
    "another run": field(3, run_id="r2"),
    "another component": field(3, component="k7"),
    "a part of an iteration is lost": removed(1, "data_sent"),
    "a part of an iteration differs": change(1, data_received=200.5),
    "two values are exchanged": change(1, data_sent=200.0, data_received=100.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_seen(name: str) -> None:
    changed = copy.deepcopy(records())
    CHANGES[name](changed)
    assert compare(points(), changed, IDENTITY, "compact"), name


def test_a_sample_more_on_either_side_is_seen() -> None:
    more = points()
    more.append(copy.deepcopy(more[-1]))
    assert compare(more, records(), IDENTITY, "compact").missing
    assert compare(points()[:-1], records(), IDENTITY, "compact").extra


def test_raw_knows_metrics_only() -> None:
    with pytest.raises(AssertionError):
        compare(points(), records(), IDENTITY, "raw")
    gauge = {"metric": "checks", "type": "rate", "contains": "default", "value": 0.0, "check": "is fine"}
    plain = {"scenario": "default", "group": "", **RUN_TAGS}
    assert not compare([point("checks", 0, {**plain, "check": "is fine"})], [record("metric", gauge)], IDENTITY, "raw")


def test_renaming_loses_nothing() -> None:
    tags = {
        "value": "1",
        "tag_value": "2",
        "tag_tag_value": "3",
        "plain": "4",
        "m": "5",
        "tag_": "6",
        "metadata_m": "7",
    }
    assert renamed(tags, {"m": "8", "metadata_value": "9", "type": "10"}, "metric") == {
        "tag_value": "1",
        "tag_tag_value": "2",
        "tag_tag_tag_value": "3",
        "plain": "4",
        "m": "5",
        "tag_": "6",
        "metadata_m": "7",
        "metadata_metadata_m": "8",
        "metadata_metadata_value": "9",
        "metadata_type": "10",
    }
    assert renamed({"status": "200", "tag_status": "x"}, {}, "http_req") == {"status": "200", "tag_tag_status": "x"}
    assert renamed({"status": "200"}, {}, "metric") == {"status": "200"}


def test_numbers_are_told_apart_to_the_last_bit() -> None:
    assert number(-0.0) != number(0.0)
    assert number(1) == number(1.0)
    assert number(0.1) != number(math.nextafter(0.1, 1))
    with pytest.raises(AssertionError):
        number(True)


def test_lines_are_compared_as_a_multiset() -> None:
    lines = [Line("console", "INFO", "a", 7), Line("console", "INFO", "a", 7), Line("k6_log", "ERROR", "b", 8)]
    assert compare_lines(lines, lines[::-1]) == ""
    assert "not in our file, 1 x console INFO 7 [] 'a'" in compare_lines(lines, lines[1:])
    assert "only in our file" in compare_lines(lines[1:], lines)
    for changed in (
        Line("k6_log", "WARNING", "b", 8),
        Line("k6_log", "ERROR", "b ", 8),
        Line("k6_log", "ERROR", "b", 9),
        Line("console", "ERROR", "b", 8),
        Line("k6_log", "ERROR", "b", 8, frozenset({("hint", "x")})),
    ):
        assert compare_lines(lines, [*lines[:2], changed])


def test_lines_of_both_sides_have_one_form() -> None:
    theirs = [
        {"level": "warning", "msg": "m\0", "time": "2026-11-22T10:11:12Z", "source": "console"},
        {
            "level": "error",
            "msg": "Error: x\n\tat y",
            "time": "2026-11-22T10:11:12Z",
            "source": "stacktrace",
            "hint": "h",
        },
        {"level": "info", "msg": "k", "time": "2026-11-22T10:11:12Z", "source": "else", "phase": "p"},
        {"level": "info", "msg": "ours", "time": "2026-11-22T10:11:12Z", "output": "lb-loki"},
    ]
    ours: list[Record] = [
        {"level": "WARNING", "message": "m\0", "event_type": "console", "tags": {"instance": "1"}},
        {"level": "ERROR", "message": "Error: x\n\tat y", "event_type": "exception", "tags": {"instance": "1"}},
        {"level": "INFO", "message": "k", "event_type": "k6_log", "tags": {"source": "else", "tag_phase": "p"}},
        {"level": "INFO", "message": "run started", "event_type": "run_start", "tags": {"instance": "1"}},
    ]
    ours[1]["tags"] |= {"hint": "h", "exception": "Error: x"}
    ours = [{"timestamp": "2026-11-22T10:11:12.999999999Z", **record} for record in ours]
    assert k6_lines(theirs) == our_lines(ours)
