"""The native part of lb_log. `Logger` is public as `lb_log.Logger`; the rest is for lb_log itself."""

from collections.abc import Callable, Mapping
from logging import LogRecord
from types import TracebackType
from typing import Any, final

from typing_extensions import Self, disjoint_base

from lb_log._types import Stats, StrPath

__version__: str

@final
class Core:
    """One opener's part in the core of a log file.

    A core is what a process has open for one path: rings, a writer, and where Loki is enabled a
    shipper. Whoever opens the same path gets the same core, each with an identity of its own. A part
    that is collected as garbage is released.
    """

    @staticmethod
    def open(config: Mapping[str, object] | None = None, *, tolerant: bool = False) -> Core:
        """Opens the log of a configuration, or joins those who have its path open already.

        `config` has the keys of the configuration page, nested or dotted (`"jsonl.rotate_bytes"`);
        None means: not given. What is given wins over `LB_*` variables, which win over the
        configuration file (`"config"` names it), which wins over the defaults. `tolerant`: an `LB_*`
        variable that is no key is no mistake. ValueError with every mistake, each named; OSError where
        a folder or file cannot be used.
        """

    @property
    def path(self) -> str:
        """The log file, absolute."""

    @property
    def identity(self) -> dict[str, Any]:
        """The fields that records of this part have unless they bring their own."""

    @property
    def closed(self) -> bool:
        """Whether this part was closed or released."""

    def context(self, fields: Mapping[str, object]) -> int:
        """The id of a context: the constant fields of many records, encoded once.

        Any of component, host, run_id, logger, event_type, workload, repetition, scenario, package,
        plugin, and tags (a mapping); what is missing is as in this part's identity, None takes
        scenario, package or plugin away. Equal ones have equal ids, also in forked children. They
        are never freed, and 65536 is the most: put what varies into the tags of records. ValueError
        for what the schema does not allow, such as repetition 0.
        """

    def log(
        self,
        context: int,
        level: int | str,
        message: object,
        timestamp_ns: int | None = None,
        tags: dict[str, Any] | None = None,
    ) -> None:
        """Logs one record.

        `context` is an id, 0 for the identity of whoever opened the core first. `level` is a number
        as `logging` has them, or a name; a number between two levels means the lower one.
        `timestamp_ns` is nanoseconds since 1970. Drops and rejections are counted in `stats()`; what
        else goes wrong is told on stderr where `logging.raiseExceptions` is true. ValueError for a
        level that is none.
        """

    def flush(self, timeout: float = 5.0) -> None:
        """Waits until everything that was accepted before the call is in the file, at most `timeout`
        seconds. TimeoutError with what is left and why. Never waits for Loki."""

    def close(self, timeout: float = 5.0) -> None:
        """Gives up this part. Where nobody else has the core, it ends: waits for file and Loki, at
        most `timeout` seconds; TimeoutError with what is left, which stays for the next program.
        Else as `flush`. A second call does nothing."""

    def release(self, linger: float = 5.0, timeout: float = 5.0) -> None:
        """Gives up this part. Waits as `flush` does; where nobody else has the core, it lingers for
        `linger` seconds for the next opener of its path, then ends by itself, or with the interpreter.
        A lingering core never makes a deleted folder anew. A second call does nothing."""

    def ship(self, loki: Mapping[str, object], *, tolerant: bool = False) -> None:
        """Pushes the lines of this log to Loki from now on, also those that are there already; also in
        forked children.

        `loki` has the keys of the block `loki` (`{"endpoint": …, "min_level": …}`); environment and
        file apply below it. Where the log is shipped already, that goes on as it is, and what is asked
        for otherwise is said on stderr, once. `tolerant` as in `open`. ValueError with every mistake.
        """

    @staticmethod
    def opened(component: str | None = None, host: str | None = None, run_id: str | None = None) -> list[Core]:
        """Parts of the cores that are open here, lingering ones too, and were opened with these; None
        stands for any. Each keeps its core open until it is released, closed or collected."""

    def stats(self) -> Stats:
        """One consistent snapshot of the core's accounting."""

