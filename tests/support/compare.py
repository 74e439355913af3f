"""Is every sample of `--out json` in our file, and nothing else? Both sides are taken apart into single samples,
brought to one form, and compared as multisets: a missing one, a doubled one and a changed one are all seen."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from support.k6 import nanoseconds
from support.records import Record

# The parts of a record whose names are ours, and the metric that each of them is the value of.
HTTP_PARTS = {
    "duration_ms": "http_req_duration",
    "blocked_ms": "http_req_blocked",
    "connecting_ms": "http_req_connecting",
    "tls_handshaking_ms": "http_req_tls_handshaking",
    "sending_ms": "http_req_sending",
    "waiting_ms": "http_req_waiting",
    "receiving_ms": "http_req_receiving",
}
ITERATION_PARTS = {"duration_ms": "iteration_duration", "data_sent": "data_sent", "data_received": "data_received"}
# Names that are k6's own in records of a kind, which no tag of the user can take.
SYSTEM = {"http_req": ("method", "name", "status"), "check": ("check",)}
OURS = {
    "http_req": {*HTTP_PARTS, "failed", "method", "name", "status"},
    "iteration": set(ITERATION_PARTS),
    "check": {"passed"},
    "metric": {"metric", "type", "contains", "value"},
}
# Named by us in records of each kind.
EVERYWHERE = {"instance", "truncated_bytes"}
HTTP_METRICS = {"http_reqs", "http_req_failed", *HTTP_PARTS.values()}
ITERATION_METRICS = {"iterations", *ITERATION_PARTS.values()}
SAMPLE_EVENTS = tuple(OURS)
IDENTITY = ("run_id", "workload", "repetition", "component", "scenario")


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a run was told to be: k6's run tags, and our configuration, which wins over them."""

    run_tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    configured: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of(self, tags: Mapping[str, str]) -> dict[str, str | None]:
        """The identity of a sample with these tags, as text."""
        defaults = {"component": "k6", "workload": "none", "repetition": "1"}
        found: dict[str, str | None] = {}
        for name in IDENTITY:
            own = tags.get(name)
            if own and own != self.run_tags.get(name) and (name, own) != ("scenario", "default"):
                found[name] = own
            else:
                found[name] = self.configured.get(name) or self.run_tags.get(name) or defaults.get(name)
        return found


@dataclasses.dataclass(frozen=True)
class Sample:
    """One value of one metric, in a form that can be counted."""

    metric: str
    value: str
    time_ns: int
    identity: tuple[tuple[str, str | None], ...]
    tags: frozenset[tuple[str, str]]


def number(value: Any) -> str:
    """A text that two floats share only when they are the same, minus zero included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AssertionError(f"no number: {value!r}")
    return repr(float(value))


def prefixed(name: str, ours: set[str], prefix: str) -> str:
    """A name that is ours, or ours behind such prefixes, gets one more prefix: this can be undone."""
    bare = name
    while bare.startswith(prefix):
        bare = bare[len(prefix) :]
    return prefix + name if bare in ours else name


def renamed(tags: Mapping[str, str], metadata: Mapping[str, str], event: str) -> dict[str, str]:
    """The names that a sample's tags and metadata have in a record of this event type."""
    ours = OURS[event] | EVERYWHERE
    result = {
        key if key in SYSTEM.get(event, ()) else prefixed(key, ours, "tag_"): value for key, value in tags.items()
    }
    assert len(result) == len(tags), tags
    for key in sorted(metadata):
        name = prefixed(key, ours, "metadata_")
        while name in result:
            name = "metadata_" + name
        result[name] = metadata[key]
    return result


def text(event: str, key: str, value: Any) -> str:
    """The text of a tag in our file: an integer for an HTTP status, else the text itself."""
    if isinstance(value, str):
        return value
    if (event, key) == ("http_req", "status") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return f"wrong type: {value!r}"


def record_samples(record: Record) -> list[tuple[Sample, str]]:
    """The samples that a record stands for, each with the record's event type."""
    event = record["event_type"]
    tags: dict[str, Any] = dict(record["tags"])
    values: list[tuple[str, Any]] = []
    if event == "http_req":
        values.append(("http_reqs", 1.0))
        values += [(metric, tags[part]) for part, metric in HTTP_PARTS.items()]
        if tags["failed"] is not None:
            assert isinstance(tags["failed"], bool), record
            values.append(("http_req_failed", float(tags["failed"])))
    elif event == "iteration":
        values += [("iterations", 1.0), ("iteration_duration", tags["duration_ms"])]
        values += [(part, tags[part]) for part in ("data_sent", "data_received") if part in tags]
    elif event == "check":
        assert isinstance(tags["passed"], bool), record
        values.append(("checks", float(tags["passed"])))
    else:
        assert event == "metric", record
        values.append((tags["metric"], tags["value"]))
    assert isinstance(tags["instance"], str), record
    own = (OURS[event] | EVERYWHERE) - set(SYSTEM.get(event, ()))
    rest = frozenset((key, text(event, key, value)) for key, value in tags.items() if key not in own)
    scenario = record.get("scenario")
    identity: dict[str, str | None] = {name: str(record[name]) for name in IDENTITY if name != "scenario"}
    who = tuple({**identity, "scenario": scenario}.items())
    when = nanoseconds(record["timestamp"])
    return [(Sample(metric, number(value), when, who, rest), event) for metric, value in values]


