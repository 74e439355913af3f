"""Whether Loki holds what a file has: the comparison that the product does not make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from support.clib import LEVELS
from support.k6 import nanoseconds
from support.loki import HOUR, SECOND, Loki
from support.records import Record, read_log

SAMPLES = {"http_req", "iteration", "check", "metric"}
# What a stream is known by; `scenario` only where there is one.
LABELS = ("component", "host", "run_id", "workload", "repetition", "scenario")


def shipped(log: Path) -> list[tuple[int, str]]:
    """Time and bytes of the file's lines from INFO up, in the order in which Loki's lines are sorted."""
    lines = log.read_text(encoding="utf-8").split("\n")[:-1]
    records = read_log(log)
    assert len(lines) == len(records)
    return sorted(
        (nanoseconds(record["timestamp"]), line)
        for line, record in zip(lines, records, strict=True)
        if LEVELS[record["level"]] >= LEVELS["INFO"]
    )


def stream_of(record: Record) -> dict[str, str]:
    """The labels that a record's stream must have."""
    kind = "sample" if record["event_type"] in SAMPLES else "log"
    return {name: str(record[name]) for name in LABELS if name in record} | {"kind": kind}


def as_set(streams: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(stream.items())) for stream in streams}


def counted(loki: Loki, selector: str, first_ns: int, last_ns: int) -> int:
    """How many entries metric queries count between two times, both included; a line that Loki stored twice is two."""
    seconds = (last_ns - first_ns) // SECOND + 2
    query = f"sum(count_over_time({selector}[{seconds}s]))"
    result = loki.answer("/loki/api/v1/query", query=query, time=first_ns + seconds * SECOND - SECOND)["result"]
    return int(result[0]["value"][1]) if result else 0


def check_equal(loki: Loki, log: Path, run_id: str, *, replayed: int = 0) -> int:
    """Loki holds for a run what the file has from INFO up, each line once, in the right streams; how many lines.
    Metric queries may count up to `replayed` lines twice.
    """
    expected, selector = shipped(log), f'{{run_id="{run_id}"}}'
    first, last = expected[0][0], expected[-1][0]
    found = [(entry.ns, entry.line) for entry in loki.lines(selector, first - HOUR, last + HOUR // 2)]
    missing, more = set(expected) - set(found), set(found) - set(expected)
    assert not missing, f"Loki lacks {len(missing)} of {len(expected)} lines: {sorted(missing)[:3]}"
    assert not more, f"Loki has {len(more)} lines that the file has not: {sorted(more)[:3]}"
    assert found == expected
    twice = counted(loki, selector, first, last) - len(expected)
    assert 0 <= twice <= replayed, f"{twice} lines are counted twice, {replayed} may be"

    window: Mapping[str, str | int] = {"match[]": selector, "start": first, "end": last + 1}
    streams = loki.answer("/loki/api/v1/series", **window)
    # Loki adds a name for each service by itself.
    own = [{name: value for name, value in stream.items() if name != "service_name"} for stream in streams]
    wanted = [stream_of(record) for record in read_log(log) if LEVELS[record["level"]] >= LEVELS["INFO"]]
    assert as_set(own) == as_set(wanted)
    return len(expected)
