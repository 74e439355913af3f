"""The controller: runs workloads on hosts, side by side, and brings all logs here.

    from lb_controller.api import Controller, Host, Workload

    controller = Controller(run_id="run-1", hosts=[Host("node1", ssh="root@node1"), Host("here")])
    result = controller.run([Workload("io", run="fio --name=a --size=1g", timeout_s=600)], repetitions=3)
    print(result.ok, result.missing)

Whatever happens, commands that were begun are torn down and logs are collected: a phase that fails, an exception in
`on_event`, Ctrl-C, a host that dies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from .environment import Loki
from .events import Event, OnEvent
from .job import Job, Site
from .plan import Command, Host, Phase, Workload
from .result import (
    Collection,
    Missing,
    PhaseResult,
    RepetitionResult,
    RunResult,
    RunStatus,
    State,
    Status,
)

__all__ = [
    "Collection",
    "Command",
    "Controller",
    "Event",
    "Host",
    "Missing",
    "Phase",
    "PhaseResult",
    "RepetitionResult",
    "RunResult",
    "RunStatus",
    "State",
    "Status",
    "Workload",
]


class Controller:
    """Runs campaigns of one run id. From any thread; one run at a time.

    `run_id` is `LB_RUN_ID`, else `run-YYYYmmdd-HHMMSS`, unless given. `output_dir` is the folder of all runs here
    (`LB_OUTPUT_DIR`, else `benchmark_results`). `loki` is a URL, or the keys of the configuration's block `loki`: the
    controller's own records are pushed there, and the commands on the hosts are told to. `on_event` hears of every
    `Event`, one at a time, on threads of the controller; what it raises is recorded and stops nothing.

    `ssh` is the command that reaches hosts, as a shell reads it (`LB_COLLECT_SSH`, else `ssh`). A host that says
    nothing for `answer_timeout_s` seconds is given up; a command that is ended has `grace_s` seconds from SIGTERM to
    SIGKILL. `collect_each_repetition` fetches the logs behind the run of each repetition, before its teardown, and not
    only at the end. `at_end` is called, on a thread of the controller, when a run has a result. ValueError for what
    cannot be.
    """

    def __init__(
        self,
        run_id: str | None = None,
        hosts: Iterable[Host] = (),
        output_dir: str | os.PathLike[str] | None = None,
        loki: Loki | None = None,
        on_event: OnEvent | None = None,
        *,
        ssh: str | None = None,
        answer_timeout_s: float = 15.0,
        grace_s: float = 5.0,
        collect_each_repetition: bool = True,
        at_end: Callable[[], object] | None = None,
    ) -> None:
        self._site = Site(
            run_id or os.environ.get("LB_RUN_ID") or time.strftime("run-%Y%m%d-%H%M%S", time.gmtime()),
            tuple(hosts),
            Path(output_dir or os.environ.get("LB_OUTPUT_DIR") or "benchmark_results"),
            loki,
            ssh or os.environ.get("LB_COLLECT_SSH") or "ssh",
            float(answer_timeout_s),
            float(grace_s),
            collect_each_repetition,
        )
        _check(self._site)
        self._on_event = on_event
        self._lock = threading.Lock()
        self._at_end = at_end
        self._job: Job | None = None

    @property
    def run_id(self) -> str:
        """The run."""
        return self._site.run_id

    # --- running ---

    def run(self, workloads: Iterable[Workload], repetitions: int = 1) -> RunResult:
        """Runs the workloads in order, each so many times, on all hosts, and returns what came of it.

        Ctrl-C ends what runs, tears down, collects, and returns: the result's `stopped` tells. A second Ctrl-C kills
        what runs, collects no more and raises KeyboardInterrupt. RuntimeError while another run goes on, ValueError
        for a plan that cannot be, and what `lb_log` raises where the log cannot be opened; nothing was begun then.
        """
        try:
            self.start(workloads, repetitions)
            return self._finished()
        except KeyboardInterrupt:
            try:
                self.stop("Ctrl-C")
                return self._finished()
            except KeyboardInterrupt:
                self.abort("Ctrl-C again")
                raise

    def start(self, workloads: Iterable[Workload], repetitions: int = 1) -> None:
        """`run` on a thread of its own; `wait` has its result. Raises as `run` does."""
        plan = tuple(workloads)
        names = [workload.name for workload in plan]
        if not plan or len(set(names)) < len(names):
            raise ValueError(f"workloads: expected some, each with a name of its own, found {names}")
        if isinstance(repetitions, bool) or not isinstance(repetitions, int) or repetitions < 1:
            raise ValueError(f"repetitions: expected a number from 1, found {repetitions!r}")
        with self._lock:
            self._must_be_idle()
            self._job = Job(self._site, self._on_event, plan, repetitions)
            self._job.start(self._at_end)

    def wait(self, timeout_s: float | None = None) -> RunResult | None:
        """The result of the run, when it has ended; None: not within so many seconds, or none was started."""
        job = self._job
        if job is None or not job.done.wait(timeout_s):
            return None
        return job.result

    @property
    def result(self) -> RunResult | None:
        """The result of the last run; None while it goes on."""
        return self.wait(0)

    def stop(self, reason: str = "stop") -> None:
        """Ends the commands that run, and begins no more; teardown and collection follow. Returns at once."""
        job = self._job
        if job is not None and not job.done.is_set() and job.stop.set(reason):
            job.teller.tell(Event("stop_requested", f"stop: {reason}", "WARNING"))

    def abort(self, reason: str = "abort") -> None:
        """Kills whatever runs, teardown too, and collects no more. Returns at once."""
        job = self._job
        if job is not None and not job.done.is_set():
            job.stop.set(reason)
            if job.abort.set(reason):
                job.teller.tell(Event("stop_requested", f"abort: {reason}", "ERROR"))

    @property
    def is_active(self) -> bool:
        """Whether a run goes on."""
        job = self._job
        return job is not None and not job.done.is_set()

    def status(self) -> RunStatus:
        """What is going on now."""
        job = self._job
        return RunStatus() if job is None else job.status()

    # --- afterwards, or for what another controller has left ---

    def collect(self) -> Collection:
        """Fetches the logs of all hosts now. Raises as `run` does where the log cannot be opened."""
        job = Job(self._site, self._on_event, (), 1)
        collection = job.collector.collect()
        return replace(collection, missing=(*collection.missing, *job.close()))

    def teardown(self, workloads: Iterable[Workload]) -> tuple[RepetitionResult, ...]:
        """Runs the teardown of these workloads once on every host: for what a killed controller has left. RuntimeError
        while a run goes on; otherwise raises as `run` does.
        """
        with self._lock:
            self._must_be_idle()
        job = Job(self._site, self._on_event, tuple(workloads), 1)
        job.campaign.teardown()
        job.close()
        return job.campaign.torn_down()

    def __enter__(self) -> Controller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops a run that goes on, and waits for its end."""
        self.stop("the controller is closed")
        self.wait()

    # --- inside ---

    def _must_be_idle(self) -> None:
        if self.is_active:
            raise RuntimeError(f"{self._site.run_id}: a run goes on; wait for its end or stop it")

    def _finished(self) -> RunResult:
        result = self.wait()
        if result is None:
            # Ctrl-C came before anything was begun.
            raise KeyboardInterrupt
        return result


def _check(site: Site) -> None:
    allowed = all(each.isalnum() or each in "._-" for each in site.run_id)
    if not allowed or site.run_id.startswith((".", "-")):
        raise ValueError(f"run_id: expected letters, digits and any of ._- within, found {site.run_id!r}")
    if not site.hosts:
        raise ValueError("hosts: expected at least one Host")
    names = [host.name for host in site.hosts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"hosts: each needs a name of its own, found twice: {', '.join(twice)}")
    for name, value in (("answer_timeout_s", site.answer_s), ("grace_s", site.grace_s)):
        if not 0 < value < 10**6:
            raise ValueError(f"{name}: expected seconds above 0, found {value!r}")
