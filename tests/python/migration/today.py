"""A stand-in for the logging module of today's runners, as far as the runner beside it uses it: a rotating file, one
JSON object a line, and no Loki unless it is enabled. Written from what is known of its behaviour, not from its code.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FIELDS = ("event_type", "workload", "package", "plugin", "scenario", "repetition")


class JsonlLogFormatter(logging.Formatter):
    def __init__(self, *, component: str, host: str, run_id: str, tags: Any = None, **fields: Any) -> None:
        super().__init__()
        self.identity = {"component": component, "host": host, "run_id": run_id}
        self.fields = {"event_type": "log", **{name: value for name, value in fields.items() if value is not None}}
        self.tags = dict(tags or {})

    def format(self, record: logging.LogRecord) -> str:
        tags = dict(self.tags)
        if getattr(record, "lb_phase", None):
            tags["phase"] = record.__dict__["lb_phase"]
        tags.update(getattr(record, "lb_tags", None) or {})
        own = {name: getattr(record, f"lb_{name}", None) for name in FIELDS}
        line = {
            "timestamp": datetime.fromtimestamp(record.created, timezone.utc).isoformat().replace("+00:00", "Z"),
            "level": record.levelname,
            **self.identity,
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields,
            **{name: value for name, value in own.items() if value is not None},
        }
        return json.dumps({**line, "tags": tags} if tags else line, ensure_ascii=False)


class JsonlLogHandler(logging.handlers.RotatingFileHandler):
    def __init__(
        self,
        *,
        output_dir: Path | str,
        component: str,
        host: str,
        max_bytes: int = 0,
        backup_count: int = 0,
        **more: Any,
    ) -> None:
        path = Path(output_dir) / "logs" / f"{component}-{host}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=max_bytes, backupCount=backup_count, encoding="utf-8")
        self.setFormatter(JsonlLogFormatter(component=component, host=host, **more))


def attach_jsonl_handler(logger: logging.Logger, **arguments: Any) -> JsonlLogHandler:
    handler = JsonlLogHandler(**arguments)
    logger.addHandler(handler)
    return handler


def attach_loki_handler(logger: logging.Logger, *, enabled: bool | None = None, **arguments: Any) -> None:  # noqa: ARG001
    assert not enabled, "this stand-in knows no Loki"
