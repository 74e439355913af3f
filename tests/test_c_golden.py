"""The golden lines through the C library: by lb_logger_log and by lb_logger_push_batch, byte for byte in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import clib, golden
from support.clib import Logger, Tag
from support.records import FIELDS

CASES = golden.load()


def tags_of(case: golden.Case) -> list[Tag]:
    """The tags of a case as the library takes them."""
    result: list[Tag] = []
    for key, kind, value in case["record"].get("tags", []):
        if kind == "string":
            value = golden.text_bytes(value)
        elif kind == "number":
            value = float(value)
        result.append((golden.text_bytes(key), clib.KINDS[kind], value))
    return result


def open_logger(folder: Path) -> Logger:
    return Logger({"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder)})


def lines(folder: Path) -> list[str]:
    return (folder / "r" / "logs" / "c-h.jsonl").read_bytes().decode().removesuffix("\n").split("\n")


@pytest.mark.parametrize("way", ["log", "push_batch", "one batch"])
def test_golden_lines(way: str, folder: Path) -> None:
    with open_logger(folder) as logger:
        batch = b""
        for case in CASES:
            record = case["record"]
            context = logger.context(case["context"])
            message, level = golden.text_bytes(record["message"]), clib.LEVELS[record["level"]]
            if way == "log":
                logger.log(message, level, context, record["timestamp_ns"], tags_of(case))
                continue
            batch += clib.batch_entry(message, level, context, record["timestamp_ns"], tags_of(case))
            if way == "push_batch":
                assert logger.push_batch(batch)[0] == clib.OK
                batch = b""
        if batch:
            code, result = logger.push_batch(batch)
            assert (code, result.accepted, result.dropped, result.rejected) == (clib.OK, len(CASES), 0, 0)
        logger.flush()
        written = lines(folder)
        stats = logger.stats()
    for case, line in zip(CASES, written, strict=True):
        assert line == case["line"], case["name"]
    assert (stats["written"], stats["rejected"], stats["dropped"]) == (len(CASES), 0, 0)
    assert stats["nonfinite"] == sum(golden.nonfinite(case) for case in CASES)


def test_equal_contexts_have_equal_ids(folder: Path) -> None:
    with open_logger(folder) as logger:
        first = logger.context(CASES[6]["context"])
        backwards = dict(reversed(list(CASES[6]["context"].items())))
        assert logger.context(backwards) == first
        assert logger.context({}) == logger.context({"logger": logger.config()["values"]["logger"]["value"]})
        assert logger.context({"scenario": "a"}) != logger.context({})


def test_a_context_takes_what_is_missing_from_the_logger(folder: Path) -> None:
    config = {"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder), "workload": "w", "repetition": 4}
    with Logger({**config, "scenario": "s", "plugin": "p"}) as logger:
        logger.log(b"plain", timestamp_ns=1)
        logger.log(b"other", timestamp_ns=2, context=logger.context({"plugin": None, "event_type": "e"}))
        logger.flush()
    start = '{"timestamp":"1970-01-01T00:00:00.00000000%dZ","level":"INFO","component":"c","host":"h","run_id":"r",'
    assert [line[:100] for line in lines(folder)] == [(start % number)[:100] for number in (1, 2)]
    assert '"event_type":"log","workload":"w","repetition":4,"scenario":"s","plugin":"p"}' in lines(folder)[0]
    assert lines(folder)[1].endswith('"event_type":"e","workload":"w","repetition":4,"scenario":"s"}')
    assert FIELDS[0] == "timestamp"


def test_times_of_one_thread_never_repeat(folder: Path) -> None:
    with open_logger(folder) as logger:
        for _ in range(5000):
            logger.log(b"now")
        logger.flush()
    times = [line[14:44] for line in lines(folder)]
    assert len(times) == 5000
    assert times == sorted(set(times))
