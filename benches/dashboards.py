"""How long the panels of our dashboards wait for Loki, over a run of a million HTTP requests.

The run is made: six repetitions of 166,667 requests each, one after the other at 200 a second, with k6's summaries each
ten seconds, and the log of a runner; `lb push` brings it into a real Loki. Each panel's queries are sent as Grafana
sends them, one after the other, and its time is all of them together. Panels over single requests are of one
repetition; all others are of the whole run, once at the run's own time and once over the last day. Beside the time
stands the CPU time that Loki took: on a machine that does other things, too, it tells more."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from support.golden import timestamp_text
from support.grafana import Board, Query, TimeRange, boards
from support.loki import SECOND, running_loki
from support.process import clean_environment
from support.sources import Sources

from benches.catch_up import NO_LIMITS
from benches.pairs import Aim, Row, Spread, Table
from benches.setting import BUILD, Setting

RUN_ID = "run-of-a-million"
PARTS = [(workload, repetition) for workload, repetition in product(("browse", "buy"), (1, 2, 3))]
NAMES = ("home", "search", "item", "basket", "pay")
FUNCTIONS = ("figlet", "env")
A_SECOND = 200
WINDOW = 10 * SECOND
DAY_MS = 86_400_000
# As scripts/install-loki-grafana.sh sets it up.
SETTINGS = {**NO_LIMITS, "LOKI_SPLIT": "24h"}
# Seconds, of the panels that are there by default and of those over single requests.
DEFAULT, SINGLE = 0.5, 2.0
SINGLE_BOARDS = {"lb-platform-requests", "lb-dfaas-requests"}


class Log:
    """Lines as the product writes them."""

    def __init__(self, path: Path, component: str, host: str, logger: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("w", encoding="utf-8")
        self.head = f'"component":"{component}","host":"{host}","run_id":"{RUN_ID}","logger":"{logger}"'

    def write(
        self, ns: int, level: str, message: str, event_type: str, workload: str, repetition: int, tags: str
    ) -> None:
        """`tags` is JSON already."""
        self.file.write(
            f'{{"timestamp":"{timestamp_text(ns)}","level":"{level}",{self.head},"message":"{message}",'
            f'"event_type":"{event_type}","workload":"{workload}","repetition":{repetition},"tags":{tags}}}\n'
        )


def summaries(final: bool) -> Iterator[str]:
    """The tags of the summaries of one window, or of a whole repetition."""
    ends = f'"final":{json.dumps(final)},"window_ms":10000'
    trend = '"count":400,"min":1.5,"avg":20.25,"p50":18.5,"p90":40.5,"p95":55.25,"p99":90.5,"max":212.5'
    rate, counter = '"rate":0.01,"passes":4,"fails":396', '"sum":400,"per_second":40,"count":400'
    durations = ("duration", "blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving")
    for name in NAMES:
        for metric in durations:
            yield f'{{"metric":"http_req_{metric}","type":"trend","name":"{name}",{ends},{trend}}}'
        yield f'{{"metric":"http_req_failed","type":"rate","name":"{name}",{ends},{rate}}}'
        yield f'{{"metric":"http_reqs","type":"counter","name":"{name}",{ends},{counter}}}'
    for metric in ("iterations", "data_sent", "data_received", *(f"request_count_{name}" for name in FUNCTIONS)):
        yield f'{{"metric":"{metric}","type":"counter",{ends},{counter}}}'
    for metric in ("checks", *(f"success_rate_{name}" for name in FUNCTIONS)):
        yield f'{{"metric":"{metric}","type":"rate",{ends},"rate":0.99,"passes":396,"fails":4}}'
    for metric in ("iteration_duration", *(f"latency_{name}" for name in FUNCTIONS)):
        yield f'{{"metric":"{metric}","type":"trend",{ends},{trend}}}'
    yield f'{{"metric":"vus","type":"gauge",{ends},"value":20,"min":18,"max":25}}'


def write_part(log: Log, start: int, requests: int, workload: str, repetition: int) -> int:
    """k6's records of one repetition; when it ends."""
    chance, part = random.Random(f"{workload} {repetition}"), (workload, repetition)
    log.write(start, "INFO", "run started", "phase_start", *part, '{"phase":"run"}')
    windows = [*summaries(final=False)]
    ns, due = start, start + WINDOW
    for number in range(requests):
        ns = start + number * SECOND // A_SECOND
        if ns >= due:
            for tags in windows:
                log.write(due, "INFO", "summary", "metric_summary", *part, tags)
            due += WINDOW
        took, bad, name = chance.expovariate(1 / 20), chance.random() < 0.01, NAMES[number % 5]
        status, level = (503, "WARNING") if bad else (200, "INFO")
        tags = (
            f'{{"instance":"4711","method":"GET","name":"{name}","status":{status},"failed":{json.dumps(bad)},'
            f'"duration_ms":{took:.6f},"blocked_ms":0.004,"connecting_ms":0.0,"tls_handshaking_ms":0.0,'
            f'"sending_ms":0.021,"waiting_ms":{took * 0.9:.6f},"receiving_ms":{took * 0.1:.6f},'
            f'"expected_response":"{json.dumps(not bad)}","function":"{FUNCTIONS[number % 2]}","group":"",'
            f'"proto":"HTTP/1.1","url":"http://target.example:8080/{name}?page={number % 97}"}}'
        )
        log.write(ns + chance.randrange(1_000_000), level, f"GET {name} {status}", "http_req", *part, tags)
    for tags in (*windows, *summaries(final=True)):
        log.write(ns, "INFO", "summary", "metric_summary", *part, tags)
    judged = '{"metric":"http_req_duration","expression":"p(95)<50","passed":false,"value":55.25}'
    log.write(ns, "WARNING", "missed", "threshold", *part, judged)
    log.write(ns, "INFO", "run passed", "phase_end", *part, '{"phase":"run","duration_ms":833000,"outcome":"passed"}')
    return ns


