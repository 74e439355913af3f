"""How handlers of the drop-in are made: rotation, environment, paths, wrong arguments, `dictConfig`."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
from pathlib import Path
from typing import Any

import lb_log
import pytest
from lb_log import JsonlLogHandler, build_jsonl_handler

from support.dropin import IDENTITY, attached, records

pytestmark = pytest.mark.usefixtures("no_settings")


def test_rotation(logger: logging.Logger, folder: Path) -> None:
    handler = attached(logger, folder, max_bytes=5000, backup_count=2)
    assert (handler.maxBytes, handler.backupCount) == (5000, 2)
    for number in range(100):
        logger.info("%d %s", number, "x" * 100)
        handler.flush()
    logs = sorted(path.name for path in (folder / "logs").glob("runner-node-1*.jsonl"))
    assert len(logs) == 3
    assert logs[-1] == "runner-node-1.jsonl"
    never = attached(logger, folder / "never", max_bytes=5000)
    for number in range(100):
        logger.info("%d %s", number, "x" * 100)
    assert len(records(never)) == 100


def test_the_environment(logger: logging.Logger, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LB_JSONL_LOG_PATH", str(folder / "{run_id}" / "of-{component}.jsonl"))
    monkeypatch.setenv("LB_JSONL_LOG_ROTATE_BYTES", "1MiB")
    monkeypatch.setenv("LB_JSONL_LOG_BACKUPS", "4")
    monkeypatch.setenv("LB_CONFIG_PATH", "of somebody else")
    monkeypatch.setenv("LB_LOKI_ENABLED", "1")
    monkeypatch.setenv("LB_LOKI_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LB_LOG_LEVEL", "ERROR")
    handler = attached(logger, folder)
    assert (handler.maxBytes, handler.backupCount) == (1 << 20, 4)
    logger.debug("written")
    assert Path(handler.baseFilename) == folder / "run-1" / "of-runner.jsonl"
    assert [record["message"] for record in records(handler)] == ["written"]
    assert not list(folder.rglob("*.offset")), "the environment alone never ships"
    explicit = build_jsonl_handler(output_dir=folder, **IDENTITY, path_template=str(folder / "x.jsonl"), max_bytes=0)
    assert (explicit.baseFilename, explicit.maxBytes) == (str(folder / "x.jsonl"), 0)
    explicit.close()


def test_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def path(**arguments: Any) -> Path:
        handler = build_jsonl_handler(**{"output_dir": folder, **IDENTITY, **arguments})
        handler.close()
        given = {"output_dir": folder, **IDENTITY, **arguments}
        template = given.pop("path_template", lb_log.DEFAULT_JSONL_TEMPLATE)
        assert lb_log.resolve_jsonl_path(template, **given) == Path(handler.baseFilename)
        assert Path(handler.baseFilename).is_file()
        return Path(handler.baseFilename)

    assert path() == folder / "logs" / "runner-node-1.jsonl"
    assert path(component="lb-runner", host="../../etc").parent == folder / "logs"
    assert path(path_template="{output_dir}/{run_id}.jsonl") == folder / "run-1.jsonl"
    monkeypatch.chdir(folder)
    assert path(output_dir="rel") == folder / "rel" / "logs" / "runner-node-1.jsonl"
    assert path(path_template="{host}.jsonl") == folder / "node-1.jsonl"
    monkeypatch.setenv("HOME", str(folder))
    assert path(output_dir="~/home") == folder / "home" / "logs" / "runner-node-1.jsonl"
    (folder / "link").symlink_to(folder / "rel")
    assert path(output_dir=folder / "link") == folder / "rel" / "logs" / "runner-node-1.jsonl"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("component", {"component": ""}),
    ("component", {"component": 7}),
    ("host", {"host": None}),
    ("run_id", {"run_id": b"run"}),
    ("output_dir", {"output_dir": None}),
    ("output_dir", {"output_dir": ""}),
    ("path_template", {"path_template": "{output_dir}/{what}.jsonl"}),
    ("path_template", {"path_template": "{output_dir}/log.txt"}),
    ("path_template", {"path_template": 7}),
    ("event_type", {"event_type": 7}),
    ("workload", {"workload": 7}),
    ("workload", {"workload": "ä" * 600}),
    ("repetition", {"repetition": 0}),
    ("repetition", {"repetition": "1"}),
    ("tags", {"tags": ["a"]}),
    ("max_bytes", {"max_bytes": "many"}),
    ("backup_count", {"backup_count": 1.5}),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG, ids=[f"{n}={next(iter(a.values()))!r:.20}" for n, a in WRONG])
def test_wrong_arguments(folder: Path, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        build_jsonl_handler(**{"output_dir": folder, **IDENTITY, **arguments})
    assert not list(folder.iterdir()), "nothing is made"


def test_tags_that_are_too_large(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"^tags: "):
        build_jsonl_handler(output_dir=folder, **IDENTITY, tags={"a": "x" * 20_000})


def test_names_that_are_too_long(folder: Path) -> None:
    """What a record brings is cut, not refused."""
    logger = logging.Logger.manager.getLogger("dropin_test." + "ä" * 1000)
    logger.setLevel(logging.INFO)
    handler = attached(logger, folder)
    logger.info("long", extra={"lb_workload": "ö" * 1000})
    (record,) = records(handler)
    assert record["workload"] == "ö" * 512
    assert record["logger"].startswith("dropin_test.ä")
    assert 1020 < len(record["logger"].encode()) <= 1024
    logger.removeHandler(handler)
    handler.close()


def test_dict_config(folder: Path) -> None:
    settings = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"few": {"name": "dropin_dict.shown"}},
        "formatters": {"ours": {"()": "lb_log.JsonlLogFormatter", **IDENTITY, "workload": "formatted"}},
        "handlers": {
            "log": {
                "class": "lb_log.JsonlLogHandler",
                "level": "INFO",
                "formatter": "ours",
                "filters": ["few"],
                "output_dir": str(folder),
                **IDENTITY,
            },
            "made": {"()": "lb_log.build_jsonl_handler", "output_dir": str(folder / "made"), **IDENTITY},
        },
        "loggers": {"dropin_dict": {"level": "DEBUG", "handlers": ["log", "made"], "propagate": False}},
    }
    for _ in range(2):
        logging.config.dictConfig(settings)
        logging.getLogger("dropin_dict.shown").debug("low")
        logging.getLogger("dropin_dict.shown").info("shown")
        logging.getLogger("dropin_dict.other").info("other")
    log, made = logging.getLogger("dropin_dict").handlers
    assert isinstance(log, JsonlLogHandler)
    assert isinstance(made, JsonlLogHandler)
    assert [(record["message"], record["workload"]) for record in records(log)] == [("shown", "formatted")] * 2
    assert [record["message"] for record in records(made)] == ["low", "shown", "other"] * 2
    for handler in (log, made):
        logging.getLogger("dropin_dict").removeHandler(handler)
        handler.close()
