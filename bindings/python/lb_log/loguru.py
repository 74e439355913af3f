"""A sink for loguru, whose messages become records.

    from loguru import logger
    logger.add(lb_log.loguru.Sink(component="runner"), level="TRACE", format="{message}")
    logger.bind(workload="cpu", repetition=3).info("started on {cores} cores", cores=4)

What is bound as `run_id`, `workload`, `repetition`, `component`, `host`, `scenario`, `package`, `plugin`, `logger` or
`event_type` is the record's own; the rest of `extra` becomes tags, tracebacks the tag `exception`.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from lb_log import _outside

if TYPE_CHECKING:
    from loguru import Message

__all__ = ["Sink"]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


class Sink:
    """What `loguru.logger.add` takes. The arguments are those of `lb_log.Logger`."""

    def __init__(self, **settings: Any) -> None:
        self._recorder = _outside.Recorder(settings)

    def __call__(self, message: Message) -> None:
        record = message.record
        fields: dict[str, Any] = dict(record["extra"])
        fields.setdefault("logger", record["name"] or "root")
        level = record["level"]
        if level.name not in LEVELS:
            fields.setdefault("level_name", level.name)
        if record["exception"] and (text := _outside.exception_text(tuple(record["exception"]))):
            fields["exception"] = text
        timestamp_ns = (record["time"] - EPOCH) // MICROSECOND * 1000
        self._recorder.record(level.no, record["message"], fields, timestamp_ns)

    def flush(self) -> None:
        """Everything that was logged before is in the file."""
        self._recorder.core.flush()

    def close(self) -> None:
        """Waits for file and Loki, five seconds at most, and lets the file go."""
        self._recorder.core.close()
