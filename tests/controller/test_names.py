"""The five names of `async_api`: each fact of their behaviour."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from typing import Any

import pytest
from lb_controller.async_api import (
    ControllerRunner,
    ControllerState,
    ControllerStateMachine,
    DoubleCtrlCStateMachine,
    SigintDoublePressHandler,
)

from support.process import wait_until

VALUES = [
    *("init", "running_global_setup", "running_workloads", "running_global_teardown", "stop_armed"),
    *("stopping_interrupt_setup", "stopping_wait_runners", "stopping_teardown", "stopping_interrupt_teardown"),
    *("finished", "aborted", "stop_failed", "failed"),
]

RUNNING = {"running_global_setup", "running_workloads", "running_global_teardown"}
STOPPING = {"stopping_interrupt_setup", "stopping_wait_runners", "stopping_teardown", "stopping_interrupt_teardown"}
ANYTIME = {"failed", "aborted", "stop_failed"}
FORWARD: dict[str, set[str]] = {
    "init": {*RUNNING, "stop_armed", "finished"},
    "running_global_setup": {
        "running_workloads",
        "running_global_teardown",
        "stop_armed",
        "stopping_interrupt_setup",
    },
    "running_workloads": {"running_global_teardown", "stop_armed", "stopping_wait_runners"},
    "running_global_teardown": {"finished", "stop_armed", "stopping_interrupt_teardown"},
    "stop_armed": STOPPING,
    "stopping_interrupt_setup": {"stopping_teardown"},
    "stopping_wait_runners": {"stopping_teardown"},
}
#: How each state is reached.
ROADS: dict[str, list[str]] = {
    "init": [],
    **{name: [name] for name in (*sorted(RUNNING), "stop_armed", "finished", *sorted(ANYTIME))},
    **{name: ["stop_armed", name] for name in sorted(STOPPING)},
}


def at(name: str) -> ControllerStateMachine:
    """A machine in this state."""
    machine = ControllerStateMachine()
    for step in ROADS[name]:
        machine.transition(ControllerState(step))
    return machine


def test_states_by_value() -> None:
    assert [state.value for state in ControllerState] == VALUES
    assert [state.value for state in ControllerState if at(state.value).is_terminal()] == VALUES[-4:]
    assert {state.value for state in ControllerState if at(state.value).allows_cleanup()} == {"finished", "aborted"}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(VALUES, VALUES)))
def test_every_step(before: str, after: str) -> None:
    machine = at(before)
    if after in FORWARD.get(before, set()) | ANYTIME:
        machine.transition(ControllerState(after), reason="because")
        assert machine.snapshot() == (ControllerState(after), "because")
        assert (machine.state, machine.reason) == machine.snapshot()
    else:
        with pytest.raises(ValueError, match=after):
            machine.transition(ControllerState(after))
        assert machine.state is ControllerState(before)


def test_callbacks_get_state_and_reason_and_their_exceptions_are_swallowed() -> None:
    machine = ControllerStateMachine()
    heard: list[tuple[ControllerState, str | None]] = []

    def bad(*_: object) -> None:
        raise LookupError

    machine.register_callback(bad)
    machine.register_callback(lambda state, reason: heard.append((state, reason)))
    machine.transition(ControllerState.RUNNING_WORKLOADS)
    machine.transition(ControllerState.STOP_ARMED, reason="Ctrl-C")
    assert heard == [(ControllerState.RUNNING_WORKLOADS, None), (ControllerState.STOP_ARMED, "Ctrl-C")]


class Token:
    """As a stop token of existing programs."""

    def __init__(self, *, is_set: bool) -> None:
        self.is_set = is_set

    def should_stop(self) -> bool:
        return self.is_set


def ending(runner: ControllerRunner[Any]) -> tuple[object, BaseException | None, ControllerState]:
    """What a runner says of itself."""
    return runner.result, runner.exception, runner.state


def test_a_runner_runs_once_on_a_daemon_thread() -> None:
    threads: list[threading.Thread] = []
    go = threading.Event()

    def work() -> str:
        threads.append(threading.current_thread())
        go.wait(20)
        return "done"

    seen: list[ControllerState] = []
    runner = ControllerRunner(work, on_state_change=lambda state, _: seen.append(state))
    assert runner.state is ControllerState.INIT
    runner.start()
    runner.start()
    assert runner.wait(timeout=0.01) is None
    assert runner.result is None
    go.set()
    assert runner.wait(timeout=20) == "done"
    assert ending(runner) == ("done", None, ControllerState.FINISHED)
    assert [thread.daemon for thread in threads] == [True]
    assert threads[0] is not threading.current_thread()
    assert seen == [ControllerState.FINISHED]


def test_a_runner_raises_what_its_callable_raised() -> None:
    def work() -> None:
        raise LookupError("gone")

    runner = ControllerRunner(work)
    runner.start()
    with pytest.raises(LookupError, match="gone"):
        runner.wait(20)
    assert isinstance(runner.exception, LookupError)
    assert runner.state is ControllerState.FAILED


@pytest.mark.parametrize("raises", [False, True])
def test_a_runner_whose_token_was_set_is_aborted(raises: bool) -> None:
    machine = ControllerStateMachine()

    def work() -> int:
        machine.transition(ControllerState.RUNNING_WORKLOADS)
        if raises:
            raise LookupError
        return 5

    runner = ControllerRunner(work, Token(is_set=True), None, machine)
    runner.start()
    if raises:
        with pytest.raises(LookupError):
            runner.wait(20)
    else:
        assert runner.wait(20) == 5
    assert runner.state is machine.state is ControllerState.ABORTED


@pytest.mark.parametrize("last", ["running_global_setup", "running_workloads", "running_global_teardown", "finished"])
def test_a_runner_finishes_from_wherever_its_callable_has_left_it(last: str) -> None:
    machine = ControllerStateMachine()
    runner = ControllerRunner(
        lambda: machine.transition(ControllerState(last)), Token(is_set=False), state_machine=machine
    )
    runner.start()
    runner.wait(20)
    assert runner.state is ControllerState.FINISHED


def test_arm_stop_never_raises() -> None:
    go = threading.Event()
    runner = ControllerRunner(lambda: go.wait(20))
    runner.start()
    runner.arm_stop(reason="Ctrl-C")
    assert ending(runner) == (None, None, ControllerState.STOP_ARMED)
    runner.arm_stop("again")
    go.set()
    runner.wait(20)
    runner.arm_stop()
    assert ending(runner) == (True, None, ControllerState.ABORTED)


def test_two_presses() -> None:
    now = 0.0
    machine = DoubleCtrlCStateMachine(clock=lambda: now)
    assert machine.on_sigint(run_active=False).value == "delegate"
    assert machine.on_sigint(run_active=True).value == "warn_arm"
    now = 10.5
    # The first one is too long ago.
    assert machine.on_sigint(run_active=True).value == "warn_arm"
    machine.reset_arm()
    assert machine.on_sigint(run_active=True).value == "warn_arm"
    now = 20.0
    assert machine.on_sigint(run_active=True).value == "request_stop"
    assert machine.on_sigint(run_active=True).value == "ignore"
    machine.reset_arm()
    assert machine.on_sigint(run_active=True).value == "ignore"
    machine.mark_finished()
    assert machine.on_sigint(run_active=True).value == "delegate"


def test_the_handler_of_presses() -> None:
    said: list[str] = []
    active = True
    machine = DoubleCtrlCStateMachine()
    handler = SigintDoublePressHandler(
        state_machine=machine,
        run_active=lambda: active,
        on_first_sigint=lambda: said.append("first"),
        on_confirmed_sigint=lambda: said.append("confirmed"),
    )
    before = signal.signal(signal.SIGINT, lambda *_: said.append("mine"))
    try:
        mine = signal.getsignal(signal.SIGINT)
        with handler:
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGINT)
            assert said == ["first", "confirmed"]
            active = False
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(lambda: said[-1] == "mine", 5, "the old handler was called")
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_handler_is_nothing_on_another_thread() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def work() -> None:
        with SigintDoublePressHandler(
            state_machine=DoubleCtrlCStateMachine(),
            run_active=lambda: True,
            on_first_sigint=lambda: None,
            on_confirmed_sigint=lambda: None,
        ):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
    assert signal.getsignal(signal.SIGINT) is before
