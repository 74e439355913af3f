"""From the first call to the last line in the kernel: ours beside the peers and a bare write(2)."""

from __future__ import annotations

from functools import partial

from benches.loggers import PEERS, Loggers
from benches.pairs import Aim, Row, Spread, Table, alternate, ratios
from benches.setting import Setting

THREADS = (1, 4)
# Of one thread.
AIMS = {"slog": 5.0, "tracing": 8.0}


def write(loggers: Loggers, records: int) -> None:
    file = loggers.files / "blocks"
    loggers.run("write", "write", file, str(records))
    file.unlink()


def rows_of(loggers: Loggers) -> list[Row]:
    def found(name: str) -> str:
        return f"{Spread.of(loggers.rate(name)).text()} M/s"

    def over(name: str, under: str) -> Spread:
        return ratios(loggers.rate(name), loggers.rate(under))

    words = "one thread's records come into the file at {} times the rate of write(2) in blocks of 64 KiB"
    rows = [
        Row("write(2) of 64 KiB blocks", found("write")),
        Row("lb-log, one thread, over write(2)", found("lb 1"), over("lb 1", "write"), Aim(words, at_least=0.5)),
    ]
    words = "four threads' records come into the file at {} times the rate of one's"
    rows.append(
        Row("lb-log, 4 threads, over its one thread", found("lb 4"), over("lb 4", "lb 1"), Aim(words, at_least=0.9))
    )
    for peer in loggers.peers[1:]:
        for threads in THREADS:
            aim = None
            if threads == 1 and peer in AIMS:
                aim = Aim(
                    f"one thread's records come into the file at {{}} times {PEERS[peer]}'s rate",
                    at_least=AIMS[peer],
                )
            what = f"{PEERS[peer]}, {'one thread' if threads == 1 else '4 threads'}; ours over it"
            name = f"{peer} {threads}"
            rows.append(Row(what, found(name), over(f"lb {threads}", name), aim))
    return rows


def run(setting: Setting) -> list[Table]:
    loggers = Loggers(setting)
    records = setting.size(200_000, 2_000_000)
    variants = [("write", partial(write, loggers, records))]
    for peer in loggers.peers:
        for threads in THREADS:
            # The peers are slower: fewer records take as long.
            name, count = f"{peer} {threads}", records if peer == "lb" else records // 4
            variants.append((name, partial(loggers.logged, name, peer, "end", threads, count)))
    alternate(setting.rounds, variants)
    return [Table(setting.title(f"End to end, {records:,} records of ours, a quarter of the peers'"), rows_of(loggers))]
