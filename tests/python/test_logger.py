"""lb_log.Logger: what is logged stands in the file, in schema, whatever the values are."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path

import lb_log
import pytest

from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def opened(folder: Path, **arguments: object) -> lb_log.Logger:
    return lb_log.Logger(component="runner", host="h", run_id="r", output_dir=folder, config={**arguments})


def test_calls_become_records(folder: Path) -> None:
    with opened(folder) as log:
        log.trace("a")
        log.debug("b", n=1)
        log.info("c")
        log.warning("d", text="ä", flag=True, none=None, ratio=0.5)
        log.error("e")
        log.critical("f")
        log.log("WARNING", "g")
        log.log(35, "h")
    records = read_log(Path(log.path))
    assert log.path == str(folder / "r/logs/runner-h.jsonl")
    levels = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "WARNING", "WARNING"]
    assert [record["level"] for record in records] == levels
    assert "".join(record["message"] for record in records) == "abcdefgh"
    assert records[3]["tags"] == {"text": "ä", "flag": True, "none": None, "ratio": 0.5}


class Stubborn:
    """Has no text."""

    def __str__(self) -> str:
        raise ZeroDivisionError("no text")


def test_odd_values_become_what_a_record_can_bear(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ring: list[object] = [1]
    ring.append(ring)
    with opened(folder) as log:
        log.info(
            17, big=2**63, bigger=2**80, nan=math.nan, lone="a\ud800b", nested={"a": [1, (2,)]}, ring=ring, path=folder
        )
        log.info(Stubborn(), what=Stubborn())
        log.info("key", **{"k" * 2**20: 1})
    first, second, third = read_log(Path(log.path))
    assert first["message"] == "17"
    tags = first["tags"]
    assert (tags["big"], tags["bigger"], tags["nan"]) == (2**63, str(2**80), None)
    assert (tags["nested"], tags["ring"], tags["path"]) == ('{"a":[1,[2]]}', '[1,"…"]', str(folder))
    assert tags["lone"].strip("ab") == "\N{REPLACEMENT CHARACTER}" * 3
    assert second["tags"] == {"what": "<unprintable Stubborn>"}
    assert third["tags"]["truncated_bytes"] > 2**20
    assert capfd.readouterr().err.count("ZeroDivisionError: no text") == 2


def test_bound_fields(folder: Path) -> None:
    def last(log: lb_log.Logger) -> Record:
        log.flush()
        return read_log(Path(log.path))[-1]

    with opened(folder) as log:
        bound = log.bind(workload="w", repetition=3, logger="l", user="u")
        bound.info("m", n=1)
        record = last(log)
        assert (record["workload"], record["repetition"], record["logger"]) == ("w", 3, "l")
        assert record["tags"] == {"user": "u", "n": 1}
        bound.bind(repetition=4, user="v").info("m")
        record = last(log)
        assert (record["workload"], record["repetition"], record["tags"]) == ("w", 4, {"user": "v"})
        with pytest.raises(ValueError, match="repetition"):
            log.bind(repetition=0)


def test_exceptions_are_in_the_record(folder: Path) -> None:
    with opened(folder) as log:
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            log.exception("a", n=1)
            log.warning("b", exc_info=True)
            kept = error
        log.warning("c", exc_info=kept)
        log.warning("d", exc_info=False)
        log.exception("e")
    records = read_log(Path(log.path))
    for record in records[:3]:
        assert record["tags"]["exception"].endswith("ZeroDivisionError: division by zero")
    assert [record.get("tags") for record in records[3:]] == [None, None]
    assert records[0]["tags"]["n"] == 1


def test_openers_of_one_path_share_its_core(folder: Path) -> None:
    with opened(folder) as first:
        with opened(folder, workload="other") as second:
            first.info("a")
            second.info("b")
            assert first.stats()["offered"] == second.stats()["offered"] == 2
        first.info("c")
    assert [(r["message"], r["workload"]) for r in read_log(Path(first.path))] == [
        ("a", "none"),
        ("b", "other"),
        ("c", "none"),
    ]


def test_mistakes_are_named_all_at_once(folder: Path) -> None:
    with pytest.raises(ValueError, match="repetition") as caught:
        lb_log.Logger(componnt="x", repetition=0, host=object(), output_dir=folder)  # type: ignore[arg-type]
    assert "did you mean component?" in str(caught.value)
    assert "argument: host: expected text, a number or a path, found object" in str(caught.value)
    assert not list(folder.iterdir())


def test_a_logger_is_pickled_as_its_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with lb_log.Logger(component="runner", output_dir="out").bind(workload="w", n=1, big=2**63) as log:
        with pickle.loads(pickle.dumps(log)) as again:
            assert again.path == log.path
            again.info("m", k=2)
        assert os.environ["LB_RUN_ID"] == Path(log.path).parents[1].name
    (record,) = read_log(Path(log.path))
    assert (record["workload"], record["tags"]) == ("w", {"n": 1, "big": 2**63, "k": 2})
