"""How long AddMetricSamples takes while the log's disk hangs: k6 gives all outputs their samples one after the other,
and virtual users stand still when one of them does not return.

k6 is built with the output of benches/k6/timed, which gives each batch to our output and to an empty one, by turns
ours or the empty one first. The log is on a file system of its own that is frozen for a third of each run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.k6run import PACED, Load, run, target
from benches.pairs import Aim, Row, Spread, Table, alternate
from benches.setting import BUILD, Setting

NEEDED = ("mkfs.ext4", "mount", "umount", "fsfreeze")


def fsfreeze(how: str, mount: Path) -> bool:
    return subprocess.run(["fsfreeze", how, mount], stderr=subprocess.DEVNULL, check=False).returncode == 0


@contextmanager
def file_system(scratch: Path) -> Iterator[Path]:
    """An ext4 in a file."""
    image, mount = scratch / "disk.img", scratch / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        yield mount
    finally:
        fsfreeze("--unfreeze", mount)
        subprocess.run(["umount", mount], check=True)


@contextmanager
def frozen(mount: Path, begin: float, end: float) -> Iterator[None]:
    """The file system hangs from `begin` to `end` seconds from now."""
    done: list[bool] = []
    timers = [
        threading.Timer(moment, lambda how: done.append(fsfreeze(how, mount)), (how,))
        for moment, how in ((begin, "--freeze"), (end, "--unfreeze"))
    ]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
    if done != [True, True]:
        sys.exit(f"{mount} could not be frozen and thawed")


def percentile(values: list[int], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))] / 1000


def rows_of(rounds: list[dict[str, list[int]]]) -> list[Row]:
    def over_rounds(who: str, share: float) -> Spread:
        """All calls together; the spread is that of the rounds."""
        each = [percentile(found[who], share) for found in rounds]
        return Spread(percentile([call for found in rounds for call in found[who]], share), min(each), max(each))

    rows = []
    for who, title in (("empty", "an empty output"), ("tested", "lb-loki")):
        for share, what in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "maximum")):
            rows.append(Row(f"{title}, {what}", f"{over_rounds(who, share).text()} us"))
    ours, empty = over_rounds("tested", 0.999), over_rounds("empty", 0.999)
    each = [percentile(found["tested"], 0.999) - percentile(found["empty"], 0.999) for found in rounds]
    beyond = Spread(ours.median - empty.median, min(each), max(each))
    words = "with the log's disk frozen, the 99.9th percentile of AddMetricSamples is {} us above an empty output's"
    rows.append(Row("p99.9, ours less the empty one's, us", "", beyond, Aim(words, at_most=50)))
    return rows


def measure(setting: Setting) -> list[Table]:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        reason = f"{' '.join(missing)} not found" if missing else "only root can freeze a file system"
        print(f"\nAddMetricSamples while the disk hangs: left out, {reason}")
        return []
    rounds: list[dict[str, list[int]]] = []
    seconds = setting.size(4, 12)
    with file_system(setting.scratch) as mount, target() as url:

        def one() -> None:
            scratch = mount / "run"
            calls = setting.scratch / "calls.json"
            scratch.mkdir()
            with frozen(mount, seconds / 3, 2 * seconds / 3):
                load = Load(url, PACED, seconds=seconds)
                run(BUILD / "bin" / "k6-timed", load, scratch, "--out", "timed=lb-loki", BENCH_CALLS=str(calls))
            rounds.append(json.loads(calls.read_text(encoding="utf-8")))
            shutil.rmtree(scratch)

        alternate(setting.rounds, [("frozen", one)])
    count = sum(len(found["tested"]) for found in rounds)
    title = f"AddMetricSamples while the log's disk hangs for {seconds / 3:.1f} of {seconds} s, {count} calls of each"
    return [Table(setting.title(title), rows_of(rounds))]
