"""The log, the offset file or a lock is not what was left: a crash of the machine, played by hand. What is in the file
is in Loki in the end, and what was there before is not sent again.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clib import Logger
from support.delivery import shipped
from support.faults import pass_on, proxy
from support.loki import Loki, running_loki
from support.paths import TESTS
from support.process import wait_until
from support.shipping import Stage, finish, judge_end, judge_sent, log_of, shipping
from support.speaker import speaking
from support.strace import Call, calls

pytestmark = pytest.mark.usefixtures("no_settings")

SESSIONS, LINES = 5, 60


def offset_of(log: Path) -> Path:
    """The one offset file of a log."""
    (offset,) = log.parent.glob(f".{log.stem}.*.offset")
    return offset


def say(logger: Logger, session: int, count: int = LINES) -> None:
    for number in range(count):
        logger.log(f"{session} {number} {'x' * (number % 40)}".encode())


def cut(log: Path, lines: int, more: int = 0) -> None:
    """So many lines are left, and bytes of the next."""
    content = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(content[:lines]) + content[lines][:more])


def cut_to_lines(log: Path) -> None:
    cut(log, 3 * LINES + 11)


def cut_within_a_line(log: Path) -> None:
    cut(log, 2 * LINES + 7, 100)


def cut_within_the_first_line(log: Path) -> None:
    cut(log, 0, 20)


def emptied(log: Path) -> None:
    log.write_bytes(b"")


def replaced(log: Path) -> None:
    """By a file that begins otherwise and is longer."""
    content = log.read_bytes().replace(b'"message":"0 ', b'"message":"9 ')
    log.unlink()
    log.write_bytes(content)


def changed_within(log: Path) -> None:
    """Blocks of the disk came back with something else: the same length, other lines near the end."""
    lines = log.read_bytes().splitlines(keepends=True)
    tail = [line.replace(b'"message":"4 ', b'"message":"7 ') for line in lines[-LINES:]]
    log.write_bytes(b"".join([*lines[:-LINES], *tail]))


def offset_damaged(log: Path) -> None:
    content = offset_of(log).read_bytes()
    offset_of(log).write_bytes(content[: len(content) // 2])


def offset_empty(log: Path) -> None:
    offset_of(log).write_bytes(b"")


def offset_of_zeros(log: Path) -> None:
    offset_of(log).write_bytes(bytes(offset_of(log).stat().st_size))


def offset_of_another_version(log: Path) -> None:
    document = json.loads(offset_of(log).read_text(encoding="utf-8"))
    offset_of(log).write_text(json.dumps(document | {"version": 2}), encoding="utf-8")


def locks_lost(log: Path) -> None:
    for suffix in ("lock", "shipper"):
        log.with_name(f".{log.stem}.{suffix}").unlink()


ACTS: list[Callable[[Path], None]] = [
    *(cut_to_lines, cut_within_a_line, cut_within_the_first_line, emptied, replaced, changed_within),
    *(offset_damaged, offset_empty, offset_of_zeros, offset_of_another_version, locks_lost),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_what_is_left_is_not_what_was_written(act: Callable[[Path], None], loki: Loki, folder: Path) -> None:
    run_id = act.__name__
    log = log_of(folder, run_id)
    with proxy(loki) as between:
        settings = shipping(folder, between.url, run_id=run_id)
        for session in range(SESSIONS):
            with Logger(settings) as logger:
                say(logger, session)
                logger.close(20_000)
                assert logger.stats()["loki_pending"] == 0
        before = shipped(log)
        act(log)
        kept = len(between.pushes)
        # The next one writes at once: more than there was, in lines of other lengths.
        with Logger({**settings, "loki": {}}) as logger:
            say(logger, 1000, 2 * LINES)
        stats = finish(settings)
    now = shipped(log)
    lost = sorted(set(before) - set(now))
    assert bool(lost) == (act.__name__.split("_")[0] in ("cut", "emptied", "replaced", "changed"))
    judge_end(loki, log, run_id, stats, lost=lost)
    assert (stats["loki_replayed"], stats["loki_missing"]) == (0, 0), stats
    # Only what is new was sent.
    assert len(between.pushes) == kept + 1


def test_the_machine_crashes_behind_a_push(loki: Loki, folder: Path, speaker_program: Path) -> None:
    """Of the offset file only what was there when the last push was sent has reached the disk."""
    run_id = "older-offset"
    log, aside = log_of(folder, run_id), folder / "aside"
    stage = Stage("arrived")
    with proxy(loki) as between:
        settings = shipping(folder, between.url, run_id=run_id)
        with speaking(speaker_program, folder / "own", settings) as speaker:
            speaker.log(100)
            wait_until(lambda: speaker.stats()["loki_acknowledged"] == 100, 20, "the first are there")
            between.fault = stage
            speaker.log(100)
            stage.reached()
            shutil.copyfile(offset_of(log), aside)
            between.fault = pass_on
            stage.release()
            # The stage has answered nobody: the push is looked up, and sent again.
            assert speaker.close(60_000)["code"] in (0, 7)
        finish(settings)
        pushes = len(between.pushes)
        shutil.copyfile(aside, offset_of(log))
        stats = finish(settings)
        assert stats["loki_replayed"] == 0
        assert len(between.pushes) == pushes, "what Loki has was sent again"
        judge_end(loki, log, run_id, stats)


def test_the_lock_of_shipping_is_deleted_while_two_ship(loki: Loki, folder: Path, speaker_program: Path) -> None:
    """Whoever was elected sees it before its next push, so that two never send the same lines."""
    run_id = "lock-deleted"
    log = log_of(folder, run_id)
    lock = log.with_name(f".{log.stem}.shipper")
    with proxy(loki) as between:
        block = {"flush_interval_ms": 20, "encoding": "json"}
        settings = shipping(folder, between.url, run_id=run_id, loki=block)
        with (
            speaking(speaker_program, folder / "one", settings) as one,
            speaking(speaker_program, folder / "two", settings) as two,
        ):
            for _ in range(8):
                one.send("log 60 60 5000")
                two.send("log 60 60 5000")
                lock.unlink(missing_ok=True)
                for speaker in (one, two):
                    assert speaker.answer()["dropped"] == 0
            for speaker in (one, two):
                assert speaker.close(30_000)["code"] in (0, 7)
        stats = finish(settings)
    judge_end(loki, log, run_id, stats)
    judge_sent(between, shipped(log))


def test_what_is_relied_on_is_on_the_disk_before(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Before a push: the log, then an offset file that says what is sent, then its name. Before an offset file that
    passes a line in the quarantine: that line, and the name of that file. What the kernel was asked for tells.
    """
    run_id, own = "order", tmp_path_factory.mktemp("strict")
    log = log_of(folder, run_id)
    with running_loki(own, LOKI_MAX_LINE="4096") as strict:
        settings = shipping(folder, strict.url, run_id=run_id)
        with Logger({**settings, "loki": {}}) as logger:
            say(logger, 0)
            logger.log(b"x" * 5000)
        command = [sys.executable, str(TESTS / "crash" / "shipper.py"), "finish", json.dumps(settings)]
        names = "fdatasync,fsync,rename,renameat,renameat2,write,writev,sendto,sendmsg"
        found = calls(["env", f"PYTHONPATH={TESTS}", *command], names, folder / "trace")

    def all_of(name: str, text: str) -> list[Call]:
        return [call for call in found if call.name.startswith(name) and text in call.arguments]

    def one_between(name: str, text: str, after: Call | None, before: Call) -> Call:
        first = after.ended if after else -1
        there = [call for call in all_of(name, text) if first < call.began and call.ended < before.began]
        assert there, f"no {name} of {text} before {before}, behind {after}"
        return there[-1]

    sent = all_of("", "POST /loki/api/v1/push")[0]
    renamed = one_between("rename", ".offset.tmp", None, sent)
    written = one_between("fsync", ".offset.tmp>", None, renamed)
    one_between("fdatasync", f"{log.name}>", None, written)
    one_between("fsync", f"{log.parent}>", renamed, sent)

    (quarantined,) = all_of("fdatasync", ".quarantined.jsonl>")
    passed = next(call for call in all_of("rename", ".offset.tmp") if call.began > quarantined.ended)
    one_between("fsync", f"{log.parent}>", quarantined, passed)
