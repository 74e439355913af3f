"""Where and how long a part measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One call of the harness."""

    quick: bool
    rounds: int
    scratch: Path
    """A folder for all files that are written, on a disk."""

    def size(self, quick: T, full: T) -> T:
        return quick if self.quick else full

    def title(self, what: str) -> str:
        trial = ", a trial: not for keeping" if self.quick else ""
        return f"{what} ({self.rounds} alternating rounds{trial})"
