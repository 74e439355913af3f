"""Programs that a test starts: a clean environment, a bounded life, and the target that is loaded."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.paths import TARGET


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anybody's settings for lb-log or k6, in UTC."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LB_", "K6_"))}
    kept.update(TZ="UTC", K6_NO_USAGE_REPORT="true", K6_AUTO_EXTENSION_RESOLUTION="false", NO_COLOR="1")
    kept.update(extra or {})
    return kept


def heed_signals() -> None:
    """Ignore no signal that whoever started the tests ignores (nohup, a background job): programs inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every few milliseconds until something is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


def stop(process: subprocess.Popen[bytes], seconds: float = 10) -> int:
    """End a process by SIGTERM, and for certain."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


# Its own is the least that can be measured: about 10 MiB.
STARTER = """
import os, sys
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak_kib(command: Sequence[str | Path], cwd: Path | None = None) -> tuple[int, int]:
    """Exit code of a program, and the most memory that it had, KiB. The kernel counts what its parent had before exec
    for its own, so that a small program starts it, not this one.
    """
    starter = [sys.executable, "-I", "-S", "-c", STARTER, *map(str, command)]
    run = subprocess.run(starter, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=True)
    code, peak = run.stdout.split()
    return int(code), int(peak)


@dataclass(frozen=True)
class Target:
    """Where the bundled target listens."""

    http: str
    grpc: str


@contextmanager
def running_target(folder: Path) -> Iterator[Target]:
    """The bundled target, on free ports of the loopback interface."""
    output = folder / "target.log"
    with output.open("wb") as sink:
        process = subprocess.Popen([TARGET], stdout=sink, stderr=sink, env=clean_environment())
    pattern = re.compile(r"^listening on (http://\S+)\nlistening on grpc://(\S+)\n")
    try:
        wait_until(lambda: process.poll() is not None or bool(pattern.match(output.read_text())), 10, "target is ready")
        found = pattern.match(output.read_text())
        assert found, f"the target said {output.read_text()!r}"
        yield Target(found[1], found[2])
    finally:
        stop(process)
