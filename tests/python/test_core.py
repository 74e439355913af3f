"""lb_log._native.Core: what the handlers of existing programs stand on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from lb_log._native import Core

from support.loki import Loki
from support.process import wait_until
from support.records import read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def configuration(folder: Path) -> dict[str, object]:
    return {"component": "runner", "host": "h", "run_id": folder.name, "output_dir": folder}


def threads() -> list[str]:
    """Our threads in this process, by their names."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            names.append((task / "comm").read_text().strip())
    return [name for name in names if name.startswith("lb-log")]


def test_records_have_the_context_that_they_name(folder: Path) -> None:
    core = Core.open({**configuration(folder), "workload": "w"})
    assert core.identity["workload"] == "w"
    engine = core.context({"logger": "engine", "tags": {"plugin": "p"}})
    assert engine == core.context({"logger": "engine", "tags": {"plugin": "p"}})
    core.log(engine, 35, "m", 1_234_567_890, {"n": 1})
    core.log(0, "debug", "m")
    core.flush()
    first, second = read_log(Path(core.path))
    assert (first["timestamp"], first["level"]) == ("1970-01-01T00:00:01.234567890Z", "WARNING")
    assert (first["logger"], first["tags"]) == ("engine", {"plugin": "p", "n": 1})
    assert second["level"] == "DEBUG"
    with pytest.raises(ValueError, match="level: expected"):
        core.log(0, "loud", "m")
    with pytest.raises(ValueError, match="timeout: expected seconds"):
        core.flush(-1)
    core.close()
    assert core.closed


def test_a_released_core_is_there_for_the_next_opener(folder: Path) -> None:
    for count in range(3):
        core = Core.open(configuration(folder))
        assert core.stats()["written"] == count
        core.log(0, 20, "m")
        core.release()
        assert len(read_log(Path(core.path))) == count + 1
    (found,) = Core.opened("runner", "h", folder.name)
    assert found.path == core.path
    assert Core.opened("runner", "other", folder.name) == []
    found.close()
    assert Core.opened(run_id=folder.name) == []


def test_a_deleted_folder_does_not_come_back(folder: Path) -> None:
    core = Core.open(configuration(folder))
    core.log(0, 20, "m")
    core.release(linger=1.2)
    run = Path(core.path).parents[1]
    shutil.rmtree(run)
    wait_until(lambda: core.stats()["queued"] == 0 and not threads(), 30, "the core ends")
    assert not run.exists()


def test_shipping_is_turned_on_later(folder: Path, loki: Loki) -> None:
    core = Core.open({**configuration(folder), "loki": {"enabled": False}})
    core.log(0, 20, "before")
    assert core.stats()["loki"] is None
    core.ship({"endpoint": loki.url, "min_level": "WARNING"})
    core.log(0, 30, "behind")
    core.close(30)
    delivery = core.stats()["loki"]
    assert delivery is not None
    assert (delivery["acknowledged"], delivery["below_level"]) == (1, 1)
    with pytest.raises(ValueError, match=r"loki\.endpoint"):
        Core.open(configuration(folder)).ship({"endpoint": "ftp://x"})


END = """
import atexit, sys
from lb_log._native import Core
def late():
    core.log(0, 20, "late")
def later():
    core.log(0, 20, "later")
core = Core.open({"component": "c", "host": "h", "run_id": "r", "output_dir": sys.argv[1]})
atexit.register(late)
core.log(0, 20, "in time")
"""


def test_the_exit_of_the_interpreter_ends_what_is_open(folder: Path) -> None:
    program = "import atexit\natexit.register(lambda: later())\n" + END
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program, folder], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    log = folder / "r/logs/c-h.jsonl"
    assert [record["message"] for record in read_log(log)] == ["in time", "late", "later"]
    assert not list(log.parent.glob(".*.rings")), "nothing is left for others to recover"
