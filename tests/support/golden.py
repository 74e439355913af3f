"""A second, slow and obvious encoder of schema version 1, and the golden cases that every language reads.

`schema/golden/cases.json` is a list of cases. A case has
  name      what it is about
  context   the constant fields, as the core's context takes them (JSON object)
  record    level (name), timestamp_ns (integer), message, and tags: a list of [key, type, value];
            types are string, integer, unsigned, number, boolean, null; a number's value is text ("0.1", "NaN",
            "Infinity", "-Infinity", "-0.0"), so that no reader's JSON parser can round it;
            any text may instead be {"base64": "…"}, for bytes that are not UTF-8
  nonfinite how many NaN or infinite values the encoder has to count (left out: 0)
  line      the expected line, without its newline
`schema/golden/records.jsonl` holds the same lines alone. `python -m support.golden --write` (in tests/) computes both
anew from the inputs; the tests fail when they differ from what is committed.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
import sys
from typing import Any

from support.paths import GOLDEN_CASES, GOLDEN_LINES

Case = dict[str, Any]

SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text_bytes(value: str | dict[str, str]) -> bytes:
    """The bytes of a text of a case."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value.encode()


def quote(raw: bytes) -> str:
    """A JSON string: only what must be escaped is escaped, each maximal invalid part of UTF-8 is one U+FFFD."""
    out = []
    for char in raw.decode("utf-8", "replace"):
        if char in SHORT_ESCAPES:
            out.append(SHORT_ESCAPES[char])
        elif ord(char) < 0x20:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number: plain from 1e-5 up to below 1e16, else with an exponent."""
    if not math.isfinite(value):
        return "null"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return sign + "0.0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    if -5 < point <= 16:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if point >= len(digits):
            return f"{sign}{digits}{'0' * (point - len(digits))}.0"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    shown = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{shown}e{point - 1:+d}" if point > 0 else f"{sign}{shown}e{point - 1}"


def timestamp_text(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nine digits."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def context_value(value: Any) -> str:
    """A tag of a context: a JSON value; what is nested becomes its JSON text."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        return quote(value.encode())
    return quote(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def tag_value(kind: str, value: Any) -> str:
    """A tag of a record, by its type."""
    if kind == "string":
        return quote(text_bytes(value))
    if kind in ("integer", "unsigned"):
        low, high = (-(2**63), 2**63) if kind == "integer" else (0, 2**64)
        if not low <= value < high:
            raise ValueError(f"{value} is no {kind}")
        return str(value)
    if kind == "number":
        return number_text(float(value))
    if kind == "boolean":
        return json.dumps(bool(value))
    if kind == "null":
        return "null"
    raise ValueError(f"no such type: {kind}")


def encode(case: Case) -> str:
    """The line of a case, without its newline."""
    context, record = case["context"], case["record"]
    fields = [("timestamp", f'"{timestamp_text(record["timestamp_ns"])}"'), ("level", f'"{record["level"]}"')]
    fields += [(name, quote(context[name].encode())) for name in ("component", "host", "run_id", "logger")]
    fields.append(("message", quote(text_bytes(record["message"]))))
    fields.append(("event_type", quote(context.get("event_type", "log").encode())))
    fields.append(("workload", quote(context.get("workload", "none").encode())))
    fields.append(("repetition", str(context.get("repetition", 1))))
    fields += [
        (name, quote(context[name].encode()))
        for name in ("scenario", "package", "plugin")
        if context.get(name) is not None
    ]
    # A later tag takes the place of an earlier one of the same name; names are compared as they are written.
    tags: dict[str, str] = {}
    pairs = [(quote(key.encode()), context_value(value)) for key, value in context.get("tags", {}).items()]
    pairs += [(quote(text_bytes(key)), tag_value(kind, value)) for key, kind, value in record.get("tags", [])]
    for key, value in pairs:
        tags.pop(key, None)
        tags[key] = value
    if tags:
        fields.append(("tags", "{" + ",".join(f"{key}:{value}" for key, value in tags.items()) + "}"))
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


def nonfinite(case: Case) -> int:
    """How many values of a case are NaN or infinite."""
    return sum(
        kind == "number" and not math.isfinite(float(value)) for _, kind, value in case["record"].get("tags", [])
    )


def load() -> list[Case]:
    """The committed cases."""
    cases: list[Case] = json.loads(GOLDEN_CASES.read_text(encoding="utf-8"))
    return cases


def cases_text(cases: list[Case]) -> str:
    """The committed form: a case a block, a part a line."""
    blocks = []
    for case in cases:
        case = {**case, "line": encode(case)}
        parts = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in case.items()]
        blocks.append(" {\n" + ",\n".join(parts) + "\n }")
    return "[\n" + ",\n".join(blocks) + "\n]\n"


def lines_text(cases: list[Case]) -> str:
    """The lines alone."""
    return "".join(encode(case) + "\n" for case in cases)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m support.golden --write")
    current = load()
    GOLDEN_CASES.write_text(cases_text(current), encoding="utf-8")
    GOLDEN_LINES.write_text(lines_text(current), encoding="utf-8")
