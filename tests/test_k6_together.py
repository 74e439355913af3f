"""Two k6 at once on one run and host: one file, no mixed line, each told apart by its instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import k6
from support.compare import Identity, compare, compare_lines, k6_lines, our_lines
from support.process import Target
from support.records import read_log

TAGS = {"run_id": "together", "workload": "pair"}


def start(folder: Path, name: str, target: Target, tags: dict[str, str]) -> tuple[Path, list[str], Any]:
    own = folder / name
    own.mkdir()
    extra = [part for key, value in tags.items() for part in ("--tag", f"{key}={value}")]
    command = k6.arguments("together.js", own, target, extra=extra, script_environment={"WHO": name})
    return own, command, k6.start(command, own, {"LB_OUTPUT_DIR": str(folder / "out")})


def test_two_k6_share_one_file(folder: Path, target: Target) -> None:
    started = [start(folder, name, target, TAGS) for name in ("left", "right")]
    started.append(start(folder, "third", target, {**TAGS, "instance_id": "7"}))
    runs = [k6.finished(process, command, own) for own, command, process in started]
    for run in runs:
        assert run.exit_code == 0, run.stderr
    logs = folder / "out" / "together" / "logs"
    visible = [path.name for path in logs.iterdir() if not path.name.startswith(".")]
    assert visible == [f"k6-{k6.HOST}.jsonl"]
    records = read_log(logs / visible[0])
    by_instance: dict[str, list[Any]] = {}
    for record in records:
        by_instance.setdefault(record["tags"]["instance"], []).append(record)
    assert len(by_instance) == 3
    assert "7" in by_instance
    for run in runs:
        name = run.folder.name
        (mine,) = [
            group for group in by_instance.values() if any(record["tags"].get("who") == name for record in group)
        ]
        tags = {**TAGS, "instance_id": "7"} if name == "third" else TAGS
        difference = compare(run.points(), mine, Identity(run_tags=tags), "compact")
        assert not difference, str(difference)
        assert compare_lines(k6_lines(run.log_lines()), our_lines(mine)) == ""
        events = [record["event_type"] for record in mine]
        assert (events.count("run_start"), events.count("run_end")) == (1, 1)
