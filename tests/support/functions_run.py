"""A run as campaigns of functions make it: k6 against two functions, a runner in Python, and what goes wrong."""

from __future__ import annotations

import os
from pathlib import Path

import lb_log

from support import k6
from support.delivery import pushing
from support.loki import Loki
from support.process import Target

RUN_ID = "run-20261122-101112"
# As the node exporter calls it.
NODE = os.uname().nodename
# Special to regular expressions.
WORKLOAD = "figlet+env"


def fill(loki: Loki, folder: Path, target: Target) -> None:
    """Log it all into files below `folder` and into Loki."""
    identity = {"run_id": RUN_ID, "component": "k6", "workload": WORKLOAD}
    run = k6.run(
        "functions.js",
        folder,
        target,
        samples=f"compact,{loki.url}",
        extra=[part for name, value in identity.items() for part in ("--tag", f"{name}={value}")],
        extra_environment={"K6_LB_SUMMARY_INTERVAL": "1s"},
    )
    assert "pending 0" in run.stderr, run.stderr
    with lb_log.Logger(
        component="runner",
        host=NODE,
        run_id=RUN_ID,
        workload=WORKLOAD,
        output_dir=folder / "out",
        loki=pushing(loki),
    ) as log:
        for repetition in (1, 2):
            run_once(log.bind(logger="lb_runner.engine", repetition=repetition))
        log.bind(event_type="log_gap").warning("3 records are missing: the disk was full", lost=3)


def run_once(log: lb_log.Logger) -> None:
    """One repetition: its phases, the events of a campaign, an exception."""
    for phase in ("install", "setup", "run", "teardown", "collect"):
        of_phase = log.bind(phase=phase)
        of_phase.bind(event_type="phase_start").info(f"{phase} begins")
        if phase == "run":
            of_phase.bind(event_type="config").info("configuration 1 of 4", config_id="figlet=20")
            of_phase.bind(event_type="overload").warning("CPU at 91 %", reason="cpu")
            try:
                raise ValueError("boom")
            except ValueError:
                of_phase.exception("iteration failed")
        of_phase.bind(event_type="phase_end").info(f"{phase} ended", duration_ms=40, outcome="passed")
