"""dfaas: each request of one workload and repetition, by function."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.dfaas_common import NO_K6, TAGS, links, logs_of_function, logs_of_moment, marks
from tools.dashboards.model import Json, Line, Section, log_lines, over_time
from tools.dashboards.platform_common import NO_SAMPLES, run_variable
from tools.dashboards.platform_requests import FAILED, ITS_LOG, REQUESTS
from tools.dashboards.platform_requests import part_variables as one_repetition
from tools.dashboards.tables import trends

WITH_FUNCTION = f'{REQUESTS} | json function="tags.function"'
DURATION = f'{REQUESTS} | json function="tags.function", value="tags.duration_ms" | function!="" | unwrap value'
NO_TAG = f"{NO_SAMPLES} Scenarios need the tag `function`."


def course() -> list[Line]:
    link = [logs_of_function(), logs_of_moment()]
    rate = panels.lines(
        "Requests",
        "Requests a second of each function.",
        12,
        over_time(f'sum by (function) (rate({WITH_FUNCTION} | function!="" [$__auto]))', "{{function}}"),
        unit="reqps",
        no_value=NO_TAG,
        stacked=True,
        links=link,
        calculations=["mean", "max"],
    )
    slow = panels.lines(
        "Durations",
        "95th percentile of the duration of all requests of each function, exact.",
        12,
        over_time(f"quantile_over_time(0.95, {DURATION} [$__auto]) by (function)", "{{function}}"),
        unit="ms",
        no_value=NO_TAG,
        links=link,
        calculations=["mean", "max"],
    )
    return [Line(9, [rate, slow])]


def details() -> list[Line]:
    summary = trends(
        "By function",
        "What each function came to, by the custom metrics latency_<function> as k6 summed them up at its end.",
        12,
        streams=ITS_LOG,
        metric="latency_",
        key='metric="tags.metric" | label_format function=`{{trimPrefix "latency_" .metric}}`',
        labels={"function": "Function"},
        no_value=NO_K6.format("latency_<function>"),
        sort=("Function", False),
    )
    failures = panels.log(
        "Newest failed requests",
        "Requests that k6 judged as failed, with all that their record has.",
        12,
        log_lines(
            f'{FAILED} | json function="tags.function", status="tags.status", error="tags.error", '
            'duration_ms="tags.duration_ms" | line_format `{{.function}}  {{.status}} {{.error}}  {{.duration_ms}} ms`',
            200,
        ),
        no_value="No failed requests, or none at all.",
    )
    return [Line(10, [summary, failures])]


def dashboard() -> Json:
    return model.dashboard(
        "lb-dfaas-requests",
        "lb-log / Function requests",
        "Each request of one workload and repetition, by function.",
        tags=TAGS,
        variables=[model.loki_variable(), run_variable(), *one_repetition()],
        sections=[Section("Course", course()), Section("Requests", details())],
        since="now-24h",
        links=links(),
        annotations=marks(ITS_LOG),
    )
