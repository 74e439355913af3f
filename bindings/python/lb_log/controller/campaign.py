"""The course of a campaign: workloads in order, each so many times, on all hosts together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .collecting import Collector
from .conversation import Stops
from .crew import Crew, Step
from .plan import PHASES, Phase, Workload
from .result import PhaseResult, RepetitionResult
from .switch import Switch

_NOT_BEGUN = "the campaign was stopped before it began"


@dataclass
class Campaign:
    """One run of workloads. A phase begins when all hosts have ended the one before; a host that fails skips the rest
    of the repetition but its teardown, and tries again in the next one.
    """

    crew: Crew
    collector: Collector
    workloads: Sequence[Workload]
    repetitions: int
    collect_each: bool
    stop: Switch
    abort: Switch
    step: Step | None = None
    _results: dict[tuple[str, str, int], list[PhaseResult]] = field(default_factory=dict)

    def run(self) -> None:
        """All of it, or up to a stop."""
        for workload in self.workloads:
            for repetition in range(1, self.repetitions + 1):
                if self.stop.is_set:
                    return
                self.step = Step(workload, repetition, self.repetitions)
                self._repetition(self.step)
                last = workload is self.workloads[-1] and repetition == self.repetitions
                if workload.cooldown_s and not last:
                    self._cool_down(self.step)

    def teardown(self) -> None:
        """The teardown of every workload, once on every host."""
        for workload in self.workloads:
            step = Step(workload, 1, 1)
            self._phase(step, "teardown", Stops(None, self.abort), lambda _: None)

    def results(self) -> tuple[RepetitionResult, ...]:
        """An entry for each host, workload and repetition, also for those that were not begun."""
        return tuple(
            RepetitionResult(host, workload.name, repetition, self._of(host, workload, repetition))
            for workload in self.workloads
            for repetition in range(1, self.repetitions + 1)
            for host in self._hosts()
        )

    def torn_down(self) -> tuple[RepetitionResult, ...]:
        """What has come of `teardown`."""
        done = self._results.items()
        return tuple(RepetitionResult(*where, tuple(phases)) for where, phases in done if phases)

    def _hosts(self) -> list[str]:
        return [machine.host.name for machine in self.crew.machines]

    def _of(self, host: str, workload: Workload, repetition: int) -> tuple[PhaseResult, ...]:
        phases = self._results.get((host, workload.name, repetition))
        if phases is not None:
            return tuple(phases)
        return tuple(
            PhaseResult(phase, "skipped", error=_NOT_BEGUN)
            for phase in PHASES
            if phase != "collect" and workload.command(phase) is not None
        )

    # --- one repetition ---

    def _repetition(self, step: Step) -> None:
        tell = self.crew.teller.tell
        self.crew.begun.clear()
        for host in self._hosts():
            self._results[host, step.workload.name, step.repetition] = []
        tell(step.event("repetition_start", f"{step.workload.name}: repetition {step.repetition} of {step.total}"))
        start = time.monotonic()
        forward = Stops(self.stop, self.abort)
        for phase in ("setup", "run"):
            self._phase(step, phase, forward, lambda host: self._why_not_on(step, host))
        if self.collect_each and not self.abort.is_set:
            self._collect(step)
        self._phase(step, "teardown", Stops(None, self.abort), self._why_not_down)
        ok = all(each.ok for host in self._hosts() for each in self._so_far(step, host) if each.phase != "collect")
        tags = {"duration_ms": round((time.monotonic() - start) * 1000, 3), "outcome": "passed" if ok else "failed"}
        message = f"{step.workload.name}: repetition {step.repetition} {tags['outcome']}"
        tell(step.event("repetition_end", message, level="INFO" if ok else "WARNING", tags=tags))

    def _phase(self, step: Step, phase: Phase, stops: Stops, why_not: Callable[[str], str | None]) -> None:
        for host, result in self.crew.phase(step, phase, stops, why_not).items():
            self._so_far(step, host).append(result)

    def _so_far(self, step: Step, host: str) -> list[PhaseResult]:
        return self._results.setdefault((host, step.workload.name, step.repetition), [])

    def _why_not_on(self, step: Step, host: str) -> str | None:
        if self.stop.is_set:
            return _NOT_BEGUN
        bad = next((result for result in self._so_far(step, host) if not result.ok), None)
        return None if bad is None else f"{bad.phase}: {bad.status}"

    def _why_not_down(self, host: str) -> str | None:
        if self.abort.is_set:
            return "the campaign was aborted"
        return None if host in self.crew.begun else "nothing was begun there"

    def _collect(self, step: Step) -> None:
        """From the hosts that answer: on the others it would be waited for in vain; the end tries all of them."""
        fetched = [host for host in self._hosts() if self.collector.is_fetched(host)]
        lost = {host for host in fetched if any(each.status == "unreachable" for each in self._so_far(step, host))}
        if not fetched:
            return
        start = time.monotonic()
        collection = self.collector.collect(lost)
        took = time.monotonic() - start
        for host in fetched:
            if host in lost:
                self._so_far(step, host).append(PhaseResult("collect", "skipped", error="the host did not answer"))
                continue
            why = "; ".join(f"{missing.what}: {missing.why}" for missing in collection.missing if missing.host == host)
            result = PhaseResult("collect", "failed" if why else "passed", None, took, why or None)
            self._so_far(step, host).append(result)

    def _cool_down(self, step: Step) -> None:
        seconds = step.workload.cooldown_s
        self.crew.teller.tell(step.event("cooldown_start", f"cooldown of {seconds:g} s"))
        start = time.monotonic()
        cut = self.stop.wait(seconds)
        tags = {"duration_ms": round((time.monotonic() - start) * 1000, 3)}
        self.crew.teller.tell(step.event("cooldown_end", "cooldown cut short" if cut else "cooldown over", tags=tags))
