"""Logs to be collected, `lb collect`, and what must be true of what it leaves."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.paths import LB
from support.process import clean_environment

RUN = "run-1"


def lines(count: int, first: int = 0, fill: int = 40) -> bytes:
    """So many lines, each with its number as a time."""
    return b"".join(line(number, fill) for number in range(first, first + count))


def line(number: int, fill: int = 40) -> bytes:
    """One line, which no other number has."""
    second, nanosecond = divmod(number, 10**9)
    time = f"2026-11-22T10:11:{second:02}.{nanosecond:09}Z"
    text = chr(97 + number % 26) * (number % (fill or 1))
    return f'{{"timestamp":"{time}","level":"INFO","message":"{text}"}}\n'.encode()


def write(path: Path, content: bytes) -> Path:
    """A file, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def command(output: Path, *arguments: str | Path, run: str = RUN) -> list[str]:
    """`lb collect` of a run into this folder of all runs."""
    return [str(LB), "collect", run, "--output-dir", str(output), *map(str, arguments)]


def collect(
    output: Path,
    *arguments: str | Path,
    run: str = RUN,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> subprocess.CompletedProcess[str]:
    """`lb collect`, to its end."""
    whole = clean_environment() if environment is None else dict(environment)
    return subprocess.run(
        command(output, *arguments, run=run), env=whole, capture_output=True, text=True, timeout=seconds, check=False
    )


def collected(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    """What was said on stderr, of a collection that must have ended so."""
    assert done.returncode == code, f"exit {done.returncode}, {code} expected\n{done.stdout}\n{done.stderr}"
    return done.stderr


def plain(path: Path) -> bytes:
    """What a collected file holds; a damaged one is an error."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert not content or content.endswith(b"\n"), f"{path}: its last line is cut: {content[-60:]!r}"
    return content


def manifest(output: Path, run: str = RUN) -> dict[str, Any]:
    """The manifest, as it stands there."""
    result: dict[str, Any] = json.loads((output / run / "manifest.json").read_bytes())
    return result


def judge(output: Path, run: str = RUN, *, others: Sequence[str] = ()) -> dict[str, bytes]:
    """Everything below the run's folder is whole and listed, and the manifest says the truth. By source: its content.

    `others` are the names of files in logs/ that are not the collection's."""
    folder = output / run
    result = {}
    listed = set()
    for entry in manifest(output, run)["files"]:
        path = folder / entry["path"]
        content = plain(path)
        listed.add(path.name)
        assert path.parent == folder / "logs", path
        found = (len(content), content.count(b"\n"), hashlib.sha256(content).hexdigest(), path.stat().st_size)
        assert found == tuple(entry[key] for key in ("size", "lines", "sha256", "stored_size")), entry
        times = [
            json.loads(text).get("timestamp") for text in (content.splitlines() or [b"{}"])[:: max(found[1] - 1, 1)]
        ]
        assert (entry["first_timestamp"], entry["last_timestamp"]) == (times[0], times[-1]), (entry, times)
        result[entry["source"]] = content
    there = {path.name for path in (folder / "logs").iterdir()}
    assert there == listed | set(others), f"not listed: {there - listed - set(others)}, missing: {listed - there}"
    beside = {path.name for path in folder.iterdir()} - {"logs", "manifest.json", ".collecting"}
    assert not beside, f"left beside: {beside}"
    return result
