"""The example campaign: two hosts, two workloads, three repetitions, one host killed in the middle, all collected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.collecting import judge
from support.controlling import RUN
from support.paths import ROOT
from support.process import clean_environment
from support.records import parse_bytes
from support.sshd import Site

PROGRAM = ROOT / "examples" / "campaign" / "campaign.py"


def test_one_host_is_killed_in_the_middle(folder: Path, site: Site) -> None:
    site.share()
    dying, _ = (site.host(name).with_lb().start() for name in ("dying", "good"))
    environment = clean_environment({**site.environment, "LB_RUN_ID": RUN, "PYTHONPATH": os.pathsep.join(sys.path)})
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "good=good", "dying=dying"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.rstrip())
        if line.startswith("dying compress 2 ") and "run starts" in line:
            dying.die()
        if line.startswith("compress 2 ") and "repetition 2 failed" in line:
            dying.start()
    text = "\n".join(said)
    assert process.wait(60) == 1, text
    process.stdout.close()

    table = [line.split(None, 3) for line in said if line.startswith(("  good ", "  dying "))]
    assert len(table) == 2 * 2 * 3, text
    whole = {
        "compress": "setup passed, run passed, collect passed, teardown passed",
        "count": "run passed, collect passed",
    }
    for host, workload, repetition, phases in table:
        if (host, workload, repetition) == ("dying", "compress", "2"):
            assert "unreachable" in phases, text
        elif (host, workload, repetition) != ("dying", "compress", "3") or "unreachable" not in phases:
            # The third may have begun before the host was back.
            assert phases == whole[workload], text
    assert "missing:" not in text

    output = folder / "benchmark_results"
    (log,) = (output / RUN / "logs").glob("controller-*.jsonl")
    side = {path.name for path in log.parent.iterdir() if path.name.startswith(".")}
    collected = judge(output, RUN, others=[log.name, *side])
    assert {source.partition(":")[0] for source in collected} == {"good", "dying"}
    for source, content in collected.items():
        counted = [
            (record["repetition"], record["message"])
            for record in parse_bytes(content)
            if record["workload"] == "count" and record["event_type"] == "output"
        ]
        wanted = [(repetition, str(number)) for repetition in (1, 2, 3) for number in range(1, 1001)]
        assert sorted(counted) == sorted(wanted), source
