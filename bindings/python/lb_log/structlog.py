"""A processor for structlog, whose events become records.

    structlog.configure(processors=[
        structlog.contextvars.merge_contextvars,
        lb_log.structlog.Processor(component="runner"),
        structlog.dev.ConsoleRenderer(),
    ])
    structlog.get_logger().bind(workload="cpu", repetition=3).info("started", cores=4)

What is bound or given as `run_id`, `workload`, `repetition`, `component`, `host`, `scenario`, `package`, `plugin`,
`logger` or `event_type` is the record's own; the rest becomes tags, tracebacks the tag `exception`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from lb_log import _outside

__all__ = ["Processor"]

LEVELS = {
    "notset": 0,
    "trace": 5,
    "debug": 10,
    "info": 20,
    "msg": 20,
    "warn": 30,
    "warning": 30,
    "error": 40,
    "err": 40,
    "exception": 40,
    "critical": 50,
    "fatal": 50,
}
#: What structlog itself puts among the fields.
ITS_OWN = ("_record", "_from_structlog")


class Processor:
    """Logs each event and hands it on unchanged, or, as the `last` processor, ends it there.

    The other arguments are those of `lb_log.Logger`. It belongs behind what adds fields and before what renders.
    """

    def __init__(self, *, last: bool = False, **settings: Any) -> None:
        self._last = last
        self._recorder = _outside.Recorder(settings)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        try:
            self._log(logger, method, dict(event))
        except Exception as error:
            _outside.tell(error)
        if self._last:
            raise structlog.DropEvent
        return event

    def _log(self, logger: Any, method: str, fields: dict[str, Any]) -> None:
        message = fields.pop("event", "")
        name = str(fields.pop("level", None) or method).lower()
        level = LEVELS.get(name, 20)
        if name not in LEVELS:
            fields.setdefault("level_name", name)
        # The record has a time of its own, to the nanosecond.
        for own in ("timestamp", *ITS_OWN):
            fields.pop(own, None)
        if "logger" not in fields and isinstance(getattr(logger, "name", None), str):
            fields["logger"] = logger.name
        info = fields.pop("exc_info", method == "exception" and "exception" not in fields)
        if text := _outside.exception_text(info):
            fields["exception"] = text
        if fields.pop("stack_info", False):
            fields.setdefault("stack", _stack())
        self._recorder.record(level, message, fields)

    def flush(self) -> None:
        """Everything that was logged before is in the file."""
        self._recorder.core.flush()

    def close(self) -> None:
        """Waits for file and Loki, five seconds at most, and lets the file go."""
        self._recorder.core.close()


def _stack() -> str:
    """Who has called structlog."""
    frame = sys._getframe()
    own = ("lb_log", "structlog")
    while frame.f_back and str(frame.f_globals.get("__name__", "")).split(".")[0] in own:
        frame = frame.f_back
    return "".join(traceback.format_stack(frame)).rstrip("\n")
