"""File systems of a test's own, for disk trouble. They need root, and go away when their `with` ends."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of the system; its words are the failure's."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr or done.stdout}"
    return done


def needs(*programs: str) -> None:
    """Skip the test where it cannot have file systems of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: make deps")


def _unmount(at: Path) -> None:
    # Whatever is still open there ends with its process.
    subprocess.run(["umount", "--lazy", str(at)], capture_output=True, check=False)


@contextmanager
def tmpfs(at: Path, size: str) -> Iterator[Path]:
    """A small file system in memory."""
    needs("mount")
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"mounts are not allowed here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        _unmount(at)


@contextmanager
def ext4(at: Path, image: Path, *, size: str = "16M", options: str = "defaults", fresh: bool = True) -> Iterator[str]:
    """An ext4 in a file. Yields the name of its loop device, such as "loop0"."""
    needs("losetup", "mkfs.ext4")
    at.mkdir(parents=True, exist_ok=True)
    if fresh:
        tool("truncate", "--size", size, image)
        tool("mkfs.ext4", "-q", "-F", "-m", "0", image)
    done = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no loop device can be had: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        tool("mount", "-t", "ext4", "-o", options, device, at)
        yield Path(device).name
    finally:
        _unmount(at)
        # Only marked for release while the file system is still in use.
        subprocess.run(["losetup", "--detach", device], capture_output=True, check=False)


def only_append(file: Path, *, on: bool = True) -> None:
    """Whether a file can be appended to and nothing else."""
    needs("chattr")
    done = subprocess.run(["chattr", "+a" if on else "-a", str(file)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this file system has no such attribute: {done.stderr.strip()}")


def repair(image: Path) -> None:
    """What an administrator does after an error of the disk."""
    done = subprocess.run(["e2fsck", "-f", "-y", str(image)], capture_output=True, text=True, check=False)
    # 1: errors were mended.
    assert done.returncode in (0, 1), done.stdout


@contextmanager
def frozen(at: Path) -> Iterator[None]:
    """A file system whose writers all wait, as on a disk that does not answer."""
    needs("fsfreeze")
    tool("fsfreeze", "--freeze", at)
    try:
        yield
    finally:
        tool("fsfreeze", "--unfreeze", at)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for piece in (65536, 4096, 512, 1):
            with suppress(OSError):
                while file.write(b"x" * piece) == piece:
                    pass
    return ballast
