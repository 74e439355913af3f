"""Runs whose reports several tests look at, and the browser that they do it with."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import k6
from support.browser import CHROMIUM, Browser, running_browser
from support.campaign_log import CampaignLog
from support.process import Target
from support.report import make_report


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: make deps")
    with running_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CampaignLog, CampaignLog]:
    """A page that compares two campaigns; the second's log was collected."""
    folder = tmp_path_factory.mktemp("two")
    first = CampaignLog(run_id="first", seconds=20)
    second = CampaignLog(run_id="second", seconds=20, median_ms=30, seed=2)
    first.write(folder)
    path = second.write(folder)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    page, _ = make_report(folder, folder / "first", folder / "second")
    return page, first, second


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, target: Target) -> tuple[k6.Run, Path]:
    """A real run of k6, and the page on it."""
    folder = tmp_path_factory.mktemp("shop")
    run = k6.run("report.js", folder, target, extra=["--tag", "run_id=shop", "--tag", "repetition=2"])
    assert run.exit_code == 99, run.stderr
    page, _ = make_report(folder, folder / "out/shop")
    return run, page
