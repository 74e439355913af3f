"""The drop-in for runners that log through `logging` today: the names, arguments and meaning that they know.

`lb_log` offers all of it; nothing here is imported before it is asked for.
"""

from lb_log._dropin.formatter import JsonlLogFormatter
from lb_log._dropin.jsonl import JsonlLogHandler, attach_jsonl_handler, build_jsonl_handler
from lb_log._dropin.loki import LokiPushHandler, attach_loki_handler, build_loki_handler
from lb_log._dropin.paths import DEFAULT_JSONL_TEMPLATE, resolve_jsonl_path
from lb_log._dropin.payload import LokiLogEntry, build_loki_payload, normalize_loki_endpoint
from lb_log._dropin.setup import configure_logging

__all__ = [
    "DEFAULT_JSONL_TEMPLATE",
    "JsonlLogFormatter",
    "JsonlLogHandler",
    "LokiLogEntry",
    "LokiPushHandler",
    "attach_jsonl_handler",
    "attach_loki_handler",
    "build_jsonl_handler",
    "build_loki_handler",
    "build_loki_payload",
    "configure_logging",
    "normalize_loki_endpoint",
    "resolve_jsonl_path",
]
