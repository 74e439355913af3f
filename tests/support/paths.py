"""Where the things under test are: the repository's own folders and what `make build` leaves in build/."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
SCHEMA = ROOT / "schema" / "record.schema.json"
GOLDEN_CASES = ROOT / "schema" / "golden" / "cases.json"
GOLDEN_LINES = ROOT / "schema" / "golden" / "records.jsonl"

# LB_TEST_BUILD lets a second build folder be tested without touching the first.
BUILD = Path(os.environ.get("LB_TEST_BUILD", str(ROOT / "build")))
K6 = BUILD / "k6"
LB = BUILD / "lb"
TARGET = BUILD / "bin" / "target"
STATIC_LIBRARY = BUILD / "lib" / "liblb_log.a"
SHARED_LIBRARY = BUILD / "lib" / "liblb_log.so"
HEADER = ROOT / "ffi" / "include" / "lb_log.h"
SCRIPTS = TESTS / "k6" / "scripts"
