"""What is wrong with what `lb` is given: each case is named with what to do next, and ends as DESIGN says."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from support.lb import line, write_log
from support.paths import LB
from support.process import clean_environment

SECOND = 1_000_000_000
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs, and files that are none."""
    folder = tmp_path_factory.mktemp("place")
    runs = folder / "benchmark_results"
    write_log(runs / "nightly-7/logs/c-h.jsonl", [line(n * SECOND, f"m{n}") for n in range(3)])
    write_log(runs / "torn/logs/c-h.jsonl", [line(n * SECOND, f"m{n}") for n in range(3)])
    whole = gzip.compress("".join(f"{line(n, os.urandom(50).hex())}\n" for n in range(2000)).encode())
    cut = whole[: len(whole) // 2]
    (runs / "torn/logs/d-h.jsonl.gz").write_bytes(cut)
    (runs / "nothing/logs").mkdir(parents=True)
    (folder / "alone/unread/logs").mkdir(parents=True)
    (folder / "alone/unread/logs/c-h.jsonl.gz").write_bytes(b"this is no gzip")
    (folder / "cut.jsonl.gz").write_bytes(cut)
    (folder / "cut-early.jsonl.gz").write_bytes(cut[:12])
    (folder / "empty.jsonl").touch()
    (folder / "empty.jsonl.gz").touch()
    (folder / "notes.txt").write_text("hello\n", encoding="utf-8")
    (folder / "other.jsonl").write_text('{"a":1}\n', encoding="utf-8")
    (folder / "binary.jsonl").write_bytes(os.urandom(100_000))
    (folder / "bad.toml").write_text('output_dir = 3\nrun_ids = "x"\n', encoding="utf-8")
    (folder / "broken.toml").write_text("output_dir = \n", encoding="utf-8")
    (folder / "settings.ini").write_text("x\n", encoding="utf-8")
    (folder / "lb.toml.d").mkdir()
    return folder


def run(place: Path, arguments: list[str]) -> tuple[int, bytes, str]:
    done = subprocess.run(
        [str(LB), *arguments],
        cwd=place,
        env=clean_environment({"HOME": str(place)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


# --- RUN ---

# The commands that take runs, each with what it needs besides.
OF_RUNS = {
    "status": [],
    "status --watch": [],
    "logs": [],
    "report": ["-o", "made.html"],
    "push": ["--timeout", "1", "--loki-endpoint", NOBODY],
    "verify": ["--timeout", "1", "--loki-endpoint", NOBODY],
}

# What is given for RUN, and what is said of it.
NO_RUNS = {
    "nightly-77": ["there is no run nightly-77", "did you mean nightly-7?", "--output-dir"],
    "nowhere/x": ["nowhere/x: cannot be read", "name a run or an existing path"],
    "": ["RUN is empty", "name a run"],
    "empty.jsonl": ["empty.jsonl: this file is empty", "name a .jsonl"],
    "empty.jsonl.gz": ["empty.jsonl.gz: cannot be read", "unexpected end of file"],
    "notes.txt": ["notes.txt: this is no log file of ours", "name a .jsonl"],
    "other.jsonl": ["other.jsonl: this is no log file of ours", "name a .jsonl"],
    "binary.jsonl": ["binary.jsonl: this is no log file of ours", "name a .jsonl"],
    "cut-early.jsonl.gz": ["cut-early.jsonl.gz: cannot be read"],
}


@pytest.mark.parametrize("given", NO_RUNS)
@pytest.mark.parametrize("command", OF_RUNS)
def test_a_run_that_is_none(place: Path, command: str, given: str) -> None:
    code, stdout, stderr = run(place, [*command.split(), given, *OF_RUNS[command]])
    assert (code, stdout) == (2, b""), stderr
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1, stderr
    assert stderr.count("(os error") <= 1, f"told twice: {stderr}"
    for part in NO_RUNS[given]:
        assert part in stderr, (part, stderr)


@pytest.mark.parametrize("command", [command for command in OF_RUNS if "--watch" not in command])
def test_a_run_without_logs(place: Path, command: str) -> None:
    code, stdout, stderr = run(place, [command, "nothing", *OF_RUNS[command]])
    assert code == 1, stderr
    assert stdout.count(b"\n") <= 1, "a table's heading at most"
    assert "nothing" in stderr
    assert "no logs" in stderr or "no records" in stderr, stderr


@pytest.mark.parametrize("command", OF_RUNS)
def test_a_newest_run_that_cannot_be_read(place: Path, command: str) -> None:
    arguments = [*command.split(), *OF_RUNS[command], "--output-dir", "alone"]
    code, _, stderr = run(place, [*arguments, "latest"])
    assert code == 2, stderr
    assert "no runs yet" in stderr
    assert "unread/logs/c-h.jsonl.gz: cannot be read: invalid gzip header" in stderr


# --- a gzip that is cut in its middle: what can be read is shown, and the rest is named ---

OF_FILES = {
    "status": b"cut.jsonl.gz",
    "logs": b"\n",
    "report": b"",
    "verify": b"cut.jsonl.gz",
}


@pytest.mark.parametrize("command", OF_FILES)
def test_a_gzip_that_is_cut(place: Path, command: str) -> None:
    code, stdout, stderr = run(place, [command, "cut.jsonl.gz", *OF_RUNS[command]])
    assert code == 1, stderr
    assert "cut.jsonl.gz: the gzip data is cut or damaged behind" in stderr
    assert "collect it again" in stderr
    assert OF_FILES[command] in stdout
    if command == "logs":
        assert 500 < stdout.count(b"\n") < 1500
    if command == "report":
        assert (place / "made.html").stat().st_size > 10_000


@pytest.mark.parametrize("command", ["status", "logs", "report", "runs"])
def test_one_of_several_files_is_cut(place: Path, command: str) -> None:
    arguments = [command] if command == "runs" else [command, "torn", *OF_RUNS[command]]
    code, stdout, stderr = run(place, arguments)
    assert code == 1, stderr
    assert "logs/d-h.jsonl.gz: the gzip data is cut or damaged behind" in stderr
    if command == "logs":
        assert b"m2" in stdout
    if command == "status":
        assert b"logs/c-h.jsonl " in stdout


# --- everything else: arguments, exit code, what is said ---

CASES: list[tuple[str, int, list[str]]] = [
    ("", 2, ["Usage: lb"]),
    ("bogus", 2, ["unrecognized subcommand 'bogus'"]),
    ("stats", 2, ["a similar subcommand exists: 'status'"]),
    ("--bogus", 2, ["unexpected argument '--bogus'"]),
    ("-q -v runs", 2, ["cannot be used with"]),
    ("--config", 2, ["--config <FILE>"]),
    ("runs --config nowhere.toml", 2, ["nowhere.toml: cannot be read"]),
    (
        "runs --config bad.toml",
        2,
        ["bad.toml: output_dir: expected a path", "run_ids: unknown key; did you mean run_id?"],
    ),
    ("runs --config broken.toml", 2, ["broken.toml: line 1, column 14: not TOML"]),
    ("runs --config settings.ini", 2, ["must end in .toml, .json, .yaml or .yml"]),
    ("runs --config lb.toml.d", 2, ["lb.toml.d: cannot be read: Is a directory"]),
    ("runs --loki-endpoint x", 2, ["--loki-endpoint", "begins with http:// or https://"]),
    ("runs --format csv", 2, ["--format csv: only `lb logs` has that"]),
    ("runs --format yaml", 2, ["possible values: text, json, csv"]),
    ("runs extra", 2, ["unexpected argument 'extra'"]),
    ("runs --output-dir nowhere", 2, ["nowhere: no runs yet", "--output-dir"]),
    ("runs --output-dir notes.txt", 2, ["notes.txt: no runs yet", "Not a directory"]),
    ("runs --output-dir benchmark_results/nothing", 1, ["nothing: no runs yet"]),
    # status
    ("status a b", 2, ["unexpected argument 'b'"]),
    ("status --interval 1", 2, ["--watch"]),
    ("status --watch --interval 0", 2, ["--interval", "expected 0.1 or more seconds"]),
    ("status --watch --interval -1", 2, ["--interval", "expected a number of seconds"]),
    ("status --watch --interval soon", 2, ["--interval", "expected a number of seconds"]),
    # drain
    ("drain nowhere", 2, ["nowhere: this is no folder; name the one"]),
    ("drain notes.txt", 2, ["notes.txt: this is no folder; name the one"]),
    ("drain benchmark_results/nothing", 1, ["nothing: no logs below it"]),
    # logs
    ("logs nightly-7 nightly-77", 2, ["there is no run nightly-77", "did you mean nightly-7?"]),
    ("logs nightly-7 --level bogus", 2, ["--level bogus: there is no such level; there are trace, debug"]),
    ("logs nightly-7 --since soon", 2, ["--since: soon: this is no time; write 10m (ago)"]),
    ("logs nightly-7 --since 99999999999999d", 2, ["--since", "this is no time"]),
    ("logs nightly-7 --until 1h --since 1m", 2, ["--since is later than --until", "exchange them"]),
    ("logs nightly-7 --since 10m --around 5m", 2, ["cannot be used with"]),
    ("logs nightly-7 --grep (", 2, ["--grep (", "unclosed group"]),
    ("logs nightly-7 --repetition x", 2, ["--repetition"]),
    ("logs nightly-7 --repetition -1", 2, ["--repetition", "-1"]),
    ("logs nightly-7 --component nobody", 1, ["nightly-7: no such records; the newest is of 1970-01-01T00:00:02"]),
    # push and verify
    ("push", 2, ["<RUN|FILE>"]),
    ("push nightly-7", 2, ["no Loki is configured", "--loki-endpoint URL"]),
    (f"push nightly-7 --loki-endpoint {NOBODY} --timeout 0.2", 1, ["3 lines not in Loki yet", "push again"]),
    ("push nightly-7 --loki-endpoint nonsense", 2, ["--loki-endpoint", "begins with http:// or https://"]),
    (f"push nightly-7 --loki-endpoint {NOBODY} --timeout x", 2, ["--timeout", "expected a number of seconds"]),
    (f"push nightly-7 --loki-endpoint {NOBODY} --timeout -1", 2, ["--timeout", "expected a number of seconds"]),
    ("verify", 2, ["<RUN|FILE>"]),
    ("verify nightly-7", 2, ["no Loki is configured", "--loki-endpoint URL"]),
    (f"verify nightly-7 --loki-endpoint {NOBODY} --timeout nan", 2, ["--timeout", "expected a number of seconds"]),
    (f"verify nightly-7 --loki-endpoint {NOBODY} --timeout 0.2", 1, ["this proves nothing"]),
    # collect
    ("collect nightly-7", 2, ["--from <SOURCE>"]),
    ("collect --from .", 2, ["<RUN>"]),
    ("collect nightly-7 --from ./nowhere", 1, ["nowhere: there is no such folder; name the one of all runs"]),
    ("collect nightly-7 --from ./notes.txt", 1, ["notes.txt: there is no such folder"]),
    ("collect nightly-77 --from ./benchmark_results --output-dir made", 1, ["there is no run nightly-77", "nightly-7"]),
    ("collect a/b --from .", 2, ["a/b: name the run by its id"]),
    ("collect .. --from .", 2, ["..: name the run by its id"]),
    ("collect nightly-7 --from :x", 2, ['--from ":x": this is no host\'s name; a folder here is ./name']),
    ("collect nightly-7 --from=-oProxyCommand=x:y", 2, ["--from"]),
    ("collect nightly-7 --from . --timeout 0", 2, ["--timeout: 0 s: expected 0.001 to 1000000 seconds"]),
    ("collect nightly-7 --from . --timeout -1", 2, ["--timeout: -1 s: expected 0.001 to 1000000 seconds"]),
    ("collect nightly-7 --from . --timeout soon", 2, ["--timeout", "expected a number of seconds"]),
    ("collect nightly-7 --from . --jobs 0", 2, ["--jobs", "0 is not in 1..=65535"]),
    ("collect nightly-7 --from . --jobs many", 2, ["--jobs"]),
    ("collect nightly-7 --from . --gzip-level 10", 2, ["--gzip-level", "10 is not in 1..=9"]),
    ("collect nightly-7 --from . --no-gzip --gzip-level 3", 2, ["cannot be used with"]),
    (
        "collect nightly-7 --from h: --ssh nowhere/ssh",
        1,
        ["nowhere/ssh: not found", "name a command that is there with --ssh"],
    ),
    ("collect latest --from . --output-dir nowhere", 2, ["name the run by its id", "nowhere: no runs yet"]),
    ("collect nightly-7 --from benchmark_results --output-dir notes.txt", 2, ["a file has the place of its folder"]),
    # report
    ("report nightly-7 -o /nowhere/x.html", 2, ["/nowhere/x.html: cannot be written; name another file"]),
    ("report nightly-7 -o notes.txt", 2, ["notes.txt: exists and is no report of ours; take another name"]),
    ("report nightly-7 -o lb.toml.d", 2, ["lb.toml.d: this is a folder; name a file"]),
    # config
    ("config", 2, ["Usage: lb config"]),
    ("config bogus", 2, ["unrecognized subcommand 'bogus'"]),
    ("config check --config nowhere.toml", 2, ["nowhere.toml: cannot be read", "1 mistake"]),
    ("config check --config bad.toml", 2, ["expected a path", "did you mean run_id?", "2 mistakes; correct them"]),
    ("config check --config broken.toml", 2, ["line 1, column 14: not TOML"]),
    ("config show --config settings.ini", 2, ["must end in .toml, .json, .yaml or .yml"]),
    ("config init lb.toml", 2, ["unexpected argument 'lb.toml'"]),
    # exec: its own failures are those of env
    ("exec", 125, ["<CMD>"]),
    ("exec --component x", 125, ["<CMD>"]),
    ("exec -- true", 125, ["whose output is this?", "lb exec --component NAME -- CMD"]),
    ("exec --bogus -- true", 125, ["unexpected argument '--bogus'"]),
    ("exec --component x -- nowhere", 127, ["lb exec: nowhere: No such file or directory"]),
    ("exec --component x -- ./notes.txt", 126, ["lb exec: ./notes.txt: Permission denied"]),
    ("exec --component x -- .", 126, ["lb exec: .: Permission denied"]),
    ("exec --component x --repetition 0 -- true", 125, ["--repetition", "expected a whole number from 1"]),
    ("exec --component x --repetition -1 -- true", 125, ["--repetition", "expected a whole number from 1"]),
    ("exec --component x --parse y -- true", 125, ["possible values: auto, json, none"]),
    (
        "exec --component x --phase none -- true",
        125,
        ["--phase", "expected one of install, setup, run, teardown, collect"],
    ),
    ("exec --component x --output-dir notes.txt -- true", 125, ["a file has the place of its folder: move that away"]),
    ("exec --component x --config bad.toml -- true", 125, ["bad.toml: output_dir: expected a path"]),
]


@pytest.mark.parametrize(("arguments", "code", "said"), CASES, ids=[case[0] or "nothing" for case in CASES])
def test_it_is_named_with_what_to_do(place: Path, arguments: str, code: int, said: list[str]) -> None:
    ended, stdout, stderr = run(place, arguments.split())
    assert ended == code, stderr
    if code != 1 and not arguments.startswith("config show"):
        assert stdout == b""
    for part in said:
        assert part in stderr, (part, stderr)
    assert stderr.count("(os error") <= stderr.count("\n"), f"told twice: {stderr}"
    assert "panicked" not in stderr


@pytest.mark.parametrize(
    "arguments", [["--output-dir", "", "runs"], ["drain", ""], ["exec", "--component", "", "--", "true"]]
)
def test_an_empty_argument(place: Path, arguments: list[str]) -> None:
    code, _, stderr = run(place, arguments)
    assert code == (125 if arguments[0] == "exec" else 2), stderr
    assert stderr.startswith("error: ")
