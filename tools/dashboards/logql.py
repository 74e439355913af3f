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
# Within a message these quotes would be escaped.
NOT_SUMMARIES = '!= `"event_type":"metric_summary"`'
ERRORS = '|~ `"level":"(ERROR|CRITICAL)"` | level=~"ERROR|CRITICAL"'
WARNINGS = '|= `"level":"WARNING"` | level="WARNING"'

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


def event(streams: str, *types: str) -> str:
    """Records of event types."""
    listed = "|".join(types)
    if len(types) == 1:
        return f'{streams} |= `"event_type":"{listed}"` | event_type="{listed}"'
    return f'{streams} |~ `"event_type":"({listed})"` | event_type=~"{listed}"'


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
    """A second: the mean over k6's windows, of all request names and k6 instances together. The edges of windows are
    never those of the steps of a query, so that to divide their sum by a step would rise and fall without reason.
    """
    apart = '| json name="tags.name", instance="tags.instance", value="tags.per_second" | unwrap value'
    return f"sum by ({by}) (avg_over_time({query} {apart} [$__auto]))"


def largest(range_vector: str, by: str, most: int) -> str:
    """The largest values of those series that have the largest. There may be thousands, and Loki shows 500: it divides
    max_over_time among several that each send all of their series, but not quantile_over_time.
    """
    return f"topk({most}, quantile_over_time(1, {range_vector}) by ({by}))"


def share_of(query: str, by: str, window: str) -> str:
    """Of a Rate: which share was true."""
    both = '| json passes="tags.passes", fails="tags.fails" | label_format both=`{{add .passes .fails}}` | unwrap both'
    return f"{counted(query, 'passes', by, window)} / {added(f'{query} {both} [{window}]', by)}"


def last_moment(query: str, by: str, first: bool = False) -> str:
    """When the last line was, or the first: milliseconds since 1970."""
    which, stamp = "min" if first else "max", "label_format at=`{{__timestamp__ | unixEpochMillis}}` | unwrap at"
    return f"{which}_over_time({query} | {stamp} [$__range]) by ({by})"


def phase_bands(streams: str) -> str:
    """The number of the phase that a program is in. Each phase tells its own end, which may come a moment after the
    next one has begun: of those that go on the latest counts.
    """
    numbers = "".join(
        f'{{{{else if eq .phase "{name}"}}}}{number}' for number, name, _ in PHASES if number not in (0, 6)
    )
    state = f'{{{{if eq .event_type "phase_end"}}}}0{numbers}{{{{else}}}}6{{{{end}}}}'
    row = "component, host, workload, repetition"
    return (
        f"max by ({row}) (last_over_time({event(streams, 'phase_start', 'phase_end')} "
        f"| label_format state=`{state}` | unwrap state [$__range]) by ({row}, phase))"
    )
