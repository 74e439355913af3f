"""What a command finds in its environment: who it is, and how it ships to Loki."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .plan import Host, Workload

#: Loki as a controller is told it: its URL, or the keys of the block `loki` of the configuration.
Loki = str | Mapping[str, Any]

_SECRETS = ("password", "bearer_token")


def identity(run_id: str, host: Host, workload: Workload, repetition: int, total: int, phase: str) -> dict[str, str]:
    """The names of ours, and those that existing runners read."""
    return {
        "LB_RUN_ID": run_id,
        "LB_HOST": host.name,
        "LB_WORKLOAD": workload.name,
        "LB_REPETITION": str(repetition),
        "LB_PHASE": phase,
        "LB_RUN_HOST": host.name,
        "LB_RUN_WORKLOAD": workload.name,
        "LB_RUN_REPETITION": str(repetition),
        "LB_RUN_TOTAL_REPS": str(total),
    }


def loki_block(loki: Loki | None) -> dict[str, Any] | None:
    """The block `loki` of the controller's own configuration. Whoever names a Loki wants it."""
    if loki is None:
        return None
    block = {"endpoint": loki} if isinstance(loki, str) else dict(loki)
    return {"enabled": True, **block}


def loki_variables(loki: Loki | None, host: Host) -> dict[str, str]:
    """The variables that make the commands of a host ship to the same Loki; without `loki` those that this process
    has. What a host far away cannot have is left out: files of this machine, and a Loki that is only reached here.
    """
    block = loki_block(loki)
    if block is None:
        found = {name: value for name, value in os.environ.items() if name.startswith("LB_LOKI_")}
        block = {name.removeprefix("LB_LOKI_").lower(): value for name, value in found.items()}
    if host.ssh is not None:
        if is_only_here(str(block.get("endpoint") or "")):
            return {}
        for secret in _SECRETS:
            file = block.pop(f"{secret}_file", None)
            if file is not None:
                block.setdefault(secret, _secret_of(str(file)))
        block = {key: value for key, value in block.items() if not key.endswith("_file")}
    return {f"LB_LOKI_{key.upper()}": _text(value) for key, value in block.items() if value is not None}


def is_only_here(endpoint: str) -> bool:
    """Whether a URL means this machine on every machine."""
    name = urlsplit(endpoint).hostname or ""
    return name in ("localhost", "::1", "0.0.0.0") or name.startswith("127.")


def _secret_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError:
        # The core says of its own what is wrong with it.
        return ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={text}" for name, text in value.items())
    return str(value)
