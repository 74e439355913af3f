#!/usr/bin/env python3
"""Shows what k6 log files of lb-log hold, on a page of 80 columns.

    show.py FILE…

Only the standard library is used: a log file of lb-log is JSON, one object a line.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

Record = dict[str, Any]

WIDTH = 80
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
COLOURS = {"title": "1", "dim": "2", "good": "32", "WARNING": "33", "bad": "31", "ERROR": "31", "CRITICAL": "31;1"}
MOST_SLOW = 5
MOST_LINES = 15


class Page:
    """Text for people: colour on a terminal only, plain signs where the terminal knows no others."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        encoding = (out.encoding or "ascii").lower().replace("-", "")
        self._plain = encoding != "utf8"
        self.bar, self.rule = ("#", "-") if self._plain else ("█", "─")
        self.yes, self.no = ("ok", "NO") if self._plain else ("✓ ", "✗ ")

    def paint(self, text: str, colour: str) -> str:
        code = COLOURS.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code and text else text

    def line(self, text: str = "") -> None:
        encoding = self._out.encoding or "ascii"
        self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")

    def title(self, text: str) -> None:
        self.line()
        self.line(self.paint(f"{text} {self.rule * (WIDTH - len(text) - 1)}", "title"))


def clean(text: object) -> str:
    """One line without control characters: what was logged must not steer the terminal."""
    joined = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "?" for c in joined)


def cut(text: object, width: int) -> str:
    one_line = clean(text)
    return one_line if len(one_line) <= width else one_line[: max(0, width - 3)] + "..."


def clock_time(record: Record) -> str:
    """Hours to milliseconds of a record's time, in UTC."""
    return str(record.get("timestamp", ""))[11:23].ljust(12)


def size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def milliseconds(value: object) -> str:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "-"
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def duration_ms(request: Record) -> float:
    value = tags(request).get("duration_ms")
    return float(value) if isinstance(value, (int, float)) else 0.0


def percentile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def read(path: Path) -> Iterator[Record | None]:
    """The records of a file in its order; None for a line that is no record."""
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            yield record if isinstance(record, dict) else None


def tags(record: Record) -> Record:
    found = record.get("tags")
    return found if isinstance(found, dict) else {}


def of_type(records: Iterable[Record], *event_types: str) -> list[Record]:
    return [r for r in records if r.get("event_type") in event_types]


def show_file(page: Page, path: Path) -> list[Record]:
    lines = list(read(path))
    records = [r for r in lines if r is not None]
    times = sorted(str(r.get("timestamp", ""))[11:19] for r in records)
    broken = len(lines) - len(records)
    page.line(str(path))
    page.line(
        f"  {len(lines):,} {'line' if len(lines) == 1 else 'lines'}, {size(path.stat().st_size)}"
        + (f", {times[0]} to {times[-1]} UTC" if times else "")
        + (page.paint(f", {broken} of them broken", "bad") if broken else "")
    )
    return records


def show_counts(page: Page, records: list[Record]) -> None:
    page.title("Records")
    counts = Counter(clean(r.get("event_type")) for r in records)
    most = max(counts.values(), default=1)
    for event_type, count in counts.most_common():
        bar = page.bar * max(1, round(count / most * 48))
        page.line(f"  {cut(event_type, 18):18} {count:8,}  {page.paint(bar, 'dim')}")
    levels = Counter(r.get("level") for r in records)
    page.line()
    page.line("  " + "   ".join(f"{page.paint(n, n)} {levels[n]:,}" for n in LEVELS if levels[n]))


def show_requests(page: Page, requests: list[Record]) -> None:
    if not requests:
        return
    page.title("Requests")
    heads = f"{'count':>7} {'failed':>7} {'median ms':>10} {'p95 ms':>8} {'max ms':>8}"
    page.line(page.paint(f"  {'workload':14} {'scenario':14} {heads}", "dim"))
    groups: dict[tuple[str, str], list[Record]] = {}
    for request in requests:
        groups.setdefault((str(request.get("workload")), str(request.get("scenario", "-"))), []).append(request)
    for (workload, scenario), members in sorted(groups.items()):
        durations = sorted(duration_ms(r) for r in members)
        failed = sum(tags(r).get("failed") is True for r in members)
        page.line(
            f"  {cut(workload, 14):14} {cut(scenario, 14):14} {len(members):7,} "
            + page.paint(f"{failed:7,}", "WARNING" if failed else "")
            + f" {milliseconds(percentile(durations, 0.5)):>10} {milliseconds(percentile(durations, 0.95)):>8}"
            + f" {milliseconds(durations[-1]):>8}"
        )

    page.title("Slowest requests")
    slowest = sorted(requests, key=duration_ms, reverse=True)
    for request in slowest[:MOST_SLOW]:
        t = tags(request)
        page.line(
            f"  {clock_time(request)} {milliseconds(t.get('duration_ms')):>8} ms  {cut(t.get('status'), 3):>3} "
            f"{cut(t.get('method'), 7):7} {cut(t.get('name'), 26):26} {cut(request.get('scenario', ''), 12)}"
        )


