"""Ctrl-C that is asked twice: the first press warns, a second one within seconds stops."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import FrameType, TracebackType

#: How long the first press counts, seconds.
WINDOW_S = 10.0


class SigintDecision(str, Enum):
    """What is to be done about a Ctrl-C."""

    DELEGATE = "delegate"
    WARN_ARM = "warn_arm"
    REQUEST_STOP = "request_stop"
    IGNORE = "ignore"


class DoubleCtrlCStateMachine:
    """Decides what a Ctrl-C means. The first press counts for `window_s` seconds of `clock`."""

    def __init__(self, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s, self._clock = window_s, clock
        self._armed_at: float | None = None
        self._requested = False
        self._finished = False

    def on_sigint(self, *, run_active: bool) -> SigintDecision:
        """A Ctrl-C came, while a run goes on or not."""
        if not run_active or self._finished:
            return SigintDecision.DELEGATE
        if self._requested:
            return SigintDecision.IGNORE
        now = self._clock()
        if self._armed_at is None or now - self._armed_at > self._window_s:
            self._armed_at = now
            return SigintDecision.WARN_ARM
        self._requested = True
        return SigintDecision.REQUEST_STOP

    def reset_arm(self) -> None:
        """The next press is a first one again, unless the stop was requested."""
        self._armed_at = None

    def mark_finished(self) -> None:
        """The run is over: what comes now is not ours."""
        self._finished = True


class SigintDoublePressHandler:
    """Handles SIGINT while its `with` lasts: `on_first_sigint` at the first press, `on_confirmed_sigint` at the second.

    Installs itself on the main thread only; elsewhere it does nothing. What does not concern a run goes to the handler
    that was there before, which is back when the `with` ends.
    """

    def __init__(
        self,
        *,
        state_machine: DoubleCtrlCStateMachine,
        run_active: Callable[[], bool],
        on_first_sigint: Callable[[], object],
        on_confirmed_sigint: Callable[[], object],
    ) -> None:
        self._machine, self._run_active = state_machine, run_active
        self._on_first, self._on_confirmed = on_first_sigint, on_confirmed_sigint
        self._before: Callable[[int, FrameType | None], object] | int | None = None
        self._installed = False

    def __enter__(self) -> SigintDoublePressHandler:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            # None: a handler that Python does not know.
            signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)
            self._installed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        decision = self._machine.on_sigint(run_active=self._run_active())
        if decision is SigintDecision.WARN_ARM:
            self._on_first()
        elif decision is SigintDecision.REQUEST_STOP:
            self._on_confirmed()
        elif decision is SigintDecision.DELEGATE:
            self._delegate(number, frame)

    def _delegate(self, number: int, frame: FrameType | None) -> None:
        if callable(self._before):
            self._before(number, frame)
        elif self._before != signal.SIG_IGN:
            raise KeyboardInterrupt
