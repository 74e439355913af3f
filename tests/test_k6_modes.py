"""The other ways to run the output: modes, lists of metrics, VU and iteration, where configuration comes from."""

from __future__ import annotations

import collections
import json
import re
from pathlib import Path

import pytest

from support import k6
from support.compare import Identity, compare, compare_lines, k6_lines, our_lines
from support.process import Target

TAGS = ["--tag", "run_id=modes"]
IDENTITY = Identity(run_tags={"run_id": "modes"})
SAMPLES = {"http_req", "iteration", "check", "metric"}


def events(run: k6.Run) -> collections.Counter[str]:
    assert run.exit_code == 0, run.stderr
    return collections.Counter(record["event_type"] for record in run.records())


@pytest.mark.parametrize("samples", ["summary", "none"])
def test_modes_without_samples(samples: str, folder: Path, target: Target) -> None:
    run = k6.run("groups.js", folder, target, samples=samples, extra=TAGS)
    found = events(run)
    assert not SAMPLES & set(found)
    assert (found["metric_summary"] > 0) == (samples == "summary")
    assert (found["run_start"], found["run_end"]) == (1, 1)
    assert compare_lines(k6_lines(run.log_lines()), our_lines(run.records())) == ""
    if samples == "summary":
        finals = [record["tags"] for record in run.events("metric_summary") if record["tags"].get("final")]
        requests = sum(tags["count"] for tags in finals if tags["metric"] == "http_req_duration")
        assert requests == sum(point["metric"] == "http_reqs" for point in run.points())


@pytest.mark.parametrize("samples", ["compact", "raw"])
@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"K6_LB_METRICS_ALLOW": "checks,group_*"}, {"checks", "group_duration"}),
        ({"K6_LB_METRICS_DENY": "http_req*,data_*,iteration*"}, {"checks", "group_duration"}),
        ({"K6_LB_METRICS_ALLOW": "*", "K6_LB_METRICS_DENY": "checks"}, None),
    ],
)
def test_lists_of_metrics(
    settings: dict[str, str], kept: set[str] | None, samples: str, folder: Path, target: Target
) -> None:
    run = k6.run("groups.js", folder, target, samples=samples, extra=TAGS, extra_environment=settings)
    assert run.exit_code == 0, run.stderr
    points = run.points()
    if kept is None:
        kept = {point["metric"] for point in points} - {"checks"}
    wanted = [point for point in points if point["metric"] in kept]
    assert wanted
    difference = compare(wanted, run.records(), IDENTITY, samples)
    assert not difference, str(difference)
    assert {record["tags"]["metric"] for record in run.events("metric_summary")} <= kept


@pytest.mark.parametrize("samples", ["compact", "raw"])
def test_vu_and_iteration(samples: str, folder: Path, target: Target) -> None:
    run = k6.run("groups.js", folder, target, samples=samples, extra=TAGS, extra_environment={"K6_LB_VU_ITER": "true"})
    points, records = run.points(), run.records()
    requests = [point["data"] for point in points if point["metric"] == "http_reqs"]
    assert {(data["metadata"]["vu"], data["metadata"]["iter"]) for data in requests} >= {("1", "0"), ("2", "0")}
    difference = compare(points, records, IDENTITY, samples)
    assert not difference, str(difference)


def test_init_lines(folder: Path, target: Target) -> None:
    """k6 runs the init code once before any output exists: all the other passes are in the file."""
    run = k6.run("init_lines.js", folder, target, extra=TAGS)
    said = [line["msg"] for line in run.log_lines()].count("init code runs")
    ours = [record["message"] for record in run.events("console")].count("init code runs")
    assert said > 5
    assert ours == said - 1


def test_a_run_without_any_identity(folder: Path, target: Target) -> None:
    run = k6.run("groups.js", folder, target)
    assert run.exit_code == 0, run.stderr
    (log,) = run.logs
    assert re.fullmatch(r"run-\d{8}-\d{6}", log.parent.parent.name)
    records = run.records()
    run_id = log.parent.parent.name
    assert {(r["run_id"], r["workload"], r["repetition"]) for r in records} == {(run_id, "none", 1)}
    assert not [record for record in records if "scenario" in record]


# From the weakest to the strongest.
SOURCES = ["run tag", "lb.toml", "JSON options", "LB_", "K6_LB_", "--out"]


@pytest.mark.parametrize("strongest", range(len(SOURCES)))
def test_the_stronger_source_wins(strongest: int, folder: Path, target: Target) -> None:
    present = SOURCES[: strongest + 1]
    extra, environment = [*TAGS, "--tag", "workload=run tag", "--iterations", "1", "--vus", "1"], {}
    if "lb.toml" in present:
        (folder / "lb.toml").write_text("workload = 'lb.toml'\n", encoding="utf-8")
    if "JSON options" in present:
        options = {"collectors": {"lb-loki": {"workload": "JSON options"}}}
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
        extra += ["--config", "options.json"]
    if "LB_" in present:
        environment["LB_WORKLOAD"] = "LB_"
    if "K6_LB_" in present:
        environment["K6_LB_WORKLOAD"] = "K6_LB_"
    command = k6.arguments("crash.js", folder, target, extra=extra)
    if "--out" in present:
        command[command.index("lb-loki=samples=compact")] = "lb-loki=workload=--out"
    run = k6.finished(k6.start(command, folder, environment), command, folder)
    assert run.exit_code == 0, run.stderr + (folder / "k6.log").read_text(encoding="utf-8")
    assert {record["workload"] for record in run.records()} == {SOURCES[strongest]}


def test_existing_runners_names(folder: Path, target: Target) -> None:
    environment = {"LB_RUN_WORKLOAD": "handed down", "LB_RUN_REPETITION": "12", "LB_RUN_ID": "theirs"}
    run = k6.run("groups.js", folder, target, extra_environment=environment)
    assert run.exit_code == 0, run.stderr
    assert {(r["run_id"], r["workload"], r["repetition"]) for r in run.records()} == {("theirs", "handed down", 12)}
