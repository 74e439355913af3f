"""Where the things under test are: the repository's own folders and what `make build` leaves in build/."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
SCHEMA = ROOT / "schema" / "record.schema.json"
GOLDEN_CASES = ROOT / "schema" / "golden" / "cases.json"
GOLDEN_LINES = ROOT / "schema" / "golden" / "records.jsonl"

# TEST_BUILD_DIR lets another build folder be tested; not LB_…: the core refuses such names when it does not know them.
BUILD = Path(os.environ.get("TEST_BUILD_DIR", str(ROOT / "build")))
K6 = BUILD / "k6"
LB = BUILD / "lb"
LOKI = BUILD / "tools" / "loki"
LOKI_CONFIGURATION = TESTS / "loki" / "loki.yaml"
TARGET = BUILD / "bin" / "target"
GRAFANA = BUILD / "bin" / "grafana"
STATIC_LIBRARY = BUILD / "lib" / "liblb_log.a"
SHARED_LIBRARY = BUILD / "lib" / "liblb_log.so"
HEADER = ROOT / "ffi" / "include" / "lb_log.h"
# The same with points where a test can kill them, not optimised.
FAILPOINT_LB = BUILD / "failpoints" / "debug" / "lb"
FAILPOINT_LIBRARY = BUILD / "failpoints" / "debug" / "liblb_log.a"
SCRIPTS = TESTS / "k6" / "scripts"
