"""Collection."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from typing import TypedDict

from lb_log import _native


class CollectedFile(TypedDict, total=False):
    """A file of the run, as the manifest lists it."""

    outcome: str
    path: str
    source: str
    size: int
    lines: int
    sha256: str
    first_timestamp: str
    last_timestamp: str


class Remark(TypedDict):
    """What is to be said of a source."""

    source: str
    why: str


class Report(TypedDict):
    """What came of a collection. `ok`: everything was had."""

    ok: bool
    run_id: str
    folder: str
    manifest: str
    files: list[CollectedFile]
    failed: list[Remark]
    remarks: list[Remark]
    removed: list[str]


def collect(
    run_id: str,
    sources: Iterable[str | PathLike[str]],
    *,
    output_dir: str | PathLike[str] | None = None,
    config: str | PathLike[str] | None = None,
    ssh: str | None = None,
    timeout: float = 60.0,
    jobs: int = 8,
    gzip: bool = True,
    gzip_level: int = 6,
    remove_source: bool = False,
    dry_run: bool = False,
) -> Report:
    """Collects the logs of a run into `{output_dir}/{run_id}`, as `lb collect` does.

    `sources` are output folders: paths, or `host:folder`, `user@host:folder` as with scp. Hosts are
    reached by `ssh` (a command, as a shell reads it), `jobs` at a time, and given up when they are silent
    for `timeout` seconds. Each file is gzipped, checked and listed in the manifest; `remove_source` deletes
    logs once their copies were read back. One source that fails stops no other: look at `ok`.

    ValueError for arguments that make no sense, OSError where the run's folder cannot be used,
    TimeoutError while another collection of this run is at work.
    """
    if isinstance(sources, (str, PathLike)):
        sources = [sources]
    report: Report = _native.collect(
        {
            "run_id": run_id,
            "from": [fspath(source) for source in sources],
            "output_dir": output_dir,
            "config": config,
            "ssh": ssh,
            "timeout_s": timeout,
            "jobs": jobs,
            "gzip": gzip,
            "gzip_level": gzip_level,
            "remove_source": remove_source,
            "dry_run": dry_run,
        }
    )
    return report
