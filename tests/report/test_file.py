"""Where a report is written, and what is never replaced by one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.campaign_log import CampaignLog
from support.paths import LB
from support.process import clean_environment


def test_only_a_report_is_replaced(folder: Path) -> None:
    log = CampaignLog(run_id="r", repetitions=1, seconds=1)
    written = log.write(folder)
    command = [str(LB), "report", str(folder / "r"), "--output"]

    def run(output: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, str(output)], capture_output=True, text=True, env=clean_environment(), check=False
        )

    page = folder / "page.html"
    assert run(page).returncode == 0
    assert run(page).returncode == 0
    content = written.read_bytes()
    refused = run(written)
    assert refused.returncode == 2
    assert "is no report of ours" in refused.stderr
    assert written.read_bytes() == content
    missing = run(folder / "nowhere/page.html")
    assert missing.returncode == 2
    assert "nowhere/page.html: cannot be written" in missing.stderr
    # Nothing unfinished is left.
    assert sorted(each.name for each in folder.iterdir()) == ["page.html", "r"]


def test_where_it_goes(folder: Path) -> None:
    for name in ("a", "b"):
        CampaignLog(run_id=name, repetitions=1, seconds=1).write(folder / "benchmark_results")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(LB), "report", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env=clean_environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("a") == "benchmark_results/a/report.html\n"
    assert run("a", "b") == "benchmark_results/compare-a-b.html\n"
    assert run() == "benchmark_results/b/report.html\n"
    assert run("a", "-o", "-").startswith("<!DOCTYPE html>")
    document = json.loads(run("a", "--format", "json"))
    assert document["report"].endswith("benchmark_results/a/report.html")
    assert document["runs"][0]["run"] == "a"
