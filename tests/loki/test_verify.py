"""`lb verify`: each line that Loki lacks is named, and nothing else is."""

from __future__ import annotations

import http.server
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from support.delivery import check_equal, counted
from support.golden import timestamp_text
from support.lb import Ran, labels, lb, line, push, sum_of, verify, write_log
from support.loki import HOUR, PAGE, SECOND, Loki, free_port

AGO = 60 * SECOND
# Lines of the long proof; a million takes 15 s.
LINES = int(os.environ.get("TEST_VERIFY_LINES", "50000"))


def hold(loki: Loki, lines: list[tuple[int, str]], run_id: str, workload: str = "w") -> None:
    """Make Loki hold lines, by hand."""
    stream = labels(workload, run_id)
    for start in range(0, len(lines), 5000):
        assert loki.push(stream, lines[start : start + 5000]) == (204, "")


def numbered(count: int, run_id: str, begin: int, workload: str = "w") -> list[tuple[int, str]]:
    """Lines a microsecond apart, with their times."""
    return [
        (begin + n * 1000, line(begin + n * 1000, f"{n} of {workload}", workload=workload, run_id=run_id))
        for n in range(count)
    ]


def rows(ran: Ran) -> list[tuple[str, int, int, int]]:
    return [(Path(gap["file"]).name, gap["first_line"], gap["last_line"], gap["lines"]) for gap in ran.document["gaps"]]


def test_each_gap_is_named_and_repaired(loki: Loki, folder: Path) -> None:
    """Loki holds some of the lines, pushed by somebody else: there is no offset file."""
    begin = time.time_ns() - AGO
    odd, even = (numbered(3000, "gaps", begin + n, workload=f"w{n}") for n in (0, 1))
    both = [text for pair in zip(odd, even, strict=True) for _, text in pair]
    write_log(folder / "logs" / "c-h.000001.jsonl", both[:2000])
    log = write_log(folder / "logs" / "c-h.jsonl", both[2000:])
    lost = {10, 11, 12, 999, 1000, 2999}
    hold(loki, [entry for n, entry in enumerate(odd) if n not in lost], "gaps", "w0")
    hold(loki, even, "gaps", "w1")
    ran = verify(loki, log)
    assert ran.code == 1, ran
    assert rows(ran) == [
        ("c-h.000001.jsonl", 21, 25, 3),
        ("c-h.000001.jsonl", 1999, 1999, 1),
        ("c-h.jsonl", 1, 1, 1),
        ("c-h.jsonl", 3999, 3999, 1),
    ]
    first = ran.document["gaps"][0]
    assert first["labels"] == labels("w0", "gaps"), first
    assert (first["first_timestamp"] in odd[10][1], first["last_timestamp"] in odd[12][1]) == (True, True), first
    assert (sum_of(ran.document, "held"), sum_of(ran.document, "missing")) == (5994, 6), ran
    text = lb("verify", "--loki-endpoint", loki.url, log)
    assert "c-h.000001.jsonl:21-25: 3 lines missing, " in text.stdout, text
    assert "4 gaps: 6 lines not in Loki; `lb verify --repair` pushes just those" in text.stderr

    mended = verify(loki, "--repair", log)
    assert (mended.code, mended.document["gaps"]) == (0, []), mended
    assert sum_of(mended.document, "held") == 6000, mended
    (repaired,) = mended.document["repaired"]
    assert (repaired["acknowledged"], repaired["replayed"]) == (6000, 0), repaired
    assert counted(loki, '{run_id="gaps"}', begin, begin + SECOND) == 6000, "lines were pushed that were there"
    # With an offset file now, and all acknowledged.
    assert verify(loki, log).code == 0
    assert push(loki, log).code == 0
    assert counted(loki, '{run_id="gaps"}', begin, begin + SECOND) == 6000


