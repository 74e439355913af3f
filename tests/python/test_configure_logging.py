"""`configure_logging`, with and without structlog, and the small functions beside the handlers."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lb_log import (
    JsonlLogHandler,
    LokiLogEntry,
    LokiPushHandler,
    build_jsonl_handler,
    build_loki_handler,
    build_loki_payload,
    configure_logging,
    normalize_loki_endpoint,
)

from support.records import read_log

IDENTITY: dict[str, Any] = {"component": "runner", "host": "node-1", "run_id": "run-1"}

pytestmark = pytest.mark.usefixtures("no_settings")


class Root:
    """The root logger of a test."""

    def bare(self) -> logging.Logger:
        """Without the handlers that pytest gives it for each test."""
        logger = logging.getLogger()
        logger.handlers.clear()
        return logger


@pytest.fixture
def root() -> Iterator[Root]:
    logger = logging.getLogger()
    level = logger.level
    yield Root()
    for handler in [*logger.handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


@pytest.fixture
def without_structlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed."""
    monkeypatch.setitem(sys.modules, "structlog", None)


@pytest.mark.usefixtures("without_structlog")
def test_text_and_json(
    root: Root, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = root.bare()
    configure_logging()
    logging.info("too low")
    logging.warning("shown %d", 1)
    assert capsys.readouterr().err.endswith("Z [WARNING ] shown 1\n")
    configure_logging(level="DEBUG", json=True)
    assert logger.level == logging.WARNING, "what is there stays"
    monkeypatch.setenv("LB_LOG_LEVEL", "info")
    monkeypatch.setenv("LB_LOG_JSON", "1")
    monkeypatch.setenv("LB_LOG_FILE", str(folder / "log.txt"))
    configure_logging(force=True)
    try:
        raise OSError("x")
    except OSError:
        logging.exception("failed")
    line = json.loads((folder / "log.txt").read_text(encoding="utf-8"))
    assert json.loads(capsys.readouterr().err) == line
    assert (line["event"], line["level"], line["timestamp"][-1]) == ("failed", "error", "Z")
    assert "OSError: x" in line["exception"]
    assert (logger.level, len(logger.handlers)) == (logging.INFO, 2)
    configure_logging(force=True, debug=True, level="ERROR")
    assert logger.level == logging.DEBUG


@pytest.mark.usefixtures("without_structlog")
@pytest.mark.parametrize(
    ("level", "number"), [("warning", 30), (15, 15), ("15", 15), ("TRACE", 5), (0, 30), (None, 30)]
)
def test_levels(root: Root, level: str | int | None, number: int) -> None:
    logger = root.bare()
    configure_logging(level=level)
    assert logger.level == number


@pytest.mark.usefixtures("without_structlog")
def test_wrong_levels(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = root.bare()
    with pytest.raises(ValueError, match=r"^level: expected a level such as INFO or 20, found"):
        configure_logging(level="loud")
    monkeypatch.setenv("LB_LOG_LEVEL", "loud")
    with pytest.raises(ValueError, match=r"^LB_LOG_LEVEL: "):
        configure_logging()
    monkeypatch.delenv("LB_LOG_LEVEL")
    monkeypatch.setenv("LB_LOG_JSON", "perhaps")
    with pytest.raises(ValueError, match=r"^LB_LOG_JSON: "):
        configure_logging()
    assert not logger.handlers


@pytest.mark.usefixtures("without_structlog")
def test_with_handlers_of_ours(root: Root, folder: Path) -> None:
    logger = root.bare()
    handler = build_jsonl_handler(output_dir=folder, **IDENTITY)
    configure_logging(level="INFO", jsonl_handler=handler, loki_handler=build_loki_handler(enabled=False, **IDENTITY))
    logging.info("by the root")
    assert len(logger.handlers) == 2
    handler.flush()
    assert [record["message"] for record in read_log(Path(handler.baseFilename))] == ["by the root"]


def test_structlog(root: Root, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An event is a record: its name the message, its values tags."""
    structlog = pytest.importorskip("structlog")
    root.bare()
    handler = build_jsonl_handler(output_dir=folder, **IDENTITY)
    configure_logging(level="INFO", json=True, jsonl_handler=handler)
    log = structlog.get_logger("of.structlog").bind(configuration=3)
    log.info("started", rate=120, nested={"a": [1]})
    try:
        raise ValueError("bad rate")
    except ValueError:
        log.exception("failed")
    logging.getLogger("plain").warning("%s", "as ever")
    structlog.reset_defaults()
    handler.flush()
    started, failed, plain = read_log(Path(handler.baseFilename))
    assert (started["message"], started["logger"], started["level"]) == ("started", "of.structlog", "INFO")
    assert started["tags"] == {"configuration": 3, "rate": 120, "nested": '{"a":[1]}'}
    assert "ValueError: bad rate" in failed["tags"]["exception"]
    assert (plain["message"], "tags" in plain) == ("as ever", False)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["started", "failed", "as ever"]


def test_endpoints() -> None:
    for given in ("http://loki:3100", "http://loki:3100/", "http://loki:3100/loki/api/v1/push"):
        assert normalize_loki_endpoint(given) == "http://loki:3100/loki/api/v1/push"
    assert normalize_loki_endpoint("https://h/prefix") == "https://h/prefix/loki/api/v1/push"
    for wrong in ("", "loki:3100", "ftp://h", "http://", "/loki/api/v1/push"):
        with pytest.raises(ValueError, match=r"^endpoint: "):
            normalize_loki_endpoint(wrong)
    with pytest.raises(ValueError) as raised:
        normalize_loki_endpoint("ftp://user:secret@h")
    assert "secret" not in str(raised.value)


def test_payloads() -> None:
    entries = [
        LokiLogEntry({"b": "1", "a": "2"}, "10", "first"),
        LokiLogEntry({"a": "3"}, "11", "other"),
        LokiLogEntry({"a": "2", "b": "1"}, "12", "second"),
    ]
    assert build_loki_payload(entries) == {
        "streams": [
            {"stream": {"a": "2", "b": "1"}, "values": [["10", "first"], ["12", "second"]]},
            {"stream": {"a": "3"}, "values": [["11", "other"]]},
        ]
    }
    assert build_loki_payload([]) == {"streams": []}


def test_when_there_is_a_loki_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_loki_handler(**IDENTITY) is None
    assert build_loki_handler(enabled=False, endpoint="no URL at all", **IDENTITY) is None
    monkeypatch.setenv("LB_LOKI_ENABLED", "true")
    made = build_loki_handler(**IDENTITY)
    assert isinstance(made, LokiPushHandler)
    made.close()
    assert build_loki_handler(enabled=False, **IDENTITY) is None
    monkeypatch.setenv("LB_LOKI_ENABLED", "certainly")
    with pytest.raises(ValueError, match=r"^LB_LOKI_ENABLED: "):
        build_loki_handler(**IDENTITY)
    monkeypatch.setenv("LB_LOKI_ENABLED", "true")
    monkeypatch.setenv("LB_LOKI_BATCH_SIZE", "many")
    with pytest.raises(ValueError, match=r"^LB_LOKI_BATCH_SIZE: "):
        build_loki_handler(enabled=True, **IDENTITY)
    assert not list(Path.cwd().iterdir()), "no file without a record"


WRONG: list[tuple[str, Any]] = [
    ("endpoint", "loki:3100"),
    ("labels", 7),
    ("batch_size", "many"),
    ("flush_interval_ms", "1s"),
    ("timeout_seconds", True),
    ("max_retries", 1.5),
    ("max_queue_size", "x"),
    ("backoff_base", float("nan")),
    ("backoff_factor", []),
    ("repetition", 0),
    ("output_dir", 7),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[name for name, _ in WRONG])
def test_wrong_arguments_of_the_loki_handler(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        build_loki_handler(**{"enabled": True, **IDENTITY, name: value})


def test_numbers_beyond_the_bounds_count_as_the_bounds() -> None:
    """As today: nobody's runner ends because it asks for no pause at all."""
    made = build_loki_handler(
        enabled=True, **IDENTITY, batch_size=0, flush_interval_ms=0, max_retries=-1, backoff_base=-1, backoff_factor=0
    )
    assert isinstance(made, LokiPushHandler)
    made.close()
    assert isinstance(build_jsonl_handler(output_dir=".", **IDENTITY, max_bytes=-1), JsonlLogHandler)
