"""The Loki that the tests run against: what it does by itself, what the product has to know of it, and that k6's file
is in it, line by line.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support import k6
from support.clib import LEVELS, Logger
from support.loki import PAGE, Loki, free_port, running_loki
from support.process import Target
from support.records import Record, read_log

SECOND = 1_000_000_000
HOUR = 3600 * SECOND

SAMPLES = {"http_req", "iteration", "check", "metric"}
# What a stream is known by; `scenario` only where there is one.
LABELS = ("component", "host", "run_id", "workload", "repetition", "scenario")


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


def test_lines_come_back(loki: Loki) -> None:
    now = time.time_ns()
    values = [(now + n, f'line {n} \u2028 "x" \\ \U0001f980') for n in range(2 * PAGE + 10)]
    assert loki.push({"run_id": "pages"}, values) == (204, "")
    found = loki.lines('{run_id="pages"}', now, now + len(values))
    assert [(entry.ns, entry.line) for entry in found] == values
    assert found[0].labels["run_id"] == "pages"


def test_lines_of_an_old_run_are_found_at_once(loki: Loki) -> None:
    """With Loki's defaults a line that is older than 2.75 hours is found only after it was flushed."""
    now = time.time_ns()
    for age in (2 * HOUR, 4 * HOUR, 100 * HOUR):
        stream = {"run_id": f"old {age}"}
        assert loki.push(stream, [(now - age, "old")]) == (204, "")
        assert [entry.line for entry in loki.lines(f'{{run_id="old {age}"}}', now - age, now - age)] == ["old"]


def test_the_answers_that_the_product_reads(loki: Loki) -> None:
    now = time.time_ns()
    status, body = loki.push({"run_id": "ahead"}, [(now, "good"), (now + HOUR, "bad")])
    assert status == 400, body
    assert " has timestamp too new: " in body
    assert [entry.line for entry in loki.lines('{run_id="ahead"}', now, now + 2 * HOUR)] == ["good"]
    status, body = loki.push({"run_id": "ahead"}, [(now - 2 * HOUR, "bad"), (now + 1, "good")])
    assert status == 400, body
    assert "entry too far behind, entry timestamp is: " in body
    assert "total ignored: 1 out of 2 for stream: " in body


def test_what_was_accepted_survives_a_kill(folder: Path) -> None:
    with running_loki(folder) as loki:
        now = time.time_ns()
        assert loki.push({"run_id": "kill"}, [(now, "a"), (now + 1, "b")]) == (204, "")
        loki.kill()
        assert not loki.is_ready()
        loki.start()
        assert [entry.line for entry in loki.lines('{run_id="kill"}', now, now + 1)] == ["a", "b"]


def shipped(log: Path) -> list[tuple[int, str]]:
    """Time and bytes of the file's lines from INFO up, in the order in which Loki's lines are sorted."""
    lines = log.read_text(encoding="utf-8").split("\n")[:-1]
    records = read_log(log)
    assert len(lines) == len(records)
    return sorted(
        (k6.nanoseconds(record["timestamp"]), line)
        for line, record in zip(lines, records, strict=True)
        if LEVELS[record["level"]] >= LEVELS["INFO"]
    )


def stream_of(record: Record) -> dict[str, str]:
    """The labels that a record's stream must have."""
    kind = "sample" if record["event_type"] in SAMPLES else "log"
    return {name: str(record[name]) for name in LABELS if name in record} | {"kind": kind}


def as_set(streams: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(stream.items())) for stream in streams}


def answer(loki: Loki, path: str, **parameters: str | int) -> Any:
    return json.loads(loki.get(path, **parameters))["data"]


def check_equal(loki: Loki, log: Path, run_id: str) -> int:
    """Loki holds for a run what the file has from INFO up, each line once, in the right streams; how many lines."""
    expected, selector = shipped(log), f'{{run_id="{run_id}"}}'
    first, last = expected[0][0], expected[-1][0]
    found = [(entry.ns, entry.line) for entry in loki.lines(selector, first - HOUR, last + HOUR // 2)]
    missing, more = set(expected) - set(found), set(found) - set(expected)
    assert not missing, f"Loki lacks {len(missing)} of {len(expected)} lines: {sorted(missing)[:3]}"
    assert not more, f"Loki has {len(more)} lines that the file has not: {sorted(more)[:3]}"
    assert found == expected
    query = f"sum(count_over_time({selector}[2h]))"
    (counted,) = answer(loki, "/loki/api/v1/query", query=query, time=last + SECOND)["result"]
    assert int(counted["value"][1]) == len(expected), "lines that were sent twice"

    window: Mapping[str, str | int] = {"match[]": selector, "start": first, "end": last + 1}
    streams = answer(loki, "/loki/api/v1/series", **window)
    # Loki adds a name for each service by itself.
    own = [{name: value for name, value in stream.items() if name != "service_name"} for stream in streams]
    wanted = [stream_of(record) for record in read_log(log) if LEVELS[record["level"]] >= LEVELS["INFO"]]
    assert as_set(own) == as_set(wanted)
    return len(expected)


def closing_counts(stderr: str) -> dict[str, int]:
    """The counts of the line before k6's summary."""
    found = re.search(r"^lb-loki: records \d+, file .*?, (acknowledged .*)$", stderr, re.MULTILINE)
    assert found, stderr
    return {name: int(count) for name, count in (part.rsplit(" ", 1) for part in found[1].split(", "))}


def identity(run_id: str) -> list[str]:
    tags = {"run_id": run_id, "workload": "of-the-run", "repetition": "3"}
    return [part for name, value in tags.items() for part in ("--tag", f"{name}={value}")]


@pytest.mark.parametrize("script", ["scenarios", "console", "thresholds", "custom_metrics"])
def test_what_loki_returns_for_a_run_of_k6_is_what_the_file_has(
    loki: Loki, folder: Path, target: Target, script: str
) -> None:
    """Every kind of record and of text, also what k6 logs after it has stopped its outputs."""
    run = k6.run(
        f"{script}.js",
        folder,
        target,
        samples=f"compact,{loki.url}",
        extra=identity(script),
        script_environment={"SHORT": "1"},
    )
    (log,) = run.logs
    lines = check_equal(loki, log, script)
    counts = closing_counts(run.stderr)
    assert (counts["pending"], counts["dropped"]) == (0, 0), run.stderr
    assert 0 < counts["acknowledged"] <= lines, run.stderr


@pytest.mark.usefixtures("no_settings")
def test_a_run_without_loki_is_pushed_by_the_next_program_that_opens_the_log(folder: Path, target: Target) -> None:
    loki = Loki(folder, {}, free_port(), free_port())
    run = k6.run("custom_metrics.js", folder, target, samples=f"compact,{loki.url}", extra=identity("dead"))
    assert run.exit_code == 0, run.stderr
    (log,) = run.logs
    counts = closing_counts(run.stderr)
    lines = shipped(log)
    assert (counts["acknowledged"], counts["dropped"]) == (0, 0), run.stderr
    assert counts["pending"] > 0, run.stderr
    try:
        loki.start()
        shipping = {"enabled": True, "endpoint": loki.url}
        settings = {"component": "k6", "host": k6.HOST, "run_id": "dead", "output_dir": str(folder / "out")}
        with Logger({**settings, "loki": shipping}) as logger:
            logger.close(20_000)
            stats = logger.stats()
        assert (stats["loki_acknowledged"], stats["loki_pending"]) == (len(lines), 0), stats
        assert check_equal(loki, log, "dead") == len(lines)
    finally:
        loki.stop()
