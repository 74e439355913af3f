"""Platform: which runs there are."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.logql import ERRORS, NOT_SUMMARIES, last_moment, summaries, tag
from tools.dashboards.model import Json, Line, Section, at_end, link, over_time
from tools.dashboards.panels import RED, override, steps
from tools.dashboards.platform_common import NO_LOGS, TAGS

BADGE = {"type": "color-background", "mode": "basic"}
ALL_RUNS = '{run_id=~"$run", kind="log"}'

WELCOME = """
**A run** is everything that was logged under one `run_id`. Click one in the table to open it at its own time.

Nothing here? Loki holds what programs ship: `lb config check` tells what is configured, `lb status` what is still to
be sent, and `lb push RUN` sends the files of a run of the past. Widen the time range for older runs.
"""

OPEN_RUN = (
    "/d/lb-platform-run?${loki:queryparam}&var-run=${__data.fields.Run}"
    "&from=${__data.fields.From.numeric}&to=${__data.fields.To.numeric}"
)


def variables() -> list[Json]:
    return [
        model.loki_variable(),
        model.label_variable("run", "run_id", '{kind="log"}', "Runs to show", sort=model.ALPHABETICAL_DESC),
    ]


def per_run(query: str, window: str = "$__range") -> str:
    return f"sum by (run_id) (count_over_time({query} [{window}]))"


def table() -> Json:
    lines = f"{ALL_RUNS} {NOT_SUMMARIES}"
    # One look at the log for both; the quotes within a message are escaped.
    bad = '|~ `"level":"(ERROR|CRITICAL)"|"event_type":"log_(gap|unsynced)"`'
    wrong = f'{ALL_RUNS} {bad} | level=~"ERROR|CRITICAL" or event_type=~"log_gap|log_unsynced"'
    return panels.table(
        "Runs",
        "Each run of the time range: where it lies in time (a second more on both sides), its errors and the gaps in "
        "its logs, and the HTTP requests that k6 made. Click a run to open it.",
        24,
        at_end(f"{last_moment(lines, 'run_id', first=True)} - 1000", "A"),
        at_end(f"{last_moment(lines, 'run_id')} + 1000", "B"),
        at_end(per_run(wrong), "C"),
        at_end(f"sum by (run_id) (sum_over_time({summaries(ALL_RUNS, 'http_reqs')} {tag('sum')} [$__range]))", "D"),
        unit="short",
        no_value=NO_LOGS,
        columns={
            "run_id": "Run",
            "Value #A": "From",
            "Value #B": "To",
            "Value #C": "Errors and gaps",
            "Value #D": "HTTP requests",
        },
        overrides=[
            override("Run", links=[link("Open this run", OPEN_RUN)], custom_width=320),
            override("From", unit="dateTimeAsIso"),
            override("To", unit="dateTimeAsIso"),
            override("Errors and gaps", thresholds=steps("transparent", (1, RED)), custom_cellOptions=BADGE),
        ],
        sort=("From", True),
    )


def dashboard() -> Json:
    volume = panels.lines(
        "Log lines by run",
        "Log lines of each run, k6's summaries left out.",
        12,
        over_time(per_run(f"{ALL_RUNS} {NOT_SUMMARIES}", "$__auto"), "{{run_id}}"),
        unit="short",
        no_value=NO_LOGS,
        bars=True,
        stacked=True,
        calculations=["sum"],
    )
    errors = panels.lines(
        "Errors by run",
        "Log lines of level ERROR and CRITICAL.",
        12,
        over_time(per_run(f"{ALL_RUNS} {ERRORS}", "$__auto"), "{{run_id}}"),
        unit="short",
        no_value="No errors in this time range.",
        bars=True,
        stacked=True,
        calculations=["sum"],
    )
    about = panels.text("About", "What this dashboard shows, and what to do where it is empty.", 24, WELCOME.strip())
    return model.dashboard(
        "lb-platform-runs",
        "lb-log / Runs",
        "Which runs there are, when they were, and in which of them something went wrong.",
        tags=TAGS,
        variables=variables(),
        sections=[Section("", [Line(12, [table()]), Line(9, [volume, errors]), Line(5, [about])])],
        since="now-7d",
        links=[model.to_tag(TAGS[-1], "lb-log"), model.to_tag("lb-dfaas", "Functions")],
    )
