"""k6 under load is killed: what flushes had handed over is in the file, whole, once and in order.

What they had handed over is counted by k6 itself, in a file (xk6-lb/internal/core/handed.go).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest

from support import k6
from support.ledger import Ledger, running_ledger
from support.paths import LB
from support.process import clean_environment, wait_until
from support.records import Record, parse_bytes_fast

RUN_ID = "crashing"
# One flush interval, what k6 holds before an output sees it, and the waits of a busy machine.
FLUSH_SECONDS = 0.2
K6_SECONDS = 0.05
SLACK_SECONDS = 0.35


def drain(folder: Path) -> None:
    done = subprocess.run(
        [LB, "drain", folder / "out"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr


def killed(folder: Path, ledger: Ledger, name: str, seconds: float) -> float:
    """One k6 that is killed after some seconds of load; the moment of the kill."""
    extra = ["--tag", f"run_id={RUN_ID}", "--tag", f"instance_id={name}"]
    command = k6.arguments("crash.js", folder, None, extra=extra, script_environment={"TARGET": ledger.url})
    before = len(ledger.entries)
    process = k6.start(command, folder, {"XK6_LB_TEST_HANDED": str(folder / f"handed-{name}")})
    wait_until(lambda: process.poll() is not None or len(ledger.entries) > before, 20, "k6 sends requests")
    time.sleep(seconds)
    at = time.monotonic()
    process.kill()
    assert process.wait() == -signal.SIGKILL, (folder / "stderr").read_text(encoding="utf-8")
    return at


def log(folder: Path) -> Path:
    return folder / "out" / RUN_ID / "logs" / f"k6-{k6.HOST}.jsonl"


def counted(records: list[Record], name: str) -> dict[int, list[int]]:
    """The numbers of each VU of one k6, in the order of the file."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for record in records:
        if record["event_type"] == "http_req" and record["tags"]["instance"] == name:
            numbers[int(record["tags"]["vu_number"])].append(int(record["tags"]["number"]))
    return numbers


def judge_handed(folder: Path, name: str, lines: list[bytes]) -> int:
    """All records that returned flushes of one k6 handed over, and none twice. How many that were."""
    handed = int.from_bytes((folder / f"handed-{name}").read_bytes(), "little")
    own = [line for line in lines if json.loads(line)["tags"].get("instance") == name]
    assert len(own) >= handed, f"{name}: {handed} records were handed over, {len(own)} are in the file"
    assert len(set(own)) == len(own), f"{name}: doubled lines"
    return handed


def judge(numbers: dict[int, list[int]], answered: list[tuple[float, str]], killed_at: float) -> None:
    """Nothing doubled, nothing missing but the last moment, nothing that the server never saw."""
    seen: dict[int, list[float]] = defaultdict(list)
    for at, path in answered:
        who, number = (int(part) for part in path.split("/")[1:])
        assert number == len(seen[who]), "the server itself saw a gap"
        seen[who].append(at)
    assert set(numbers) <= set(seen)
    for vu, times in seen.items():
        found = numbers.get(vu, [])
        assert found == list(range(len(found))), f"VU {vu}: {found[:20]}"
        assert len(found) <= len(times), f"VU {vu}: more records than requests"
        missing = times[len(found) :]
        age = killed_at - missing[0] if missing else 0.0
        assert age <= FLUSH_SECONDS + K6_SECONDS + SLACK_SECONDS, f"VU {vu}: {len(missing)} missing, oldest {age:.3f} s"


def test_many_kills(folder: Path) -> None:
    rng = random.Random(11)
    total = offset = handed = 0
    kills = int(os.environ.get("TEST_K6_KILLS", "10"))
    with running_ledger() as ledger:
        for kill in range(kills):
            name, start = f"k6-{kill}", len(ledger.entries)
            at = killed(folder, ledger, name, rng.uniform(0, 1.1) if kill else 0.0)
            answered = ledger.entries[start:]
            if kill % 2 == 0 or kill == kills - 1:
                drain(folder)
            else:  # the next k6's open
                k6.finished(recovering(folder, ledger), [], folder)
            content = log(folder).read_bytes()
            # What was read before is committed: it does not change, and holds nothing of this k6.
            numbers = counted(parse_bytes_fast(content[offset:]), name)
            judge(numbers, answered, at)
            handed += judge_handed(folder, name, content[offset:].splitlines())
            offset = len(content)
            total += sum(len(found) for found in numbers.values())
    everything = parse_bytes_fast(log(folder).read_bytes())
    assert sum(len(found) for kill in range(kills) for found in counted(everything, f"k6-{kill}").values()) == total
    assert handed > total > 50 * kills, f"{handed} records handed over, {total} of requests: that was no load"


def recovering(folder: Path, ledger: Ledger) -> subprocess.Popen[bytes]:
    """A k6 that does one request and ends well."""
    extra = ["--tag", f"run_id={RUN_ID}", "--iterations", "1", "--vus", "1", "--tag", "instance_id=recovering"]
    command = k6.arguments("crash.js", folder, None, extra=extra, script_environment={"TARGET": ledger.url + "/x"})
    return k6.start(command, folder)


def test_the_judge_sees_what_it_is_for() -> None:
    answered = [(1.0 + 0.1 * number, f"/7/{number}") for number in range(10)]
    judge({7: list(range(10))}, answered, 2.0)
    judge({7: list(range(6))}, answered, 2.0)
    for bad in ([*range(4)], [*range(4), 5, 6, 7, 8], [*range(10), 9], [1, 0, *range(2, 10)], [*range(11)], []):
        with pytest.raises(AssertionError):
            judge({7: bad}, answered, 2.0)
    with pytest.raises(AssertionError):
        judge({7: list(range(10)), 8: [0]}, answered, 2.0)
