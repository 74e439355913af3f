"""A logger of the C library whose lines go to Loki through something that breaks, and what it is held to meanwhile:
calls that do not wait, a file that has everything, accounts that add up, and in the end a Loki that has what the file
has.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.clib import Logger, config
from support.delivery import check_equal
from support.loki import Loki
from support.process import wait_until
from support.records import read_log
from support.sampling import Sample, sampling

# A try, and the next one, within a second: a test sees several of them. What answers takes milliseconds.
QUICK = {"enabled": True, "flush_interval_ms": 50, "timeout_seconds": 1.0, "backoff_base": 0.2, "backoff_factor": 1.0}

# What a call may take at most on a machine that is busy with other tests, seconds; one that waited for Loki, or for
# room, would take about as long for each record.
LONGEST_CALL = 0.8


class Journal:
    """The logger, and what was logged."""

    def __init__(self, folder: Path, run_id: str, endpoint: str, **settings: Any) -> None:
        self.run_id, self.endpoint = run_id, endpoint
        self.log = folder / "out" / run_id / "logs" / "c-h.jsonl"
        self.logger = Logger(config(folder, run_id=run_id, loki={**QUICK, "endpoint": endpoint, **settings}))
        self.messages: list[str] = []
        self.closed = False

    def write(self, count: int = 200) -> None:
        """Log so many records; no call may wait, and none is dropped."""
        longest = 0.0
        for number in itertools.islice(itertools.count(len(self.messages)), count):
            message = f"{number} of {self.run_id}"
            start = time.monotonic()
            self.logger.log(message.encode())
            longest = max(longest, time.monotonic() - start)
            self.messages.append(message)
        assert longest < LONGEST_CALL, f"a call took {longest:.3f} s"

    def close(self, deadline_ms: int = 5000) -> None:
        self.closed = True
        self.logger.close(deadline_ms)

    def stats(self) -> Sample:
        return self.logger.stats()

    def settled(self, seconds: float = 60) -> None:
        """Wait until Loki has answered for each line."""
        self.logger.flush()
        try:
            wait_until(self._is_settled, seconds, f"{self.run_id} is delivered")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.stats()}") from None

    def _is_settled(self) -> bool:
        stats = self.stats()
        return stats["loki_lines"] == stats["written"] and stats["loki_pending"] == 0

    def check_file(self) -> None:
        """The file has each record, once, in order."""
        self.logger.flush()
        there = [record["message"] for record in read_log(self.log)]
        assert there == self.messages, f"{len(there)} of {len(self.messages)} records, or in another order"

    def check_held(self) -> None:
        """Everything is in the file, and nothing counts as acknowledged."""
        self.check_file()
        wait_until(lambda: self.stats()["loki_lines"] == len(self.messages), 10, f"all are counted: {self.stats()}")
        stats = self.stats()
        assert (stats["loki_acknowledged"], stats["loki_quarantined"]) == (0, 0), stats
        assert stats["loki_pending"] == len(self.messages), stats

    def check_delivered(self, loki: Loki, *, replayed: int = 0) -> None:
        """The file, Loki and the counts agree, each line once; so many may have been sent twice."""
        self.check_file()
        stats = self.stats()
        lines = check_equal(loki, self.log, self.run_id, replayed=stats["loki_replayed"])
        assert lines == len(self.messages)
        assert (stats["loki_acknowledged"], stats["loki_pending"]) == (lines, 0), stats
        assert (stats["loki_quarantined"], stats["loki_missing"], stats["dropped"]) == (0, 0, 0), stats
        assert stats["loki_replayed"] <= replayed, stats


@contextmanager
def journaling(folder: Path, run_id: str, endpoint: str, **settings: Any) -> Iterator[Journal]:
    """A journal, its statistics sampled until it is closed. Unless the block does that itself it is closed at the end,
    and all must be well with it then; `settings` are those of the block `loki`.
    """
    running = Journal(folder, run_id, endpoint, **settings)
    try:
        with sampling(running.stats):
            yield running
            if not running.closed:
                running.close()
    finally:
        running.logger.free()
