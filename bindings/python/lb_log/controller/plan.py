"""What a campaign is made of: hosts, and workloads with their commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

#: A command: a text for the host's `sh`, or a program with its arguments.
Command = str | Sequence[str]

#: The phases of a repetition, in their order.
Phase = Literal["setup", "run", "collect", "teardown"]


def _text(owner: str, name: str, value: object) -> None:
    if not isinstance(value, str) or not value or any(character in value for character in "\0\n\r"):
        raise ValueError(f"{owner}: {name}: expected a text of one line that is not empty, found {value!r}")


@dataclass(frozen=True)
class Host:
    """A machine of a campaign.

    `ssh` is what the user's own `ssh` calls it (`node1`, `root@node1`, a name of `~/.ssh/config`); None: this
    machine. `output_dir` is the folder of all runs there, which its commands find in `LB_OUTPUT_DIR`; None:
    `benchmark_results` in its home, and on this machine the controller's own. ValueError for what cannot be a host.
    """

    name: str
    ssh: str | None = None
    output_dir: str | None = None

    def __post_init__(self) -> None:
        _text("Host", "name", self.name)
        for name, value in (("ssh", self.ssh), ("output_dir", self.output_dir)):
            if value is not None:
                _text(f"Host {self.name}", name, value)
        # ssh would take it for an option, and collection would find another host in it.
        if self.ssh is not None and (self.ssh.startswith("-") or any(character in self.ssh for character in ": \t/")):
            raise ValueError(f"Host {self.name}: ssh: expected [user@]host, found {self.ssh!r}")

        if self.output_dir is not None and self.output_dir.startswith("~"):
            raise ValueError(f"Host {self.name}: output_dir: a folder that is not absolute is below the home already")

    @property
    def source(self) -> str | None:
        """Where its logs are collected from, as `lb collect --from` names it; None: they are written here."""
        if self.ssh is not None:
            return f"{self.ssh}:{self.output_dir or ''}"
        if self.output_dir is None or self.output_dir.startswith(("/", ".")):
            return self.output_dir
        return f"./{self.output_dir}"


@dataclass(frozen=True)
class Workload:
    """What is run on every host, so many times. Each of the three commands is a text for `sh`, or a program with its
    arguments; None: nothing is done in that phase.

    `timeout_s` is the longest that one command may take, seconds; then its process group is ended. `env` is added to
    the commands' environment and may hold secrets: it is never on a command line. `cooldown_s` is a pause behind each
    repetition, seconds. ValueError for what cannot be a workload.
    """

    name: str
    setup: Command | None = None
    run: Command | None = None
    teardown: Command | None = None
    timeout_s: float = 3600.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cooldown_s: float = 0.0

    def __post_init__(self) -> None:
        _text("Workload", "name", self.name)
        for phase in ("setup", "run", "teardown"):
            self.command(phase)
        if not (0 < self.timeout_s <= 10**8):
            raise ValueError(f"Workload {self.name}: timeout_s: expected seconds above 0, found {self.timeout_s!r}")
        if not (0 <= self.cooldown_s < math.inf):
            raise ValueError(f"Workload {self.name}: cooldown_s: expected seconds from 0, found {self.cooldown_s!r}")
        for name, value in self.env.items():
            if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
                raise ValueError(f"Workload {self.name}: env: {name!r} is no name of a variable")
            if not isinstance(value, str) or "\0" in value:
                raise ValueError(f"Workload {self.name}: env: {name}: expected a text without NUL")

    def command(self, phase: str) -> str | None:
        """The command of a phase, as `sh` reads it; None: there is none."""
        command: Command | None = getattr(self, phase)
        if isinstance(command, str) or command is None:
            text = command
        elif isinstance(command, Sequence) and command and all(isinstance(word, str) for word in command):
            text = shlex.join(command)
        else:
            raise ValueError(f"Workload {self.name}: {phase}: expected a text or a list of texts, found {command!r}")
        if text is not None and (not text.strip() or "\0" in text):
            raise ValueError(f"Workload {self.name}: {phase}: the command is empty or holds a NUL")
        return text


PHASES: tuple[Phase, ...] = get_args(Phase)
