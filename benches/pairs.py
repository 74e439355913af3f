"""Alternating runs, and what may be said of them: medians of ratios within a round, their spread, and whether an aim
is reached."""

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

    def short(self) -> str:
        """With two digits that count, and at least two behind the point."""
        smallest = min((abs(value) for value in (self.median, self.low, self.high) if value), default=1)
        return self.text(2 if smallest >= 0.01 else 5)


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The ratio of two figures, round by round: what slows the machine for a while slows both."""
    return Spread.of([left / right for left, right in zip(over, under, strict=True)])


@dataclass(frozen=True)
class Aim:
    """What is aimed at, in plain words with a place for what was found, and the bound that the median has to keep."""

    words: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> str:
        return f"at least {self.at_least:.3g}" if self.at_most is None else f"at most {self.at_most:.3g}"

    def reached(self, median: float) -> bool:
        return (self.at_most is None or median <= self.at_most) and (self.at_least is None or median >= self.at_least)


@dataclass(frozen=True)
class Row:
    """One line of a table: what was found, how it compares, and what is aimed at."""

    what: str
    found: str
    compared: Spread | None = None
    aim: Aim | None = None

    @property
    def verdict(self) -> str:
        if self.compared is None or self.aim is None:
            return ""
        return "reached" if self.aim.reached(self.compared.median) else "NOT REACHED"


@dataclass(frozen=True)
class Table:
    """What one part has found."""

    title: str
    rows: Sequence[Row]

    def show(self) -> None:
        cells = [("", "median (lowest to highest)", "compared", "aim", "")]
        for row in self.rows:
            compared = row.compared.short() if row.compared else ""
            cells.append((row.what, row.found, compared, row.aim.bound if row.aim else "", row.verdict))
        widths = [max(len(line[column]) for line in cells) for column in range(5)]
        print(f"\n{self.title}")
        for line in cells:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        sys.stdout.flush()

    def aims(self) -> list[str]:
        """A line for each aim."""
        return [
            f"{row.verdict:<11}  {row.aim.words.format(row.compared.short())}; aimed at: {row.aim.bound}"
            for row in self.rows
            if row.aim and row.compared
        ]


def alternate(rounds: int, variants: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Each variant once a round; every second round backwards, so that none always comes after the same one."""
    for number in range(rounds):
        for name, run in variants if number % 2 == 0 else variants[::-1]:
            if sys.stderr.isatty():
                print(f"\r\033[Kround {number + 1} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
            run()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
