"""Lines whose time is the trouble: too old, too far behind, too far ahead, and thousands of one nanosecond."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from support.clib import Logger, batch_entry, config
from support.delivery import (
    check_accounts,
    check_counted_once,
    check_equal,
    from_level,
    held,
    lines_of,
    pushing,
    put_aside,
    shipped,
)
from support.loki import HOUR, PAGE, SECOND, Loki, running_loki
from support.process import wait_until
from support.sampling import sampling
from support.talk import judge_said, wait_until_delivered, wait_until_the_rest_waits

pytestmark = pytest.mark.usefixtures("no_settings")

# A stream is idle soon, and what is ahead is so for seconds only.
HASTE = {"LOKI_CHUNK_IDLE": "6s", "LOKI_FLUSH_CHECK": "500ms", "LOKI_MAX_CHUNK_AGE": "1m", "LOKI_GRACE": "5s"}
YET = "Loki does not take some lines yet: "


def log_of(folder: Path) -> Path:
    return folder / "out/r/logs/c-h.jsonl"


def good(logger: Logger, count: int) -> None:
    """Lines of now that Loki has."""
    for number in range(count):
        logger.log(b"good %d" % number)
    logger.flush()
    acknowledged = logger.stats()["loki_acknowledged"]
    wait_until(lambda: logger.stats()["loki_acknowledged"] >= acknowledged + count, 20, "Loki has the good ones")


def test_each_has_the_fate_that_its_reason_deserves(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Too old is put aside; too far behind and too far ahead wait, and are delivered when their time has come."""
    log = log_of(folder)
    with (
        running_loki(folder, **HASTE) as loki,
        Logger(config(folder, loki=pushing(loki))) as logger,
        sampling(logger.stats),
    ):
        good(logger, 50)
        now = time.time_ns()
        odd = {"old": now - 8 * 24 * HOUR, "behind": now - 2 * HOUR, "ahead": now + 11 * SECOND}
        for number in range(7):
            for name, ns in odd.items():
                logger.log(f"{name} {number}".encode(), timestamp_ns=ns + number)
            logger.log(b"between")
        wait_until_the_rest_waits(logger, 14)
        check_accounts(loki, log, "r", logger.stats())
        assert logger.stats()["loki_quarantined"] == 7
        entries = put_aside(log)
        assert {json.loads(entry["line"])["message"] for entry in entries} == {f"old {n}" for n in range(7)}
        assert all(" has timestamp too old: " in entry["reason"] for entry in entries), entries

        wait_until_delivered(logger, 60)
        logger.close()
        check_accounts(loki, log, "r", logger.stats())
        assert logger.stats()["loki_replayed"] == 0
        expected = [line for line in shipped(log) if '"message":"old ' not in line[1]]
        assert held(loki, '{run_id="r"}', expected) == expected
        check_counted_once(loki, '{run_id="r"}', expected)
    said = capfd.readouterr().err
    judge_said(
        said, log, loki, *sorted(["Loki cannot have some lines: entry for stream '", YET], key=said.find), "taken"
    )


def test_what_waits_is_delivered_by_the_next_program(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = log_of(folder)
    # Idle before the first program would have tried again, ten seconds later.
    with running_loki(folder, **HASTE | {"LOKI_CHUNK_IDLE": "4s"}) as loki:
        with Logger(config(folder, loki=pushing(loki))) as logger, sampling(logger.stats):
            good(logger, 20)
            now = time.time_ns()
            for number in range(8):
                logger.log(b"behind %d" % number, timestamp_ns=now - 3 * HOUR + number)
            logger.log(b"ahead", timestamp_ns=now + 9 * SECOND)
            logger.close(20_000)
            stats = logger.stats()
            check_accounts(loki, log, "r", stats)
            assert 0 < stats["loki_parked"] == stats["loki_pending"] <= 9, stats
        judge_said(capfd.readouterr().err, log, loki, YET)
        wait_until(lambda: loki.streams() == 0, 20, "the stream is idle")
        time.sleep(max(0.0, (now + 4 * SECOND - time.time_ns()) / SECOND))
        with Logger(config(folder, loki=pushing(loki))) as logger, sampling(logger.stats):
            logger.close(20_000)
            check_accounts(loki, log, "r", logger.stats())
            assert logger.stats()["loki_pending"] == 0, logger.stats()
        assert check_equal(loki, log, "r") == 29
        assert not capfd.readouterr().err


def test_thousands_of_one_nanosecond_arrive_once_also_where_nothing_is_known(folder: Path, loki: Loki) -> None:
    """Without the offset file all of them are looked up, more than Loki answers in a page."""
    count = PAGE + 2000
    log, now = folder / "out/moment/logs/c-h.jsonl", time.time_ns()
    settings = config(folder, run_id="moment", loki=pushing(loki))
    with Logger(settings) as logger, sampling(logger.stats):
        for part in range(10):
            entries = (b"part %d, line %d" % (part, line) for line in range(count // 10))
            code, result = logger.push_batch(b"".join(batch_entry(entry, timestamp_ns=now) for entry in entries))
            assert (code, result.accepted) == (0, count // 10)
        logger.log(b"neighbour", timestamp_ns=now + 1)
        wait_until_delivered(logger)
        logger.close()
    (offset,) = log.parent.glob(".c-h.*.offset")
    for life in range(2):
        lines = [line for line, _ in from_level(lines_of([log]))]
        found = [part for n in range(10) for part in held(loki, f'{{run_id="moment"}} |= "part {n}, "', lines)]
        assert sorted(found) == lines[:-1], f"{len(found)} of {len(lines) - 1}, life {life}"
        check_counted_once(loki, '{run_id="moment"}', lines)
        offset.write_text("{", encoding="utf-8")
        with Logger(settings) as logger, sampling(logger.stats):
            logger.close(20_000)
            stats = logger.stats()
        assert (stats["loki_lines"], stats["loki_acknowledged"], stats["loki_replayed"]) == (count + 1, count + 1, 0)


def test_equal_lines_of_one_nanosecond_are_one_line_to_loki(folder: Path, loki: Loki) -> None:
    """The file has both; whether Loki keeps both cannot be told, and nobody claims more than that it has them."""
    log, now = folder / "out/equal/logs/c-h.jsonl", time.time_ns()
    with Logger(config(folder, run_id="equal", loki=pushing(loki))) as logger, sampling(logger.stats):
        for message in (b"twin", b"twin", b"other"):
            logger.log(message, timestamp_ns=now)
        wait_until_delivered(logger)
        logger.close()
        check_accounts(loki, log, "equal", logger.stats())
        assert logger.stats()["loki_acknowledged"] == 3
    lines = shipped(log)
    assert len(lines) == 3
    assert len(held(loki, '{run_id="equal"}', lines)) == len(set(lines)) == 2
