"""What a LogRecord says beside its message: fields of our record, and tags."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lb_log._dropin import arguments, levels


class Fields(NamedTuple):
    """The fields of our record that a handler or a formatter supplies; None: not set."""

    component: str
    host: str
    run_id: str
    event_type: str = "log"
    workload: str | None = None
    repetition: int | None = None
    scenario: str | None = None
    package: str | None = None
    plugin: str | None = None

    @classmethod
    def checked(
        cls,
        *,
        component: str,
        host: str,
        run_id: str,
        event_type: str = "log",
        workload: str | None = None,
        repetition: int | None = None,
        scenario: str | None = None,
        package: str | None = None,
        plugin: str | None = None,
    ) -> Fields:
        """From arguments: ValueError names the one that is wrong."""
        return cls(
            arguments.text("component", component),
            arguments.text("host", host),
            arguments.text("run_id", run_id),
            arguments.text("event_type", event_type),
            arguments.optional_text("workload", workload),
            arguments.repetition("repetition", repetition),
            arguments.optional_text("scenario", scenario),
            arguments.optional_text("package", package),
            arguments.optional_text("plugin", plugin),
        )

    def given(self) -> dict[str, Any]:
        """Those that are set."""
        return {name: value for name, value in zip(self._fields, self, strict=True) if value is not None}

    def over(self, others: Fields) -> Fields:
        """These, and where one is not set that of the others."""
        return Fields._make(theirs if own is None else own for own, theirs in zip(self, others, strict=True))


Tell = Callable[[logging.LogRecord], None]
"""Somebody who hears of an error while it is handled, as `logging.Handler.handleError` does."""

_ATTRIBUTES = {f"lb_{name}": name for name in Fields._fields}
_PLAIN = logging.makeLogRecord({}).__dict__
_USUAL = len(_PLAIN)
# `message` and `asctime` are left behind by formatters, `taskName` is there from Python 3.12 on.
_STANDARD = frozenset(_PLAIN) | {"message", "asctime", "taskName"}


def _extra(record: logging.LogRecord) -> dict[str, Any] | None:
    """The attributes that not every record has: `extra`, and what filters have set."""
    attributes = record.__dict__
    if len(attributes) <= _USUAL:
        return None
    return {name: value for name, value in attributes.items() if name not in _STANDARD} or None


def _fields(extra: Mapping[str, Any], fields: Fields) -> Fields:
    """`fields`, where the record has none of its own. ValueError: a repetition that is none."""
    own = {}
    for attribute, value in extra.items():
        name = _ATTRIBUTES.get(attribute)
        if name is not None and value is not None and value != "":
            own[name] = _field(attribute, value)
    return fields._replace(**own) if own else fields


def _field(attribute: str, value: Any) -> Any:
    if attribute != "lb_repetition":
        return arguments.cut(value)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    return arguments.repetition(attribute, value)


def _tags(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The tags that a record's own attributes make; the later ones win."""
    labels = _mapping(extra.get("lb_labels"))
    tags = {str(name): value for name, value in labels.items() if value is not None} if labels else {}
    # A name that begins with an underscore is somebody's bookkeeping, such as structlog's.
    tags.update({name: value for name, value in extra.items() if not name.startswith(("lb_", "_"))})
    if extra.get("lb_phase"):
        tags["phase"] = str(extra["lb_phase"])
    for name, value in _mapping(extra.get("lb_tags")).items():
        tags[str(name)] = value
    return tags


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def described(
    record: logging.LogRecord, fields: Fields, formatter: logging.Formatter, tell: Tell
) -> tuple[str, Fields, dict[str, Any] | None]:
    """The record's message, its fields (`fields` themselves where it has none of its own), and its tags.

    Tracebacks are written by the formatter. A message that cannot be filled in is told, and better than none.
    Nothing is left in the record.
    """
    tags: dict[str, Any] | None = None
    extra = _extra(record)
    if extra is None:
        message = _message(record, tell)
    else:
        fields, tags = _fields(extra, fields), _tags(extra)
        if "_logger" in extra and isinstance(record.msg, dict):
            message, event = _of_structlog(record.msg, formatter)
            tags = {**event, **tags}
        else:
            message = _message(record, tell)
    if record.exc_text or record.exc_info or record.stack_info:
        tags = {**(tags or {}), **_traces(record, formatter)}
    if record.levelno not in levels.NAMES:
        tags = {**(tags or {}), "level_name": record.levelname}
    return message, fields, tags


def _message(record: logging.LogRecord, tell: Tell) -> str:
    try:
        return record.getMessage()
    except RecursionError:
        raise
    except Exception:
        tell(record)
    return record.msg if isinstance(record.msg, str) else f"<unprintable {type(record.msg).__name__}>"


def _of_structlog(event: Mapping[str, Any], formatter: logging.Formatter) -> tuple[str, dict[str, Any]]:
    """Message and tags of an event that structlog has handed over as a mapping."""
    tags = {str(name): value for name, value in event.items()}
    message = str(tags.pop("event", ""))
    # The record has both itself.
    for name in ("level", "timestamp"):
        tags.pop(name, None)
    error = tags.pop("exc_info", None)
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if error and (info := error if isinstance(error, tuple) else sys.exc_info())[0] is not None:
        tags["exception"] = formatter.formatException(info)
    if stack := tags.pop("stack_info", None):
        tags["stack"] = stack
    return message, tags


def _traces(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, str]:
    tags = {}
    if record.exc_text:
        tags["exception"] = record.exc_text
    elif record.exc_info and record.exc_info[0] is not None:
        tags["exception"] = formatter.formatException(record.exc_info)
    if record.stack_info:
        tags["stack"] = formatter.formatStack(record.stack_info)
    return tags


def time_of(record: logging.LogRecord) -> int:
    """Nanoseconds since 1970."""
    whole = int(record.created)
    return whole * 1_000_000_000 + round((record.created - whole) * 1e9)
