"""The Python half of embed.c: the C library by ctypes, from a copy of its own."""

from __future__ import annotations

import ctypes
import json
import struct
import sys

_, folder, records, path, _ = sys.argv
library = ctypes.CDLL(path)
library.lb_logger_free.restype = None


def open_logger(component: str) -> ctypes.c_void_p:
    """A logger, as lb_logger_open makes it."""
    config = json.dumps({"output_dir": folder, "run_id": "embed", "component": component}).encode()
    logger = ctypes.c_void_p()
    status = library.lb_logger_open(config, ctypes.c_size_t(len(config)), ctypes.byref(logger), None)
    assert status == 0, f"open: {status}"
    return logger


def entry(message: bytes, number: int) -> bytes:
    """One entry of lb_logger_push_batch, the call that needs no structures: INFO, one integer tag."""
    tag = struct.pack("<I6sq", 2 | 6 << 8, b"number", number)
    return struct.pack("<IIqIB3x", 24 + len(message) + len(tag), 0, 0, len(message), 3) + message + tag


def log_all(source: str) -> None:
    """Records 0 … RECORDS - 1 of a source, to both logs of this half."""
    for number in range(int(records)):
        batch = entry(source.encode(), number)
        for logger in loggers:
            status = library.lb_logger_push_batch(logger, batch, ctypes.c_size_t(len(batch)), None, None)
            assert status == 0, f"push_batch: {status}"


def close_all() -> None:
    """Ends what this half has opened."""
    for logger in loggers:
        status = library.lb_logger_close(logger, 20000, None)
        assert status == 0, f"close: {status}"
        library.lb_logger_free(logger)


loggers = [open_logger("common"), open_logger("script")]
