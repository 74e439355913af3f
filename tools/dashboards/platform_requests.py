"""Platform: each request of one workload and repetition, from its own record. To read them all takes a second or two
for hundreds of thousands, so it is one repetition at a time."""

from __future__ import annotations

from tools.dashboards import model, panels, tables
from tools.dashboards.logql import summaries
from tools.dashboards.model import Json, Line, Section, log_lines, over_time
from tools.dashboards.platform_common import NO_SAMPLES, TAGS, links, logs_of_moment, marks, run_variable

REQUESTS = '{run_id="$run", workload="$workload", repetition="$repetition", kind="sample"} | event_type="http_req"'
ITS_LOG = '{run_id="$run", workload="$workload", repetition="$repetition", kind="log"}'
FAILED = f'{REQUESTS} | level="WARNING"'
DURATION = '| json value="tags.duration_ms" | unwrap value'


def part_variables() -> list[Json]:
    """Of workload and repetition one each."""
    stream = '{run_id="$run", kind="sample"}'
    of_workload = '{run_id="$run", workload="$workload", kind="sample"}'
    return [
        model.label_variable("workload", "workload", stream, "The workload", several=False),
        model.label_variable(
            "repetition", "repetition", of_workload, "The repetition", several=False, sort=model.NUMERICAL
        ),
    ]


def course() -> list[Line]:
    rate = panels.lines(
        "Requests by status",
        "Requests a second by their HTTP status; 0: no answer.",
        12,
        over_time(f'sum by (status) (rate({REQUESTS} | json status="tags.status" [$__auto]))', "{{status}}"),
        unit="reqps",
        no_value=NO_SAMPLES,
        stacked=True,
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    each = "name, scenario, component, host, instance"
    of_name = (
        f"{summaries(ITS_LOG, 'http_reqs')} "
        '| json name="tags.name", instance="tags.instance", value="tags.per_second" | unwrap value [$__auto]'
    )
    names = panels.lines(
        "Requests by name",
        "Requests a second of the twenty most frequent names, by k6's summaries: a value for each of its windows.",
        12,
        over_time(f"topk(20, sum by (name) (quantile_over_time(0.5, {of_name}) by ({each})))", "{{name}}"),
        unit="reqps",
        no_value=NO_SAMPLES,
        least="10s",
        stacked=True,
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    quantiles = [
        over_time(f"quantile_over_time({at}, {REQUESTS} {DURATION} [$__auto]) by ()", legend, ref)
        for at, legend, ref in ((0.5, "median", "A"), (0.95, "p95", "B"))
    ]
    durations = panels.lines(
        "Durations",
        "Median and 95th percentile of the duration of all requests, exact.",
        12,
        *quantiles,
        unit="ms",
        no_value=NO_SAMPLES,
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    failed = panels.lines(
        "Failed requests",
        "Requests a second that k6 judged as failed, by status and error.",
        12,
        over_time(
            f'sum by (status, error_code) (rate({FAILED} | json status="tags.status", error_code="tags.error_code" '
            "[$__auto]))",
            "{{status}} {{error_code}}",
        ),
        unit="reqps",
        no_value="No failed requests, or none at all.",
        bars=True,
        stacked=True,
        links=[logs_of_moment()],
        calculations=["sum"],
    )
    return [Line(9, [rate, names]), Line(9, [durations, failed])]


def details() -> list[Line]:
    summary = tables.by_request_name(
        "By name",
        "What each request name came to, by k6's summaries at its end: the longest two hundred.",
        12,
        ITS_LOG,
        [],
        NO_SAMPLES,
    )
    failures = panels.log(
        "Newest failed requests",
        "Requests that k6 judged as failed, with all that their record has.",
        12,
        log_lines(
            f'{FAILED} | json name="tags.name", method="tags.method", status="tags.status", error="tags.error", '
            'duration_ms="tags.duration_ms" '
            "| line_format `{{.method}} {{.name}}  {{.status}} {{.error}}  {{.duration_ms}} ms`",
            200,
        ),
        no_value="No failed requests, or none at all.",
    )
    return [Line(10, [summary, failures])]


def dashboard() -> Json:
    return model.dashboard(
        "lb-platform-requests",
        "lb-log / Requests",
        "Each HTTP request of one workload and repetition.",
        tags=TAGS,
        variables=[model.loki_variable(), run_variable(), *part_variables()],
        sections=[Section("Course", course()), Section("Requests", details())],
        since="now-24h",
        links=links(),
        annotations=marks(ITS_LOG),
    )
