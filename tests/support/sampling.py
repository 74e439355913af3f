"""Statistics taken all through a test: the accounts must add up at every look, not only at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What never becomes less while a logger lives.
GROWING = ("offered", "written", "dropped", "rejected", "loki_quarantined", "loki_replayed")

Sample = dict[str, int]


@contextmanager
def sampling(stats: Callable[[], Sample], interval: float = 0.2) -> Iterator[list[Sample]]:
    """Look at the statistics at once, five times a second, and at the end of the block; `stats` is that of a
    `support.clib.Logger`, which checks both accounts. What a look finds wrong fails the test when the block ends.
    """
    taken: list[Sample] = []
    wrong: list[BaseException] = []
    over = threading.Event()

    def look() -> None:
        sample = stats()
        for name in GROWING:
            before = taken[-1].get(name, 0) if taken else 0
            assert sample.get(name, 0) >= before, f"{name} was {before}, and now: {sample}"
        taken.append(sample)

    def watch() -> None:
        try:
            while not over.wait(interval):
                look()
        except BaseException as error:
            wrong.append(error)

    look()
    watcher = threading.Thread(target=watch, name="sampling", daemon=True)
    watcher.start()
    try:
        yield taken
    finally:
        over.set()
        watcher.join()
        if wrong:
            raise wrong[0]
        look()
