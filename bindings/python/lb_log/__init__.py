"""Benchmark logging: a local JSONL file that survives SIGKILL, and Grafana Loki behind it."""

from lb_log._native import Logger, __version__

__all__ = ["Logger", "__version__"]
