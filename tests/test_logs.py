"""`lb logs` and `lb runs`: every record, by time, from whatever files hold it, and nothing that steers a terminal."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.paths import LB
from support.process import clean_environment, peak_kib, wait_until
from support.terminal import Terminal

BASE_NS = 1_795_342_272 * 10**9


def stamp(ns: int) -> str:
    seconds, fraction = divmod(BASE_NS + ns, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"


def line(ns: int, message: str = "m", level: str = "INFO", **fields: object) -> str:
    """The line of a record, `ns` nanoseconds after 2026-11-22T10:11:12Z."""
    tags = fields.pop("tags", None)
    record: dict[str, object] = {
        "timestamp": stamp(ns),
        "level": level,
        "component": "app",
        "host": "node-1",
        "run_id": "run-1",
        "logger": "test",
        "message": message,
        "event_type": "log",
        "workload": "none",
        "repetition": 1,
    }
    record.update(fields)
    if tags:
        record["tags"] = tags
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def put(path: Path, *lines: str) -> Path:
    """A file of lines, gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def lb(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [LB, *arguments], cwd=folder, env=clean_environment(extra), capture_output=True, timeout=60, check=False
    )


def lines_of(folder: Path, *arguments: str, status: int = 0) -> list[str]:
    done = lb(folder, "logs", "--format", "json", *arguments)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode().splitlines(keepends=True)


def shown(folder: Path, *arguments: str, status: int = 0) -> list[str]:
    """The messages that are shown."""
    return [json.loads(text)["message"] for text in lines_of(folder, *arguments, status=status)]


SECOND = 10**9
RESULTS = "benchmark_results"


def test_every_line_of_every_layout_by_time(folder: Path) -> None:
    places = [
        "run-1/logs/app-a.jsonl",
        "run-1/logs/app-a.000001.jsonl",
        "run-1/logs/app-a.000002.jsonl.gz",
        "run-1/logs/app-b.jsonl.gz",
        "run-1/node-2/logs/app-a.jsonl",
        "run-1/node-2/cpu/logs/app-a.jsonl",
        "run-1/node-2/cpu/logs/app-a.000007.jsonl.gz",
    ]
    rng = random.Random(os.environ.get("TEST_SEED", "7"))
    expected = []
    for number, place in enumerate(places):
        # Nearly by time, with some that come very late, as after a recovery.
        times = sorted(rng.sample(range(10**10), 3000))
        for _ in range(30):
            times.insert(rng.randrange(len(times)), times.pop(rng.randrange(len(times))))
        texts = [line(t, f"{number}-{t}", tags={"filler": "x" * rng.randrange(2000)}) for t in times]
        put(folder / RESULTS / place, *texts)
        expected += list(zip(times, texts, strict=True))
    put(folder / RESULTS / "run-1/logs/others.jsonl", '{"type":"Metric"}\n')
    put(folder / RESULTS / "run-1/logs/app-a.quarantined.jsonl", line(5, "not twice"))
    expected.sort()
    found = lines_of(folder)
    assert len(found) == len(expected)
    assert found == [text for _, text in expected]
    of_node_2 = [text for _, text in expected if json.loads(text)["message"][0] in "456"]
    assert lines_of(folder, f"{RESULTS}/run-1/node-2") == of_node_2


def test_a_copy_of_what_is_here_is_not_shown_twice(folder: Path) -> None:
    logs = folder / RESULTS / "run-1/logs"
    put(logs / "app-a.jsonl.gz", line(1, "one"))
    put(logs / "app-a.jsonl", line(1, "one"), line(2, "two"))
    assert shown(folder) == ["one", "two"]
    assert shown(folder, "run-1", "latest", str(logs), str(logs / "app-a.jsonl")) == ["one", "two"]
    assert shown(folder, "run-1", f"{RESULTS}/run-1", f"./{RESULTS}/../{RESULTS}/run-1/logs") == ["one", "two"]


