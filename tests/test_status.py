"""`lb status --watch` on a terminal, in a pipe, and beside k6 and other programs that write; `lb drain` beside them."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import k6
from support.compare import Identity, compare
from support.lb import lb, line, write_log
from support.paths import LB
from support.process import Target, clean_environment, wait_until
from support.records import read_log
from support.screen import Screen
from support.speaker import Speaker, check, gaps, speaking
from support.terminal import Terminal

WATCH = [str(LB), "status", "--watch"]
OFTEN = ("--interval", "0.1")
K6_TAGS = {"run_id": "trouble"}
HEADING = b"until Ctrl-C"


class Watching:
    """`lb status --watch` whose stdout is a pipe."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*WATCH, *arguments], cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.said = b""

    def read(self) -> bytes:
        """All that it has printed so far."""
        assert self.process.stdout
        while not self.process.stdout.closed and select.select([self.process.stdout], [], [], 0)[0]:
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                break
            self.said += more
        return self.said

    def documents(self) -> list[Any]:
        return [json.loads(text) for text in self.read().splitlines(keepends=True) if text.endswith(b"\n")]

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Its status and what it said on stderr."""
        self.process.send_signal(by)
        rest, stderr = self.process.communicate(timeout=20)
        self.said += rest
        return self.process.returncode, stderr.decode()


@contextmanager
def watching(folder: Path, *arguments: str, interval: float = 0.1) -> Iterator[Watching]:
    it = Watching(folder, "--interval", str(interval), *arguments)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.communicate()


# --- beside programs that write ---


def start_k6(folder: Path, target: Target, out: Path) -> tuple[subprocess.Popen[bytes], list[str], Path]:
    own = folder / "k6"
    own.mkdir()
    command = k6.arguments(
        "together.js", own, target, extra=["--tag", "run_id=trouble"], script_environment={"WHO": "k6"}
    )
    return k6.start(command, own, {"LB_OUTPUT_DIR": str(out)}), command, own


def start_exec(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """A command that writes until it is told to stop."""
    script = "n=0; while ! [ -e over ]; do n=$((n + 1)); echo line $n; sleep 0.01; done; echo last $n"
    extra = {"LB_RUN_ID": "trouble", "LB_OUTPUT_DIR": str(out), "LB_HOST": "node-1"}
    command = [str(LB), "exec", "--component", "tool", "--", "sh", "-c", script]
    return subprocess.Popen(command, cwd=folder, env=clean_environment(extra), stdout=subprocess.DEVNULL)


def drain_and_look(out: Path, speaker: Speaker) -> None:
    """While the speaker's threads log."""
    speaker.send("log 3000 60 100")
    rounds = 0
    while rounds < 3 or not speaker.has_answer():
        for command in ("drain", "status"):
            ran = lb(command, str(out / "trouble"), "--format", "json")
            assert ran.code == 0, ran.stderr
        assert ran.document["problems"] == []
        rounds += 1
    speaker.answer()


def test_status_and_drain_while_k6_and_others_write(folder: Path, target: Target, speaker_program: Path) -> None:
    out = folder / "out"
    # Settings by which blocks are small, and files are rotated.
    settings = {"output_dir": str(out), "jsonl": {"log_rotate_bytes": "128KiB"}, "ring_bytes": "64KiB"}
    with (
        speaking(speaker_program, folder / "one", settings, threads=2) as killed,
        watching(folder, str(out / "trouble"), "--format", "json") as watch,
    ):
        process, command, own = start_k6(folder, target, out)
        shell = start_exec(folder, out)
        killed.leave_in_rings(out / "trouble/logs/generator-node-1.jsonl", 100)
        with speaking(speaker_program, folder / "two", settings, threads=2) as speaker:
            drain_and_look(out, speaker)
            run = k6.finished(process, command, own)
            (folder / "over").touch()
            assert shell.wait(30) == 0
            speaker.close()
        assert run.exit_code == 0, run.stderr
        logs = out / "trouble" / "logs"
        files = sorted(path for path in logs.iterdir() if not path.name.startswith("."))
        lines = {str(path): len(read_log(path)) for path in files}
        seen = len(watch.documents())
        wait_until(lambda: len(watch.documents()) > seen + 1, 20, "another look")
        assert watch.end() == (0, "")
        documents = watch.documents()

    # What it showed grew with the files, and ended at what is in them.
    for before, after in itertools.pairwise(documents):
        assert after["timestamp"] > before["timestamp"]
        assert after["problems"] == []
        grown = {log["path"]: log["lines"] for log in after["logs"]}
        assert all(log["lines"] <= grown[log["path"]] for log in before["logs"])
    last = documents[-1]
    assert {file["path"]: file["lines"] for log in last["logs"] for file in log["files"]} == lines
    assert [log["queued"] for log in last["logs"]] == [0, 0, 0]
    assert any(log.get("lines_per_second", 0) > 0 for look in documents for log in look["logs"])

    # None of the writers lost anything, and what the killed one left was moved, once.
    records = [record for path in files if path.name.startswith("generator") for record in read_log(path)]
    assert gaps(records) == []
    half = len(killed.accepted()[0])
    both = {thread: [*numbers, *speaker.accepted()[thread]] for thread, numbers in killed.accepted().items()}
    assert half == 100
    assert len(records) == sum(map(len, both.values()))
    said = [record["message"] for record in read_log(logs / "tool-node-1.jsonl") if record["event_type"] == "output"]
    assert said == [*(f"line {n}" for n in range(1, len(said))), f"last {len(said) - 1}"]
    difference = compare(run.points(), read_log(logs / f"k6-{k6.HOST}.jsonl"), Identity(run_tags=K6_TAGS), "compact")
    assert not difference, str(difference)


