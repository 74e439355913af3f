"""What programs and their tests rely on with handlers of the standard library, asked of `lb_log.Handler`."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import lb_log
import pytest

from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    """A logger of the test's own below the root, and as it was afterwards."""
    logger = logging.getLogger(request.node.name)
    logger.setLevel(logging.DEBUG)
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def handler(folder: Path, component: str = "c", **arguments: object) -> lb_log.Handler:
    return lb_log.Handler(component=component, host="h", run_id="r", output_dir=folder, config={**arguments})


def records(folder: Path, component: str = "c") -> list[Record]:
    return read_log(folder / "r" / "logs" / f"{component}-h.jsonl")


def test_behind_flush_and_close_the_file_is_complete(folder: Path, log: logging.Logger) -> None:
    ours = handler(folder)
    log.addHandler(ours)
    for round_number in range(1, 21):
        for number in range(50):
            log.info("m %d", number)
        ours.flush()
        assert len(records(folder)) == round_number * 50
    log.info("last")
    log.removeHandler(ours)
    ours.close()
    assert len(records(folder)) == 1001
    log.info("nobody listens")
    assert len(records(folder)) == 1001


def test_caplog_sees_what_it_always_saw(folder: Path, log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    ours = handler(folder)
    log.addHandler(ours)
    with caplog.at_level(logging.INFO):
        log.info("ü %s", "x", extra={"n": 1})
        try:
            raise KeyError("gone")
        except KeyError:
            log.exception("failed")
    ours.flush()
    assert [record.getMessage() for record in caplog.records] == ["ü x", "failed"]
    assert caplog.records[0].n == 1  # type: ignore[attr-defined]  # It is `extra`.
    assert caplog.records[1].exc_text is None or "KeyError" in caplog.records[1].exc_text
    assert [record["message"] for record in records(folder)] == ["ü x", "failed"]


def test_nothing_is_left_in_a_record(folder: Path) -> None:
    # Of no family: pytest's own handlers leave something.
    log = logging.Logger("alone")
    ours = handler(folder)
    seen: list[logging.LogRecord] = []

    class Last(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    log.addHandler(ours)
    log.addHandler(Last())
    fresh = set(logging.makeLogRecord({}).__dict__)
    log.warning("m %d", 1, extra={"n": 1}, stack_info=True)
    assert set(seen[0].__dict__) - fresh <= {"n", "taskName"}
    assert (seen[0].msg, seen[0].args, seen[0].exc_text) == ("m %d", (1,), None)
    ours.close()


def test_several_handlers_on_one_logger(folder: Path, log: logging.Logger) -> None:
    log.addHandler(handler(folder, "all"))
    warnings = handler(folder, "warnings")
    warnings.setLevel(logging.WARNING)
    log.addHandler(warnings)
    log.addHandler(logging.FileHandler(folder / "plain.log"))
    texts = handler(folder, "texts")
    texts.setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
    log.addHandler(texts)
    log.info("a")
    log.warning("b %d", 2)
    for each in log.handlers:
        each.flush()
    assert [record["message"] for record in records(folder, "all")] == ["a", "b 2"]
    assert [record["message"] for record in records(folder, "warnings")] == ["b 2"]
    assert [record["message"] for record in records(folder, "texts")] == ["INFO|a", "WARNING|b 2"]
    assert (folder / "plain.log").read_text() == "a\nb 2\n"


def test_one_handler_on_several_loggers(folder: Path) -> None:
    ours = handler(folder)
    loggers = [logging.getLogger(f"one handler.{name}") for name in ("x", "y", "z")]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(ours)
    threads = [
        threading.Thread(target=lambda logger=logger: [logger.debug("m") for _ in range(200)]) for logger in loggers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ours.flush()
    assert Counter(record["logger"] for record in records(folder)) == {logger.name: 200 for logger in loggers}
    for logger in loggers:
        logger.removeHandler(ours)
    ours.close()


def test_two_handlers_with_identities_of_their_own_on_one_file(folder: Path, log: logging.Logger) -> None:
    """One core writes it; whose record it is, is each handler's own."""
    both = {"jsonl": {"log_path": str(folder / "one.jsonl")}}
    log.addHandler(lb_log.Handler(component="a", host="h", run_id="r", workload="cpu", config=both))
    other = logging.getLogger("another of the same file")
    other.addHandler(lb_log.Handler(component="b", host="h", run_id="r", workload="disk", config=both))
    log.warning("from a")
    other.warning("from b")
    other.handlers[0].flush()
    found = read_log(folder / "one.jsonl")
    assert [(record["component"], record["workload"]) for record in found] == [("a", "cpu"), ("b", "disk")]
    closing = other.handlers[0]
    other.removeHandler(closing)
    closing.close()
    log.warning("the other one is closed")
    log.handlers[0].flush()
    assert len(read_log(folder / "one.jsonl")) == 3


def test_dict_config_made_anew(folder: Path) -> None:
    """As web frameworks do: configured twice, the second time in the place of the first."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"short": {"format": "%(message)s!"}},
        "handlers": {
            "file": {
                "class": "lb_log.Handler",
                "component": "c",
                "host": "h",
                "run_id": "r",
                "output_dir": str(folder),
            },
            "text": {
                "()": lb_log.Handler,
                "component": "t",
                "host": "h",
                "run_id": "r",
                "output_dir": str(folder),
                "formatter": "short",
                "level": "ERROR",
            },
        },
        "loggers": {"from a dictionary": {"level": "DEBUG", "handlers": ["file", "text"], "propagate": False}},
    }
    logger = logging.getLogger("from a dictionary")
    for message in ("first", "second"):
        logging.config.dictConfig(config)
        logger.debug(message)
        logger.error(message)
    for each in list(logger.handlers):
        logger.removeHandler(each)
        each.close()
    assert [record["message"] for record in records(folder)] == ["first", "first", "second", "second"]
    assert [record["message"] for record in records(folder, "t")] == ["first!", "second!"]


def test_a_queue_listener(folder: Path, log: logging.Logger) -> None:
    records_of: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    ours = handler(folder)
    listener = logging.handlers.QueueListener(records_of, ours, respect_handler_level=True)
    log.addHandler(logging.handlers.QueueHandler(records_of))
    log.propagate = False
    listener.start()
    try:
        raise ValueError("inside")
    except ValueError:
        log.exception("through the queue")
    for number in range(500):
        log.info("m %d", number, extra={"number": number})
    listener.stop()
    ours.close()
    found = records(folder)
    assert [record["tags"]["number"] for record in found[1:]] == list(range(500))
    assert "ValueError: inside" in found[0]["message"] + str(found[0].get("tags"))


def test_logger_adapters_and_nested_names(folder: Path, log: logging.Logger) -> None:
    log.addHandler(handler(folder))
    adapter = logging.LoggerAdapter(log.getChild("deep.er"), {"request": "x"})
    adapter.warning("adapted")
    log.handlers[0].flush()
    (record,) = records(folder)
    assert record["logger"] == f"{log.name}.deep.er"
    assert record["tags"] == {"request": "x"}
