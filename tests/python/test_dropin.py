"""The drop-in handlers inside one process: each promise of today's handlers, and what ours add to them."""

from __future__ import annotations

import copy
import json
import logging
import logging.config
import logging.handlers
import queue
import shutil
import threading
import weakref
from pathlib import Path

import pytest
from lb_log import JsonlLogFormatter, build_jsonl_handler
from lb_log._native import Core

from support.dropin import IDENTITY, attached, records
from support.records import read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def test_a_record_is_what_it_was(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder, workload="w", package="p", plugin="g", scenario="s", repetition=3, tags={"a": 1})
    logger.warning("%s of %d", "text", 7)
    (record,) = records(handler)
    assert Path(handler.baseFilename) == folder / "logs" / "runner-node-1.jsonl"
    assert {**record, "timestamp": ""} == {
        "timestamp": "",
        "level": "WARNING",
        **IDENTITY,
        "logger": "dropin_test",
        "message": "text of 7",
        "event_type": "log",
        "workload": "w",
        "repetition": 3,
        "scenario": "s",
        "package": "p",
        "plugin": "g",
        "tags": {"a": 1},
    }


@pytest.mark.parametrize("extra", [None, {"lb_phase": "run", "mine": 1}], ids=["plain", "extra"])
def test_nothing_is_left_in_a_record_nor_is_it_kept(
    logger: logging.Logger, folder: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, object] | None
) -> None:
    attached(logger, folder)
    # pytest's own handlers leave something, and keep it.
    monkeypatch.setattr(logger, "propagate", False)
    try:
        raise OSError("x")
    except OSError as error:
        info = (type(error), error, error.__traceback__) if extra else None
    record = logger.makeRecord("dropin_test", 20, "f.py", 1, "%s", ("m",), info, extra=extra)
    before = dict(record.__dict__)
    logger.handle(record)
    assert record.__dict__ == before
    reference = weakref.ref(record)
    del record
    assert reference() is None


def test_attributes_of_a_record(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder, workload="w", package="p", tags={"a": 1, "b": 2})
    extra = {
        "lb_component": "k6",
        "lb_host": "node-2",
        "lb_run_id": "run-2",
        "lb_event_type": "phase",
        "lb_workload": "other",
        "lb_package": "q",
        "lb_plugin": "dfaas",
        "lb_scenario": "s",
        "lb_repetition": 9,
        "lb_phase": "setup",
        "lb_tags": {"b": 3, "n": None, "list": [1, "two"], "path": Path("/x")},
        "lb_labels": {"env": "lab", "none": None},
        "mine": 1.5,
    }
    logger.info("with all", extra=extra)
    logger.info("with none", extra=dict.fromkeys(extra))
    logger.info("with a repetition in words", extra={"lb_repetition": "4"})
    first, second, third = records(handler)
    fields = ("component", "host", "run_id", "event_type", "workload", "package", "plugin", "scenario", "repetition")
    assert [first[name] for name in fields] == ["k6", "node-2", "run-2", "phase", "other", "q", "dfaas", "s", 9]
    assert first["tags"] == {
        "a": 1,
        "b": 3,
        "n": None,
        "list": '[1,"two"]',
        "path": "/x",
        "env": "lab",
        "mine": 1.5,
        "phase": "setup",
    }
    assert (second["component"], second["workload"], second["repetition"]) == ("runner", "w", 1)
    assert second["tags"] == {"a": 1, "b": 2, "mine": None}
    assert third["repetition"] == 4
    assert "mine" not in third["tags"]


