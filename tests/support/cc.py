"""C programs of the tests, compiled with every warning as an error and linked with the static library."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.paths import HEADER, STATIC_LIBRARY

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LIBRARIES = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"]


def build(source: Path, to: Path, *, standard: str = "c11", flags: Sequence[str] = ("-O1", "-g")) -> Path:
    """Compile and link; the compiler's words are the failure's."""
    command = ["cc", f"-std={standard}", *WARNINGS, *flags, f"-I{HEADER.parent}", str(source), str(STATIC_LIBRARY)]
    done = subprocess.run([*command, *LIBRARIES, "-o", str(to)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return to
