"""Platform: one run."""

from __future__ import annotations

from tools.dashboards import model, panels
from tools.dashboards.logql import (
    ERRORS,
    HOSTS,
    NOT_SUMMARIES,
    PHASES,
    READABLE,
    RUN,
    WARNINGS,
    added,
    counted,
    event,
    last_moment,
    or_zero,
    phase_bands,
    rate_of_windows,
    share_of,
    summaries,
    tag,
    total,
)
from tools.dashboards.model import Json, Line, Section, at_end, log_lines, over_time
from tools.dashboards.panels import BLUE, GREEN, ORANGE, RED, override, steps
from tools.dashboards.platform_common import (
    NO_GAPS,
    NO_K6,
    NO_LOGS,
    NO_PHASES,
    TAGS,
    errors_of_moment,
    links,
    logs_of_moment,
    marks,
    part_variables,
    place_variables,
    run_variable,
)

GAPS = event(HOSTS, "log_gap")
HOLES = event(HOSTS, "log_gap", "log_unsynced", "log_deleted")
ENDS = event(HOSTS, "run_end")
THRESHOLDS = event(HOSTS, "threshold")


def dropped() -> str:
    """Records that were offered and are in no file."""
    names = ("samples_dropped", "lines_dropped", "records_dropped", "records_rejected")
    parsed = ", ".join(f'{name}="tags.{name}"' for name in names)
    all_of_them = f"label_format all=`{{{{add {' '.join(f'.{name}' for name in names)}}}}}` | unwrap all"
    ends = added(f"{ENDS} | json {parsed} | {all_of_them} [$__range]", "")
    return " + ".join(f"({or_zero(part)})" for part in (counted(GAPS, "lost", "", "$__range"), ends))


def count(title: str, description: str, query: str, thresholds: Json) -> Json:
    """A number that had better be 0."""
    return panels.number(title, description, 4, at_end(query), unit="short", no_value="0", thresholds=thresholds)


def numbers() -> Line:
    """What went wrong, first."""
    bad, doubtful = steps(GREEN, (1, RED)), steps(GREEN, (1, ORANGE))
    requests = panels.number(
        "HTTP requests",
        "Requests that k6 made, from its summaries.",
        4,
        at_end(or_zero(counted(summaries(HOSTS, "http_reqs"), "sum", "", "$__range"))),
        unit="short",
        no_value="0",
        thresholds=steps(BLUE),
    )
    failed = panels.number(
        "Failed requests",
        "Share of k6's requests that it judged as failed.",
        4,
        at_end(or_zero(share_of(summaries(HOSTS, "http_req_failed"), "", "$__range"))),
        unit="percentunit",
        no_value="0",
        thresholds=steps(GREEN, (0.000001, ORANGE), (0.05, RED)),
    )
    return Line(
        4,
        [
            count("Errors", "Log lines of level ERROR and CRITICAL.", total(f"{HOSTS} {ERRORS}"), bad),
            count(
                "Warnings",
                "Log lines of level WARNING; failed requests are counted elsewhere.",
                total(f"{HOSTS} {WARNINGS}"),
                doubtful,
            ),
            count(
                "Thresholds missed",
                "Of k6's thresholds, as k6 judged them at the end of its test.",
                total(f'{THRESHOLDS} | level!="INFO"'),
                bad,
            ),
            count(
                "Records dropped",
                "What k6 counts as dropped or rejected at its end, and what log_gap records tell of. Not zero: figures "
                "and logs of this run have holes.",
                dropped(),
                bad,
            ),
            requests,
            failed,
        ],
    )


def errors() -> Line:
    return Line(
        8,
        [
            panels.log(
                "Errors",
                "The newest lines of level ERROR and CRITICAL, with their tracebacks. Click a line for its fields.",
                24,
                log_lines(f"{HOSTS} {ERRORS} {READABLE}", 200),
                no_value="No errors in this run and time range.",
            )
        ],
    )


