"""What came of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .plan import Phase

#: passed: exit status 0. failed: another one, or no start. timeout: ended after `timeout_s`. stopped: ended because the
#: campaign was. unreachable: the host did not answer, or not any more. skipped: not begun; `error` tells why.
Status = Literal["passed", "failed", "timeout", "stopped", "unreachable", "skipped"]

#: What a controller is doing.
State = Literal["idle", "running", "stopping", "collecting", "finished"]


@dataclass(frozen=True)
class PhaseResult:
    """What came of one command on one host.

    `returncode` is its exit status (128 + number for a signal, as a shell counts); None where it has none. `duration_s`
    is measured here, seconds, with the connection. `error` says what went wrong and what to do.
    """

    phase: Phase
    status: Status
    returncode: int | None = None
    duration_s: float = 0.0
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what it was to do."""
        return self.status == "passed"


@dataclass(frozen=True)
class RepetitionResult:
    """What came of one repetition of a workload on one host. Phases without a command are left out."""

    host: str
    workload: str
    repetition: int
    phases: tuple[PhaseResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every command has passed. What a collection lacks may come with the next one: the run tells."""
        return all(phase.ok for phase in self.phases if phase.phase != "collect")


@dataclass(frozen=True)
class Missing:
    """Something that is not here. `host` is None where it is the controller's own; `what` is a file or a source."""

    host: str | None
    what: str
    why: str


@dataclass(frozen=True)
class Collection:
    """What collecting has brought: `files` are the run's log files that are here, `missing` what is not."""

    files: tuple[Path, ...] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """What came of a campaign. `repetitions` has an entry for each host, workload and repetition that was asked for,
    whatever happened. `stopped` is the reason of a stop. `errors` are troubles that belong to no phase, such as an
    exception in `on_event`.
    """

    run_id: str
    repetitions: tuple[RepetitionResult, ...]
    files: tuple[Path, ...] = ()
    missing: tuple[Missing, ...] = ()
    stopped: str | None = None
    errors: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all commands of all repetitions have passed, and nothing is missing at the end."""
        return not (self.missing or self.errors or self.stopped) and all(each.ok for each in self.repetitions)


@dataclass(frozen=True)
class RunStatus:
    """Where a campaign is. `hosts` tells for each host the phase that it is in; None between phases."""

    state: State = "idle"
    workload: str | None = None
    repetition: int | None = None
    hosts: Mapping[str, Phase | None] = field(default_factory=dict)
