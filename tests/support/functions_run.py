"""A run as campaigns of functions make it: k6 against two functions, a runner on the node, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

from support import k6
from support.clib import LEVELS, STRING, UNSIGNED, Logger, Tag
from support.lb import lb
from support.loki import Loki
from support.process import Target

RUN_ID = "run-20261122-101112"
NODE = "node-1"
WORKLOAD = "dfaas"


def fill(loki: Loki, folder: Path, target: Target) -> None:
    """Log it all into files below `folder` and into Loki."""
    identity = {"run_id": RUN_ID, "component": "k6", "workload": WORKLOAD}
    tags = [part for name, value in identity.items() for part in ("--tag", f"{name}={value}")]
    run = k6.run(
        "functions.js",
        folder,
        target,
        samples=f"compact,{loki.url}",
        extra=tags,
        extra_environment={"K6_LB_SUMMARY_INTERVAL": "1s"},
    )
    assert "pending 0" in run.stderr, run.stderr
    runner(folder / "out")
    pushed = lb("push", "--loki-endpoint", loki.url, folder / "out" / RUN_ID)
    assert pushed.code == 0, pushed.stderr


def runner(out: Path) -> None:
    """The runner on the node: its phases, events of a campaign, an exception, a hole."""
    settings = {"component": "runner", "host": NODE, "run_id": RUN_ID, "output_dir": str(out), "workload": WORKLOAD}
    with Logger(settings) as logger:

        def tell(message: str, level: str = "INFO", event_type: str = "log", *tags: Tag, **fields: object) -> None:
            context = logger.context({"logger": "lb_runner.engine", "event_type": event_type, **fields})
            logger.log(message.encode(), LEVELS[level], context, tags=tags)

        for repetition in (1, 2):
            for phase in ("install", "setup", "run", "teardown", "collect"):
                of = {"repetition": repetition, "tags": {"phase": phase}}
                tell(f"{phase} begins", "INFO", "phase_start", **of)
                if phase == "run":
                    tell("configuration 1 of 4", "INFO", "config", (b"config_id", STRING, b"figlet=20"), **of)
                    tell("CPU at 91 %", "WARNING", "overload", (b"reason", STRING, b"cpu"), **of)
                    trace = (b"stack", STRING, b"Traceback (most recent call last):\n  boom\nValueError: boom")
                    tell("iteration failed", "ERROR", "log", (b"exception", STRING, b"ValueError: boom"), trace, **of)
                ended = ((b"duration_ms", UNSIGNED, 40), (b"outcome", STRING, b"passed"))
                tell(f"{phase} ended", "INFO", "phase_end", *ended, **of)
        tell("3 records are missing: the disk was full", "WARNING", "log_gap", (b"lost", UNSIGNED, 3))
