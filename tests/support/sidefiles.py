"""What lies beside a log: its lock file, as the core lays it out, and ring files of processes that write to it."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from pathlib import Path

SHM = Path("/dev/shm")


@dataclasses.dataclass(frozen=True)
class LockFile:
    """What a lock file says (core/src/file/state.rs)."""

    log: tuple[int, int]
    committed: int
    note: bool
    unreached: int


def lock_path(log: Path) -> Path:
    """The lock file of a log."""
    return log.with_name(f".{log.name.removesuffix('.jsonl')}.lock")


def read_lock(log: Path) -> LockFile:
    """The lock file of a log; a damaged one is an error."""
    content = lock_path(log).read_bytes()
    assert len(content) == 512, f"{len(content)} bytes"
    assert content[:8] == b"lblock01", content[:8]
    assert zlib.crc32(content[:-4]) == struct.unpack("<I", content[-4:])[0], "the lock file is damaged"
    numbers = struct.unpack_from("<13Q", content, 24)
    return LockFile(log=(numbers[0], numbers[1]), committed=numbers[2], note=numbers[6] == 1, unreached=numbers[12])


def ring_files(log: Path) -> list[Path]:
    """The ring files of a log: beside it, and those in /dev/shm whose header names it (core/src/ring/header.rs)."""
    found = list(log.parent.glob(f".{log.name.removesuffix('.jsonl')}.*.ringdata"))
    for path in SHM.glob("lb-log-*.rings"):
        try:
            with path.open("rb") as file:
                page = file.read(4096)
        except FileNotFoundError:
            continue
        if page[:8] == b"lbrings1" and page[96 : 96 + struct.unpack_from("<Q", page, 56)[0]] == bytes(log):
            found.append(path)
    return found


def judge_side_files(log: Path) -> None:
    """Nobody writes to the log any more: nothing lies about, and the lock file knows the log's length."""
    left = [path.name for path in log.parent.glob(".*") if path.suffix != ".lock"]
    assert not left, f"left beside the log: {left}"
    assert not ring_files(log), f"ring files are left: {ring_files(log)}"
    state = read_lock(log)
    assert not state.note, "an append is still noted"
    assert state.unreached == 0, "appends to rings out of reach are still noted"
    if log.exists():
        there = log.stat()
        assert (state.log, state.committed) == ((there.st_dev, there.st_ino), there.st_size), state
