"""What the tests around Loki share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.loki import Loki, running_loki


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running
