"""What a C program can do wrong: a clear error, a counted rejection or a counted cut, never a damaged neighbour."""

from __future__ import annotations

import base64
import ctypes
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import clib, golden
from support.clib import BASE, LibraryError, Logger, batch_entry, config
from support.records import FIELDS, Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def records(folder: Path) -> list[Record]:
    return read_log(folder / "out" / "r" / "logs" / "c-h.jsonl")


def test_null_handles_are_refused() -> None:
    lib = clib.library()
    record = clib.CRecord(ctypes.sizeof(clib.CRecord), 0, 3, 0, clib.c_str(b"x"), None, 0)
    stats, context = clib.CStats(ctypes.sizeof(clib.CStats)), ctypes.c_uint32(77)
    calls: list[Callable[[Any], int]] = [
        lambda error: lib.lb_logger_log(None, ctypes.byref(record), error),
        lambda error: lib.lb_logger_flush(None, 0, error),
        lambda error: lib.lb_logger_close(None, 0, error),
        lambda error: lib.lb_logger_stats(None, ctypes.byref(stats), error),
        lambda error: lib.lb_logger_context(None, b"{}", 2, ctypes.byref(context), error),
        lambda error: lib.lb_logger_push_batch(None, b"", 0, None, error),
        lambda error: lib.lb_logger_open(b"{}", 2, None, error),
    ]
    for call in calls:
        error = ctypes.c_void_p()
        assert call(None) == call(ctypes.byref(error)) == clib.ARGUMENT
        text = lib.lb_error_message(error)
        assert b"NULL" in ctypes.string_at(text.data, text.len)
        lib.lb_error_free(error)
    assert context.value == 77, "out-arguments are not touched on failure"
    assert lib.lb_logger_config(None).len == 0
    assert lib.lb_error_message(None).len == 0
    assert lib.lb_error_code(None) == clib.ARGUMENT
    lib.lb_logger_free(None)
    lib.lb_error_free(None)


def test_null_with_a_length_is_refused_and_without_it_is_empty(folder: Path) -> None:
    lib = clib.library()
    nothing, something, endless = clib.Str(None, 0), clib.Str(None, 1), clib.Str(clib.c_str(b"x").data, 2**63)

    def record(message: clib.Str, key: clib.Str, value: clib.Str) -> Any:
        tag = clib.CTag(key, clib.STRING)
        tag.value.string = value
        return clib.CRecord(ctypes.sizeof(clib.CRecord), 0, 3, 0, message, ctypes.pointer(tag), 1)

    with Logger(config(folder)) as logger:
        refused = 0
        for bad in (something, endless):
            for parts in ((bad, nothing, nothing), (nothing, bad, nothing), (nothing, nothing, bad)):
                logger.log(b"before")
                assert lib.lb_logger_log(logger.handle, ctypes.byref(record(*parts)), None) == clib.ARGUMENT
                refused += 1
                logger.log(b"after")
        whole = record(clib.c_str(b"tags"), clib.c_str(b"k"), nothing)
        for tags, count in ((None, 1), (whole.tags, 2**64 - 1), (whole.tags, 2**60)):
            whole.tags, whole.tag_count = tags, count
            assert lib.lb_logger_log(logger.handle, ctypes.byref(whole), None) == clib.ARGUMENT
            refused += 1
        for size in (0, 3, ctypes.sizeof(clib.CRecord) - 1):
            whole.struct_size = size
            assert lib.lb_logger_log(logger.handle, ctypes.byref(whole), None) == clib.ARGUMENT
            refused += 1
        assert lib.lb_logger_log(logger.handle, None, None) == clib.ARGUMENT
        context = ctypes.c_uint32()
        assert lib.lb_logger_context(logger.handle, None, 1, ctypes.byref(context), None) == clib.ARGUMENT
        assert lib.lb_logger_context(logger.handle, b"{}", 2, None, None) == clib.ARGUMENT
        assert lib.lb_logger_context(logger.handle, None, 0, ctypes.byref(context), None) == clib.REJECTED
        assert lib.lb_logger_push_batch(logger.handle, None, 1, None, None) == clib.ARGUMENT
        assert lib.lb_logger_push_batch(logger.handle, None, 0, None, None) == clib.OK
        assert lib.lb_logger_stats(logger.handle, None, None) == clib.ARGUMENT
        handle = ctypes.c_void_p()
        assert lib.lb_logger_open(None, 1, ctypes.byref(handle), None) == clib.ARGUMENT
        empty = record(nothing, nothing, nothing)
        assert lib.lb_logger_log(logger.handle, ctypes.byref(empty), None) == clib.OK
        stats = logger.stats()
        assert (stats["rejected"], stats["offered"]) == (refused + 1, refused + 1 + 13)
    found = records(folder)
    assert [record["message"] for record in found] == ["before", "after"] * 6 + [""]
    assert found[-1]["tags"] == {"": ""}


