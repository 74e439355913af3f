"""The C library as Python sees it through ctypes: each call as the header has it, no wrapper of ours in between."""

from __future__ import annotations

import ctypes
import functools
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from support.paths import SHARED_LIBRARY

OK, ARGUMENT, CONFIG, IO, REJECTED, DROPPED, CLOSED, TIMEOUT, NESTED, _, LIMIT, PANIC = range(12)
LEVELS = {name: number for number, name in enumerate(("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), 1)}
STRING, INTEGER, UNSIGNED, NUMBER, BOOLEAN, NULL = range(1, 7)
KINDS = {name: number for number, name in enumerate(("string", "integer", "unsigned", "number", "boolean", "null"), 1)}
CONTEXT_DEFAULT, CONTEXT_INVALID = 0, 0xFFFFFFFF

Tag = tuple[bytes, int, Any]


class Str(ctypes.Structure):
    """lb_str"""

    _fields_ = [("data", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class TagValue(ctypes.Union):
    """lb_tag_value"""

    _fields_ = [
        ("string", Str),
        ("integer", ctypes.c_int64),
        ("unsigned_integer", ctypes.c_uint64),
        ("number", ctypes.c_double),
        ("boolean", ctypes.c_bool),
    ]


class CTag(ctypes.Structure):
    """lb_tag"""

    _fields_ = [("key", Str), ("type", ctypes.c_int32), ("value", TagValue)]


class CRecord(ctypes.Structure):
    """lb_record"""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("context", ctypes.c_uint32),
        ("level", ctypes.c_int32),
        ("timestamp_ns", ctypes.c_int64),
        ("message", Str),
        ("tags", ctypes.POINTER(CTag)),
        ("tag_count", ctypes.c_size_t),
    ]


class BatchResult(ctypes.Structure):
    """lb_batch_result"""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("accepted", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
        ("rejected", ctypes.c_uint64),
    ]


COUNTS = (
    *("offered", "written", "queued", "dropped", "rejected", "truncated", "nonfinite", "shared", "recovered"),
    *("damaged", "write_errors", "rotations", "file_bytes"),
)
LATER_COUNTS = ("syncs", "sync_errors", "segments_deleted")
LOKI_COUNTS = tuple(
    f"loki_{name}"
    for name in ("lines", "acknowledged", "below_level", "pending", "parked", "quarantined", "replayed", "missing")
)
STATS = (*COUNTS, "rings_in", "apart", *LATER_COUNTS, "loki_enabled", *LOKI_COUNTS)
RINGS_SHM, RINGS_LOG, RINGS_MEMORY = 1, 2, 3


class CStats(ctypes.Structure):
    """lb_stats"""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        *((name, ctypes.c_uint64) for name in COUNTS),
        ("rings_in", ctypes.c_int32),
        ("apart", ctypes.c_int32),
        *((name, ctypes.c_uint64) for name in LATER_COUNTS),
        ("loki_enabled", ctypes.c_int32),
        *((name, ctypes.c_uint64) for name in LOKI_COUNTS),
    ]


@functools.cache
def library(path: Path = SHARED_LIBRARY) -> ctypes.CDLL:
    """The shared library, or a copy of it, with its signatures."""
    lib = ctypes.CDLL(str(path))
    pointer, error = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    size, u32 = ctypes.c_size_t, ctypes.c_uint32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "lb_version": (ctypes.c_char_p, []),
        "lb_abi_version": (u32, []),
        "lb_logger_open": (ctypes.c_int32, [ctypes.c_char_p, size, error, error]),
        "lb_logger_config": (Str, [pointer]),
        "lb_logger_context": (ctypes.c_int32, [pointer, ctypes.c_char_p, size, ctypes.POINTER(u32), error]),
        "lb_logger_log": (ctypes.c_int32, [pointer, ctypes.POINTER(CRecord), error]),
        "lb_logger_push_batch": (
            ctypes.c_int32,
            [pointer, ctypes.c_char_p, size, ctypes.POINTER(BatchResult), error],
        ),
        "lb_logger_flush": (ctypes.c_int32, [pointer, u32, error]),
        "lb_logger_stats": (ctypes.c_int32, [pointer, ctypes.POINTER(CStats), error]),
        "lb_logger_close": (ctypes.c_int32, [pointer, u32, error]),
        "lb_logger_free": (None, [pointer]),
        "lb_error_code": (ctypes.c_int32, [pointer]),
        "lb_error_message": (Str, [pointer]),
        "lb_error_free": (None, [pointer]),
    }
    for name, (result, parameters) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, parameters
    return lib


BASE: dict[str, Any] = {"component": "c", "host": "h", "run_id": "r"}


def config(folder: Path, **more: Any) -> dict[str, Any]:
    """The configuration of a logger that writes `out/r/logs/c-h.jsonl` below a folder."""
    return {**BASE, "output_dir": str(folder / "out"), **more}


class LibraryError(Exception):
    """A call that did not answer LB_OK."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def _check(code: int, error: ctypes.c_void_p) -> None:
    """Raise what the call has to say, and free it."""
    message = ""
    if error.value is not None:
        lib = library()
        text = lib.lb_error_message(error)
        message = ctypes.string_at(text.data, text.len).decode() if text.len else ""
        assert lib.lb_error_code(error) == code
        lib.lb_error_free(error)
    if code != OK:
        raise LibraryError(code, message)
    assert not message, f"LB_OK with an error: {message}"


def c_str(value: bytes) -> Str:
    """A borrowed text: the caller keeps the bytes alive."""
    return Str(ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p).value, len(value))


def c_tag(tag: Tag) -> CTag:
    """lb_tag of a tag."""
    key, kind, value = tag
    result = CTag(c_str(key), kind)
    if kind == STRING:
        result.value.string = c_str(value)
    elif kind == INTEGER:
        result.value.integer = value
    elif kind == UNSIGNED:
        result.value.unsigned_integer = value
    elif kind == NUMBER:
        result.value.number = value
    elif kind == BOOLEAN:
        result.value.boolean = value
    return result


def batch_entry(
    message: bytes, level: int = 3, context: int = 0, timestamp_ns: int = 0, tags: Sequence[Tag] = ()
) -> bytes:
    """One entry of push_batch."""
    body = bytearray(message)
    for key, kind, value in tags:
        body += struct.pack("<I", kind | len(key) << 8) + key
        if kind == STRING:
            body += struct.pack("<I", len(value)) + value
        elif kind in (INTEGER, UNSIGNED, NUMBER):
            body += struct.pack({INTEGER: "<q", UNSIGNED: "<Q", NUMBER: "<d"}[kind], value)
        elif kind == BOOLEAN:
            body += struct.pack("<B", value)
    return struct.pack("<IIqIB3x", 24 + len(body), context, timestamp_ns, len(message), level) + bytes(body)


class Logger:
    """lb_logger: closed and freed at the end of a `with`."""

    def __init__(self, config: Mapping[str, Any] | bytes, path: Path = SHARED_LIBRARY) -> None:
        self.library = library(path)
        raw = config if isinstance(config, bytes) else json.dumps(config).encode()
        self.handle, error = ctypes.c_void_p(), ctypes.c_void_p()
        code = self.library.lb_logger_open(raw, len(raw), ctypes.byref(self.handle), ctypes.byref(error))
        if code != OK:
            assert self.handle.value is None, "a handle although opening failed"
        _check(code, error)

    def __enter__(self) -> Logger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.free()

    def free(self) -> None:
        """The end of the handle; nothing else may be called then."""
        self.library.lb_logger_free(self.handle)

    def config(self) -> dict[str, Any]:
        text = self.library.lb_logger_config(self.handle)
        result: dict[str, Any] = json.loads(ctypes.string_at(text.data, text.len))
        return result

    def context(self, fields: Mapping[str, Any]) -> int:
        raw, number, error = json.dumps(fields).encode(), ctypes.c_uint32(), ctypes.c_void_p()
        _check(
            self.library.lb_logger_context(self.handle, raw, len(raw), ctypes.byref(number), ctypes.byref(error)), error
        )
        return number.value

    def log(
        self, message: bytes, level: int = 3, context: int = 0, timestamp_ns: int = 0, tags: Sequence[Tag] = ()
    ) -> None:
        array = (CTag * len(tags))(*(c_tag(tag) for tag in tags))
        record = CRecord(ctypes.sizeof(CRecord), context, level, timestamp_ns, c_str(message), array, len(tags))
        error = ctypes.c_void_p()
        _check(self.library.lb_logger_log(self.handle, ctypes.byref(record), ctypes.byref(error)), error)

    def push_batch(self, batch: bytes) -> tuple[int, BatchResult]:
        """The code and the counts: a batch with bad entries is no exception."""
        result, error = BatchResult(ctypes.sizeof(BatchResult)), ctypes.c_void_p()
        code = self.library.lb_logger_push_batch(
            self.handle, batch, len(batch), ctypes.byref(result), ctypes.byref(error)
        )
        if error.value is not None:
            self.library.lb_error_free(error)
        return code, result

    def flush(self, timeout_ms: int = 5000) -> None:
        error = ctypes.c_void_p()
        _check(self.library.lb_logger_flush(self.handle, timeout_ms, ctypes.byref(error)), error)

    def close(self, deadline_ms: int = 5000) -> None:
        error = ctypes.c_void_p()
        _check(self.library.lb_logger_close(self.handle, deadline_ms, ctypes.byref(error)), error)

    def stats(self) -> dict[str, int]:
        stats, error = CStats(ctypes.sizeof(CStats)), ctypes.c_void_p()
        _check(self.library.lb_logger_stats(self.handle, ctypes.byref(stats), ctypes.byref(error)), error)
        values = {name: int(getattr(stats, name)) for name in STATS}
        assert values["offered"] == values["written"] + values["queued"] + values["dropped"] + values["rejected"]
        dealt_with = sum(values[f"loki_{name}"] for name in ("acknowledged", "below_level", "quarantined"))
        assert values["loki_lines"] == dealt_with + values["loki_pending"]
        return values
