"""The command `lb`, as a test runs it, and logs for it to work on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.golden import timestamp_text
from support.loki import Loki
from support.paths import LB
from support.process import clean_environment


@dataclass(frozen=True)
class Ran:
    """What a run of it gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What `--format json` printed."""
        assert self.stdout, self.stderr
        return json.loads(self.stdout)


def lb(*arguments: str | Path, **environment: str) -> Ran:
    """Run it to its end; `environment` is all of `LB_…` that it sees."""
    command = [str(LB), *map(str, arguments)]
    done = subprocess.run(
        command,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def push(loki: Loki, *arguments: str | Path, **environment: str) -> Ran:
    return lb("push", "--format", "json", "--loki-endpoint", loki.url, *arguments, **environment)


def verify(loki: Loki, *arguments: str | Path, **environment: str) -> Ran:
    return lb("verify", "--format", "json", "--loki-endpoint", loki.url, *arguments, **environment)


def line(ns: int, message: str, level: str = "INFO", workload: str = "w", run_id: str = "r") -> str:
    """A record as the product writes it."""
    return (
        f'{{"timestamp":"{timestamp_text(ns)}","level":"{level}","component":"c","host":"h","run_id":"{run_id}",'
        f'"logger":"l","message":{json.dumps(message, ensure_ascii=False)},"event_type":"log","workload":"{workload}",'
        '"repetition":1}'
    )


def labels(workload: str = "w", run_id: str = "r") -> dict[str, str]:
    """The stream of such a line."""
    own = {"component": "c", "host": "h", "run_id": run_id, "workload": workload}
    return {**own, "repetition": "1", "kind": "log"}


def write_log(path: Path, lines: Iterable[str]) -> Path:
    """Append lines to a log, in the folder that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{text}\n" for text in lines)
    return path


def sum_of(document: Any, name: str) -> int:
    """A count of a push's or a verification's document, over all logs or files."""
    return sum(entry[name] for entry in document.get("logs", document.get("files")))
