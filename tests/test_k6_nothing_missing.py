"""Nothing is missing: k6's own JSON output and our file, side by side in one run, say the same."""

from __future__ import annotations

import collections
import dataclasses
import json
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from support import k6
from support.compare import SAMPLE_EVENTS, Identity, compare, compare_lines, k6_lines, our_lines, record_samples
from support.paths import LB
from support.process import Target, clean_environment, wait_until
from support.records import FIELDS, Record

RUN_ID = "nightly-7"


@dataclasses.dataclass(frozen=True)
class Case:
    """One script and what is known of its run."""

    script: str
    exit_code: int = 0
    extra: Sequence[str] = ()
    tags: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"run_id": RUN_ID})
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    script_environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # What the script's own options.tags say; k6 adds them to the run's, unless --tag replaces them.
    script_tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    interrupted: bool = False
    metrics: frozenset[str] = frozenset({"iterations", "iteration_duration"})
    lines: Sequence[str] = ()

    @property
    def identity(self) -> Identity:
        names = {"LB_RUN_ID": "run_id", "LB_WORKLOAD": "workload", "LB_REPETITION": "repetition"}
        configured = {names[key]: value for key, value in self.settings.items() if key in names}
        return Identity(self.tags or self.script_tags, configured)


HTTP = frozenset({"http_reqs", "http_req_duration", "http_req_failed", "iterations"})
BY_ENVIRONMENT = {"LB_RUN_ID": RUN_ID}
NO_TAGS: dict[str, str] = {}

CASES = {
    "groups": Case("groups.js", metrics=HTTP | {"checks", "group_duration"}, lines=["in the inner group"]),
    "batch": Case("batch.js", metrics=HTTP, tags={"run_id": RUN_ID, "workload": "batches", "repetition": "3"}),
    "colliding tags": Case(
        "colliding_tags.js",
        metrics=HTTP | {"checks", "my_counter", "duration_ms"},
        tags=NO_TAGS,
        settings=BY_ENVIRONMENT,
        script_tags={"run_wide": "yes", "value": "of the run"},
    ),
    "custom metrics": Case(
        "custom_metrics.js",
        metrics=frozenset({"a_counter", "a_counter_of_bytes", "a_gauge", "a_rate", "a_trend", "a_trend_of_times"}),
    ),
    "WebSocket": Case(
        "websocket.js", metrics=frozenset({"ws_sessions", "ws_msgs_sent", "ws_msgs_received", "ws_ping"})
    ),
    "gRPC": Case("grpc.js", metrics=frozenset({"grpc_req_duration", "checks"})),
    "scenarios": Case(
        "scenarios.js",
        metrics=HTTP | {"counted", "dropped_iterations", "vus"},
        tags=NO_TAGS,
        settings=BY_ENVIRONMENT,
        script_tags={"campaign": "nightly", "workload": "of-the-run"},
        lines=["Insufficient VUs", "browse "],
    ),
    "identity by tags and environment": Case(
        "scenarios.js",
        metrics=HTTP | {"counted"},
        tags={"run_id": RUN_ID, "repetition": "2", "workload": "by-tag", "component": "load"},
        settings={"LB_WORKLOAD": "by-environment", "LB_REPETITION": "4"},
    ),
    "no response callback": Case("response_callback.js", metrics=HTTP),
    "thresholds that abort": Case(
        "thresholds.js",
        exit_code=99,
        metrics=HTTP | {"broken", "waited"},
        lines=["thresholds on metrics", "handleSummary says hello", "and knows true ü \u2028 end"],
    ),
    "thresholds that fail": Case(
        "thresholds.js",
        exit_code=99,
        script_environment={"SHORT": "1"},
        metrics=HTTP | {"broken", "waited"},
        lines=["thresholds on metrics", "handleSummary says hello"],
    ),
    "no thresholds": Case(
        "thresholds.js",
        extra=["--no-thresholds"],
        script_environment={"SHORT": "1"},
        metrics=HTTP | {"broken", "waited"},
        lines=["handleSummary says hello"],
    ),
    "setup throws": Case(
        "setup_throws.js",
        exit_code=107,
        metrics=frozenset({"http_reqs", "data_sent"}),
        lines=["setup begins", 'Error: no "luck"\nin setup ü', "the summary of nothing"],
    ),
    "Ctrl-C": Case(
        "aborted.js",
        exit_code=105,
        interrupted=True,
        metrics=HTTP,
        lines=["teardown after the interruption", "summary after the interruption", "test run was aborted"],
    ),
    "console": Case(
        "console.js",
        exit_code=108,
        metrics=frozenset({"iterations"}),
        lines=["handleSummary: one line \0 with a nul", "test aborted: aborted on purpose", "teardown: one line"],
    ),
    "all system tags": Case("system_tags.js", metrics=HTTP | {"checks", "with_all_tags"}),
    "few system tags": Case("few_system_tags.js", metrics=HTTP | {"checks"}),
}
PARAMETERS = [(name, samples) for name in CASES for samples in ("compact", "raw")]