@pytest.mark.parametrize("wrong", [0, -1, "x", 1.5, True])
def test_an_impossible_repetition_of_a_record(
    logger: logging.Logger, folder: Path, wrong: object, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = attached(logger, folder)
    logger.info("lost", extra={"lb_repetition": wrong})
    logger.info("kept")
    assert [record["message"] for record in records(handler)] == ["kept"]
    assert "lb_repetition" in capsys.readouterr().err
    (core,) = [core for core in Core.opened() if core.path == handler.baseFilename]
    assert core.stats()["rejected"] == 1


def test_levels(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder)
    handler.setLevel(logging.DEBUG)
    for level in (5, 10, 15, 20, 25, 30, 40, 50, 60):
        logger.log(level, "%d", level)
    found = [(record["message"], record["level"], record.get("tags")) for record in records(handler)]
    assert found == [
        ("10", "DEBUG", None),
        ("15", "DEBUG", {"level_name": "Level 15"}),
        ("20", "INFO", None),
        ("25", "INFO", {"level_name": "Level 25"}),
        ("30", "WARNING", None),
        ("40", "ERROR", None),
        ("50", "CRITICAL", None),
        ("60", "CRITICAL", {"level_name": "Level 60"}),
    ]
    handler.setLevel(5)
    logger.log(5, "trace")
    assert records(handler)[-1]["level"] == "TRACE"


def test_filters_and_levels_of_the_handler(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder)
    handler.setLevel("WARNING")
    handler.addFilter(lambda record: "not this" not in record.getMessage())
    logger.info("too low")
    logger.error("not this")
    logger.error("this")
    assert [record["message"] for record in records(handler)] == ["this"]


def test_tracebacks(logger: logging.Logger, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = attached(logger, folder)
    # pytest-xdist cannot report what is no Unicode.
    monkeypatch.setattr(logger, "propagate", False)
    try:
        raise ValueError("no \udc80 such thing")
    except ValueError:
        logger.exception("failed")
    logger.info("from here", stack_info=True)
    logger.info("nothing", exc_info=True)
    first, second, third = records(handler)
    assert first["message"] == "failed"
    assert first["tags"]["exception"].startswith("Traceback (most recent call last)")
    assert "ValueError: no" in first["tags"]["exception"]
    assert "test_tracebacks" in second["tags"]["stack"]
    assert "tags" not in third


def test_a_traceback_that_came_through_a_queue(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder)
    listener_queue: queue.Queue[logging.LogRecord] = queue.Queue()
    logger.removeHandler(handler)
    front = logging.handlers.QueueHandler(listener_queue)
    logger.addHandler(front)
    listener = logging.handlers.QueueListener(listener_queue, handler)
    listener.start()
    try:
        raise KeyError("k")
    except KeyError:
        logger.exception("failed")
    listener.stop()
    (record,) = records(handler)
    assert "KeyError: 'k'" in json.dumps(record, ensure_ascii=False)


def test_formatters(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder, workload="w", tags={"a": 1})
    handler.setFormatter(JsonlLogFormatter(component="other", host="node-3", run_id="run-3", event_type="e"))
    logger.info("one")
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger.info("two")
    handler.setFormatter(None)
    logger.info("three")
    one, two, three = records(handler)
    assert (one["component"], one["workload"], one["event_type"], "tags" in one) == ("other", "none", "e", False)
    assert (two["message"], two["component"], two["workload"], two["tags"]) == ("INFO: two", "runner", "w", {"a": 1})
    assert (three["message"], three["component"]) == ("three", "runner")


def test_the_formatter_writes_the_line_itself(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder, workload="w", repetition=2, tags={"a": 1})
    lines: list[str] = []

    class Console(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    console = Console()
    console.setFormatter(handler.formatter)
    logger.addHandler(console)
    try:
        raise OSError("x")
    except OSError:
        logger.exception('a "quote" and %s', "é", extra={"lb_phase": "run", "n": float("nan")})
    logger.log(25, "custom")
    assert Path(handler.baseFilename).is_file()
    handler.flush()
    assert Path(handler.baseFilename).read_text(encoding="utf-8").splitlines() == lines


def test_each_record_once_whoever_is_asked_to_write_it(logger: logging.Logger, folder: Path) -> None:
    handler, twin = attached(logger, folder), attached(logger, folder)
    elsewhere = attached(logger, folder / "elsewhere")
    child = logger.getChild("below")
    child.addHandler(handler)
    logger.addHandler(handler)
    for number in range(100):
        child.info("%d", number)
    child.removeHandler(handler)
    for one in (handler, twin, elsewhere):
        assert [record["message"] for record in records(one)] == [str(number) for number in range(100)]


def test_a_record_that_is_logged_while_another_is_handled(logger: logging.Logger, folder: Path) -> None:
    first = attached(logger, folder)

    class Chatty(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "inner" not in record.getMessage():
                for number in range(5):
                    logger.info("inner %d of %s", number, record.getMessage())

    logger.addHandler(Chatty())
    attached(logger, folder)
    logger.info("outer")
    assert [record["message"] for record in records(first)] == ["outer", *(f"inner {n} of outer" for n in range(5))]


def test_equal_records_are_all_written(logger: logging.Logger, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_795_000_000.25)
    handler = attached(logger, folder)
    kept = []
    for _ in range(200):
        record = logger.makeRecord("dropin_test", 20, "f.py", 1, "same", (), None)
        kept.append(record)
        logger.handle(record)
    logger.handle(copy.copy(kept[0]))
    assert len(records(handler)) == 201


def test_threads(logger: logging.Logger, folder: Path) -> None:
    handler, twin = attached(logger, folder), attached(logger, folder)

    def work(number: int) -> None:
        for count in range(500):
            logger.info("%d %d", number, count)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    messages = [record["message"] for record in records(twin)]
    assert sorted(messages) == sorted(f"{number} {count}" for number in range(4) for count in range(500))
    assert handler.baseFilename == twin.baseFilename


def test_what_cannot_be_formatted(
    logger: logging.Logger, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said as `logging` says it, and in the file nevertheless."""
    handler = attached(logger, folder)
    # pytest's own handlers raise.
    monkeypatch.setattr(logger, "propagate", False)

    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    logger.info("%d", "seven")
    logger.info("of %s", Bad())
    logger.info(Bad())
    assert capsys.readouterr().err.count("--- Logging error ---") == 3
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("%d", "eight")
    assert capsys.readouterr().err == ""
    logger.info(Path("/a/path"))
    logger.info("%s and %s", "\ud800", "\0")
    messages = [record["message"] for record in records(handler)]
    assert messages == ["%d", "of %s", "<unprintable Bad>", "%d", "/a/path", "\ufffd\ufffd\ufffd and \0"]


def test_closing_and_making_anew(logger: logging.Logger, folder: Path) -> None:
    for number in range(20):
        handler = attached(logger, folder, repetition=number + 1)
        logger.info("%d", number)
        logger.removeHandler(handler)
        handler.close()
        handler.close()
        assert [record["repetition"] for record in read_log(Path(handler.baseFilename))] == list(range(1, number + 2))


def test_a_deleted_folder_stays_away(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder / "run")
    logger.info("one")
    handler.close()
    shutil.rmtree(folder / "run")
    logger.info("too late")
    assert not (folder / "run").exists()
    logger.removeHandler(handler)
    handler = attached(logger, folder / "run")
    logger.info("two")
    assert [record["message"] for record in records(handler)] == ["two"]


def test_a_record_behind_the_close(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder)
    handler.close()
    logger.info("late")
    assert [record["message"] for record in records(handler)] == ["late"]


def test_shutdown(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder)
    logger.info("before")
    logging.shutdown([lambda: handler])
    assert [record["message"] for record in read_log(Path(handler.baseFilename))] == ["before"]


def test_caplog(logger: logging.Logger, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    handler = attached(logger, folder)
    with caplog.at_level(logging.INFO, logger="dropin_test"):
        for number in range(200):
            logger.info("%d", number)
    assert caplog.messages == [str(number) for number in range(200)]
    assert [record["message"] for record in records(handler)] == caplog.messages


def test_a_handler_that_is_only_dropped(folder: Path) -> None:
    """It is gone at once, and leaves its file to the next one."""
    handler = build_jsonl_handler(output_dir=folder, **IDENTITY)
    handler.handle(logging.makeLogRecord({"msg": "one", "levelno": 20, "levelname": "INFO"}))
    path, reference = Path(handler.baseFilename), weakref.ref(handler)
    del handler
    assert reference() is None
    again = build_jsonl_handler(output_dir=folder, **IDENTITY)
    again.close()
    assert [record["message"] for record in read_log(path)] == ["one"]
