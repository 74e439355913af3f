"""dfaas: the nodes that functions run on."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.dfaas_common import (
    ABOUT,
    CPU,
    MEMORY,
    NO_NODE,
    NO_POWER,
    TAGS,
    links,
    logs_of_moment,
    logs_of_node,
    marks,
)
from tools.dashboards.logql import NOT_SUMMARIES, READABLE
from tools.dashboards.model import Json, Line, Section, log_lines, metric, over_time
from tools.dashboards.panels import ORANGE, RED, steps
from tools.dashboards.platform_common import NO_LOGS, part_variables, run_variable

# A node's name is that of `host` in the logs; other metrics have only its address.
NAMED = ' * on (instance) group_left (nodename) node_uname_info{nodename=~"$node"}'
LOGS = f'{{run_id="$run", host=~"$node", workload=~"$workload", repetition=~"$repetition", kind="log"}} {NOT_SUMMARIES}'
# The devices that stand for others are left out.
DISKS = 'device!~"(loop|ram|dm-|sr).*"'
NETWORKS = 'device!~"lo|veth.*|cni.*|flannel.*|docker.*|br-.*"'


def node_variable() -> Json:
    return model.metric_variable(
        "node", "label_values(node_uname_info, nodename)", "Nodes that Prometheus scrapes, named as hosts are in logs"
    )


def each(expression: str) -> str:
    """Of an expression with one value for each instance: named by node."""
    return f"max by (nodename) (({expression}){NAMED})"


def rate(metric_name: str, labels: str) -> str:
    return f"sum by (instance) (rate({metric_name}{{{labels}}}[$__rate_interval]))"


def load() -> list[Line]:
    link = [logs_of_node(), logs_of_moment()]
    busy = 'avg by (instance) (1 - rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'
    used = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
    cpu = panels.lines(
        "CPU",
        "Share of all cores that is busy. From the line on a campaign calls the node overloaded.",
        12,
        metric(each(busy), "{{nodename}}"),
        unit="percentunit",
        no_value=NO_NODE,
        bounds=(0, 1),
        thresholds=steps("transparent", (CPU, RED)),
        links=link,
        calculations=["mean", "max"],
    )
    memory = panels.lines(
        "Memory",
        "Share of the memory that is not available. From the line on a campaign calls the node overloaded.",
        12,
        metric(each(used), "{{nodename}}"),
        unit="percentunit",
        no_value=NO_NODE,
        bounds=(0, 1),
        thresholds=steps("transparent", (MEMORY, RED)),
        links=link,
        calculations=["mean", "max"],
    )
    power = panels.lines(
        "Power",
        "Power of the whole machine, as scaphandre reads it from the power meter.",
        8,
        metric("sum by (instance) (scaph_host_power_microwatts) / 1e6", "{{instance}}"),
        unit="watt",
        no_value=NO_POWER,
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    runnable = panels.lines(
        "Load",
        "Processes that run or wait to, on average over a minute, for each core. Above 1 some wait.",
        8,
        metric(
            each('node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode="idle"})'), "{{nodename}}"
        ),
        unit="short",
        no_value=NO_NODE,
        thresholds=steps("transparent", (1, ORANGE)),
        links=link,
        calculations=["mean", "max"],
    )
    disk = panels.lines(
        "Disk",
        "Bytes a second that are written to disks and read from them.",
        8,
        metric(each(rate("node_disk_written_bytes_total", DISKS)), "written · {{nodename}}", "A"),
        metric(each(rate("node_disk_read_bytes_total", DISKS)), "read · {{nodename}}", "B"),
        unit="Bps",
        no_value=NO_NODE,
        links=link,
        calculations=["mean", "max"],
    )
    network = panels.lines(
        "Network",
        "Bytes a second that come and go over the node's own network interfaces.",
        12,
        metric(each(rate("node_network_receive_bytes_total", NETWORKS)), "received · {{nodename}}", "A"),
        metric(each(rate("node_network_transmit_bytes_total", NETWORKS)), "sent · {{nodename}}", "B"),
        unit="Bps",
        no_value=NO_NODE,
        links=link,
        calculations=["mean", "max"],
    )
    written = panels.lines(
        "Log lines of these nodes",
        "Log lines by level, of programs on the nodes chosen above.",
        12,
        over_time(f"sum by (level) (count_over_time({LOGS} [$__auto]))", "{{level}}"),
        unit="short",
        no_value=NO_LOGS,
        bars=True,
        stacked=True,
        overrides=panels.by_level(),
        links=[logs_of_moment()],
        calculations=["sum"],
    )
    return [Line(9, [cpu, memory]), Line(8, [power, runnable, disk]), Line(8, [network, written])]


def dashboard() -> Json:
    lines = panels.log(
        "Log of these nodes",
        "The newest lines of programs on the nodes chosen above.",
        24,
        log_lines(f"{LOGS} {READABLE}", 300),
        no_value=NO_LOGS,
    )
    about = panels.text(
        "About", "Where the figures come from, and what to do where they are missing.", 24, ABOUT.strip()
    )
    return model.dashboard(
        "lb-dfaas-nodes",
        "lb-log / Nodes",
        "The nodes that functions run on: CPU, memory, power, disk and network beside their logs.",
        tags=TAGS,
        variables=[
            model.loki_variable(),
            model.prometheus_variable(),
            run_variable(),
            *part_variables(),
            node_variable(),
        ],
        sections=[
            Section("", load()),
            Section("Log", [Line(12, [lines])]),
            Section("About", [Line(5, [about])]),
        ],
        since="now-6h",
        links=links(),
        annotations=marks(),
    )