@pytest.fixture
def run(folder: Path) -> Path:
    """A run with something for each filter."""
    put(
        folder / RESULTS / "run-1/logs/app-a.jsonl",
        line(0, "begins", "DEBUG", tags={"phase": "setup"}),
        line(60 * SECOND, "hot", "WARNING", workload="cpu", repetition=2, tags={"phase": "run", "status": 503}),
        line(120 * SECOND, 'disk "sda" is full', "ERROR", host="node-2"),
        line(180 * SECOND, "ends", component="k6", event_type="run_end", workload="cpu", repetition=12),
        line(240 * SECOND, "gone\n\x1b[2J", "CRITICAL", tags={"workload": "cpu", "exception": "at x\nat y\x07"}),
    )
    return folder


ALL = ["begins", "hot", 'disk "sda" is full', "ends", "gone\n\x1b[2J"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("--level trace", [0, 1, 2, 3, 4]),
        ("--level warning", [1, 2, 4]),
        ("-l ERROR", [2, 4]),
        ("--component k6", [3]),
        ("--component k6 --component app", [0, 1, 2, 3, 4]),
        ("--host node-2", [2]),
        ("--workload cpu", [1, 3]),
        ("--workload cpu --repetition 2", [1]),
        ("--repetition 12 --repetition 2", [1, 3]),
        ("--phase run", [1]),
        ("--phase setup --phase run --level info", [1]),
        ("--since 2026-11-22T10:13:12Z", [2, 3, 4]),
        ("--since 10:13:12", [2, 3, 4]),
        ("--until 2026-11-22T11:13:12+01:00", [0, 1, 2]),
        ("--since 10:12 --until 10:14", [1, 2]),
        ("--around 10:12:30", [1, 2]),
        ("--grep full", [2]),
        ("--grep 503", [1]),
        ("-g run_end", [3]),
        ("-g ^ends?$", [3]),
        ("-g (?i)HOT|GONE", [1, 4]),
        ("-g sda", [2]),
        ("-g begins --level info", []),
        ("--component k", []),
        ("--until 2026-11-21", []),
    ],
)
def test_filters(run: Path, flags: str, expected: list[int]) -> None:
    messages = shown(run, *flags.split(), status=0 if expected else 1)
    assert [ALL.index(message) for message in messages] == expected


def test_times_before_now(folder: Path) -> None:
    ago = int(time.time() * 10**9) - BASE_NS
    texts = [line(ago - seconds * SECOND, str(seconds)) for seconds in (7200, 300, 30)]
    put(folder / RESULTS / "run-1/logs/app-a.jsonl", *texts)
    assert shown(folder, "--since", "10m") == ["300", "30"]
    assert shown(folder, "--until", "1h") == ["7200"]
    assert shown(folder, "--since", "3h", "--until", "1m30s") == ["7200", "300"]


