"""k6 with `--out lb-loki=URL`: Loki holds the file's lines, byte for byte and nanosecond for nanosecond."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import k6
from support.clib import Logger
from support.delivery import check_equal, shipped
from support.loki import Loki, free_port
from support.process import Target


def closing_counts(stderr: str) -> dict[str, int]:
    """The counts of the line before k6's summary."""
    found = re.search(r"^lb-loki: records \d+, file .*?, (acknowledged .*)$", stderr, re.MULTILINE)
    assert found, stderr
    return {name: int(count) for name, count in (part.rsplit(" ", 1) for part in found[1].split(", "))}


def identity(run_id: str) -> list[str]:
    tags = {"run_id": run_id, "workload": "of-the-run", "repetition": "3"}
    return [part for name, value in tags.items() for part in ("--tag", f"{name}={value}")]


@pytest.mark.parametrize("script", ["scenarios", "console", "thresholds", "custom_metrics"])
def test_what_loki_returns_for_a_run_of_k6_is_what_the_file_has(
    loki: Loki, folder: Path, target: Target, script: str
) -> None:
    """Every kind of record and of text, also what k6 logs after it has stopped its outputs."""
    run = k6.run(
        f"{script}.js",
        folder,
        target,
        samples=f"compact,{loki.url}",
        extra=identity(script),
        script_environment={"SHORT": "1"},
    )
    (log,) = run.logs
    lines = check_equal(loki, log, script)
    counts = closing_counts(run.stderr)
    assert (counts["pending"], counts["dropped"]) == (0, 0), run.stderr
    assert 0 < counts["acknowledged"] <= lines, run.stderr


@pytest.mark.usefixtures("no_settings")
def test_a_run_without_loki_is_pushed_by_the_next_program_that_opens_the_log(folder: Path, target: Target) -> None:
    loki = Loki(folder, {}, free_port(), free_port())
    run = k6.run("custom_metrics.js", folder, target, samples=f"compact,{loki.url}", extra=identity("dead"))
    assert run.exit_code == 0, run.stderr
    (log,) = run.logs
    counts = closing_counts(run.stderr)
    lines = shipped(log)
    assert (counts["acknowledged"], counts["dropped"]) == (0, 0), run.stderr
    assert counts["pending"] > 0, run.stderr
    try:
        loki.start()
        shipping = {"enabled": True, "endpoint": loki.url}
        settings = {"component": "k6", "host": k6.HOST, "run_id": "dead", "output_dir": str(folder / "out")}
        with Logger({**settings, "loki": shipping}) as logger:
            logger.close(20_000)
            stats = logger.stats()
        assert (stats["loki_acknowledged"], stats["loki_pending"]) == (len(lines), 0), stats
        assert check_equal(loki, log, "dead") == len(lines)
    finally:
        loki.stop()
