"""Lines that are in a file already, on their way into a real Loki: ours beside the other clients that push to it.

CPU is user and system time of the client process alone, from its start to its end, and is counted per line that Loki
holds afterwards; lines that it does not hold were lost, and are named. Each run has a Loki of its own, without limits
of rate, on this machine: the lines a second are those of client and Loki together, and of k6 and tracing-loki those of
the pauses without which they lose lines.

- lb-log: `lb push`, which does what the shipper of a program does.
- loki-client-go (Grafana's own): its default settings, protobuf and snappy.
- tracing-loki: each line is the message of an event, protobuf and snappy.
- k6's `--log-output=loki`: each line is a console.log, JSON. What the same script costs with `--log-output=none` is
  taken off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.loki import Loki, running_loki
from support.process import clean_environment, wait_until

from benches.loggers import IDENTITY, RUN_ID, Loggers
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import BUILD, ROOT, Setting

# What the tests' Loki has, without its limits.
NO_LIMITS = {"LOKI_RATE_MB": "4096", "LOKI_BURST_MB": "8192", "LOKI_STREAM_RATE": "4GB", "LOKI_STREAM_BURST": "8GB"}
LABELS = {
    **{name: str(IDENTITY[name]) for name in ("component", "host", "run_id", "workload", "repetition")},
    "kind": "log",
}
SELECTOR = f'{{run_id="{RUN_ID}"}}'
# The table's name of each client, and how many of a hundred of our lines it gets: the slower, the fewer.
PEERS = {"loki-go": ("loki-client-go", 100), "tracing": ("tracing-loki", 5), "k6": ("k6 --log-output=loki", 2)}


@dataclass(frozen=True)
class Run:
    """What a client took."""

    lines: int
    held: int
    """Of these, in Loki afterwards."""
    cpu_seconds: float
    wall_seconds: float

    @property
    def cpu_ns(self) -> float:
        """CPU of a line, nanoseconds."""
        return self.cpu_seconds / max(self.held, 1) * 1e9

    @property
    def rate(self) -> float:
        """Thousand lines a second."""
        return self.held / self.wall_seconds / 1000


def timed(command: list[str], scratch: Path) -> tuple[float, float]:
    """CPU and wall seconds of a program that has to end well."""
    said, environment = scratch / "output", clean_environment({"HOME": str(scratch)})
    start = time.monotonic()
    with said.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, cwd=scratch, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{said.read_text(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, wall


class Bench:
    """The log, and the runs of all clients."""

    def __init__(self, setting: Setting) -> None:
        self.scratch = setting.scratch
        self.lines = setting.size(200_000, 1_000_000)
        self.loggers = Loggers(setting)
        self.out = self.scratch / "out"
        self.log = self.out / RUN_ID / "logs" / "generator-bench-node-1.jsonl"
        self.runs: dict[str, list[Run]] = defaultdict(list)

    def write(self) -> None:
        """The log, and the beginnings of it that the peers get."""
        configuration = json.dumps({**IDENTITY, "output_dir": str(self.out)})
        self.loggers.run("log", "lb", "end", configuration, "1", str(self.lines))
        with self.log.open("rb") as log:
            lines = log.readlines()
        if len(lines) != self.lines:
            sys.exit(f"{self.log} has {len(lines)} lines")
        for name, (_, share) in PEERS.items():
            with (self.scratch / f"{name}.jsonl").open("wb") as file:
                file.writelines(lines[: self.lines * share // 100])

    def ours(self, url: str) -> list[str]:
        return [str(BUILD / "lb"), "--loki-endpoint", url, "push", str(self.log)]

    def peer(self, name: str, url: str) -> list[str]:
        file, labels = str(self.scratch / f"{name}.jsonl"), [f"{name}={value}" for name, value in LABELS.items()]
        if name == "loki-go":
            return [str(BUILD / "bin" / "loki-go"), url, file, *labels]
        if name == "tracing":
            return [str(BUILD / "peers" / "release" / "by-tracing-loki"), url, file, *labels]
        output = f"loki={url}/loki/api/v1/push,limit=5000"
        return self.by_k6(",".join([output, *(f"label.{label}" for label in labels)]))

    def by_k6(self, output: str) -> list[str]:
        script = ROOT / "benches" / "k6" / "lines.js"
        lines = ["--env", f"LINES={self.scratch / 'k6.jsonl'}"]
        return [str(BUILD / "k6"), "run", "--quiet", "--no-color", f"--log-output={output}", *lines, str(script)]

    def measure(self, name: str) -> None:
        """One run, into a Loki of its own."""
        lines = self.lines * (PEERS[name][1] if name in PEERS else 100) // 100
        folder = self.scratch / "loki"
        folder.mkdir()
        with running_loki(folder, **NO_LIMITS) as loki:
            command = self.ours(loki.url) if name == "lb" else self.peer(name, loki.url)
            cpu, wall = timed(command, self.scratch)
            if name == "k6":
                cpu -= timed(self.by_k6("none"), self.scratch)[0]
            self.runs[name].append(Run(lines, self.held(loki, lines), cpu, wall))
            # What it has is not needed any more.
            loki.kill()
        shutil.rmtree(folder)
        if name == "lb":
            for side_file in self.log.parent.glob(".*.offset"):
                side_file.unlink()
            if self.runs[name][-1].held != lines:
                sys.exit(f"Loki holds {self.runs[name][-1].held} of our {lines} lines")

    def held(self, loki: Loki, lines: int) -> int:
        """How many lines Loki holds; asked again for a while where some are missing."""
        found = 0

        def complete() -> bool:
            nonlocal found
            query = f"sum(count_over_time({SELECTOR}[6h]))"
            answer = json.loads(loki.get("/loki/api/v1/query", query=query, time=time.time_ns()))
            found = sum(int(vector["value"][1]) for vector in answer["data"]["result"])
            return found >= lines

        try:
            wait_until(complete, 3, "Loki holds the lines")
        except AssertionError:
            return found
        return found

    def rows(self) -> list[Row]:
        def of(name: str, title: str) -> Row:
            runs = self.runs[name]
            lost = [run.lines - run.held for run in runs]
            rate = Spread.of([run.rate for run in runs]).text(0)
            found = f"{Spread.of([run.cpu_ns for run in runs]).text(0)} ns, {rate} thousand/s"
            note = f", LOST {min(lost)} to {max(lost)}" if any(lost) else ""
            count = f"{runs[0].lines:,} lines{note}"
            if name == "lb":
                return Row(f"{title}, {count}", found)
            compared = ratios([run.cpu_ns for run in runs], [run.cpu_ns for run in self.runs["lb"]])
            words = f"a line of a catch-up costs {title} {{}} times the CPU that it costs us"
            return Row(f"{title}, {count}; over ours", found, compared, Aim(words, at_least=2))

        return [of("lb", "lb-log"), *(of(name, title) for name, (title, _) in PEERS.items())]


def run(setting: Setting) -> list[Table]:
    bench = Bench(setting)
    bench.write()
    alternate(setting.rounds, [(name, partial(bench.measure, name)) for name in ("lb", *PEERS)])
    return [Table(setting.title("Catching up with a real Loki: CPU of a line, lines a second"), bench.rows())]
