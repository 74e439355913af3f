"""Alternating runs, and what may be said of them: medians of ratios within a round, and their spread."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median and how far the rounds lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The ratio of two figures, round by round: what slows the machine for a while slows both."""
    return Spread.of([left / right for left, right in zip(over, under, strict=True)])


@dataclass(frozen=True)
class Row:
    """One line of the table: what was found beside what is aimed at."""

    what: str
    found: str
    ratio: Spread | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def aim(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        return f"at least {self.at_least:g}" if self.at_least is not None else ""

    @property
    def verdict(self) -> str:
        if self.ratio is None or (self.at_most is None and self.at_least is None):
            return ""
        good = (self.at_most is None or self.ratio.median <= self.at_most) and (
            self.at_least is None or self.ratio.median >= self.at_least
        )
        return "reached" if good else "NOT REACHED"


def show(title: str, rows: Sequence[Row]) -> None:
    """The table, aligned."""
    cells = [("", "median (lowest to highest)", "ratio", "aim", "")]
    cells += [(row.what, row.found, row.ratio.text() if row.ratio else "", row.aim, row.verdict) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    print(f"\n{title}")
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    sys.stdout.flush()


def alternate(rounds: int, variants: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Each variant once a round; every second round backwards, so that none always comes after the same one."""
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        for _, run in variants if number % 2 == 0 else variants[::-1]:
            run()
    print("\r" + " " * 30 + "\r", end="", file=sys.stderr, flush=True)
