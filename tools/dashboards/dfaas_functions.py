"""dfaas: functions, as k6 and the gateway see them."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.dfaas_common import (
    ABOUT,
    EVENTS,
    FUNCTION_SUCCESS,
    NO_CONTAINERS,
    NO_EVENTS,
    NO_GATEWAY,
    NO_K6,
    NO_POWER,
    NODE_SUCCESS,
    REPLICAS,
    TAGS,
    function_variable,
    links,
    logs_of_function,
    logs_of_moment,
    marks,
)
from tools.dashboards.logql import ERRORS, READABLE, RUN, added, event, or_zero, total
from tools.dashboards.model import Json, Line, Section, at_end, log_lines, metric, over_time
from tools.dashboards.panels import BLUE, GREEN, ORANGE, RED, steps
from tools.dashboards.platform_common import part_variables, run_variable

# As the gateway names functions: with their namespace behind a dot.
GATEWAY = 'function_name=~"($function)([.].*)?"'
CONTAINER = 'container_label_io_kubernetes_container_name=~"$function"'
FUNCTION, CONTAINER_NAME = "{{function_name}}", "{{container_label_io_kubernetes_container_name}}"


def summaries(prefix: str, value: str, window: str) -> str:
    """The windows of a custom metric whose name ends with the function's."""
    return (
        f'{RUN} |= `"metric":"{prefix}_` |= `"final":false` | event_type="metric_summary" '
        f'| json metric="tags.metric", value="tags.{value}" '
        f'| label_format function=`{{{{trimPrefix "{prefix}_" .metric}}}}` | function=~"$function" '
        f"| unwrap value [{window}]"
    )


def added_up(prefix: str, value: str, window: str, by: str = "function") -> str:
    return added(summaries(prefix, value, window), by)


def success(window: str, by: str = "function") -> str:
    """Which share of the calls succeeded."""
    both = summaries("success_rate", "passes", window).replace(
        "| unwrap value", '| json fails="tags.fails" | label_format both=`{{add .value .fails}}` | unwrap both'
    )
    return f"{added_up('success_rate', 'passes', window, by)} / {added(both, by)}"


def numbers() -> Line:
    return Line(
        4,
        [
            panels.number(
                "Calls",
                "Calls of functions that k6 counted (request_count_<function>).",
                5,
                at_end(or_zero(added_up("request_count", "sum", "$__range", ""))),
                unit="short",
                no_value="0",
                thresholds=steps(BLUE),
            ),
            panels.number(
                "Success",
                "Share of the calls that succeeded (success_rate_<function>).",
                5,
                at_end(success("$__range", "")),
                unit="percentunit",
                no_value="no calls",
                thresholds=steps(RED, (FUNCTION_SUCCESS, ORANGE), (NODE_SUCCESS, GREEN)),
            ),
            panels.number(
                "Slowest p95",
                "95th percentile of the latency (latency_<function>) of the slowest function, of whole repetitions.",
                5,
                at_end(
                    "max(max_over_time("
                    + summaries("latency", "p95", "$__range").replace('"final":false', '"final":true')
                    + "))"
                ),
                unit="ms",
                no_value="not ended yet",
                thresholds=steps(BLUE),
            ),
            panels.number(
                "Overloads",
                "How often the runner told of an overload: CPU, memory, success or replicas beyond their bounds.",
                5,
                at_end(total(event(RUN, "overload"))),
                unit="short",
                no_value="0",
                thresholds=steps(GREEN, (1, ORANGE)),
            ),
            panels.number(
                "Errors",
                "Log lines of level ERROR and CRITICAL.",
                4,
                at_end(total(f"{RUN} {ERRORS}")),
                unit="short",
                no_value="0",
                thresholds=steps(GREEN, (1, RED)),
            ),
        ],
    )


def by_k6() -> list[Line]:
    # Several k6 may call one function.
    calls = summaries("request_count", "per_second", "$__auto").replace(
        "| unwrap value", '| json instance="tags.instance" | unwrap value'
    )
    rate = panels.lines(
        "Calls",
        "Calls a second that k6 made of each function, a value for each of its windows of ten seconds.",
        8,
        over_time(f"sum by (function) (avg_over_time({calls}))", "{{function}}"),
        unit="reqps",
        no_value=NO_K6.format("request_count_<function>"),
        least="10s",
        links=[logs_of_function(), logs_of_moment()],
        calculations=["mean", "max"],
    )
    good = panels.lines(
        "Success",
        "Share of the calls that succeeded. Below the line a campaign calls the function overloaded.",
        8,
        over_time(success("$__auto"), "{{function}}"),
        unit="percentunit",
        no_value=NO_K6.format("success_rate_<function>"),
        least="10s",
        bounds=(0, 1),
        thresholds=steps(RED, (FUNCTION_SUCCESS, GREEN)),
        links=[logs_of_function(), logs_of_moment()],
        calculations=["min", "mean"],
    )
    slow = panels.lines(
        "Latency",
        "95th percentile of the latency of each function, in each of k6's windows.",
        8,
        over_time(f"max by (function) (max_over_time({summaries('latency', 'p95', '$__auto')}))", "{{function}}"),
        unit="ms",
        no_value=NO_K6.format("latency_<function>"),
        least="10s",
        links=[logs_of_function(), logs_of_moment()],
        calculations=["mean", "max"],
    )
    return [Line(9, [rate, good, slow])]


