"""The drop-in handlers of Python against a real Loki: file and Loki hold each record once, whatever logger a handler
is on, however often handlers are made anew, and whatever Loki does.
"""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import queue
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lb_log import JsonlLogFormatter, attach_jsonl_handler, attach_loki_handler, build_loki_handler
from lb_log._native import Core

from support.delivery import check_equal, files_of, from_level, held, lines_of, shipped
from support.loki import Loki, absent_loki
from support.process import wait_until
from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings", "_loggers")

PHASES = ("install", "setup", None, "teardown", None)
# Shorter pauses than by default, so that tests are.
QUICK: dict[str, Any] = {"flush_interval_ms": 100, "backoff_base": 0.1, "backoff_factor": 1.5, "timeout_seconds": 2}


@pytest.fixture
def _loggers() -> Iterator[None]:
    """The root logger lets everything pass, and is as it was afterwards."""
    root = logging.getLogger()
    before, level = [*root.handlers], root.level
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    for logger in (root, logging.getLogger("lb_controller")):
        for handler in [*logger.handlers]:
            if handler not in before:
                logger.removeHandler(handler)
                handler.close()


def identity(component: str, run_id: str) -> dict[str, Any]:
    return {"component": component, "host": "node-1", "run_id": run_id}


@contextmanager
def both(
    folder: Path, loki: Loki, names: dict[str, Any], logger: str | None, repetition: int, phase: str | None
) -> Iterator[None]:
    """The handlers of a phase, as today's programs attach and close them."""
    tags = {"phase": phase} if phase else {}
    owner, root = logging.getLogger(logger), logging.getLogger()
    jsonl = attach_jsonl_handler(owner, output_dir=folder, **names, workload="w", repetition=repetition, tags=tags)
    shipper = attach_loki_handler(
        root, enabled=True, endpoint=loki.url, **names, workload="w", repetition=repetition, labels=tags, **QUICK
    )
    assert shipper is not None
    shipper.setFormatter(JsonlLogFormatter(**names, workload="w", repetition=repetition, tags=tags))
    shipper.setLevel(logging.INFO)
    if logger is None:
        for handler in (jsonl, shipper):
            handler.addFilter(lambda record: not record.name.startswith("lb_plugins"))
    yield
    for handler, place in ((jsonl, owner), (shipper, root)):
        place.removeHandler(handler)
        handler.close()


def arrived(loki: Loki, log: Path, run_id: str, level: str = "INFO") -> list[Record]:
    """Loki gets each line of the log from a level up, and none twice. The log's records."""
    wanted = {line for line, _ in from_level(lines_of(files_of(log)), level)}
    selector = f'{{run_id="{run_id}"}}'
    wait_until(lambda: len(held(loki, selector, wanted)) >= len(wanted), 60, f"Loki has {len(wanted)} lines")
    # What was under way when Loki was killed may be counted twice, and is told.
    counts = [core.stats()["loki"] for core in Core.opened(run_id=run_id)]
    check_equal(loki, log, run_id, level=level, replayed=sum(count["replayed"] for count in counts if count))
    return read_log(log)


def once(records: list[Record]) -> None:
    """No message is there twice."""
    twice = {message: count for message, count in Counter(r["message"] for r in records).items() if count > 1}
    assert not twice, twice


@pytest.mark.parametrize("killed", [False, True], ids=["well", "killed"])
@pytest.mark.parametrize("logger", ["lb_controller", None], ids=["controller", "runner"])
def test_handlers_that_are_swapped_at_each_phase(folder: Path, logger: str | None, killed: bool) -> None:
    """The controller has JSONL on `lb_controller` and Loki on the root, the runner has both on the root."""
    component = "controller" if logger else "runner"
    run_id = f"swapped-{component}-{killed}"
    names = identity(component, run_id)
    inside, outside = logging.getLogger("lb_controller.engine"), logging.getLogger("lb_app.ui")
    expected = 0
    with absent_loki(folder) as loki:
        loki.start()
        for repetition in (1, 2, 3):
            for phase in PHASES:
                with both(folder / "run", loki, names, logger, repetition, phase):
                    for number in range(40):
                        inside.info("inside %d %s %d", repetition, phase, expected)
                        outside.warning("outside %d %s %d", repetition, phase, expected)
                        inside.debug("low %d %s %d", repetition, phase, expected)
                        logging.getLogger("lb_plugins.x").info("plugin %d %d", number, expected)
                        expected += 1
            if killed and repetition == 1:
                loki.kill()
        if killed:
            loki.start()
        with both(folder / "run", loki, names, logger, 4, None):
            inside.info("the end")
            records = arrived(loki, folder / "run" / "logs" / f"{component}-node-1.jsonl", run_id)
    once(records)
    seen = Counter(record["message"].split()[0] for record in records)
    assert (seen["inside"], seen["outside"], seen["low"]) == (expected, expected, expected)
    assert seen["plugin"] == (expected if logger else 0), "the filter is on both handlers of the runner"
    phases = {(record.get("tags") or {}).get("phase") for record in records}
    assert phases == {"install", "setup", "teardown", None}


