"""Lines and marks, wherever chunks end."""

from __future__ import annotations

import json
import random

from lb_controller.api import Host, Workload
from lb_log.controller.conversation import Conversation, Patience, Stops
from lb_log.controller.lines import MOST_BYTES, Lines, is_record
from lb_log.controller.stream import Stream

from support.controlling import Drive

MARK = b"lb-controller-0123456789abcdef"
RECORD = (
    '{"timestamp":"2026-11-22T10:11:12.123456789Z","level":"INFO","component":"k6","host":"node1","run_id":"run-1",'
    '"logger":"k6","message":"m","event_type":"log","workload":"none","repetition":1}'
)


def cut(data: bytes, *, at: int) -> list[bytes]:
    """In two."""
    return [data[:at], data[at:]]


def test_lines_come_whole_wherever_they_are_cut() -> None:
    data = b"one\r\n\ntwo \xc3\xa9\nlast"
    for at in range(len(data) + 1):
        lines = Lines()
        found = [line for chunk in cut(data, at=at) for line in lines.take(chunk)]
        assert [*found, *lines.finish()] == [b"one", b"", "two é".encode(), b"last"]


def test_a_line_that_is_too_long_comes_in_pieces_of_whole_characters() -> None:
    text = "é" * MOST_BYTES + "x"
    for size in (1 << 20, 7001):
        lines = Lines()
        data = text.encode() + b"\nnext\n"
        found = [line for at in range(0, len(data), size) for line in lines.take(data[at : at + size])]
        assert found[-1] == b"next"
        assert "".join(piece.decode() for piece in found[:-1]) == text
        assert all(len(piece) <= MOST_BYTES for piece in found)


def test_marks_are_found_wherever_they_are_cut() -> None:
    said = b"Welcome! lb-controller-0\n"
    data = said + MARK + b" group 12\nlb-controller-01\npart" + MARK + b" exit 3\nlate\n" + MARK + b" exit 137\n"
    for at in range(len(data) + 1):
        stream = Stream(MARK)
        found = [line for chunk in cut(data, at=at) for line in stream.take(chunk)]
        assert (found, stream.group, stream.ended) == ([b"lb-controller-01", b"part"], 12, 3), at
    # Byte by byte, and without an end.
    stream = Stream(MARK)
    found = [line for byte in data[: data.index(b" exit 3")] for line in stream.take(bytes([byte]))]
    assert stream.ended is None
    assert [*found, *stream.close()] == [b"lb-controller-01", b"part" + MARK]


def test_only_records_of_ours_are_records() -> None:
    assert is_record(RECORD.encode())
    fields = json.loads(RECORD)
    for name in fields:
        less = {key: value for key, value in fields.items() if key != name}
        assert not is_record(json.dumps(less, separators=(",", ":")).encode()), name
    for other in (b"", b"{}", RECORD[:-1].encode(), b" " + RECORD.encode(), b'{"timestamp":"now"}'):
        assert not is_record(other)


def test_lines_that_ssh_brings_in_pieces_are_whole_and_once(drive: Drive) -> None:
    seed = random.Random(1)
    words = ["".join(seed.choices("abcdefghij é{}\\%\"'", k=seed.randrange(300))) for _ in range(400)]
    # Cut within lines and within characters, with time for each piece to travel alone.
    program = (
        "import os, sys, time\n"
        f"data = {chr(10).join(words).encode()!r} + b'\\n'\n"
        "for at in range(0, len(data), 997):\n"
        "    os.write(1, data[at : at + 997])\n"
        "    time.sleep(0.0005)\n"
        f"print({RECORD!r}, flush=True)\n"
        "os.write(2, b'no end')\n"
    )
    result = drive.run([Host("here")], [Workload("words", run=["python3", "-c", program])])
    assert result.ok, result
    assert drive.printed() == [*words, "no end"]
    records = [record for record in drive.records() if record["event_type"] == "output"]
    assert [record["message"] for record in records] == [*words, "no end"]
    assert [record["level"] for record in records[-2:]] == ["INFO", "WARNING"]
    assert records[-1]["tags"] == {"stream": "stderr", "phase": "run"}


def test_what_is_said_at_the_very_end_is_heard() -> None:
    """Also when stdout ends first, and when nothing tells the end."""
    said: list[tuple[str, bytes]] = []
    script = (
        f"exec 3>&2; echo '{MARK.decode()} group 1' | tee /dev/fd/3; exec >&-; sleep 0.2; printf 'why' >&2; exit 5\n"
    )
    conversation = Conversation(
        ["sh"], script.encode(), MARK.decode(), Patience(10, 10, 1), lambda name, line: said.append((name, line))
    )
    ended = conversation.hold(Stops(None, None))
    assert (ended.status, ended.error, ended.told) == ("unreachable", "the connection was lost: why", False)
    assert said == [("stderr", b"why")]
