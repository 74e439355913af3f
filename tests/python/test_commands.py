"""`python -m lb_log drain|status|push|collect` beside `lb`: the same data, words and exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from support.lb import Ran, line, write_log
from support.loki import running_loki
from support.paths import LB
from support.process import clean_environment, wait_until
from support.python import PROGRAMS, python_command

#: When the document of a status was made.
LOOKED_AT = re.compile(r'^  "timestamp": ".*",$', re.MULTILINE)
START = time.time_ns() - 60 * 10**9


def ran(command: list[str | Path], cwd: Path, **environment: str) -> Ran:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def module(cwd: Path, *arguments: str | Path, **environment: str) -> Ran:
    return ran([*python_command(), "-m", "lb_log", *arguments], cwd, **environment)


def both(cwd: Path, *arguments: str | Path, **environment: str) -> Ran:
    """What both say; each works in a copy of the folder."""
    results = []
    for name in ("lb", "module"):
        copy = cwd.with_name(f"{cwd.name}-copy")
        shutil.copytree(cwd, copy)
        if name == "lb":
            results.append(ran([LB, *arguments], copy, **environment))
        else:
            results.append(module(copy, *arguments, **environment))
        shutil.rmtree(copy)
    theirs, ours = [replace(result, stdout=LOOKED_AT.sub("", result.stdout)) for result in results]
    assert theirs == ours
    return results[1]


@pytest.fixture
def runs(folder: Path) -> Path:
    """Two runs below the default folder."""
    cwd = folder / "cwd"
    for run in ("r", "s"):
        lines = [line(START + number, f"m {number}", run_id=run) for number in range(5)]
        write_log(cwd / "benchmark_results" / run / "logs" / "c-h.jsonl", lines)
    return cwd


def test_status(runs: Path) -> None:
    assert "logs/c-h.jsonl" in both(runs, "status", "r").stdout
    assert both(runs, "status", "r", "--format", "json").document["logs"][0]["lines"] == 5
    assert both(runs, "--format", "json", "status", "benchmark_results/s").code == 0
    assert both(runs, "-q", "status", "r").stderr == ""
    assert both(runs, "status", "other").code == 2
    assert both(runs, "status", "--output-dir", "none").code == 2
    (runs / "empty").mkdir()
    assert both(runs, "status", "./empty").code == 1
    assert both(runs, "status", "r", LB_LEVEL_OF="x").code == 2, "a variable that is no key"


def killed_session(folder: Path) -> None:
    """A process that is killed with records in its rings, because the log's lock is held."""
    config = json.dumps({"component": "k", "host": "h", "run_id": "r", "output_dir": str(folder)})
    command = [*python_command(), str(PROGRAMS / "held.py"), config, "100"]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_drain_moves_what_the_dead_left(folder: Path) -> None:
    results = folder / "benchmark_results"
    killed_session(results)
    log = results / "r" / "logs" / "k-h.jsonl"
    assert log.read_bytes().count(b"\n") == 0
    first = module(folder, "drain")
    assert (first.code, first.stdout) == (0, "benchmark_results/r/logs/k-h.jsonl: 100 records\n")
    assert first.stderr == f"{results}: 1 log, 100 records moved\n"
    assert log.read_bytes().count(b"\n") == 100
    again = both(folder, "drain", "benchmark_results")
    assert (again.code, again.stdout, again.stderr) == (0, "", "benchmark_results: 1 log, nothing left to move\n")
    killed_session(results)
    collected = module(folder, "collect", "r", "--from", "benchmark_results", "--output-dir", "here")
    assert collected.code == 0, collected.stderr
    assert json.loads((folder / "here/r/manifest.json").read_text())["files"][0]["lines"] == 200
    killed_session(results)
    assert module(folder, "status", "r", "--format", "json").document["logs"][0]["recovered"] == 100
    removed = module(folder, "collect", "r", "--from", "benchmark_results", "--output-dir", "here", "--remove-source")
    assert (removed.code, log.exists()) == (0, False), removed.stderr


def test_drain_of_nothing(runs: Path) -> None:
    assert both(runs, "drain", "none").code == 2
    (runs / "empty").mkdir()
    assert both(runs, "drain", "empty", "--format", "json").code == 1
    assert both(runs, "drain", "benchmark_results", "--format", "json").document["records"] == 0


