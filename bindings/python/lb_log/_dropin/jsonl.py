"""The handler that writes the log file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lb_log._dropin import arguments, runs
from lb_log._dropin.formatter import JsonlLogFormatter
from lb_log._dropin.handler import RecordHandler
from lb_log._dropin.paths import DEFAULT_JSONL_TEMPLATE, absolute, resolve_jsonl_path
from lb_log._dropin.record import Fields
from lb_log._dropin.runs import Log

# The smallest segment that the core rotates, bytes.
LEAST_BYTES = 4096


class JsonlLogHandler(RecordHandler):
    """Writes records to a JSONL file that other handlers, processes and programs may write to at the same time.

    A record is safe from SIGKILL when the call that logs it returns. `output_dir` is the run's own folder. The file is
    rotated before it would grow beyond `max_bytes` (bytes; at least 4 KiB), and `backup_count` rotated files are kept;
    without backups it is never rotated. `close` is `flush`: it returns when all records are in the file, and waits for
    nothing else. ValueError names an argument that is wrong; OSError where the file cannot be had.
    """

    def __init__(
        self,
        *,
        output_dir: Path | str,
        component: str,
        host: str,
        run_id: str,
        path_template: str = DEFAULT_JSONL_TEMPLATE,
        event_type: str = "log",
        workload: str | None = None,
        package: str | None = None,
        plugin: str | None = None,
        scenario: str | None = None,
        repetition: int | None = None,
        tags: Mapping[str, Any] | None = None,
        max_bytes: int = 0,
        backup_count: int = 0,
    ) -> None:
        formatter = JsonlLogFormatter(
            component=component,
            host=host,
            run_id=run_id,
            event_type=event_type,
            workload=workload,
            package=package,
            plugin=plugin,
            scenario=scenario,
            repetition=repetition,
            tags=tags,
        )
        super().__init__(formatter.fields, formatter.tags)
        self.setFormatter(formatter)
        self.maxBytes = arguments.whole("max_bytes", max_bytes)
        self.backupCount = arguments.whole("backup_count", backup_count)
        path = resolve_jsonl_path(path_template, output_dir=output_dir, component=component, host=host, run_id=run_id)
        self.baseFilename = os.fspath(path)
        template, folder = absolute(path_template, output_dir)
        rotates = bool(self.maxBytes and self.backupCount)
        self._settings = runs.settings(
            self.run.identity,
            output_dir=folder,
            jsonl={
                "log_path": template,
                "log_rotate_bytes": max(self.maxBytes, LEAST_BYTES) if rotates else "off",
                "log_backups": self.backupCount if rotates else None,
            },
        )
        self.log: Log | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        log = self._open()
        try:
            log.core.context({**formatter.fields.given(), "tags": formatter.tags})
        except ValueError as error:
            self.close()
            raise ValueError(f"tags: {error}") from None

    def speak_into(self) -> Log:
        """The log to write into, also behind a close: a folder that somebody has deleted since then stays away."""
        if self.log is None:
            if not Path(self.baseFilename).parent.is_dir():
                raise FileNotFoundError(f"{self.baseFilename}: the handler is closed, and its folder is gone")
            return self._open()
        return self.log

    def _open(self) -> Log:
        with runs.lock:
            self.log = log = Log(self._settings)
            self.run.last = (Path(self.baseFilename).parent, self._settings)
            self.run.add_writer(self)
        return log

    def context(self) -> tuple[Fields, dict[str, Any]]:
        """What its formatter supplies; where that is a foreign one, what the handler was made with."""
        if isinstance(self.formatter, JsonlLogFormatter):
            return self.formatter.fields, self.formatter.tags
        return self.fields, self.tags

    def flush(self) -> None:
        """Return when everything that was logged is in the file."""
        log = self.log
        if log is not None:
            log.flush()

    def close(self) -> None:
        """The same, and leave the file to the next handler for it. A record that comes later opens it again."""
        with runs.lock:
            log, self.log = self.log, None
            self.run.remove_writer(self)
        if log is not None:
            log.release()
        super().close()


def build_jsonl_handler(
    *,
    output_dir: Path | str,
    component: str,
    host: str,
    run_id: str,
    path_template: str | None = None,
    event_type: str = "log",
    workload: str | None = None,
    package: str | None = None,
    plugin: str | None = None,
    scenario: str | None = None,
    repetition: int | None = None,
    tags: Mapping[str, Any] | None = None,
    max_bytes: int | None = None,
    backup_count: int | None = None,
) -> JsonlLogHandler:
    """A JSONL handler; what is not given comes from the environment.

    `LB_JSONL_LOG_PATH` is the template, `LB_JSONL_LOG_ROTATE_BYTES` and `LB_JSONL_LOG_BACKUPS` the limits.
    """
    if path_template is None:
        path_template = arguments.variable("LB_JSONL_LOG_PATH") or DEFAULT_JSONL_TEMPLATE
    if max_bytes is None:
        max_bytes = arguments.size_variable("LB_JSONL_LOG_ROTATE_BYTES") or 0
    if backup_count is None:
        backup_count = arguments.whole_variable("LB_JSONL_LOG_BACKUPS") or 0
    return JsonlLogHandler(
        output_dir=output_dir,
        component=component,
        host=host,
        run_id=run_id,
        path_template=path_template,
        event_type=event_type,
        workload=workload,
        package=package,
        plugin=plugin,
        scenario=scenario,
        repetition=repetition,
        tags=tags,
        max_bytes=max_bytes,
        backup_count=backup_count,
    )


def attach_jsonl_handler(
    logger: logging.Logger,
    *,
    output_dir: Path | str,
    component: str,
    host: str,
    run_id: str,
    path_template: str | None = None,
    event_type: str = "log",
    workload: str | None = None,
    package: str | None = None,
    plugin: str | None = None,
    scenario: str | None = None,
    repetition: int | None = None,
    tags: Mapping[str, Any] | None = None,
    max_bytes: int | None = None,
    backup_count: int | None = None,
) -> JsonlLogHandler:
    """The same, added to a logger."""
    handler = build_jsonl_handler(
        output_dir=output_dir,
        component=component,
        host=host,
        run_id=run_id,
        path_template=path_template,
        event_type=event_type,
        workload=workload,
        package=package,
        plugin=plugin,
        scenario=scenario,
        repetition=repetition,
        tags=tags,
        max_bytes=max_bytes,
        backup_count=backup_count,
    )
    logger.addHandler(handler)
    return handler
