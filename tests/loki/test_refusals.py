"""What a real Loki refuses: too much at once, too many streams, lines that are too long, labels, metadata."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from support.clib import STRING, LibraryError, Logger, config
from support.delivery import check_accounts, check_counted_once, check_equal, pushing, put_aside, shipped
from support.loki import HOUR, SECOND, Loki, running_loki
from support.process import wait_until
from support.sampling import sampling
from support.talk import judge_said, talk, wait_until_delivered

pytestmark = pytest.mark.usefixtures("no_settings")

AGAIN = "Loki takes the lines again"


def log_of(folder: Path) -> Path:
    return folder / "out/r/logs/c-h.jsonl"


def test_more_than_its_rate_waits_even_where_a_push_is_more_than_its_burst(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A burst that is smaller than a push lets none through, however long one waits: pushes become smaller."""
    with (
        running_loki(folder, LOKI_RATE_MB="0.3", LOKI_BURST_MB="0.3") as loki,
        Logger(config(folder, loki=pushing(loki))) as logger,
        sampling(logger.stats),
    ):
        for number in range(2500):
            logger.log(f"{number} ".encode().ljust(300, b"x"))
        wait_until_delivered(logger)
        logger.close()
        assert check_equal(loki, log_of(folder), "r") == 2500
        check_accounts(loki, log_of(folder), "r", logger.stats())
        limit = "HTTP 429: ingestion rate limit exceeded for user fake (limit: 314572 bytes/sec)"
        said = capfd.readouterr().err
        # As often as it is so.
        assert said.count(limit) == said.count(AGAIN) >= 1, said
        judge_said(said, log_of(folder), loki, *[limit, AGAIN] * said.count(AGAIN))


