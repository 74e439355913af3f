"""A conversation with the far end of one command: its script, its output, its end."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from .result import Status
from .stream import Stream
from .switch import Switch

_CHUNK = 64 * 1024

#: How long what has told its end may take to leave, seconds.
_PARTING_S = 1.0

#: Takes a line of output: "stdout" or "stderr", and its bytes.
Output = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Patience:
    """How long is waited, seconds: for a host that says nothing, for the command, for its end after SIGTERM."""

    answer_s: float
    limit_s: float
    grace_s: float


@dataclass(frozen=True)
class Stops:
    """What ends a command early: `stop` gives it time for it, `abort` does not. None: nothing stops it."""

    stop: Switch | None
    abort: Switch | None


@dataclass(frozen=True)
class Ended:
    """How a command has ended. `group` is what it was run in; None: it has not begun, as far as is known."""

    status: Status
    returncode: int | None
    error: str | None
    group: int | None
    #: Whether the far end has told the end of the command.
    told: bool = True


class Conversation:
    """Talks until the command has ended, or the far end is given up. Nothing is left running on this side."""

    def __init__(self, program: Sequence[str], script: bytes, mark: str, patience: Patience, output: Output) -> None:
        self._patience = patience
        self._output = output
        self._to_say = bytearray(script)
        self._streams = {name: Stream(mark.encode()) for name in ("stdout", "stderr")}
        self._open = set(self._streams)
        # Ctrl-C at the terminal is the controller's to handle: it reaches no session but its own.
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self._selector = selectors.DefaultSelector()
        #: Why it is ended from here, and what is next on that way.
        self._why: Status | None = None
        self._given_up = False
        self._next: Callable[[], bool] = self._is_silent
        self._deadline = time.monotonic() + patience.answer_s
        #: What is to be done as soon as it has begun.
        self._early: Callable[[], object] | None = None

    def hold(self, stops: Stops) -> Ended:
        """Everything, to the end."""
        try:
            self._watch(stops)
            while not self._is_over():
                for key, _ in self._selector.select(max(0.0, self._deadline - time.monotonic())):
                    key.data()
                if time.monotonic() >= self._deadline and not self._is_over() and not self._next():
                    self._given_up = True
                    break
            self._hear_the_rest()
            return self._outcome()
        finally:
            self._leave()

    # --- what wakes it ---

    def _watch(self, stops: Stops) -> None:
        pipes: tuple[tuple[str, IO[bytes] | None], ...] = (
            ("stdout", self._process.stdout),
            ("stderr", self._process.stderr),
        )
        for name, pipe in pipes:
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ, lambda n=name, p=pipe: self._listen(n, p))
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
            self._selector.register(self._process.stdin, selectors.EVENT_WRITE, self._speak)
        for switch, heed in ((stops.stop, self._stop), (stops.abort, self._abort)):
            if switch is not None:
                self._selector.register(switch, selectors.EVENT_READ, lambda s=switch, h=heed: self._heed(s, h))

    def _listen(self, name: str, pipe: IO[bytes]) -> None:
        try:
            chunk = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        stream = self._streams[name]
        for line in stream.take(chunk) if chunk else stream.close():
            self._output(name, line)
        if not chunk:
            self._selector.unregister(pipe)
            self._open.discard(name)
        if self._next == self._is_silent and stream.group is not None:
            self._next, self._deadline = self._is_late, time.monotonic() + self._patience.limit_s
            if self._early is not None:
                self._early()

    def _speak(self) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        with suppress(BlockingIOError):
            try:
                del self._to_say[: os.write(stdin.fileno(), self._to_say)]
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    raise
                # Who hears no more has a reason, which its streams tell.
                self._to_say.clear()
        if not self._to_say:
            self._selector.unregister(stdin)

    def _say(self, word: str) -> None:
        stdin = self._process.stdin
        self._to_say += f"{word}\n".encode()
        if stdin is not None and stdin not in self._selector.get_map():
            self._selector.register(stdin, selectors.EVENT_WRITE, self._speak)

    def _heed(self, switch: Switch, heed: Callable[[], None]) -> None:
        self._selector.unregister(switch)
        if self._next == self._is_silent:
            # The far end hears no word before it has begun.
            self._early = heed
        else:
            heed()

    # --- its course: silent, then running, then told to end, then killed, then given up ---

    def _stop(self) -> None:
        if self._why is None:
            self._end("stopped")

    def _abort(self) -> None:
        self._why = self._why or "stopped"
        self._kill()

    def _end(self, why: Status) -> None:
        self._why = why
        self._say("TERM")
        self._next, self._deadline = self._kill, time.monotonic() + self._patience.grace_s

    def _is_silent(self) -> bool:
        return False

    def _is_late(self) -> bool:
        self._end("timeout")
        return True

    def _kill(self) -> bool:
        self._say("KILL")
        self._next, self._deadline = self._give_up, time.monotonic() + self._patience.answer_s
        return True

    def _give_up(self) -> bool:
        return False

    # --- its end ---

    def _is_told(self) -> bool:
        return all(stream.ended is not None for stream in self._streams.values())

    def _is_over(self) -> bool:
        return self._is_told() or "stdout" not in self._open

    def _hear_the_rest(self) -> None:
        """What stderr still has. A connection that is shared may keep it open for long."""
        deadline = time.monotonic() + _PARTING_S
        while "stderr" in self._open and not self._is_told() and (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                key.data()
        for name in self._open:
            for line in self._streams[name].close():
                self._output(name, line)

    def _outcome(self) -> Ended:
        out, err = self._streams["stdout"], self._streams["stderr"]
        words = err.last_words()
        if out.ended is not None:
            status = self._why or ("failed" if out.ended else "passed")
            because = {
                "failed": f"exit status {out.ended}" + (f": {words}" if words else ""),
                "timeout": f"it was ended after {self._patience.limit_s:g} s, its time limit",
                "stopped": "it was ended because the campaign was stopped",
            }
            return Ended(status, out.ended, because.get(status), out.group)
        if out.group is None:
            silent = f"it said nothing for {self._patience.answer_s:g} s"
            return Ended("unreachable", None, silent if self._given_up else words or "it has ended", None, told=False)
        if self._given_up:
            error = f"it did not end within {self._patience.answer_s:g} s of SIGKILL"
        else:
            error = f"the connection was lost: {words}" if words else "the connection was lost"
        return Ended("unreachable", None, error, out.group, told=False)

    def _leave(self) -> None:
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_PARTING_S if self._is_over() else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
