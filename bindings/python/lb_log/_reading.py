"""The records of runs, read back from their files."""

from __future__ import annotations

import datetime
import gzip
import heapq
import importlib
import json
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypedDict, cast

from lb_log import _native

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped, unused-ignore]  # It may be there, with stubs or without.

__all__ = ["Moment", "ReadWarning", "Record", "Records", "Wanted", "read"]

#: One value, or several of which a record has one.
Wanted: TypeAlias = "str | Iterable[str] | None"
#: A time: aware or in UTC, or its text (`2026-11-22`, `2026-11-22T14:03:20.5`, with or without an offset).
Moment: TypeAlias = "datetime.datetime | str | None"

LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: What a line of ours begins with; its time and level have their places in it.
BEGINNING = b'{"timestamp":"'
STAMP = slice(len(BEGINNING), len(BEGINNING) + len("2026-11-22T10:11:12.123456789Z"))


class ReadWarning(UserWarning):
    """Something of a run's files could not be read."""


class _Always(TypedDict):
    timestamp: str
    level: str
    component: str
    host: str
    run_id: str
    logger: str
    message: str
    event_type: str
    workload: str
    repetition: int


class Record(_Always, total=False):
    """A record as `schema/record.schema.json` has it."""

    scenario: str
    package: str
    plugin: str
    tags: dict[str, str | int | float | bool | None]


class Filter:
    """What a record must be like. Most lines are told by their bytes, before they are parsed."""

    def __init__(self, level: str | None, since: Moment, until: Moment, fields: dict[str, Wanted | int]) -> None:
        self.levels = LEVELS[rank(level) :] if level is not None else ()
        self.since = moment("since", since)
        self.until = moment("until", until)
        if self.since and self.until and self.since > self.until:
            raise ValueError("since is later than until: no record can be between them")
        self.fields = {name: values(name, wanted) for name, wanted in fields.items() if wanted is not None}
        self.level_marks = tuple(f'","level":"{name}"'.encode() for name in self.levels)
        self.marks = [
            [f'"{name}":{json.dumps(value, ensure_ascii=False)}'.encode() for value in wanted]
            for name, wanted in self.fields.items()
        ]

        self.looks_at_bytes = bool(self.since or self.until or self.fields or self.levels)

    def may_pass(self, line: bytes) -> bool:
        """Whether it is worth while to parse a line of ours."""
        if self.since or self.until:
            stamp = line[STAMP].decode("ascii", "replace")
            if (self.since and stamp < self.since) or (self.until and stamp > self.until):
                return False
        if self.levels and not line.startswith(self.level_marks, STAMP.stop):
            return False
        return all(any(mark in line for mark in marks) for marks in self.marks)

    def passes(self, record: Record) -> bool:
        if self.levels and record["level"] not in self.levels:
            return False
        for name, wanted in self.fields.items():
            held = record.get("tags", {}).get("phase") if name == "phase" else record.get(name)
            if held not in wanted:
                return False
        return True


def rank(level: object) -> int:
    if isinstance(level, str) and level.upper() in LEVELS:
        return LEVELS.index(level.upper())
    raise ValueError(f"level: {level!r} is none; there are {', '.join(LEVELS)}")


def values(name: str, wanted: object) -> list[str | int]:
    """One value or several."""
    kind = int if name == "repetition" else str
    several = [wanted] if isinstance(wanted, (str, int)) else list(wanted) if isinstance(wanted, Iterable) else None
    if several is None or not all(isinstance(value, kind) and not isinstance(value, bool) for value in several):
        raise ValueError(f"{name}: expected {kind.__name__} or several of them, not {wanted!r}")
    return several


