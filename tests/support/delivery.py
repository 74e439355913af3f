"""Whether Loki holds what a log has, and whether the counts of the product say so: the comparison that the product does
not make.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from support.clib import LEVELS
from support.k6 import nanoseconds
from support.loki import HOUR, SECOND, Loki
from support.records import Record, parse_bytes_fast

SAMPLES = {"http_req", "iteration", "check", "metric"}
# What a stream is known by; `scenario` only where there is one.
LABELS = ("component", "host", "run_id", "workload", "repetition", "scenario")

# Time and text of a line.
Line = tuple[int, str]


def pushing(loki: Loki, **more: Any) -> dict[str, Any]:
    """The block `loki` of a configuration, with pauses shorter than by default, so that tests are."""
    quick = {"flush_interval_ms": 100, "backoff_base": 0.1, "backoff_factor": 1.5}
    return {"enabled": True, "endpoint": loki.url, **quick, **more}


def files_of(log: Path) -> list[Path]:
    """The log's rotated segments, oldest first, then the log."""
    return [*sorted(log.parent.glob(f"{log.stem}.[0-9]*.jsonl")), log]


def lines_of(files: Iterable[Path]) -> list[tuple[str, Record]]:
    """The lines of files, each with its record."""
    found: list[tuple[str, Record]] = []
    for path in files:
        content = path.read_bytes()
        texts = content.decode().split("\n")[:-1]
        found += zip(texts, parse_bytes_fast(content) if texts else [], strict=True)
    return found


def from_level(lines: Iterable[tuple[str, Record]], level: str = "INFO") -> list[tuple[Line, Record]]:
    """Those from a level up, with their times, in the order in which Loki's lines are sorted."""
    least = LEVELS[level]
    found = [((nanoseconds(record["timestamp"]), line), record) for line, record in lines if least <= number(record)]
    return sorted(found, key=lambda pair: pair[0])


def number(record: Record) -> int:
    """The level of a record."""
    return LEVELS[record["level"]]


def shipped(log: Path) -> list[Line]:
    """Time and bytes of the log's lines from INFO up, in the order in which Loki's lines are sorted."""
    return [line for line, _ in from_level(lines_of(files_of(log)))]


def stream_of(record: Record) -> dict[str, str]:
    """The labels that a record's stream must have."""
    kind = "sample" if record["event_type"] in SAMPLES else "log"
    return {name: str(record[name]) for name in LABELS if name in record} | {"kind": kind}


def as_set(streams: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(stream.items())) for stream in streams}


def windows(times: Iterable[int]) -> list[tuple[int, int]]:
    """The first and the last of the times, apart where nothing is for an hour."""
    found: list[tuple[int, int]] = []
    for ns in sorted(times):
        if found and ns - found[-1][1] <= HOUR:
            found[-1] = (found[-1][0], ns)
        else:
            found.append((ns, ns))
    return found


def held(loki: Loki, selector: str, lines: Iterable[Line]) -> list[Line]:
    """What Loki holds in the hours of these lines."""
    found: dict[Line, None] = {}
    for first, last in windows(ns for ns, _ in lines):
        found |= {(entry.ns, entry.line): None for entry in loki.lines(selector, first - HOUR, last + HOUR // 2)}
    return sorted(found)


def counted(loki: Loki, selector: str, first_ns: int, last_ns: int) -> int:
    """How many entries metric queries count between two times, both included; a line that Loki stored twice is two."""
    seconds = (last_ns - first_ns) // SECOND + 2
    query = f"sum(count_over_time({selector}[{seconds}s]))"
    result = loki.answer("/loki/api/v1/query", query=query, time=first_ns + seconds * SECOND - SECOND)["result"]
    return int(result[0]["value"][1]) if result else 0


def check_equal(loki: Loki, log: Path, run_id: str, *, replayed: int = 0, level: str = "INFO") -> int:
    """Loki holds for a run what the log has from a level up, each line once, in the right streams; how many lines.
    Metric queries may count up to `replayed` lines twice. Equal lines of one nanosecond (two VUs may make them) are
    one for Loki.
    """
    wanted, selector = from_level(lines_of(files_of(log)), level), f'{{run_id="{run_id}"}}'
    expected = [line for line, _ in wanted]
    found = held(loki, selector, expected)
    missing, more = set(expected) - set(found), set(found) - set(expected)
    assert not missing, f"Loki lacks {len(missing)} of {len(expected)} lines: {sorted(missing)[:3]}"
    assert not more, f"Loki has {len(more)} lines that the file has not: {sorted(more)[:3]}"
    assert found == sorted(set(expected))
    check_counted_once(loki, selector, expected, replayed)

    first, last = expected[0][0], expected[-1][0]
    window: Mapping[str, str | int] = {"match[]": selector, "start": first, "end": last + 1}
    streams = loki.answer("/loki/api/v1/series", **window)
    # Loki adds a name for each service by itself.
    own = [{name: value for name, value in stream.items() if name != "service_name"} for stream in streams]
    assert as_set(own) == as_set([stream_of(record) for _, record in wanted])
    return len(expected)


def check_counted_once(loki: Loki, selector: str, lines: list[Line], replayed: int = 0) -> None:
    """Metric queries count these lines, which Loki holds, once each, but for those that were replayed."""
    twice = sum(counted(loki, selector, *window) for window in windows(ns for ns, _ in lines)) - len(set(lines))
    assert 0 <= twice <= replayed, f"{twice} lines are counted twice, {replayed} may be"


def put_aside(log: Path) -> list[dict[str, Any]]:
    """The entries of a log's quarantine."""
    path = log.with_name(f"{log.stem}.quarantined.jsonl")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text.endswith("\n") or not text, f"the quarantine ends within an entry: {text[-200:]!r}"
    return [json.loads(line) for line in text.split("\n")[:-1]]


def check_accounts(
    loki: Loki, log: Path, run_id: str, stats: Mapping[str, int], *, level: str = "INFO", gone: Container[Line] = ()
) -> None:
    """At rest the counts say what the files, Loki and the quarantine say. `gone`: lines of files that were deleted."""
    lines = lines_of(files_of(log))
    wanted = [line for line, _ in from_level(lines, level)]
    there = held(loki, f'{{run_id="{run_id}"}}', wanted)
    foreign = [line for line in set(there) - set(wanted) if line not in gone]
    assert not foreign, f"Loki has {len(foreign)} lines that the log never had: {foreign[:3]}"
    quarantined = put_aside(log)
    in_loki = set(there)
    acknowledged = sum(line in in_loki for line in wanted)
    counts = {
        "lines": len(lines),
        "below_level": len(lines) - len(wanted),
        "acknowledged": acknowledged,
        "quarantined": len(quarantined),
        "pending": len(wanted) - acknowledged - len(quarantined),
    }
    told = {name: stats[f"loki_{name}"] for name in counts}
    assert told == counts, f"told {told}, and in truth {counts}"
