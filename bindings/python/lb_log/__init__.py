"""Benchmark logging: a local JSONL file that survives SIGKILL, and Grafana Loki behind it."""

from importlib import import_module
from typing import TYPE_CHECKING

from lb_log._native import Logger, __version__

if TYPE_CHECKING:
    from lb_log._collecting import Report, collect
    from lb_log._handler import Handler
    from lb_log._reading import ReadWarning, Record, Records, read

__all__ = [
    "Handler",
    "Logger",
    "ReadWarning",
    "Record",
    "Records",
    "Report",
    "__version__",
    "collect",
    "read",
]

#: What is imported when it is first asked for: most programs only log.
_LATER = {
    "Handler": "_handler",
    "ReadWarning": "_reading",
    "Record": "_reading",
    "Records": "_reading",
    "Report": "_collecting",
    "collect": "_collecting",
    "read": "_reading",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value
