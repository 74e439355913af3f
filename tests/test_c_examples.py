"""The C examples are programs that people start from: each compiles without a warning, runs, and does what it says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import cc
from support.paths import BUILD, ROOT
from support.records import read_log

EXAMPLES = ROOT / "ffi" / "examples"


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder of its own, with the identity that the environment gives."""
    environment = {"LB_RUN_ID": "r", "LB_HOST": "h", "PATH": "/usr/bin:/bin"}
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("how", ["c99", "c++17", "pkg-config"])
def test_quickstart(how: str, folder: Path) -> None:
    source, program = EXAMPLES / "quickstart.c", folder / "quickstart"
    if how == "pkg-config":
        cc.build_shared(source, program, BUILD / "lib" / "pkgconfig")
    else:
        cc.build(source, program, standard=how)
    done = run(program, folder)
    assert (done.returncode, done.stderr) == (0, "")
    log = folder / "benchmark_results" / "r" / "logs" / "generator-h.jsonl"
    first, second = read_log(log)
    assert done.stdout == f"2 records written, {log.stat().st_size} bytes\n"
    assert (first["level"], first["message"], first["workload"]) == ("INFO", "ready", "checkout")
    assert (second["level"], second["logger"]) == ("WARNING", "generator.worker")
    assert json.dumps(second["tags"]) == '{"phase": "run", "path": "/cart", "status": 503, "duration_ms": 12.5}'


@pytest.mark.parametrize("standard", ["c99", "c++17"])
def test_errors(standard: str, folder: Path) -> None:
    program = cc.build(EXAMPLES / "errors.c", folder / "program", standard=standard)
    done = run(program, folder, str(folder))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "componnent" in done.stdout
    assert "did you mean component" in done.stdout


def test_fork(folder: Path) -> None:
    children, records = 50, 400
    program = cc.build(EXAMPLES / "fork.c", folder / "program", standard="gnu11")
    done = run(program, folder, str(folder), str(children), str(records))
    assert (done.returncode, done.stderr) == (0, "")
    numbers: dict[int, list[int]] = {}
    for record in read_log(folder / "fork" / "logs" / "app-h.jsonl"):
        numbers.setdefault(record["tags"]["source"], []).append(record["tags"]["number"])
    speaking = {child for child in range(children) if child % 3 != 0} | {-1, -2, -3, -4}
    assert set(numbers) == speaking
    for source, seen in numbers.items():
        assert seen == list(range(records)), f"source {source}: each record once, in its order"
    left = [path.name for path in (folder / "fork" / "logs").iterdir()]
    assert sorted(left) == [".app-h.lock", "app-h.jsonl"]