def test_loki_without_a_file_of_a_jsonl_handler(loki: Loki, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of its own, in the default place; a JSONL handler that comes later has its path from then on."""
    monkeypatch.chdir(folder)
    names = identity("alone", "run-alone")
    shipper = attach_loki_handler(logging.getLogger(), enabled=True, endpoint=loki.url, **names, **QUICK)
    assert shipper is not None
    shipper.setLevel(logging.INFO)
    own = folder / "benchmark_results" / "run-alone" / "logs" / "alone-node-1.jsonl"
    assert not own.exists(), "before the first record"
    logging.getLogger("a").info("alone")
    shipper.flush()
    assert [record["message"] for record in read_log(own)] == ["alone"]
    jsonl = attach_jsonl_handler(logging.getLogger("b"), output_dir=folder / "run", **names)
    logging.getLogger("a").info("by the Loki handler")
    logging.getLogger("b").info("by the other")
    jsonl.flush()
    log = Path(jsonl.baseFilename)
    assert [record["message"] for record in read_log(log)] == ["by the Loki handler", "by the other"]
    assert len(read_log(own)) == 1
    selector, lines = '{run_id="run-alone"}', [*shipped(own), *shipped(log)]
    wait_until(lambda: held(loki, selector, lines) == sorted(lines), 30, "both files are in Loki")
    logging.getLogger("b").removeHandler(jsonl)
    jsonl.close()


def test_where_records_go_when_the_jsonl_handler_is_closed(
    loki: Loki, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into the same file; when its folder was deleted, into a file of the Loki handler's own."""
    monkeypatch.chdir(folder)
    names = identity("left", "run-left")
    jsonl = attach_jsonl_handler(logging.getLogger("b"), output_dir=folder / "run", **names)
    shipper = attach_loki_handler(logging.getLogger(), enabled=True, endpoint=loki.url, **names, **QUICK)
    assert shipper is not None
    logging.getLogger("b").removeHandler(jsonl)
    jsonl.close()
    logging.getLogger("a").info("left behind")
    shipper.flush()
    assert [record["message"] for record in read_log(Path(jsonl.baseFilename))] == ["left behind"]
    shipper.close()
    shutil.rmtree(folder / "run")
    logging.getLogger("a").info("later")
    shipper.flush()
    assert not (folder / "run").exists()
    own = folder / "benchmark_results" / "run-left" / "logs" / "left-node-1.jsonl"
    assert [record["message"] for record in read_log(own)] == ["later"]


def test_where_a_loki_handler_says_its_own_file_is(loki: Loki, folder: Path) -> None:
    names = identity("placed", "run-placed")
    shipper = attach_loki_handler(
        logging.getLogger(), enabled=True, endpoint=loki.url, **names, output_dir=folder / "mine", **QUICK
    )
    assert shipper is not None
    logging.getLogger("a").info("one")
    shipper.flush()
    assert [record["message"] for record in read_log(folder / "mine" / "logs" / "placed-node-1.jsonl")] == ["one"]


def test_filters_and_levels(loki: Loki, folder: Path) -> None:
    """The level says from where on lines are shipped; a filter of the Loki handler keeps it from writing, no more."""
    names = identity("filtered", "run-filtered")
    root, child = logging.getLogger(), logging.getLogger("lb_controller")
    jsonl = attach_jsonl_handler(child, output_dir=folder, **names)
    shipper = attach_loki_handler(root, enabled=True, endpoint=loki.url, **names, labels={"env": "lab"}, **QUICK)
    assert shipper is not None
    shipper.setLevel("WARNING")
    shipper.addFilter(lambda record: "secret" not in record.getMessage())
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        child.log(level, "child %d", level)
        child.log(level, "child secret %d", level)
        root.log(level, "root %d", level)
        root.log(level, "root secret %d", level)
    jsonl.flush()
    records = arrived(loki, Path(jsonl.baseFilename), "run-filtered", "WARNING")
    assert [record["message"] for record in records if record["message"].startswith("root")] == ["root 30", "root 40"]
    assert sum(record["message"].startswith("child") for record in records) == 6
    assert {record["tags"]["env"] for record in records} == {"lab"}, "labels are tags, whoever writes"


def test_a_loki_handler_behind_a_queue(loki: Loki, folder: Path) -> None:
    """It gets copies, in another thread: what a JSONL handler before the queue has written it leaves alone."""
    names = identity("queued", "run-queued")
    root = logging.getLogger()
    jsonl = attach_jsonl_handler(logging.getLogger("lb_controller"), output_dir=folder, **names)
    shipper = build_loki_handler(enabled=True, endpoint=loki.url, **names, **QUICK)
    assert shipper is not None
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    front, behind = logging.handlers.QueueHandler(records), logging.handlers.QueueListener(records, shipper)
    root.addHandler(front)
    behind.start()
    for number in range(200):
        logging.getLogger("lb_controller").info("inside %d", number)
        logging.getLogger("lb_app").info("outside %d", number)
    try:
        raise OSError("x")
    except OSError:
        logging.getLogger("lb_controller").exception("failed")
    behind.stop()
    root.removeHandler(front)
    shipper.close()
    jsonl.flush()
    found = arrived(loki, Path(jsonl.baseFilename), "run-queued")
    once(found)
    assert Counter(record["message"].split()[0] for record in found) == {"inside": 200, "outside": 200, "failed": 1}


# pytest has threads of its own.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_children(loki: Loki, folder: Path, start: str) -> None:
    """A forked child logs through its parent's handlers, a spawned one attaches its own."""
    names = identity("children", f"run-{start}")
    root = logging.getLogger()
    jsonl = attach_jsonl_handler(root, output_dir=folder, **names)
    shipper = attach_loki_handler(root, enabled=True, endpoint=loki.url, **names, **QUICK)
    assert shipper is not None
    shipper.setLevel("INFO")
    root.info("parent before")
    fork, spawn = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    make = fork.Process if start == "fork" else spawn.Process
    processes = [make(target=log_in_child, args=(number, start, folder, loki.url, names)) for number in range(3)]
    for process in processes:
        process.start()
    root.info("parent meanwhile")
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    root.info("parent after")
    shipper.flush()
    # What a child had in its rings when it ended is moved by its sibling, the parent, within a second.
    wait_until(lambda: len(read_log(Path(jsonl.baseFilename))) == 63, 30, "63 records")
    once(arrived(loki, Path(jsonl.baseFilename), f"run-{start}"))


def log_in_child(number: int, start: str, folder: Path, url: str, names: dict[str, Any]) -> None:
    """What a child does."""
    root = logging.getLogger()
    if start == "spawn":
        root.setLevel(logging.DEBUG)
        attach_jsonl_handler(root, output_dir=folder, **names)
        attach_loki_handler(root, enabled=True, endpoint=url, **names, **QUICK)
    for count in range(20):
        root.info("child %d record %d", number, count)


def test_no_folder_comes_back(folder: Path) -> None:
    """Loki is dead; the runner closes its handlers, and deletes its folder while the log lingers."""
    names = identity("deleted", "run-deleted")
    with absent_loki(folder) as loki:
        for _ in range(3):
            with both(folder / "run", loki, names, None, 1, None):
                logging.getLogger("a").info("one")
            shutil.rmtree(folder / "run")
            assert not (folder / "run").exists()
            with both(folder / "other", loki, names, None, 1, None):
                logging.getLogger("a").info("two")
        # A thread that exists as long as a log lingers.
        wait_until(lambda: "lb-log linger" not in native_threads(), 30, "nothing lingers any more")
        assert not (folder / "run").exists()


def native_threads() -> set[str]:
    """The names of this process's threads."""
    return {name.read_text(encoding="utf-8").strip() for name in Path("/proc/self/task").glob("*/comm")}
