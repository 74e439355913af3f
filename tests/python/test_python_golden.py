"""The golden lines through Python: by the native core and by what is bound to a logger, byte for byte in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lb_log
import pytest
from lb_log import _native

from support import golden

pytestmark = pytest.mark.usefixtures("no_settings")


def in_python(case: golden.Case) -> bool:
    """Whether Python can say it: text is Unicode, and a dict has a key once."""
    tags = case["record"].get("tags", [])
    texts = [
        case["record"]["message"],
        *(key for key, _, _ in tags),
        *(value for _, kind, value in tags if kind == "string"),
    ]
    keys = [key for key, _, _ in tags]
    return not any(isinstance(text, dict) for text in texts) and all(keys.count(key) == 1 for key in keys)


CASES = [case for case in golden.load() if in_python(case)]


def tags_of(case: golden.Case) -> dict[str, Any]:
    given = case["record"].get("tags", [])
    return {key: float(value) if kind == "number" else value for key, kind, value in given}


def test_most_cases_can_be_said() -> None:
    assert len(CASES) > 60


def test_golden_lines(folder: Path) -> None:
    core = _native.Core.open({"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder)})
    for case in CASES:
        record = case["record"]
        context = core.context(case["context"])
        core.log(context, record["level"], record["message"], record["timestamp_ns"], tags_of(case))
    core.flush()
    written = (folder / "r/logs/c-h.jsonl").read_bytes().decode().removesuffix("\n").split("\n")
    for case, line in zip(CASES, written, strict=True):
        assert line == case["line"], case["name"]
    stats = core.stats()
    assert (stats["written"], stats["rejected"], stats["dropped"]) == (len(CASES), 0, 0)
    assert stats["nonfinite"] == sum(golden.nonfinite(case) for case in CASES)
    core.close()


def test_golden_lines_of_a_logger(folder: Path) -> None:
    """But for the time, which is its own."""
    logger = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder)
    for case in CASES:
        fields = {name: value for name, value in case["context"].items() if name != "tags"}
        bound = logger.bind(**fields, **case["context"].get("tags", {}))
        getattr(bound, case["record"]["level"].lower())(case["record"]["message"], **tags_of(case))
    logger.flush()
    written = (folder / "r/logs/c-h.jsonl").read_bytes().decode().removesuffix("\n").split("\n")
    for case, line in zip(CASES, written, strict=True):
        assert line[44:] == case["line"][44:], case["name"]
    logger.close()
