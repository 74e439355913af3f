"""A table of trends as k6 summed them up at its end, one row for each: one look at the log for all of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.dashboards import panels
from tools.dashboards.logql import event, largest
from tools.dashboards.model import Json, at_end
from tools.dashboards.panels import override

BAR = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
# What a column is called, and the tag that it shows.
FIGURES = {"Requests": "count", "Mean": "avg", "Median": "p50", "p95": "p95", "p99": "p99"}
MOST = 200


def trends(
    title: str,
    description: str,
    width: int,
    *,
    streams: str,
    metric: str,
    key: str,
    labels: Mapping[str, str],
    no_value: str,
    sort: tuple[str, bool],
) -> Json:
    """`metric` begins the metrics' names; `key` makes, of a record, the label by which its rows are told apart;
    `labels`: the columns before the figures. Each record becomes a series whose labels are its figures, and its value
    the longest duration.
    """
    parsed = ", ".join(f'{name}="tags.{name}"' for name in FIGURES.values())
    by = ", ".join([*labels, *FIGURES.values()])
    query = (
        f'{event(streams, "metric_summary")} |= `"metric":"{metric}` |= `"final":true` '
        f'| json {parsed}, value="tags.max", {key} | unwrap value [$__range]'
    )
    made = panels.table(
        title,
        description,
        width,
        at_end(largest(query, by, MOST)),
        unit="ms",
        no_value=no_value,
        columns={**labels, **{name: title for title, name in FIGURES.items()}, "Value #A": "Longest"},
        overrides=[
            override("Requests", unit="short"),
            override("p95", custom_cellOptions=BAR, min=0, color={"mode": "continuous-BlPu"}),
        ],
        sort=sort,
    )
    # Labels are text.
    conversions = [{"targetField": name, "destinationType": "number"} for name in FIGURES.values()]
    made["transformations"].insert(0, {"id": "convertFieldType", "options": {"conversions": conversions, "fields": {}}})
    return made


def by_request_name(
    title: str, description: str, width: int, streams: str, labels: Sequence[str], no_value: str
) -> Json:
    """Of the durations of requests."""
    called = {"run_id": "Run", "workload": "Workload", "repetition": "#"}
    return trends(
        title,
        description,
        width,
        streams=streams,
        metric='http_req_duration"',
        key='name="tags.name"',
        labels={"name": "Name", **{name: called[name] for name in labels}},
        no_value=no_value,
        sort=("Longest", True),
    )