@pytest.mark.parametrize("change", ["other text", "other time", "other stream", "cut"])
def test_a_line_counts_only_as_it_is(loki: Loki, folder: Path, change: str) -> None:
    begin, run_id = time.time_ns() - AGO, f"as it is, {change}"
    entries = numbered(20, run_id, begin)
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in entries])
    hold(loki, entries[:9] + entries[10:], run_id)
    ns, text = entries[9]
    other = {"other text": (ns, text.replace("9 of", "8 of")), "other time": (ns + 1, text), "cut": (ns, text[:-1])}
    hold(loki, [other.get(change, (ns, text))], run_id, "v" if change == "other stream" else "w")
    ran = verify(loki, log)
    assert (ran.code, rows(ran)) == (1, [("c-h.jsonl", 10, 10, 1)]), ran
    # What is in the stream and not in the file is told, too.
    more = 0 if change == "other stream" else 1
    assert ran.document["streams"][0]["more_in_loki"] == more, ran
    assert ("Loki has 1 line more than the files" in ran.stderr) == bool(more), ran


def test_what_loki_has_besides_is_told_and_no_fault(loki: Loki, folder: Path) -> None:
    begin = time.time_ns() - AGO
    entries = numbered(20, "besides", begin)
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in entries[:10]])
    beside = write_log(folder / "logs" / "c-h~00000001.jsonl", [text for _, text in entries[10:15]])
    hold(loki, entries, "besides")
    ran = verify(loki, log)
    assert (ran.code, ran.document["streams"][0]["more_in_loki"]) == (0, 5), ran
    assert verify(loki, log, beside).document["streams"][0]["more_in_loki"] == 5
    write_log(log, [text for _, text in entries[15:]])
    whole = verify(loki, folder)
    assert (whole.code, whole.document["streams"][0]["more_in_loki"], whole.stderr) == (0, 0, whole.stderr), whole
    assert "more than the files" not in whole.stderr


def test_many_lines_of_one_nanosecond_and_long_ones(loki: Loki, folder: Path) -> None:
    now = time.time_ns() - AGO
    crowd = [(now, line(now, f"{n} in the crowd", run_id="crowd")) for n in range(2 * PAGE + 100)]
    long = [(now + 1 + n, line(now + 1 + n, f"{n} {'x' * 200_000}", run_id="crowd")) for n in range(24)]
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in crowd + long])
    hold(loki, crowd[:7000] + crowd[7001:], "crowd")
    for n in (*range(17), *range(18, 24)):
        hold(loki, [long[n]], "crowd")
    ran = verify(loki, log)
    assert (ran.code, rows(ran)) == (1, [("c-h.jsonl", 7001, 7001, 1), ("c-h.jsonl", 10_118, 10_118, 1)]), ran
    assert verify(loki, "--repair", log).code == 0


def test_equal_lines_of_one_nanosecond_count_as_one(loki: Loki, folder: Path) -> None:
    now = time.time_ns() - AGO
    log = write_log(folder / "logs" / "c-h.jsonl", [line(now, "same", run_id="equal")] * 3)
    assert push(loki, log).code == 0
    ran = verify(loki, log)
    assert (ran.code, sum_of(ran.document, "held"), sum_of(ran.document, "equal")) == (0, 3, 2), ran
    assert "2 lines equal to another one of the same nanosecond" in ran.stderr


def test_replays_that_metric_queries_count_are_told(loki: Loki, folder: Path) -> None:
    """Loki drops a replay only while it sits in the head block."""
    begin = time.time_ns() - AGO
    entries = [(begin + n, line(begin + n, f"{n} {'x' * 300}", run_id="replays")) for n in range(3000)]
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in entries])
    hold(loki, entries, "replays")
    hold(loki, entries, "replays")
    twice = counted(loki, '{run_id="replays"}', begin, begin + SECOND) - 3000
    assert twice > 0, "Loki counts no replay any more"
    ran = verify(loki, log)
    assert (ran.code, ran.document["streams"][0]["counted"]) == (0, 3000 + twice), ran
    assert f"metric queries (count_over_time) count {twice} more" in ran.stderr


