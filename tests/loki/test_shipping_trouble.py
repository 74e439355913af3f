"""What shipping costs and does while Loki or the disk is in trouble: bounded memory, nothing lost, resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import mounts
from support.campaign import run
from support.delivery import shipped
from support.faults import Fault, answering, never_answer, proxy
from support.loki import Loki, running_loki
from support.paths import LB
from support.process import wait_until
from support.shipping import Stage, finish, judge, judge_end, log_of, quarantined, shipping
from support.speaker import Speaker, speaking

MIB = 1 << 20
THREADS = 4


def resident(speaker: Speaker) -> int:
    """Resident memory of the whole process, bytes."""
    pages = Path(f"/proc/{speaker.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("fault", [answering(503, "not now"), never_answer], ids=["unavailable", "stalled"])
def test_memory_does_not_grow_while_loki_is_away(fault: Fault, loki: Loki, speaker_program: Path, folder: Path) -> None:
    """Measured of the whole process, at every look, against what it was when the rings had been through once and a push
    of full size had failed. A MiB of the growth is the speaker's own page."""
    records = int(os.environ.get("TEST_OUTAGE_RECORDS", "1000000"))
    warm = 10_000
    with proxy(loki, fault) as between:
        settings = shipping(folder, between.url, run_id="memory")
        with speaking(speaker_program, folder / "filled", {**settings, "loki": {}}, threads=THREADS) as speaker:
            speaker.log(warm)
            assert speaker.close()["code"] == 0
        with speaking(speaker_program, folder / "own", settings, threads=THREADS) as speaker:
            speaker.log(warm)
            wait_until(lambda: len(between.requests) > 0, 20, "it tries to ship")
            wait_until(lambda: speaker.stats()["loki_lines"] >= 2 * warm * THREADS, 20, "all are counted")
            before, most = resident(speaker), 0
            for _ in range(10):
                answer = speaker.log(records // THREADS // 10, seconds=120)
                assert answer["dropped"] == 0, answer
                most = max(most, resident(speaker))
            wait_until(lambda: speaker.stats()["loki_lines"] >= 2 * warm * THREADS + records, 60, "all are counted")
            most = max(most, resident(speaker))
            stats = speaker.stats()
            assert stats["loki_pending"] == stats["loki_lines"], stats
            print(f"{records} records: {before / MIB:.1f} MiB before, {most / MIB:.1f} MiB at most")
            assert most - before < 4 * MIB, f"{before / MIB:.1f} MiB before, {most / MIB:.1f} MiB at most"
            speaker.close(300)


# Of which Loki takes no lines beyond MOST_BYTES.
MOST_BYTES, TOO_LONG = 4096, 5000


@pytest.fixture
def strict_loki(folder: Path) -> Iterator[Loki]:
    """One that refuses long lines."""
    own = folder / "strict"
    own.mkdir()
    with running_loki(own, LOKI_MAX_LINE=str(MOST_BYTES)) as loki:
        yield loki


@pytest.mark.parametrize("what", ["offset", "quarantine"])
def test_the_disk_is_full_when_it_must_be_written(
    what: str, strict_loki: Loki, speaker_program: Path, folder: Path
) -> None:
    """Nothing is sent, or goes on, until there is room; it is said once, and goes on by itself."""
    run_id = f"full-{what}"
    stage = Stage("held")
    with mounts.tmpfs(folder / "small", "4M") as small, proxy(strict_loki, stage) as between:
        settings = shipping(small, between.url, run_id=run_id, ring_dir="shm")
        log = log_of(small, run_id)
        with speaking(speaker_program, folder / "first", {**settings, "loki": {}}) as speaker:
            speaker.log(100)
            speaker.log(3, fill=TOO_LONG)
            speaker.log(100)
            assert speaker.close()["code"] == 0
        if what == "offset":
            # Not so full that no log could be opened.
            (small / "last").write_bytes(b"x" * 8192)
            ballast = mounts.fill(small)
            (small / "last").unlink()
        with speaking(speaker_program, folder / "second", settings) as speaker:
            if what == "quarantine":
                stage.reached()
                ballast = mounts.fill(small)
            stage.release()
            words = "writing the offset file" if what == "offset" else "writing the quarantine"
            wait_until(lambda: any(words in line for line in speaker.said()), 20, f"{words}: {speaker.said()}")
            assert bool(between.pushes) == (what == "quarantine")
            assert not quarantined(log)
            ballast.unlink()
            wait_until(lambda: speaker.stats()["loki_quarantined"] == 3, 30, "it goes on")
            assert speaker.close(20_000)["code"] == 0
            said = speaker.said()
            assert [line.count("No space left") for line in said].count(1) == 1, said
            assert any("shipping goes on" in line for line in said), said
        stats = finish(settings)
        assert stats["loki_replayed"] == 0
        judge_end(strict_loki, log, run_id, stats)
        assert len(quarantined(log)) == 3


def rename_and_remove(logs: Path) -> None:
    # Out of the way first: while it is emptied a new log would be made in it.
    gone = logs.parent.parent / "gone"
    logs.rename(gone)
    shutil.rmtree(gone)


def remove_all_but_the_log(logs: Path) -> None:
    for path in logs.glob(".*"):
        path.unlink()


@pytest.mark.parametrize("act", [rename_and_remove, remove_all_but_the_log], ids=lambda act: act.__name__)
def test_the_folder_is_cleared_while_a_program_ships(
    act: Callable[[Path], None], loki: Loki, speaker_program: Path, folder: Path
) -> None:
    """By somebody who does not know better: what is logged from then on is shipped, and nothing is sent again."""
    run_id = act.__name__
    log = log_of(folder, run_id)
    with proxy(loki) as between:
        settings = shipping(folder, between.url, run_id=run_id)
        with speaking(speaker_program, folder / "own", settings) as speaker:
            speaker.log(100)
            wait_until(lambda: speaker.stats()["loki_acknowledged"] == 100, 20, "the first are shipped")
            before = shipped(log)
            act(log.parent)
            speaker.log(100)
            assert speaker.flush()["code"] == 0
            assert speaker.close(20_000)["code"] == 0, speaker.said()
        stats = finish(settings)
    now = shipped(log)
    assert len(now) >= 100
    assert stats["loki_replayed"] == 0
    judge_end(loki, log, run_id, stats, lost=sorted(set(before) - set(now)))


def test_a_read_only_folder_is_said(loki: Loki, speaker_program: Path, folder: Path) -> None:
    """What was acknowledged could not be noted: nothing is sent, and `lb push` says why at once."""
    run_id = "read-only"
    with mounts.tmpfs(folder / "small", "4M") as small, proxy(loki) as between:
        settings = shipping(small, between.url, run_id=run_id, ring_dir="shm")
        log = log_of(small, run_id)
        with speaking(speaker_program, folder / "own", {**settings, "loki": {}}) as speaker:
            speaker.log(100)
            assert speaker.close()["code"] == 0
        mounts.tool("mount", "-o", "remount,ro", small)
        command = [str(LB), "push", "--loki-endpoint", between.url, str(log)]
        done = run(command)
        assert done.returncode == 2, done
        lock = log.with_name(f".{log.stem}.shipper")
        assert f"{lock}: locking it: Read-only file system (os error 30); make its file system writable" in done.stderr
        assert not between.requests
        mounts.tool("mount", "-o", "remount,rw", small)
        done = run(command)
        assert done.returncode == 0, done
        judge(loki, log, run_id)
