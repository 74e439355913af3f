"""`lb_log.testing`: what a program logs is seen as records, and no file is made."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import lb_log
import pytest
from lb_log.testing import observe

from support.process import clean_environment
from support.python import package_environment
from support.records import parse_line, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def test_loggers_made_before_and_within(folder: Path) -> None:
    before = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder, workload="cpu")
    before.info("to the file")
    with observe() as seen:
        before.bind(repetition=3).warning("seen", n=1, deep=[1])
        within = lb_log.Logger(component="k6", host="h", run_id="r", output_dir=folder / "other")
        within.info("too", phase="run")
        assert seen.messages == ["seen", "too"]
        (warning,) = seen.find(level="WARNING")
        assert (warning["workload"], warning["repetition"], warning["tags"]) == ("cpu", 3, {"n": 1, "deep": "[1]"})
        assert seen.find(component="k6", phase="run")[0]["message"] == "too"
        assert seen.find(component="k6", phase="setup") == []
        seen.clear()
        before.info("last")
    assert seen.messages == ["last"]
    before.info("to the file again")
    before.close()
    assert [record["message"] for record in read_log(Path(before.path))] == ["to the file", "to the file again"]
    assert not (folder / "other").exists()
    assert not Path(within.path).parent.exists()


def test_records_are_in_schema(folder: Path) -> None:
    logger = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder)
    with observe() as seen:
        for value in ("ü\n", 2**80, float("nan"), [1], None, "\ud800", object()):
            logger.info(value, value=value)
    times = [record["timestamp"] for record in seen.records]
    assert times == sorted(set(times))
    logger.close()
    logger = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder, min_level="INFO")
    with observe():
        logger.debug("below the level")
        logger.info("ü")
        (line,) = lb_log._native.take_observed()
        assert parse_line(line)["message"] == "ü"
    logger.close()


def test_what_was_made_within_is_closed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with observe() as seen:
        logger = lb_log.Logger(output_dir=folder)
        logger.info("seen")
        logger.close()
        logger.info("behind its end")
    logger.info("late")
    assert seen.messages == ["seen"]
    assert "the logger was closed" in capfd.readouterr().err
    assert not any(folder.iterdir())


def test_one_at_a_time() -> None:
    with observe(), pytest.raises(RuntimeError, match="observed already"), observe():
        pass
    with pytest.raises(KeyError), observe():
        raise KeyError("of the program")
    with observe() as seen:
        assert seen.records == []


def test_threads_and_the_standard_library(folder: Path) -> None:
    standard = logging.getLogger("observed")
    handler = lb_log.Handler(component="c", host="h", run_id="r", output_dir=folder)
    standard.addHandler(handler)
    standard.propagate = False

    def warn() -> None:
        for number in range(100):
            standard.warning("w %d", number)

    with observe() as seen:
        threads = [threading.Thread(target=warn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen.messages) == sorted([f"w {number}" for number in range(100)] * 4)
        assert {record["logger"] for record in seen.records} == {"observed"}
    standard.removeHandler(handler)
    handler.close()
    assert Path(handler.path).read_bytes() == b""


def test_the_handlers_of_existing_runners(folder: Path) -> None:
    """They are seen, too, and nothing is shipped meanwhile."""
    logger = logging.Logger("runner")
    who: dict[str, Any] = {"component": "c", "host": "h", "run_id": "r"}
    with observe() as seen:
        jsonl = lb_log.attach_jsonl_handler(logger, output_dir=folder, **who)
        loki = lb_log.attach_loki_handler(logger, enabled=True, endpoint="http://127.0.0.1:9", **who)
        assert loki
        logger.warning("w %d", 1, extra={"lb_workload": "cpu", "n": 2})
        (record,) = seen.records
        assert (record["message"], record["workload"], record["tags"]) == ("w 1", "cpu", {"n": 2})
        loki.close()
        jsonl.close()
    assert not any(folder.rglob("*.jsonl"))


CONFTEST = 'pytest_plugins = ["lb_log.testing"]\n'
A_USERS_TEST = """
import lb_log
log = lb_log.Logger(component="c")
def test_program(lb_records):
    log.info("hello", n=1)
    assert lb_records.find(message="hello")[0]["tags"] == {"n": 1}
def test_another(lb_records):
    assert lb_records.records == []
"""


def test_the_fixture_in_a_users_project(folder: Path) -> None:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_program.py").write_text(A_USERS_TEST)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment({**package_environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "2 passed" in done.stdout
