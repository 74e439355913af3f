"""What an output costs k6: the same work without any output, with `--out json=FILE` and with `--out lb-loki`.

CPU is user and system time of the k6 process alone, its threads (ours among them) included; the target is another
process on the same machine. Two kinds of test: "flat out" does a fixed number of requests as fast as it can, "paced"
has virtual users that think for 20 ms, as most tests do. Flat out, k6 and the target share all processors, so that
each microsecond of an output is one that requests do not get: the aim for iterations is that of a paced test.

Go collects garbage less often when more memory is in use, so that a small cost can look like none at all:
`GOGC=1000 benches/run.sh k6` takes most of the collector out of all three."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benches.pairs import Row, Spread, alternate, ratios, show

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benches" / "k6" / "cost.js"


@dataclass(frozen=True)
class Run:
    """One run of k6."""

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


class Bench:
    """A target, and the runs against it."""

    def __init__(self, k6: Path, folder: Path, target: str, requests: int, seconds: int) -> None:
        self.k6, self.folder, self.target, self.requests, self.seconds = k6, folder, target, requests, seconds
        self.runs: dict[tuple[str, str], list[Run]] = defaultdict(list)

    def run(self, mode: str, output: str) -> None:
        """One run, alone on the machine but for the target."""
        scratch = self.folder / "run"
        scratch.mkdir()
        outputs = {"none": [], "json": ["--out", f"json={scratch / 'samples.json'}"], "lb-loki": ["--out", "lb-loki"]}
        variables = {"TARGET": self.target, "MODE": mode, "REQUESTS": str(self.requests), "SECONDS": str(self.seconds)}
        variables["SUMMARY"] = str(scratch / "summary.json")
        command = [str(self.k6), "run", "--quiet", "--no-color", *outputs[output]]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LB_", "K6_"))}
        environment |= {"LB_OUTPUT_DIR": str(scratch / "out"), "HOME": str(scratch), "K6_NO_USAGE_REPORT": "true"}
        environment["K6_AUTO_EXTENSION_RESOLUTION"] = "false"
        start = time.monotonic()
        with (scratch / "output").open("wb") as sink:
            process = subprocess.Popen([*command, str(SCRIPT)], env=environment, cwd=scratch, stdout=sink, stderr=sink)
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"k6 with {output}: exit {process.returncode}\n{(scratch / 'output').read_text()}")
        summary = json.loads((scratch / "summary.json").read_text(encoding="utf-8"))
        run = Run(usage.ru_utime + usage.ru_stime, wall, summary["iterations"], summary["requests"])
        if output == "lb-loki":
            self.check(scratch, run)
        self.runs[mode, output].append(run)
        shutil.rmtree(scratch)

    @staticmethod
    def check(scratch: Path, run: Run) -> None:
        """What was saved by losing records does not count."""
        (log,) = (path for path in scratch.glob("out/*/logs/*.jsonl") if not path.name.startswith("."))
        kinds = {b'"event_type":"http_req"': run.requests, b'"event_type":"iteration"': run.iterations}
        content = log.read_bytes()
        for kind, expected in kinds.items():
            if content.count(kind) != expected:
                sys.exit(f"{content.count(kind)} records of {kind.decode()} for {expected}")

    def added(self, mode: str, output: str) -> list[float]:
        """CPU that the output adds to a request, microseconds, round by round."""
        pairs = zip(self.runs[mode, output], self.runs[mode, "none"], strict=True)
        return [run.cpu_us - none.cpu_us for run, none in pairs]

    def rows(self, mode: str) -> list[Row]:
        def rate(output: str) -> list[float]:
            return [run.rate for run in self.runs[mode, output]]

        def ours(values: list[float]) -> str:
            return f"{Spread.of(values).text()} us"

        bare = ours([run.cpu_us for run in self.runs[mode, "none"]])
        table = [Row(f"{mode}: k6 without any output, CPU of a request", bare)]
        by_json, by_us = self.added(mode, "json"), self.added(mode, "lb-loki")
        table.append(Row("  added by --out json", ours(by_json)))
        table.append(Row("  added by --out lb-loki, over json", ours(by_us), ratios(by_us, by_json), at_most=0.25))
        for output, least in (("json", None), ("lb-loki", 0.98)):
            found = f"{Spread.of(rate(output)).text(0)} /s"
            over = ratios(rate(output), rate("none"))
            table.append(
                Row(f"  iterations with {output}, over none", found, over, at_least=least if mode == "paced" else None)
            )
        return table


def start_target(program: Path) -> tuple[subprocess.Popen[str], str]:
    """The bundled target, and its URL."""
    process = subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.fullmatch(r"listening on (http://\S+)\n", process.stdout.readline())
    if found is None:
        sys.exit(f"{program} did not start")
    return process, found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="benches.k6_cost")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to try it")
    parser.add_argument("--rounds", type=int, help="alternating rounds (7)")
    parser.add_argument("--mode", choices=["flat-out", "paced"], action="append", help="one kind of test only")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 7)
    modes = options.mode or ["flat-out", "paced"]
    process, url = start_target(ROOT / "build" / "bin" / "target")
    try:
        with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
            work = (4000, 2) if options.quick else (60_000, 6)
            bench = Bench(ROOT / "build" / "k6", Path(folder), url, *work)
            for mode in modes:
                alternate(rounds, [(name, partial(bench.run, mode, name)) for name in ("none", "json", "lb-loki")])
                show(f"What an output costs k6, {mode}: {rounds} alternating rounds", bench.rows(mode))
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