def run_case(case: Case, samples: str, folder: Path, target: Target) -> k6.Run:
    """Run a case to its end, or interrupt it once it has done something."""
    folder.mkdir()
    extra = [*case.extra]
    for key, value in case.tags.items():
        extra += ["--tag", f"{key}={value}"]
    command = k6.arguments(
        case.script, folder, target, samples=samples, extra=extra, script_environment=case.script_environment
    )
    process = k6.start(command, folder, case.settings)
    if case.interrupted:
        log = folder / "k6.log"
        wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") > 20, 30, "twenty lines are logged")
        process.send_signal(signal.SIGINT)
    return k6.finished(process, command, folder)


class Runs:
    """All runs that the session has asked for, two at a time; each test waits for its own."""

    def __init__(self, folder: Path, target: Target, wanted: Sequence[tuple[str, str]]) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.futures: dict[tuple[str, str], Future[k6.Run]] = {
            (name, samples): self.pool.submit(run_case, CASES[name], samples, folder / f"{number}", target)
            for number, (name, samples) in enumerate(wanted)
        }

    def of(self, name: str, samples: str) -> k6.Run:
        return self.futures[name, samples].result()


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, target: Target
) -> collections.abc.Iterator[Runs]:
    wanted: dict[tuple[str, str], None] = {}
    for item in request.session.items:
        parameters = getattr(item, "callspec", None)
        if parameters is not None and "samples" in parameters.params and item.path == request.path:
            wanted[parameters.params["name"], parameters.params["samples"]] = None
    started = Runs(tmp_path_factory.mktemp("k6"), target, list(wanted))
    yield started
    started.pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("name", "samples"), PARAMETERS)
def test_every_sample(name: str, samples: str, runs: Runs) -> None:
    case, run = CASES[name], runs.of(name, samples)
    assert run.exit_code == case.exit_code, run.stderr
    points, records = run.points(), run.records()
    seen = {point["metric"] for point in points}
    assert case.metrics <= seen, "the script no longer does what it is for"
    difference = compare(points, records, case.identity, samples)
    assert not difference, str(difference)


