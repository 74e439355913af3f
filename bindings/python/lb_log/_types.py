"""What the native part hands over and takes."""

from os import PathLike
from typing import TypeAlias, TypedDict

StrPath: TypeAlias = str | PathLike[str]


class Delivery(TypedDict):
    """What became of a log's lines in Loki, of all processes that write to it:
    `lines = acknowledged + below_level + pending + quarantined`."""

    lines: int
    acknowledged: int
    below_level: int
    pending: int
    parked: int
    quarantined: int
    replayed: int
    missing: int


class Stats(TypedDict):
    """The accounting of this process for one log, in records:
    `offered = written + queued + dropped + rejected`."""

    offered: int
    written: int
    queued: int
    dropped: int
    rejected: int
    truncated: int
    nonfinite: int
    shared: int
    recovered: int
    damaged: int
    write_errors: int
    rotations: int
    file_bytes: int
    syncs: int
    sync_errors: int
    segments_deleted: int
    rings_in: str
    apart: bool
    loki: Delivery | None
