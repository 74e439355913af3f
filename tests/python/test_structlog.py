"""structlog's events become records: bound identity, levels, tags, tracebacks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from lb_log.structlog import Processor

from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


class Capture:
    """The last processor of all: what the others hand on."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, _logger: object, _method: str, event: Any) -> Any:
        self.events.append(dict(event))
        raise structlog.DropEvent


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.fixture
def processor(folder: Path, capture: Capture) -> Iterator[Processor]:
    processor = Processor(component="runner", host="h", run_id="r", output_dir=folder)
    configure(processor, capture)
    yield processor
    processor.close()
    structlog.reset_defaults()


def configure(*last: Any) -> None:
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    structlog.configure(processors=[*first, *last], cache_logger_on_first_use=False)


def records(processor: Processor, folder: Path, name: str = "runner-h") -> list[Record]:
    processor.flush()
    return read_log(folder / "r" / "logs" / f"{name}.jsonl")


def test_an_event(processor: Processor, capture: Capture, folder: Path) -> None:
    log = structlog.get_logger().bind(workload="cpu", repetition=3, request="x")
    log.warning("slow", ms=12.5, retry=None, deep={"a": [1]})
    (record,) = records(processor, folder)
    assert (record["level"], record["message"], record["event_type"]) == ("WARNING", "slow", "log")
    assert (record["workload"], record["repetition"], record["component"]) == ("cpu", 3, "runner")
    assert record["tags"] == {"request": "x", "ms": 12.5, "retry": None, "deep": '{"a":[1]}'}
    (event,) = capture.events
    assert event["event"] == "slow"
    assert (event["workload"], event["deep"]) == ("cpu", {"a": [1]}), "the event goes on as it came"


def test_levels(processor: Processor, folder: Path) -> None:
    log = structlog.get_logger()
    for method in ("debug", "info", "msg", "warn", "warning", "error", "critical", "fatal", "exception"):
        getattr(log, method)(method)
    log.log(logging.WARNING, "by number")
    processor(None, "notice", {"event": "notice"})
    found = [(record["message"], record["level"]) for record in records(processor, folder)]
    levels = ["DEBUG", "INFO", "INFO", "WARNING", "WARNING", "ERROR", "CRITICAL", "CRITICAL", "ERROR"]
    assert [level for _, level in found] == [*levels, "WARNING", "INFO"]
    assert records(processor, folder)[-1]["tags"] == {"level_name": "notice"}


def test_identity_is_the_records_own(processor: Processor, folder: Path) -> None:
    with structlog.contextvars.bound_contextvars(run_id="other", scenario="s", plugin="p", event_type="step"):
        structlog.get_logger().info("a", logger="engine", host="n", component="generator", phase="setup")
    structlog.get_logger().info("b", workload=7, scenario=None)
    first, second = records(processor, folder)
    assert (first["run_id"], first["scenario"], first["plugin"]) == ("other", "s", "p")
    assert (first["event_type"], first["logger"], first["host"]) == ("step", "engine", "n")
    assert (first["component"], first["tags"]) == ("generator", {"phase": "setup"})
    assert (second["workload"], second["run_id"]) == ("7", "r")
    assert "scenario" not in second


def test_a_repetition_that_is_none_is_counted(
    processor: Processor, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    structlog.get_logger().info("bad", repetition=0)
    structlog.get_logger().info("good", repetition=2)
    assert [record["message"] for record in records(processor, folder)] == ["good"]
    assert "repetition" in capfd.readouterr().err
    assert processor._recorder.core.stats()["rejected"] == 1


def test_tracebacks_and_stacks(processor: Processor, folder: Path) -> None:
    log = structlog.get_logger()
    try:
        raise KeyError("gone")
    except KeyError as error:
        log.exception("implicit")
        log.error("true", exc_info=True)
        kept = error
    log.error("instance", exc_info=kept)
    log.error("tuple", exc_info=(KeyError, kept, None))
    log.error("nothing", exc_info=False)
    log.info("stack", stack_info=True)
    log.error("formatted", exception="as a processor before had it")
    found = {record["message"]: record.get("tags", {}) for record in records(processor, folder)}
    for message in ("implicit", "true", "instance"):
        assert found[message]["exception"].startswith("Traceback (most recent call last):\n")
        assert found[message]["exception"].endswith("KeyError: 'gone'")
    assert found["tuple"]["exception"] == "KeyError: 'gone'"
    assert found["nothing"] == {}
    assert "test_tracebacks_and_stacks" in found["stack"]["stack"].splitlines()[-2]
    assert found["formatted"] == {"exception": "as a processor before had it"}


def test_as_the_last_processor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    processor = Processor(last=True, component="runner", host="h", run_id="r", output_dir=folder)
    configure(processor)
    structlog.get_logger().info("only in the file")
    assert len(records(processor, folder)) == 1
    assert capsys.readouterr().out == ""
    processor.close()
    structlog.reset_defaults()


def test_loggers_of_the_standard_library_keep_their_name(folder: Path) -> None:
    processor = Processor(component="runner", host="h", run_id="r", output_dir=folder)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, processor, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.get_logger("engine").warning("named")
    assert records(processor, folder)[0]["logger"] == "engine"
    processor.close()
    structlog.reset_defaults()


class Stubborn:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def test_nothing_is_raised_into_the_program(
    processor: Processor, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = structlog.get_logger()
    cyclic: list[object] = []
    cyclic.append(cyclic)
    log.info(Stubborn())
    log.info("a", workload=Stubborn())
    log.info("b", tag=Stubborn(), number=2**80, nan=float("nan"), cyclic=cyclic)
    log.info("c", **{"k" * (1 << 20): 1})
    log.info("\udc80", workload={"un": "hashable"}, host="\udc80")
    log.info("good")
    assert records(processor, folder)[-1]["message"] == "good"
    assert "no text" in capfd.readouterr().err


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(ValueError, match="repetition"):
        Processor(repetition=0)
    with pytest.raises(ValueError, match="componentt"):
        Processor(componentt="runner")
