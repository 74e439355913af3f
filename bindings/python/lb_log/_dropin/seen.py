"""Which records are in a file already, so that the second of two handlers leaves them alone."""

from __future__ import annotations

import logging
import threading
import weakref
from threading import get_ident
from typing import ClassVar

# So many records of a thread are remembered. One would do if no record were ever logged while another is handled.
MOST = 64
# So many are remembered for other threads, twice.
MOST_COPIES = 10_000

Origin = tuple[float, "int | None", int]


class _Local(threading.local):
    def __init__(self) -> None:
        self.records: dict[int, weakref.ref[logging.LogRecord]] = {}


class Seen:
    """The last records of a file. They are not kept alive, and nothing is added to them.

    A thread that handles what it has logged itself is told apart by the record as such. A thread behind a queue gets
    copies: those are known by when and where they were logged.
    """

    _of_path: ClassVar[weakref.WeakValueDictionary[str, Seen]] = weakref.WeakValueDictionary()

    def __init__(self) -> None:
        self._local = _Local()
        self._copies: dict[Origin, None] = {}
        self._older: dict[Origin, None] = {}
        # Whether more than one handler writes to the file: only then copies are of interest.
        self.several = False

    @classmethod
    def of(cls, path: str) -> Seen:
        """The one of all who have this file open."""
        return cls._of_path.setdefault(path, cls())

    def has(self, record: logging.LogRecord) -> bool:
        """The record is in the file."""
        known = self._local.records.get(id(record))
        if known is not None and known() is record:
            return True
        if not self.several or record.thread == get_ident():
            return False
        origin = record.created, record.thread, record.lineno
        return origin in self._copies or origin in self._older

    def add(self, record: logging.LogRecord) -> None:
        """The record is in the file."""
        records = self._local.records
        if len(records) >= MOST:
            del records[next(iter(records))]
        records[id(record)] = weakref.ref(record)
        if self.several:
            if len(self._copies) >= MOST_COPIES:
                self._older, self._copies = self._copies, {}
            self._copies[record.created, record.thread, record.lineno] = None
