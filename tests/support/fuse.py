"""A file system whose locks are not to be trusted: a folder seen through FUSE."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.process import wait_until


@dataclass
class Mount:
    """Where it is, what lies behind it, and the process that answers for it."""

    path: Path
    behind: Path
    daemon: subprocess.Popen[bytes]

    def hang(self) -> None:
        """From now on it answers nobody."""
        self.daemon.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.daemon.send_signal(signal.SIGCONT)


@contextmanager
def mounted(folder: Path) -> Iterator[Mount]:
    """Such a folder, or a skip where that cannot be had."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not here (Debian package bindfs): no FUSE file system to write to")
    behind, path = folder / "behind", folder / "fuse"
    behind.mkdir()
    path.mkdir()
    daemon = subprocess.Popen(["bindfs", "-f", "--no-allow-other", behind, path], stderr=subprocess.PIPE)
    mount = Mount(path, behind, daemon)
    try:
        wait_until(lambda: path.is_mount() or daemon.poll() is not None, 10, "the mount")
        if daemon.poll() is not None:
            assert daemon.stderr
            pytest.skip(f"bindfs cannot mount here: {daemon.stderr.read().decode().strip()}")
        yield mount
    finally:
        mount.go_on()
        subprocess.run(["fusermount", "-u", "-z", str(path)], check=False)
        daemon.kill()
        daemon.communicate()
