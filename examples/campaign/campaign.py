"""An example campaign: two workloads, three times each, on all hosts side by side.

    python campaign.py node1=root@node1 node2=root@node2

Each host is a name, `=` and what `ssh` calls it; without `=` it is this machine. The hosts need `lb` in their PATH: it
makes records of what the workloads print, which are fetched behind each repetition. Exit status: 0 when all has
passed and nothing is missing, 1 when not.
"""

from __future__ import annotations

import sys

from lb_controller.api import Controller, Event, Host, RunResult, Workload

# `lb exec` records on the host; what it shows besides would be recorded here once more.
RECORDED = "lb exec --component runner --"

WORKLOADS = [
    Workload(
        "compress",
        setup='mkdir -p "/tmp/$LB_RUN_ID" && head -c 4000000 /dev/urandom >"/tmp/$LB_RUN_ID/$LB_HOST"',
        run=f"""{RECORDED} sh -c 'gzip -c "/tmp/$LB_RUN_ID/$LB_HOST" | wc -c' >/dev/null""",
        teardown='rm "/tmp/$LB_RUN_ID/$LB_HOST"',
        timeout_s=60,
    ),
    Workload(
        "count",
        run=f"{RECORDED} seq 1000 >/dev/null",
        timeout_s=60,
    ),
]


def tell(event: Event) -> None:
    """Shows a campaign while it goes on."""
    if event.event_type != "output":
        where = " ".join(str(part) for part in (event.host, event.workload, event.repetition) if part is not None)
        print(f"{where or 'campaign':24}  {event.message}", flush=True)


def summary(result: RunResult) -> str:
    """What came of it."""
    lines = [f"\n{result.run_id}: {'ok' if result.ok else 'not ok'}"]
    for each in result.repetitions:
        phases = ", ".join(f"{phase.phase} {phase.status}" for phase in each.phases)
        lines.append(f"  {each.host:10} {each.workload:10} {each.repetition}  {phases}")
    lines += [f"  {path}" for path in result.files]
    lines += [f"  missing: {missing.what}: {missing.why}" for missing in result.missing]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The campaign on the hosts that the command line names."""
    hosts = [Host(name, ssh=ssh or None) for name, _, ssh in (text.partition("=") for text in arguments)]
    if not hosts:
        print(__doc__, file=sys.stderr)
        return 2
    result = Controller(hosts=hosts, on_event=tell).run(WORKLOADS, repetitions=3)
    print(summary(result))
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
