"""The formatter that runners set on their handlers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lb_log import _native
from lb_log._dropin import arguments
from lb_log._dropin.record import Fields, described, time_of


class JsonlLogFormatter(logging.Formatter):
    """Supplies a record's identity to a handler of ours; for any other handler it writes the JSON line.

    Every argument is a field of the record; `tags` are names and values that each record carries. Records may bring
    their own (`lb_component lb_host lb_run_id lb_event_type lb_workload lb_package lb_plugin lb_scenario
    lb_repetition lb_phase lb_tags lb_labels`). ValueError names an argument that is wrong.
    """

    def __init__(
        self,
        *,
        component: str,
        host: str,
        run_id: str,
        event_type: str = "log",
        workload: str | None = None,
        package: str | None = None,
        plugin: str | None = None,
        scenario: str | None = None,
        repetition: int | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.fields = Fields.checked(
            component=component,
            host=host,
            run_id=run_id,
            event_type=event_type,
            workload=workload,
            repetition=repetition,
            scenario=scenario,
            package=package,
            plugin=plugin,
        )
        self.tags = arguments.mapping("tags", tags)

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, as a log has it."""
        message, fields, tags = described(record, self.fields, self, _raise)
        context = {**fields.given(), "logger": arguments.cut(record.name or ""), "tags": self.tags}
        return _native.line(context, record.levelno, message, time_of(record), tags)


def _raise(_: logging.LogRecord) -> None:
    raise
