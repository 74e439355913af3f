"""loguru's messages become records: bound identity, levels, tags, tracebacks, their own time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import loguru
import pytest
from lb_log.loguru import Sink
from loguru import logger

from support import golden
from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    logger.remove()
    sink = Sink(component="runner", host="h", run_id="r", output_dir=folder)
    logger.add(sink, level="TRACE", format="{message}")
    yield sink
    logger.remove()
    sink.close()


def records(sink: Sink, folder: Path) -> list[Record]:
    sink.flush()
    return read_log(folder / "r" / "logs" / "runner-h.jsonl")


def test_a_message(sink: Sink, folder: Path) -> None:
    seen: list[loguru.Record] = []
    logger.add(lambda message: seen.append(message.record), format="")
    logger.bind(workload="cpu", repetition=3, request="x").warning("took {} ms", 12.5)
    (record,) = records(sink, folder)
    assert (record["level"], record["message"], record["event_type"]) == ("WARNING", "took 12.5 ms", "log")
    assert (record["workload"], record["repetition"], record["logger"]) == ("cpu", 3, __name__)
    assert record["tags"] == {"request": "x"}
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    microseconds = (seen[0]["time"] - epoch) // datetime.timedelta(microseconds=1)
    assert record["timestamp"] == golden.timestamp_text(microseconds * 1000)


def test_levels(sink: Sink, folder: Path) -> None:
    for level in ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"):
        logger.log(level, level)
    logger.log(35, "by number")
    found = [(record["level"], record.get("tags")) for record in records(sink, folder)]
    names = ["TRACE", "DEBUG", "INFO", "INFO", "WARNING", "ERROR", "CRITICAL", "WARNING"]
    assert [level for level, _ in found] == names
    assert [tags for _, tags in found if tags] == [{"level_name": "SUCCESS"}, {"level_name": "Level 35"}]


def test_identity_is_the_records_own(sink: Sink, folder: Path) -> None:
    with logger.contextualize(run_id="other", scenario="s"):
        logger.bind(logger="engine", plugin="p", phase="setup", event_type="step").info("a")
    (record,) = records(sink, folder)
    assert (record["run_id"], record["scenario"], record["plugin"]) == ("other", "s", "p")
    assert (record["logger"], record["event_type"], record["tags"]) == ("engine", "step", {"phase": "setup"})


def test_tracebacks(sink: Sink, folder: Path) -> None:
    try:
        raise KeyError("gone")
    except KeyError:
        logger.exception("caught")

    @logger.catch
    def fails() -> None:
        raise ValueError("inside")

    fails()
    first, second = records(sink, folder)
    assert first["tags"]["exception"].startswith("Traceback (most recent call last):\n")
    assert first["tags"]["exception"].endswith("KeyError: 'gone'")
    assert second["tags"]["exception"].endswith("ValueError: inside")


def test_through_a_queue(folder: Path) -> None:
    """With `enqueue=True` a thread of loguru's calls the sink: the time is that of the call."""
    logger.remove()
    sink = Sink(component="runner", host="h", run_id="r", output_dir=folder)
    logger.add(sink, enqueue=True)
    for number in range(100):
        logger.bind(number=number).info("queued")
    logger.remove()
    found = records(sink, folder)
    assert [record["tags"]["number"] for record in found] == list(range(100))
    sink.close()


def test_nothing_is_raised_into_the_program(sink: Sink, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Stubborn:
        def __str__(self) -> str:
            raise ValueError("no text")

        __repr__ = __str__

    logger.bind(tag=Stubborn(), workload=Stubborn(), repetition=-1).info("a")
    logger.bind(tag=Stubborn()).info("b")
    logger.info("good")
    assert records(sink, folder)[-1]["message"] == "good"
    assert "no text" in capfd.readouterr().err


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(ValueError, match="repetition"):
        Sink(repetition=0)
