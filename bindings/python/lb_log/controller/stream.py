"""One stream of a far end: what a login says, a mark, the command's output in lines, a mark."""

from __future__ import annotations

from collections.abc import Iterator

from .lines import Lines

#: Most that is kept of what was said before the first mark.
_MOST_SAID = 16 * 1024


class Stream:
    """Finds the marks of `far.sh`, wherever chunks end. `group` and `ended` are what they tell."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = b""
        self._lines = Lines()
        self.group: int | None = None
        self.ended: int | None = None
        #: The last words: of the login and of ssh, then of the command.
        self.said = bytearray()

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that a chunk finishes."""
        data = self._held + chunk
        while self.ended is None and (at := data.find(self._mark)) >= 0:
            end = data.find(b"\n", at)
            if end < 0:
                break
            yield from self._text(data[:at])
            yield from self._word(data[at + len(self._mark) : end])
            data = data[end + 1 :]
        if self.ended is not None:
            return
        keep = self._unclear(data) if at < 0 else len(data) - at
        self._held = data[len(data) - keep :]
        yield from self._text(data[: len(data) - keep])

    def close(self) -> Iterator[bytes]:
        """The stream has ended: what was begun is a line."""
        if self.ended is None:
            yield from self._text(self._held)
            yield from self._lines.finish()
        self._held = b""

    def last_words(self) -> str:
        """Its last line that is not empty."""
        lines = [line.strip() for line in self.said.decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def _unclear(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a mark."""
        longest = min(len(self._mark) - 1, len(data))
        return next((length for length in range(longest, 0, -1) if data.endswith(self._mark[:length])), 0)

    def _text(self, data: bytes) -> Iterator[bytes]:
        self.said += data
        del self.said[:-_MOST_SAID]
        if self.group is not None:
            yield from self._lines.take(data)

    def _word(self, word: bytes) -> Iterator[bytes]:
        name, _, number = word.decode("ascii", "replace").strip().partition(" ")
        if name == "group":
            self.group = int(number)
            self.said.clear()
        elif name == "exit":
            yield from self._lines.finish()
            self.ended = int(number)
