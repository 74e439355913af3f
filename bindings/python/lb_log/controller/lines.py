"""Lines out of what comes in chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator

#: Most bytes of a line in one piece: in JSON they fit into a record, whatever they are.
MOST_BYTES = 32 * 1024

_FIELDS = ("level", "component", "host", "run_id", "logger", "message", "event_type", "workload", "repetition")


class Lines:
    """Cuts a stream into lines without what ends them. A line that is too long comes in pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk finishes."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._rest += line
            yield from self.finish(ended=True)
        self._rest += rest
        while len(self._rest) > MOST_BYTES:
            yield self._piece()

    def finish(self, *, ended: bool = False) -> Iterator[bytes]:
        """What is left: the last line, when nothing has ended it."""
        if self._rest.endswith(b"\r"):
            del self._rest[-1]
        while len(self._rest) > MOST_BYTES:
            yield self._piece()
        if self._rest or ended:
            yield bytes(self._rest)
            self._rest.clear()

    def _piece(self) -> bytes:
        length = MOST_BYTES
        # Not within a character of UTF-8.
        while length > MOST_BYTES - 4 and self._rest[length] & 0xC0 == 0x80:
            length -= 1
        piece = bytes(self._rest[:length])
        del self._rest[:length]
        return piece


def is_record(line: bytes) -> bool:
    """Whether a line is a record of ours, and so in a log file already."""
    if not line.startswith(b'{"timestamp":"'):
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and all(name in record for name in _FIELDS)
