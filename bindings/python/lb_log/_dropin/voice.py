"""A handler's voice: everything that is known before the record comes, so that little is left to do for each."""

from __future__ import annotations

import logging
from typing import Any

from lb_log import _native
from lb_log._dropin import arguments
from lb_log._dropin.formatter import JsonlLogFormatter
from lb_log._dropin.record import Fields, described, time_of
from lb_log._dropin.runs import Log

# So many combinations of logger and fields are kept by a handler.
MOST_CONTEXTS = 4096
# A context that no record has: what claims it is counted as rejected.
_IMPOSSIBLE = 2**32 - 1
_PLAIN = logging.Formatter()
_FRESH = logging.LogRecord("", 0, "", 0, "", None, None)


class Voice:
    """Writes records of a handler into a log."""

    def __init__(self, log: Log, formatter: logging.Formatter | None, fields: Fields, tags: dict[str, Any]) -> None:
        self.log = log
        self.formatter = formatter
        self._foreign = None if isinstance(formatter, JsonlLogFormatter) else formatter
        self._tracer = formatter if isinstance(formatter, logging.Formatter) else _PLAIN
        self._fields = fields
        self._tags = tags
        # By logger, of records that bring no fields of their own; and of the others.
        self._contexts: dict[str, int] = {}
        self._others: dict[tuple[str, Fields], int] = {}
        self._speaker = None
        if self._foreign is None:
            self._speaker = _native.Speaker(log.core, log.seen, self._contexts, _FRESH)

    def write(self, record: logging.LogRecord, handler: logging.Handler) -> None:
        """Hand the record to the log, unless a handler of this file has done so; `handler` hears of errors."""
        # Most records are plain, and go the native way.
        if self._speaker is not None and self._speaker.speak(record):
            return
        seen = self.log.seen
        if seen.has(record):
            return
        try:
            message, fields, tags = described(record, self._fields, self._tracer, handler.handleError)
            context = self._context(record.name, fields)
        except ValueError:
            # Whose it is cannot be said: it is refused, and counted.
            self.log.core.log(_IMPOSSIBLE, record.levelno, "")
            raise
        if self._foreign is not None:
            message = self._foreign.format(record)
        self.log.core.log(context, record.levelno, message, time_of(record), tags)
        seen.add(record)

    def _context(self, logger: str, fields: Fields) -> int:
        own = fields is not self._fields
        known = self._others.get((logger, fields)) if own else self._contexts.get(logger)
        if known is not None:
            return known
        if len(self._contexts) + len(self._others) >= MOST_CONTEXTS:
            self._contexts.clear()
            self._others.clear()
        context = self.log.core.context({**fields.given(), "logger": arguments.cut(logger or ""), "tags": self._tags})
        if own:
            self._others[logger, fields] = context
        else:
            self._contexts[logger] = context
        return context
