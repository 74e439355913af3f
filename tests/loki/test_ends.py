"""The end of a program that ships: in time whatever Loki, the network and the disk do, and with nothing lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support import k6, mounts
from support.faults import Fault, answering, never_answer, pass_on, proxy, slow
from support.loki import Loki, free_port
from support.namespaces import needs_namespaces, with_resolver
from support.paths import TESTS
from support.process import clean_environment, wait_until
from support.records import read_log
from support.shipping import Stage, finish, judge_end, log_of, shipping
from support.speaker import Speaker, speaking

DEADLINE_MS, SLACK_MS = 700, 200
# A busy machine may be late by itself, once or twice.
TRIES = 4


def closes_in_time(start: Callable[[int], Speaker]) -> None:
    """Close returns within its deadline and 200 ms, with what is missing, and the program ends right behind it."""
    took = []
    for number in range(TRIES):
        speaker = start(number)
        answer = speaker.close(DEADLINE_MS)
        assert answer["code"] == 7, answer
        assert "lines are not in Loki yet" in answer["message"], answer
        speaker.send("exit")
        assert speaker.process.wait(5) == 0
        took.append(answer["took_us"] / 1000)
        if took[-1] <= DEADLINE_MS + SLACK_MS:
            print(f"close took {took} ms, the deadline was {DEADLINE_MS} ms")
            return
    raise AssertionError(f"close took {took} ms, the deadline was {DEADLINE_MS} ms")


def end_of_speakers(
    program: Path, folder: Path, url: str, is_tried: Callable[[], bool], prefix: Sequence[str] = ()
) -> None:
    """Speakers that log, and close when their shipper is busy trying."""
    with ExitStack() as stack:

        def start(number: int) -> Speaker:
            settings = shipping(folder / str(number), url, run_id="ends")
            speaker = stack.enter_context(speaking(program, folder / f"own-{number}", settings, prefix=prefix))
            speaker.log(200)
            assert speaker.flush()["code"] == 0
            wait_until(is_tried, 10, "it is being shipped")
            return speaker

        closes_in_time(start)


FAULTS: dict[str, Fault] = {
    "unavailable": answering(503, "not now"),
    "stalled": never_answer,
    "slow": slow(3),
    "forbidden": answering(403, "not you"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_close_returns_in_time(fault: str, loki: Loki, speaker_program: Path, folder: Path) -> None:
    with proxy(loki, FAULTS[fault]) as between:
        end_of_speakers(speaker_program, folder, between.url, lambda: len(between.requests) > 0)


def test_close_returns_in_time_where_nobody_listens(speaker_program: Path, folder: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    said = folder / "own-0" / "stderr"
    end_of_speakers(speaker_program, folder, url, lambda: "Connection refused" in said.read_text(encoding="utf-8"))


@needs_namespaces
def test_close_returns_in_time_where_names_are_never_answered(speaker_program: Path, folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        # One of millions, for those who do the same at the same time.
        address = f"127.{os.getpid() >> 16 & 0xFF}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF | 2}"
        silent.bind((address, 53))
        silent.setblocking(False)
        configuration = folder / "resolv.conf"
        configuration.write_text(f"nameserver {address}\noptions timeout:30\n", encoding="utf-8")
        asked = []

        def is_asked() -> bool:
            try:
                asked.append(silent.recv(512))
            except BlockingIOError:
                return False
            return True

        url = "http://loki.nowhere.test:3100"
        end_of_speakers(speaker_program, folder, url, is_asked, with_resolver(configuration))
        assert asked
        assert b"\x07nowhere\x04test" in asked[0]


def test_close_returns_in_time_where_the_disk_is_frozen(loki: Loki, speaker_program: Path, folder: Path) -> None:
    """In the middle of shipping; everything goes on when the disk does, also in the next program."""
    disk = folder / "disk"
    with mounts.ext4(disk, folder / "image"):
        took = []
        for number in range(TRIES):
            run_id = f"frozen-{number}"
            settings = shipping(disk, loki.url, run_id=run_id)
            with speaking(speaker_program, folder / f"own-{number}", settings) as speaker:
                speaker.log(200)
                assert speaker.flush()["code"] == 0
                with mounts.frozen(disk):
                    # It now waits for the disk before it sends anything, or before it says so.
                    speaker.log(100)
                    answer = speaker.close(DEADLINE_MS)
                    assert answer["code"] == 7, answer
                took.append(answer["took_us"] / 1000)
            stats = finish(settings)
            judge_end(loki, log_of(disk, run_id), run_id, stats)
            if took[-1] <= DEADLINE_MS + SLACK_MS:
                print(f"close took {took} ms, the deadline was {DEADLINE_MS} ms")
                return
        raise AssertionError(f"close took {took} ms, the deadline was {DEADLINE_MS} ms")


def test_k6_ends_in_time_where_loki_never_answers(loki: Loki, folder: Path) -> None:
    """Within its stop_timeout: what is pending stays in the file, and the test itself succeeds."""
    script = folder / "short.js"
    script.write_text("export const options = { iterations: 5 };\nexport default () => console.log('a line');\n")
    with proxy(loki, never_answer) as between:
        samples = f"compact,{between.url},stop_timeout=1s"
        took = []
        for number in range(TRIES):
            own = folder / str(number)
            run = k6.run(script, own, None, samples=samples, extra=["--tag", f"run_id=ends-{number}"])
            ended = time.time()
            assert run.exit_code == 0, run.stderr
            assert re.search(r"acknowledged 0, pending [1-9]\d*, dropped 0$", run.stderr, re.MULTILINE), run.stderr
            (last,) = run.events("run_end")
            took.append(ended - k6.nanoseconds(last["timestamp"]) / 1e9)
            # Then k6 makes its summary, and its process ends.
            if took[-1] < 2:
                return
    raise AssertionError(f"k6 ended {took} s behind its run, with a stop_timeout of 1 s")


# --- forks, other programs, daemons ---


@contextmanager
def program(mode: str, settings: dict[str, Any], *more: str) -> Iterator[subprocess.Popen[str]]:
    """crash/shipper.py, running; neither it nor its children outlive the test."""
    command = [sys.executable, str(TESTS / "crash" / "shipper.py"), mode, json.dumps(settings), *more]
    process = subprocess.Popen(
        command,
        env=clean_environment({"PYTHONPATH": str(TESTS)}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.wait(10)


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of what it tells."""
    assert process.stdout is not None
    result: dict[str, Any] = json.loads(process.stdout.readline())
    return result


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("parent_dies", [False, True])
def test_a_forked_child_ships_nothing_of_its_parents(parent_dies: bool, loki: Loki, folder: Path) -> None:
    """Forked while a push waits for its answer. One of the two ships both's lines, each once; and where the parent is
    killed the child does, although it had inherited what the parent had open."""
    run_id = f"fork-{parent_dies}"
    stage = Stage("stored")
    with proxy(loki, stage) as between:
        settings = shipping(folder, between.url, run_id=run_id)
        with program("fork", settings) as process:
            child = told(process)
            stage.reached()
            assert child["offered"] == 200, child
            if parent_dies:
                process.kill()
                process.wait(10)
            stage.release()
            let_go(process)
            stats = told(process)
            assert stats["offered"] == 400, stats
            if not parent_dies:
                parent = told(process)
                assert parent["offered"] == 400, parent
                assert process.wait(10) == 0
        if parent_dies:
            assert stats["loki_pending"] == 0, "the child did not take over"
        stats = finish(settings)
    log = log_of(folder, run_id)
    judge_end(loki, log, run_id, stats)
    assert (len(read_log(log)), stats["loki_replayed"]) == (800, 0)


