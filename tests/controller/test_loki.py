"""A campaign and a real Loki: what the controller and the commands on hosts log is there under its identity."""

from __future__ import annotations

import time
from pathlib import Path

from lb_controller.api import Controller, Host, Workload

from support.controlling import RUN
from support.loki import SECOND, running_loki
from support.process import wait_until
from support.sshd import Site


def test_one_query_finds_what_host_workload_and_repetition_have_logged(folder: Path, site: Site) -> None:
    site.host("node").with_lb().start()
    begin = time.time_ns() - SECOND
    with running_loki(folder) as loki:
        # The host is this machine after all: its Loki is the same, which the controller cannot know.
        environment = {"LB_LOKI_ENABLED": "true", "LB_LOKI_ENDPOINT": loki.url}
        run = "lb exec --component runner -- echo measured >/dev/null; echo shown"
        plan = [Workload("w", run=run, env=environment)]
        controller = Controller(RUN, [Host("far", ssh="node")], folder / "out", loki.url, ssh=site.ssh)
        result = controller.run(plan, 2)
        assert result.ok, result

        def found(selector: str) -> list[tuple[str, str]]:
            lines = loki.lines(f'{{run_id="{RUN}", {selector}}}', begin, time.time_ns() + SECOND)
            return [(entry.labels["event_type"], entry.labels["repetition"]) for entry in lines]

        wait_until(
            lambda: ("output", "2") in found('component="runner", host="far", workload="w"'), 20, "the runner's lines"
        )
        wait_until(lambda: ("campaign_end", "1") in found('component="controller"'), 20, "the controller's lines")
        shown = found('component="controller", host="far", workload="w"')
        for repetition in ("1", "2"):
            assert [event for event, of in shown if of == repetition] == ["phase_start", "output", "phase_end"]