def test_structures_of_other_versions(folder: Path) -> None:
    """A caller that knows less gets what it knows; of one that knows more, the rest stays as it was."""
    lib = clib.library()
    room = ctypes.sizeof(clib.CStats)
    with Logger(config(folder)) as logger:
        logger.log(b"one")
        for size, code in ((0, 1), (8, 1), (15, 1), (16, 0), (24, 0), (room - 8, 0), (room, 0), (room + 40, 0)):
            raw = ctypes.create_string_buffer(b"\xaa" * (room + 64), room + 64)
            struct.pack_into("=Q", raw, 0, size)
            assert lib.lb_logger_stats(logger.handle, ctypes.cast(raw, ctypes.POINTER(clib.CStats)), None) == code
            written = min(size, room) if code == clib.OK else 8
            assert struct.unpack_from("=Q", raw, 0)[0] == size
            assert raw.raw[written:] == b"\xaa" * (room + 64 - written), size
            if code == clib.OK:
                assert struct.unpack_from("=Q", raw, 8)[0] == 1, "offered"
        longer = ctypes.create_string_buffer(ctypes.sizeof(clib.CRecord) + 32)
        record = clib.CRecord(len(longer), 0, 3, 0, clib.c_str(b"two"), None, 0)
        ctypes.memmove(longer, ctypes.byref(record), ctypes.sizeof(record))
        newer = ctypes.cast(longer, ctypes.POINTER(clib.CRecord))
        assert lib.lb_logger_log(logger.handle, newer, None) == clib.OK
        batch = batch_entry(b"three")
        for size, code in ((0, clib.ARGUMENT), (15, clib.ARGUMENT), (16, clib.OK)):
            result = clib.BatchResult(size, 77, 77, 77)
            assert lib.lb_logger_push_batch(logger.handle, batch, len(batch), ctypes.byref(result), None) == code
            assert (result.accepted, result.dropped) == ((1, 77) if code == clib.OK else (77, 77))
    assert [record["message"] for record in records(folder)] == ["one", "two", "three"]


HOSTILE_TEXTS = [
    *(b"", b"\0", b"a\0b", b"\xed\xa0\x80", b"\xed\xb0\x80\xed\xa0\x80", b"\xff\xfe", b"\xc3", b"\xf4\x90\x80\x80"),
    *("\u2028\u2029".encode(), "\u0085\ufeff\U0010ffff".encode(), b'"\\/', b"\r\n", b"\x7f\x1b[31m", b"../../etc/x"),
]
HOSTILE_TAGS: list[list[clib.Tag]] = [
    *([(text, clib.STRING, text)] for text in HOSTILE_TEXTS),
    [(name.encode(), clib.STRING, b"a tag") for name in [*FIELDS, "tags"]],
    [(name, clib.INTEGER, 7) for name in (b"phase", b"exception", b"stack", b"truncated_bytes")],
    [(b"twice", clib.INTEGER, number) for number in range(1000)],
    [(b"\xff", clib.INTEGER, 1), ("\ufffd".encode(), clib.INTEGER, 2), (b"\xfe", clib.INTEGER, 3)],
    [
        (b"n%d" % index, clib.NUMBER, value)
        for index, value in enumerate((math.nan, math.inf, -math.inf, -0.0, 2.0**63))
    ],
    [(b"signed", clib.INTEGER, -(2**63)), (b"unsigned", clib.UNSIGNED, 2**63), (b"most", clib.UNSIGNED, 2**64 - 1)],
    [(b"null", clib.NULL, None), (b"true", clib.BOOLEAN, True), (b"k" * 70_000, clib.STRING, b"v" * 70_000)],
]


@pytest.mark.parametrize("way", ["log", "push_batch"])
def test_hostile_records_between_good_ones(way: str, folder: Path) -> None:
    """The whole file, byte for byte, as a second encoder has it."""
    hostile: list[tuple[bytes, list[clib.Tag]]] = [(text, []) for text in HOSTILE_TEXTS] + [
        (b"tags", tags) for tags in HOSTILE_TAGS
    ]
    offered: list[tuple[bytes, list[clib.Tag]]] = []
    for number, one in enumerate(hostile):
        offered += [(b"good", [(b"number", clib.INTEGER, number)]), one]
    with Logger(config(folder)) as logger:
        for number, (message, tags) in enumerate(offered, 1):
            if way == "log":
                logger.log(message, timestamp_ns=number, tags=tags)
            else:
                assert logger.push_batch(batch_entry(message, timestamp_ns=number, tags=tags))[0] == clib.OK
        logger.flush()
        stats = logger.stats()
    assert (stats["written"], stats["nonfinite"], stats["rejected"]) == (len(offered), 3, 0)
    expected = "".join(line(number, *one) for number, one in enumerate(offered, 1))
    assert (folder / "out" / "r" / "logs" / "c-h.jsonl").read_bytes() == expected.encode()
    assert len(records(folder)) == len(offered)


