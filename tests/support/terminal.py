"""A program in a terminal of its own: what it shows there, and what is typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

from support.process import clean_environment


class Terminal:
    """A program that leads a session whose terminal this is."""

    def __init__(self, folder: Path, *command: str, **extra: str) -> None:
        """Start it in a folder, with more in its environment."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), clean_environment(extra))
        self.said = b""

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text: bytes) -> None:
        """Type something."""
        os.write(self.fd, text)

    def modes(self) -> int:
        """Those of ICANON and ECHO that are on."""
        flags: int = termios.tcgetattr(self.fd)[3]
        return flags & (termios.ICANON | termios.ECHO)

    def _read(self) -> bool:
        """Take what it shows; false at its end."""
        if not select.select([self.fd], [], [], 0.02)[0]:
            return True
        try:
            self.said += os.read(self.fd, 65536)
        except OSError:
            return False
        return True

    def read_until(self, true: Callable[[bytes], bool], what: str) -> None:
        """Wait until what it has shown so far is so."""
        end = time.monotonic() + 20
        while not true(self.said):
            assert time.monotonic() < end, f"{what}: {self.said!r}"
            assert self._read(), f"{what}: it has ended: {self.said!r}"

    def status(self) -> int:
        """How it has ended (negative: by a signal); what it showed until then is in `said`."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not self._read() and not pid:
                pid, status = os.waitpid(self.pid, 0)
            if pid:
                while select.select([self.fd], [], [], 0)[0] and self._read():
                    pass
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(f"it does not end: {self.said!r}")
