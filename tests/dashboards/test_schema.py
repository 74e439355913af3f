"""Dashboards are what Grafana's published types allow, those of the oldest and the newest Grafana that we write for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.grafana import boards
from support.paths import BUILD, TESTS

HERE = TESTS / "dashboards" / "schema"
# With tests/dashboards/schema/package-lock.json, so that a second run downloads nothing.
INSTALLED = BUILD / "grafana-schema"


@pytest.fixture(scope="session")
def modules() -> Path:
    """Grafana's types and a compiler, as the lock file has them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    lock = (HERE / "package-lock.json").read_bytes()
    mark = INSTALLED / "installed"
    if not mark.exists() or mark.read_bytes() != lock:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, INSTALLED / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        mark.write_bytes(lock)
    return INSTALLED / "node_modules"


@pytest.mark.parametrize("version", ["11", "12", "13"])
def test_dashboards_have_the_types_of_grafana(modules: Path, folder: Path, version: str) -> None:
    compile_boards(modules, folder, version, {board.uid: board.content for board in boards()})


def test_what_is_misspelt_is_seen(modules: Path, folder: Path) -> None:
    """The check itself: keys that no type has, and a value that an enumeration has not."""
    changed = {}
    for place in ("board", "panel", "options", "custom", "variable", "value"):
        content = next(board.content for board in boards() if board.uid == "lb-platform-run")
        panel = next(panel for panel in content["panels"] if panel["type"] == "timeseries")
        custom, variable = panel["fieldConfig"]["defaults"]["custom"], content["templating"]["list"][0]
        where = {"board": content, "panel": panel, "options": panel["options"], "custom": custom, "variable": variable}
        if place == "value":
            panel["options"]["legend"]["displayMode"] = "tables"
        else:
            where[place]["misspelt"] = 1
        changed[place] = content
    with pytest.raises(AssertionError) as raised:
        compile_boards(modules, folder, "13", changed)
    for place in changed:
        assert f"{place}.ts(" in str(raised.value), f"misspelt in {place}, and nobody sees it"


def compile_boards(modules: Path, folder: Path, version: str, contents: Mapping[str, object]) -> None:
    package = modules / f"grafana-schema-{version}"
    raw = package / "dist" / "esm" / "raw"
    # Those of Loki's queries are published no more with version 13.
    loki = modules / f"grafana-schema-{min(int(version), 12)}" / "dist" / "esm" / "raw" / "composable" / "loki"
    shutil.copy(HERE / "board.ts", folder)
    for uid, content in contents.items():
        text = json.dumps(content, indent=1)
        (folder / f"{uid}.ts").write_text(
            f"import type {{ Board }} from './board';\nexport const board: Board = {text};\n"
        )
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "module": "preserve",
        "types": [],
        "paths": {
            "@grafana/schema": [str(package)],
            "raw/*": [f"{raw}/*"],
            "loki/*": [f"{loki}/dataquery/x/*"],
        },
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    command = ["node", str(modules / "typescript" / "bin" / "tsc"), "--project", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
