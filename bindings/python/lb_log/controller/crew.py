"""The hosts at work: one phase of one repetition, on all of them side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .conversation import Ended, Stops
from .environment import Loki, identity, loki_variables
from .events import Event
from .lines import is_record
from .machine import Machine
from .plan import Phase, Workload
from .result import PhaseResult
from .teller import Teller


@dataclass(frozen=True)
class Step:
    """Where in a campaign we are. `total` is how many repetitions the workload has."""

    workload: Workload
    repetition: int
    total: int

    def event(self, event_type: str, message: str, **fields: object) -> Event:
        """An event that belongs here."""
        return Event(event_type, message, workload=self.workload.name, repetition=self.repetition, **fields)  # type: ignore[arg-type]


@dataclass
class Crew:
    """All hosts of a campaign. `begun` names those on which a command of the current repetition has begun."""

    run_id: str
    machines: tuple[Machine, ...]
    loki: Loki | None
    teller: Teller
    begun: set[str] = field(default_factory=set)
    phases: dict[str, Phase | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def phase(
        self, step: Step, phase: Phase, stops: Stops, why_not: Callable[[str], str | None]
    ) -> dict[str, PhaseResult]:
        """One phase on every host, by name; nothing for a workload without such a command. `why_not` tells for a
        host why its command is not begun, if so.
        """
        command = step.workload.command(phase)
        if command is None:
            return {}
        results: dict[str, PhaseResult] = {}

        def work(machine: Machine) -> None:
            reason = why_not(machine.host.name)
            if reason is None:
                results[machine.host.name] = self._run(machine, step, phase, command, stops)
            else:
                results[machine.host.name] = self._skip(machine, step, phase, reason)

        # Daemons, unlike those of an executor: a program that ends without waiting waits for no command.
        threads = [threading.Thread(target=work, args=(machine,), daemon=True) for machine in self.machines]
        try:
            for thread in threads:
                thread.start()
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        return {machine.host.name: results[machine.host.name] for machine in self.machines}

    def _skip(self, machine: Machine, step: Step, phase: Phase, reason: str) -> PhaseResult:
        self.teller.tell(
            step.event(
                "phase_end",
                f"{phase} skipped: {reason}",
                level="WARNING",
                host=machine.host.name,
                phase=phase,
                tags={"outcome": "skipped"},
            )
        )
        return PhaseResult(phase, "skipped", error=reason)

    def _run(self, machine: Machine, step: Step, phase: Phase, command: str, stops: Stops) -> PhaseResult:
        host = machine.host.name
        self._now(host, phase)
        self.teller.tell(step.event("phase_start", f"{phase} starts", host=host, phase=phase))
        start = time.monotonic()
        try:
            ended = machine.execute(
                command,
                self._environment(machine, step, phase),
                step.workload.timeout_s,
                lambda stream, line: self._output(step, host, phase, stream, line),
                stops,
            )
        except Exception as error:
            self.teller.trouble(f"{host}: {phase} of {step.workload.name}: {error!r}", error)
            ended = Ended("failed", None, repr(error), None)
        if ended.group is not None:
            with self._lock:
                self.begun.add(host)
        result = PhaseResult(phase, ended.status, ended.returncode, time.monotonic() - start, ended.error)
        self._tell_end(step, host, result)
        self._now(host, None)
        return result

    def _environment(self, machine: Machine, step: Step, phase: Phase) -> Mapping[str, str]:
        names = identity(self.run_id, machine.host, step.workload, step.repetition, step.total, phase)
        return {**loki_variables(self.loki, machine.host), **names, **step.workload.env}

    def _output(self, step: Step, host: str, phase: Phase, stream: str, line: bytes) -> None:
        if is_record(line):
            return
        level = "INFO" if stream == "stdout" else "WARNING"
        text = line.decode("utf-8", "replace")
        self.teller.tell(step.event("output", text, level=level, host=host, phase=phase, tags={"stream": stream}))

    def _tell_end(self, step: Step, host: str, result: PhaseResult) -> None:
        message = f"{result.phase} {result.status}"
        tags = {"outcome": result.status, "duration_ms": round(result.duration_s * 1000, 3)}
        if result.returncode is not None:
            tags["returncode"] = result.returncode
        if result.error is not None:
            message += f": {result.error}"
        level = "INFO" if result.ok else "WARNING"
        self.teller.tell(step.event("phase_end", message, level=level, host=host, phase=result.phase, tags=tags))
        if result.status == "unreachable":
            text = f"{host} did not answer: {result.error}"
            self.teller.tell(step.event("host_failed", text, level="ERROR", host=host, phase=result.phase))

    def _now(self, host: str, phase: Phase | None) -> None:
        with self._lock:
            self.phases[host] = phase
