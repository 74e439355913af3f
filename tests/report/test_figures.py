"""The figures of a report are those of what was logged."""

from __future__ import annotations

import resource
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from support import k6
from support.browser import Browser
from support.campaign_log import CampaignLog
from support.paths import LB
from support.process import Target, peak_kib
from support.report import PERCENTILE_ERROR, assert_percentiles, assert_quiet, coloured, data, make_report, opened

LIMIT_BYTES = 3_000_000


def test_figures_are_those_of_the_log(two_runs: tuple[Path, CampaignLog, CampaignLog]) -> None:
    page, *logs = two_runs
    document = data(page)
    assert [run["name"] for run in document["runs"]] == ["first", "second"]
    for run, log in zip(document["runs"], logs, strict=True):
        assert [workload["name"] for workload in run["workloads"]] == list(log.workloads)
        for workload in run["workloads"]:
            assert [each["number"] for each in workload["repetitions"]] == [1, 2, 3]
            for repetition in workload["repetitions"]:
                drawn = log.repetition(workload["name"], repetition["number"])
                requests = repetition["requests"]
                assert (requests["count"], requests["failed"]) == (len(drawn.durations_ms), drawn.failed)
                assert_percentiles(requests["percentiles_ms"], drawn.durations_ms)
                assert requests["mean"] == pytest.approx(statistics.mean(drawn.durations_ms), rel=1e-3)
                assert requests["extremes"][1] == pytest.approx(max(drawn.durations_ms), rel=1e-3)
                assert requests["per_second"] == pytest.approx(log.per_second, rel=0.02)
                # Over time: the same requests, each in one bucket.
                assert sum(requests["counts"]) == len(drawn.durations_ms)
                assert sum(requests["failures"]) == drawn.failed
                assert requests["at"] == sorted(set(requests["at"]))
        all_of_it = [ms for drawn in log.drawn for ms in drawn.durations_ms]
        assert_percentiles(run["all_requests"]["percentiles_ms"], all_of_it)
        assert run["problems"] == []


def test_comparison_is_that_of_the_repetitions(two_runs: tuple[Path, CampaignLog, CampaignLog]) -> None:
    page, *logs = two_runs
    (reading,) = [each for each in data(page)["comparison"] if each["workload"] == "reading"]
    (mean,) = [each for each in reading["measures"] if each["measure"] == "mean"]
    means = [[statistics.mean(log.repetition("reading", n).durations_ms) for n in (1, 2, 3)] for log in logs]
    for spread, values in zip(mean["spreads"], means, strict=True):
        assert spread["n"] == 3
        assert spread["mean"] == pytest.approx(statistics.mean(values), rel=1e-6)
        assert spread["deviation"] == pytest.approx(statistics.stdev(values), rel=1e-6)
        # Student's t of two degrees of freedom.
        half = 4.302653 * statistics.stdev(values) / 3**0.5
        assert spread["interval"] == pytest.approx([spread["mean"] - half, spread["mean"] + half], rel=1e-4)
    (ratio,) = mean["ratios"]
    expected = statistics.geometric_mean(means[1]) / statistics.geometric_mean(means[0])
    assert ratio["ratio"] == pytest.approx(expected, rel=1e-6)
    low, high = ratio["interval"]
    assert low < expected < high


def test_a_real_run_is_told(shop: tuple[k6.Run, Path]) -> None:
    ran, page = shop
    (run,) = data(page)["runs"]
    durations = [point["data"]["value"] for point in ran.points() if point["metric"] == "http_req_duration"]
    failed = sum(point["data"]["value"] for point in ran.points() if point["metric"] == "http_req_failed")
    assert (run["all_requests"]["count"], run["all_requests"]["failed"]) == (len(durations), failed)
    assert_percentiles(run["all_requests"]["percentiles_ms"], durations)
    iterations = sum(point["data"]["value"] for point in ran.points() if point["metric"] == "iterations")
    assert run["all_iterations"]["count"] == iterations
    assert {workload["name"] for workload in run["workloads"]} == {"none", "reading", "writing"}
    assert {each["number"] for workload in run["workloads"] for each in workload["repetitions"]} == {2}
    assert {phase["name"] for phase in run["phases"]} == {"setup", "run", "teardown"}
    assert {(each["expression"], each["passed"]) for each in run["thresholds"]} == {
        ("rate<0.01", False),
        ("rate>0.5", True),
    }
    assert [process["outcome"] for process in run["processes"]] == ["failed"]
    assert len(run["problems"]) == 0


