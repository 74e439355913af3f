"""Platform: k6, by its summaries, which cost next to nothing to read."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.logql import RUN, counted, event, largest, or_zero, rate_of_windows, share_of, summaries, tag
from tools.dashboards.model import Json, Line, Section, at_end, link, log_lines, over_time
from tools.dashboards.panels import BLUE, GREEN, ORANGE, RED, override, steps
from tools.dashboards.platform_common import (
    NO_K6,
    TAGS,
    links,
    logs_of_moment,
    marks,
    part_variables,
    run_variable,
)

# Thresholds are of no workload.
WHOLE_RUN = '{run_id="$run", kind="log"}'
PART = "workload, repetition"
PART_NAME = "{{workload}} #{{repetition}}"
NAMED = f"{PART}, name"
NAMED_NAME = "{{name}} · {{workload}} #{{repetition}}"

REQUESTS_URL = (
    "/d/lb-platform-requests?${loki:queryparam}&${run:queryparam}&var-workload=${__field.labels.workload}"
    "&var-repetition=${__field.labels.repetition}&${__url_time_range}"
)


def zoom() -> list[Json]:
    """From a point to the lines, and to the requests, of its workload and repetition."""
    return [logs_of_moment(), link("Each request of this repetition", REQUESTS_URL)]


def named(metric: str) -> str:
    """Summaries of a metric, with the request's name as a label."""
    return f'{summaries(RUN, metric)} | json name="tags.name"'


def percentile(metric: str, name: str) -> str:
    query = f'{summaries(RUN, metric)} | json name="tags.name", value="tags.{name}" | unwrap value [$__auto]'
    return largest(query, NAMED, 20)


def numbers() -> Line:
    duration = summaries(RUN, "http_req_duration", final=True)
    return Line(
        4,
        [
            panels.number(
                "Requests",
                "HTTP requests that k6 made.",
                5,
                at_end(or_zero(counted(summaries(RUN, "http_reqs"), "sum", "", "$__range"))),
                unit="short",
                no_value="0",
                thresholds=steps(BLUE),
            ),
            panels.number(
                "Failed requests",
                "Share of the requests that k6 judged as failed.",
                5,
                at_end(or_zero(share_of(summaries(RUN, "http_req_failed"), "", "$__range"))),
                unit="percentunit",
                no_value="0",
                thresholds=steps(GREEN, (0.000001, ORANGE), (0.05, RED)),
            ),
            panels.number(
                "Failed checks",
                "Share of the checks that failed.",
                4,
                at_end(or_zero(f"(1 - {share_of(summaries(RUN, 'checks'), '', '$__range')})")),
                unit="percentunit",
                no_value="0",
                thresholds=steps(GREEN, (0.000001, ORANGE), (0.05, RED)),
            ),
            panels.number(
                "Slowest p95",
                "95th percentile of whole repetitions; of several request names and repetitions the slowest. It is "
                "there when k6 has ended.",
                5,
                at_end(f"max(max_over_time({duration} {tag('p95')} [$__range]))"),
                unit="ms",
                no_value="not ended yet",
                thresholds=steps(BLUE),
            ),
            panels.number(
                "Most virtual users",
                "The largest number of virtual users at a time.",
                5,
                at_end(f"max(max_over_time({summaries(RUN, 'vus')} {tag('max')} [$__range]))"),
                unit="short",
                no_value="-",
                thresholds=steps(BLUE),
            ),
        ],
    )


def course() -> list[Line]:
    rate = panels.lines(
        "Requests",
        "HTTP requests a second, for each workload and repetition: a value for each of k6's windows of ten seconds.",
        12,
        over_time(rate_of_windows(summaries(RUN, "http_reqs"), PART), PART_NAME),
        unit="reqps",
        no_value=NO_K6,
        least="10s",
        links=zoom(),
        calculations=["mean", "max"],
    )
    failed = panels.lines(
        "Failed requests",
        "Share of the requests that k6 judged as failed.",
        12,
        over_time(share_of(summaries(RUN, "http_req_failed"), PART, "$__auto"), PART_NAME),
        unit="percentunit",
        no_value=NO_K6,
        least="10s",
        bounds=(0, 1),
        thresholds=steps("transparent", (0.05, RED)),
        links=zoom(),
        calculations=["mean", "max"],
    )
    users = panels.lines(
        "Virtual users",
        "The largest number of virtual users in each of k6's windows.",
        12,
        over_time(
            f"max by (component, host) (max_over_time({summaries(RUN, 'vus')} {tag('max')} [$__auto]))",
            "{{component}} {{host}}",
        ),
        unit="short",
        no_value=NO_K6,
        least="10s",
        links=[logs_of_moment()],
        calculations=["max"],
    )
    iterations = panels.lines(
        "Iterations",
        "Iterations that ended, a second. Dropped ones: k6 had no virtual user free to begin them in time.",
        12,
        over_time(rate_of_windows(summaries(RUN, "iterations"), PART), PART_NAME, "A"),
        over_time(rate_of_windows(summaries(RUN, "dropped_iterations"), PART), f"dropped · {PART_NAME}", "B"),
        unit="ops",
        no_value=NO_K6,
        least="10s",
        links=zoom(),
        calculations=["mean", "max"],
    )
    return [Line(9, [rate, failed]), Line(8, [users, iterations])]


