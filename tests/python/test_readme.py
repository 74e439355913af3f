"""The Python examples of the documents run as they stand there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT
from support.process import clean_environment
from support.python import package_environment, python_command

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: In the order in which they stand: later ones may read what earlier ones have logged.
DOCUMENTS = [ROOT / "README.md", ROOT / "bindings" / "python" / "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_examples_run(document: Path, folder: Path) -> None:
    blocks = BLOCK.findall(document.read_text())
    assert blocks, "there are none"
    for block in blocks:
        done = subprocess.run(
            [*python_command(), "-c", block],
            cwd=folder,
            env=clean_environment({**package_environment(), "HOME": str(folder)}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    assert any(folder.glob("benchmark_results/*/logs/*.jsonl"))