@pytest.mark.parametrize("samples", ["raw", "summary"])
def test_the_same_from_other_samples(samples: str, folder: Path, target: Target) -> None:
    ran = k6.run("report.js", folder, target, samples=samples, extra=["--tag", "run_id=shop"])
    page, _ = make_report(folder, folder / "out/shop")
    (run,) = data(page)["runs"]
    points = ran.points()
    assert run["all_requests"]["count"] == sum(point["metric"] == "http_reqs" for point in points)
    assert run["all_requests"]["summary"] == (samples == "summary")
    durations = sorted(point["data"]["value"] for point in points if point["metric"] == "http_req_duration")
    if samples == "raw":
        assert_percentiles(run["all_requests"]["percentiles_ms"], durations)
    else:
        # The largest of its parts', which the true one does not exceed.
        bound = run["all_requests"]["percentiles_ms"][0]
        assert bound >= durations[(len(durations) - 1) // 2] * (1 - 2 * PERCENTILE_ERROR)


def test_a_million_requests(folder: Path, browser: Browser) -> None:
    log = CampaignLog(run_id="million", repetitions=5, seconds=600, per_second=1_000_000 / 6000)
    log.write(folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    path, _ = make_report(folder, folder / "million")
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = path.stat().st_size
    print(f"{size} bytes after {took:.1f} s, {cpu:.1f} s of them on a core")
    assert size < LIMIT_BYTES
    (run,) = data(path)["runs"]
    assert run["all_requests"]["count"] == 1_000_000
    for workload in run["workloads"]:
        for repetition in workload["repetitions"]:
            drawn = log.repetition(workload["name"], repetition["number"])
            assert_percentiles(repetition["requests"]["percentiles_ms"], drawn.durations_ms)
    page = opened(browser, path)
    assert all(count > 500 for count in coloured(page)[:3])
    assert_quiet(page, path)


def test_a_page_is_small_whatever_was_logged(folder: Path) -> None:
    log = CampaignLog(run_id="junk")
    junk = 'a <b>"long"</b> größer text, ' * 100
    path = folder / "junk/logs/k6-h.jsonl"
    path.parent.mkdir(parents=True)
    kinds: dict[str, dict[str, Any]] = {
        "http_req": {"name": junk, "duration_ms": 1.0, "failed": True, "error": junk},
        "check": {"check": junk, "passed": False},
        "metric_summary": {"metric": junk, "type": "trend", "final": True, **{f"{junk}{n}": n for n in range(5)}},
        "phase_start": {"phase": junk},
        "threshold": {"metric": junk, "expression": junk, "passed": False},
        "command_start": {"command": junk},
        "log_gap": {"lost": 1, "reason": junk},
        "run_end": {"outcome": junk, "error": junk, "instance": junk},
        "log": {"exception": junk},
        junk: {junk: junk},
    }
    with path.open("w", encoding="utf-8") as file:
        for n in range(700):
            # Digits alone make no other entry.
            word = "".join(chr(97 + int(digit)) for digit in str(n))
            for level, (kind, tags) in zip(("ERROR", "WARNING") * 5, kinds.items(), strict=True):
                named = {
                    f"{word}{name}"[:1000] if name.startswith("a <") else name: value for name, value in tags.items()
                }
                named |= {name: f"{word}{value}" for name, value in named.items() if isinstance(value, str)}
                file.write(log.line(n, level, kind, word + junk, f"w{n % 600}{junk}", 1 + n % 3, **named))
    page, _ = make_report(folder, folder / "junk")
    (run,) = data(page)["runs"]
    assert run["records"] == 7000
    assert sum(run["messages_left_out"]) > 1000
    assert page.stat().st_size < LIMIT_BYTES, page.stat().st_size


def test_memory_does_not_grow_with_the_log(folder: Path) -> None:
    peaks = []
    for seconds in (100, 1000):
        log = CampaignLog(run_id=f"of-{seconds}", repetitions=1, workloads=["reading"], seconds=seconds, per_second=100)
        log.write(folder)
        command = [str(LB), "report", str(folder / log.run_id), "-o", str(folder / f"{seconds}.html")]
        code, peak = peak_kib(command)
        assert code == 0
        peaks.append(peak)
    # Of ten times as many requests.
    assert peaks[1] < 2 * peaks[0], f"{peaks} KiB"
