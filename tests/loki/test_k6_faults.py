"""k6 with a Loki that breaks: the test is as long as it would be, does as many iterations, and does not fail; the line
before the summary tells what Loki has and what not.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

from support import k6
from support.clib import LEVELS, Logger
from support.delivery import check_equal, shipped
from support.faults import Fault, answering, never_answer, pass_on, proxy, reset, slow
from support.loki import Loki

FAULTS: dict[str, Fault] = {
    "never-answered": never_answer,
    "held": answering(403, "forbidden"),
    "reset": reset,
    "slow": slow(5),
}

# What the script does; its first and last iteration lie at the edges of its three seconds.
ITERATIONS, SECONDS = 300, 3.0
# What a run may take longer on a busy machine. Stop waits for Loki, five seconds at most.
BUSY, STOP = 2.5, 5.0


def closing_counts(stderr: str) -> tuple[int, int]:
    """Acknowledged and pending, of the line before k6's summary."""
    found = re.findall(r"^lb-loki: records \d+, file .*?, acknowledged (\d+), pending (\d+), dropped 0$", stderr, re.M)
    assert len(found) == 1, stderr
    return int(found[0][0]), int(found[0][1])


def test_a_test_is_not_changed(loki: Loki, folder: Path, no_settings: None) -> None:
    del no_settings
    with ExitStack() as stack:
        betweens = {name: stack.enter_context(proxy(loki, fault)) for name, fault in FAULTS.items()}
        commands, processes = {}, {}
        for name, between in betweens.items():
            own = folder / name
            own.mkdir()
            commands[name] = k6.arguments(
                "steady.js", own, None, samples=f"compact,{between.url}", extra=["--tag", f"run_id={name}"]
            )
            processes[name] = k6.start(commands[name], own)
        for name, between in betweens.items():
            run = k6.finished(processes[name], commands[name], folder / name)
            assert run.exit_code == 0, run.stderr
            tags = run.events("run_end")[0]["tags"]
            assert abs(tags["iterations"] - ITERATIONS) <= 2, tags
            assert "dropped_iterations" not in run.metrics(), run.metrics()
            assert SECONDS <= tags["duration_ms"] / 1000 <= SECONDS + BUSY, tags

            records = run.records()
            acknowledged, pending = closing_counts(run.stderr)
            told = [line for line in run.stderr.splitlines() if line.startswith("lb-log: ")]
            assert len(told) == 1, told
            assert f" {between.url}/loki/api/v1/push: " in told[0], told
            # What k6 logs behind the line is not in it, and lines below INFO are counted until they were read.
            lines = len([record for record in records if LEVELS[record["level"]] >= LEVELS["INFO"]])
            assert acknowledged == 0, run.stderr
            assert lines - 10 <= pending <= len(records), (run.stderr, lines)
            (warning,) = [line["msg"] for line in run.log_lines() if line.get("output") == "lb-loki"]
            assert " lines are not in Loki yet (" in warning, warning
            assert between.url in warning, warning

            between.fault = pass_on
            (log,) = run.logs
            settings = {"component": "k6", "host": k6.HOST, "run_id": name, "output_dir": str(folder / name / "out")}
            with Logger({**settings, "loki": {"enabled": True, "endpoint": between.url}}) as logger:
                logger.close(40_000)
                stats = logger.stats()
            assert stats["loki_pending"] == 0, stats
            assert check_equal(loki, log, name, replayed=stats["loki_replayed"]) == len(shipped(log))
            assert stats["loki_replayed"] == 0, stats
