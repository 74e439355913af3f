"""What a program asked the kernel for, in order, by strace."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.process import clean_environment

CALL = re.compile(r"^(\d+) +(\w+)\((.*?)(?:\) += (.*)| <unfinished \.\.\.>)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.*\) += (.*)$")


@dataclass
class Call:
    """One call: where in the order of all it began and ended, and what it answered."""

    name: str
    arguments: str
    began: int
    ended: int = 0
    answer: str = ""


def calls(command: Sequence[str], names: str, trace: Path) -> list[Call]:
    """Run a program to its end and list its calls of these names; descriptors are shown with their paths."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here (Debian package strace)")
    options = ["strace", "-f", "-y", "-s", "500", "-e", f"trace={names}", "-e", "signal=none", "-o", str(trace)]
    done = subprocess.run(
        [*options, *command], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"strace must not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, f"the program ended with {done.returncode}:\n{done.stderr}"
    found: list[Call] = []
    pending: dict[tuple[str, str], Call] = {}
    for at, line in enumerate(trace.read_text(encoding="utf-8").splitlines()):
        if begun := CALL.match(line):
            call = Call(begun[2], begun[3], at)
            found.append(call)
            if begun[4] is None:
                pending[begun[1], begun[2]] = call
            else:
                call.ended, call.answer = at, begun[4]
        elif resumed := RESUMED.match(line):
            call = pending.pop((resumed[1], resumed[2]))
            call.ended, call.answer = at, resumed[3]
    return found