def test_what_dead_processes_left_is_counted_until_the_end(folder: Path, speaker_program: Path) -> None:
    settings = {"output_dir": str(folder / "out")}
    log = folder / "out/trouble/logs/generator-node-1.jsonl"
    with speaking(speaker_program, folder / "own", settings) as speaker:
        speaker.log(1)
        speaker.flush()
        with watching(folder, str(folder / "out/trouble"), "--format", "json") as watch:
            wait_until(lambda: len(watch.documents()) > 0, 20, "a look")
            speaker.leave_in_rings(log, 70)
            wait_until(lambda: watch.documents()[-1]["logs"][0]["recovered"] > 0, 20, "they are moved")
            seen = len(watch.documents())
            wait_until(lambda: len(watch.documents()) > seen + 1, 20, "more looks")
            assert watch.end() == (0, "")
        entry = watch.documents()[-1]["logs"][0]
    assert (entry["recovered"], entry["lines"], entry["queued"]) == (70, 71, 0)
    check(speaker, read_log(log))


# --- on a terminal ---


def looks(said: bytes) -> int:
    return said.count(HEADING)


def rows(said: bytes) -> list[str]:
    return Screen().feed(said).rows


def test_a_terminal_is_drawn_in_place(folder: Path) -> None:
    log = write_log(folder / "run/logs/c-h.jsonl", [line(1, "one")])
    terminal = Terminal(folder, *WATCH, *OFTEN, "./run", TERM="xterm")
    terminal.read_until(lambda said: looks(said) > 1, "two looks")
    write_log(log, [line(2, "two"), line(3, "three")])
    terminal.read_until(lambda said: any("c-h.jsonl      3" in row for row in rows(said)), "three lines")
    assert terminal.modes(), "it leaves the modes of the terminal alone"
    terminal.write(b"\x03")
    assert terminal.status() == 0
    shown = Screen().feed(terminal.said.replace(b"^C", b""))
    assert shown.wraps
    heading, columns, file, end = shown.rows
    assert heading.startswith("./run at 20")
    assert heading.endswith("Z, every 100ms until Ctrl-C")
    assert columns.split()[:3] == ["FILE", "LINES", "BYTES"]
    assert "LINES/S" in columns
    assert file.split()[:2] == ["logs/c-h.jsonl", "3"]
    assert end == ""


def test_a_small_window_and_another_size(folder: Path) -> None:
    for number in range(30):
        write_log(folder / f"run/logs/c{number:02}-h.jsonl", [line(number, "one")])
    terminal = Terminal(folder, *WATCH, *OFTEN, "./run", TERM="xterm")
    terminal.resize(10, 40)
    terminal.read_until(lambda said: b"and 24 more: make the window higher" in said, "a part of it")
    terminal.resize(50, 120)
    terminal.read_until(lambda said: b"c29-h.jsonl" in said, "all of it")
    seen = looks(terminal.said)
    terminal.read_until(lambda said: looks(said) > seen + 1, "it is drawn again")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 0
    shown = rows(terminal.said)
    assert [row.split()[0] for row in shown[2:-1]] == [f"logs/c{number:02}-h.jsonl" for number in range(30)]


def test_names_do_not_steer_the_terminal(folder: Path) -> None:
    write_log(folder / "run\x1b[2J/logs/c-h.jsonl", [line(1, "one")])
    terminal = Terminal(folder, *WATCH, *OFTEN, "./run\x1b[2J", TERM="xterm")
    terminal.read_until(lambda said: looks(said) > 0, "a look")
    terminal.write(b"\x03")
    assert terminal.status() == 0
    assert b"\x1b[2J" not in terminal.said


