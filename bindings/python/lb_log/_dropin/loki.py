"""The handler that has its run's log shipped to Grafana Loki."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lb_log import _native
from lb_log._dropin import arguments, levels, runs
from lb_log._dropin.formatter import JsonlLogFormatter
from lb_log._dropin.handler import RecordHandler
from lb_log._dropin.paths import DEFAULT_JSONL_TEMPLATE, absolute
from lb_log._dropin.payload import normalize_loki_endpoint
from lb_log._dropin.record import Fields
from lb_log._dropin.runs import Log

DEFAULT_ENDPOINT = "http://localhost:3100"


class LokiPushHandler(RecordHandler):
    """Has the log of its run shipped to Loki, from its level up.

    The log file is the queue: this handler writes into the log of the JSONL handlers with the same component, host and
    run what none of them has written, and turns shipping on. Its filters do not narrow what is shipped. Where there is
    no JSONL handler it opens a file of its own at its first record: below `output_dir` (the run's own folder), or
    where the configuration says. `close` waits for that file alone, never for Loki.

    What is not given (None) is as the configuration has it: `batch_size` lines at most in a push, `flush_interval`
    seconds at most before one, `timeout_seconds` for one; after `max_retries` failures in a row Loki is tried only
    each 30 s, before that after `backoff_base` seconds, each time `backoff_factor` times as long. `max_queue_size` has
    no effect. `labels` are tags of each record. ValueError names an argument that is wrong.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        component: str,
        host: str,
        run_id: str,
        workload: str | None = None,
        package: str | None = None,
        plugin: str | None = None,
        scenario: str | None = None,
        repetition: int | None = None,
        labels: Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        flush_interval: float | None = None,
        timeout_seconds: float | None = None,
        max_retries: int | None = None,
        max_queue_size: int | None = None,
        backoff_base: float | None = None,
        backoff_factor: float | None = None,
        output_dir: Path | str | None = None,
    ) -> None:
        fields = Fields.checked(
            component=component,
            host=host,
            run_id=run_id,
            workload=workload,
            repetition=repetition,
            scenario=scenario,
            package=package,
            plugin=plugin,
        )
        interval = arguments.optional_decimal("flush_interval", flush_interval, 0.1, 3600)
        self._loki = {
            "endpoint": normalize_loki_endpoint(endpoint),
            "batch_size": arguments.optional_whole("batch_size", batch_size, 1, 1_000_000),
            "flush_interval_ms": None if interval is None else round(interval * 1000),
            "timeout_seconds": arguments.optional_decimal("timeout_seconds", timeout_seconds, 0.001, 3600),
            "max_retries": arguments.optional_whole("max_retries", max_retries, 0, 1_000_000),
            "max_queue_size": arguments.optional_whole("max_queue_size", max_queue_size, 1, 2**63 - 1),
            "backoff_base": arguments.optional_decimal("backoff_base", backoff_base, 0, 3600),
            "backoff_factor": arguments.optional_decimal("backoff_factor", backoff_factor, 1, 1000),
        }
        _native.check_loki({**self._loki, "enabled": True})
        given = arguments.mapping("labels", labels)
        self.labels = {name: str(value) for name, value in given.items() if value is not None}
        super().__init__(fields, {})
        self._settings = runs.settings(self.run.identity)
        if output_dir is not None:
            template, folder = absolute(DEFAULT_JSONL_TEMPLATE, output_dir)
            self._settings.update(output_dir=folder, jsonl={"log_path": template})
        with runs.lock:
            self.run.add_shipper(self)

    def shipping(self) -> dict[str, Any]:
        """The configuration's block `loki`."""
        return {**self._loki, "min_level": levels.name_of(self.level)}

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - logging's name.
        """What is shipped begins at this level, whoever has logged it."""
        super().setLevel(level)
        with runs.lock:
            self.run.changed()

    def speak_into(self) -> Log:
        """The log of the JSONL handlers, or one of its own."""
        if not self.run.has_shipper(self):
            self.run.add_shipper(self)
        return self.run.log() or self.run.own_log(self._settings)

    def context(self) -> tuple[Fields, dict[str, Any]]:
        """What it was made with; what its formatter supplies goes over it."""
        if isinstance(self.formatter, JsonlLogFormatter):
            return self.formatter.fields.over(self.fields), self.formatter.tags
        return self.fields, self.tags

    def flush(self) -> None:
        """Return when everything that was logged is in the file."""
        with runs.lock:
            log = self.run.log()
        if log is not None:
            log.flush()

    def close(self) -> None:
        """The same; what is not in Loki yet is shipped behind it. A record that comes later opens it again."""
        self.flush()
        with runs.lock:
            self.run.remove_shipper(self)
        super().close()


def build_loki_handler(
    *,
    enabled: bool | None = None,
    endpoint: str | None = None,
    component: str,
    host: str,
    run_id: str,
    workload: str | None = None,
    package: str | None = None,
    plugin: str | None = None,
    scenario: str | None = None,
    repetition: int | None = None,
    labels: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    flush_interval_ms: float | None = None,
    timeout_seconds: float | None = None,
    max_retries: int | None = None,
    max_queue_size: int | None = None,
    backoff_base: float | None = None,
    backoff_factor: float | None = None,
    output_dir: Path | str | None = None,
) -> LokiPushHandler | None:
    """A Loki handler, or None where it is not enabled; what is not given comes from the environment.

    `LB_LOKI_ENABLED` and `LB_LOKI_ENDPOINT` are looked at here, all other `LB_LOKI_*` by the core.
    """
    if enabled is None:
        enabled = arguments.truth_variable("LB_LOKI_ENABLED")
    if not enabled:
        return None
    interval_ms = arguments.optional_decimal("flush_interval_ms", flush_interval_ms, 100, 3_600_000)
    return LokiPushHandler(
        endpoint=endpoint or arguments.variable("LB_LOKI_ENDPOINT") or DEFAULT_ENDPOINT,
        component=component,
        host=host,
        run_id=run_id,
        workload=workload,
        package=package,
        plugin=plugin,
        scenario=scenario,
        repetition=repetition,
        labels=labels,
        batch_size=batch_size,
        flush_interval=None if interval_ms is None else interval_ms / 1000,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        max_queue_size=max_queue_size,
        backoff_base=backoff_base,
        backoff_factor=backoff_factor,
        output_dir=output_dir,
    )


def attach_loki_handler(
    logger: logging.Logger,
    *,
    enabled: bool | None = None,
    endpoint: str | None = None,
    component: str,
    host: str,
    run_id: str,
    workload: str | None = None,
    package: str | None = None,
    plugin: str | None = None,
    scenario: str | None = None,
    repetition: int | None = None,
    labels: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    flush_interval_ms: float | None = None,
    timeout_seconds: float | None = None,
    max_retries: int | None = None,
    max_queue_size: int | None = None,
    backoff_base: float | None = None,
    backoff_factor: float | None = None,
    output_dir: Path | str | None = None,
) -> LokiPushHandler | None:
    """The same, added to a logger."""
    handler = build_loki_handler(
        enabled=enabled,
        endpoint=endpoint,
        component=component,
        host=host,
        run_id=run_id,
        workload=workload,
        package=package,
        plugin=plugin,
        scenario=scenario,
        repetition=repetition,
        labels=labels,
        batch_size=batch_size,
        flush_interval_ms=flush_interval_ms,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        max_queue_size=max_queue_size,
        backoff_base=backoff_base,
        backoff_factor=backoff_factor,
        output_dir=output_dir,
    )
    if handler is not None:
        logger.addHandler(handler)
    return handler
