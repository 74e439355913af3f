#!/usr/bin/env python3
"""Checks the licences of everything that is built into our programs, and where it comes from.

Rust: every package in Cargo.lock names a licence that the list below allows, and comes from
crates.io. Go: every module that our packages import has a licence file that says one of them.
Needs no network beyond what building needs. Known vulnerabilities are another matter: they need
a database that changes daily (`cargo deny check advisories`, `govulncheck`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

# Allowed for one package alone, each with its reason.
EXCEPTIONS = {
    # In the lock file for platforms that we do not build for; nothing of it is in a product.
    "webpki-root-certs": "CDLA-Permissive-2.0",
    # k6 is what the extension extends: the k6 that is built here is under k6's licence as a whole.
    "go.k6.io/k6/v2": "AGPL-3.0",
    # Used unchanged, for the C header at build time; nothing of it is in a product.
    "cbindgen": "MPL-2.0",
}

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"

# What a licence's text says and no other's does, the longer ones first.
TEXTS = (
    ("AGPL-3.0", "gnu affero general public license"),
    ("GPL", "gnu general public license"),
    ("MPL-2.0", "mozilla public license"),
    ("Apache-2.0", "apache license version 2.0"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"),
    ("ISC", "permission to use, copy, modify, and distribute this software for any purpose"),
    ("MIT", "permission is hereby granted, free of charge"),
    ("BSD-3-Clause", "nor the names of its contributors may be used"),
    ("BSD-3-Clause", "neither the name of"),
    ("BSD-2-Clause", "redistributions in binary form must reproduce"),
    ("Unlicense", "this is free and unencumbered software"),
)


def allows(expression: str, extra: str | None) -> bool:
    """Whether an SPDX expression can be met with licences that are allowed."""
    # "A/B" is how old packages wrote "A OR B".
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def any_of() -> bool:
        result = all_of()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = all_of() or result
        return result

    def all_of() -> bool:
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one() -> bool:
        if not tokens:
            return False
        name = tokens.pop(0)
        if name == "(":
            result = any_of()
            return bool(tokens) and tokens.pop(0) == ")" and result
        if tokens[:1] == ["WITH"]:
            name = f"{name} WITH {tokens[1] if len(tokens) > 1 else ''}"
            del tokens[:2]
        return name in ALLOWED or name == extra

    return any_of() and not tokens


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def rust_problems() -> tuple[int, list[str]]:
    metadata = json.loads(output_of("cargo", "metadata", "--format-version", "1", "--locked"))
    problems = []
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        if package["source"] not in (None, CRATES_IO):
            problems.append(f"{name}: comes from {package['source']}, not from crates.io")
        licence = package["license"]
        if not licence:
            problems.append(f"{name}: names no licence")
        elif not allows(licence, EXCEPTIONS.get(package["name"])):
            problems.append(f"{name}: {licence} is not allowed")
    return len(metadata["packages"]), problems


def licence_of(folder: Path) -> str | None:
    """The licence that a folder's licence file holds; None where no text is known."""
    names = ("LICENSE", "LICENCE", "COPYING", "UNLICENSE")
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper().startswith(names):
            text = " ".join(path.read_text("utf-8", "replace").lower().split())
            for licence, phrase in TEXTS:
                if phrase in text:
                    return licence
    return None


def go_problems() -> tuple[int, list[str]]:
    template = "{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}"
    listing = output_of("go", "list", "-deps", "-f", template, "./examples/target/...", "./xk6-lb/...")
    modules = sorted(set(listing.splitlines()) - {""})
    problems = []
    for module in modules:
        path, folder = module.split("\t")
        if path.startswith("github.com/lb-log/"):
            continue
        licence = licence_of(Path(folder))
        if licence is None:
            problems.append(f"{path}: no licence text that is known, in {folder}")
        elif licence not in ALLOWED and licence != EXCEPTIONS.get(path):
            problems.append(f"{path}: {licence} is not allowed")
    return len(modules), problems


def main() -> int:
    try:
        rust, problems = rust_problems()
        go, more = go_problems()
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} {error.cmd[1]} failed", file=sys.stderr)
        return 2
    problems += more
    for problem in problems:
        print(problem)
    print(f"{rust} Rust packages and {go} Go modules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
