"""Platform: each request of one workload and repetition, from its own record. To read them all takes a second or two
for hundreds of thousands, so it is one repetition at a time."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.model import Json, Line, Section, at_end, log_lines, over_time
from tools.dashboards.panels import override
from tools.dashboards.platform_common import NO_SAMPLES, TAGS, links, logs_of_moment, marks, run_variable

REQUESTS = '{run_id="$run", workload="$workload", repetition="$repetition", kind="sample"} | event_type="http_req"'
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
    names = panels.lines(
        "Requests by name",
        "Requests a second by their name.",
        12,
        over_time(f'sum by (name) (rate({REQUESTS} | json name="tags.name" [$__auto]))', "{{name}}"),
        unit="reqps",
        no_value=NO_SAMPLES,
        stacked=True,
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    quantiles = [
        over_time(f"quantile_over_time({at}, {REQUESTS} {DURATION} [$__auto]) by ()", legend, ref)
        for at, legend, ref in ((0.5, "median", "A"), (0.95, "p95", "B"), (0.99, "p99", "C"))
    ]
    durations = panels.lines(
        "Durations",
        "Percentiles of the duration of all requests, exact.",
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


def tables() -> list[Line]:
    by_name = '| json name="tags.name", value="tags.duration_ms" | unwrap value [$__range]'
    summary = panels.table(
        "By name",
        "What each request name came to in this repetition: its number, and the mean and the longest duration.",
        12,
        at_end(f'sum by (name) (count_over_time({REQUESTS} | json name="tags.name" [$__range]))', "A"),
        at_end(f"avg_over_time({REQUESTS} {by_name}) by (name)", "B"),
        at_end(f"max_over_time({REQUESTS} {by_name}) by (name)", "C"),
        unit="ms",
        no_value=NO_SAMPLES,
        columns={"name": "Name", "Value #A": "Requests", "Value #B": "Mean", "Value #C": "Longest"},
        overrides=[override("Requests", unit="short")],
        sort=("Longest", True),
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
        sections=[Section("Course", course()), Section("Requests", tables())],
        since="now-24h",
        links=links(),
        annotations=marks(),
    )
