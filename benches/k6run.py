"""One run of k6 against the bundled target, with nothing of the user's own settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benches.setting import BUILD, ROOT

SCRIPT = ROOT / "benches" / "k6" / "cost.js"
FLAT_OUT, PACED = "flat-out", "paced"


@contextmanager
def target() -> Iterator[str]:
    """The URL of the bundled target, another process on this machine."""
    program = BUILD / "bin" / "target"
    process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    try:
        found = re.fullmatch(r"listening on (http://\S+)\n", process.stdout.readline() if process.stdout else "")
        if found is None:
            sys.exit(f"{program} did not start")
        yield found[1]
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class Load:
    """What k6 does: a number of requests as fast as it can, or seconds of virtual users that think for 20 ms."""

    url: str
    mode: str
    requests: int = 0
    seconds: int = 0


@dataclass(frozen=True)
class Run:
    """What a run took."""

    cpu_seconds: float
    wall_seconds: float
    iterations: int
    requests: int

    @property
    def cpu_us(self) -> float:
        """CPU of a request, microseconds."""
        return self.cpu_seconds / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Iterations a second."""
        return self.iterations / self.wall_seconds


def run(k6: Path, load: Load, scratch: Path, *arguments: str, **variables: str) -> Run:
    """One run; `scratch` is an empty folder. CPU is that of the k6 process, all of its threads included."""
    summary, said = scratch / "summary.json", scratch / "output"
    command = [str(k6), "run", "--quiet", "--no-color", *arguments]
    for name, value in (
        ("TARGET", load.url),
        ("MODE", load.mode),
        ("REQUESTS", load.requests),
        ("SECONDS", load.seconds),
        ("SUMMARY", summary),
    ):
        command += ["--env", f"{name}={value}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LB_", "K6_"))}
    environment |= {"LB_OUTPUT_DIR": str(scratch / "out"), "HOME": str(scratch), "K6_NO_USAGE_REPORT": "true"}
    environment |= {"K6_AUTO_EXTENSION_RESOLUTION": "false", **variables}
    start = time.monotonic()
    with said.open("wb") as sink:
        process = subprocess.Popen([*command, str(SCRIPT)], env=environment, cwd=scratch, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{said.read_text()}")
    counts = json.loads(summary.read_text(encoding="utf-8"))
    return Run(usage.ru_utime + usage.ru_stime, wall, counts["iterations"], counts["requests"])
