"""A run in a real Loki and a real Prometheus, for all tests of dashboards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from support import functions_run
from support.loki import running_loki
from support.process import Target
from support.prometheus import is_here, running_prometheus
from support.sources import Sources


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory, target: Target) -> Iterator[Sources]:
    """Loki and, where it is installed, Prometheus, with a run in them."""
    with ExitStack() as stack:
        began = int(time.time() * 1000)
        loki = stack.enter_context(running_loki(tmp_path_factory.mktemp("loki")))
        folder = tmp_path_factory.mktemp("run")
        filling = stack.enter_context(ThreadPoolExecutor(1)).submit(functions_run.fill, loki, folder, target)
        prometheus = None
        if is_here():
            prometheus = stack.enter_context(running_prometheus(tmp_path_factory.mktemp("prometheus")))
        filling.result()
        yield Sources(loki, prometheus, began, int(time.time() * 1000), folder / "out" / functions_run.RUN_ID / "logs")
