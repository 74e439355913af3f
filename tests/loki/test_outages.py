"""A Loki that is away: from the start, until the end, again and again. Nothing is lost, and nothing is doubled."""

from __future__ import annotations

import itertools
import re
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from support import k6
from support.clib import LibraryError, Logger, config
from support.delivery import check_accounts, check_equal, lines_of, pushing
from support.loki import HOUR, SECOND, absent_loki, running_loki
from support.process import Target, wait_until
from support.sampling import sampling
from support.talk import judge_said, talk, talking, wait_until_delivered, wait_until_grown, wait_until_the_rest_waits

pytestmark = pytest.mark.usefixtures("no_settings")

AWAY, BACK = "Connection refused (os error 111); ", "Loki takes the lines again"


def log_of(folder: Path) -> Path:
    return folder / "out/r/logs/c-h.jsonl"


def test_one_that_comes_late_gets_everything(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with absent_loki(folder) as loki, Logger(config(folder, loki=pushing(loki))) as logger, sampling(logger.stats):
        talk(logger, 600)
        wait_until(lambda: logger.stats()["loki_lines"] == 600, 10, "lines are counted while Loki is away")
        assert logger.stats()["loki_acknowledged"] == 0
        loki.start()
        talk(logger, 600, what="later")
        wait_until_delivered(logger)
        logger.close()
        assert check_equal(loki, log_of(folder), "r") == 800
        check_accounts(loki, log_of(folder), "r", logger.stats())
        judge_said(capfd.readouterr().err, log_of(folder), loki, AWAY, BACK)


def test_what_nobody_took_is_pushed_by_the_next_program(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with absent_loki(folder) as loki:
        logger = Logger(config(folder, loki=pushing(loki)))
        with sampling(logger.stats):
            talk(logger, 600)
            wait_until(lambda: logger.stats()["loki_lines"] == 600, 10, "lines are counted while Loki is away")
            began = time.monotonic()
            with pytest.raises(LibraryError) as error:
                logger.close(5000)
            assert time.monotonic() - began < 2, "it waited for a Loki that is away"
        message = error.value.message
        told = (
            rf"{log_of(folder)}: \d+ lines are not in Loki yet \({loki.url}/loki/api/v1/push: .*refused.*\); what is "
        )
        todo = "missing stays in the file, for the next program that opens this log or for lb push"
        assert re.fullmatch(told + todo, message), message
        judge_said(capfd.readouterr().err, log_of(folder), loki, AWAY)
        logger.free()

        loki.start()
        with Logger(config(folder, loki=pushing(loki))) as logger, sampling(logger.stats):
            talk(logger, 60)
            logger.close(20_000)
            check_accounts(loki, log_of(folder), "r", logger.stats())
        assert check_equal(loki, log_of(folder), "r") == 440
        assert not capfd.readouterr().err


def test_one_that_comes_hours_later_gets_old_lines_too(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Their times are their own. A stream takes what is behind its newest line only once it is idle: such lines wait,
    and hold nothing else back.
    """
    now = time.time_ns()
    settings = {"LOKI_CHUNK_IDLE": "6s", "LOKI_FLUSH_CHECK": "500ms", "LOKI_MAX_CHUNK_AGE": "2m"}
    with (
        absent_loki(folder, **settings) as loki,
        Logger(config(folder, loki=pushing(loki))) as logger,
        sampling(logger.stats),
    ):
        # All but those behind within the window of a stream, half of max_chunk_age.
        talk(logger, 300, timestamps=itertools.count(now - 5 * HOUR, SECOND // 10))
        talk(logger, 30, timestamps=itertools.count(now - 6 * HOUR, SECOND), what="behind")
        talk(logger, 300, timestamps=itertools.count(now - 5 * HOUR + 60 * SECOND, -SECOND // 10), what="backwards")
        loki.start()
        wait_until_the_rest_waits(logger, 20)
        check_accounts(loki, log_of(folder), "r", logger.stats())
        wait_until_delivered(logger)
        logger.close()
        check_accounts(loki, log_of(folder), "r", logger.stats())
        assert check_equal(loki, log_of(folder), "r") == 420
        yet = "Loki does not take some lines yet: entry too far behind, entry timestamp is: "
        judge_said(capfd.readouterr().err, log_of(folder), loki, AWAY, BACK, yet, "Loki has taken those lines now")


def test_one_that_is_killed_three_times_misses_nothing(folder: Path) -> None:
    with (
        running_loki(folder) as loki,
        Logger(config(folder, loki=pushing(loki, flush_interval_ms=10))) as logger,
        sampling(logger.stats),
    ):
        with talking(logger):
            for _ in range(3):
                enough = logger.stats()["loki_acknowledged"] + 50
                wait_until(partial(has_acknowledged, logger, enough), 20, "it takes lines")
                loki.kill()
                time.sleep(0.3)
                loki.start()
        wait_until_delivered(logger)
        logger.close()
        stats = logger.stats()
        check_accounts(loki, log_of(folder), "r", stats)
        lines = check_equal(loki, log_of(folder), "r", replayed=stats["loki_replayed"])
        assert (stats["loki_acknowledged"], stats["loki_replayed"]) == (lines, 0), stats


def has_acknowledged(logger: Logger, lines: int) -> bool:
    return logger.stats()["loki_acknowledged"] >= lines


@pytest.mark.parametrize("kills", [0, 3])
def test_k6_runs_on_while_loki_is_away(folder: Path, target: Target, kills: int) -> None:
    """Dead from the start and started in the middle, or killed three times; at the end k6 is interrupted. What it logs
    then is in the file and in Loki, too. A second program on the same log looks at the accounts all the while, and has
    what is left when k6 ends: k6 does not wait for a Loki that has just failed.
    """
    identity = {"component": "k6", "host": k6.HOST, "run_id": "of-k6", "output_dir": str(folder / "out")}
    log = folder / f"out/of-k6/logs/k6-{k6.HOST}.jsonl"
    with absent_loki(folder) as loki:
        if kills:
            loki.start()
        shipper = f"compact,{loki.url},loki.flush_interval_ms=50,loki.backoff_base=0.1,loki.backoff_factor=1.5"
        command = k6.arguments("aborted.js", folder, target, samples=shipper, extra=["--tag", "run_id=of-k6"])
        process = k6.start(command, folder)
        wait_until_grown(log, 50_000)
        with Logger({**identity, "loki": pushing(loki)}) as logger, sampling(logger.stats):
            for _ in range(kills):
                loki.kill()
                wait_until_grown(log, 20_000)
                loki.start()
            if not kills:
                loki.start()
            wait_until_grown(log, 20_000)
            process.send_signal(signal.SIGINT)
            run = k6.finished(process, command, folder)
            assert run.exit_code == 105, run.stderr
            logger.close(20_000)
            stats = logger.stats()
        check_accounts(loki, log, "of-k6", stats)
        assert stats["loki_pending"] == stats["loki_replayed"] == 0, stats
        check_equal(loki, log, "of-k6")
        messages = {record["message"] for _, record in lines_of([log])}
        assert {"teardown after the interruption", "summary after the interruption"} <= messages
        trouble = [line for line in run.stderr.splitlines() if line.startswith("lb-log: ")]
        assert kills or AWAY in trouble[0], run.stderr
        assert all(f"{log}: {loki.url}/loki/api/v1/push: " in line for line in trouble), run.stderr
