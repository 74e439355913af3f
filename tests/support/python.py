"""Programs in Python that log through lb_log, run by the Pythons that are there."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paths import TESTS
from support.process import clean_environment

PROGRAMS = TESTS / "python" / "programs"
#: Every warning is an error, and the interpreter checks itself.
STRICT = ("-W", "error", "-X", "dev")


def package_folder() -> Path:
    """Where the lb_log is that is tested, whoever runs it: it is the same for every Python."""
    found = importlib.util.find_spec("lb_log")
    assert found, "lb_log is not installed: make build/.stamps/lb_log"
    assert found.origin
    return Path(found.origin).parent


def python_command(python: str = sys.executable) -> list[str]:
    """How a program is started."""
    return [python, *STRICT]


def others() -> Iterator[str]:
    """Pythons besides this one."""
    for minor in (14, 13, 12):
        name = f"python3.{minor}"
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        for found in [shutil.which(name), *map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python")))]:
            if found:
                yield found


@functools.cache
def second_python() -> str | None:
    """A Python of 3.12 or later, with the GIL; None where there is none."""
    if sys.version_info >= (3, 12):
        return sys.executable
    question = (
        "import sys, sysconfig; print(sys.version_info[:2] >= (3, 12), sysconfig.get_config_var('Py_GIL_DISABLED'))"
    )
    for python in others():
        asked = subprocess.run(
            [python, "-c", question], env=clean_environment(), capture_output=True, text=True, check=False
        )
        if re.fullmatch(r"True (0|None)\n", asked.stdout):
            return python
    return None


#: Those that deaths, forks and ends are tested with.
PYTHONS = [
    pytest.param(sys.executable, id="this"),
    pytest.param(
        second_python() or "",
        id="second",
        marks=pytest.mark.skipif(
            second_python() in (None, sys.executable), reason="no second Python of 3.12 or later (see pyenv)"
        ),
    ),
]


def package_environment() -> dict[str, str]:
    """Makes lb_log importable by any Python; the wheel is for all of them."""
    return {"PYTHONPATH": str(package_folder().parent)}
