"""What a call costs its thread: ours beside the peers and the least that a call can do, with one and four threads.

Bursts of 20 calls, 200,000 calls a second of all threads together. One thread waits awake for its next burst; four
sleep, because they are more than this machine's processors may be."""

from __future__ import annotations

from functools import partial

from benches.loggers import PEERS, Loggers
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import Setting

KEYS = {
    "mean": "mean of 20 calls",
    "typical": "the median burst",
    "p50": "p50",
    "p99": "p99",
    "p99_9": "p99.9",
    "max": "maximum",
    "first_p99": "p99 of the first 10,000",
}
CALLS = 20
RATE = 200_000


def measure(setting: Setting, loggers: Loggers) -> None:
    bursts = setting.size(2_000, 12_000)
    variants = []
    for program in ["floor", *loggers.peers]:
        for threads in (1, 4):
            name = f"{program} {threads}"
            run = partial(loggers.logged, name, program, "caller", threads, bursts, CALLS, RATE)
            variants.append((name, run))
    for place in ("shm", "memory"):
        run = partial(loggers.logged, place, "lb", "caller", 1, bursts, CALLS, RATE, ring_dir=place)
        variants.append((place, run))
    alternate(setting.rounds, variants)


def rows_of(loggers: Loggers, threads: int) -> list[Row]:
    rows = []
    for program in ["floor", *loggers.peers]:
        name = f"{program} {threads}"
        title = f"{PEERS.get(program, 'floor: counter and copy')}, "
        for key, what in KEYS.items():
            values = loggers.of(name, key)
            compared, aim = None, None
            if (program, key) == ("lb", "mean"):
                compared = ratios(values, loggers.of(f"floor {threads}", key))
                aim = Aim("a call takes {} times as long as the floor", at_most=1.7) if threads == 1 else None
            rows.append(Row(f"{title}{what}", loggers.nanoseconds(name, key), compared, aim))
            title = "  "
    return rows


def beside_spdlog(loggers: Loggers, threads: int) -> list[Row]:
    rows = []
    for key, what in KEYS.items():
        compared = ratios(loggers.of(f"lb {threads}", key), loggers.of(f"spdlog {threads}", key))
        aim = None
        if (key, threads) == ("p99", 1):
            aim = Aim("the 99th percentile of a call is {} of spdlog's", at_most=1 / 7)
        rows.append(Row(f"lb-log over spdlog async, {what}", "", compared, aim))
    return rows


def run(setting: Setting) -> list[Table]:
    loggers = Loggers(setting)
    measure(setting, loggers)
    tables = []
    for threads in (1, 4):
        rows = rows_of(loggers, threads)
        if "spdlog" in loggers.peers:
            rows += beside_spdlog(loggers, threads)
        if threads == 1:
            over = ratios(loggers.of("shm", "mean"), loggers.of("memory", "mean"))
            words = "with a crash-safe ring in /dev/shm a call takes {} times as long as with plain memory"
            found = f"{Spread.of(loggers.of('shm', 'mean')).text(1)} ns"
            rows.append(
                Row("ring in /dev/shm over plain memory, mean of 20 calls", found, over, Aim(words, at_most=1.1))
            )
        tables.append(Table(setting.title(f"A call, {threads} thread{'s' * (threads > 1)}"), rows))
    return tables
