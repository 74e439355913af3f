"""What a terminal shows after the few control sequences that `lb status --watch` writes; another one is an error."""

from __future__ import annotations

import re

STEP = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|(\r\n|\r|\n)|([^\x1b\r\n]+)")


class Screen:
    """Rows of text, and where the cursor is."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row, self.column = 0, 0
        self.wraps = True

    def feed(self, said: bytes) -> Screen:
        text, at = said.decode(), 0
        while at < len(text):
            step = STEP.match(text, at)
            assert step, f"not a step: {text[at : at + 20]!r}"
            at = step.end()
            private, number, letter, line_end, shown = step.groups()
            if letter:
                self._control(private + letter, number)
            elif line_end:
                self.column = 0
                self.row += line_end != "\r"
                self.rows += [""] * (self.row + 1 - len(self.rows))
            else:
                row = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = row[: self.column] + shown + row[self.column + len(shown) :]
                self.column += len(shown)
        return self

    def _control(self, what: str, number: str) -> None:
        match what:
            case "A":
                assert int(number) <= self.row, "beyond the top"
                self.row -= int(number)
            case "H":
                self.row = self.column = 0
            case "K":
                self.rows[self.row] = self.rows[self.row][: self.column]
            case "J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            case "?l" | "?h" if number == "7":
                self.wraps = what == "?h"
            case _:
                raise AssertionError(f"another sequence: {number}{what}")
