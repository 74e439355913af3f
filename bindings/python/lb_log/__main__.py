"""`python -m lb_log`: what `lb` does about files, for machines that have only the wheel."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from lb_log import _native

EXAMPLES = """\
Examples:
  python -m lb_log status                     the newest run: its files, and records still in rings
  python -m lb_log drain /data/results        move what dead processes left behind into the files
  python -m lb_log push nightly-7             what Loki does not have yet
  python -m lb_log collect run-1 --from node-1 --from me@node-2:/data/results

Exit status: 0 all done; 1 done in part, or nothing found; 2 error.
Data goes to stdout, everything else to stderr. NO_COLOR is respected. The command `lb` does more."""

STATUS_EXAMPLES = """\
Examples:
  python -m lb_log status
  python -m lb_log status benchmark_results/nightly-7/node-2 --format json"""

DRAIN_EXAMPLES = """\
Examples:
  python -m lb_log drain                      the folder of all runs
  python -m lb_log drain /data/results"""

PUSH_EXAMPLES = """\
Examples:
  python -m lb_log push nightly-7 --loki-endpoint http://loki:3100
  python -m lb_log push nightly-6 nightly-7 --timeout 600"""

COLLECT_EXAMPLES = """\
Examples:
  python -m lb_log collect run-1 --from node-1 --from me@node-2:/data/results
  python -m lb_log collect run-1 --from /mnt/share/benchmark_results --dry-run

The files are <output folder>/run-1/logs/<component>-<host>.jsonl.gz, listed in
<output folder>/run-1/manifest.json with lines, bytes, SHA-256 and what could not be had."""

COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m"}
#: Seconds between two words on how far a push is.
PROGRESS_S = 10.0


class Parser(argparse.ArgumentParser):
    """One that keeps the lines of its examples."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options, allow_abbrev=False)  # type: ignore[arg-type]  # As argparse hands them on.


def common() -> Parser:
    """The flags of every command. They may stand before and behind it: the last one counts."""
    flags = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = flags.add_argument_group("flags of every command")
    group.add_argument(
        "--config",
        metavar="FILE",
        help="configuration file: .toml, .json, .yaml (otherwise $LB_CONFIG, ./lb.toml, ~/.config/lb/config.toml)",
    )
    group.add_argument(
        "--output-dir", metavar="DIR", help="folder of all runs (otherwise as configured; benchmark_results)"
    )
    group.add_argument(
        "--loki-endpoint",
        metavar="URL",
        help="Loki's URL (otherwise as configured); without a path, /loki/api/v1/push",
    )
    group.add_argument("--format", choices=["text", "json"], help="how data is printed (text)")
    group.add_argument("-q", "--quiet", action="store_true", help="errors only, no warnings and no remarks")
    return flags


