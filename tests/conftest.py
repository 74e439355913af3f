"""What the tests share. A build that is missing fails the tests that need it: it is never a reason to skip them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import cc
from support.paths import TESTS
from support.process import Target, heed_signals, running_target

heed_signals()


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The bundled target, one for all tests."""
    with running_target(tmp_path_factory.mktemp("target")) as running:
        yield running


@pytest.fixture(scope="session")
def speaker_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program behind `support.speaker`, one for all tests."""
    return cc.build(TESTS / "trouble" / "speaker.c", tmp_path_factory.mktemp("speaker") / "speaker")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of the test's own."""
    return tmp_path


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nobody's settings for lb-log reach a logger in this process."""
    for name in [name for name in os.environ if name.startswith("LB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
