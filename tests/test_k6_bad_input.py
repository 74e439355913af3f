"""Bad input through k6: a clear error before the test starts, or a counted rejection or cut; never a dead k6."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from support import k6
from support.paths import K6, SCRIPTS
from support.process import Target
from support.records import read_log


def refused(run: k6.Run, *words: str) -> None:
    """k6 ended before its test, and said why."""
    assert run.exit_code != 0
    assert "panic" not in run.stderr
    said = run.stderr + (run.folder / "k6.log").read_text(encoding="utf-8")
    for word in words:
        assert word in said, said
    samples = run.folder / "samples.json"
    assert not samples.exists() or '"Point"' not in samples.read_text(encoding="utf-8"), "the test was started"


def one_request(
    folder: Path,
    target: Target,
    extra: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> k6.Run:
    return k6.run(
        "crash.js",
        folder,
        target,
        extra=["--iterations", "1", "--vus", "1", "--tag", "run_id=bad", *extra],
        extra_environment=environment,
    )


# --- unknown keys, from each source ---


def test_unknown_key_in_the_argument(folder: Path, target: Target) -> None:
    command = k6.arguments("crash.js", folder, target)
    command[command.index("lb-loki=samples=compact")] = "lb-loki=sampels=raw"
    run = k6.finished(k6.start(command, folder), command, folder)
    refused(run, "sampels", "samples", "--out")


def test_unknown_key_in_k6s_environment(folder: Path, target: Target) -> None:
    refused(one_request(folder, target, environment={"K6_LB_SAMPELS": "raw"}), "K6_LB_SAMPELS", "SAMPLES")


def test_unknown_key_in_our_environment(folder: Path, target: Target) -> None:
    refused(one_request(folder, target, environment={"LB_REPETITON": "3"}), "LB_REPETITON", "LB_REPETITION")


def test_unknown_key_in_the_json_options(folder: Path, target: Target) -> None:
    options = folder / "k6.json"
    options.write_text(json.dumps({"collectors": {"lb-loki": {"sampels": "raw"}}}), encoding="utf-8")
    refused(one_request(folder, target, ["--config", str(options)]), "sampels", "samples", "collectors")


@pytest.mark.parametrize("how", ["working folder", "LB_CONFIG", "home"])
def test_unknown_key_in_the_file(how: str, folder: Path, target: Target) -> None:
    places = {
        "working folder": folder / "lb.toml",
        "LB_CONFIG": folder / "other.toml",
        "home": folder / ".config" / "lb" / "config.toml",
    }
    file = places[how]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[k6]\nsampels = 'raw'\n", encoding="utf-8")
    environment = {"LB_CONFIG": str(file)} if how == "LB_CONFIG" else {}
    refused(one_request(folder, target, environment=environment), "sampels", "samples", file.name)


@pytest.mark.parametrize(
    ("extra", "environment", "words"),
    [
        (["--tag", "repetition=0"], {}, ["repetition", "0", "run tag"]),
        (["--tag", "repetition=-3"], {}, ["repetition", "-3"]),
        (["--tag", "repetition=two"], {}, ["repetition", "two"]),
        ([], {"LB_REPETITION": "0"}, ["LB_REPETITION", "0"]),
        ([], {"K6_LB_REPETITION": "0"}, ["REPETITION", "0"]),
        ([], {"LB_RUN_REPETITION": "0"}, ["LB_RUN_REPETITION", "0"]),
        ([], {"K6_LB_SAMPLES": "all"}, ["K6_LB_SAMPLES", "all", "compact"]),
        ([], {"K6_LB_FLUSH_INTERVAL": "soon"}, ["K6_LB_FLUSH_INTERVAL", "soon"]),
        ([], {"LB_CONFIG": "missing.toml"}, ["missing.toml"]),
    ],
)
def test_impossible_values(
    extra: list[str], environment: dict[str, str], words: list[str], folder: Path, target: Target
) -> None:
    refused(one_request(folder, target, extra, environment), *words)


def test_all_mistakes_at_once(folder: Path, target: Target) -> None:
    run = one_request(folder, target, ["--tag", "repetition=0"], {"K6_LB_SAMPELS": "raw", "LB_RING_BYTES": "7"})
    refused(run, "repetition", "SAMPELS", "LB_RING_BYTES")


def test_a_second_output_is_refused(folder: Path, target: Target) -> None:
    refused(one_request(folder, target, ["--out", "lb-loki"]), "lb-loki")


# --- folders ---


def test_a_folder_that_is_a_file(folder: Path, target: Target) -> None:
    file = folder / "plain"
    file.write_text("a file", encoding="utf-8")
    refused(one_request(folder, target, environment={"LB_OUTPUT_DIR": str(file)}), str(file))
    assert file.read_text(encoding="utf-8") == "a file"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter."""
    path = Path(tempfile.mkdtemp(prefix="lb-log-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_folder_that_cannot_be_written(open_folder: Path, target: Target) -> None:
    """Root may write anywhere: k6 is another user then."""
    closed, own = open_folder / "closed", open_folder / "own"
    for path in (closed, own):
        path.mkdir()
    script = own / "script.js"
    shutil.copyfile(SCRIPTS / "crash.js", script)
    program = own / "k6"
    shutil.copyfile(K6, program)
    program.chmod(0o755)
    become: list[str] = []
    if os.geteuid() == 0:
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        os.chown(own, 65534, 65534)
    else:
        closed.chmod(0o555)
    command = [*become, str(program), *k6.arguments(script, own, target, extra=["--iterations", "1", "--vus", "1"])[1:]]
    environment = k6.environment(own, {"LB_OUTPUT_DIR": str(closed)})
    done = subprocess.run(command, env=environment, cwd=own, capture_output=True, text=True, timeout=60, check=False)
    refused(k6.Run(own, command, done.returncode, done.stdout, done.stderr), str(closed))
    assert not list(closed.iterdir())


def test_a_component_never_leaves_its_folder(folder: Path, target: Target) -> None:
    run = one_request(folder, target, environment={"LB_COMPONENT": "../../etc/x"})
    assert run.exit_code == 0, run.stderr
    (log,) = run.logs
    assert log.parent == folder / "out" / "bad" / "logs"
    assert {record["component"] for record in read_log(log)} == {"../../etc/x"}


@pytest.mark.parametrize(
    ("component", "host", "name"),
    [("k6-a", "b", r"k6-a-b~[0-9a-f]{8}\.jsonl"), ("k6", "a-b", r"k6-a-b\.jsonl"), ("k6", "x.000001", r"k6-x.*~.*")],
)
def test_identities_do_not_share_a_file(component: str, host: str, name: str, folder: Path, target: Target) -> None:
    run = one_request(folder, target, environment={"LB_COMPONENT": component, "LB_HOST": host})
    assert run.exit_code == 0, run.stderr
    (log,) = run.logs
    assert re.fullmatch(name, log.name)
    assert {(record["component"], record["host"]) for record in read_log(log)} == {(component, host)}


@pytest.mark.parametrize("name", ["LB_COMPONENT", "LB_HOST", "LB_RUN_ID", "LB_WORKLOAD", "K6_LB_COMPONENT"])
def test_an_empty_variable_is_refused(name: str, folder: Path, target: Target) -> None:
    refused(one_request(folder, target, environment={name: ""}), name)


# --- what a script may do ---


# How many ordinary pieces there are in hostile.js, before, between and behind the others.
ORDINARY = 13
# Tags of one of its requests, named like our fields and tags.
HOSTILE_NAMES = [
    *("timestamp", "level", "host", "logger", "message", "event_type", "package", "plugin", "tags", "phase"),
    *("exception", "stack", "truncated_bytes", "waiting_ms", "duration_ms", "instance"),
]


def test_hostile_scripts(folder: Path, target: Target) -> None:
    extra = [b"--tag", b"run_id=bad", b"--tag", b"bytes=a\xffb\xc3", b"--tag", b"nul-free=\x01\x1f\x7f"]
    command: list[str | bytes] = [*k6.arguments("hostile.js", folder, target)]
    command[2:2] = extra
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, cwd=folder, env=k6.environment(folder), stdout=stdout, stderr=stderr)
    run = k6.finished(process, [], folder)
    assert run.exit_code == 0, run.stderr[-3000:]
    records = run.records()

    ordinary = [record["message"] for record in records if record["message"].startswith("ordinary ")]
    assert ordinary == [f"ordinary {step}" for step in range(ORDINARY)]
    steps = [
        record["tags"]["step"]
        for record in records
        if record.get("tags", {}).get("metric") == "between" and record["event_type"] == "metric"
    ]
    assert steps == [str(step) for step in range(ORDINARY)]

    requests = run.events("http_req")
    assert all(
        record["tags"]["bytes"] == "a\ufffdb\ufffd" for record in requests if "truncated_bytes" not in record["tags"]
    )
    assert requests[0]["tags"]["\n"] == "\n"
    assert requests[0]["tags"]["\0"] == "\0"
    assert {f"z{number:04}" for number in range(1000)} <= set(requests[1]["tags"])
    assert requests[2]["tags"]["truncated_bytes"] > 0
    assert requests[3]["component"] == "../../etc/x"
    assert [requests[4][field] for field in ("component", "workload", "repetition")] == ["k6", "none", 1]
    named = requests[5]["tags"]
    theirs = {value: name for name, value in named.items() if isinstance(value, str) and value.startswith("of ")}
    assert sorted(theirs) == sorted(f"of {name}" for name in HOSTILE_NAMES)
    for name in ("waiting_ms", "duration_ms", "instance", "truncated_bytes"):
        assert theirs[f"of {name}"] == f"tag_{name}", "ours keep their names"
    assert requests[5]["host"] == k6.HOST
    assert requests[6]["tags"]["halves"] == "a\ufffdb\ufffd"
    assert len(requests) == 7, "repetition 0 and a repetition that is no number are rejected"
    assert "a\ufffdb\ufffd" in [record["message"] for record in run.events("console")]

    for metric in ("numbers", "times"):
        values = {
            record["tags"]["of"]: record["tags"]["value"]
            for record in run.events("metric")
            if record["tags"]["metric"] == metric
        }
        assert values.pop("Infinity") is values.pop("-Infinity") is None
        assert sorted(values.values()) == [-(2.0**63), 0.0, 5e-324, 2.0**63, 2.0**64, sys.float_info.max]
        assert all(float(of) == value for of, value in values.items())

    cut = [record for record in run.events("console") if "truncated_bytes" in record["tags"]]
    assert [set(record["message"]) for record in cut] == [{"x"}, {"\x01", '"'}]
    end = run.events("run_end")[0]["tags"]
    assert end["records_rejected"] > 0
    assert end["records_dropped"] == 0
