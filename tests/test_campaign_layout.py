"""Runs as existing campaigns lay them out are collected, listed, shown and reported like ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.campaign_log import CampaignLog
from support.collecting import collect, collected
from support.lb import Ran, lb
from support.paths import LB
from support.process import clean_environment
from support.report import data

RUN = "first"
# Where `<run_id>/…/logs/` is of the controller, of a host, and of a host's workload.
LAYOUTS = {"controller": "", "node-1": "node-1", "node-2": "node-2/dfaas"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with what k6 logged on one node, and what a shell tool printed on each."""
    results = tmp_path_factory.mktemp("results")
    log = CampaignLog(run_id=RUN, seconds=10).write(results)
    log.parent.rename(results / RUN / "k6-logs")
    (results / RUN / "node-2/dfaas").mkdir(parents=True)
    (results / RUN / "k6-logs").rename(results / RUN / "node-2/dfaas/logs")
    for host, folder in LAYOUTS.items():
        template = results / RUN / folder / "logs" / "{component}-{host}.jsonl"
        extra = {"LB_RUN_ID": RUN, "LB_HOST": host, "LB_JSONL_LOG_PATH": str(template)}
        command = [str(LB), "exec", "--component", "tool", "--", "sh", "-c", "echo ready; echo ERROR late >&2"]
        subprocess.run(command, env=clean_environment(extra), check=True, capture_output=True)
    (results / RUN / "node-1/results.jsonl").write_text('{"type":"Point"}\n', encoding="utf-8")
    return results


@pytest.fixture(scope="module")
def copies(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copies = tmp_path_factory.mktemp("copies")
    collected(collect(copies, "--from", results, run=RUN))
    return copies


def of(results: Path, *arguments: str) -> Ran:
    ran = lb(*arguments, "--output-dir", str(results))
    assert ran.code == 0, ran.stderr
    return ran


def files(results: Path) -> dict[str, int]:
    """Lines of each file, by its name."""
    document = of(results, "status", RUN, "--format", "json").document
    found = [file for log in document["logs"] for file in log["files"]]
    return {Path(file["path"]).name.removesuffix(".gz"): file["lines"] for file in found}


def test_collected(results: Path, copies: Path) -> None:
    there = {path.relative_to(copies / RUN) for path in (copies / RUN).glob("**/*.jsonl.gz")}
    tools = {f"logs/tool-{host}.jsonl.gz" for host in LAYOUTS}
    assert tools < {str(path) for path in there}
    assert len(there) == 4
    assert files(copies) == files(results)


def test_listed(results: Path, copies: Path) -> None:
    def entry(results: Path) -> dict[str, Any]:
        (entry,) = of(results, "runs", "--format", "json").document["runs"]
        assert entry.pop("path") == str(results / RUN)
        return dict(entry)

    assert entry(results) == entry(copies)
    assert set(LAYOUTS) < set(entry(results)["hosts"]) | {"node-2"}
    assert entry(results)["lines"] == sum(files(results).values())


def test_shown(results: Path, copies: Path) -> None:
    shown = of(results, "logs", RUN, "--format", "json").stdout
    assert sorted(shown.splitlines()) == sorted(of(copies, "logs", RUN, "--format", "json").stdout.splitlines())
    assert shown.count("\n") == sum(files(results).values())
    late = of(results, "logs", RUN, "--component", "tool", "--level", "error", "--format", "json").stdout
    assert {json.loads(line)["host"] for line in late.splitlines()} == set(LAYOUTS)


def test_reported(results: Path, copies: Path) -> None:
    def report(results: Path) -> dict[str, Any]:
        page = results / "page.html"
        of(results, "report", RUN, "-o", str(page))
        return dict(data(page))

    ours, theirs = report(results), report(copies)
    assert "late" in json.dumps(ours)
    # When it was made, the folder, and the names of files.
    assert without(ours, {"made", "path", "files"}) == without(theirs, {"made", "path", "files"})


def without(value: Any, keys: set[str]) -> Any:
    """A document without what these keys hold, wherever they stand."""
    if isinstance(value, dict):
        return {key: without(held, keys) for key, held in value.items() if key not in keys}
    return [without(held, keys) for held in value] if isinstance(value, list) else value