def test_a_program_that_becomes_another_one(loki: Loki, folder: Path) -> None:
    """In the middle of a push: the other one, of the same pid, looks up what became of it."""
    stage = Stage("stored")
    with proxy(loki, stage) as between:
        settings = shipping(folder, between.url, run_id="exec")
        with program("replaced", settings) as process:
            stage.reached()
            let_go(process)
            stage.release()
            stats = told(process)
            assert process.wait(10) == 0
    judge_end(loki, log_of(folder, "exec"), "exec", stats)
    assert (stats["loki_lines"], stats["loki_replayed"]) == (600, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_daemon_without_standard_streams(when: str, loki: Loki, folder: Path) -> None:
    """What it prints is in no log and no request, and neither is what we have to say."""
    run_id = f"daemon-{when}"
    log, over = log_of(folder, run_id), folder / "over"
    with proxy(loki, answering(503, "not now")) as between:
        block = {"backoff_base": 0.05, "backoff_factor": 1.0}
        settings = shipping(folder, between.url, run_id=run_id, loki=block)
        with program("daemon", settings, when, str(over)) as process:
            for fault in (pass_on, answering(503, "not now"), pass_on):
                # Trouble begins and ends: both are said.
                enough = len(between.requests) + 3
                wait_until(lambda enough=enough: len(between.requests) >= enough, 20, "it ships")  # type: ignore[misc]
                between.fault = fault
            # A close does not wait for a Loki whose last answer was none.
            enough = len(between.pushes) + 2
            wait_until(lambda: len(between.pushes) >= enough, 20, "it ships again")
            over.touch()
            assert process.wait(30) == 0
        stats = finish(settings)
    judge_end(loki, log, run_id, stats)
    assert stats["loki_replayed"] == 0
    assert "printed by" not in log.read_text(encoding="utf-8")
