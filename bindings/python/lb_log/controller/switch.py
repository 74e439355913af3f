"""Something that is set once, and wakes whoever waits for it: also a selector."""

from __future__ import annotations

import os
import threading


class Switch:
    """Set once, with a reason. Its descriptor is readable from then on."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        self.reason: str | None = None

    def set(self, reason: str) -> bool:
        """Sets it; False: it was set already, and keeps its reason."""
        with self._lock:
            if self.reason is not None:
                return False
            self.reason = reason
            self._event.set()
            os.write(self._writer, b"x")
            return True

    @property
    def is_set(self) -> bool:
        """Whether it was set."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; whether it was set."""
        return self._event.wait(seconds)

    def fileno(self) -> int:
        """What a selector watches."""
        return self._reader

    def __del__(self) -> None:
        for descriptor in (self._reader, self._writer):
            os.close(descriptor)
