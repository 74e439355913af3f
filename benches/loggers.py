"""The programs of benches/core: each is measure.c and one logger, and prints one line of JSON.

What was saved by losing records does not count: every line has to be in the file at the end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benches.pairs import Spread
from benches.setting import BUILD, ROOT, Setting

SOURCES = ROOT / "benches" / "core"
C = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
SYSTEM = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"]
# The table's name of each peer, ours first.
PEERS = {
    "lb": "lb-log",
    "spdlog": "spdlog async",
    "slog": "slog-async + slog-json",
    "tracing": "tracing-appender + json",
}
RUN_ID = "run-20261122-101112"
IDENTITY = {
    "component": "generator",
    "host": "bench-node-1",
    "run_id": RUN_ID,
    "logger": "lb_runner.engine",
    "workload": "stress_ng",
    "repetition": 1,
    # As the peers do it: who meets a full ring waits, and loses nothing.
    "full_timeout_ms": 60_000,
}
# Which lines are about the same: ours are 337 bytes.
LINE_BYTES = range(320, 361)


def compile_loggers(folder: Path) -> None:
    """Compile the programs; spdlog's is left out where Debian's libspdlog-dev is not installed."""

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True)

    measure = folder / "measure.o"
    run(*C, "-c", SOURCES / "measure.c", "-o", measure)
    run(*C, SOURCES / "floor.c", measure, "-o", folder / "floor", "-lpthread")
    run(*C, SOURCES / "write.c", "-o", folder / "write")
    header: list[str | Path] = ["-I", ROOT / "ffi" / "include"]
    run(*C, *header, SOURCES / "lb.c", measure, BUILD / "lib" / "liblb_log.a", "-o", folder / "lb", *SYSTEM)
    for peer in ("slog", "tracing"):
        library = BUILD / "peers" / "release" / f"libpeer_{peer}.a"
        run("cc", measure, library, "-o", folder / peer, *SYSTEM)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "spdlog"], capture_output=True, text=True, check=False)
    if flags.returncode != 0:
        print("spdlog is left out: install libspdlog-dev (`make deps`)", file=sys.stderr)
        return
    cpp = ["c++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    run(*cpp, SOURCES / "spdlog.cpp", measure, *flags.stdout.split(), "-o", folder / "spdlog", "-lpthread")


def lines_and_bytes(path: Path) -> tuple[int, int]:
    """The lines of a file, and its length."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")), path.stat().st_size


class Loggers:
    """The programs, a folder for their files, and the figures of all rounds by the name of what was measured."""

    def __init__(self, setting: Setting) -> None:
        self.programs = setting.scratch / "bin"
        self.files = setting.scratch / "files"
        self.files.mkdir()
        self.figures: dict[str, list[dict[str, float]]] = defaultdict(list)
        if not self.programs.exists():
            self.programs.mkdir()
            compile_loggers(self.programs)
        self.peers = [name for name in PEERS if (self.programs / name).exists()]

    def run(self, name: str, program: str, *arguments: str | Path) -> dict[str, Any]:
        """One run of a program, whose figures are kept under this name."""
        command = [self.programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            sys.exit(f"{name}: exit {done.returncode}\n{done.stderr}")
        if done.stderr and not self.figures[name]:
            print(f"{name}: {done.stderr.rstrip()}", file=sys.stderr)
        result: dict[str, Any] = json.loads(done.stdout)
        self.figures[name].append(result)
        return result

    def logged(self, name: str, program: str, mode: str, *numbers: float, **keys: object) -> None:
        """One run of a logger; `keys` are of our configuration. Its file is checked and removed."""
        out = self.files / "out"
        out.mkdir()
        log, argument = out / "peer.jsonl", str(out / "peer.jsonl")
        if program == "lb":
            log = out / RUN_ID / "logs" / "generator-bench-node-1.jsonl"
            argument = json.dumps({**IDENTITY, "output_dir": str(out), **keys})
        result = self.run(name, program, mode, argument, *(f"{number:.15g}" for number in numbers))
        expected = int(result["records"])
        if program != "floor" and expected:
            lines, size = lines_and_bytes(log)
            if lines != expected:
                sys.exit(f"{name}: {lines} lines in the file, {expected} were logged")
            if size // lines not in LINE_BYTES:
                sys.exit(f"{name}: a line has {size // lines} bytes: that is another record")
            result["log_bytes"] = size
        shutil.rmtree(out)

    def of(self, name: str, key: str) -> list[float]:
        return [result[key] for result in self.figures[name]]

    def nanoseconds(self, name: str, key: str) -> str:
        return f"{Spread.of(self.of(name, key)).text(1)} ns"

    def rate(self, name: str) -> list[float]:
        """Million records a second."""
        return [result["records"] / result["seconds"] / 1e6 for result in self.figures[name]]
