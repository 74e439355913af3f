"""Runs a callable as a controller: on a thread, with the states of `states`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from .states import ControllerState, ControllerStateMachine, StateCallback

T = TypeVar("T")


class StopToken(Protocol):
    """What tells that somebody wants an end."""

    def should_stop(self) -> bool:
        """Whether it was set."""


class ControllerRunner(Generic[T]):
    """Runs `run_callable` once, on a daemon thread. It ends in `finished` or `failed`, in `aborted` when `stop_token`
    was set. `on_state_change` hears of each state and its reason.
    """

    def __init__(
        self,
        run_callable: Callable[[], T],
        stop_token: StopToken | None = None,
        on_state_change: StateCallback | None = None,
        state_machine: ControllerStateMachine | None = None,
    ) -> None:
        self._callable, self._token = run_callable, stop_token
        self._machine = state_machine or ControllerStateMachine()
        if on_state_change is not None:
            self._machine.register_callback(on_state_change)
        self._result: T | None = None
        self._exception: BaseException | None = None
        self._lock = threading.Lock()
        self._started = False
        self._done = threading.Event()

    @property
    def state(self) -> ControllerState:
        """The state now."""
        return self._machine.state

    @property
    def result(self) -> T | None:
        """What the callable has returned."""
        return self._result

    @property
    def exception(self) -> BaseException | None:
        """What the callable has raised."""
        return self._exception

    def start(self) -> None:
        """Starts the thread; a second call does nothing."""
        with self._lock:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._work, name="lb-controller-runner", daemon=True).start()

    def wait(self, timeout: float | None = None) -> T | None:
        """The result, or what the callable has raised; None when it takes longer than so many seconds."""
        if not self._done.wait(timeout):
            return None
        if self._exception is not None:
            raise self._exception
        return self._result

    def arm_stop(self, reason: str | None = None) -> None:
        """A stop is on its way: the state becomes `stop_armed` where that is a step. Never raises."""
        with suppress(Exception):
            self._machine.transition(ControllerState.STOP_ARMED, reason=reason)

    def _work(self) -> None:
        try:
            self._result = self._callable()
        except BaseException as error:
            self._exception = error
        try:
            self._close()
        finally:
            self._done.set()

    def _close(self) -> None:
        if self._token is not None and self._token.should_stop():
            self._enter(ControllerState.ABORTED, "stopped")
        elif self._exception is not None:
            self._enter(ControllerState.FAILED, str(self._exception) or repr(self._exception))
        else:
            self._finish()

    def _finish(self) -> None:
        """Through the steps that a callable has left out."""
        for state in (ControllerState.FINISHED, ControllerState.RUNNING_GLOBAL_TEARDOWN, ControllerState.FINISHED):
            with suppress(ValueError):
                self._enter(state, None)
        # On the way of a stop there is no other end.
        if not self._machine.is_terminal():
            self._enter(ControllerState.ABORTED, "stopped")

    def _enter(self, state: ControllerState, reason: str | None) -> None:
        if not self._machine.is_terminal():
            self._machine.transition(state, reason=reason)
