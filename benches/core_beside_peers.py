"""Our C library beside spdlog, a bare write(2) and the least that a call can do.

The programs are in benches/core/; each prints one line of JSON. Every line has to be in the file at the end."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benches.pairs import Row, Spread, alternate, ratios, show

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "benches" / "core"
LIBRARY = ROOT / "build" / "lib" / "liblb_log.a"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
RUN_ID = "run-20261122-101112"
IDENTITY = {
    "component": "generator",
    "host": "bench-node-1",
    "run_id": RUN_ID,
    "logger": "lb_runner.engine",
    "workload": "stress_ng",
    "repetition": 1,
}


def compile_all(folder: Path) -> None:
    """Compile the programs; spdlog's is left out where Debian's libspdlog-dev is not installed."""
    header = ["-I", str(ROOT / "ffi" / "include")]
    system = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"]
    c = ["cc", "-std=c11", "-O2", *WARNINGS]
    subprocess.run([*c, str(SOURCES / "floor.c"), "-o", str(folder / "floor")], check=True)
    command = [*c, *header, str(SOURCES / "lb.c"), str(LIBRARY), *system]
    subprocess.run([*command, "-o", str(folder / "lb")], check=True)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "spdlog"], capture_output=True, text=True, check=False)
    if flags.returncode != 0:
        print("spdlog is left out: install libspdlog-dev", file=sys.stderr)
        return
    cpp = ["c++", "-std=c++17", "-O2", *WARNINGS, str(SOURCES / "spdlog.cpp"), *flags.stdout.split()]
    subprocess.run([*cpp, "-o", str(folder / "spdlog")], check=True)


def count_lines(path: Path) -> int:
    """The lines of a file."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