@pytest.mark.parametrize("samples", ["compact", "raw"])
@pytest.mark.parametrize("name", ["groups", "scenarios"])
def test_any_loss_in_a_real_run_is_seen(name: str, samples: str, runs: Runs) -> None:
    run, identity = runs.of(name, samples), CASES[name].identity
    points, records = run.points(), run.records()
    places = [at for at, record in enumerate(records) if record["event_type"] in SAMPLE_EVENTS]
    for at in places[:: max(1, len(places) // 12)]:
        assert compare(points, records[:at] + records[at + 1 :], identity, samples).missing
        assert compare(points, [*records, records[at]], identity, samples).extra
        shifted = {**records[at], "timestamp": "2026-01-01T00:00:00.000000000Z"}
        assert compare(points, [*records[:at], shifted, *records[at + 1 :]], identity, samples)
    lines, ours = k6_lines(run.log_lines()), our_lines(records)
    assert all(compare_lines(lines, ours[:at] + ours[at + 1 :]) for at in range(0, len(ours), 5))


@pytest.mark.parametrize(("name", "samples"), PARAMETERS)
def test_every_line(name: str, samples: str, runs: Runs) -> None:
    case, run = CASES[name], runs.of(name, samples)
    theirs, ours = k6_lines(run.log_lines()), our_lines(run.records())
    assert compare_lines(theirs, ours) == ""
    for expected in case.lines:
        assert any(expected in line.message for line in ours), f"{expected!r} was never said"


@pytest.mark.parametrize(("name", "samples"), [("console", "compact"), ("console", "raw"), ("setup throws", "compact")])
def test_lines_of_one_virtual_user_keep_their_order(name: str, samples: str, runs: Runs) -> None:
    run = runs.of(name, samples)
    assert our_lines(run.records()) == k6_lines(run.log_lines())


def test_debug_lines(folder: Path, target: Target) -> None:
    """With --verbose k6 logs much of its own, some of it before our output exists: the script's lines are all there."""
    run = k6.run("console.js", folder, target, extra=["--verbose"])
    theirs = [line for line in k6_lines(run.log_lines()) if line.event == "console"]
    assert [line for line in our_lines(run.records()) if line.event == "console"] == theirs
    assert theirs[1].message == "debug line"
    assert theirs[1].level == "DEBUG"


def test_an_impatient_user(folder: Path, target: Target) -> None:
    """A second Ctrl-C ends k6 on the spot, without a word to its outputs: what it has logged is in the file."""
    command = k6.arguments("aborted.js", folder, target)
    process = k6.start(command, folder)
    log = folder / "k6.log"
    wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") > 20, 30, "twenty lines are logged")
    process.send_signal(signal.SIGINT)
    time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    run = k6.finished(process, command, folder)
    drained = subprocess.run([LB, "drain", folder / "out"], env=clean_environment(), capture_output=True, check=False)
    assert drained.returncode in (0, 1), drained.stderr
    ours = our_lines(run.records())
    # k6's own file loses its end in this case: its last line may be cut, and later ones are missing.
    whole = log.read_text(encoding="utf-8").rpartition("\n")[0].split("\n")
    theirs = k6_lines(json.loads(line) for line in whole)
    if run.exit_code == 105:  # else the second signal came when k6 had already let go of signals
        assert not collections.Counter(theirs) - collections.Counter(ours)


@pytest.mark.parametrize(("name", "samples"), PARAMETERS)
def test_identity_of_every_record(name: str, samples: str, runs: Runs) -> None:
    run = runs.of(name, samples)
    records = run.records()
    assert len({record["tags"]["instance"] for record in records}) == 1
    assert {record["host"] for record in records} == {k6.HOST}
    expected = CASES[name].identity.of({})
    for record in records:
        if record["event_type"] in ("run_start", "run_end"):
            assert [record["component"], record["run_id"], record["workload"], str(record["repetition"])] == [
                expected[field] for field in ("component", "run_id", "workload", "repetition")
            ]
    assert run.logs[0] == run.folder / "out" / RUN_ID / "logs" / f"{expected['component']}-{k6.HOST}.jsonl"


@pytest.mark.parametrize(("name", "samples"), PARAMETERS)
def test_start_and_end_are_told_once(name: str, samples: str, runs: Runs) -> None:
    events = collections.Counter(record["event_type"] for record in runs.of(name, samples).records())
    assert (events["run_start"], events["run_end"]) == (1, 1)
    assert set(events) <= {
        *("http_req", "iteration", "check", "metric", "metric_summary", "run_start", "run_end", "threshold"),
        *("phase_start", "phase_end", "console", "k6_log", "exception"),
    }
    assert events["phase_start"] == events["phase_end"]


def kinds_of(metrics: Mapping[str, Mapping[str, str]], records: Sequence[Record]) -> list[str]:
    """What our records say wrongly of a metric's type and contents."""
    return [
        f"{tags['metric']}: {tags['type']}, {tags['contains']}"
        for tags in (record["tags"] for record in records if record["event_type"] == "metric")
        if (tags["type"], tags["contains"]) != (metrics[tags["metric"]]["type"], metrics[tags["metric"]]["contains"])
    ]


@pytest.mark.parametrize("samples", ["compact", "raw"])
@pytest.mark.parametrize("name", ["custom metrics", "groups", "WebSocket"])
def test_types_of_metrics(name: str, samples: str, runs: Runs) -> None:
    run = runs.of(name, samples)
    assert kinds_of(run.metrics(), run.records()) == []


@pytest.mark.parametrize(("name", "samples"), [("batch", "compact"), ("no response callback", "compact")])
def test_levels_of_samples(name: str, samples: str, runs: Runs) -> None:
    for record in runs.of(name, samples).records():
        event, tags = record["event_type"], record.get("tags", {})
        if event == "http_req":
            assert record["level"] == ("WARNING" if tags["failed"] else "INFO")
        elif event == "check":
            assert record["level"] == ("DEBUG" if tags["passed"] else "WARNING")
        elif event == "iteration":
            assert record["level"] == "DEBUG"
    failed = {record["tags"]["failed"] for record in runs.of(name, samples).events("http_req")}
    assert failed == ({True, False} if name == "batch" else {True, False, None})


@pytest.mark.parametrize(("name", "samples"), [("batch", "compact"), ("groups", "compact"), ("scenarios", "compact")])
def test_iterations_are_joined(name: str, samples: str, runs: Runs) -> None:
    """One record an iteration, not four: what the join is for."""
    run = runs.of(name, samples)
    iterations = run.events("iteration")
    assert len(iterations) == sum(point["metric"] == "iterations" for point in run.points())
    joined = [record for record in iterations if {"data_sent", "data_received"} <= set(record["tags"])]
    assert len(joined) == len(iterations)


@pytest.mark.parametrize(
    ("name", "samples", "expected"),
    [
        ("thresholds that abort", "compact", {"rate<0.1": False, "count>1000000": False}),
        ("thresholds that fail", "raw", {"rate<0.1": False, "count>1000000": False}),
        ("no thresholds", "compact", {}),
        ("groups", "compact", {}),
    ],
)
def test_thresholds(name: str, samples: str, expected: dict[str, bool], runs: Runs) -> None:
    records = runs.of(name, samples).events("threshold")
    said = {record["tags"]["expression"]: record["tags"]["passed"] for record in records}
    if expected:
        expected = {**expected, "p(95)<1000": True, "avg<0.5": False, "rate<2": True}
        metrics = {record["tags"]["expression"]: record["tags"]["metric"] for record in records}
        assert metrics["avg<0.5"] == "waited{kind:short}"
    assert said == expected
    assert len(records) == len(expected)


@pytest.mark.parametrize(("name", "samples"), [("custom metrics", "compact"), ("groups", "raw")])
def test_final_summaries_add_up(name: str, samples: str, runs: Runs) -> None:
    """The last summary of each series tells of every sample of its metric."""
    run = runs.of(name, samples)
    finals = [record["tags"] for record in run.events("metric_summary") if record["tags"].get("final") is True]
    points = collections.defaultdict(list)
    for point in run.points():
        points[point["metric"]].append(point["data"]["value"])
    metrics = run.metrics()
    assert {tags["metric"] for tags in finals} == set(points)
    for metric, values in points.items():
        of_metric = [tags for tags in finals if tags["metric"] == metric]
        kind = metrics[metric]["type"]
        if kind == "trend":
            assert sum(tags["count"] for tags in of_metric) == len(values)
            assert (min(tags["min"] for tags in of_metric), max(tags["max"] for tags in of_metric)) == (
                min(values),
                max(values),
            )
        elif kind == "counter":
            assert sum(tags["sum"] for tags in of_metric) == pytest.approx(sum(values), rel=1e-12)
        elif kind == "rate":
            assert sum(tags["passes"] for tags in of_metric) == sum(1 for value in values if value != 0)
            assert sum(tags["passes"] + tags["fails"] for tags in of_metric) == len(values)
        else:
            assert (min(tags["min"] for tags in of_metric), max(tags["max"] for tags in of_metric)) == (
                min(values),
                max(values),
            )


@pytest.mark.parametrize(("name", "samples"), [("groups", "compact"), ("groups", "raw")])
def test_the_end_says_where_everything_is(name: str, samples: str, runs: Runs) -> None:
    run = runs.of(name, samples)
    records = run.records()
    assert str(run.logs[0]) in run.stdout + run.stderr + (run.folder / "k6.log").read_text(encoding="utf-8")
    assert list(records[0]) == [field for field in FIELDS if field in records[0]]
    assert all(record_samples(record) for record in records if record["event_type"] == "http_req")
