"""`lb_log.read`: the records of runs, from every layout of files, filtered, with what is broken named."""

from __future__ import annotations

import datetime
import gzip
import json
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import lb_log
import pytest

from support import golden
from support.lb import lb
from support.process import clean_environment

pytestmark = pytest.mark.usefixtures("no_settings")

START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000


def line(second: float, message: str = "m", level: str = "INFO", **fields: Any) -> str:
    """A record as the product writes it; what is given more stands in the schema's order."""
    record: dict[str, Any] = {"timestamp": golden.timestamp_text(START + int(second * SECOND)), "level": level}
    record |= {"component": "c", "host": "h", "run_id": "r", "logger": "l", "message": message, "event_type": "log"}
    record |= {"workload": "none", "repetition": 1}
    record |= fields
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"


def put(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def messages(*runs: str | Path, **filters: Any) -> list[str]:
    return [record["message"] for record in lb_log.read(*runs, **filters)]


def test_every_layout_by_time(folder: Path) -> None:
    run = folder / "benchmark_results" / "r"
    put(run / "logs" / "c-h.000001.jsonl.gz", line(1, "1"), line(4, "4"))
    put(run / "logs" / "c-h.000002.jsonl", line(5, "5"))
    put(run / "logs" / "c-h.jsonl", line(8, "8"), line(9, "9"), '{"timestamp":"unfin')
    put(run / "logs" / "c-h.quarantined.jsonl", line(1, "refused"))
    put(run / "node" / "deep" / "k6-n.jsonl.gz", line(2, "2"), line(7, "7"))
    put(run / "node" / "deep" / "k6-n.000001.jsonl", line(0, "0"))
    put(run / "logs" / "foreign.jsonl", '{"no":"record"}\n')
    put(folder / "benchmark_results" / "older" / "logs" / "c-h.jsonl", line(3, "3"))
    assert messages("r") == list("01245789")
    assert messages("older", "r") == list("012345789")
    assert messages(run / "node") == list("027")
    assert messages(run, "r", run / "node") == list("01245789"), "runs that overlap are read once"
    assert messages("r", "benchmark_results/r", "./benchmark_results/../benchmark_results/r/logs") == list("01245789")
    assert messages(run / "logs" / "c-h.jsonl") == list("14589"), "a file stands for its log"
    (folder / "benchmark_results" / "older" / "logs" / "c-h.jsonl").touch()
    assert messages() == list("3"), "the run that was written to last"
    assert messages("r", output_dir=folder / "benchmark_results") == list("01245789")


def test_as_lb_logs_has_them(folder: Path) -> None:
    for component in ("a", "b", "c"):
        with lb_log.Logger(component=component, host="h", run_id="r", output_dir=folder / "out") as logger:
            for number in range(50):
                logger.info('ü\n"', number=number, ratio=0.5, deep=[1], none=None)
    shown = lb("logs", "r", "--output-dir", folder / "out", "--format", "json")
    assert shown.code == 0, shown.stderr
    assert list(lb_log.read("r", output_dir=folder / "out")) == [json.loads(text) for text in shown.stdout.splitlines()]


def test_golden_lines(folder: Path) -> None:
    lines = [json.loads(case["line"]) for case in golden.load()]
    put(folder / "x.jsonl", *(case["line"] + "\n" for case in golden.load()))
    assert list(lb_log.read(folder / "x.jsonl")) == lines


@pytest.fixture
def run(folder: Path) -> Path:
    put(
        folder / "run" / "logs" / "c-h.jsonl",
        line(0, "0", "TRACE", component="k6"),
        line(1, "1", "WARNING", workload='cp"u'),
        line(2, "2", "ERROR", workload="ü", repetition=2, tags={"phase": "setup", "component": "k6"}),
        line(3, "3", "CRITICAL", repetition=12, scenario="s", event_type="check"),
        line(3600, "4", "INFO", host="other", logger='"component":"k6"'),
    )
    return folder / "run"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "01234"),
        ({"level": "warning"}, "123"),
        ({"level": "TRACE"}, "01234"),
        ({"level": "Critical"}, "3"),
        ({"component": "k6"}, "0"),
        ({"component": ["k6", "c"]}, "01234"),
        ({"component": []}, ""),
        ({"component": "k"}, ""),
        ({"host": ("other",)}, "4"),
        ({"workload": 'cp"u'}, "1"),
        ({"workload": "ü"}, "2"),
        ({"repetition": 1}, "014"),
        ({"repetition": {2, 12}}, "23"),
        ({"scenario": "s"}, "3"),
        ({"event_type": "check"}, "3"),
        ({"logger": '"component":"k6"'}, "4"),
        ({"phase": "setup"}, "2"),
        ({"phase": "run"}, ""),
        ({"since": golden.timestamp_text(START + SECOND)}, "1234"),
        ({"until": golden.timestamp_text(START + SECOND)}, "01"),
        ({"since": "2026-09-21"}, "01234"),
        ({"since": "2026-09-22T02:00+01:00"}, ""),
        ({"since": golden.timestamp_text(START + SECOND)[:-1] + "1Z"}, "1234"),
        ({"since": golden.timestamp_text(START + SECOND)[:-2] + "1Z"}, "234"),
        ({"until": datetime.datetime.fromtimestamp(START // SECOND + 2, datetime.timezone.utc)}, "012"),
        ({"since": datetime.datetime(2026, 1, 1), "until": datetime.datetime(2027, 1, 1), "level": "error"}, "23"),
    ],
)
def test_filters(run: Path, filters: dict[str, Any], expected: str) -> None:
    assert messages(run, **filters) == list(expected)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"level": "loud"}, "level: 'loud'"),
        ({"level": 30}, "level: 30"),
        ({"component": 7}, "component: expected str"),
        ({"component": [7]}, "component: expected str"),
        ({"component": None, "host": b"h"}, "host: expected str"),
        ({"repetition": "1"}, "repetition: expected int"),
        ({"repetition": True}, "repetition: expected int"),
        ({"since": "yesterday"}, "since: 'yesterday'"),
        ({"until": 12.5}, "until: expected a datetime"),
        ({"since": "2026-11-23", "until": "2026-11-22"}, "since is later than until"),
    ],
)
def test_filters_that_mean_nothing(run: Path, filters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        lb_log.read(run, **filters)


def test_runs_that_are_not_there(run: Path) -> None:
    with pytest.raises(ValueError, match="there is no run other"):
        lb_log.read("other", output_dir=run.parent)
    with pytest.raises(FileNotFoundError, match="name a run or an existing path"):
        lb_log.read(run / "none.jsonl")
    with pytest.raises(ValueError, match="no runs yet"):
        lb_log.read(output_dir=run.parent / "run" / "logs")
    assert messages(run.parent / "run", config=None) == list("01234")


def test_what_is_broken_is_named_and_the_rest_is_read(folder: Path) -> None:
    logs = folder / "run"
    whole = gzip.compress("".join(line(second, f"cut {second}") for second in range(2000)).encode())
    (logs).mkdir()
    (logs / "cut-h.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (logs / "bad-h.jsonl.gz").write_bytes(whole[: len(whole) // 2] + b"\xff" * 100 + whole[len(whole) // 2 + 100 :])
    put(logs / "a-h.jsonl", line(0, "a0"), "no record\n", '{"timestamp":"x"}\n', "[]\n", "{\n", "[" * 5000 + "\n")
    with (logs / "a-h.jsonl").open("a") as file:
        file.write(line(1, "a1"))
    put(logs / "good-h.jsonl", line(0, "good"))
    records = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        records = lb_log.read(logs)
        found = [record["message"] for record in records]
    assert {"good", "a0", "a1"} < set(found)
    cut = [message for message in found if message.startswith("cut")]
    assert 20 < len(cut) < 4000
    assert [str(warning.message) for warning in warned] == records.problems
    assert {warning.category for warning in warned} == {lb_log.ReadWarning}
    assert {warning.filename for warning in warned} == {__file__}
    assert [problem for problem in records.problems if "a-h" in problem] == [
        f"{logs}/a-h.jsonl: line 2 is no record",
        f"{logs}/a-h.jsonl: 5 lines are no records",
    ]
    for name in ("cut", "bad"):
        assert f"{logs}/{name}-h.jsonl.gz: is cut or damaged; what follows in it is missing" in records.problems


def test_a_file_that_goes_while_it_is_read(run: Path) -> None:
    put(run / "logs" / "x-h.jsonl", line(0, "x"))
    records = lb_log.read(run)
    (run / "logs" / "x-h.jsonl").unlink()
    with pytest.warns(lb_log.ReadWarning, match=r"x-h.jsonl: is gone"):
        assert [record["message"] for record in records] == list("01234")


def test_a_file_that_cannot_be_read(run: Path) -> None:
    (run / "logs" / "x-h.jsonl").symlink_to("/proc/self/mem")
    (run / "logs" / ".x-h.lock").touch()
    with pytest.warns(lb_log.ReadWarning, match=r"x-h.jsonl: cannot be read: Input/output error"):
        assert [record["message"] for record in lb_log.read(run)] == list("01234")


def test_memory_stays_flat(folder: Path) -> None:
    def peak(lines: int) -> int:
        path = put(folder / f"{lines}.jsonl.gz", *(line(second, "x" * 200) for second in range(lines)))
        tracemalloc.start()
        try:
            assert sum(1 for _ in lb_log.read(path)) == lines
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(2000), peak(20000)
    assert many < few + 200_000, f"{few} bytes for 2,000 records, {many} for 20,000"


def test_without_pandas_it_says_what_to_do(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        lb_log.read(run).to_pandas()


def test_pandas(run: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = lb_log.read(run, level="warning").to_pandas()
    assert list(table["message"]) == list("123")
    assert str(table["timestamp"].dtype).startswith("datetime64[ns, UTC")
    assert table["timestamp"][0].value == START + SECOND
    assert table["tags.phase"][1] == "setup"
    assert pandas.isna(table["tags.phase"][0])
    assert lb_log.read(run, component="none").to_pandas().empty


def test_the_environment_says_where_runs_are(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert clean_environment()  # What the tests of commands see is not what this process sees.
    monkeypatch.setenv("LB_OUTPUT_DIR", str(run.parent))
    assert messages("run") == list("01234")