def line(number: int, message: bytes, tags: list[clib.Tag]) -> str:
    """The line that a record must become, by the tests' own encoder."""
    kinds = {kind: name for name, kind in clib.KINDS.items()}

    def of_text(text: bytes) -> dict[str, str]:
        return {"base64": base64.b64encode(text).decode()}

    tags_of = [
        [of_text(key), kinds[kind], of_text(value) if kind == clib.STRING else value] for key, kind, value in tags
    ]
    context = {**BASE, "logger": "lb"}
    record = {"level": "INFO", "timestamp_ns": number, "message": of_text(message), "tags": tags_of}
    return golden.encode({"context": context, "record": record}) + "\n"


def test_rejections_are_counted_and_leave_neighbours_alone(folder: Path) -> None:
    bad: list[dict[str, Any]] = [
        {"level": 0},
        {"level": 7},
        {"level": -1},
        {"context": 12345},
        {"context": clib.CONTEXT_INVALID},
        {"tags": [(b"key", 99, None)]},
        {"tags": [(b"good", clib.STRING, b"x"), (b"key", 0, None)]},
    ]
    with Logger(config(folder)) as logger:
        for number, arguments in enumerate(bad):
            logger.log(b"before %d" % number)
            with pytest.raises(LibraryError) as caught:
                logger.log(b"bad", **arguments)
            assert caught.value.code in (clib.REJECTED, clib.ARGUMENT)
            logger.log(b"after %d" % number)
        stats = logger.stats()
    assert stats["rejected"] == len(bad)
    assert stats["offered"] == 3 * len(bad)
    messages = [record["message"] for record in records(folder)]
    assert messages == [f"{when} {number}" for number in range(len(bad)) for when in ("before", "after")]


@pytest.mark.parametrize("repetition", [0, -1, 1.5, "2", None])
def test_an_impossible_repetition_of_a_context(repetition: Any, folder: Path) -> None:
    with Logger(config(folder)) as logger, pytest.raises(LibraryError) as caught:
        logger.context({"repetition": repetition})
    assert caught.value.code in (clib.CONFIG, clib.ARGUMENT, clib.REJECTED)
    assert "repetition" in caught.value.message


@pytest.mark.parametrize("fields", [{"levle": 1}, {"tags": 7}, {"component": ""}, {"workload": 7}, {"host": None}])
def test_an_impossible_context(fields: dict[str, Any], folder: Path) -> None:
    with Logger(config(folder)) as logger, pytest.raises(LibraryError) as caught:
        logger.context(fields)
    assert next(iter(fields)) in caught.value.message


def test_hostile_bytes_everywhere(folder: Path) -> None:
    rng = random.Random(3)
    hostile = [bytes(rng.randrange(256) for _ in range(rng.randrange(200))) for _ in range(500)]
    hostile += [bytes([value]) for value in range(256)]
    with Logger(config(folder)) as logger:
        for data in hostile:
            logger.log(data, tags=[(data, clib.STRING, data), (b"plain", clib.STRING, data[::-1])])
        assert logger.stats()["rejected"] == 0
    found = records(folder)
    assert [record["message"] for record in found] == [data.decode("utf-8", "replace") for data in hostile]
    for record, data in zip(found, hostile, strict=True):
        assert record["tags"]["plain"] == data[::-1].decode("utf-8", "replace") or data == b"plain"


def test_ten_thousand_tags(folder: Path) -> None:
    small = [(b"k%d" % number, clib.INTEGER, number) for number in range(10_000)]
    large = [(b"k%d" % number, clib.STRING, b"v" * 100) for number in range(10_000)]
    with Logger(config(folder)) as logger:
        logger.log(b"before")
        logger.log(b"small", tags=small)
        logger.log(b"between")
        logger.log(b"large", tags=large)
        logger.log(b"after")
        logger.flush()
        stats = logger.stats()
    found = records(folder)
    assert [record["message"] for record in found] == ["before", "small", "between", "large", "after"]
    assert found[1]["tags"] == {f"k{number}": number for number in range(10_000)}
    check_cut(found[3], folder, stats)
    kept = [key for key in found[3]["tags"] if key != "truncated_bytes"]
    assert kept == [f"k{number}" for number in range(len(kept))], "tags are lost from the last"
    assert len(kept) > 1000