def by_gateway() -> list[Line]:
    rate = f"sum by (function_name) (rate(gateway_function_invocation_total{{{GATEWAY}}}[$__rate_interval]))"
    failed = (
        f'sum by (function_name) (rate(gateway_function_invocation_total{{{GATEWAY}, code!~"2.."}}[$__rate_interval]))'
    )
    took = " / ".join(
        f"sum by (function_name) (rate(gateway_functions_seconds_{part}{{{GATEWAY}}}[$__rate_interval]))"
        for part in ("sum", "count")
    )
    link = [logs_of_moment()]
    return [
        Line(
            9,
            [
                panels.lines(
                    "Invocations",
                    "Invocations a second that the gateway passed on.",
                    6,
                    metric(rate, FUNCTION),
                    unit="reqps",
                    no_value=NO_GATEWAY,
                    links=link,
                ),
                panels.lines(
                    "Failed invocations",
                    "Share of the invocations that the gateway answered with another status than 2xx.",
                    6,
                    metric(f"{failed} / {rate}", FUNCTION),
                    unit="percentunit",
                    no_value=NO_GATEWAY,
                    bounds=(0, 1),
                    thresholds=steps("transparent", (1 - FUNCTION_SUCCESS, RED)),
                    links=link,
                ),
                panels.lines(
                    "Time in functions",
                    "Mean duration of an invocation as the gateway sees it.",
                    6,
                    metric(took, FUNCTION),
                    unit="s",
                    no_value=NO_GATEWAY,
                    links=link,
                ),
                panels.lines(
                    "Replicas",
                    "Running replicas of each function. From the line on a campaign calls the node overloaded.",
                    6,
                    metric(f"max by (function_name) (gateway_service_count{{{GATEWAY}}})", FUNCTION),
                    unit="short",
                    no_value=NO_GATEWAY,
                    thresholds=steps("transparent", (REPLICAS, RED)),
                    links=link,
                ),
            ],
        )
    ]


def by_container() -> list[Line]:
    name = "container_label_io_kubernetes_container_name"
    link = [logs_of_moment()]
    return [
        Line(
            8,
            [
                panels.lines(
                    "CPU of functions",
                    "Cores that the containers of each function use.",
                    8,
                    metric(
                        f"sum by ({name}) (rate(container_cpu_usage_seconds_total{{{CONTAINER}}}[$__rate_interval]))",
                        CONTAINER_NAME,
                    ),
                    unit="short",
                    no_value=NO_CONTAINERS,
                    links=link,
                ),
                panels.lines(
                    "Memory of functions",
                    "Memory that the containers of each function use.",
                    8,
                    metric(f"sum by ({name}) (container_memory_usage_bytes{{{CONTAINER}}})", CONTAINER_NAME),
                    unit="bytes",
                    no_value=NO_CONTAINERS,
                    links=link,
                ),
                panels.lines(
                    "Power of functions",
                    "Power of processes whose program has a function's name, as scaphandre estimates it.",
                    8,
                    metric(
                        'sum by (exe) (scaph_process_power_consumption_microwatts{exe=~"(.*/)?($function)"}) / 1e6',
                        "{{exe}}",
                    ),
                    unit="watt",
                    no_value=NO_POWER,
                    links=link,
                ),
            ],
        )
    ]


def events() -> list[Line]:
    happened = panels.log(
        "Events",
        "Configurations, cooldowns, overloads, phases and ends, as the runner and k6 logged them.",
        12,
        log_lines(f"{event(RUN, *EVENTS)} {READABLE}", 300),
        no_value=NO_EVENTS,
    )
    errors = panels.log(
        "Errors",
        "The newest lines of level ERROR and CRITICAL.",
        12,
        log_lines(f"{RUN} {ERRORS} {READABLE}", 200),
        no_value="No errors in this run and time range.",
    )
    return [Line(10, [happened, errors])]


def dashboard() -> Json:
    about = panels.text(
        "About", "Where the figures come from, and what to do where they are missing.", 24, ABOUT.strip()
    )
    return model.dashboard(
        "lb-dfaas-functions",
        "lb-log / Functions",
        "Functions under load: calls, success and latency by k6, beside gateway, replicas, containers and power.",
        tags=TAGS,
        variables=[
            model.loki_variable(),
            model.prometheus_variable(),
            run_variable(),
            *part_variables(),
            function_variable(),
        ],
        sections=[
            Section("", [numbers()]),
            Section("Functions, by k6", by_k6()),
            Section("Functions, by the gateway", by_gateway()),
            Section("Containers", by_container()),
            Section("Events", events()),
            Section("About", [Line(5, [about])]),
        ],
        since="now-24h",
        links=links(),
        annotations=marks(),
    )
