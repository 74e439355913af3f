"""What the drop-in handlers of one identity share: the logs that they have open, and where these are shipped to.

A JSONL handler has a log open while it is not closed. A Loki handler has none of its own as long as there is such a
log: it writes into that one what no JSONL handler has written, and turns its shipping on.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from lb_log import _native

Identity = tuple[str, str, str]
"""Component, host and run."""

M = TypeVar("M")

# How long what a handler has closed stays open for the next one, seconds.
LINGER_S = 5.0
# How long a flush waits for the file, seconds.
FLUSH_S = 5.0

# Of all who have a file open, by its path.
_seen: weakref.WeakValueDictionary[str, _native.Seen] = weakref.WeakValueDictionary()

# Held while handlers open and close logs; a record needs it only behind such a change.
lock = threading.RLock()


def _forked() -> None:
    global lock
    lock = threading.RLock()


os.register_at_fork(after_in_child=_forked)


class Log:
    """A core that a handler has open, and which records are in its file already."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.core = _native.Core.open(settings, tolerant=True)
        with lock:
            self.seen = _seen.setdefault(self.core.path, _native.Seen())

    def flush(self) -> None:
        """Return when everything that was logged is in the file; otherwise why not is said."""
        _said(lambda: self.core.flush(FLUSH_S))

    def release(self) -> None:
        """The same, and leave it to the next handler for this file; without one it is closed soon."""
        _said(lambda: self.core.release(LINGER_S, FLUSH_S))


def _said(call: Callable[[], None]) -> None:
    """A disk that is slow or full raises nothing into the program."""
    try:
        call()
    except (OSError, ValueError, RuntimeError) as error:
        if logging.raiseExceptions and sys.stderr is not None:
            sys.stderr.write(f"lb-log: {error}\n")


class Member(Protocol):
    """A handler, as its run sees it."""

    def forget(self) -> None:
        """Logs, labels or shipping have changed: look anew at the next record."""


class Writer(Member, Protocol):
    """A JSONL handler."""

    log: Log | None


class Shipper(Member, Protocol):
    """A Loki handler."""

    labels: dict[str, Any]

    def shipping(self) -> dict[str, Any]:
        """The configuration's block `loki`."""


class Run:
    """The open handlers of one identity; of each kind, in the order in which they were opened."""

    _all: ClassVar[weakref.WeakValueDictionary[Identity, Run]] = weakref.WeakValueDictionary()

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        # The folder and the settings of the newest JSONL handler, also when it is closed.
        self.last: tuple[Path, dict[str, Any]] | None = None
        self._writers: list[weakref.ref[Writer]] = []
        self._shippers: list[weakref.ref[Shipper]] = []
        self._own: Log | None = None

    @classmethod
    def of(cls, identity: Identity) -> Run:
        """The one of this identity."""
        with lock:
            return cls._all.setdefault(identity, cls(identity))

    def add_writer(self, writer: Writer) -> None:
        """A JSONL handler has opened its log: Loki handlers write into that one from now on."""
        self._writers.append(weakref.ref(writer))
        self._release_own()
        self.changed()

    def remove_writer(self, writer: Writer) -> None:
        """A JSONL handler is closed."""
        self._writers = [known for known in self._writers if known() not in (None, writer)]
        writer.forget()
        self.changed()

    def add_shipper(self, shipper: Shipper) -> None:
        """A Loki handler is there."""
        self._shippers.append(weakref.ref(shipper))
        self.changed()

    def remove_shipper(self, shipper: Shipper) -> None:
        """A Loki handler is closed."""
        self._shippers = [known for known in self._shippers if known() not in (None, shipper)]
        if not self._shippers:
            self._release_own()
        shipper.forget()
        self.changed()

    def has_shipper(self, shipper: Shipper) -> bool:
        """The Loki handler is open."""
        return any(known() is shipper for known in self._shippers)

    def changed(self) -> None:
        """Handlers have come or gone, or are set up otherwise."""
        for member in self._members():
            member.forget()

    def several(self) -> bool:
        """There is more than one handler."""
        return len(self._members()) > 1

    def _members(self) -> list[Member]:
        return [*_alive(self._writers), *_alive(self._shippers)]

    def log(self) -> Log | None:
        """The log that is open: the newest JSONL handler's, or the Loki handlers' own."""
        return next((writer.log for writer in reversed(_alive(self._writers)) if writer.log), self._own)

    def own_log(self, elsewhere: dict[str, Any]) -> Log:
        """A log for Loki handlers: where a JSONL handler was last, unless its folder is gone; else `elsewhere`."""
        if self._own is None:
            here = self.last is not None and self.last[0].is_dir()
            self._own = Log(self.last[1] if self.last is not None and here else elsewhere)
        return self._own

    def _release_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.release()

    def labels(self) -> dict[str, Any]:
        """The labels of all Loki handlers, the newest's over the others'."""
        return {name: value for shipper in _alive(self._shippers) for name, value in shipper.labels.items()}

    def ship(self) -> None:
        """Have the open logs shipped as the newest Loki handler says. Where that is no news, nothing happens."""
        shippers = _alive(self._shippers)
        if shippers:
            loki = shippers[-1].shipping()
            for core in _native.Core.opened(*self.identity):
                # What cannot be shipped is in the file all the same.
                _said(partial(core.ship, loki, tolerant=True))


def _alive(known: list[weakref.ref[M]]) -> list[M]:
    return [member for member in (reference() for reference in known) if member is not None]


def settings(identity: Identity, **more: Any) -> dict[str, Any]:
    """What a core of this identity is opened with. The environment alone never makes it ship."""
    component, host, run_id = identity
    return {"component": component, "host": host, "run_id": run_id, "loki": {"enabled": False}, **more}
