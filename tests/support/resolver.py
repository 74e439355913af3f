"""Names: a name server of a test's own that never answers or knows no name, and programs that ask it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PORT = 53
# That this is an answer, and that there is no such name.
NO_SUCH_NAME = b"\x81\x83"

# Binds files in the place of the machine's, among mounts of the command's own.
INSTEAD = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'


@dataclass
class Names:
    """What some programs know of names."""

    hosts: Path
    resolver: Path
    asked: list[bytes] = field(default_factory=list)

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it knows these names and no others."""
        return ["unshare", "--mount", "sh", "-c", INSTEAD, "sh", str(self.hosts), str(self.resolver)]

    def add(self, name: str) -> None:
        """From now on this machine has a name more."""
        with self.hosts.open("a") as hosts:
            hosts.write(f"127.0.0.1 {name}\n")


@contextmanager
def names(folder: Path, *, answers: bool, patience: str = "timeout:30 attempts:5") -> Iterator[Names]:
    """A name server on an address of the loopback interface that nobody else has; it knows no name, and says so or
    nothing at all. Only root may have port 53. `patience`: how long the system waits for it, as resolv.conf has it; the
    default is longer than any test.
    """
    known, over = Names(folder / "hosts", folder / "resolv.conf"), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        address = _bind(server)
        server.settimeout(0.1)
        known.hosts.write_text("127.0.0.1 localhost\n")
        known.resolver.write_text(f"nameserver {address}\noptions {patience}\n")

        def serve() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    question, who = server.recvfrom(4096)
                    known.asked.append(question)
                    if answers:
                        server.sendto(question[:2] + NO_SUCH_NAME + question[4:], who)

        thread = threading.Thread(target=serve, name="names", daemon=True)
        thread.start()
        try:
            yield known
        finally:
            over.set()
            thread.join()


def _bind(server: socket.socket) -> str:
    for last in range(1, 255):
        with suppress(OSError):
            server.bind((f"127.53.53.{last}", PORT))
            return f"127.53.53.{last}"
    raise AssertionError("no address of the loopback interface has a free port 53")