def write_run(folder: Path, requests: int) -> TimeRange:
    """The files of the run, which ends now, and where it lies in time."""
    length = requests * SECOND // A_SECOND
    start = time.time_ns() - (length + SECOND) * len(PARTS)
    k6 = Log(folder / "k6-load-1.jsonl", "k6", "load-1", "k6.metrics")
    runner = Log(folder / "runner-node-1.jsonl", "runner", "node-1", "lb_runner.engine")
    ns = start
    for part in PARTS:
        begun, ns = ns, write_part(k6, ns, requests, *part) + SECOND
        for number, at in enumerate(range(begun, ns, SECOND // 5)):
            level = "ERROR" if number % 500 == 499 else "WARNING" if number % 50 == 49 else "INFO"
            runner.write(at, level, f"step {number} of the engine", "log", *part, f'{{"step":{number}}}')
    for log in (k6, runner):
        log.file.close()
    return TimeRange(start // 1_000_000 - 1000, ns // 1_000_000 + 1000)


def bound(board: Board) -> float:
    return SINGLE if board.uid in SINGLE_BOARDS else DEFAULT


class Bench:
    """What each panel took, in seconds, by round."""

    def __init__(self, setting: Setting, sources: Sources, run: TimeRange) -> None:
        self.setting, self.sources = setting, sources
        self.ranges = {"at its own time": run, "over the last day": TimeRange(run.last - DAY_MS, run.last)}
        self.took: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self.cpu: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def measure(self) -> None:
        for board, (name, window) in product(boards(), self.ranges.items()):
            variables = self.sources.variables(board, window)
            panels: dict[str, list[Query]] = defaultdict(list)
            for query in board.queries():
                if query.kind == "loki":
                    # Some have one title: errors counted, and listed.
                    panels[f"{query.panel['title']} ({query.panel['type']})"].append(query)
            for _, (title, queries) in product(range(self.setting.rounds), panels.items()):
                begin, cpu = time.perf_counter(), self.cpu_seconds()
                for query in queries:
                    self.sources.ask(query, variables, window)
                self.took[name, board.uid, title].append(time.perf_counter() - begin)
                self.cpu[name, board.uid, title].append(self.cpu_seconds() - cpu)

    def cpu_seconds(self) -> float:
        """What Loki has taken so far."""
        assert self.sources.loki.process is not None
        fields = Path(f"/proc/{self.sources.loki.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def table(self, name: str) -> Table:
        """Each panel, and of each dashboard the slowest held against what is allowed."""
        rows: list[Row] = []
        for board in boards():
            found = {
                title: Spread.of(took) for (of, uid, title), took in self.took.items() if (of, uid) == (name, board.uid)
            }
            for title, spread in found.items():
                cpu = Spread.of(self.cpu[name, board.uid, title]).median
                verdict = "" if spread.median <= bound(board) else "  TOO SLOW"
                rows.append(Row(f"{board.uid}: {title}", f"{spread.text(3)} s, CPU {cpu:.2f} s{verdict}"))
            title = max(found, key=lambda each: found[each].median)
            words = f"the slowest panel of {board.uid} {name}, {title}, waits {{}} s"
            slowest = Aim(words, at_most=bound(board))
            rows.append(Row(f"{board.uid}: the slowest", f"{found[title].text(3)} s", found[title], slowest))
        return Table(self.setting.title(f"Panels over a run of a million requests, {name}"), rows)


def run(setting: Setting) -> list[Table]:
    folder = setting.scratch / "out" / RUN_ID / "logs"
    window = write_run(folder, setting.size(5_000, 166_667))
    with running_loki(setting.scratch, **SETTINGS) as loki:
        command = [str(BUILD / "lb"), "--loki-endpoint", loki.url, "push", str(folder)]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"lb push: exit {done.returncode}\n{done.stderr}")
        bench = Bench(setting, Sources(loki, None, window.first, window.last), window)
        bench.measure()
        return [bench.table(name) for name in bench.ranges]
