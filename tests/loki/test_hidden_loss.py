"""The 204 that hides a loss: Loki shows it when it is asked by hand; what the product sends cannot be lost that way
where streams are not sharded, and where they are, `lb verify` finds the gap and mends it.
"""

from __future__ import annotations

import time
from pathlib import Path

from support.delivery import check_equal
from support.lb import Ran, labels, line, push, sum_of, verify, write_log
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
    """Such a Loki as above, but one that shards at a rate that a small log has."""
    now = time.time_ns() - 60 * SECOND
    log, lines = folder / "logs" / "c-h.jsonl", list[str]()

    def push_more(*more: str) -> Ran:
        lines.extend(more)
        write_log(log, more)
        return push(loki, log)

    def good(count: int) -> list[str]:
        return [line(now + len(lines) + n, f"{n} {FILLER}", run_id="hidden") for n in range(count)]

    with running_loki(folder, LOKI_SHARD_STREAMS="true", LOKI_SHARD_RATE="64KB", **IDLE) as loki:
        end = time.monotonic() + 60
        while not lines or shards(loki, "hidden", now) < 5:
            assert time.monotonic() < end, "Loki does not shard the stream"
            assert push_more(*good(200)).code == 0
        # A shard that is new takes such a line, and where it comes last in a request, Loki tells of it.
        lost, told = set[str](), 0
        while len(lost) == told:
            assert time.monotonic() < end, "Loki does not hide a loss any more"
            ran = push_more(line(now - 2 * HOUR + len(lines), "too far behind", run_id="hidden"), *good(200))
            lost, told = set(lines) - present(loki, "hidden", now), sum_of(ran.document, "parked")
        total = len(lines)
        assert sum_of(ran.document, "acknowledged") == total - told, ran
        assert all("too far behind" in text for text in lost)

        checked = verify(loki, log)
        assert (checked.code, sum_of(checked.document, "missing")) == (1, len(lost) - told), checked
        assert sum_of(checked.document, "parked") == told, checked
        for gap in checked.document["gaps"]:
            assert (gap["file"], gap["labels"]) == (str(log), labels(run_id="hidden")), gap
            named = lines[gap["first_line"] - 1 : gap["last_line"]]
            assert len(named) == gap["lines"], gap
            assert set(named) <= lost, gap
            lost.difference_update(named)
            assert (gap["first_timestamp"] in named[0], gap["last_timestamp"] in named[-1]) == (True, True), gap
        assert len(lost) == told, "these are named by no gap"
        # While the stream is active Loki refuses the lines; in the end it takes them.
        mended = verify(loki, "--repair", "--timeout", "90", log)
        assert (mended.code, mended.document["equal"]) == (0, True), mended
        assert (sum_of(mended.document, "held"), mended.document["gaps"]) == (total, []), mended
        assert verify(loki, log).code == 0
        assert present(loki, "hidden", now) == set(lines)
