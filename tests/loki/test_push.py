"""`lb push`: what files of the past hold goes to Loki, once, and whoever asks is told what is left and why."""

from __future__ import annotations

import fcntl
import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.clib import Logger
from support.delivery import check_equal, counted
from support.lb import Ran, lb, line, push, sum_of, verify, write_log
from support.loki import HOUR, SECOND, Loki, free_port, running_loki
from support.paths import LB, TESTS
from support.process import clean_environment, wait_until

# Long enough ago that nothing is ahead of anybody's clock.
AGO = 60 * SECOND


def some(count: int, run_id: str, begin: int | None = None) -> list[str]:
    first = time.time_ns() - AGO if begin is None else begin
    return [line(first + n * 1000, f"line {n}", workload=f"w{n % 2}", run_id=run_id) for n in range(count)]


def counts(ran: Ran) -> dict[str, int]:
    names = ("lines", "acknowledged", "below_level", "pending", "parked", "quarantined", "replayed")
    return {name: sum_of(ran.document, name) for name in names}


def acknowledged(log: Path) -> int:
    """What `lb status` shows."""
    (shown,) = lb("status", log, "--format", "json").document["logs"]
    return int(shown["loki"]["acknowledged"]) if shown["loki"] else 0


def test_a_run_is_pushed_once(loki: Loki, folder: Path) -> None:
    lines = some(3000, "once")
    logs = folder / "once" / "logs"
    write_log(logs / "c-h.000001.jsonl", lines[:1000])
    log = write_log(logs / "c-h.jsonl", lines[1000:])
    write_log(logs / "other-h.jsonl", [line(time.time_ns() - AGO, "of another", run_id="once", workload="other")])
    ran = push(loki, "once", "--output-dir", folder)
    assert ran.code == 0, ran
    assert counts(ran) == {
        "lines": 3001,
        "acknowledged": 3001,
        "below_level": 0,
        "pending": 0,
        "parked": 0,
        "quarantined": 0,
        "replayed": 0,
    }
    now = time.time_ns()
    assert counted(loki, '{run_id="once"}', now - HOUR, now) == 3001
    assert verify(loki, "once", "--output-dir", folder).code == 0
    # Nothing is left; what is added is sent alone, also when a file of the run is named.
    again = push(loki, "latest", "--output-dir", folder)
    assert (again.code, counts(again)) == (0, counts(ran)), again
    write_log(log, [line(time.time_ns() - AGO, "added", run_id="once")])
    added = push(loki, logs / "c-h.000001.jsonl")
    assert (added.code, counts(added)["acknowledged"]) == (0, 3001), added
    assert counted(loki, '{run_id="once"}', now - HOUR, time.time_ns()) == 3002


def test_what_is_below_the_level_or_no_record_is_told_apart(loki: Loki, folder: Path) -> None:
    now = time.time_ns() - AGO
    lines = [line(now, "a", "DEBUG", run_id="apart"), line(now + 1, "b", run_id="apart"), "no record"]
    log = write_log(folder / "logs" / "c-h.jsonl", lines)
    ran = push(loki, log)
    assert ran.code == 0, ran
    found = counts(ran)
    assert (found["lines"], found["below_level"], found["acknowledged"], found["quarantined"]) == (3, 1, 1, 1), ran
    assert "Loki will never take 1 line; see " in ran.stderr
    assert (folder / "logs" / "c-h.quarantined.jsonl").read_text().count("no record") == 2
    text = lb("push", "--loki-endpoint", loki.url, log)
    assert text.stdout.splitlines()[0].split("  ")[0] == "LOG"
    assert text.stdout.splitlines()[1].split()[1:] == ["3", "1", "1", "0", "0", "1", "0"]
    # Another level is another delivery.
    lower = push(loki, log, LB_LOKI_MIN_LEVEL="DEBUG")
    assert (lower.code, counts(lower)["acknowledged"]) == (0, 2), lower


