"""The golden lines: they obey the schema, and a second encoder comes to the same bytes."""

from __future__ import annotations

import json

import pytest

from support import golden
from support.paths import GOLDEN_CASES, GOLDEN_LINES
from support.records import BadLineError, parse_bytes, parse_line

CASES = golden.load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_line_is_what_the_inputs_say(case: golden.Case) -> None:
    assert golden.encode(case) == case["line"]
    assert case.get("nonfinite", 0) == golden.nonfinite(case)
    parse_line(case["line"].encode())


def test_files_are_fresh_and_names_unique() -> None:
    assert GOLDEN_CASES.read_text(encoding="utf-8") == golden.cases_text(CASES)
    assert GOLDEN_LINES.read_text(encoding="utf-8") == golden.lines_text(CASES)
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1e-5, "0.00001"),
        (1e-6, "1e-6"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (-1.5, "-1.5"),
    ],
)
def test_number_text(value: float, text: str) -> None:
    assert golden.number_text(value) == text
    assert json.loads(text) == value


GOOD = CASES[6]["line"].encode()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (GOOD.replace(b'"level"', b'"message"', 1), "duplicate keys"),
        (GOOD.replace(b'"pid":4242', b'"phase":"x"'), "duplicate keys"),
        (GOOD.replace(b'"repetition":7', b'"repetition":0'), "minimum"),
        (GOOD.replace(b'"repetition":7', b'"repetition":7.5'), "integer"),
        (GOOD.replace(b'"repetition":7,', b""), "required"),
        (GOOD.replace(b"123456789Z", b"123456Z"), "match"),
        (GOOD.replace(b'"load":0.25', b'"load":NaN'), "no JSON"),
        (GOOD.replace(b'"load":0.25', b'"load":[1]'), "not of type"),
        (GOOD.replace(b"stress-ng", b"stress\xffng"), "utf-8"),
        (GOOD.replace(b"stress-ng", b"stress\x01ng"), "control"),
        (GOOD.replace(b'"level":"INFO","component":"generator"', b'"component":"generator","level":"INFO"'), "order"),
        (GOOD.replace(b'"plugin":"stress_ng"', b'"other":"stress_ng"'), "order"),
        (GOOD + b" ", "around"),
        (GOOD[:-1], "delimiter"),
        (GOOD + GOOD, "Extra data"),
        (b"[1]", "no object"),
        (b"", "Expecting value"),
    ],
)
def test_a_broken_line_is_seen(broken: bytes, why: str) -> None:
    with pytest.raises(BadLineError, match=why):
        parse_line(broken)


def test_framing() -> None:
    assert parse_bytes(b"") == []
    assert len(parse_bytes(GOOD + b"\n" + GOOD + b"\n")) == 2
    for content in (GOOD, GOOD + b"\n\n", b"\n" + GOOD + b"\n", GOOD + b"\r\n"):
        with pytest.raises(BadLineError):
            parse_bytes(content)
