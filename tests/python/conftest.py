"""What the tests of lb_log share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from support.loki import Loki, running_loki


@pytest.fixture(scope="session")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """A real Loki, one for all tests of a worker: each test has a run of its own in it."""
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that nobody else has, with nothing above it but the root; its handlers are closed behind the test."""
    made = logging.getLogger("dropin_test")
    made.setLevel(1)
    yield made
    for handler in [*made.handlers]:
        made.removeHandler(handler)
        handler.close()
