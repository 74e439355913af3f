"""A handler's voice: everything that is known before the record comes, so that little is left to do for each."""

from __future__ import annotations

import logging
from typing import Any

from lb_log._dropin.formatter import JsonlLogFormatter
from lb_log._dropin.record import Fields, Tell, described, time_of
from lb_log._dropin.runs import Log

# So many combinations of logger and fields are kept by a handler.
MOST_CONTEXTS = 4096
_PLAIN = logging.Formatter()


class Voice:
    """Writes records of a handler into a log."""

    def __init__(
        self, log: Log, formatter: logging.Formatter | None, fields: Fields, tags: dict[str, Any], tell: Tell
    ) -> None:
        self.log = log
        self.formatter = formatter
        self._foreign = None if isinstance(formatter, JsonlLogFormatter) else formatter
        self._tracer = formatter if isinstance(formatter, logging.Formatter) else _PLAIN
        self._fields = fields
        self._tags = tags
        self._tell = tell
        self._contexts: dict[str | tuple[str, Fields], int] = {}

    def write(self, record: logging.LogRecord) -> None:
        """Hand the record to the log, unless a handler of this file has done so."""
        seen = self.log.seen
        if seen.has(record):
            return
        message, fields, tags = described(record, self._fields, self._tracer, self._tell)
        if self._foreign is not None:
            message = self._foreign.format(record)
        context = self._contexts.get(record.name if fields is self._fields else (record.name, fields))
        if context is None:
            context = self._context(record.name, fields)
        self.log.core.log(context, record.levelno, message, time_of(record), tags)
        seen.add(record)

    def _context(self, logger: str, fields: Fields) -> int:
        if len(self._contexts) >= MOST_CONTEXTS:
            self._contexts.clear()
        context = self.log.core.context({**fields.given(), "logger": logger or "", "tags": self._tags})
        self._contexts[logger if fields is self._fields else (logger, fields)] = context
        return context
