"""Benchmark logging: a local JSONL file that survives SIGKILL, and Grafana Loki behind it."""

from importlib import import_module
from typing import TYPE_CHECKING

from lb_log._native import Logger, __version__

if TYPE_CHECKING:
    from lb_log._collecting import Report, collect
    from lb_log._dropin import (
        DEFAULT_JSONL_TEMPLATE,
        JsonlLogFormatter,
        JsonlLogHandler,
        LokiLogEntry,
        LokiPushHandler,
        attach_jsonl_handler,
        attach_loki_handler,
        build_jsonl_handler,
        build_loki_handler,
        build_loki_payload,
        configure_logging,
        normalize_loki_endpoint,
        resolve_jsonl_path,
    )
    from lb_log._handler import Handler
    from lb_log._reading import ReadWarning, Record, Records, read

__all__ = [
    "DEFAULT_JSONL_TEMPLATE",
    "Handler",
    "JsonlLogFormatter",
    "JsonlLogHandler",
    "Logger",
    "LokiLogEntry",
    "LokiPushHandler",
    "ReadWarning",
    "Record",
    "Records",
    "Report",
    "__version__",
    "attach_jsonl_handler",
    "attach_loki_handler",
    "build_jsonl_handler",
    "build_loki_handler",
    "build_loki_payload",
    "collect",
    "configure_logging",
    "normalize_loki_endpoint",
    "read",
    "resolve_jsonl_path",
]

#: What is imported when it is first asked for: most programs only log.
_LATER = {
    "DEFAULT_JSONL_TEMPLATE": "_dropin",
    "Handler": "_handler",
    "JsonlLogFormatter": "_dropin",
    "JsonlLogHandler": "_dropin",
    "LokiLogEntry": "_dropin",
    "LokiPushHandler": "_dropin",
    "ReadWarning": "_reading",
    "Record": "_reading",
    "Records": "_reading",
    "Report": "_collecting",
    "attach_jsonl_handler": "_dropin",
    "attach_loki_handler": "_dropin",
    "build_jsonl_handler": "_dropin",
    "build_loki_handler": "_dropin",
    "build_loki_payload": "_dropin",
    "collect": "_collecting",
    "configure_logging": "_dropin",
    "normalize_loki_endpoint": "_dropin",
    "read": "_reading",
    "resolve_jsonl_path": "_dropin",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value
