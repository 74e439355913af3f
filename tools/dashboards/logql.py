"""What the dashboards ask Loki, in the pieces that several of them share.

Three things keep queries fast over a run of millions of requests: `kind="log"` leaves the request lines alone; the
line filter on raw bytes comes before anything that parses; and only those fields are parsed that are needed."""

from __future__ import annotations

# Streams of a run; what the variables of a dashboard leave of them. `kind` keeps a selector legal where a variable is
# empty: on a fresh install there are no values yet.
RUN = '{run_id="$run", workload=~"$workload", repetition=~"$repetition", kind="log"}'
HOSTS = (
    '{run_id="$run", component=~"$component", host=~"$host", workload=~"$workload", repetition=~"$repetition", '
    'kind="log"}'
)

# k6 sums its metrics up every ten seconds: these are no log lines that anybody wants to read.
NOT_SUMMARIES = 'event_type!="metric_summary"'
ERRORS = 'level=~"ERROR|CRITICAL"'

# The message with what is around it, in columns; the whole record is among the line's details.
READABLE = (
    '| json message="message", exception="tags.exception", stack="tags.stack" '
    "| line_format `"
    '{{printf "%-8s %-12s %-14s %s#%s" .level .component .host .workload .repetition}}  {{.message}}'
    '{{if .stack}}{{printf "\\n%s" .stack}}{{else if .exception}}{{printf "\\n%s" .exception}}{{end}}`'
)

# The colours and names of phases; 0 is none.
PHASES = (
    (0, " ", "transparent"),
    (1, "install", "semi-dark-purple"),
    (2, "setup", "semi-dark-blue"),
    (3, "run", "semi-dark-green"),
    (4, "teardown", "semi-dark-orange"),
    (5, "collect", "semi-dark-yellow"),
    (6, "other", "#8e8e8e"),
)


def summaries(streams: str, metric: str, final: bool = False) -> str:
    """The `metric_summary` records of a metric: of its windows, or the ones of whole runs."""
    last = "true" if final else "false"
    return f'{streams} |= `"metric":"{metric}"` |= `"final":{last}` | event_type="metric_summary"'


def whole(streams: str, metric: str) -> str:
    return summaries(streams, metric, final=True)


def tag(name: str) -> str:
    """A number among the tags becomes the value of the line."""
    return f'| json value="tags.{name}" | unwrap value'


def added(range_vector: str, by: str) -> str:
    """The sum over a window, of all series or by labels."""
    return f"sum by ({by}) (sum_over_time({range_vector}))" if by else f"sum(sum_over_time({range_vector}))"


def counted(query: str, name: str, by: str, window: str) -> str:
    """A tag, added up over a window."""
    return added(f"{query} {tag(name)} [{window}]", by)


def or_zero(expression: str) -> str:
    """0 where there is nothing. The expression has no labels: else 0 would stand beside its values."""
    return f"{expression} or vector(0)"


def total(query: str) -> str:
    """How many lines, and 0 where there are none."""
    return or_zero(f"sum(count_over_time({query} [$__range]))")


def rate_of_windows(query: str, by: str) -> str:
    """A second: the mean over k6's windows. Their edges are never those of the steps of a query, so that to divide
    their sum by a step would rise and fall without reason.
    """
    return f"sum by ({by}) (avg_over_time({query} {tag('per_second')} [$__auto]))"


def share_of(query: str, by: str, window: str) -> str:
    """Of a Rate: which share was true."""
    true, false = counted(query, "passes", by, window), counted(query, "fails", by, window)
    return f"{true} / ({true} + {false})"


def phase_bands(streams: str) -> str:
    """The number of the phase that a program is in, by the last record that says so."""
    numbers = "".join(
        f'{{{{else if eq .phase "{name}"}}}}{number}' for number, name, _ in PHASES if number not in (0, 6)
    )
    state = f'{{{{if eq .event_type "phase_end"}}}}0{numbers}{{{{else}}}}6{{{{end}}}}'
    return (
        f'last_over_time({streams} |= `"event_type":"phase_` | event_type=~"phase_start|phase_end" '
        f"| label_format state=`{state}` | unwrap state [$__range]) by (component, host, workload, repetition)"
    )