@pytest.mark.parametrize("extra", [{"TERM": "dumb"}, {"TERM": "xterm", "arguments": "--format json"}])
def test_terminals_that_are_not_drawn_on(folder: Path, extra: dict[str, str]) -> None:
    write_log(folder / "run/logs/c-h.jsonl", [line(1, "one")])
    arguments = extra.get("arguments", "").split()
    terminal = Terminal(folder, *WATCH, *OFTEN, "./run", *arguments, TERM=extra["TERM"])
    terminal.read_until(lambda said: said.count(b"c-h.jsonl") > 2, "some looks")
    terminal.write(b"\x03")
    assert terminal.status() == 0
    assert b"\x1b" not in terminal.said


# --- elsewhere ---


def test_in_a_pipe_it_is_one_table_behind_the_other(folder: Path) -> None:
    write_log(folder / "benchmark_results/run-1/logs/c-h.jsonl", [line(1, "one")])
    torn = folder / "benchmark_results/run-1/logs/d-h.jsonl.gz"
    whole = gzip.compress("".join(f"{line(n, os.urandom(50).hex())}\n" for n in range(5000)).encode())
    torn.write_bytes(whole[: len(whole) // 2])
    with watching(folder) as watch:
        wait_until(lambda: watch.read().count(b"\n\n") > 2, 20, "three tables")
        code, stderr = watch.end(signal.SIGTERM)
    assert code == 1
    assert stderr.count(torn.name) == 1, f"what stays wrong is said once: {stderr}"
    for table in watch.said.decode().removesuffix("\n\n").split("\n\n"):
        heading, columns, first, second = table.split("\n")
        assert heading.startswith("benchmark_results/run-1 at 20")
        assert columns.startswith("FILE")
        assert first.split()[:2] == ["logs/c-h.jsonl", "1"]
        assert second.split()[0] == "logs/d-h.jsonl.gz"
        assert 2000 < int(second.split()[1]) < 3000, "what can be read of it"


def test_it_ends_with_its_reader(folder: Path) -> None:
    write_log(folder / "benchmark_results/run-1/logs/c-h.jsonl", [line(1, "one")])
    for interval in (0.1, 3600):
        with watching(folder, interval=interval) as watch:
            assert watch.process.stdout
            select.select([watch.process.stdout], [], [], 20)
            assert b"c-h.jsonl" in watch.read()
            watch.process.stdout.close()
            assert watch.process.wait(20) == 0
            watch.process.stdout = None


def test_the_newest_run_may_be_another_one_and_a_run_may_go(folder: Path) -> None:
    old = write_log(folder / "benchmark_results/old/logs/c-h.jsonl", [line(1, "one")])
    os.utime(old, (1, 1))
    with watching(folder, "--format", "json") as watch:
        wait_until(lambda: len(watch.documents()) > 0, 20, "a look")
        new = write_log(folder / "benchmark_results/new/logs/c-h.jsonl", [line(1, "one")])
        wait_until(lambda: watch.documents()[-1]["path"].endswith("/new"), 20, "the new run")
        os.utime(new, (2, 2))
        (folder / "benchmark_results").rename(folder / "elsewhere")
        assert watch.process.stderr
        assert select.select([watch.process.stderr], [], [], 20)[0]
        (folder / "elsewhere").rename(folder / "benchmark_results")
        seen = len(watch.documents())
        wait_until(lambda: len(watch.documents()) > seen, 20, "it is there again")
        code, stderr = watch.end()
    assert code == 0
    assert stderr.count("no runs yet") == 1, stderr
    assert watch.documents()[0]["path"].endswith("/old")


def test_a_run_that_is_not_there_is_an_error_at_once(folder: Path) -> None:
    ran = lb("status", "--watch", "nowhere", "--output-dir", str(folder))
    assert (ran.code, ran.stdout) == (2, "")
    assert "there is no run nowhere" in ran.stderr


def test_files_that_change_between_looks_are_counted_anew(folder: Path) -> None:
    """Cut back after a crash, begun anew, rotated."""
    log = folder / "run/logs/c-h.jsonl"
    write_log(log, [line(n, "before") for n in range(9)])
    with watching(folder, "./run", "--format", "json") as watch:

        def shows(*counts: int) -> None:
            def now() -> list[int]:
                return [file["lines"] for file in watch.documents()[-1]["logs"][0]["files"]]

            wait_until(lambda: bool(watch.documents()), 20, "a look")
            wait_until(lambda: now() == list(counts), 20, f"{counts}, not {now()}")

        shows(9)
        log.write_text("".join(f"{line(n, 'begun anew, and longer')}\n" for n in range(10)), encoding="utf-8")
        shows(10)
        text = log.read_text(encoding="utf-8")
        log.write_text(text[: text.index("\n", len(text) // 2) + 1] + '{"timest', encoding="utf-8")
        shows(6)
        log.rename(log.with_name("c-h.000001.jsonl"))
        write_log(log, [line(1, "new"), line(2, "new")])
        shows(6, 2)
        assert watch.end() == (0, "")