def point_sample(point: Mapping[str, Any], event: str, identity: Identity) -> Sample:
    """The form of a point of k6's JSON output, were it told by a record of this event type."""
    data = point["data"]
    tags: dict[str, str] = dict(data.get("tags") or {})
    who = identity.of(tags)
    for name in IDENTITY:
        said = who[name] or ("default" if name == "scenario" else None)
        if tags.get(name) == said:
            tags.pop(name, None)
    rest = renamed(tags, dict(data.get("metadata") or {}), event)
    key = (point["metric"], number(data["value"]), nanoseconds(data["time"]))
    return Sample(*key, tuple(who.items()), frozenset(rest.items()))


@dataclasses.dataclass
class Difference:
    """What one side has and the other has not."""

    missing: collections.Counter[Sample]
    extra: collections.Counter[Sample]

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra)

    def __str__(self) -> str:
        lines = [f"{self.missing.total()} samples of k6 are not in our file, {self.extra.total()} of ours not in k6's"]
        for name, side in (("only in k6's", self.missing), ("only in ours", self.extra)):
            lines += [f"  {name}: {count} x {sample}" for sample, count in side.most_common(4)]
        return "\n".join(lines)


def event_of(metric: str, samples: str) -> str:
    """The kind of record that tells of a sample of a metric, iterations aside."""
    if samples == "raw":
        return "metric"
    if metric in HTTP_METRICS:
        return "http_req"
    return "check" if metric == "checks" else "metric"


def compare(
    points: Iterable[Mapping[str, Any]], records: Iterable[Record], identity: Identity, samples: str
) -> Difference:
    """Compare the two outputs of one run."""
    ours: collections.Counter[Sample] = collections.Counter()
    joined: collections.Counter[tuple[str, str, int]] = collections.Counter()
    for record in records:
        if record["event_type"] not in SAMPLE_EVENTS:
            continue
        assert samples != "raw" or record["event_type"] == "metric", record
        for sample, event in record_samples(record):
            ours[sample] += 1
            if event == "iteration":
                joined[(sample.metric, sample.value, sample.time_ns)] += 1
    theirs: collections.Counter[Sample] = collections.Counter()
    for point in points:
        event = event_of(point["metric"], samples)
        key = (point["metric"], number(point["data"]["value"]), nanoseconds(point["data"]["time"]))
        if joined[key] > 0:
            joined[key] -= 1
            event = "iteration"
        theirs[point_sample(point, event, identity)] += 1
    return Difference(theirs - ours, ours - theirs)


LEVELS = {
    "trace": "TRACE",
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "fatal": "CRITICAL",
    "panic": "CRITICAL",
}
LOG_EVENTS = ("console", "k6_log", "exception")
LOG_NAMES = {"phase", "exception", "stack", *EVERYWHERE}


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of k6's log: what kind it is, when (to the second, as k6's own log has it) and with which fields."""

    event: str
    level: str
    message: str
    second: int = 0
    fields: frozenset[tuple[str, str]] = frozenset()


def k6_lines(log: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The lines of k6's own log that our file has to have, in order."""
    kinds = {"console": "console", "stacktrace": "exception"}
    lines = []
    for line in log:
        if line.get("output") == "lb-loki":  # what we say ourselves
            continue
        event = kinds.get(line.get("source", ""), "k6_log")
        own = {"level", "msg", "time"} | ({"source"} if event != "k6_log" else set())
        fields = {prefixed(key, LOG_NAMES, "tag_"): json.dumps(line[key]) for key in line if key not in own}
        second = nanoseconds(line["time"]) // 1_000_000_000
        lines.append(Line(event, LEVELS[line["level"]], line["msg"], second, frozenset(fields.items())))
    return lines


def our_lines(records: Iterable[Record]) -> list[Line]:
    """The same of our file, in its order."""
    lines = []
    for record in records:
        event, tags = record["event_type"], record["tags"]
        if event not in LOG_EVENTS:
            continue
        if event == "exception":
            assert tags["exception"] == record["message"].split("\n")[0], record
        own = EVERYWHERE | ({"exception"} if event == "exception" else set())
        fields = {key: json.dumps(value) for key, value in tags.items() if key not in own}
        second = nanoseconds(record["timestamp"]) // 1_000_000_000
        lines.append(Line(event, record["level"], record["message"], second, frozenset(fields.items())))
    return lines


def compare_lines(theirs: Iterable[Line], ours: Iterable[Line]) -> str:
    """Empty when both hold the same lines; else what differs."""
    left, right = collections.Counter(theirs), collections.Counter(ours)
    parts = []
    for name, side in (("not in our file", left - right), ("only in our file", right - left)):
        parts += [
            f"{name}, {count} x {line.event} {line.level} {line.second} {sorted(line.fields)} {line.message[:200]!r}"
            for line, count in side.items()
        ]
    return "\n".join(parts)
