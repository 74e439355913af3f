"""For the tests of programs that log: what they log is kept in memory, and no file is made.

    def test_it_warns():
        with lb_log.testing.observe() as seen:
            my_program.run()
        assert [record["message"] for record in seen.find(level="WARNING")] == ["disk is slow"]

With pytest, `pytest_plugins = ["lb_log.testing"]` in `conftest.py` gives tests the fixture `lb_records`, which is such
a `seen`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lb_log import _native

if TYPE_CHECKING:
    from lb_log import Record

__all__ = ["Observed", "observe"]


class Observed:
    """What was logged since `observe()` began."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    @property
    def records(self) -> list[Record]:
        """All records, in the order of their calls, as a file would have them."""
        self._records.extend(json.loads(line) for line in _native.take_observed())
        return self._records

    @property
    def messages(self) -> list[str]:
        """Their messages."""
        return [record["message"] for record in self.records]

    def find(self, **fields: Any) -> list[Record]:
        """The records with these values: of their fields, and of their tags by names that are no field."""
        return [record for record in self.records if all(_value(record, name) == fields[name] for name in fields)]

    def clear(self) -> None:
        """Forgets what there was so far."""
        self.records.clear()


def _value(record: Record, name: str) -> object:
    return record[name] if name in record else record.get("tags", {}).get(name)  # type: ignore[literal-required]


@contextlib.contextmanager
def observe() -> Iterator[Observed]:
    """Within the block, what any thread of this process logs through lb_log (by `Logger`, handlers, structlog or
    loguru, made before or within) is kept in memory, whoever's file it was for, and nothing goes to Loki.

    Loggers and handlers that are made within are closed at its end. What child processes log is not seen.
    RuntimeError for a block within another.
    """
    seen = Observed()
    with tempfile.TemporaryDirectory(prefix="lb_log-") as folder:
        _native.observe(folder)
        try:
            yield seen
        finally:
            seen.records  # noqa: B018  # Takes what there is.
            _native.end_observation()


with contextlib.suppress(ImportError):
    import pytest

    @pytest.fixture
    def lb_records() -> Iterator[Observed]:
        """What the test logs through lb_log, kept in memory: see `lb_log.testing.observe`."""
        with observe() as seen:
            yield seen
