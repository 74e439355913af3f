"""A stand-in for Grafana, one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.standin import StandIn, running_stand_in


@pytest.fixture
def grafana(tmp_path: Path) -> Iterator[StandIn]:
    with running_stand_in(tmp_path) as running:
        yield running