def parser() -> Parser:
    """The command line."""
    flags = common()
    top = Parser(
        prog="python -m lb_log",
        description="Completes and checks what a benchmark campaign logged.",
        epilog=EXAMPLES,
        parents=[flags],
    )
    top.add_argument("--version", action="version", version=f"lb_log {_native.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, help_text: str, epilog: str) -> Parser:
        return commands.add_parser(name, help=help_text, description=f"{help_text}.", epilog=epilog, parents=[flags])

    status = command("status", "Each file of a run: lines, bytes, last record, records still in rings", STATUS_EXAMPLES)
    status.add_argument("run", metavar="RUN", nargs="?", default="latest", help="a run's id, `latest`, or a path")
    drain = command("drain", "Move what dead processes left in their rings into their files", DRAIN_EXAMPLES)
    drain.add_argument("dir", metavar="DIR", nargs="?", help="the folder below which the logs are")
    push = command("push", "Push to Loki what it has not acknowledged yet", PUSH_EXAMPLES)
    push.add_argument("runs", metavar="RUN|FILE", nargs="+", help="runs' ids, `latest`, or paths")
    push.add_argument("--timeout", type=seconds, metavar="SECONDS", help="give up after so many seconds")
    push.add_argument(
        "--from-start",
        action="store_true",
        help="look everything up, and push what Loki lacks, whatever was acknowledged",
    )
    collect = command("collect", "Fetch the logs of a run: gzipped, checked, listed in manifest.json", COLLECT_EXAMPLES)
    collect.add_argument("run", metavar="RUN", help="the run's id, or `latest`")
    collect.add_argument(
        "--from",
        dest="sources",
        metavar="SOURCE",
        action="append",
        required=True,
        help="a folder of all runs: here, or host:folder, user@host:folder as with scp; a host alone means "
        "benchmark_results in its home (repeatable)",
    )
    collect.add_argument(
        "--remove-source",
        action="store_true",
        help="delete at the source what was collected and verified (hosts need lb for it)",
    )
    collect.add_argument("--timeout", type=seconds, default=60.0, metavar="S", help="seconds a host may be silent (60)")
    collect.add_argument("--jobs", type=positive, default=8, metavar="N", help="sources at once (8)")
    collect.add_argument("--dry-run", action="store_true", help="change nothing; say what would be fetched")
    size = collect.add_mutually_exclusive_group()
    size.add_argument("--no-gzip", action="store_true", help="keep plain files")
    size.add_argument(
        "--gzip-level", type=int, choices=range(1, 10), default=6, metavar="LEVEL", help="1 is fast, 9 is small (6)"
    )
    collect.add_argument(
        "--ssh", metavar="COMMAND", help="the command that reaches hosts (otherwise as configured; ssh)"
    )
    return top


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


class Say:
    """Where words go: data to stdout, everything else to stderr."""

    def __init__(self, quiet: bool, as_json: bool) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def told(self, told: _native.Told) -> int:
        """All that a command has to tell; its exit status."""
        if told.heading and not self.as_json:
            self.line("remark", told.heading)
        sys.stdout.write(told.document + "\n" if self.as_json else told.text)
        sys.stdout.flush()
        for kind, text in told.said:
            self.line(kind, text)
        return told.outcome

    def error(self, text: str) -> None:
        for line in text.splitlines():
            self.line("error", line)

    def line(self, kind: str, text: str) -> None:
        if self.quiet and kind != "error":
            return
        if kind == "remark":
            print(_native.safe(text), file=sys.stderr)
            return
        colour, plain = (COLOURS[kind], "\x1b[0m") if self.coloured else ("", "")
        print(f"{colour}{kind}:{plain} {_native.safe(text)}", file=sys.stderr)


class Push:
    """A push on a thread of its own, so that Ctrl-C is heard at any moment: the first is a wish, the second the end."""

    def __init__(self, arguments: argparse.Namespace, flags: dict[str, str | None], say: Say) -> None:
        self.call: Callable[[], _native.Told] = lambda: _native.push(
            arguments.runs, arguments.from_start, arguments.timeout, self.goes_on, **flags
        )
        self.say = say
        self.wished = False
        self.said = time.monotonic()
        self.result: _native.Told | None = None
        self.failure: BaseException | None = None

    def run(self) -> _native.Told:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.wish)
        worker = threading.Thread(target=self.work, name="push", daemon=True)
        worker.start()
        while worker.is_alive():
            worker.join(0.1)
        if self.result is None:
            raise self.failure or RuntimeError("the push ended without a word")
        return self.result

    def work(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:
            self.failure = error

    def wish(self, number: int, _frame: object) -> None:
        self.wished = True
        signal.signal(number, signal.SIG_DFL)

    def goes_on(self, log: str, lines: int, pending: int, why: str | None) -> bool:
        """Told every tenth of a second how far it is."""
        if time.monotonic() - self.said >= PROGRESS_S:
            self.said = time.monotonic()
            because = f": {why}" if why else ""
            percent = (lines - pending) * 100 // lines if lines else 0
            self.say.line("remark", f"{percent}% {log}: {pending} of {lines} lines to go{because}")
        return not self.wished


def obey(arguments: argparse.Namespace, flags: dict[str, str | None], say: Say) -> _native.Told:
    """Does what was asked."""
    if arguments.command == "push":
        return Push(arguments, flags, say).run()
    # Nothing of the others is in a state that somebody would have to be told of: as `lb`, they just end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if arguments.command == "status":
        return _native.status(arguments.run, **flags)
    if arguments.command == "drain":
        return _native.drain(arguments.dir, **flags)
    return _native.collect_told(
        arguments.run,
        arguments.sources,
        remove_source=arguments.remove_source,
        timeout=arguments.timeout,
        jobs=arguments.jobs,
        dry_run=arguments.dry_run,
        gzip_level=None if arguments.no_gzip else arguments.gzip_level,
        ssh=arguments.ssh,
        **flags,
    )


def main(command_line: Sequence[str] | None = None) -> int:
    """Runs a command line; its exit status."""
    try:
        return run(command_line)
    except BrokenPipeError:
        # Whoever read it has seen enough; nothing more goes there, not even at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(command_line: Sequence[str] | None) -> int:
    """As `main`, with a reader who sees it all."""
    try:
        arguments = parser().parse_args(command_line)
    finally:
        # Help, which ends the program.
        sys.stdout.flush()
    flags = {name: getattr(arguments, name, None) for name in ("config", "output_dir", "loki_endpoint")}
    say = Say(getattr(arguments, "quiet", False), getattr(arguments, "format", "text") == "json")
    try:
        return say.told(obey(arguments, flags, say))
    except BrokenPipeError:
        raise
    except (ValueError, OSError, RuntimeError) as error:
        say.error((isinstance(error, OSError) and error.strerror) or str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
