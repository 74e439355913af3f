"""Reading a log file strictly: framing, JSON without duplicate keys, the schema, and the order of the fields."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

from support.paths import SCHEMA

Record = dict[str, Any]

FIELDS = [
    "timestamp",
    "level",
    "component",
    "host",
    "run_id",
    "logger",
    "message",
    "event_type",
    "workload",
    "repetition",
    "scenario",
    "package",
    "plugin",
    "tags",
]


class BadLineError(AssertionError):
    """A line that does not obey the contract; the message says which and why."""


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    """The committed schema, checked itself."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For object_pairs_hook: duplicate keys are an error, not the last one wins."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        raise BadLineError(f"duplicate keys: {doubled}")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise BadLineError(f"{name} is no JSON")


def parse_line(line: bytes) -> Record:
    """One line without its newline, checked against everything that the schema and its rules say."""
    try:
        text = line.decode("utf-8")
        record = json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)
    except (ValueError, BadLineError) as error:
        raise BadLineError(f"{error}: {line[:300]!r}") from None
    if not isinstance(record, dict):
        raise BadLineError(f"no object: {line[:300]!r}")
    positions = [FIELDS.index(key) if key in FIELDS else -1 for key in record]
    if positions != sorted(positions):
        raise BadLineError(f"fields out of order, {list(record)}: {line[:300]!r}")
    if text[0] != "{" or text[-1] != "}" or "\r" in text:
        raise BadLineError(f"something around the object: {line[:300]!r}")
    problem = next(iter(validator().iter_errors(record)), None)
    if problem is not None:
        raise BadLineError(f"{problem.message}: {line[:300]!r}")
    return record


def parse_bytes_fast(content: bytes) -> list[Record]:
    """parse_bytes for very many lines: the schema in full for each 50th, framing and JSON for all."""
    if not content.endswith(b"\n"):
        raise BadLineError(f"the last line is cut: {content[-300:]!r}")
    records = []
    for number, line in enumerate(content[:-1].split(b"\n")):
        try:
            record = json.loads(line, object_pairs_hook=unique) if number % 50 else parse_line(line)
        except ValueError as error:
            raise BadLineError(f"{error}: {line[:300]!r}") from None
        records.append(record)
    return records


def parse_bytes(content: bytes) -> list[Record]:
    """All records of a file's content: each line ends with one newline, no line is empty."""
    if not content:
        return []
    if not content.endswith(b"\n"):
        raise BadLineError(f"the last line is cut: {content[-300:]!r}")
    return [parse_line(line) for line in content[:-1].split(b"\n")]


def read_log(path: Path) -> list[Record]:
    """All records of a log file."""
    return parse_bytes(path.read_bytes())
