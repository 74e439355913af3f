"""What the dashboards of the plugin `platform` share: variables, links, marks, and what an empty panel says."""

from __future__ import annotations

from tools.dashboards import model
from tools.dashboards.logql import ERRORS, RUN, event
from tools.dashboards.model import Json, label_variable, link

TAG = "lb-platform"
TAGS = ["lb-log", TAG]

NO_LOGS = "No log lines here. Choose another run or time range; programs ship with loki.enabled = true."
NO_K6 = "No k6 records here. k6 writes them with --out lb-loki=http://LOKI:3100"
NO_SAMPLES = "No requests here. Choose a run, workload and repetition in which k6 ran with samples = compact."
NO_PHASES = "No phases here. k6 and lb-log's controller tell when a phase starts and ends."
NO_GAPS = "No gaps: nothing that was offered is missing."

# Where the logs of a moment are: a minute to each side of the point that was clicked.
MOMENT = (
    "/d/lb-platform-logs?${loki:queryparam}&${run:queryparam}&${workload:queryparam}&${repetition:queryparam}"
    "&time=${__value.time}&time.window=120000"
)


def logs_of_moment() -> Json:
    return link("Logs of this moment", MOMENT)


def errors_of_moment() -> Json:
    return link("Errors of this moment", f"{MOMENT}&var-level=ERROR%7CCRITICAL")


def run_variable() -> Json:
    return label_variable(
        "run", "run_id", '{kind="log"}', "The run, newest name first", several=False, sort=model.ALPHABETICAL_DESC
    )


def part_variables() -> list[Json]:
    """Workload and repetition, several at a time."""
    stream = '{run_id="$run", kind="log"}'
    return [
        label_variable("workload", "workload", stream, "Workloads of the run"),
        label_variable("repetition", "repetition", stream, "Repetitions", sort=model.NUMERICAL),
    ]


def place_variables() -> list[Json]:
    """Component and host, several at a time."""
    stream = '{run_id="$run", kind="log"}'
    return [
        label_variable("component", "component", stream, "Programs that log"),
        label_variable("host", "host", stream, "Machines of the run"),
    ]


def links() -> list[Json]:
    return [model.to_tag(TAG, "lb-log"), model.to_tag("lb-dfaas", "Functions")]


def marks(streams: str = RUN) -> list[Json]:
    """Errors, and thresholds that were missed, in some streams of the run."""
    return [
        model.annotation("Error", f'{streams} {ERRORS} | json message="message"', "red", "{{message}}"),
        model.annotation(
            "Threshold missed",
            f'{event(streams, "threshold")} | level!="INFO" | json metric="tags.metric", expression="tags.expression"',
            "orange",
            "{{metric}}: {{expression}}",
        ),
    ]