class Bench:
    """The programs, a folder for their files, and the figures of all rounds."""

    def __init__(self, programs: Path, scratch: Path, bursts: int, records: int) -> None:
        self.programs, self.scratch, self.bursts, self.records = programs, scratch, bursts, records
        self.figures: dict[str, list[dict[str, float]]] = defaultdict(list)

    def run(self, name: str, *command: str | Path) -> dict[str, Any]:
        done = subprocess.run(
            [self.programs / command[0], *command[1:]], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            sys.exit(f"{name}: exit {done.returncode}\n{done.stderr}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def config(self, ring_dir: str) -> str:
        return json.dumps({**IDENTITY, "output_dir": str(self.scratch / "lb"), "ring_dir": ring_dir})

    def ours(self, name: str, mode: str, *rest: str, ring_dir: str = "auto") -> None:
        result = self.run(name, "lb", mode, self.config(ring_dir), *rest)
        log = self.scratch / "lb" / RUN_ID / "logs" / "generator-bench-node-1.jsonl"
        if mode != "idle":
            self.checked(name, log, int(result.get("records", result.get("calls", 0))))
        shutil.rmtree(self.scratch / "lb")
        self.figures[name].append(result)

    def peer(self, name: str, program: str, mode: str, *rest: str) -> None:
        log = self.scratch / "peer.jsonl"
        result = self.run(name, program, mode, log, *rest)
        self.checked(name, log, int(result.get("records", result.get("calls", 0))))
        log.unlink()
        self.figures[name].append(result)

    def floor(self, name: str) -> None:
        self.figures[name].append(self.run(name, "floor", "caller", str(self.bursts)))

    @staticmethod
    def checked(name: str, log: Path, expected: int) -> None:
        found = count_lines(log)
        if found != expected:
            sys.exit(f"{name}: {found} lines in the file, {expected} were logged")

    def of(self, name: str, key: str) -> list[float]:
        return [result[key] for result in self.figures[name]]

    def rate(self, name: str) -> list[float]:
        """Million records a second."""
        return [result["records"] / result["seconds"] / 1e6 for result in self.figures[name]]


def measure(bench: Bench, rounds: int, idle_seconds: float, with_spdlog: bool) -> None:
    bursts, records = str(bench.bursts), str(bench.records)
    callers = [
        ("floor", lambda: bench.floor("floor")),
        ("lb", lambda: bench.ours("lb", "caller", bursts)),
        ("lb memory", lambda: bench.ours("lb memory", "caller", bursts, ring_dir="memory")),
        ("lb shm", lambda: bench.ours("lb shm", "caller", bursts, ring_dir="shm")),
        ("lb log", lambda: bench.ours("lb log", "caller", bursts, ring_dir="log")),
    ]
    ends = [
        ("write", lambda: bench.peer("write", "floor", "write", records)),
        ("lb 1", lambda: bench.ours("lb 1", "end", "1", records)),
        ("lb 4", lambda: bench.ours("lb 4", "end", "4", records)),
    ]
    if with_spdlog:
        callers.insert(1, ("spdlog", lambda: bench.peer("spdlog", "spdlog", "caller", bursts)))
        ends.append(("spdlog 1", lambda: bench.peer("spdlog 1", "spdlog", "end", "1", records)))
        few = str(bench.records // 4)
        ends.append(("spdlog 4", lambda: bench.peer("spdlog 4", "spdlog", "end", "4", few)))
    alternate(rounds, callers)
    alternate(rounds, ends)
    bench.ours("idle", "idle", str(idle_seconds))


def rows(bench: Bench, with_spdlog: bool) -> list[Row]:
    def nanoseconds(name: str, key: str) -> str:
        return f"{Spread.of(bench.of(name, key)).text(1)} ns"

    def millions(name: str) -> str:
        return f"{Spread.of(bench.rate(name)).text()} M/s"

    def caller(what: str, name: str, over: str, most: float | None = None, key: str = "mean") -> Row:
        return Row(what, nanoseconds(name, key), ratios(bench.of(name, key), bench.of(over, key)), at_most=most)

    def end(what: str, name: str, over: str, least: float | None = None) -> Row:
        return Row(what, millions(name), ratios(bench.rate(name), bench.rate(over)), at_least=least)

    table = [
        Row("floor: counter and copy, mean of 20 calls", nanoseconds("floor", "mean")),
        caller("caller, mean of 20 calls, over the floor", "lb", "floor", 1.7),
        caller("  rings in /dev/shm, over plain memory", "lb shm", "lb memory", 1.1),
        caller("  rings beside the log, over plain memory", "lb log", "lb memory"),
    ]
    for key, name in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9")):
        table.append(Row(f"caller, {name}", nanoseconds("lb", key)))
        if with_spdlog:
            table.append(Row(f"  spdlog async, {name}", nanoseconds("spdlog", key)))
    if with_spdlog:
        table.append(Row("  spdlog async, mean of 20 calls", nanoseconds("spdlog", "mean")))
        table.append(caller("caller p99, over spdlog async", "lb", "spdlog", 1 / 7, "p99"))
        table.append(caller("caller p99.9, over spdlog async", "lb", "spdlog", None, "p99_9"))
    table.append(Row("write(2) of 64 KiB blocks", millions("write")))
    table.append(end("end to end, one thread, over write(2)", "lb 1", "write", 0.5))
    table.append(end("end to end, 4 producers, over our own one thread", "lb 4", "lb 1", 0.9))
    if with_spdlog:
        table.append(end("  spdlog async, one thread; ours over it", "lb 1", "spdlog 1"))
        table.append(end("  spdlog async, 4 producers; ours over it", "lb 4", "spdlog 4"))
        table.append(Row("  spdlog async itself, one thread", millions("spdlog 1")))
        table.append(Row("  spdlog async itself, 4 producers", millions("spdlog 4")))
    share = Spread.of([100 * result["cpu"] / result["seconds"] for result in bench.figures["idle"]])
    table.append(Row("idle: CPU, % of a core", share.text(), share, at_most=1))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="benches.core_beside_peers")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to try it")
    parser.add_argument("--rounds", type=int, help="alternating rounds (7)")
    parser.add_argument("--scratch", type=Path, help="folder for the files that are written (below build/)")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 7)
    scratch_parent = options.scratch or ROOT / "build"
    with tempfile.TemporaryDirectory(dir=scratch_parent, prefix="bench-") as folder:
        programs, scratch = Path(folder, "bin"), Path(folder, "files")
        programs.mkdir()
        scratch.mkdir()
        compile_all(programs)
        with_spdlog = (programs / "spdlog").exists()
        bench = Bench(programs, scratch, *((2000, 200_000) if options.quick else (20_000, 2_000_000)))
        measure(bench, rounds, 1.0 if options.quick else 5.0, with_spdlog)
        title = f"The core beside its peers: {rounds} alternating rounds, {bench.records} records end to end"
        show(title, rows(bench, with_spdlog))


if __name__ == "__main__":
    main()