@final
class Logger:
    """Logs into a JSONL file that survives the program, and from there to Loki.

    A call copies the record into memory that survives a SIGKILL, and returns. Every argument is
    optional; the environment (`LB_RUN_ID`, `LB_COMPONENT`, …) and the configuration file apply.

    component, host, run_id, workload, repetition, scenario: the identity of its records.
    output_dir: the folder of all runs; the log is `{output_dir}/{run_id}/logs/{component}-{host}.jsonl`.
    config: a configuration file, or a mapping of settings.
    Any other setting by its key: `min_level="INFO"`, `loki={"endpoint": "http://loki:3100"}`.

    ValueError with every mistake, each named; OSError where a folder or file cannot be used.
    """

    def __new__(
        cls,
        *,
        component: str | None = None,
        host: str | None = None,
        run_id: str | None = None,
        workload: str | None = None,
        repetition: int | None = None,
        scenario: str | None = None,
        output_dir: object = None,
        config: object = None,
        **settings: object,
    ) -> Logger: ...
    @property
    def path(self) -> str:
        """The log file, absolute."""

    def trace(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level TRACE. See `log`."""

    def debug(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level DEBUG. See `log`."""

    def info(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level INFO. See `log`."""

    def warning(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level WARNING. See `log`."""

    def error(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level ERROR. See `log`."""

    def critical(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level CRITICAL. See `log`."""

    def exception(self, msg: object, /, **tags: object) -> None:
        """Logs a record of level ERROR; the tag `exception` has the traceback of the exception that is
        handled now."""

    def log(self, level: int | str, msg: object, /, **tags: object) -> None:
        """Logs a record. `level` is a number as `logging` has them, or a name.

        Values of tags are text, whole numbers of 64 bits, floats, booleans and None; larger numbers
        and other objects become their text, nested ones their JSON text, NaN and infinities null.
        `exc_info=True`, or an exception, becomes the tag `exception`. Nothing is ever raised: drops
        are counted in `stats()`, and what else goes wrong is told on stderr where
        `logging.raiseExceptions` is true.
        """

    def bind(self, **fields: object) -> Logger:
        """A logger of the same file whose records bear these fields, too.

        component, host, run_id, logger, event_type, workload, repetition, scenario, package and
        plugin become fields of the record; everything else is a tag. ValueError for a field that
        the schema does not allow.
        """

    def flush(self, timeout: float = 5.0) -> None:
        """Waits until everything that was accepted before the call is in the file, at most `timeout`
        seconds. TimeoutError with what is left and why. Never waits for Loki."""

    def close(self, timeout: float = 5.0) -> None:
        """Ends this logger and those bound from it: waits until everything is in the file and, where
        Loki is configured and answers, in Loki; at most `timeout` seconds, then TimeoutError with what
        is left, which stays for the next program. Where others have the same file open, only for the
        file. A second call does nothing."""

    def stats(self) -> Stats:
        """One consistent snapshot of this process's accounting for the file."""

    def __enter__(self) -> Logger: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
        /,
    ) -> None: ...

@disjoint_base
class HandlerBase:
    """The native half of `lb_log.Handler`."""

    def __new__(cls, *_positional: object, **_named: object) -> Self: ...
    def _open(self, arguments: dict[str, object], fresh: LogRecord, left: list[str], emits_itself: bool) -> Core:
        """Opens the log. `fresh` is a new record, `left` what formatters add to one."""

    def handle(self, record: LogRecord) -> bool:
        """Logs a record that passes the filters."""

    def emit(self, record: LogRecord) -> None:
        """Logs a record."""

def collect(request: Mapping[str, object]) -> Any:
    """Collects the logs of a run. For `lb_log.collect`."""

@final
class Told:
    """What a command has to tell."""

    @property
    def outcome(self) -> int:
        """Its exit status: 0 all done; 1 done in part, or nothing found; 2 nothing done."""

    @property
    def heading(self) -> str | None:
        """A remark before the text."""

    @property
    def text(self) -> str:
        """Data, for people."""

    @property
    def document(self) -> str:
        """Data, as JSON."""

    @property
    def said(self) -> list[tuple[str, str]]:
        """Pairs of a kind (`error`, `warning`, `remark`) and a sentence, to be said behind the data."""

def status(
    run: str,
    *,
    config: StrPath | None = None,
    output_dir: StrPath | None = None,
    loki_endpoint: str | None = None,
) -> Told:
    """Looks at a run's files. ValueError, OSError with what is wrong, here and below."""

def drain(
    folder: StrPath | None = None,
    *,
    config: StrPath | None = None,
    output_dir: StrPath | None = None,
    loki_endpoint: str | None = None,
) -> Told:
    """Moves what dead processes left in their rings into their files."""

def push(
    runs: list[str],
    from_start: bool,
    timeout: float | None,
    goes_on: Callable[[str, int, int, str | None], bool],
    *,
    config: StrPath | None = None,
    output_dir: StrPath | None = None,
    loki_endpoint: str | None = None,
) -> Told:
    """Pushes what Loki has not acknowledged, for at most `timeout` seconds and until `goes_on` (log,
    lines, pending ones, why they are) says no."""

def collect_told(
    run: str,
    sources: list[str],
    *,
    remove_source: bool,
    timeout: float,
    jobs: int,
    dry_run: bool,
    gzip_level: int | None,
    ssh: str | None,
    config: StrPath | None = None,
    output_dir: StrPath | None = None,
    loki_endpoint: str | None = None,
) -> Told:
    """Collects a run's logs. `timeout`: the seconds that a host may be silent; no `gzip_level`: plain
    files."""

def find_logs(runs: list[str], config: StrPath | None, output_dir: StrPath | None) -> tuple[list[list[str]], list[str]]:
    """For each log of some runs the files that hold its records, oldest first; and what could not be
    read."""

def safe(text: str) -> str:
    """Text that cannot steer a terminal."""

def _restore(settings: str, own: str, fields: dict[str, Any]) -> Logger:
    """A logger from its pickle."""

@final
class Seen:
    """Which records are in a file already: the last ones of each thread, by weak references."""

    def expect_several(self) -> None:
        """More than one handler writes to the file: a record may come again as a copy, in another
        thread."""

    def has(self, record: object) -> bool:
        """The record is in the file."""

    def add(self, record: object) -> None:
        """This thread has written the record."""

@final
class Speaker:
    """The way of plain records from a handler of the drop-in into the log."""

    def __new__(cls, core: Core, seen: Seen, contexts: dict[str, int], fresh: object) -> Speaker: ...
    def speak(self, record: object) -> bool:
        """Logs the record, unless its file has it already. False where it has attributes, tracebacks or
        a level of its own, or `contexts` does not know its logger: then nothing was done."""

def resolve_path(template: str, output_dir: str, component: str, host: str, run_id: str) -> str:
    """The path that a template and names come to, in this process. ValueError for a template that is none."""

def check_loki(loki: Mapping[str, object]) -> None:
    """ValueError with every mistake in the block `loki` of a configuration, and in what environment and
    file add to it."""

def line(
    fields: Mapping[str, object], level: int, message: object, timestamp_ns: int, tags: dict[str, Any] | None = None
) -> str:
    """A record's line, without its newline: what a log has for `Core.context(fields)` and `Core.log`."""

def _end() -> None:
    """At the exit of the interpreter."""

def observe(folder: str) -> None:
    """From now on records are kept in memory, and logs that are opened are so below this folder.
    RuntimeError where that is so already."""

def take_observed() -> list[bytes]:
    """The lines since the last call."""

def end_observation() -> None:
    """From now on records are logged again. What was opened meanwhile is closed."""

def _before_fork() -> None:
    """Ends the native threads for a while, within 100 ms."""

def _after_fork() -> None:
    """Lets them go on, in the parent."""
