"""Mount namespaces with a /dev/shm or a boot of their own, for those who may make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0,
    reason="namespaces can only be made by root, by unshare",
)


@contextmanager
def private_shm() -> Iterator[list[str]]:
    """What to put before a command so that it runs among mounts where /dev/shm is another, which all such commands
    share, and in a pid namespace of its own."""
    script = "mount -t tmpfs -o size=64m tmpfs /dev/shm && echo ready && exec cat"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "ready\n"
        enter = ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--wd=/"]
        # The first process of a pid namespace cannot kill itself: a shell is the first.
        yield [*enter, "unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh"]
    finally:
        # The mounts go with the last process among them.
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()


def after_reboot(command: Sequence[str], boot_id: Path) -> list[str]:
    """A command that sees the boot id in a file as the machine's."""
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(boot_id), str(BOOT_ID), *command]


def with_resolver(configuration: Path) -> list[str]:
    """What to put before a command so that it asks for names as a file says, instead of /etc/resolv.conf."""
    script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(configuration)]
