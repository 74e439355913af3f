"""Whole programs: how long one takes by the clock and in CPU, its children included."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.process import clean_environment


class Programs:
    """What was measured of each, round by round."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment = clean_environment(environment)
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)

    def run(self, name: str, command: Sequence[str | Path], output: Path | None = None) -> None:
        """Run it to its end; its output goes nowhere, or into a file."""
        with Path(output or os.devnull).open("wb") as stdout:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout, check=True)
            self.wall[name].append(time.perf_counter() - start)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