def moment(name: str, value: Moment) -> str:
    """A time as records have it; empty where there is none."""
    if value is None:
        return ""
    nanoseconds = None
    if isinstance(value, str):
        # What the standard library reads has six digits at most.
        head, dot, rest = value.replace(" ", "T", 1).replace("Z", "+00:00", 1).partition(".")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        try:
            value = datetime.datetime.fromisoformat(head + rest[len(digits) :])
        except ValueError:
            raise ValueError(f"{name}: {value!r} is no time; 2026-11-22T14:03:20 is one, in UTC") from None
        nanoseconds = f"{digits:0<9.9}" if dot else None
    if not isinstance(value, datetime.datetime):
        raise ValueError(f"{name}: expected a datetime or its text, not {value!r}")
    aware = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    utc = aware.astimezone(datetime.timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{nanoseconds or f'{utc.microsecond:06}000'}Z"


class Records(Iterator[Record]):
    """The records of some files, one after the other. Memory stays flat, however large the files are."""

    #: What could not be read, sentence by sentence; complete behind the last record.
    problems: list[str]

    def __init__(self, logs: list[list[str]], problems: list[str], wanted: Filter) -> None:
        self.problems = []
        self._wanted = wanted
        self._parse = _parser()
        for problem in problems:
            self._warn(problem)
        streams = [self._log(files) for files in logs]
        self._records = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_timestamp)

    def __iter__(self) -> Records:
        return self

    def __next__(self) -> Record:
        return next(self._records)

    def to_pandas(self) -> pandas.DataFrame:
        """All records that are left, as a table: a row each, `timestamp` as time in UTC, a column `tags.<name>` for
        each tag. It holds them all in memory.

        Raises ImportError where pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from error
        table = pandas.DataFrame([_flat(record) for record in self])
        if "timestamp" in table:
            table["timestamp"] = pandas.to_datetime(table["timestamp"], format="ISO8601", utc=True)
        return table

    def _warn(self, problem: str) -> None:
        self.problems.append(problem)
        warnings.warn(problem, ReadWarning, stacklevel=_reader())

    def _log(self, files: list[str]) -> Iterator[Record]:
        for path in files:
            yield from self._file(path)

    def _file(self, path: str) -> Iterator[Record]:
        try:
            with _open(path) as lines:
                yield from self._lines(path, lines)
        except FileNotFoundError:
            self._warn(f"{path}: is gone; it was rotated away, deleted or collected meanwhile")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._warn(f"{path}: is cut or damaged; what follows in it is missing")
        except OSError as error:
            self._warn(f"{path}: cannot be read: {error.strerror or error}; what follows in it is missing")

    def _lines(self, path: str, lines: IO[bytes]) -> Iterator[Record]:
        wanted, parse, broken = self._wanted, self._parse, 0
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break  # It is being written, or was cut.
            if wanted.looks_at_bytes and line.startswith(BEGINNING) and not wanted.may_pass(line):
                continue
            record = _record(parse, line)
            if record is None:
                broken += 1
                if broken == 1:
                    self._warn(f"{path}: line {number} is no record")
            elif wanted.passes(record):
                yield record
        if broken > 1:
            self._warn(f"{path}: {broken} lines are no records")


def _reader() -> int:
    """How far up the stack of `_warn` the one stands who reads; generators and `heapq` are between."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__") in (__name__, heapq.__name__):
        level, frame = level + 1, frame.f_back
    return level


def _parser() -> Callable[[bytes], Any]:
    """The fastest that is there."""
    try:
        parse: Callable[[bytes], Any] = importlib.import_module("orjson").loads
    except ImportError:
        return json.loads
    return parse


def _record(parse: Callable[[bytes], Any], line: bytes) -> Record | None:
    try:
        record = parse(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not all(name in record for name in _Always.__required_keys__):
        return None
    return record  # type: ignore[return-value]  # Its types are the schema's, or its writer was none of ours.


def _open(path: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.endswith(".gz") else Path(path).open("rb", buffering=1 << 18)


def _timestamp(record: Record) -> str:
    return record["timestamp"]


def _flat(record: Record) -> dict[str, object]:
    row: dict[str, object] = dict(record)
    tags = row.pop("tags", {})
    if isinstance(tags, dict):
        row.update((f"tags.{name}", value) for name, value in tags.items())
    return row


def read(
    *runs: str | os.PathLike[str],
    level: str | None = None,
    component: Wanted = None,
    host: Wanted = None,
    workload: Wanted = None,
    repetition: int | Iterable[int] | None = None,
    scenario: Wanted = None,
    event_type: Wanted = None,
    logger: Wanted = None,
    phase: Wanted = None,
    since: Moment = None,
    until: Moment = None,
    output_dir: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Records:
    """Read the records of runs: an iterator of dicts.

    >>> for record in lb_log.read("nightly-7", level="warning", workload=["cpu", "disk"]):
    ...     print(record["timestamp"], record["message"])

    `runs` are run ids, `latest`, or paths of folders and log files; none means `latest`. Ids are looked for in
    `output_dir`, else where `config` (a file), the environment or `lb.toml` say. Plain, rotated and gzipped files are
    read, lines that Loki has refused are not read twice. Each log is read in its own order; several are merged by time.
    Within one log the order of time is approximate: threads, other processes and recovered records may come late.
    `sorted(..., key=lambda record: record["timestamp"])` is exact.

    `level` is a least level; `since` and `until` are inclusive; the other filters take one value or several.
    What cannot be read (a cut gzip, a line that is no record) is named by a `ReadWarning` and in `problems`, and the
    rest is read.

    Raises ValueError for a filter that means nothing and for a run that is not there, OSError for a path that cannot
    be read.
    """
    fields: dict[str, Wanted | int] = {
        "component": component,
        "host": host,
        "workload": workload,
        "repetition": repetition,  # type: ignore[dict-item]  # Told apart by its name.
        "scenario": scenario,
        "event_type": event_type,
        "logger": logger,
        "phase": phase,
    }
    wanted = Filter(level, since, until, fields)
    logs, problems = _native.find_logs([os.fspath(run) for run in runs] or ["latest"], config, output_dir)
    return Records(logs, problems, wanted)