def test_a_live_log_is_compared_as_far_as_it_is_shipped(loki: Loki, folder: Path) -> None:
    """Without an offset file everything that is missing is a gap; with one, what was not sent yet is pending."""
    begin = time.time_ns() - AGO
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in numbered(10, "pending", begin)])
    assert push(loki, log).code == 0
    write_log(log, [text for _, text in numbered(5, "pending", begin + SECOND)])
    ran = verify(loki, log)
    assert (ran.code, ran.document["gaps"], sum_of(ran.document, "pending")) == (1, [], 5), ran
    assert "5 lines not sent yet; see `lb push`" in ran.stderr
    mended = verify(loki, "--repair", log)
    assert (mended.code, sum_of(mended.document, "held")) == (0, 15), mended


def test_what_is_in_quarantine_is_no_gap(loki: Loki, folder: Path) -> None:
    now = time.time_ns()
    old = line(now - 8 * 24 * HOUR, "too old", run_id="quarantine")
    log = write_log(folder / "logs" / "c-h.jsonl", [line(now - AGO, "good", run_id="quarantine"), old, "no record"])
    unpushed = verify(loki, log)
    assert unpushed.code == 1, unpushed
    assert "1 line without a record; `lb push` puts such lines into the quarantine" in unpushed.stderr
    assert push(loki, log).code == 0
    ran = verify(loki, log)
    assert (ran.code, sum_of(ran.document, "quarantined"), ran.document["gaps"]) == (0, 2, []), ran
    assert "2 lines in quarantine" in ran.stderr


class Web(http.server.BaseHTTPRequestHandler):
    """Something that is not Loki."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>a login</html>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_nothing_is_proved_where_loki_does_not_answer(loki: Loki, folder: Path) -> None:
    log = write_log(folder / "logs" / "c-h.jsonl", [text for _, text in numbered(10, "dead", time.time_ns() - AGO)])
    dead = f"http://127.0.0.1:{free_port()}"
    ran = lb("verify", "--loki-endpoint", dead, log)
    assert ran.code == 2, ran
    assert f"{dead}/loki/api/v1/push: Loki does not say which lines it has" in ran.stderr
    assert "refused" in ran.stderr
    hurried = lb("verify", "--format", "json", "--loki-endpoint", dead, "--timeout", "0.5", log)
    assert (hurried.code, hurried.document["finished"], hurried.document["equal"]) == (1, False, False), hurried
    assert "this proves nothing" in hurried.stderr
    with http.server.HTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wrong = lb("verify", "--loki-endpoint", f"http://127.0.0.1:{server.server_port}", log)
        server.shutdown()
    assert wrong.code == 2, wrong
    assert "what answers there is not Loki" in wrong.stderr
    nowhere = lb("verify", "--loki-endpoint", f"{loki.url}/somewhere", log)
    assert nowhere.code == 2, nowhere
    assert "does not end with /push" in nowhere.stderr


def test_a_long_log_is_verified_and_mended(loki: Loki, folder: Path) -> None:
    begin = time.time_ns() - AGO
    kinds = [line(0, "{} GET home 200 " + "x" * 120, run_id="long", workload=f"w{n}") for n in range(2)]
    stamp = kinds[0][: kinds[0].index('","level"')]
    body = [kind[len(stamp) :] for kind in kinds]
    texts = [
        f'{{"timestamp":"{timestamp_text(begin + n * 1000)}{body[n % 2].replace("{}", str(n), 1)}' for n in range(LINES)
    ]
    log = write_log(folder / "logs" / "c-h.jsonl", texts)
    assert push(loki, log).code == 0
    before = time.monotonic()
    ran = verify(loki, log)
    took = time.monotonic() - before
    print(f"{LINES} lines verified in {took:.1f} s")
    assert (ran.code, sum_of(ran.document, "held")) == (0, LINES), ran
    if LINES <= 50_000:
        assert check_equal(loki, log, "long") == LINES
