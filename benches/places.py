"""Where rings live, beside somebody who writes hard to the same disk and has it all synced each second.

On a disk a mapped page that was written back faults at the next touch: the caller waits for the file system, and the
ring's bytes go to the disk. In /dev/shm neither happens. What goes to the disk is what the kernel counts for the
process (`write_bytes` in /proc/PID/io) less the log's own length."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benches.loggers import Loggers
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import Setting

PLACES = {"memory": "plain memory", "shm": "/dev/shm", "log": "the disk"}
# By name: calls a second, calls a burst.
RATES = {"200,000 calls a second": (200_000, 20), "5,000 calls a second": (5_000, 1)}
# It ends with whoever started it.
SCRIPT = """
while kill -0 "$PPID"; do dd if=/dev/zero of="$1" bs=1M count=512 conv=notrunc status=none; done &
while kill -0 "$PPID"; do sync -f "$1"; sleep 1; done
"""


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """dd, without a pause, and a sync each second."""
    file = folder / "noise"
    file.touch()
    noise = subprocess.Popen(["sh", "-c", SCRIPT, "noise", file], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(noise.pid, signal.SIGKILL)
        noise.wait()
        file.unlink()


def rows_of(loggers: Loggers) -> list[Row]:
    rows = []
    for rate in RATES:
        for place, title in PLACES.items():
            name = f"{place} {rate}"
            for key, what in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "maximum")):
                compared, aim = None, None
                if key == "p99_9" and place != "memory":
                    plain = loggers.of(f"memory {rate}", key)
                    compared = ratios(loggers.of(name, key), [max(1.5 * value, value + 500) for value in plain])
                if compared and place == "shm":
                    words = "beside a busy disk the 99.9th percentile is {} of what is allowed, which is "
                    words += "1.5 times or 0.5 us more than plain memory's, at " + rate
                    aim = Aim(words, at_most=1)
                label = f"{title}, {rate}, {what}" if key == "p50" else f"  {what}"
                rows.append(Row(label, loggers.nanoseconds(name, key), compared, aim))
            beyond = zip(loggers.of(name, "disk_bytes"), loggers.of(name, "log_bytes"), strict=True)
            extra = Spread.of([(written - log) / 2**20 for written, log in beyond])
            aim = Aim(f"with rings in /dev/shm {{}} MiB beyond the log go to the disk, at {rate}", at_most=0.25)
            rows.append(Row("  to the disk beyond the log, MiB", "", extra, aim if place == "shm" else None))
    return rows


def run(setting: Setting) -> list[Table]:
    loggers = Loggers(setting)
    seconds = setting.size(1, 3)
    variants = []
    for name, (rate, burst) in RATES.items():
        for place in PLACES:
            measure = partial(
                loggers.logged, f"{place} {name}", "lb", "caller", 1, seconds * rate // burst, burst, rate
            )
            variants.append((f"{place} {name}", partial(measure, ring_dir=place)))
    with busy_disk(setting.scratch):
        alternate(setting.rounds, variants)
    title = "Where rings live, beside dd and a sync each second; p99.9 over what is allowed"
    return [Table(setting.title(title), rows_of(loggers))]
