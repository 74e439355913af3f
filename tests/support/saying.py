"""What the library in this process says on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.process import wait_until


class Saying:
    """All that it has said since the test began, by the log that it speaks of."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.text = ""

    def of(self, log: Path) -> list[str]:
        """The lines about a log, until now."""
        self.text += self._capfd.readouterr().err
        return [line for line in self.text.splitlines() if line.startswith(f"lb-log: {log}: ")]

    def count(self, log: Path, lines: int, seconds: float = 20) -> list[str]:
        """The lines about a log, as soon as there are so many."""
        wait_until(lambda: len(self.of(log)) >= lines, seconds, f"{lines} lines about {log}: {self.text}")
        return self.of(log)
