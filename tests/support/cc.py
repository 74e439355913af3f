"""C programs of the tests, compiled with every warning as an error and linked with the static library."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.paths import HEADER, STATIC_LIBRARY

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LIBRARIES = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"]


def build(
    source: Path,
    to: Path,
    *,
    standard: str = "c11",
    flags: Sequence[str] = ("-O1", "-g"),
    libraries: Sequence[str] = (),
    library: Path = STATIC_LIBRARY,
) -> Path:
    """Compile and link; the compiler's words are the failure's. A standard of C++ compiles as C++."""
    language = [tool("c++", "g++"), "-x", "c++"] if standard.startswith("c++") else ["cc"]
    command = [*language, f"-std={standard}", *WARNINGS, *flags, f"-I{HEADER.parent}", str(source)]
    linked = ["-x", "none", str(library), *libraries, *LIBRARIES]
    return compiled([*command, *linked], to)


def build_shared(source: Path, to: Path, pkg_config_path: Path, more: Sequence[str] = ()) -> Path:
    """Compile and link as a user of the installed library does, by pkg-config."""
    environment = {**os.environ, "PKG_CONFIG_PATH": str(pkg_config_path)}
    asked = [tool("pkg-config", "pkg-config"), "--cflags", "--libs", "lb_log"]
    options = subprocess.run(asked, capture_output=True, text=True, check=True, env=environment).stdout.split()
    rpath = f"-Wl,-rpath,{pkg_config_path.parent}"
    return compiled(["cc", "-std=c99", *WARNINGS, str(source), *more, *options, rpath], to)


def tool(name: str, package: str) -> str:
    """A program that a machine may lack: the test is skipped there."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here (Debian package {package}, make deps)")
    return name


def compiled(command: Sequence[str], to: Path) -> Path:
    """Run the compiler."""
    done = subprocess.run([*command, "-o", str(to)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return to