def check_cut(record: Record, folder: Path, stats: dict[str, int], most: int = 256 << 10) -> None:
    """A cut record: as long as may be, its loss said and counted."""
    assert record["tags"]["truncated_bytes"] > 0
    assert stats["truncated"] == 1
    lines = (folder / "out" / "r" / "logs" / "c-h.jsonl").read_bytes().split(b"\n")
    longest = max(len(line) for line in lines)
    assert most * 0.9 < longest <= most


@pytest.mark.parametrize("char", [b"x", "ü".encode(), "😀".encode(), b"\xff", b'"', b"\x01"])
def test_a_message_of_ten_megabytes(char: bytes, folder: Path) -> None:
    with Logger(config(folder)) as logger:
        logger.log(b"before")
        logger.log(char * (10_000_000 // len(char)), tags=[(b"a", clib.STRING, b"b")])
        logger.log(b"after")
        logger.flush()
        stats = logger.stats()
    found = records(folder)
    assert [record["message"][:6] for record in found[::2]] == ["before", "after"]
    text = char.decode("utf-8", "replace")
    message = found[1]["message"]
    assert message == text * len(message), "cut between characters, nothing else changed"
    check_cut(found[1], folder, stats)


def test_batches_that_are_damaged(folder: Path) -> None:
    good = [batch_entry(b"good %d" % number, tags=[(b"n", clib.INTEGER, number)]) for number in range(3)]
    bad_level = batch_entry(b"bad", level=9)
    body = b"bad" + struct.pack("<I", 77 | 1 << 8) + b"k"
    bad_tag = struct.pack("<IIqIB3x", 24 + len(body), 0, 0, 3, 3) + body
    long_message = bytearray(batch_entry(b"bad"))
    struct.pack_into("<I", long_message, 16, 1 << 30)
    expected = []
    with Logger(config(folder)) as logger:
        for bad in (bad_level, bad_tag, bytes(long_message)):
            code, result = logger.push_batch(good[0] + bad + good[1])
            assert (code, result.accepted, result.rejected) == (clib.REJECTED, 2, 1)
            expected += ["good 0", "good 1"]
        endless = struct.pack("<I", 1 << 31) + b"x" * 60
        for tail in (b"\x01", b"\0" * 24, struct.pack("<I", 10) + good[1], endless, good[2][:-1]):
            code, result = logger.push_batch(good[0] + tail)
            assert code == clib.ARGUMENT, tail
            assert result.accepted == 1
            expected += ["good 0"]
        assert logger.push_batch(b"")[0] == clib.OK
        logger.log(b"last")
    assert [record["message"] for record in records(folder)] == [*expected, "last"]


def test_batches_of_noise(folder: Path) -> None:
    """Whatever the bytes are: no crash, and the record behind is whole."""
    rng = random.Random(7)
    tags = [(b"key", clib.STRING, b"value"), (b"n", clib.NUMBER, 1.5)]
    with Logger(config(folder)) as logger:
        for _ in range(3000):
            noise = bytearray(batch_entry(b"message", tags=tags) * 2)
            for _ in range(rng.randrange(1, 5)):
                noise[rng.randrange(len(noise))] = rng.randrange(256)
            code, _ = logger.push_batch(bytes(noise[: rng.randrange(len(noise) + 1)]))
            assert code in (clib.OK, clib.REJECTED, clib.ARGUMENT)
        logger.log(b"last")
        logger.stats()
    assert records(folder)[-1]["message"] == "last"


def test_a_handle_after_close(folder: Path) -> None:
    """Every call is answered; nothing more comes into the file, and what was written stays told."""
    with Logger(config(folder)) as logger:
        before = logger.config()
        logger.log(b"one")
        logger.close()
        for _ in range(2):
            with pytest.raises(LibraryError, match="closed") as caught:
                logger.log(b"two")
            assert caught.value.code == clib.CLOSED
            code, result = logger.push_batch(batch_entry(b"three") * 3)
            assert (code, result.accepted, result.dropped, result.rejected) == (clib.CLOSED, 0, 0, 0)
            logger.flush()
            assert logger.config() == before
            assert logger.context({"workload": "w"}) > 0
            with pytest.raises(LibraryError) as caught:
                logger.context({"repetition": 0})
            assert caught.value.code == clib.REJECTED
            stats = logger.stats()
            assert (stats["offered"], stats["written"]) == (1, 1)
            logger.close()
    assert [record["message"] for record in records(folder)] == ["one"]


def test_two_loggers_of_one_process_share_a_file(folder: Path) -> None:
    with Logger(config(folder)) as one, Logger(config(folder, logger="other")) as two:
        for number in range(200):
            one.log(b"one %d" % number)
            two.log(b"two %d" % number)
    messages = [record["message"] for record in records(folder)]
    for name in ("one", "two"):
        assert [text for text in messages if text.startswith(name)] == [f"{name} {number}" for number in range(200)]
