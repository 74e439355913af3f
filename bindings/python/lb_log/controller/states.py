"""The states of a controller, and the steps between them that are allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum


class ControllerState(str, Enum):
    """Where a controller is. `finished`, `aborted`, `stop_failed` and `failed` are ends."""

    INIT = "init"
    RUNNING_GLOBAL_SETUP = "running_global_setup"
    RUNNING_WORKLOADS = "running_workloads"
    RUNNING_GLOBAL_TEARDOWN = "running_global_teardown"
    STOP_ARMED = "stop_armed"
    STOPPING_INTERRUPT_SETUP = "stopping_interrupt_setup"
    STOPPING_WAIT_RUNNERS = "stopping_wait_runners"
    STOPPING_TEARDOWN = "stopping_teardown"
    STOPPING_INTERRUPT_TEARDOWN = "stopping_interrupt_teardown"
    FINISHED = "finished"
    ABORTED = "aborted"
    STOP_FAILED = "stop_failed"
    FAILED = "failed"


_S = ControllerState

_TERMINAL = frozenset({_S.FINISHED, _S.ABORTED, _S.STOP_FAILED, _S.FAILED})

#: May be entered from anywhere.
_ALWAYS = frozenset({_S.ABORTED, _S.STOP_FAILED, _S.FAILED})

_RUNNING = frozenset({_S.RUNNING_GLOBAL_SETUP, _S.RUNNING_WORKLOADS, _S.RUNNING_GLOBAL_TEARDOWN})

_STOPPING = frozenset(
    {
        _S.STOPPING_INTERRUPT_SETUP,
        _S.STOPPING_WAIT_RUNNERS,
        _S.STOPPING_TEARDOWN,
        _S.STOPPING_INTERRUPT_TEARDOWN,
    }
)

_NEXT: dict[ControllerState, frozenset[ControllerState]] = {
    _S.INIT: _RUNNING | {_S.STOP_ARMED, _S.FINISHED},
    _S.RUNNING_GLOBAL_SETUP: frozenset(
        {_S.RUNNING_WORKLOADS, _S.RUNNING_GLOBAL_TEARDOWN, _S.STOP_ARMED, _S.STOPPING_INTERRUPT_SETUP}
    ),
    _S.RUNNING_WORKLOADS: frozenset({_S.RUNNING_GLOBAL_TEARDOWN, _S.STOP_ARMED, _S.STOPPING_WAIT_RUNNERS}),
    _S.RUNNING_GLOBAL_TEARDOWN: frozenset({_S.FINISHED, _S.STOP_ARMED, _S.STOPPING_INTERRUPT_TEARDOWN}),
    _S.STOP_ARMED: _STOPPING,
    _S.STOPPING_INTERRUPT_SETUP: frozenset({_S.STOPPING_TEARDOWN}),
    _S.STOPPING_WAIT_RUNNERS: frozenset({_S.STOPPING_TEARDOWN}),
}

#: Hears of each new state, and why it was entered.
StateCallback = Callable[[ControllerState, str | None], object]


class ControllerStateMachine:
    """Keeps the state of a controller. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._state = ControllerState.INIT
        self._reason: str | None = None
        self._callbacks: list[StateCallback] = []

    @property
    def state(self) -> ControllerState:
        """The state now."""
        return self._state

    @property
    def reason(self) -> str | None:
        """Why it was entered, where somebody said so."""
        return self._reason

    def snapshot(self) -> tuple[ControllerState, str | None]:
        """State and reason, of one moment."""
        with self._lock:
            return self._state, self._reason

    def is_terminal(self) -> bool:
        """Whether this is an end."""
        return self._state in _TERMINAL

    def allows_cleanup(self) -> bool:
        """Whether what the run has left may be deleted: it has finished, or was aborted in order."""
        return self._state in (ControllerState.FINISHED, ControllerState.ABORTED)

    def register_callback(self, callback: StateCallback) -> None:
        """Calls it at each step from now on, on the thread that takes the step. What it raises is swallowed."""
        with self._lock:
            self._callbacks.append(callback)

    def transition(self, state: ControllerState, reason: str | None = None) -> ControllerState:
        """Enters a state, and returns it. ValueError for a step that is not allowed."""
        with self._lock:
            if state not in _ALWAYS and state not in _NEXT.get(self._state, frozenset()):
                raise ValueError(f"a controller that is {self._state.value} does not become {state.value}")
            self._state, self._reason = state, reason
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            with suppress(Exception):
                callback(state, reason)
        return state
