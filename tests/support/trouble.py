"""What tests of disk trouble have in common: bringing a speaker into it, and judging how it came out."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.paths import LB
from support.process import clean_environment
from support.records import Record
from support.speaker import Speaker, check, gaps, log_path, read

# Small, so that they are full soon.
SMALL_RINGS = {"ring_bytes": 65536, "full_timeout_ms": 200}


def overflow(speaker: Speaker) -> None:
    """Logs more than the rings hold while nothing can be written: one wait, then each call drops at once."""
    first = speaker.log(1000, fill=200)
    assert first["accepted"] > 0, f"nothing fits into a ring: {first}"
    assert first["dropped"] > 0, f"the rings are not full: {first}"
    # A thousand waits would take minutes.
    for _ in range(4):
        assert speaker.log(250, fill=200, seconds=20)["accepted"] == 0


def said_of(speaker: Speaker, *expected: str) -> None:
    """The lines on stderr: so many, in this order, each with these words."""
    said = speaker.said()
    fits = len(said) == len(expected) and all(words in line for words, line in zip(expected, said, strict=True))
    assert fits, "on stderr:\n  " + "\n  ".join(said) + "\nexpected:\n  " + "\n  ".join(expected)


def settled(speaker: Speaker, output: Path, reason: str) -> list[Record]:
    """The log of a speaker that writes again, closed and judged: nothing accepted is missing, every drop is told."""
    assert speaker.flush()["code"] == 0
    assert speaker.log(20)["dropped"] == 0, "there is room again"
    assert speaker.close()["code"] == 0
    stats = speaker.stats()
    assert (stats["queued"], stats["offered"]) == (0, stats["written"] + stats["dropped"])
    assert stats["dropped"] > 0
    records = read([log_path(output)])
    check(speaker, records)
    told = gaps(records)
    assert sum(gap["tags"]["lost"] or 0 for gap in told) == stats["dropped"], told
    for gap in told:
        assert reason in gap["message"], gap
        assert gap["tags"]["since"] < gap["timestamp"], gap
    return records


def drain(output: Path, *says: str, code: int = 0) -> None:
    """`lb drain`: how it ends and what it says on stderr."""
    command = [str(LB), "drain", str(output)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert all(words in done.stderr for words in says), done.stderr
