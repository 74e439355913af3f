"""Platform: the log, filtered."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.logql import HOSTS, NOT_SUMMARIES, READABLE
from tools.dashboards.model import Json, Line, Section, log_lines, over_time
from tools.dashboards.platform_common import (
    NO_LOGS,
    TAGS,
    links,
    logs_of_moment,
    part_variables,
    place_variables,
    run_variable,
)

LINES = f'{HOSTS} {NOT_SUMMARIES} |~ `(?i)$search` | level=~"$level" | phase=~"$phase"'

# Structured metadata has no list of values that a variable could ask for.
LEVELS = (
    ("all", ".*"),
    ("INFO and above", "INFO|WARNING|ERROR|CRITICAL"),
    ("WARNING and above", "WARNING|ERROR|CRITICAL"),
    ("ERROR and above", "ERROR|CRITICAL"),
)
PHASES = (("all", ".*"), *((name, name) for name in ("install", "setup", "run", "teardown", "collect")))


def dashboard() -> Json:
    volume = panels.lines(
        "Lines by level",
        "Log lines that pass the filters above.",
        24,
        over_time(f"sum by (level) (count_over_time({LINES} [$__auto]))", "{{level}}"),
        unit="short",
        no_value=NO_LOGS,
        bars=True,
        stacked=True,
        overrides=panels.by_level(),
        links=[logs_of_moment()],
    )
    lines = panels.log(
        "Log",
        "Level, component, host, workload and repetition, message and traceback; a click shows all fields of a line. "
        "The newest lines of the time range; k6's summaries are left out.",
        24,
        log_lines(f"{LINES} {READABLE}", 1000),
        no_value=NO_LOGS,
    )
    return model.dashboard(
        "lb-platform-logs",
        "lb-log / Logs",
        "The log of a run, filtered by program, host, workload, repetition, level, phase and text.",
        tags=TAGS,
        variables=[
            model.loki_variable(),
            run_variable(),
            *part_variables(),
            *place_variables(),
            model.list_variable("level", "From which level up", LEVELS),
            model.list_variable("phase", "Lines of this phase; most programs name none", PHASES),
            model.text_variable("search", "A regular expression; case does not matter"),
        ],
        sections=[Section("", [Line(6, [volume]), Line(24, [lines])])],
        since="now-24h",
        links=links(),
    )