def test_an_old_run_with_more_streams_than_loki_takes_waits_until_they_are_idle(folder: Path) -> None:
    streams, lines, most = 150, 6, 60
    now = time.time_ns()
    with Logger(config(folder)) as logger:
        for stream in range(streams):
            context = logger.context({"workload": f"w{stream % 5}", "repetition": 1 + stream // 5})
            for number in range(lines):
                ns = now - 30 * HOUR + (stream * lines + number) * SECOND
                logger.log(b"old", context=context, timestamp_ns=ns)
    settings = {"LOKI_MAX_STREAMS": str(most), "LOKI_CHUNK_IDLE": "1s", "LOKI_FLUSH_CHECK": "250ms"}
    with (
        running_loki(folder, **settings) as loki,
        Logger(config(folder, loki=pushing(loki))) as logger,
        sampling(logger.stats) as samples,
    ):
        wait_until(lambda: logger.stats()["loki_acknowledged"] == streams * lines, 60, "all are in Loki")
        logger.close()
        assert check_equal(loki, log_of(folder), "r") == streams * lines
        check_accounts(loki, log_of(folder), "r", logger.stats())
        # It did wait: not all were taken at once.
        assert any(most * lines <= sample["loki_acknowledged"] < streams * lines for sample in samples)
        assert logger.stats()["loki_replayed"] == 0


def test_a_line_that_is_too_long_is_put_aside_and_its_neighbours_arrive(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = log_of(folder)
    with running_loki(folder, LOKI_MAX_LINE="1KB") as loki:
        for life in range(2):
            with Logger(config(folder, loki=pushing(loki))) as logger, sampling(logger.stats):
                talk(logger, 60, what=f"short {life}")
                # Of another length each time, so that what is said of it is not the same twice in a row.
                logger.log(b"long %d " % life + b"x" * (2000 + life))
                talk(logger, 60, what=f"short again {life}")
                logger.log(b"longer %d " % life + b"x" * 3000)
                wait_until_delivered(logger)
                logger.close()
                check_accounts(loki, log, "r", logger.stats())
        entries = put_aside(log)
        long = [line for _, line in shipped(log) if len(line) > 1024]
        assert len(entries) == len(long) == 4
        assert sorted(entry["line"] for entry in entries) == sorted(long)
        for entry in entries:
            assert "max entry size '1024' bytes exceeded for stream '" in entry["reason"], entry
            with log.open("rb") as file:
                file.seek(entry["position"])
                assert file.read(entry["bytes"]) == entry["line"].encode() + b"\n"
        reason = "Loki cannot have some lines: max entry size '1024' bytes exceeded for stream '"
        said = capfd.readouterr().err
        judge_said(said, log, loki, reason, reason)
        aside = f"they stay in the log, and {log.with_name('c-h.quarantined.jsonl')} names each with its reason"
        assert said.count(aside) == 2, said


def test_metadata_that_is_too_large_is_put_aside_and_its_neighbours_arrive(folder: Path, loki: Loki) -> None:
    """A phase is structured metadata, and nothing but the length of a record limits it; a logger's name is limited."""
    log, own = log_of(folder), {"run_id": "metadata"}
    log = folder / "out/metadata/logs/c-h.jsonl"
    with Logger(config(folder, loki=pushing(loki), **own)) as logger, sampling(logger.stats):
        named = logger.context({"logger": "l" * 1024, "plugin": "p" * 1024, "package": "k" * 1024})
        for number in range(20):
            logger.log(b"before %d" % number, context=named)
            logger.log(b"large %d" % number, tags=[(b"phase", STRING, b"p" * (60_000 if number % 2 else 66_000))])
        wait_until_delivered(logger)
        logger.close()
        check_accounts(loki, log, "metadata", logger.stats())
        assert logger.stats()["loki_quarantined"] == 10
    assert all("has structured metadata too large: '660" in entry["reason"] for entry in put_aside(log))
    assert all(json.loads(entry["line"])["message"].startswith("large ") for entry in put_aside(log))


BAD_LABELS = {
    "long": ({"team": "x" * 3000}, r"HTTP 400: has label value too long: 'x+…"),
    "many": ({f"l{n}": "x" for n in range(10)}, "HTTP 400: has 16 label names; limit 15"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_loki_refuses_hold_everything_until_they_are_corrected(
    folder: Path, loki: Loki, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    labels, why = BAD_LABELS[case]
    run_id = f"labels-{case}"
    log = folder / f"out/{run_id}/logs/c-h.jsonl"
    settings = config(folder, run_id=run_id)
    told = f"{why}; correct loki.labels and start the program again"
    logger = Logger({**settings, "loki": pushing(loki, labels=labels)})
    with sampling(logger.stats):
        talk(logger, 60)
        said: list[str] = []

        def is_said() -> bool:
            said.append(capfd.readouterr().err)
            return re.search(told, "".join(said)) is not None

        wait_until(is_said, 10, "what is wrong is said")
        talk(logger, 60)
        time.sleep(0.5)
        with pytest.raises(LibraryError, match=why):
            logger.close()
        assert logger.stats()["loki_acknowledged"] == logger.stats()["loki_quarantined"] == 0
    judge_said("".join(said) + capfd.readouterr().err, log, loki, "; they wait in the file, and it is tried again")
    logger.free()

    corrected = {name: value[:40] for name, value in list(labels.items())[:8]}
    with Logger({**settings, "loki": pushing(loki, labels=corrected)}) as logger, sampling(logger.stats):
        logger.close(20_000)
        check_accounts(loki, log, run_id, logger.stats())
        assert logger.stats()["loki_acknowledged"] == len(shipped(log)) == 80
    selector = ", ".join(f'{name}="{value}"' for name, value in {"run_id": run_id, **corrected}.items())
    check_counted_once(loki, f"{{{selector}}}", shipped(log))
    assert not capfd.readouterr().err


@pytest.mark.parametrize("name", ["bad-name", "a.b", "1a", "grüße", "__x"])
def test_names_that_no_label_may_have_are_found_before_anything_is_sent(folder: Path, name: str) -> None:
    loki = {"enabled": True, "endpoint": "http://loki:3100", "labels": {name: "x"}}
    with pytest.raises(LibraryError) as error:
        Logger(config(folder, loki=loki))
    todo = "take another name" if name == "__x" else "expected names of letters, digits and _ with values, name=value"
    assert "loki.labels: " in error.value.message
    assert todo in error.value.message
    assert name in error.value.message
