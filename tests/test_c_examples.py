"""The C examples are programs that people start from: each compiles without a warning as C and as C++, does what it
says, and is clean under sanitizers and valgrind."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import cc
from support.collecting import judge, lines, write
from support.paths import BUILD, HEADER, ROOT, SHARED_LIBRARY
from support.records import Record, parse_bytes_fast, read_log

EXAMPLES = ROOT / "ffi" / "examples"
# Errors of children are their exit status. Leaks are told on stderr by the parent alone: a forked child gives up its
# copy of what its parent had open, which is not its to close.
VALGRIND = [
    *("valgrind", "-q", "--fair-sched=yes", "--error-exitcode=99", "--child-silent-after-fork=yes"),
    *("--leak-check=full", "--show-leak-kinds=definite,possible", "--errors-for-leak-kinds=none"),
]

HOW = ["c99", "c++17", "sanitizers", "valgrind"]


@dataclass
class Example:
    """An example, built and run in one way."""

    how: str
    folder: Path

    def count(self, plainly: int, slowly: int) -> int:
        """How much it shall do."""
        return plainly if self.how in ("c99", "c++17") else slowly

    def run(
        self,
        name: str,
        *arguments: object,
        sanitizers: str = "address,undefined",
        flags: tuple[str, ...] = (),
        libraries: tuple[str, ...] = (),
    ) -> str:
        """Build it, run it in a folder of its own with the identity that the environment gives; what it printed."""
        source, program = EXAMPLES / f"{name}.c", self.folder / "program"
        common: tuple[str, ...] = ("-O1", "-g")
        if self.how == "sanitizers":
            common = (*common, f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
        standard = "c++17" if self.how == "c++17" else "c99"
        if self.how == "pkg-config":
            cc.build_shared(source, program, BUILD / "lib" / "pkgconfig", (*flags, *libraries))
        else:
            cc.build(source, program, standard=standard, flags=(*common, *flags), libraries=libraries)
        command = [str(program), *map(str, arguments)]
        if self.how == "valgrind":
            cc.tool("valgrind", "valgrind")
            command = [*VALGRIND, *command]
        environment = {"LB_RUN_ID": "r", "LB_HOST": "h", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    def log(self, run: str, component: str = "app") -> list[Record]:
        """What is in a log of a run; nothing but logs and their lock files is left beside it."""
        logs = self.folder / run / "logs"
        left = {
            path.name for path in logs.iterdir() if not re.fullmatch(r"[a-z]+-h\.jsonl|\.[a-z]+-h\.lock", path.name)
        }
        assert not left
        return parse_bytes_fast((logs / f"{component}-h.jsonl").read_bytes())


@pytest.fixture(params=HOW)
def example(request: pytest.FixtureRequest, folder: Path) -> Example:
    """Each way to build and run an example."""
    return Example(request.param, folder)


def by_source(records: list[Record], source: str) -> dict[Any, list[int]]:
    """The tag `number` of the records, in the file's order, by what tells their sources apart."""
    numbers: dict[Any, list[int]] = {}
    for record in records:
        who = record["tags"][source] if source in record["tags"] else record[source]
        numbers.setdefault(who, []).append(record["tags"]["number"])
    return numbers


@pytest.mark.parametrize("example", [*HOW, "pkg-config"], indirect=True)
def test_quickstart(example: Example) -> None:
    printed = example.run("quickstart")
    log = example.folder / "benchmark_results" / "r" / "logs" / "generator-h.jsonl"
    first, second = read_log(log)
    assert printed == f"2 records written, {log.stat().st_size} bytes\n"
    assert (first["level"], first["message"], first["workload"]) == ("INFO", "ready", "checkout")
    assert (second["level"], second["logger"]) == ("WARNING", "generator.worker")
    assert json.dumps(second["tags"]) == '{"phase": "run", "path": "/cart", "status": 503, "duration_ms": 12.5}'


def test_collect(example: Example) -> None:
    """What a report says is there; a second time nothing is fetched."""
    write(example.folder / "source" / "run-1" / "logs" / "k6-h.jsonl", lines(3))
    for outcome in ("collected", "unchanged"):
        report = json.loads(example.run("collect", "run-1", example.folder / "source"))
        assert report["ok"], report
        (file,) = report["files"]
        assert (file["outcome"], file["lines"], file["size"]) == (outcome, 3, len(lines(3)))
        assert list(judge(example.folder / "benchmark_results").values()) == [lines(3)]


