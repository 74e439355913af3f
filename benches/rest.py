"""What the library takes besides time: memory with one thread, and the processor while nobody logs."""

from __future__ import annotations

from functools import partial

from benches.loggers import Loggers
from benches.pairs import Aim, Row, Spread, Table, alternate
from benches.setting import Setting


def rows_of(loggers: Loggers, records: int) -> list[Row]:
    def mib(kib: list[float]) -> Spread:
        return Spread.of([value / 1024 for value in kib])

    def both(left: list[float], right: list[float]) -> list[float]:
        return [one - other for one, other in zip(left, right, strict=True)]

    early, late = loggers.of("memory", "tenth_kib"), loggers.of("memory", "all_kib")
    added, grown = mib(both(late, loggers.of("without", "all_kib"))), mib(both(late, early))
    share = Spread.of([100 * result["cpu"] / result["seconds"] for result in loggers.figures["idle"]])
    with_us = "resident memory, anonymous and shared, is {} MiB above that of the same program without the library"
    no_growth = f"from {records // 10:,} to {records:,} records memory grows by {{}} MiB"
    idle = "an open log that nobody uses takes {} percent of a core"
    return [
        Row("the program without the library", f"{mib(loggers.of('without', 'all_kib')).text()} MiB"),
        Row("with it, one thread; MiB above", f"{mib(late).text()} MiB", added, Aim(with_us, at_most=8)),
        Row(
            f"with it, after {records // 10:,} records; growth since",
            f"{mib(early).text()} MiB",
            grown,
            Aim(no_growth, at_most=0.1),
        ),
        Row("idle: CPU, percent of a core", "", share, Aim(idle, at_most=1)),
    ]


def run(setting: Setting) -> list[Table]:
    loggers = Loggers(setting)
    records = setting.size(500_000, 10_000_000)
    variants = [
        ("without", partial(loggers.logged, "without", "floor", "memory", records)),
        ("memory", partial(loggers.logged, "memory", "lb", "memory", records)),
        ("idle", partial(loggers.logged, "idle", "lb", "idle", setting.size(1, 3))),
    ]
    alternate(setting.rounds, variants)
    return [Table(setting.title("Memory, and an idle log"), rows_of(loggers, records))]
