"""What handlers are made with, checked: a wrong argument is a ValueError that names it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Any

# The longest field of a record, apart from its message.
MOST_BYTES = 1024


def _wrong(name: str, expected: str, value: object) -> ValueError:
    found = repr(value)
    return ValueError(f"{name}: expected {expected}, found {found if len(found) <= 100 else found[:100] + '…'}")


def text(name: str, value: object) -> str:
    """A text that can be a record's field."""
    if not isinstance(value, str) or not 0 < len(value.encode(errors="replace")) <= MOST_BYTES:
        raise _wrong(name, f"a text of 1 to {MOST_BYTES} bytes", value)
    return value


def cut(value: object) -> str:
    """A text that can be a record's field, of anything."""
    text = str(value)
    return text if len(text) <= MOST_BYTES // 4 else text.encode(errors="replace")[:MOST_BYTES].decode(errors="ignore")


def optional_text(name: str, value: object) -> str | None:
    """A text; none at all and an empty one are the same."""
    if value is None or value == "":
        return None
    return text(name, value)


def repetition(name: str, value: object) -> int | None:
    """A repetition, from 1."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(name, "a whole number from 1", value)
    return value


def mapping(name: str, value: object) -> dict[str, Any]:
    """Names and values; names become text."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(name, "names and values", value)
    return {str(key): item for key, item in value.items()}


def whole(name: str, value: object, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number; one beyond the bounds stands for the bound."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, "a whole number", value)
    return min(max(least, value), most)


def optional_whole(name: str, value: object, least: int, most: int) -> int | None:
    """The same, or none."""
    return None if value is None else whole(name, value, least, most)


def optional_decimal(name: str, value: object, least: float, most: float) -> float | None:
    """A number; one beyond the bounds stands for the bound."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise _wrong(name, "a number", value)
    return min(max(least, float(value)), most)


def path(name: str, value: object) -> str:
    """A path, `~` resolved."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise _wrong(name, "a path", value)
    text = os.fspath(value)
    if isinstance(text, bytes):
        raise _wrong(name, "a path as text", value)
    return os.path.expanduser(text)  # noqa: PTH111 - a template is no path yet.


def variable(name: str) -> str | None:
    """A variable of the environment; an empty one is none."""
    return os.environ.get(name) or None


def whole_variable(name: str) -> int | None:
    """A variable that is a whole number. ValueError names it."""
    value = variable(name)
    if value is None:
        return None
    try:
        return max(0, int(value))
    except ValueError:
        raise ValueError(f"{name}: expected a whole number, found {value!r}") from None


_SIZE = re.compile(r"(\d+) *(|B|KB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def size_variable(name: str) -> int | None:
    """A variable that is a number of bytes, also as `100MiB` or `off`. ValueError names it."""
    value = variable(name)
    if value is None or value == "off":
        return None
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"{name}: expected bytes, such as 1000000 or 100MiB, found {value!r}")
    return int(found[1]) * _UNITS[found[2]]


def truth_variable(name: str) -> bool | None:
    """A variable that is true or false. ValueError names it."""
    value = variable(name)
    if value is None:
        return None
    if value.strip().lower() in ("1", "true", "yes", "on"):
        return True
    if value.strip().lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{name}: expected true or false, found {value!r}")
