"""`configure_logging`: the root logger of a program, and structlog's where it is there."""

from __future__ import annotations

import importlib
import importlib.util
import json as json_module
import logging
import sys
import time
from typing import Any

from lb_log._dropin import arguments


def configure_logging(
    *,
    level: str | int | None = None,
    debug: bool = False,
    log_file: str | None = None,
    json: bool | None = None,
    jsonl_handler: logging.Handler | None = None,
    loki_handler: logging.Handler | None = None,
    force: bool = False,
) -> None:
    """Set up the root logger: its level, text or JSON to stderr and to `log_file`, and the handlers given.

    What is not given comes from `LB_LOG_LEVEL` (a name or a number; WARNING unless set), `LB_LOG_JSON` and
    `LB_LOG_FILE`; `debug` goes over any level. A root logger that has handlers is left as it is, unless `force`
    closes and replaces them. structlog is configured to log through `logging` where it is installed. ValueError
    names an argument that is wrong.
    """
    if json is None:
        json = arguments.truth_variable("LB_LOG_JSON")
    chosen = logging.DEBUG if debug else _level(level)
    root = logging.getLogger()
    structlog = importlib.import_module("structlog") if importlib.util.find_spec("structlog") else None
    if force or not root.handlers:
        formatter = _plain_formatter(bool(json)) if structlog is None else _structlog_formatter(structlog, bool(json))
        streams: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
        file = arguments.variable("LB_LOG_FILE") if log_file is None else log_file
        if file:
            streams.append(logging.FileHandler(file, encoding="utf-8"))
        for stream in streams:
            stream.setFormatter(formatter)
        wanted = [handler for handler in [*streams, jsonl_handler, loki_handler] if handler is not None]
        for handler in [*root.handlers]:
            root.removeHandler(handler)
            if handler not in wanted:
                handler.close()
        root.setLevel(chosen)
        for handler in wanted:
            root.addHandler(handler)
    if structlog is not None:
        structlog.configure(
            processors=[*_before(structlog), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )


def _level(level: str | int | None) -> int:
    if level:
        return _number("level", level)
    given = arguments.variable("LB_LOG_LEVEL")
    return logging.WARNING if given is None else _number("LB_LOG_LEVEL", given)


def _number(name: str, level: object) -> int:
    if isinstance(level, str):
        text = level.strip().upper()
        level = int(text) if text.isdecimal() else {"TRACE": 5}.get(text, logging.getLevelName(text))
    if isinstance(level, bool) or not isinstance(level, int):
        raise ValueError(f"{name}: expected a level such as INFO or 20, found {level!r}")
    return level


def _before(structlog: Any) -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _structlog_formatter(structlog: Any, json: bool) -> logging.Formatter:
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    formatter: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        processor=renderer, foreign_pre_chain=_before(structlog)
    )
    return formatter


def _plain_formatter(json: bool) -> logging.Formatter:
    formatter = (
        _JsonFormatter() if json else logging.Formatter("%(asctime)s.%(msecs)03dZ [%(levelname)-8s] %(message)s")
    )
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = ""
    formatter.converter = time.gmtime
    return formatter


class _JsonFormatter(logging.Formatter):
    """For the console: the event as structlog would render it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": f"{self.formatTime(record)}.{int(record.msecs):03}Z",
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json_module.dumps(line)
