"""Handlers of the drop-in, and what is in their files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lb_log import JsonlLogHandler, attach_jsonl_handler

from support.records import Record, read_log

IDENTITY: dict[str, Any] = {"component": "runner", "host": "node-1", "run_id": "run-1"}


def attached(logger: logging.Logger, folder: Path, **more: Any) -> JsonlLogHandler:
    return attach_jsonl_handler(logger, output_dir=folder, **IDENTITY, **more)


def records(handler: JsonlLogHandler) -> list[Record]:
    """What is in its file, behind a flush."""
    handler.flush()
    return read_log(Path(handler.baseFilename))
