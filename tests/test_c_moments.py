"""Calls at moments when nobody should call: from signal handlers inside other calls, from threads and processes that
are ending. Nothing hangs, what was refused is counted, the file holds what was accepted: each once, in its order."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from support import cc
from support.clib import Logger
from support.paths import TESTS
from support.process import clean_environment
from support.records import parse_bytes_fast

LATE = "void (*late)(void); __attribute__((destructor)) static void end(void) { if (late) late(); }\n"


@pytest.fixture(scope="module", params=["c99", "c++17"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/c/moments.c, as C and as C++."""
    source, to = TESTS / "c" / "moments.c", tmp_path_factory.mktemp("moments") / "moments"
    return cc.build(source, to, standard=request.param)


def play(program: Path, folder: Path, moment: str, extra: Path | None = None) -> dict[str, int]:
    """Run one moment; how many records it says that each voice has in the file."""
    command = [str(program), str(folder), moment, *([str(extra)] if extra else [])]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    print(done.stderr)
    assert done.returncode == 0, done.stderr
    return {name: int(count) for name, count in (line.split(": ") for line in done.stdout.splitlines())}


def in_file(folder: Path) -> dict[str, int]:
    """How many records of each voice are in the file; each once, in its order."""
    counts: dict[str, int] = {}
    for record in parse_bytes_fast((folder / "moments" / "logs" / "c-h.jsonl").read_bytes()):
        name = record["message"]
        assert record["tags"]["number"] == counts.get(name, 0), name
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize("moment", ["storm", "storm-on-other-calls", "thread-ends"])
def test_moment(moment: str, program: Path, folder: Path) -> None:
    said = play(program, folder, moment)
    assert said
    assert in_file(folder) == {name: count for name, count in said.items() if count}


def test_accounts(program: Path, folder: Path) -> None:
    """The accounting adds up at every look; what was dropped is told in the log."""
    said = play(program, folder, "accounts")
    log = folder / "moments" / "logs" / "c-h.jsonl"
    records = parse_bytes_fast(log.read_bytes())
    gaps = [record for record in records if record["event_type"] == "log_gap"]
    assert gaps
    for name, count in said.items():
        numbers = [record["tags"]["number"] for record in records if record["message"] == name]
        assert numbers == list(range(count)), name
    assert len(records) == sum(said.values()) + len(gaps)


def test_exit_handlers(program: Path, folder: Path) -> None:
    """In atexit handlers from before and after the library's first call, and in destructors."""
    source, library = folder / "late.c", folder / "late.so"
    source.write_text(LATE, encoding="utf-8")
    cc.compiled(["cc", "-shared", "-fPIC", str(source)], library)
    play(program, folder, "exit-handlers", library)
    assert in_file(folder) == {"main": 1, "atexit": 2, "destructor of the program": 1, "destructor of a library": 1}


def test_after_main(program: Path, folder: Path) -> None:
    """A thread that logs on until its process is gone: what it had accepted is there after the next open."""
    page = folder / "page"
    play(program, folder, "after-main", page)
    published, when_main_returned = struct.unpack("=QQ", page.read_bytes())
    with Logger({"component": "c", "host": "h", "run_id": "moments", "output_dir": str(folder)}):
        pass
    found = in_file(folder)["thread"]
    assert when_main_returned + 500 <= published <= found <= published + 1
