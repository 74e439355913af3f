"""The package itself: what its import costs, what its stub says, where its wheel runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.paths import ROOT, TESTS
from support.process import clean_environment

PACKAGE = ROOT / "bindings" / "python"


def run(*arguments: str | Path) -> str:
    command = [sys.executable, "-W", "error", "-X", "dev", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS, env=clean_environment({}))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_an_import_makes_nothing_and_brings_little(tmp_path: Path) -> None:
    program = """
import os, sys, atexit, importlib, typing
os.chdir(sys.argv[1])
before = set(sys.modules)
import lb_log
print(",".join(sorted(name for name in set(sys.modules) - before if not name.startswith("lb_log"))))
print(len(os.listdir("/proc/self/task")), len(os.listdir(".")))
"""
    modules, made = run("-c", program, tmp_path).splitlines()
    assert modules == "", "what is imported besides is imported by whoever needs it"
    assert made == "1 0", "no thread and no file"


def test_the_stub_is_true() -> None:
    arguments: list[str | Path] = [
        "--mypy-config-file",
        TESTS / "pyproject.toml",
        "--allowlist",
        PACKAGE / "stubtest.txt",
    ]
    said = run("-W", "ignore", "-m", "mypy.stubtest", "lb_log._native", *arguments)
    assert "no issues" in said


def test_the_wheel_runs_on_old_systems_and_has_its_types() -> None:
    (wheel,) = (ROOT / "build" / "wheels").glob("lb_log-*.whl")
    assert "-cp310-abi3-" in wheel.name
    assert "manylinux_2_17_x86_64" in wheel.name
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"lb_log/py.typed", "lb_log/_native.pyi", "lb_log/_native.abi3.so"} <= names


SUBINTERPRETER = """
import os
try:
    import lb_log
except ImportError as error:
    os.write(1, str(error).encode())
"""


def test_a_subinterpreter_is_refused_clearly() -> None:
    module = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    pytest.importorskip(module)
    program = f"import {module} as i; one = i.create(); i.run_string(one, {SUBINTERPRETER!r}); i.destroy(one)"
    said = run("-W", "ignore", "-c", program)
    assert said == "lb_log works in the main interpreter only: log there, or use processes"


def test_a_free_threaded_python_is_refused_clearly() -> None:
    program = "import sys; sys.abiflags = 't'; import lb_log"
    with pytest.raises(AssertionError, match="ImportError: lb_log needs the interpreter's lock"):
        run("-c", program)