def durations() -> list[Line]:
    def one(name: str, title: str) -> Json:
        return panels.lines(
            f"{title} of the duration",
            f"{title} of the duration of requests by name, in each of k6's windows; the slowest twenty.",
            12,
            over_time(percentile("http_req_duration", name), NAMED_NAME),
            unit="ms",
            no_value=NO_K6,
            least="10s",
            links=zoom(),
            calculations=["mean", "max"],
        )

    parts = "blocked|connecting|tls_handshaking|sending|waiting|receiving"
    where = panels.lines(
        "Where the time goes",
        "Parts of a request: means of k6's windows, averaged over names. Waiting is the time to the first byte.",
        12,
        over_time(
            f'avg by (metric) (avg_over_time({RUN} |~ `"metric":"http_req_({parts})"` |= `"final":false` '
            '| event_type="metric_summary" | json metric="tags.metric", value="tags.avg" '
            "| unwrap value [$__auto]))",
            "{{metric}}",
        ),
        unit="ms",
        no_value=NO_K6,
        least="10s",
        stacked=True,
        links=[logs_of_moment()],
        calculations=["mean"],
    )
    return [
        Line(9, [one("p50", "Median"), one("p95", "95th percentile")]),
        Line(9, [one("p99", "99th percentile"), where]),
    ]


def judged() -> list[Line]:
    threshold = (
        f"{event(WHOLE_RUN, 'threshold')} "
        '| json metric="tags.metric", expression="tags.expression", passed="tags.passed", value="tags.value" '
        "| unwrap value [$__range]"
    )
    thresholds = panels.table(
        "Thresholds",
        "k6's thresholds as it judged them at the end of its test, with the value that decided.",
        12,
        at_end(f"last_over_time({threshold}) by (component, host, metric, expression, passed)"),
        unit="none",
        no_value="No thresholds: the script has none, or k6 has not ended yet.",
        columns={
            "passed": "Passed",
            "metric": "Metric",
            "expression": "Threshold",
            "Value #A": "Value",
            "component": "Component",
            "host": "Host",
        },
        overrides=[
            override(
                "Passed",
                mappings=[
                    {
                        "type": "value",
                        "options": {
                            "true": {"text": "passed", "color": GREEN, "index": 0},
                            "false": {"text": "missed", "color": RED, "index": 1},
                        },
                    }
                ],
                custom_cellOptions={"type": "color-background", "mode": "basic"},
                custom_width=90,
            )
        ],
        sort=("Passed", False),
    )
    said = panels.log(
        "What k6 said",
        "Lines of k6 and of its script: console, warnings, exceptions, its end.",
        12,
        log_lines(
            f"{event(RUN, 'console', 'exception', 'k6_log', 'run_start', 'run_end')} "
            '| json message="message", '
            'exception="tags.exception", outcome="tags.outcome" '
            '| line_format `{{printf "%-8s %-10s" .level .event_type}} '
            "{{if .message}}{{.message}}{{else if .outcome}}{{.outcome}}{{else}}{{.exception}}{{end}}`",
            200,
        ),
        no_value=NO_K6,
    )
    return [Line(10, [thresholds, said])]


def dashboard() -> Json:
    return model.dashboard(
        "lb-platform-k6",
        "lb-log / k6",
        "What k6 measured in a run, from its summaries: rates, percentiles, failures, thresholds.",
        tags=TAGS,
        variables=[model.loki_variable(), run_variable(), *part_variables()],
        sections=[
            Section("", [numbers()]),
            Section("Course", course()),
            Section("Durations", durations()),
            Section("Judgement", judged()),
        ],
        since="now-24h",
        links=links(),
        annotations=marks(),
    )