def test_nothing_found_says_what_there_is(run: Path) -> None:
    done = lb(run, "logs", "--since", "10m")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no such records; the newest is of 2026-11-22T10:15:12" in done.stderr
    assert lb(run, "logs", "-q", "--since", "10m").stderr == b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run-2"], ["there is no run run-2", "did you mean run-1?"]),
        (["nowhere/x"], ["nowhere/x", "name a run or an existing path"]),
        (["--level", "loud"], ["--level loud", "trace, debug, info"]),
        (["--since", "soon"], ["--since", "soon: this is no time", "10m"]),
        (["--around", "25:00"], ["--around", "25:00"]),
        (["--grep", "("], ["--grep (", "unclosed group"]),
        (["--repetition", "x"], ["--repetition", "x"]),
        (["--since", "1m", "--until", "2m"], ["--since is later than --until"]),
        (["--around", "10:00", "--since", "1m"], ["--around", "--since"]),
        (["other.txt"], ["other.txt", "no log file of ours"]),
    ],
)
def test_bad_input(run: Path, arguments: list[str], said: list[str]) -> None:
    (run / "other.txt").write_text("x")
    done = lb(run, "logs", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert all(text in done.stderr.decode() for text in said), done.stderr.decode()


def test_text_is_for_people_and_never_steers_their_terminal(run: Path) -> None:
    done = lb(run, "logs")
    text = done.stdout.decode()
    assert "2026-11-22 10:12:12.000 WARNING  app@node-1 cpu/2 test hot phase=run status=503\n" in text
    assert "10:14:12.000 INFO     k6@node-1 cpu/12 test run_end: ends\n" in text
    assert "CRITICAL app@node-1 test gone\\n\\u{1b}[2J workload=cpu\n    at x\n    at y\\u{7}\n" in text
    assert not {c for c in text if ord(c) < 32 and c != "\n"}
    assert "app@node-1 none/1 test log: begins" in lb(run, "logs", "-v").stdout.decode()
    forced = lb(run, "logs", CLICOLOR_FORCE="1", NO_COLOR="")
    assert b"\x1b[31mERROR   \x1b[0m" in forced.stdout
    assert b"[2J" in forced.stdout
    assert b"\x1b[2J" not in forced.stdout
    assert b"\x1b" not in lb(run, "logs", CLICOLOR_FORCE="1", NO_COLOR="1").stdout


def on_a_terminal(folder: Path, no_color: str) -> bytes:
    terminal = Terminal(folder, str(LB), "logs", NO_COLOR=no_color, TERM="xterm")
    assert terminal.status() == 0
    return terminal.said


def test_json_on_a_terminal_is_the_same_json(folder: Path) -> None:
    text = line(0, "\x9b2J\x7f ü")
    put(folder / RESULTS / "run-1/logs/app-a.jsonl", text)
    terminal = Terminal(folder, str(LB), "logs", "--format", "json")
    assert terminal.status() == 0
    assert json.loads(terminal.said) == json.loads(text)
    assert not {c for c in terminal.said.decode().strip() if ord(c) < 32 or 127 <= ord(c) < 160}
    assert lines_of(folder) == [text]


def test_colours_are_for_terminals(run: Path) -> None:
    coloured = on_a_terminal(run, "")
    assert b"\x1b[31mERROR   \x1b[0m" in coloured
    assert b"\x1b[2J" not in coloured
    assert b"\x1b" not in on_a_terminal(run, "1")


def test_csv(run: Path) -> None:
    done = lb(run, "logs", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["message"] for row in rows] == [m.replace("\n", "\\n").replace("\x1b", "\\u{1b}") for m in ALL]
    assert json.loads(rows[1]["tags"]) == {"phase": "run", "status": 503}
    assert (rows[3]["event_type"], rows[3]["repetition"], rows[0]["scenario"]) == ("run_end", "12", "")
    refused = lb(run, "status", "--format", "csv")
    assert refused.returncode == 2
    assert b"lb logs" in refused.stderr


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(folder: Path) -> None:
    logs = folder / RESULTS / "run-1/logs"
    rng = random.Random(3)
    texts = [line(n, f"{n} {rng.randbytes(60).hex()}") for n in range(20_000)]
    torn = put(logs / "app-a.jsonl.gz", *texts)
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    put(logs / "app-b.jsonl", line(1, "good"), "no record\n", '{"timestamp":"yesterday"}\n', line(2, "cut")[:-9])
    done = lb(folder, "logs", "--format", "json")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "app-a.jsonl.gz: the gzip data is cut or damaged behind" in said
    assert "app-b.jsonl: 2 lines are no records" in said
    found = [json.loads(text)["message"] for text in done.stdout.decode().splitlines()]
    assert "good" in found
    assert "cut" not in found
    found.remove("good")
    assert 1000 < len(found) < 20_000
    assert found == [json.loads(text)["message"] for text in texts[: len(found)]]
    empty = put(folder / "empty.jsonl")
    done = lb(folder, "logs", str(empty))
    assert done.returncode == 2
    assert b"this file is empty" in done.stderr


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    put(folder / RESULTS / "run-1/logs/app-a.jsonl", *[line(n, str(n)) for n in range(50_000)])
    for flags in ("", "-f", "--format json", "--format csv"):
        command = f"{LB} logs {flags} | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=clean_environment(), capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1), flags


# --- following ---


class Following:
    """`lb logs -f`, and what it has shown so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [str(LB), "logs", "-f", "--format", "json", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.said = b""

    def messages(self) -> list[str]:
        assert self.process.stdout
        while select.select([self.process.stdout], [], [], 0)[0]:
            read = os.read(self.process.stdout.fileno(), 65536)
            if not read:
                break
            self.said += read
        return [json.loads(text)["message"] for text in self.said.splitlines() if text.endswith(b"}")]

    def shows(self, expected: list[str]) -> None:
        wait_until(lambda: len(self.messages()) >= len(expected), 20, f"{len(expected)} messages")
        assert self.messages() == expected


@contextmanager
def following(folder: Path, *arguments: str) -> Iterator[Following]:
    it = Following(folder, *arguments)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.communicate()


def test_following_across_rotation(folder: Path) -> None:
    logs = folder / RESULTS / "run-1/logs"
    live = put(logs / "app-a.jsonl", line(0, "old"))
    with following(folder, "--level", "info") as it:
        it.shows(["old"])
        with live.open("a") as file:
            file.write(line(1, "one") + line(2, "hidden", "DEBUG") + line(3, "two")[:40])
        it.shows(["old", "one"])
        with live.open("a") as file:
            file.write(line(3, "two")[40:])
        it.shows(["old", "one", "two"])
        # Twice within one look; the last lines of each come just before.
        for number in (1, 2):
            with live.open("a") as file:
                file.write(line(10 * number, f"last {number}"))
            live.rename(logs / f"app-a.{number:06}.jsonl")
            put(live, line(10 * number + 1, f"first {number}"))
        it.shows(["old", "one", "two", "last 1", "first 1", "last 2", "first 2"])
        put(folder / RESULTS / "run-1/node-2/cpu/logs/late-b.jsonl", line(50, "another"))
        it.shows(["old", "one", "two", "last 1", "first 1", "last 2", "first 2", "another"])
        # The oldest are deleted, and their inodes may be used again.
        for number in (1, 2):
            (logs / f"app-a.{number:06}.jsonl").unlink()
        time.sleep(0.3)
        put(logs / "app-c.jsonl", line(60, "new file"))
        with live.open("a") as file:
            file.write(line(70, "still there"))
        wait_until(lambda: len(it.messages()) >= 10, 20, "two more")
        assert sorted(it.messages()[8:]) == ["new file", "still there"]


def test_following_ends_with_its_reader(folder: Path) -> None:
    put(folder / RESULTS / "run-1/logs/app-a.jsonl", line(0, "old"))
    with following(folder) as it:
        it.shows(["old"])
        assert it.process.stdout
        it.process.stdout.close()
        # Nothing is written: it notices by itself.
        assert it.process.wait(20) == 0
        it.process.stdout = None


def test_following_a_program_that_rotates(folder: Path) -> None:
    count = 20_000
    command = [str(LB), "exec", "--component", "tool", "--", "seq", str(count)]
    extra = {"LB_RUN_ID": "run-1", "LB_JSONL_LOG_ROTATE_BYTES": "256KiB", "LB_RING_BYTES": "64KiB"}
    put(folder / RESULTS / "run-1/logs/app-a.jsonl", line(0, "old"))
    with following(folder, "--component", "tool") as it:
        subprocess.run(command, cwd=folder, env=clean_environment(extra), stdout=subprocess.DEVNULL, check=True)
        wait_until(lambda: len(it.messages()) >= count + 2, 30, "all lines, a start and an end")
        assert it.messages()[1:-1] == [str(n) for n in range(1, count + 1)]
    assert len(list(folder.glob(f"{RESULTS}/run-1/logs/tool-*.0*.jsonl"))) > 5


def test_memory_stays_flat(folder: Path) -> None:
    """However long a run is, and also when records come an hour late."""
    logs = folder / RESULTS / "run-1/logs"
    logs.mkdir(parents=True)
    megabytes = int(os.environ.get("TEST_LOGS_MB", "200"))
    text = [line(n * SECOND, "x" * 300, tags={"n": n}) for n in range(1000)]
    size = sum(map(len, text))
    with (logs / "app-a.jsonl").open("w") as plain, gzip.open(logs / "app-b.jsonl.gz", "wt", compresslevel=1) as packed:
        for block in range(megabytes * 2**20 // size):
            moved = [t.replace("2026-11-22T10", f"2026-11-22T{10 + block % 3}") for t in text[:3]]
            plain.writelines(moved + text)
            if block < 100:
                packed.writelines(text)
    command = [str(LB), "logs", "--format", "json"]
    for flags in (["--grep", "no such text"], ["--level", "info"]):
        code, peak = peak_kib([*command, *flags], folder)
        # Nothing found, and records so late that the 128 MiB for them do not do.
        assert (code, peak < 200 * 1024) == (1, True), (flags, code, peak)


# --- lb runs ---


def test_runs(folder: Path) -> None:
    results = folder / RESULTS
    put(results / "run-1/logs/app-a.jsonl", line(0), line(90 * SECOND, level="ERROR"), line(5, level="CRITICAL"))
    put(results / "run-1/node-2/cpu/logs/k6-b.000001.jsonl.gz", line(3, component="k6", host="node-2", level="ERROR"))
    put(results / "run-0/logs/app-a.jsonl", line(7 * 86400 * SECOND, "later"))
    put(results / "notes/readme.txt", "no run\n")
    done = lb(folder, "runs")
    assert (done.returncode, done.stderr) == (0, b"")
    rows = [row.split() for row in done.stdout.decode().splitlines()]
    assert rows[0] == ["RUN", "STARTED", "LASTED", "HOSTS", "COMPONENTS", "LINES", "ERRORS"]
    assert rows[1] == ["run-1", "2026-11-22", "10:11:12Z", "1m", "30s", "node-1,node-2", "app,k6", "4", "3"]
    assert rows[2] == ["run-0", "2026-11-29", "10:11:12Z", "0ms", "node-1", "app", "1", "0"]
    document = json.loads(lb(folder, "runs", "--format", "json").stdout)
    first = document["runs"][0]
    assert (first["run"], first["lines"], first["errors"]) == ("run-1", 4, 3)
    assert (first["hosts"], first["components"]) == (["node-1", "node-2"], ["app", "k6"])
    assert (first["first_timestamp"], first["last_timestamp"]) == (stamp(0), stamp(90 * SECOND))
    torn = results / "run-0/logs/app-b.jsonl.gz"
    put(torn, *[line(n, os.urandom(50).hex()) for n in range(5000)])
    torn.write_bytes(torn.read_bytes()[:-1000])
    done = lb(folder, "runs")
    assert done.returncode == 1
    assert b"app-b.jsonl.gz" in done.stderr
    nowhere = lb(folder, "runs", "--output-dir", "nowhere")
    assert nowhere.returncode == 2
    assert b"nowhere: no runs yet" in nowhere.stderr


def test_a_run_that_is_being_written(folder: Path) -> None:
    command = [str(LB), "exec", "--component", "tool", "--", "sh", "-c", "echo ready; sleep 30"]
    with subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            wait_until(lambda: b"ready" in lb(folder, "logs").stdout, 20, "its record is shown")
            assert b"tool" in lb(folder, "runs").stdout
        finally:
            process.send_signal(signal.SIGTERM)
