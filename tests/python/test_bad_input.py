"""Whatever a program hands to a logger or a handler: one record each, in schema, and nothing raised into it."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import lb_log
import pytest

from support.process import clean_environment
from support.python import package_environment, python_command
from support.records import Record, read_log

pytestmark = pytest.mark.usefixtures("no_settings")


class Stubborn:
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Odd(str):
    """A text that lies."""

    __slots__ = ()

    def __str__(self) -> str:
        return "odd"


class Broken(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")

    __iter__ = items


CYCLE: list[Any] = [1]
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

VALUES: dict[str, tuple[Any, Any]] = {
    "nan": (float("nan"), None),
    "infinity": (float("-inf"), None),
    "big": (2**80, str(2**80)),
    "bigger": (2**63, 2**63),
    "small": (-(2**63), -(2**63)),
    "smaller": (-(2**63) - 1, str(-(2**63) - 1)),
    "surrogate": ("a\ud800b", None),
    "nul": ("\0", "\0"),
    "bytes": (b"\xff", None),
    "path": (Path("/a/b"), "/a/b"),
    "decimal": (Decimal("1.50"), "1.50"),
    "nested": ({"a": [1, None, {"b": 1.5}]}, '{"a":[1,null,{"b":1.5}]}'),
    "tuple": ((1, "x"), '[1,"x"]'),
    "set": ({1}, None),
    "cycle": (CYCLE, None),
    "deep": (DEEP, None),
    "broken": (Broken(a=1), None),
    "stubborn": (Stubborn(), None),
    "class": (Stubborn, None),
    "odd": (Odd("even"), None),
    "bool": (True, True),
    "large": ("x" * (1 << 20), None),
}


@pytest.fixture
def logger(folder: Path) -> Iterator[lb_log.Logger]:
    with lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder) as logger:
        yield logger


def records(logger: lb_log.Logger) -> list[Record]:
    logger.flush()
    return read_log(Path(logger.path))


@pytest.mark.parametrize("name", VALUES)
def test_a_tag_of_any_value(name: str, logger: lb_log.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    value, expected = VALUES[name]
    logger.info("given", value=value, good=1)
    logger.bind(value=value).info("bound", good=1)
    given = records(logger)[0]
    assert given["message"] == "given"
    if name == "large":
        assert given["tags"]["truncated_bytes"] > 0
        return
    assert given["tags"]["good"] == 1
    if expected is not None:
        assert (given["tags"]["value"], type(given["tags"]["value"])) == (expected, type(expected))
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", VALUES)
def test_a_message_of_any_type(name: str, logger: lb_log.Logger) -> None:
    value = VALUES[name][0]
    logger.info(value)
    logger.log(20, value)
    logger.error("good")
    found = records(logger)
    assert found[-1]["message"] == "good"
    assert len(found) == 3


def test_keys_of_any_kind(logger: lb_log.Logger) -> None:
    logger.info("a", **{"k" * (1 << 20): 1, "good": 1})
    logger.info("b", **{"": 1, "\0": 2, "\ud800": 3, "phase": "run", "level": "x", "message": "y", "exc_info": None})
    logger.info("c", msg="m", level=3, self=4, cls=5)
    first, second, third = records(logger)
    assert first["tags"]["truncated_bytes"] >= 1 << 20
    assert {"": 1, "\0": 2, "phase": "run", "level": "x", "message": "y"}.items() <= second["tags"].items()
    assert third["tags"] == {"msg": "m", "level": 3, "self": 4, "cls": 5}


@pytest.mark.parametrize("level", ["loud", None, 3.5, [], Stubborn(), 2**80, -5, 10**6])
def test_levels_of_any_kind(level: Any, logger: lb_log.Logger) -> None:
    logger.log(level, "first")
    logger.info("good")
    assert records(logger)[-1]["message"] == "good"


def test_exc_info_of_any_kind(logger: lb_log.Logger) -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    for info in (True, False, None, 1, "x", (), (1, 2, 3), (None, None, None), UnprintableError(), Stubborn()):
        logger.error("e", exc_info=info)
    try:
        raise UnprintableError
    except UnprintableError:
        logger.exception("e")
    logger.info("good")
    found = records(logger)
    assert [record["message"] for record in found] == ["e"] * 11 + ["good"]
    assert "UnprintableError" in found[-2]["tags"]["exception"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"component": 7}, "component"),
        ({"component": ""}, "component"),
        ({"host": ["h"]}, "host"),
        ({"repetition": 0}, "repetition"),
        ({"repetition": -1}, "repetition"),
        ({"repetition": "two"}, "repetition"),
        ({"repetition": 1.5}, "repetition"),
        ({"repetition": 2**80}, "repetition"),
        ({"workload": object()}, "workload"),
        ({"output_dir": 3}, "output_dir"),
        ({"output_dir": "a\0b"}, "output_dir"),
        ({"componentt": "c"}, "component"),
        ({"config": {"rings_bytes": 1}}, "ring_bytes"),
        ({"config": {"ring_bytes": "many"}}, "ring_bytes"),
        ({"config": 7}, "config"),
        ({"config": CYCLE}, "config"),
        ({"config": {1: 2}}, "1"),
        ({"config": "/nonexistent.toml"}, "/nonexistent.toml"),
        ({"loki": {"endpoint": "ftp://x"}}, "loki.endpoint"),
        ({"min_level": "LOUD"}, "min_level"),
        ({"on_full": "explode"}, "on_full"),
    ],
)
@pytest.mark.parametrize("kind", ["Logger", "Handler"])
def test_wrong_construction_names_the_argument(kind: str, arguments: dict[str, Any], named: str, folder: Path) -> None:
    make: Callable[..., Any] = getattr(lb_log, kind)
    with pytest.raises(ValueError) as raised:
        make(**{"output_dir": folder, **arguments})
    assert named in str(raised.value)
    assert not any(folder.iterdir()), "nothing was made"


def test_all_mistakes_at_once(folder: Path) -> None:
    with pytest.raises(ValueError) as raised:
        lb_log.Logger(repetition=0, min_level="LOUD", output_dir=folder, ring_bytes=-1)
    for name in ("repetition", "min_level", "ring_bytes"):
        assert name in str(raised.value)


def test_arguments_are_named_only() -> None:
    with pytest.raises(TypeError):
        lb_log.Logger("runner")  # type: ignore[call-arg]  # That is the point.


# ---- the handler


@pytest.fixture
def standard(folder: Path) -> Iterator[tuple[logging.Logger, lb_log.Handler]]:
    handler = lb_log.Handler(component="c", host="h", run_id="r", output_dir=folder)
    # Of no family: pytest's own handler does raise.
    logger = logging.Logger("bad input", level=1)
    logger.addHandler(handler)
    yield logger, handler
    logger.removeHandler(handler)
    handler.close()


Standard = tuple[logging.Logger, lb_log.Handler]


def handled(folder: Path, handler: lb_log.Handler) -> list[Record]:
    handler.flush()
    return read_log(folder / "r" / "logs" / "c-h.jsonl")


def test_arguments_that_do_not_fit(standard: Standard, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger, handler = standard
    logger.info("%d apples", "many")
    logger.info("%s %s", 1)
    logger.info("no place", 1)
    logger.info("%(name)s", {"other": 1})
    logger.info("%s", Stubborn())
    logger.info("good %d", 1)
    assert handled(folder, handler)[-1]["message"] == "good 1"
    said = capsys.readouterr().err
    assert said.count("--- Logging error ---") == 5
    assert "'%d apples'" in said


def test_raise_exceptions_is_honoured(
    standard: Standard, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, handler = standard
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("%d apples", "many")
    logger.info(Stubborn(), extra={"tag": Stubborn()})
    native = lb_log.Logger(component="c", host="h", run_id="r", output_dir=folder)
    native.info(Stubborn(), tag=Stubborn())
    native.log("loud", "m")
    native.close()
    native.info("late")
    handler.flush()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", VALUES)
def test_extra_of_any_value(name: str, standard: Standard, folder: Path) -> None:
    logger, handler = standard
    value, expected = VALUES[name]
    logger.info("given", extra={"value": value, "good": 1})
    logger.info("good")
    first, last = handled(folder, handler)
    assert (first["message"], last["message"]) == ("given", "good")
    if expected is not None:
        assert first["tags"]["value"] == expected


def test_records_made_by_hand(standard: Standard, folder: Path) -> None:
    _, handler = standard
    for changes in (
        {"created": float("nan")},
        {"created": -5.0},
        {"created": 1e300},
        {"created": None},
        {"levelno": None},
        {"levelno": "ERROR"},
        {"name": None},
        {"name": Stubborn()},
        {"msg": None},
        {"args": 3},
        {"exc_info": (1, 2, 3)},
        {"exc_text": 5},
        {"stack_info": 5},
    ):
        record = logging.LogRecord("n", 20, "p", 1, "m", None, None)
        record.__dict__.update(changes)
        handler.handle(record)
    handler.handle(logging.LogRecord("n", 20, "p", 1, "good", None, None))
    assert handled(folder, handler)[-1]["message"] == "good"


def test_keyboard_interrupt_is_no_error_of_logging(standard: Standard) -> None:
    class Interrupting:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    logger, _ = standard
    with pytest.raises(KeyboardInterrupt):
        logger.info("%s", Interrupting())


LOGS_WITHIN = """
import logging, sys, json, lb_log
logger = lb_log.Logger(**json.loads(sys.argv[1]))
standard = logging.getLogger("within")
standard.propagate = False
standard.addHandler(lb_log.Handler(**json.loads(sys.argv[1])))
class Logs:
    def __str__(self):
        logger.info("within")
        standard.warning("within")
        return "text"
logger.info("outside", tag=Logs())
logger.info(Logs())
standard.warning("%s", Logs())
"""


def test_a_text_that_logs_while_it_is_made(folder: Path) -> None:
    config = json.dumps({"component": "c", "host": "h", "run_id": "r", "output_dir": str(folder)})
    done = subprocess.run(
        [*python_command(), "-c", LOGS_WITHIN, config],
        env=clean_environment(package_environment()),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    messages = [record["message"] for record in read_log(folder / "r" / "logs" / "c-h.jsonl")]
    assert sorted(messages) == ["outside", "text", "text"] + ["within"] * 6
