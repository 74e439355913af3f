"""SIGKILL of `lb collect` at random moments: never a damaged file under its name, never a source gone too early.

`TEST_COLLECT_KILLS=100` kills it so often, from a folder and from a host (default 10 each)."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.collecting import RUN, collect, command, judge, lines, plain, write
from support.process import clean_environment
from support.sshd import Site

KILLS = int(os.environ.get("TEST_COLLECT_KILLS", "10"))
SEED = os.environ.get("TEST_SEED", "collect")


def make_logs(run: Path) -> dict[str, bytes]:
    """Logs with what lies beside them; by their paths: their content."""
    contents = {}
    counts = {"a-h.jsonl": 3000, "b-h.000001.jsonl": 60_000, "b-h.jsonl": 20_000, "c-h.quarantined.jsonl": 10}
    for number, (name, count) in enumerate(counts.items()):
        stem = name.split(".")[0]
        for place in ("logs", "node/logs"):
            contents[f"{place}/{name}"] = lines(count, first=number * 100_000 + len(place), fill=90)
            write(run / place / name, contents[f"{place}/{name}"])
            write(run / place / f".{stem}.lock", b"")
    return contents


def judge_killed(output: Path, contents: dict[str, bytes], source: Path) -> int:
    """What a killed collection has left; how many files have their names."""
    logs = output / RUN / "logs"
    there = [path for path in logs.glob("*") if not path.name.startswith(".collecting-")]
    whole = [plain(path) for path in there]
    for content, path in zip(whole, there, strict=True):
        assert content in contents.values(), f"{path} is none of the sources"
    for name, content in contents.items():
        if not (source / name).exists():
            assert content in whole, f"{name} was removed, and is not here"
    return len(there)


@pytest.mark.parametrize("over_ssh", [False, True])
def test_a_killed_collection_damages_nothing(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, over_ssh: bool
) -> None:
    chance = random.Random(f"{SEED} {over_ssh}")
    environment = clean_environment()
    site = None
    source = folder / "source"
    address = str(source)
    if over_ssh:
        site = Site(tmp_path_factory.mktemp("site"))
        host = site.host("node")
        host.with_lb().start()
        source, address, environment = host.runs, "node", site.environment
    try:
        originals = folder / "originals"
        contents = make_logs(originals)
        counts = []
        took = 0.0
        for number in range(KILLS + 1):
            output = folder / f"out-{number}"
            shutil.rmtree(source, ignore_errors=True)
            shutil.copytree(originals, source / RUN, copy_function=os.link)
            begun = time.monotonic()
            process = subprocess.Popen(
                command(output, "--from", address, "--remove-source"),
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            if number == 0:
                # How long it takes when nobody kills it.
                _, said = process.communicate(timeout=60)
                assert process.returncode == 0, said.decode()
                took = time.monotonic() - begun
            else:
                time.sleep(chance.uniform(0, took))
                process.kill()
                process.communicate()
                counts.append(judge_killed(output, contents, source / RUN))
            done = collect(output, "--from", address, "--remove-source", environment=environment)
            # Of what is gone from there nothing is left to be collected.
            assert done.returncode == 0 or "no logs of this run" in done.stderr or number == 0, done.stderr
            assert not list(source.rglob("*.jsonl")), done.stderr
            judge_killed(output, contents, source / RUN)
            found = judge(output) if (output / RUN / "manifest.json").exists() else {}
            assert sorted(found.values()) == sorted(contents.values()), sorted(found)
            shutil.rmtree(output)
        print(f"files with their names at the kills: {sorted(counts)}")
        assert KILLS < 5 or len(set(counts)) > 1, f"all kills came at the same moment: {counts}"
    finally:
        if site is not None:
            site.close()
