"""What an output costs k6: the same work without any output, with `--out json=FILE` and with `--out lb-loki`.

CPU is user and system time of the k6 process alone, its threads (ours among them) included. Flat out, k6 and the target
share all processors, so that each microsecond of an output is one that requests do not get: the aim for iterations is
that of a paced test.

Go collects garbage less often when more memory is in use, so that a small cost can look like none at all:
`GOGC=1000 benches/run.sh k6` takes most of the collector out of all three."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

from benches.k6run import FLAT_OUT, PACED, Load, Run, run, target
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import BUILD, Setting

# In BenchmarkFlush of xk6-lb/cost_test.go.
ITERATIONS, SAMPLES = 1000, 15


class Bench:
    """The runs against one target."""

    def __init__(self, setting: Setting, url: str) -> None:
        self.folder = setting.scratch / "run"
        self.loads = {
            FLAT_OUT: Load(url, FLAT_OUT, requests=setting.size(4_000, 50_000)),
            PACED: Load(url, PACED, seconds=setting.size(2, 6)),
        }
        self.runs: dict[tuple[str, str], list[Run]] = defaultdict(list)

    def measure(self, mode: str, output: str) -> None:
        """One run, alone on the machine but for the target."""
        self.folder.mkdir()
        outputs = {
            "none": [],
            "json": ["--out", f"json={self.folder / 'samples.json'}"],
            "lb-loki": ["--out", "lb-loki"],
        }
        found = run(BUILD / "k6", self.loads[mode], self.folder, *outputs[output])
        if output == "lb-loki":
            self.check(found)
        self.runs[mode, output].append(found)
        shutil.rmtree(self.folder)

    def check(self, found: Run) -> None:
        """What was saved by losing records does not count."""
        (log,) = (path for path in self.folder.glob("out/*/logs/*.jsonl") if not path.name.startswith("."))
        kinds = {b'"event_type":"http_req"': found.requests, b'"event_type":"iteration"': found.iterations}
        content = log.read_bytes()
        for kind, expected in kinds.items():
            if content.count(kind) != expected:
                sys.exit(f"{content.count(kind)} records of {kind.decode()} for {expected}")

    def added(self, mode: str, output: str) -> list[float]:
        """CPU that the output adds to a request, microseconds, round by round."""
        pairs = zip(self.runs[mode, output], self.runs[mode, "none"], strict=True)
        return [found.cpu_us - none.cpu_us for found, none in pairs]

    def rows(self, mode: str) -> list[Row]:
        def rate(output: str) -> list[float]:
            return [found.rate for found in self.runs[mode, output]]

        def ours(values: list[float]) -> str:
            return f"{Spread.of(values).text()} us"

        by_json, by_us = self.added(mode, "json"), self.added(mode, "lb-loki")
        words = f"k6, {mode}: our output adds {{}} of the CPU that --out json adds to a request"
        rows = [
            Row("k6 without any output, CPU of a request", ours([found.cpu_us for found in self.runs[mode, "none"]])),
            Row("  added by --out json", ours(by_json)),
            Row("  added by --out lb-loki, over json", ours(by_us), ratios(by_us, by_json), Aim(words, at_most=0.25)),
        ]
        words = f"k6, {mode}: with our output it does {{}} of the iterations a second without any"
        for output, aim in (("json", None), ("lb-loki", Aim(words, at_least=0.98) if mode == PACED else None)):
            found = f"{Spread.of(rate(output)).text(0)} /s"
            rows.append(Row(f"  iterations with {output}, over none", found, ratios(rate(output), rate("none")), aim))
        return rows


def allocations(program: Path) -> Row:
    """The Go side alone, by the benchmark beside the code; that the boundary allocates nothing is a test there."""
    command: list[str | Path] = [
        program,
        "-test.run",
        "^$",
        "-test.bench",
        "^BenchmarkFlush$/^compact$",
        "-test.benchmem",
    ]
    command += ["-test.count", "7", "-test.benchtime", "20x"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = [int(count) / (ITERATIONS * SAMPLES) for count in re.findall(r"(\d+) allocs/op", done.stdout)]
    if not found:
        sys.exit(f"{program} has no such benchmark any more:\n{done.stdout}")
    aim = Aim("k6: our output makes {} allocations for a sample", at_most=0.001)
    each = Spread.of(found)
    return Row(f"allocations for a sample, {SAMPLES} of an iteration", f"{each.short()}", each, aim)


def measure(setting: Setting) -> list[Table]:
    tables = []
    with target() as url:
        bench = Bench(setting, url)
        for mode in (FLAT_OUT, PACED):
            outputs = ("none", "json", "lb-loki")
            alternate(setting.rounds, [(f"{mode} {name}", partial(bench.measure, mode, name)) for name in outputs])
            tables.append(Table(setting.title(f"What an output costs k6, {mode}"), bench.rows(mode)))
    tables.append(Table("The Go side of the output alone", [allocations(BUILD / "go-tests" / "xk6-lb.test")]))
    return tables
