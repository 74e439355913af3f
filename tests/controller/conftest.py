"""Campaigns on hosts of the tests' own, through both APIs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.controlling import APIS, Drive
from support.sshd import Site


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> None:
    """Nobody's settings reach a controller, and what it writes is in the test's folder."""
    request.getfixturevalue("no_settings")


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Hosts of the test's own."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture(params=sorted(APIS))
def drive(request: pytest.FixtureRequest, folder: Path) -> Drive:
    """A campaign through `api`, and the same through `async_api`."""
    return Drive(folder / "out", request.param)
