"""Platform: repetitions and runs side by side."""

from __future__ import annotations

from tools.dashboards import model, panels, tables
from tools.dashboards.logql import ERRORS, WARNINGS, counted, event, share_of, summaries, tag
from tools.dashboards.model import Json, Line, Section, at_end
from tools.dashboards.panels import ORANGE, RED, override, steps
from tools.dashboards.platform_common import NO_K6, NO_LOGS, NO_PHASES, TAGS, links
from tools.dashboards.tables import BAR

RUNS = '{run_id=~"$run", workload=~"$workload", repetition=~"$repetition", kind="log"}'
PART = "run_id, workload, repetition"
COLUMNS = {"run_id": "Run", "workload": "Workload", "repetition": "#"}


def variables() -> list[Json]:
    stream = '{run_id=~"$run", kind="log"}'
    return [
        model.loki_variable(),
        model.label_variable("run", "run_id", '{kind="log"}', "Runs to compare", sort=model.ALPHABETICAL_DESC),
        model.label_variable("workload", "workload", stream, "Workloads of these runs"),
        model.label_variable("repetition", "repetition", stream, "Repetitions", sort=model.NUMERICAL),
    ]


def whole(metric: str, name: str) -> str:
    """A figure of whole repetitions; of several request names the largest."""
    return f"max by ({PART}) (max_over_time({summaries(RUNS, metric, final=True)} {tag(name)} [$__range]))"


def load() -> Json:
    return panels.table(
        "Load",
        "k6's figures of each repetition. p95 is the 95th percentile of the durations of the slowest request name; it "
        "is there when k6 has ended, and exact to one in a hundred.",
        24,
        at_end(counted(summaries(RUNS, "http_reqs"), "sum", PART, "$__range"), "A"),
        at_end(share_of(summaries(RUNS, "http_req_failed"), PART, "$__range"), "B"),
        at_end(whole("http_req_duration", "p95"), "C"),
        unit="ms",
        no_value=NO_K6,
        columns={**COLUMNS, "Value #A": "Requests", "Value #B": "Failed", "Value #C": "p95"},
        overrides=[
            override("Requests", unit="short"),
            override(
                "Failed",
                unit="percentunit",
                thresholds=steps("transparent", (0.000001, ORANGE), (0.05, RED)),
                custom_cellOptions={"type": "color-background", "mode": "basic"},
            ),
            override("p95", custom_cellOptions=BAR, min=0, color={"mode": "continuous-BlPu"}),
        ],
        sort=("#", False),
    )


def by_name() -> Json:
    return tables.by_request_name(
        "Load by request name",
        "Durations of each request name in each repetition, by k6's summaries at its end: the longest two hundred.",
        24,
        RUNS,
        ["run_id", "workload", "repetition"],
        NO_K6,
    )


def course() -> Json:
    took = f"{event(RUNS, 'phase_end')} {tag('duration_ms')} [$__range]"
    return panels.table(
        "Phases",
        "How long each phase took in each repetition; of several programs the longest.",
        12,
        at_end(f"max by ({PART}, phase) (max_over_time({took}))"),
        unit="ms",
        no_value=NO_PHASES,
        columns={**COLUMNS, "phase": "Phase", "Value #A": "Took"},
        overrides=[override("Took", custom_cellOptions=BAR, min=0, color={"mode": "continuous-BlPu"})],
        sort=("#", False),
    )


def log() -> Json:
    return panels.table(
        "Errors and warnings",
        "Log lines of each level in each repetition.",
        12,
        at_end(f"sum by ({PART}) (count_over_time({RUNS} {ERRORS} [$__range]))", "A"),
        at_end(f"sum by ({PART}) (count_over_time({RUNS} {WARNINGS} [$__range]))", "B"),
        unit="short",
        no_value=f"No errors and no warnings, or no logs. {NO_LOGS}",
        columns={**COLUMNS, "Value #A": "Errors", "Value #B": "Warnings"},
        overrides=[
            override(
                name,
                thresholds=steps("transparent", (1, colour)),
                custom_cellOptions={"type": "color-background", "mode": "basic"},
            )
            for name, colour in (("Errors", RED), ("Warnings", ORANGE))
        ],
        sort=("Errors", True),
    )


def dashboard() -> Json:
    return model.dashboard(
        "lb-platform-compare",
        "lb-log / Compare",
        "Repetitions of a run side by side, or those of several runs.",
        tags=TAGS,
        variables=variables(),
        sections=[Section("", [Line(11, [load()]), Line(11, [by_name()]), Line(10, [course(), log()])])],
        since="now-24h",
        links=links(),
    )