def test_what_a_killed_process_left_in_its_rings_is_pushed_too(loki: Loki, folder: Path) -> None:
    log = folder / "out" / "rings" / "logs" / "c-h.jsonl"
    log.parent.mkdir(parents=True)
    lock = log.with_name(".c-h.lock")
    program = (
        "import os, signal, sys\n"
        "from support.clib import Logger\n"
        "settings = {'component': 'c', 'host': 'h', 'run_id': 'rings', 'output_dir': sys.argv[1]}\n"
        "logger = Logger(settings)\n"
        "logger.log(b'first')\n"
        "logger.flush(5000)\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n"
        "for n in range(50): logger.log(b'record %d' % n)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, str(folder / "out")]
    environment = clean_environment()
    with subprocess.Popen(command, cwd=TESTS, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"open\n"
        with lock.open("r+b") as held:
            # Nobody can append meanwhile: the records stay in the rings.
            fcntl.flock(held, fcntl.LOCK_EX)
            child.stdin.write(b"\n")
            child.stdin.close()
            assert child.wait(20) == -signal.SIGKILL
    ran = push(loki, log)
    assert (ran.code, counts(ran)["acknowledged"]) == (0, 51), ran
    assert check_equal(loki, log, "rings") == 51


def test_from_start_pushes_what_is_missing_and_doubles_nothing(loki: Loki, folder: Path) -> None:
    begin = time.time_ns() - AGO
    log = write_log(folder / "logs" / "c-h.jsonl", some(500, "again", begin))
    assert push(loki, log).code == 0
    ran = push(loki, "--from-start", log)
    assert (ran.code, counts(ran)["acknowledged"], counts(ran)["replayed"]) == (0, 500, 0), ran
    assert counted(loki, '{run_id="again"}', begin, begin + SECOND) == 500


def test_static_labels_are_remembered(loki: Loki, folder: Path) -> None:
    begin = time.time_ns() - AGO
    log = write_log(folder / "logs" / "c-h.jsonl", some(10, "labelled", begin))
    assert push(loki, log, LB_LOKI_LABELS="team=shop").code == 0
    write_log(log, some(10, "labelled", begin + SECOND))
    assert push(loki, log).code == 0
    assert len(loki.lines('{run_id="labelled", team="shop"}', begin, begin + 2 * SECOND)) == 20
    ran = verify(loki, log)
    assert ran.code == 0, ran
    assert {stream["labels"]["team"] for stream in ran.document["streams"]} == {"shop"}


def test_a_log_that_a_live_process_ships_is_left_to_it(loki: Loki, folder: Path) -> None:
    settings = {"component": "c", "host": "h", "run_id": "alive", "output_dir": str(folder)}
    with Logger({**settings, "loki": {"enabled": True, "endpoint": loki.url}}) as logger:
        logger.log(b"a record")
        wait_until(lambda: acknowledged(folder / "alive") == 1, 20, "Loki has the record, and the offset file says so")
        ran = push(loki, "alive", "--output-dir", folder)
        assert ran.code == 0, ran
        (log,) = ran.document["logs"]
        assert (log["ended"], log["pid"], log["acknowledged"]) == ("busy", os.getpid(), 1), log
        assert f"process {os.getpid()} ships it while it runs" in ran.stderr
        status = lb("status", "alive", "--output-dir", folder, "--format", "json")
        (shown,) = status.document["logs"]
        assert (shown["loki"]["shipper"], shown["loki"]["acknowledged"]) == (os.getpid(), 1), shown
        assert (shown["loki"]["pending"], shown["loki"]["waits"]) == (0, []), shown
    text = lb("status", "alive", "--output-dir", folder)
    assert text.stdout.splitlines()[0].split()[-5:] == [
        "ACKNOWLEDGED",
        "PENDING",
        "PARKED",
        "QUARANTINED",
        "REPLAYED",
    ]
    assert text.stdout.splitlines()[1].split()[-5:] == ["1", "0", "0", "0", "0"]


def test_loki_is_not_there(folder: Path) -> None:
    log = write_log(folder / "logs" / "c-h.jsonl", some(10, "dead"))
    url = f"http://127.0.0.1:{free_port()}"
    ran = lb("push", "--format", "json", "--loki-endpoint", url, "--timeout", "1", log)
    assert ran.code == 1, ran
    (told,) = ran.document["logs"]
    assert (told["ended"], told["pending"]) == ("unfinished", 10), told
    assert "refused" in told["why"], told
    assert "10 lines not in Loki yet (" in ran.stderr
    status = lb("status", log, "--format", "json")
    (shown,) = status.document["logs"]
    assert (shown["loki"]["pending"], shown["loki"]["shipper"]) == (10, None), shown
    assert any("refused" in wait for wait in shown["loki"]["waits"]), shown
    assert any("`lb push` does" in wait for wait in shown["loki"]["waits"]), shown


def test_nobody_said_where_loki_is(folder: Path) -> None:
    log = write_log(folder / "logs" / "c-h.jsonl", some(1, "nowhere"))
    for command in ("push", "verify"):
        ran = lb(command, log, HOME=str(folder))
        assert (ran.code, ran.stdout) == (2, ""), ran
        assert "name it with --loki-endpoint URL, LB_LOKI_ENDPOINT, or loki.endpoint in lb.toml" in ran.stderr
        nowhere = lb(command, folder / "no such run", "--loki-endpoint", "http://127.0.0.1:1")
        assert nowhere.code == 2, nowhere
        empty = folder / "empty"
        empty.mkdir(exist_ok=True)
        nothing = lb(command, empty, "--loki-endpoint", "http://127.0.0.1:1")
        assert nothing.code == 1, nothing
        assert lb(command, "--loki-endpoint", "http://127.0.0.1:1").code == 2
    status = lb("status", log, "--format", "json")
    assert status.document["logs"][0]["loki"] is None, status


def test_what_somebody_has_to_mend_ends_the_push(folder: Path) -> None:
    log = write_log(folder / "logs" / "c-h.jsonl", some(10, "tenant"))
    with running_loki(folder, LOKI_AUTH="true") as loki:
        ran = push(loki, log)
        assert ran.code == 2, ran
        assert "error: Loki does not take the lines: HTTP 401: no org id" in ran.stderr
        assert ran.document["logs"][0]["ended"] == "held", ran
        unreadable = verify(loki, log)
        assert unreadable.code == 2, unreadable
        assert "HTTP 401" in unreadable.stderr
        mended = push(loki, log, LB_LOKI_TENANT="team")
        assert (mended.code, counts(mended)["acknowledged"]) == (0, 10), mended
        assert verify(loki, log, LB_LOKI_TENANT="team").code == 0
    for command in ("push", "verify"):
        ran = lb(command, "--loki-endpoint", "https://127.0.0.1:1", log, LB_LOKI_CA_FILE=str(folder / "none.pem"))
        assert ran.code == 2, ran
        assert f"loki.ca_file: {folder}/none.pem: No such file" in ran.stderr


def test_collected_files_are_pushed_and_verified(loki: Loki, folder: Path) -> None:
    """Without what was there before, beside it, and again: never a line twice."""
    lines = some(300, "collected")
    source, copies, unpacked = (folder / name for name in ("source", "copies", "unpacked"))
    unpacked.mkdir()
    log = write_log(source / "r/logs/c-h.jsonl", lines[100:])
    write_log(log.with_name("c-h.000001.jsonl"), lines[:100])
    # What was shipped before it was collected, under static labels that only the offset file knows.
    shipped = push(loki, log.with_name("c-h.000001.jsonl"), LB_LOKI_LABELS="site=berlin")
    assert shipped.code == 0, shipped
    assert lb("collect", "r", "--from", source, "--output-dir", copies).code == 0
    for _ in range(2):
        ran = push(loki, copies / "r", TMPDIR=str(unpacked))
        assert (ran.code, sum_of(ran.document, "acknowledged"), sum_of(ran.document, "replayed")) == (0, 300, 0), ran
        assert [Path(entry["path"]).name for entry in ran.document["logs"]] == [
            "c-h.000001.jsonl.gz",
            "c-h.jsonl.gz",
        ]
        assert list(unpacked.iterdir()) == []
        checked = verify(loki, copies / "r")
        assert (checked.code, sum_of(checked.document, "held")) == (0, 300), checked
        assert {stream["labels"]["site"] for stream in checked.document["streams"]} == {"berlin"}
        assert sum(stream["counted"] for stream in checked.document["streams"]) == 300, "none is counted twice"


def test_a_collected_file_that_is_cut_or_not_in_loki(loki: Loki, folder: Path) -> None:
    log = write_log(folder / "logs" / "c-h.jsonl", some(3000, os.urandom(20).hex()))
    copy = folder / "there" / "c-h.jsonl.gz"
    copy.parent.mkdir()
    whole = gzip.compress(log.read_bytes())
    copy.write_bytes(whole[: len(whole) // 2])
    repaired = verify(loki, "--repair", copy)
    assert repaired.code == 1, repaired
    (file,) = repaired.document["files"]
    assert 1000 < file["held"] == file["lines"] < 2000
    assert f"{copy}: the gzip data is cut or damaged behind" in repaired.stderr
    assert repaired.document["gaps"] == []
    copy.write_bytes(whole)
    missing = verify(loki, copy)
    assert (missing.code, sum_of(missing.document, "missing")) == (1, 3000 - file["lines"]), missing
    assert verify(loki, "--repair", copy).code == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_push_keeps_what_is_acknowledged(folder: Path, sign: int) -> None:
    begin = time.time_ns() - AGO
    filler = "x" * 2000
    lines = [line(begin + n, f"{n} {filler}", run_id="slow") for n in range(6000)]
    log = write_log(folder / "logs" / "c-h.jsonl", lines)
    with running_loki(folder, LOKI_RATE_MB="2", LOKI_BURST_MB="3") as loki:
        command = [str(LB), "push", "--format", "json", "--loki-endpoint", loki.url, str(log)]
        child = subprocess.Popen(
            command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: acknowledged(log) > 0, 30, "something is acknowledged")
        child.send_signal(sign)
        stdout, stderr = child.communicate(timeout=20)
        ran = Ran(child.returncode, stdout, stderr)
        assert ran.code == 1, ran
        assert "interrupted; what Loki has acknowledged is kept" in ran.stderr
        first = counts(ran)
        assert 0 < first["acknowledged"] < 6000, first
        rest = push(loki, log)
        assert (rest.code, counts(rest)["acknowledged"]) == (0, 6000), rest
        assert counted(loki, '{run_id="slow"}', begin, begin + SECOND) == 6000


def test_parked_lines_are_waited_for_where_there_is_time(folder: Path) -> None:
    now = time.time_ns() - AGO
    lines = [line(now, "newest", run_id="parked"), line(now - 2 * HOUR, "far behind", run_id="parked")]
    with running_loki(folder, LOKI_CHUNK_IDLE="2s", LOKI_FLUSH_CHECK="1s") as loki:
        log = write_log(folder / "logs" / "c-h.jsonl", lines[:1])
        assert push(loki, log).code == 0
        write_log(log, lines[1:])
        ran = push(loki, log)
        assert (ran.code, counts(ran)["parked"], counts(ran)["pending"]) == (1, 1, 1), ran
        assert "Loki refuses 1 line for now" in ran.stderr
        told = lb("status", log)
        assert "1 line parked (too far behind others of their stream, until it is idle)" in told.stderr, told
        assert sum_of(verify(loki, log).document, "parked") == 1
        waited = push(loki, "--timeout", "60", log)
        assert (waited.code, counts(waited)["acknowledged"]) == (0, 2), waited
        assert check_equal(loki, log, "parked") == 2
