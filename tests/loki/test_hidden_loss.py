"""The 204 that hides a loss: Loki shows it when it is asked by hand; what the product sends cannot be lost that way
where streams are not sharded, and where they are, `lb verify` finds the gap and mends it.
"""

from __future__ import annotations

import time
from pathlib import Path

from support.delivery import check_equal
from support.lb import labels, line, push, sum_of, verify, write_log
from support.loki import HOUR, SECOND, Loki, running_loki

# A stream is forgotten, and takes any line again, after so long without one.
IDLE = {"LOKI_CHUNK_IDLE": "5s", "LOKI_FLUSH_CHECK": "1s"}
FILLER = "x" * 300


def present(loki: Loki, run_id: str, now: int) -> set[str]:
    return {entry.line for entry in loki.lines(f'{{run_id="{run_id}"}}', now - 3 * HOUR, now + HOUR // 2)}


def shards(loki: Loki, run_id: str, now: int) -> int:
    """How many streams Loki makes of one."""
    window: dict[str, str | int] = {"match[]": f'{{run_id="{run_id}"}}', "start": now - HOUR, "end": now + HOUR // 2}
    return len(loki.answer("/loki/api/v1/series", **window))


def test_a_request_of_several_streams_loses_a_line_and_is_answered_204(loki: Loki) -> None:
    now = time.time_ns() - 60 * SECOND
    a, b = labels("a", "several"), labels("b", "several")
    assert loki.push(a, [(now, "newest of a")]) == (204, "")
    behind = (now - 2 * HOUR, "too far behind")
    assert loki.push_streams([(a, [behind]), (b, [(now, "good")])]) == (204, "")
    assert present(loki, "several", now) == {"newest of a", "good"}, "the line was lost, and Loki said 204"
    # In the other order it says so.
    status, body = loki.push_streams([(b, [(now + 1, "good, too")]), (a, [behind])])
    assert (status, "entry too far behind" in body) == (400, True), body


def test_a_stream_that_loki_shards_loses_a_line_and_is_answered_204(folder: Path) -> None:
    """Above 1.5 MB/s Loki makes several streams of one, and treats them as above."""
    now = time.time_ns() - 60 * SECOND
    stream = labels(run_id="sharded")
    with running_loki(folder, LOKI_SHARD_STREAMS="true") as loki:
        sent = 0
        end = time.monotonic() + 30
        while shards(loki, "sharded", now) < 2:
            assert time.monotonic() < end, "Loki does not shard the stream"
            values = [(now + sent + n, f"{sent + n} {FILLER}") for n in range(3000)]
            assert loki.push(stream, values) == (204, "")
            sent += 3000
        behind, good = (now - 2 * HOUR, "too far behind"), (now + sent, "good")
        assert loki.push(stream, [behind, good]) == (204, "")
        found = present(loki, "sharded", now)
        assert "good" in found
        assert "too far behind" not in found, "the line was lost, and Loki said 204"


def test_what_the_product_sends_is_not_lost_that_way(folder: Path) -> None:
    """One stream a request, and no sharding: the line is refused by name, parked, and there in the end."""
    now = time.time_ns() - 60 * SECOND
    with running_loki(folder, **IDLE) as loki:
        log = write_log(folder / "logs" / "c-h.jsonl", [line(now, "newest of a", workload="a", run_id="ours")])
        assert push(loki, log).code == 0
        many = [line(now + n, f"{n} {FILLER}", workload="a", run_id="ours") for n in range(1, 20_000)]
        behind = line(now - 2 * HOUR, "too far behind", workload="a", run_id="ours")
        good = [line(now + n, f"good {n}", workload="b", run_id="ours") for n in range(10)]
        write_log(log, [*many, behind, *good])
        ran = push(loki, log)
        assert (ran.code, sum_of(ran.document, "parked")) == (1, 1), ran
        assert sum_of(ran.document, "acknowledged") == 20_010, ran
        checked = verify(loki, log)
        assert (checked.code, checked.document["gaps"]) == (1, []), checked
        assert (sum_of(checked.document, "held"), sum_of(checked.document, "parked")) == (20_010, 1), checked
        waited = push(loki, "--timeout", "90", log)
        assert (waited.code, sum_of(waited.document, "acknowledged")) == (0, 20_011), waited
        assert check_equal(loki, log, "ours") == 20_011


def test_what_a_sharding_loki_hides_is_found_and_mended(folder: Path) -> None:
    now = time.time_ns() - 60 * SECOND
    log = folder / "logs" / "c-h.jsonl"
    with running_loki(folder, LOKI_SHARD_STREAMS="true", **IDLE) as loki:
        written = 0
        end = time.monotonic() + 30
        while written == 0 or shards(loki, "hidden", now) < 2:
            assert time.monotonic() < end, "Loki does not shard the stream"
            write_log(log, [line(now + written + n, f"{n} {FILLER}", run_id="hidden") for n in range(5000)])
            written += 5000
            assert push(loki, log).code == 0
        behind = line(now - 2 * HOUR, "too far behind", run_id="hidden")
        write_log(log, [behind, *(line(now + written + n, f"good {n}", run_id="hidden") for n in range(10))])
        ran = push(loki, log)
        total = written + 11
        assert (ran.code, sum_of(ran.document, "acknowledged")) == (0, total), "Loki does not hide the loss any more"
        assert behind not in present(loki, "hidden", now)

        checked = verify(loki, log)
        assert checked.code == 1, checked
        (gap,) = checked.document["gaps"]
        assert (gap["file"], gap["first_line"], gap["last_line"]) == (str(log), written + 1, written + 1), gap
        assert gap["first_timestamp"] in behind, gap
        assert gap["labels"] == labels(run_id="hidden"), gap
        # While the stream is active Loki refuses the line; in the end it takes it.
        hurried = verify(loki, "--repair", log)
        assert hurried.code == 1, hurried
        assert (hurried.document["gaps"], sum_of(hurried.document, "parked")) == ([], 1), hurried
        mended = verify(loki, "--repair", "--timeout", "90", log)
        assert (mended.code, mended.document["equal"]) == (0, True), mended
        assert sum_of(mended.document, "held") == total, mended
        assert verify(loki, log).code == 0
        assert check_equal(loki, log, "hidden") == total
