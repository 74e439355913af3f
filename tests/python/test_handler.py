"""lb_log.Handler: what goes through `logging` stands in the file as `logging` means it."""

from __future__ import annotations

import logging
import logging.config
import queue
import time
from collections.abc import Iterator
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path

import lb_log
import pytest

from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def handler(folder: Path, **arguments: object) -> lb_log.Handler:
    return lb_log.Handler(component="runner", host="h", run_id="r", output_dir=folder, config={**arguments})


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of the test's own."""
    logger = logging.getLogger("tests.of.handler")
    logger.setLevel(1)
    logger.propagate = False
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()


def records(handler: lb_log.Handler) -> list[Record]:
    handler.flush()
    return read_log(Path(handler.path))


def test_a_record_is_what_logging_says(folder: Path, log: logging.Logger) -> None:
    ours = handler(folder)
    log.addHandler(ours)
    before = time.time_ns()
    log.debug("a %s and %d", "b", 3)
    log.warning("100 %")
    log.info("%(x)s", {"x": "y"})
    log.error(17)
    log.critical("extra", extra={"user": "u", "nested": {"a": [1]}})
    first, second, third, fourth, fifth = records(ours)
    assert (first["message"], first["level"], first["logger"]) == ("a b and 3", "DEBUG", "tests.of.handler")
    assert first["timestamp"].startswith(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(before / 1e9)))
    assert (second["message"], second["level"]) == ("100 %", "WARNING")
    assert (third["message"], fourth["message"]) == ("y", "17")
    assert fifth["tags"] == {"user": "u", "nested": '{"a":[1]}'}
    assert "tags" not in first


def test_the_time_is_the_record_s_own(folder: Path) -> None:
    ours = handler(folder)
    record = logging.LogRecord("n", 20, "p", 1, "m", None, None)
    record.created = 1_234_567_890.25
    ours.handle(record)
    assert records(ours)[0]["timestamp"] == "2009-02-13T23:31:30.250000000Z"
    ours.close()


def test_exceptions_and_stacks_are_tags(folder: Path, log: logging.Logger) -> None:
    ours = handler(folder)
    log.addHandler(ours)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("e")
    log.info("s", stack_info=True)
    first, second = records(ours)
    assert first["tags"]["exception"].startswith("Traceback")
    assert first["tags"]["exception"].endswith("ZeroDivisionError: division by zero")
    assert second["tags"]["stack"].startswith("Stack (most recent call last)")


def test_levels_of_one_s_own(folder: Path, log: logging.Logger) -> None:
    logging.addLevelName(22, "NOTICE")
    ours = handler(folder)
    log.addHandler(ours)
    log.log(22, "notice")
    log.log(5, "five")
    log.log(60, "sixty")
    found = [(record["level"], record["tags"]["level_name"]) for record in records(ours)]
    assert found == [("INFO", "NOTICE"), ("TRACE", "Level 5"), ("CRITICAL", "Level 60")]


def test_levels_filters_and_formatters_are_heeded(folder: Path, log: logging.Logger) -> None:
    ours = handler(folder)
    ours.setLevel("WARNING")
    ours.addFilter(lambda record: "no" not in record.getMessage())
    ours.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log.addHandler(ours)
    log.info("below")
    log.warning("no")
    log.warning("yes %s", 1)
    assert [record["message"] for record in records(ours)] == ["WARNING: yes 1"]


def test_a_record_of_another_kind_formats_itself(folder: Path) -> None:
    class Brace(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802
            return str(self.msg).format(*(self.args or ()))

    ours = handler(folder)
    ours.handle(Brace("n", 20, "p", 1, "{}-{}", (1, 2), None))
    assert records(ours)[0]["message"] == "1-2"
    ours.close()


def test_a_subclass_with_an_emit_of_its_own(folder: Path, log: logging.Logger) -> None:
    class Louder(lb_log.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            record.msg = str(record.msg).upper()
            super().emit(record)

    ours = Louder(component="runner", host="h", run_id="r", output_dir=folder)
    log.addHandler(ours)
    log.info("loud")
    seen: list[logging.LogRecord] = []
    ours.emit = seen.append  # type: ignore[method-assign, assignment]
    log.info("taken away")
    assert [record["message"] for record in records(ours)] == ["LOUD"]
    assert len(seen) == 1


class Stubborn:
    """Has no text."""

    def __str__(self) -> str:
        raise ZeroDivisionError("no text")


def test_nothing_is_raised_into_the_program(
    folder: Path, log: logging.Logger, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = handler(folder)
    # Without pytest's own, which raises.
    monkeypatch.setattr(log, "handlers", [ours])
    log.info("%d", "no number")
    log.info("too %s many", 1, 2)
    log.info(Stubborn())
    log.info("value", extra={"what": Stubborn(), "lone": "\ud800"})
    said = capfd.readouterr().err
    assert said.count("--- Logging error ---") == 2
    assert "TypeError: %d format" in said
    assert "ZeroDivisionError: no text" in said
    found = records(ours)
    messages = [record["message"] for record in found]
    assert messages == ["%d", "too %s many", "<unprintable message>", "value"]
    assert found[3]["tags"]["what"] == "<unprintable Stubborn>"
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.info(Stubborn())
    assert capfd.readouterr().err == ""


def test_through_a_queue_and_from_a_dictionary(folder: Path) -> None:
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "ours": {"class": "lb_log.Handler", "level": "INFO", "output_dir": str(folder), "run_id": "r"}
            },
            "loggers": {"tests.of.dictionary": {"handlers": ["ours"], "level": "DEBUG", "propagate": False}},
        }
    )
    log = logging.getLogger("tests.of.dictionary")
    (ours,) = log.handlers
    assert isinstance(ours, lb_log.Handler)
    log.debug("below")
    log.info("direct")
    log.removeHandler(ours)
    log.addHandler(QueueHandler(waiting))
    listener = QueueListener(waiting, ours)
    listener.start()
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("queued %s", 1, extra={"user": "u"})
    listener.stop()
    first, second = records(ours)
    assert first["message"] == "direct"
    assert second["message"].startswith("queued 1")
    assert second["tags"]["user"] == "u"
    ours.close()


def test_mistakes_are_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="did you mean component"):
        lb_log.Handler(componnt="x", output_dir=folder)
    with pytest.raises(ValueError, match="Unknown level"):
        lb_log.Handler("LOUD", output_dir=folder)
    assert not list(folder.iterdir())


def test_a_closed_handler_says_nothing_and_is_made_anew(folder: Path, log: logging.Logger) -> None:
    for count in range(3):
        ours = handler(folder)
        log.addHandler(ours)
        log.info("m")
        log.removeHandler(ours)
        ours.close()
        ours.close()
        assert len(read_log(Path(ours.path))) == count + 1
