"""What the documents say is held against the code: options, targets, files, and the line of a log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for pattern in ("*.md", "docs/*.md") for path in ROOT.glob(pattern))

# What `lb config show -v` says first of a key that is known, and has no effect yet.
LATER = "(no effect in this version)"
# Defaults that are found out on the machine.
FOUND_OUT = {"host", "run_id"}

Row = tuple[str, str, str]


def text_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def options_of_the_code(folder: Path) -> list[Row]:
    """Key, default and meaning of each key that has an effect, as `lb config show -v` tells them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LB_")}
    environment |= {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
    shown = subprocess.run(
        [ROOT / "build/lb", "config", "show", "-v"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    head = shown[0]
    starts = [head.index(name) for name in ("KEY", "VALUE", "SOURCE", "MEANING")]
    rows = []
    for line in shown[1:]:
        key = line[starts[0] : starts[1]].strip()
        value = line[starts[1] : starts[2]].strip()
        default = "" if value == "-" or key in FOUND_OUT else value
        meaning = line[starts[3] :].strip()
        if not meaning.startswith(LATER):
            rows.append((key, default, meaning))
    return rows


def row_text(row: Row) -> str:
    key, default, meaning = row
    return f"| `{key}` | {f'`{default}`' if default else ''} | {meaning} |"


def test_screens_are_what_is_printed() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/screens.py", "--check"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_the_table_of_options_is_that_of_the_code(tmp_path: Path) -> None:
    table = re.findall(r"^\| `[a-z0-9_]+(?:\.[a-z0-9_]+)?` \|.*\|.*\|$", text_of("README.md"), re.MULTILINE)
    expected = [row_text(row) for row in options_of_the_code(tmp_path)]
    assert table == expected, "README.md should have:\n" + "\n".join(expected)


def test_the_line_of_a_log_obeys_the_schema() -> None:
    found = re.search(r"```json\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert found
    record = json.loads(found[1])
    jsonschema.validate(record, json.loads((ROOT / "schema/record.schema.json").read_text("utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_are_in_the_makefile(document: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text_of(document), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(document))
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_files_that_the_architecture_names_are_there() -> None:
    named = re.findall(r"\b((?:core|ffi|cli|xk6-lb|tools|examples|schema)/[\w/.-]+\w)", text_of("ARCHITECTURE.md"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_suites_that_contributing_names_are_those_of_make_test() -> None:
    found = re.search(r"suites=\(([a-z ]+)\)", text_of("tools/suites.sh"))
    assert found
    table = text_of("CONTRIBUTING.md").partition("| suite |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    assert named == found[1].split()