def show_failures(page: Page, records: list[Record]) -> None:
    page.title("Failed requests and checks, exceptions")
    failed = Counter(
        (str(tags(r).get("status")), str(tags(r).get("method")), str(tags(r).get("name")))
        for r in of_type(records, "http_req")
        if tags(r).get("failed") is True
    )
    for (status, method, name), count in failed.most_common():
        page.line(f"  {count:5,} x  {page.paint(cut(status, 3), 'WARNING')} {cut(method, 7)} {cut(name, 56)}")
    passed: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for record in of_type(records, "check"):
        (passed if tags(record).get("passed") is True else missed)[str(tags(record).get("check"))] += 1
    for check, count in missed.most_common():
        page.line(f"  {count:5,} x  {page.paint(page.no, 'bad')}{cut(check, 48)}, of {count + passed[check]:,}")
    exceptions = of_type(records, "exception")
    for record in exceptions[:MOST_LINES]:
        # The traceback follows in the lines below.
        first = str(record.get("message")).partition("\n")[0]
        page.line(f"  {clock_time(record)} {page.paint(cut(first, WIDTH - 15), 'bad')}")
    show_rest(page, exceptions)
    if not (failed or missed or exceptions):
        page.line("  none")


def show_thresholds(page: Page, records: list[Record]) -> None:
    thresholds = of_type(records, "threshold")
    if not thresholds:
        return
    page.title("Thresholds")
    for record in thresholds:
        t = tags(record)
        good = t.get("passed") is True
        mark = page.paint(page.yes, "good") if good else page.paint(page.no, "bad")
        value = t.get("value")
        text = f"{value:.4g}" if isinstance(value, (int, float)) else "-"
        page.line(f"  {mark}{cut(t.get('metric'), 40):40} {cut(t.get('expression'), 20):20} {text:>10}")


def show_metrics(page: Page, records: list[Record]) -> None:
    """The final summaries of the script's own metrics: those whose name is not k6's."""
    own = [r for r in of_type(records, "metric_summary") if tags(r).get("final") is True and is_own(tags(r))]
    if not own:
        return
    page.title("The script's own metrics")
    shown = ("sum", "per_second", "rate", "passes", "fails", "value", "count", "min", "avg", "p95", "max")
    for record in own:
        t = tags(record)
        values = "  ".join(f"{key} {t[key]:.4g}" for key in shown if isinstance(t.get(key), (int, float)))
        page.line(f"  {cut(t.get('metric'), 16):16} {cut(t.get('type'), 8):8} {cut(values, 52)}")


def is_own(found: Record) -> bool:
    """Not one of k6's built-in metrics."""
    name = str(found.get("metric"))
    built_in = ("http_req", "iteration", "data_", "ws_", "grpc_", "browser_", "group_duration", "vus", "checks")
    return not name.startswith((*built_in, "dropped_iterations"))


def show_log(page: Page, records: list[Record]) -> None:
    lines = of_type(records, "console", "k6_log")
    page.title("What the script and k6 have said")
    for record in lines[:MOST_LINES]:
        level = str(record.get("level"))
        painted = page.paint(cut(level, 8).ljust(8), level)
        page.line(f"  {clock_time(record)} {painted} {cut(record.get('message'), WIDTH - 24)}")
    show_rest(page, lines)


def show_rest(page: Page, lines: list[Record]) -> None:
    if len(lines) > MOST_LINES:
        page.line(page.paint(f"  ... and {len(lines) - MOST_LINES:,} more", "dim"))


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if arguments else 2
    page = Page(sys.stdout)
    records: list[Record] = []
    page.title("The log file" if len(arguments) == 1 else "The log files")
    try:
        for argument in arguments:
            records += show_file(page, Path(argument))
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"show.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    records.sort(key=lambda r: str(r.get("timestamp", "")))
    show_counts(page, records)
    show_requests(page, of_type(records, "http_req"))
    show_failures(page, records)
    show_thresholds(page, records)
    show_metrics(page, records)
    show_log(page, records)
    page.line()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # `show.py FILE | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
