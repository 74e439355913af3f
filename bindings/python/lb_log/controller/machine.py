"""A host, and how a command is run there: by a `sh` of this machine, or over the user's own `ssh`."""

from __future__ import annotations

import math
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from .conversation import Conversation, Ended, Output, Patience, Stops
from .plan import Host

_FAR = resources.files(__package__).joinpath("far.sh").read_text(encoding="utf-8")

#: What ssh is told besides what its user has configured: never to ask, never to accept a key that it does not know,
#: and to do nothing but run a command. Collection says the same (core/src/collect/remote.rs).
_OPTIONS = ("BatchMode=yes", "ClearAllForwardings=yes", "RemoteCommand=none", "PermitLocalCommand=no")

#: What tells who the controller is, and would be taken for the command's own on this machine.
_NOT_HANDED_DOWN = ("LB_COMPONENT", "LB_SCENARIO", "LB_LOGGER", "LB_JSONL_LOG_PATH", "LB_CONFIG")

#: Looks of ssh's complaints, and what to do about them.
_ADVICE = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key is another than before: find out why before you trust it"),
    ("Host key verification failed", "its host key is not known here: connect once by `ssh {0}` and compare the key"),
    ("Permission denied (", "`ssh -o BatchMode=yes {0} true` must work"),
    ("Could not resolve hostname", "check the name"),
    ("Connection refused", "start its ssh server"),
)


def no_output(_stream: str, _line: bytes) -> None:
    """For those who do not want to hear."""


@dataclass(frozen=True)
class Machine:
    """Runs commands on a host. `ssh` is the command that reaches hosts, as a shell reads it; `answer_s` is how long a
    host may not answer, `grace_s` how long a command has for its end, seconds; `folder` is where all runs are here.
    """

    host: Host
    folder: Path
    ssh: str
    answer_s: float
    grace_s: float

    def execute(
        self, command: str, environment: Mapping[str, str], limit_s: float, output: Output, stops: Stops
    ) -> Ended:
        """Runs a command to its end; its lines go to `output`. What goes wrong is in what it returns."""
        mark = f"lb-controller-{secrets.token_hex(16)}"
        patience = Patience(self.answer_s, limit_s, self.grace_s)
        # Here the limit is kept first, so that what is said of it is true.
        far_limit = math.ceil(limit_s + self.grace_s + 1)
        words = [mark, str(far_limit), str(math.ceil(self.grace_s)), command]
        script = self._script(environment, "main", words)
        try:
            ended = Conversation(self._program(), script, mark, patience, output).hold(stops)
        except OSError as error:
            return Ended("failed", None, f"{self._program()[0]} cannot be started: {error}", None)
        if ended.status == "unreachable":
            return self._lost(ended, mark, far_limit + math.ceil(self.grace_s))
        return ended

    def _lost(self, ended: Ended, mark: str, longest_s: int) -> Ended:
        """Ends by a second connection what the first has left, and says what to do."""
        error = f"{ended.error}; {self._advice(ended.error or '')}"
        if ended.group is not None and not self._end_group(mark, ended.group):
            error += f"; its command (process group {ended.group} there) ends within {longest_s} s of its start"
        return replace(ended, error=error)

    def _end_group(self, mark: str, group: int) -> bool:
        grace = math.ceil(self.grace_s)
        second = f"lb-controller-{secrets.token_hex(16)}"
        script = self._script({}, "end_group", [second, str(group), str(grace), mark])
        patience = Patience(self.answer_s + grace, 0, 0)
        try:
            conversation = Conversation(self._program(), script, second, patience, no_output)
            return conversation.hold(Stops(None, None)).told
        except OSError:
            return False

    def _program(self) -> list[str]:
        if self.host.ssh is None:
            return ["sh"]
        often = max(1, int(self.answer_s / 3))
        times = max(1, int(self.answer_s / often))
        options = [*_OPTIONS, f"ServerAliveInterval={often}", f"ServerAliveCountMax={times}"]
        given = [word for option in options for word in ("-o", option)]
        return ["sh", "-c", f'exec {self.ssh} "$@"', "ssh", "-T", *given, self.host.ssh, "sh"]

    def _script(self, environment: Mapping[str, str], call: str, words: list[str]) -> bytes:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        lines = [_FAR, f"unset {' '.join(_NOT_HANDED_DOWN)}", self._output_folder(), *exports]
        lines += [f"{call} {shlex.join(words)} end 3<&0 </dev/null", "exit", ""]
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    def _output_folder(self) -> str:
        folder = self.host.output_dir
        if folder is None and self.host.ssh is None:
            folder = str(self.folder.absolute())
        folder = folder or "benchmark_results"
        at = "" if folder.startswith("/") else '"$PWD"/'
        return f"export LB_OUTPUT_DIR={at}{shlex.quote(folder)}"

    def _advice(self, said: str) -> str:
        found = (advice for sign, advice in _ADVICE if sign in said)
        return next(found, "try again when it can be reached").format(self.host.ssh)
