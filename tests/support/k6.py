"""One run of k6 with `--out json` and `--out lb-loki` side by side, and all that it left."""

from __future__ import annotations

import calendar
import dataclasses
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.paths import K6, SCRIPTS
from support.process import Target, clean_environment
from support.records import Record, read_log

HOST = "load-1"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run was asked for, and where its traces are."""

    folder: Path
    command: Sequence[str]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def logs(self) -> list[Path]:
        """The log files, side files left out."""
        return sorted(path for path in self.folder.glob("out/*/logs/*.jsonl") if not path.name.startswith("."))

    def records(self) -> list[Record]:
        """The records of the one log file."""
        assert len(self.logs) == 1, f"{self.logs}, k6 said {self.stderr}"
        return read_log(self.logs[0])

    def events(self, *event_types: str) -> list[Record]:
        """The records of some event types."""
        return [record for record in self.records() if record["event_type"] in event_types]

    def points(self) -> list[dict[str, Any]]:
        """What `--out json` has: a list of points, with the numbers as k6 wrote them."""
        return [item for item in self._json_output() if item["type"] == "Point"]

    def metrics(self) -> dict[str, dict[str, Any]]:
        """What `--out json` says about each metric."""
        return {item["metric"]: item["data"] for item in self._json_output() if item["type"] == "Metric"}

    def _json_output(self) -> list[dict[str, Any]]:
        # parse_int: "-0" is the number minus zero, which Python's integers do not know.
        lines = (self.folder / "samples.json").read_text(encoding="utf-8").split("\n")
        return [json.loads(line, parse_int=float) for line in lines if line]

    def log_lines(self) -> list[dict[str, Any]]:
        """k6's own log, as it wrote it to its file."""
        content = (self.folder / "k6.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in content.split("\n") if line]


def arguments(
    script: str | Path,
    folder: Path,
    target: Target | None,
    *,
    samples: str = "compact",
    extra: Sequence[str] = (),
    script_environment: Mapping[str, str] | None = None,
) -> list[str]:
    """The command line of such a run."""
    path = SCRIPTS / script if isinstance(script, str) else script
    command = [str(K6), "run", "--quiet", "--no-color", "--out", f"json={folder / 'samples.json'}"]
    command += ["--out", f"lb-loki=samples={samples}"]
    command += ["--log-format", "json", "--log-output", f"file={folder / 'k6.log'}"]
    if target is not None:
        command += ["--env", f"TARGET={target.http}", "--env", f"TARGET_GRPC={target.grpc}"]
    for key, value in (script_environment or {}).items():
        command += ["--env", f"{key}={value}"]
    return [*command, *extra, str(path)]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of such a run: our files go below its folder."""
    return clean_environment(
        {"LB_OUTPUT_DIR": str(folder / "out"), "LB_HOST": HOST, "HOME": str(folder), **(extra or {})}
    )


def start(command: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start k6; its output goes to files, so that it never waits for a reader."""
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        return subprocess.Popen(
            command, cwd=folder, env=environment(folder, extra), stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL
        )


def finished(process: subprocess.Popen[bytes], command: Sequence[str], folder: Path, seconds: float = 60) -> Run:
    """Wait for the end of k6, for a bounded time."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"k6 ran longer than {seconds} s: {command}") from None
    stdout = (folder / "stdout").read_text(encoding="utf-8", errors="replace")
    stderr = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    return Run(folder, command, code, stdout, stderr)


def run(
    script: str | Path,
    folder: Path,
    target: Target | None,
    *,
    samples: str = "compact",
    extra: Sequence[str] = (),
    extra_environment: Mapping[str, str] | None = None,
    script_environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> Run:
    """Run k6 to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    command = arguments(script, folder, target, samples=samples, extra=extra, script_environment=script_environment)
    return finished(start(command, folder, extra_environment), command, folder, seconds)


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of a UTC time of k6 (trailing zeros left out) or of ours."""
    found = re.fullmatch(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(?:\.(\d{1,9}))?Z", text)
    assert found, f"no UTC time: {text}"
    seconds = calendar.timegm(tuple(int(part) for part in found.groups()[:6]))
    return seconds * 1_000_000_000 + int((found[7] or "").ljust(9, "0"))