def test_collect(runs: Path) -> None:
    def told(*arguments: str | Path) -> Ran:
        return both(runs, "collect", *arguments)

    assert told("r", "--from", "benchmark_results", "--output-dir", "here").code == 0
    assert told("r", "--from", "benchmark_results", "--output-dir", "here", "--dry-run").code == 0
    assert told("latest", "--from", "benchmark_results", "--no-gzip").code in (0, 1)
    partly = told("r", "--from", "benchmark_results", "--from", "none", "--output-dir", "here")
    assert partly.code == 1
    assert "error: " in partly.stderr
    assert told("a/b", "--from", "x").code == 2
    assert told("r", "--from", "", "--output-dir", "here").code == 2
    assert told("r", "--from", "nowhere:", "--ssh", "", "--output-dir", "here").code == 2
    failed = told("r", "--from", "nowhere:", "--ssh", "false", "--output-dir", "here", "--timeout", "5")
    assert failed.code == 1


def test_push_without_loki(runs: Path) -> None:
    assert both(runs, "push", "r").code == 2
    assert both(runs, "push", "other").code == 2
    unreachable = "http://127.0.0.1:9"
    left = module(runs, "push", "r", "--loki-endpoint", unreachable, "--timeout", "0.3")
    assert left.code == 1
    assert "5 lines not in Loki yet" in left.stderr
    assert both(runs, "push", "r", "--loki-endpoint", "ftp://x").code == 2


def test_push(runs: Path) -> None:
    (runs.parent / "loki").mkdir()
    with running_loki(runs.parent / "loki") as loki:
        first = module(runs, "push", "r", "--loki-endpoint", loki.url, "--format", "json")
        assert first.code == 0, first.stderr
        assert first.document["logs"][0]["acknowledged"] == 5
        assert loki.url.removeprefix("http://") in first.document["endpoint"]
        again = both(runs, "push", "r", "s", "--loki-endpoint", loki.url, "--from-start")
        assert again.code == 0, again.stderr


def test_push_is_interrupted(runs: Path) -> None:
    """The first Ctrl-C is a wish, which is heard at once and told."""
    command = [*python_command(), "-m", "lb_log", "push", "r", "--loki-endpoint", "http://127.0.0.1:9"]
    process = subprocess.Popen(
        command, cwd=runs, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    offset = runs / "benchmark_results/r/logs"
    wait_until(lambda: any(path.name.startswith(".c-h") for path in offset.iterdir()), 20, "it has begun")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1, said
    assert "interrupted; what Loki has acknowledged is kept" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["stats"], "invalid choice: 'stats'"),
        (["push"], "required: RUN|FILE"),
        (["push", "r", "--timeout", "soon"], "invalid seconds value: 'soon'"),
        (["push", "r", "--timeout", "nan"], "invalid seconds value: 'nan'"),
        (["collect", "r"], "required: --from"),
        (["collect", "r", "--from", "x", "--jobs", "0"], "invalid positive value: '0'"),
        (["collect", "r", "--from", "x", "--no-gzip", "--gzip-level", "3"], "not allowed with argument"),
        (["status", "--form", "json"], "unrecognized arguments: --form"),
        (["drain", "--format", "csv"], "invalid choice: 'csv'"),
    ],
)
def test_mistakes_on_the_command_line(runs: Path, arguments: list[str], said: str) -> None:
    done = module(runs, *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("command", ["", "status", "drain", "push", "collect"])
def test_help_teaches(runs: Path, command: str) -> None:
    done = module(runs, *filter(None, [command]), "--help")
    assert (done.code, done.stderr) == (0, "")
    assert "Examples:\n  python -m lb_log " in done.stdout


def test_a_reader_that_has_seen_enough(runs: Path) -> None:
    command = f"{' '.join(python_command())} -m lb_log --help | true; exit ${{PIPESTATUS[0]}}"
    done = ran(["bash", "-c", command], runs)
    assert "Traceback" not in done.stderr
    command = f"{' '.join(python_command())} -m lb_log status r --format json | true"
    done = ran(["bash", "-c", command], runs)
    assert (done.code, done.stderr) == (0, "")


def test_colours_are_for_terminals(runs: Path) -> None:
    def on_a_terminal(**environment: str) -> bytes:
        ours, theirs = pty.openpty()
        environment = {**clean_environment({"TERM": "xterm"}), **environment}
        command = [*python_command(), "-m", "lb_log", "status", "oth\x1ber"]
        process = subprocess.Popen(command, cwd=runs, env=environment, stderr=theirs)
        os.close(theirs)
        said = os.read(ours, 65536)
        process.wait(20)
        os.close(ours)
        return said

    assert on_a_terminal(NO_COLOR="").startswith(b"\x1b[1;31merror:\x1b[0m ")
    assert b"oth\\u{1b}er" in on_a_terminal(NO_COLOR="")
    assert on_a_terminal(NO_COLOR="1").startswith(b"error: ")


def test_it_is_the_module_of_this_python(runs: Path) -> None:
    import lb_log

    assert module(runs, "--version").stdout == f"lb_log {lb_log.__version__}\n"
    assert sys.version_info >= (3, 10)