def test_the_example_of_the_header(folder: Path) -> None:
    header = HEADER.read_text(encoding="utf-8")
    found = re.search(r" \*     lb_logger \*logger.*?lb_logger_free\(logger\);", header, re.DOTALL)
    assert found
    body = "\n".join(line[3:] for line in found[0].split("\n"))
    source = folder / "example.c"
    program = f"#include <lb_log.h>\n#include <stdio.h>\nint main(void) {{\n{body}\nreturn 0;\n}}\n"
    source.write_text(program, encoding="utf-8")
    built = cc.build(source, folder / "program", standard="c99")
    subprocess.run([built], cwd=folder, env={"LB_HOST": "h"}, check=True, timeout=60)
    (record,) = read_log(folder / "benchmark_results" / "run-1" / "logs" / "generator-h.jsonl")
    assert record["message"] == "ready"


def test_what_the_header_names_is_declared() -> None:
    header = HEADER.read_text(encoding="utf-8")
    comments = " ".join(re.findall(r"//[^\n]*|/\*.*?\*/", header, re.DOTALL))
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.DOTALL)
    named = set(re.findall(r"\bLB_(?:ERR|LEVEL|TAG|CONTEXT|RINGS|ABI)_[A-Z]+|\blb_[a-z]+_?[a-z_]*", comments))
    declared = {*re.findall(r"\w+", code), "lb_log"}
    assert len(named) > 30
    assert named <= declared, named - declared


def test_status_numbers_stay() -> None:
    """Programs have them compiled in. 9 is retired."""
    names = [
        "OK",
        "ARGUMENT",
        "CONFIG",
        "IO",
        "REJECTED",
        "DROPPED",
        "CLOSED",
        "TIMEOUT",
        "NESTED",
        "-",
        "LIMIT",
        "PANIC",
    ]
    expected = {name: str(number) for number, name in enumerate(names) if name != "-"}
    assert dict(re.findall(r"#define LB_(?:ERR_)?(OK|(?<=ERR_)[A-Z]+) (\d+)\n", HEADER.read_text("utf-8"))) == expected


def test_errors(example: Example) -> None:
    printed = example.run("errors", example.folder)
    assert "componnent" in printed
    assert "did you mean component" in printed


def test_threads(example: Example) -> None:
    threads, records = 8, example.count(5000, 200)
    printed = example.run("threads", example.folder, threads, records)
    assert printed == f"{threads * records} offered, {threads * records} written, 0 dropped\n"
    found = example.log("threads")
    order = list(range(records))
    assert by_source(found, "logger") == {f"worker.{number}": order for number in range(threads)}
    tags = {"number": 3, "path": "/cart", "bytes": 2**64 - 1, "duration_ms": 0.375, "first": False, "error": None}
    assert next(record["tags"] for record in found if record["tags"]["number"] == 3) == tags


def test_crash(example: Example) -> None:
    """What the program does about its crash is nothing."""
    records = example.count(5000, 500)
    printed = example.run("crash", example.folder, records)
    assert re.fullmatch(r"\d+ records recovered, 0 of our own\n", printed)
    assert [record["tags"]["number"] for record in example.log("crash")] == list(range(records))


def test_fork(example: Example) -> None:
    """AddressSanitizer is left out: a thread that allocates at the fork leaves its allocator locked in the child."""
    children, records = example.count(50, 6), example.count(400, 50)
    example.run("fork", example.folder, children, records, sanitizers="undefined")
    speaking = {child for child in range(children) if child % 3 != 0} | {-1, -2, -3, -4}
    order = list(range(records))
    assert by_source(example.log("fork"), "source") == dict.fromkeys(speaking, order)


@pytest.mark.parametrize("example", ["c99", "c++17", "sanitizers", "pkg-config"], indirect=True)
def test_embed(example: Example) -> None:
    """Two copies of the library in one process. Python itself is not clean under valgrind; and see test_fork."""
    records = example.count(2000, 200)
    copy = shutil.copyfile(SHARED_LIBRARY.resolve(), example.folder / "copy.so")
    includes, libraries = python()
    arguments = (example.folder, records, copy, EXAMPLES / "embed.py")
    example.run("embed", *arguments, sanitizers="undefined", flags=includes, libraries=libraries)
    order = list(range(records))
    both = dict.fromkeys(("program", "script", "program's child", "script's child"), order)
    assert by_source(example.log("embed", "common"), "message") == both
    for half in ("program", "script"):
        alone = {source: order for source in both if source.startswith(half)}
        assert by_source(example.log("embed", half), "message") == alone


def python() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How to compile and link a program that embeds Python."""
    ask = [cc.tool("python3-config", "python3-dev"), "--embed"]
    includes = subprocess.run([*ask, "--includes"], capture_output=True, text=True, check=False).stdout.split()
    libraries = subprocess.run([*ask, "--ldflags"], capture_output=True, text=True, check=False).stdout.split()
    if not any((Path(folder[2:]) / "Python.h").exists() for folder in includes):
        pytest.skip("Python's header is not here (Debian package python3-dev, make deps)")
    # Warnings are for our code.
    return tuple(part.replace("-I", "-isystem", 1) for part in includes), tuple(libraries)
