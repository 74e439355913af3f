"""Loki's push API as programs of today build it by hand; what we ship ourselves does not pass here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PUSH_PATH = "/loki/api/v1/push"


@dataclass(frozen=True)
class LokiLogEntry:
    """A line, its time in nanoseconds (as text, as Loki wants it), and the labels of its stream."""

    labels: Mapping[str, str]
    timestamp_ns: str
    line: str


def normalize_loki_endpoint(endpoint: str) -> str:
    """The URL to push to: `endpoint`, with `/loki/api/v1/push` at its end.

    Raises ValueError for what is no http or https URL.
    """
    if not isinstance(endpoint, str):
        raise ValueError(f"endpoint: expected an http or https URL, found {endpoint!r}")
    trimmed = endpoint.strip().rstrip("/")
    parts = urlsplit(trimmed)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        shown = f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else trimmed
        raise ValueError(f"endpoint: expected an http or https URL such as http://loki:3100, found {shown!r}")
    return trimmed if trimmed.endswith(PUSH_PATH) else trimmed + PUSH_PATH


def build_loki_payload(entries: Iterable[LokiLogEntry]) -> dict[str, Any]:
    """The JSON body of one push: entries with equal labels share a stream, in the order in which they come."""
    streams: dict[frozenset[tuple[str, str]], dict[str, Any]] = {}
    for entry in entries:
        stream = streams.setdefault(
            frozenset(entry.labels.items()), {"stream": dict(sorted(entry.labels.items())), "values": []}
        )
        stream["values"].append([entry.timestamp_ns, entry.line])
    return {"streams": list(streams.values())}
