"""A handler of the standard library's `logging` that writes our log."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from lb_log._native import HandlerBase

if TYPE_CHECKING:
    from lb_log._native import Core
    from lb_log._types import Stats

#: What formatters leave in a record.
_LEFT_BEHIND = ["message", "asctime"]

#: How long a closed handler's log waits for the next one, seconds.
_LINGER = 5.0


class Handler(HandlerBase, logging.Handler):
    """Logs the records of `logging` into a JSONL file that survives the program.

    The arguments are those of `Logger`, and `level` as for every handler. A record's own time, level,
    logger and message are kept; a formatter's text becomes the message. `extra` becomes tags, an
    exception the tag `exception`, a stack the tag `stack`. A level of one's own becomes the next lower
    one, its name the tag `level_name`.

    `handle` and `emit` are native and take no lock; a subclass that has an `emit` of its own is called
    under the handler's lock, as always.

    ValueError with every mistake in the arguments, each named; OSError where a folder or file cannot be
    used. Afterwards nothing is raised: errors go to `handleError`.
    """

    _core: Core

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        component: str | None = None,
        host: str | None = None,
        run_id: str | None = None,
        workload: str | None = None,
        repetition: int | None = None,
        scenario: str | None = None,
        output_dir: object = None,
        config: object = None,
        **settings: object,
    ) -> None:
        logging.Handler.__init__(self, level)
        arguments = {
            "component": component,
            "host": host,
            "run_id": run_id,
            "workload": workload,
            "repetition": repetition,
            "scenario": scenario,
            "output_dir": output_dir,
            "config": config,
            **settings,
        }
        fresh = logging.LogRecord("", 0, "", 0, "", None, None)
        emits_itself = type(self).emit is not HandlerBase.emit
        self._core = self._open(arguments, fresh, _LEFT_BEHIND, emits_itself)

    @property
    def path(self) -> str:
        """The log file, absolute."""
        return self._core.path

    def stats(self) -> Stats:
        """One consistent snapshot of this process's accounting for the file."""
        return self._core.stats()

    def flush(self) -> None:
        """Waits until everything that was logged before is in the file, at most 5 s. Never for Loki."""
        try:
            self._core.flush()
        except OSError as error:
            _say(error)

    def close(self) -> None:
        """As `flush`. The log stays open for 5 s more, for a next handler, and is shipped to Loki behind
        the program's back; the end of the program waits for Loki at most 1 s."""
        try:
            self._core.release(_LINGER)
        except OSError as error:
            _say(error)
        logging.Handler.close(self)


def handle_error(handler: logging.Handler, record: logging.LogRecord, error: BaseException) -> None:
    """Lets `handleError` find an error where it looks for one."""
    try:
        raise error
    except type(error):
        handler.handleError(record)


def _say(error: OSError) -> None:
    if logging.raiseExceptions and sys.stderr is not None:
        sys.stderr.write(f"lb-log: {error}\n")
