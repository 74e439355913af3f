"""What the dashboards of the plugin `dfaas` share: functions on nodes, by k6's records and by Prometheus."""

from __future__ import annotations

from tools.dashboards import model
from tools.dashboards.logql import RUN, event
from tools.dashboards.model import Json, link
from tools.dashboards.platform_common import TAG as PLATFORM_TAG

TAG = "lb-dfaas"
TAGS = ["lb-log", TAG]

# From which value on a campaign takes a node, or a function, to be overloaded.
CPU, MEMORY, NODE_SUCCESS, FUNCTION_SUCCESS, REPLICAS = 0.8, 0.9, 0.95, 0.9, 15

NO_K6 = "No figures of functions. k6 writes them with --out lb-loki, and custom metrics named {} by the script."
NO_GATEWAY = "No figures of the function gateway. The Prometheus chosen above has to scrape OpenFaaS's gateway."
NO_NODE = "No figures of nodes. The Prometheus chosen above has to scrape a node exporter."
NO_CONTAINERS = "No figures of containers. The Prometheus chosen above has to scrape cAdvisor."
NO_POWER = "No power figures: scaphandre is not scraped, or the machine has no power meter (virtual ones seldom have)."
NO_EVENTS = "No events in this run and time range. The runner logs them with event_type overload, config, …"

EVENTS = (
    *("overload", "config", "config_skipped", "cooldown_start", "cooldown_end"),
    *("phase_start", "phase_end", "run_start", "run_end", "command_end"),
)

ABOUT = """
**k6's figures** come from Loki: the custom metrics `success_rate_<function>`, `latency_<function>` and
`request_count_<function>` of the script, and the tag `function` of its requests.

**Gateway, containers, nodes and power** come from Prometheus. Where these panels say that a datasource was not found:
set `prometheus.url` (or `LB_PROMETHEUS_URL`), or `hosts` of the plugin *dfaas*, and run
`lb provision loki-grafana configure` again.
"""

MOMENT = (
    "/d/lb-platform-logs?${loki:queryparam}&${run:queryparam}&${workload:queryparam}&${repetition:queryparam}"
    "&time=${__value.time}&time.window=120000"
)


def logs_of_moment() -> Json:
    return link("Logs of this moment", MOMENT)


def logs_of_function(label: str = "function") -> Json:
    """Lines of that moment in which a function is named."""
    return link("Logs of this function at this moment", f"{MOMENT}&var-search=${{__field.labels.{label}}}")


def logs_of_node() -> Json:
    return link("Logs of this node at this moment", f"{MOMENT}&var-host=${{__field.labels.nodename}}")


def function_variable() -> Json:
    """Without its namespace, so that it is k6's name, too."""
    return model.metric_variable(
        "function",
        "label_values(gateway_service_count, function_name)",
        "Functions that the gateway knows; all, where there is no Prometheus",
        regex="/^([^.]+)/",
    )


def links() -> list[Json]:
    return [model.to_tag(TAG, "Functions"), model.to_tag(PLATFORM_TAG, "lb-log")]


def marks(streams: str = RUN) -> list[Json]:
    """Overloads, and configurations as they begin, in some streams of the run."""
    return [
        model.annotation(
            "Overload",
            f'{event(streams, "overload")} | json message="message"',
            "red",
            "{{message}}",
        ),
        model.annotation(
            "Configuration",
            f'{event(streams, "config")} | json message="message"',
            "blue",
            "{{message}}",
        ),
    ]
