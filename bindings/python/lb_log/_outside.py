"""Records that come from other logging libraries, structlog and loguru."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, TypeAlias

from lb_log import _native

#: What of a record's fields says whose it is; everything else is a tag.
IDENTITY = (
    "component",
    "host",
    "run_id",
    "logger",
    "event_type",
    "workload",
    "repetition",
    "scenario",
    "package",
    "plugin",
)
#: The id of a context that there is not: its records are rejected and counted.
NO_CONTEXT = 2**32 - 1
#: So many are remembered.
MOST_CONTEXTS = 4096

ExcInfo: TypeAlias = "tuple[type[BaseException] | None, BaseException | None, TracebackType | None]"


class Recorder:
    """The core of a log file, and the contexts that records have had so far."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.core = _native.Core.open(settings)
        self.contexts: dict[tuple[object, ...], int] = {}

    def record(self, level: int, message: object, fields: dict[str, Any], timestamp_ns: int | None = None) -> None:
        """Logs; `fields` become the record's own or tags. Nothing is raised into the program."""
        try:
            own = {name: fields.pop(name) for name in IDENTITY if name in fields}
            self.core.log(self.context(own), level, message, timestamp_ns, fields or None)
        except Exception as error:
            tell(error)

    def context(self, own: dict[str, Any]) -> int:
        key = tuple(own.items())
        try:
            known = self.contexts.get(key)
        except TypeError:  # A value that cannot be a key.
            return self.new_context(own)
        if known is None:
            known = self.new_context(own)
            if len(self.contexts) >= MOST_CONTEXTS:
                self.contexts.clear()
            self.contexts[key] = known
        return known

    def new_context(self, own: dict[str, Any]) -> int:
        named = {name: value if name == "repetition" else str(value) for name, value in own.items()}
        try:
            return self.core.context({name: value for name, value in named.items() if own[name] is not None})
        except ValueError as error:
            tell(error)
            return NO_CONTEXT


def tell(error: BaseException) -> None:
    """As the standard library tells what went wrong in logging."""
    if logging.raiseExceptions and sys.stderr:
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)


def exception_text(info: object) -> str | None:
    """The traceback of what `exc_info` may be."""
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    elif info and not isinstance(info, tuple):
        info = sys.exc_info()
    if not isinstance(info, tuple) or len(info) != 3 or info[0] is None:
        return None
    return "".join(traceback.format_exception(*info)).rstrip("\n")
