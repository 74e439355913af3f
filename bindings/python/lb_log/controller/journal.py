"""The controller's own log: the one place that knows how `lb_log` records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lb_log

from .events import Event

#: How long a close may wait for the file and Loki, seconds.
_CLOSE_S = 5.0


class Journal:
    """Events as records, each with the identity of the host, workload and repetition that it belongs to."""

    def __init__(self, run_id: str, output_dir: Path, loki: Mapping[str, Any] | None) -> None:
        config: dict[str, Any] = {"logger": "lb_controller", "workload": "none", "repetition": 1}
        if loki is not None:
            config["loki"] = dict(loki)
        self._logger = lb_log.Logger(component="controller", run_id=run_id, output_dir=str(output_dir), config=config)
        self._bound: dict[tuple[object, ...], lb_log.Logger] = {}

    @property
    def path(self) -> str:
        """The log file."""
        return str(self._logger.path)

    def record(self, event: Event) -> None:
        """Never raises: what cannot be recorded is counted."""
        fields = {
            "event_type": event.event_type,
            "host": event.host,
            "workload": event.workload,
            "repetition": event.repetition,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        tags = dict(event.tags)
        if event.phase is not None:
            tags["phase"] = event.phase
        try:
            logger = self._for(given)
        except ValueError:
            # There are more identities than a log can keep apart: tags can.
            logger, tags = self._logger, {**given, **tags}
        logger.log(event.level, event.message, **tags)

    def close(self) -> str | None:
        """Closes it; why not every record is in the file, if so."""
        error = ""
        try:
            self._logger.close(_CLOSE_S)
        except Exception as raised:
            error = f": {raised}"
        stats = self._logger.stats()
        lost = [f"{stats[name]} {name}" for name in ("queued", "dropped", "rejected") if stats[name]]
        return f"records that are not in the file: {', '.join(lost)}{error}" if lost else None

    def _for(self, fields: Mapping[str, str | int]) -> lb_log.Logger:
        key = tuple(fields.items())
        logger = self._bound.get(key)
        if logger is None:
            logger = self._bound[key] = self._logger.bind(**fields)
        return logger