def course() -> Section:
    """What happened when."""
    phases = panels.bands(
        "Phases",
        "In which phase each program was, from its phase_start and phase_end records. A band that does not end: the "
        "phase has not ended, or its end was never told. Phases shorter than a step of the picture are in the table.",
        16,
        # Grafana divides a long range into days, unless the name says so: then $__range would be a day.
        over_time(phase_bands(HOSTS), "{{component}} {{host}} · {{workload}} #{{repetition}}", "A-do-not-chunk"),
        no_value=NO_PHASES,
        mappings=panels.states(*PHASES),
        links=[logs_of_moment()],
    )
    took = (
        f'{event(HOSTS, "phase_end")} | json value="tags.duration_ms", outcome="tags.outcome" | unwrap value [$__range]'
    )
    durations = panels.table(
        "Duration of phases",
        "How long each phase took, and how it ended.",
        8,
        at_end(f"max_over_time({took}) by (component, host, workload, repetition, phase, outcome)"),
        unit="ms",
        no_value=NO_PHASES,
        columns={
            "component": "Component",
            "host": "Host",
            "workload": "Workload",
            "repetition": "#",
            "phase": "Phase",
            "outcome": "Outcome",
            "Value #A": "Took",
        },
        sort=("Took", True),
    )
    by_level = panels.lines(
        "Log lines by level",
        "Log lines, k6's summaries left out. Click a bar for the lines of that moment.",
        12,
        over_time(f"sum by (level) (count_over_time({HOSTS} {NOT_SUMMARIES} [$__auto]))", "{{level}}"),
        unit="short",
        no_value=NO_LOGS,
        bars=True,
        stacked=True,
        overrides=panels.by_level(),
        links=[logs_of_moment(), errors_of_moment()],
        calculations=["sum"],
    )
    by_component = panels.lines(
        "Log lines by component",
        "Log lines of each program on each host, k6's summaries left out.",
        12,
        over_time(
            f"sum by (component, host) (count_over_time({HOSTS} {NOT_SUMMARIES} [$__auto]))",
            "{{component}} {{host}}",
        ),
        unit="short",
        no_value=NO_LOGS,
        bars=True,
        stacked=True,
        links=[logs_of_moment()],
        calculations=["sum"],
    )
    return Section("Course", [Line(9, [phases, durations]), Line(9, [by_level, by_component])])


def load() -> Section:
    """What k6 did, in short."""
    by = "workload, repetition"
    rate = panels.lines(
        "Requests",
        "HTTP requests a second of each workload and repetition, from k6's summaries: one value for each of its "
        "windows of ten seconds.",
        12,
        over_time(rate_of_windows(summaries(RUN, "http_reqs"), by), "{{workload}} #{{repetition}}"),
        unit="reqps",
        no_value=NO_K6,
        least="10s",
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    slow = panels.lines(
        "Slowest p95",
        "95th percentile of the duration of requests; of several request names the slowest.",
        12,
        over_time(
            f"max by ({by}) (max_over_time({summaries(RUN, 'http_req_duration')} {tag('p95')} [$__auto]))",
            "{{workload}} #{{repetition}}",
        ),
        unit="ms",
        no_value=NO_K6,
        least="10s",
        links=[logs_of_moment()],
        calculations=["mean", "max"],
    )
    return Section("Load", [Line(9, [rate, slow])])


def delivery() -> Section:
    """What is here, and what is not."""
    arrived = panels.table(
        "Logs in Loki",
        "What Loki holds of each program's log: lines from the level up that is shipped (INFO by default), samples "
        "left out, and the last of them that is no summary of k6. "
        "The file on its host is the authority: lb verify compares the two.",
        12,
        at_end(f"sum by (component, host) (count_over_time({HOSTS} [$__range]))", "A"),
        at_end(last_moment(f"{HOSTS} {NOT_SUMMARIES}", "component, host"), "B"),
        unit="short",
        no_value=NO_LOGS,
        columns={"component": "Component", "host": "Host", "Value #A": "Lines", "Value #B": "Last line"},
        overrides=[override("Last line", unit="dateTimeFromNow")],
        sort=("Last line", False),
    )
    gaps = panels.log(
        "Drops and gaps",
        "What is missing in the logs, when and why: records that were lost, not safe on the disk, or deleted with old "
        "segments.",
        12,
        log_lines(f"{HOLES} {READABLE}", 100),
        no_value=NO_GAPS,
    )
    return Section("Delivery", [Line(9, [arrived, gaps])])


def everything() -> Section:
    lines = panels.log(
        "Log",
        "The newest lines, k6's summaries left out. Click a line for its fields; lb-log / Logs filters them.",
        24,
        log_lines(f"{HOSTS} {NOT_SUMMARIES} {READABLE}", 500),
        no_value=NO_LOGS,
    )
    return Section("Log", [Line(14, [lines])])


def dashboard() -> Json:
    return model.dashboard(
        "lb-platform-run",
        "lb-log / Run",
        "What happened in a run: errors first, then its phases, its load, its delivery and its log.",
        tags=TAGS,
        variables=[model.loki_variable(), run_variable(), *part_variables(), *place_variables()],
        sections=[
            Section("Errors first", [numbers(), errors()]),
            course(),
            load(),
            delivery(),
            everything(),
        ],
        since="now-24h",
        links=links(),
        annotations=marks(),
    )
