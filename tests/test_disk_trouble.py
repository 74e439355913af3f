"""A disk in trouble: the program goes on, counts, says it once, resumes by itself, and leaves a gap record."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import mounts
from support.process import wait_until
from support.speaker import check, gaps, log_path, read, speaking
from support.trouble import SMALL_RINGS, drain, overflow, said_of, settled

# --- a file system that turns read-only ---


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
def test_a_file_system_turns_read_only(ring_dir: str, speaker_program: Path, folder: Path) -> None:
    """After an error of the disk; the repaired file system is mounted again over the broken one."""
    disk, image, repaired = folder / "disk", folder / "image", folder / "repaired"
    with mounts.ext4(disk, image, options="errors=remount-ro") as device:
        trigger = Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
        if not trigger.exists():
            pytest.skip(f"this kernel has no {trigger}")
        # With sync "always" what was flushed is on the disk before it breaks.
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out"), "ring_dir": ring_dir, "sync": "always"}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            mounts.tool("sync", "--file-system", disk)
            trigger.write_text("a test")
            overflow(speaker)
            answer = speaker.flush(300)
            assert answer["code"] == 7
            assert "Read-only file system" in answer["message"]
            shutil.copyfile(image, repaired)
            mounts.repair(repaired)
            with mounts.ext4(disk, repaired, fresh=False):
                assert speaker.flush()["code"] == 0
                # One look later the change of the file is known, too.
                wait_until(lambda: len(speaker.said()) == 3, 5, f"all is said: {speaker.said()}")
                assert speaker.log(20)["dropped"] == 0
                assert speaker.close()["code"] == 0
                said_of(
                    speaker,
                    "Read-only file system (os error 30); make its file system writable again",
                    "writing again",
                    "deleted or replaced",
                )
                records = read([log_path(disk / "out")])
                check(speaker, records)
                told = {gap["tags"]["lost"]: gap["tags"]["reason"] for gap in gaps(records)}
                assert set(told) == {None, speaker.stats()["dropped"]}, told
                assert "Read-only file system" in told[speaker.stats()["dropped"]]


# --- permission ---


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users reach."""
    folder = Path(tempfile.mkdtemp(prefix="lb-log-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_permission_is_lost_and_given_back(speaker_program: Path, public: Path) -> None:
    mounts.needs("setpriv")
    own, output = public / "own", public / "out"
    executable = Path(shutil.copy(speaker_program, public / "speaker"))
    for each in (own, output):
        each.mkdir()
        os.chown(each, 65534, 65534)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with speaking(executable, own, {**SMALL_RINGS, "output_dir": str(output)}, prefix=become) as speaker:
        speaker.log(50)
        assert speaker.flush()["code"] == 0
        logs = log_path(output).parent
        logs.chmod(0)
        overflow(speaker)
        assert speaker.flush(300)["code"] == 7
        logs.chmod(0o755)
        settled(speaker, output, "Permission denied")
        said_of(speaker, "Permission denied (os error 13); give this user the right to write there", "writing again")


# --- files that go away ---


def delete(log: Path) -> None:
    log.unlink()


def replace_by_a_file(log: Path) -> None:
    """Somebody else's, with a cut line at its end."""
    other = log.with_name("other")
    line = log.read_bytes().splitlines(keepends=True)[0]
    assert b'"message":"' in line
    other.write_bytes(line.replace(b'"event_type":"log"', b'"event_type":"foreign"') + line[:50])
    other.rename(log)


def replace_by_a_link(log: Path) -> None:
    """As somebody does who moves a log to a larger disk while it is written to."""
    elsewhere = log.parents[3] / "elsewhere"
    elsewhere.write_bytes(b"")
    log.unlink()
    log.symlink_to(elsewhere)


def remove_the_folders(log: Path) -> None:
    # Out of the way first: while it is emptied a new log would be made in it.
    gone = log.parents[3] / "gone"
    log.parents[2].rename(gone)
    shutil.rmtree(gone)


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
@pytest.mark.parametrize(
    "takes_away", [delete, replace_by_a_file, replace_by_a_link, remove_the_folders], ids=lambda act: act.__name__
)
def test_the_file_is_taken_away(
    takes_away: Callable[[Path], None], ring_dir: str, speaker_program: Path, folder: Path
) -> None:
    """While it is written to: what was in it is gone with it, everything else is in the new one."""
    output, aside = folder / "out", folder / "aside"
    with speaking(
        speaker_program, folder / "own", {"output_dir": str(output), "ring_dir": ring_dir}, threads=2
    ) as speaker:
        speaker.log(10)
        assert speaker.flush()["code"] == 0
        # Another name of the same file, so that the test can look at what was in it.
        aside.hardlink_to(log_path(output))
        speaker.send("log 1500 60 200")
        size = aside.stat().st_size
        wait_until(lambda: aside.stat().st_size > size, 10, "the file grows")
        takes_away(log_path(output))
        assert speaker.answer()["dropped"] == 0
        assert speaker.flush()["code"] == 0
        wait_until(lambda: bool(speaker.said()), 5, "it is said")
        if takes_away is remove_the_folders and ring_dir == "shm":
            wait_until(lambda: any(log_path(output).parent.glob(".*.rings")), 5, "the rings have a note again")
        assert speaker.close()["code"] == 0
        said_of(speaker, "the log file was deleted or replaced while it was written to")
        records = read([log_path(output)])
        check(speaker, read([aside]) + [record for record in records if record["event_type"] != "foreign"])
        assert len(records) > 100, "hardly anything is in the new file"
        (gap,) = gaps(records)
        assert (gap["tags"]["lost"], "deleted or replaced" in gap["message"]) == (None, True)


OBSTACLES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "folder": (Path.mkdir, Path.rmdir, "a folder has its place: move that away"),
    "pipe": (os.mkfifo, Path.unlink, "what is there is no regular file: move it away"),
    "device": (lambda path: path.symlink_to("/dev/full"), Path.unlink, "no regular file: move it away"),
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_something_else_has_the_place_of_the_file(what: str, speaker_program: Path, folder: Path) -> None:
    """It is neither written to nor waited for."""
    output = folder / "out"
    log, aside = log_path(output), folder / "aside"
    put, remove, words = OBSTACLES[what]
    with speaking(speaker_program, folder / "own", {**SMALL_RINGS, "output_dir": str(output)}, threads=2) as speaker:
        speaker.log(10)
        assert speaker.flush()["code"] == 0
        log.rename(aside)
        put(log)
        overflow(speaker)
        assert speaker.flush(300)["code"] == 7
        remove(log)
        assert speaker.flush()["code"] == 0
        wait_until(lambda: len(speaker.said()) == 3, 5, f"all is said: {speaker.said()}")
        assert speaker.close()["code"] == 0
        said_of(speaker, words, "writing again", "deleted or replaced")
        records = read([log])
        check(speaker, read([aside]) + records)
        assert {gap["tags"]["lost"] for gap in gaps(records)} == {None, speaker.stats()["dropped"]}


def test_the_lock_file_is_a_link(speaker_program: Path, folder: Path) -> None:
    """Nobody makes us write into a file of their choosing."""
    output, victim = folder / "out", folder / "victim"
    log = log_path(output)
    lock = log.parent / ".generator-node-1.lock"
    victim.write_text("precious")
    with speaking(speaker_program, folder / "own", {**SMALL_RINGS, "output_dir": str(output)}) as speaker:
        speaker.log(10)
        assert speaker.flush()["code"] == 0
        lock.unlink()
        lock.symlink_to(victim)
        overflow(speaker)
        lock.unlink()
        settled(speaker, output, "symbolic link")
        said_of(speaker, f"{lock}: using the lock file: ", "writing again")
        assert "a symbolic link has its place: move that away" in speaker.said()[0]
        assert victim.read_text() == "precious"


# --- a disk that does not answer ---


def test_a_stalled_disk(speaker_program: Path, folder: Path) -> None:
    """For five seconds: nobody waits for it longer than he said he would."""
    disk = folder / "disk"
    with mounts.ext4(disk, folder / "image"):
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out")}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            with mounts.frozen(disk):
                started = time.monotonic()
                overflow(speaker)
                for ms in (0, 300):
                    answer = speaker.flush(ms)
                    assert answer["code"] == 7
                    assert answer["took_us"] < ms * 1000 + 2_000_000, answer
                    assert f"{log_path(disk / 'out')}: flush was not finished" in answer["message"]
                assert speaker.stats()["queued"] > 0
                frozen_for = time.monotonic() - started
                time.sleep(max(0.0, 5 - frozen_for))
            assert frozen_for < 5, "the calls were waiting for the disk"
            settled(speaker, disk / "out", "the writer fell behind")
            said_of(speaker, "records were dropped, because calls were faster than the disk")


def test_who_never_waits_does_not_wait_for_a_stalled_disk(speaker_program: Path, folder: Path) -> None:
    disk = folder / "disk"
    with mounts.ext4(disk, folder / "image"):
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out"), "on_full": "drop", "full_timeout_ms": 60000}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            with mounts.frozen(disk):
                overflow(speaker)
            settled(speaker, disk / "out", "the writer fell behind")


def threads_states(pid: int) -> dict[int, str]:
    """The state letter of each thread of a process."""
    states = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        states[int(task.name)] = (task / "stat").read_text().rpartition(")")[2].split()[0]
    return states


def test_a_program_ends_while_its_disk_is_stalled(speaker_program: Path, folder: Path) -> None:
    """Close returns in time and main ends. The kernel itself keeps the process until the one thread that hangs in it
    is let go: its parent sees the end only then. What was accepted is there after the next one has looked."""
    disk = folder / "disk"
    with mounts.ext4(disk, folder / "image"):
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out")}
        with speaking(speaker_program, folder / "own", settings) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            with mounts.frozen(disk):
                speaker.log(100)
                answer = speaker.close(400)
                assert answer["code"] == 7
                assert answer["took_us"] < 2_400_000, answer
                assert "they stay in their rings, for the next program" in answer["message"]
                speaker.send("exit")
                pid = speaker.process.pid
                wait_until(lambda: threads_states(pid)[pid] == "Z", 5, "main has ended")
                states = sorted(threads_states(pid).values())
                assert states[0] == "D", f"nothing hangs in the kernel: {states}"
                assert set(states) == {"D", "Z"}, states
                assert speaker.process.poll() is None
            assert speaker.process.wait(10) == 0
            drain(disk / "out")
            records = read([log_path(disk / "out")])
            check(speaker, records)
            assert not gaps(records)
            assert not list(log_path(disk / "out").parent.glob(".*.rings"))


# --- a disk that lies ---


@pytest.mark.parametrize("sync", ["interval", "always"])
def test_what_was_written_cannot_be_forced_to_the_disk(sync: str, speaker_program: Path, folder: Path) -> None:
    """The file system lies in a file for which there is no room: what the kernel takes it cannot put down."""
    with mounts.tmpfs(folder / "small", "12M") as small, mounts.ext4(folder / "disk", small / "image", size="64M"):
        output = folder / "disk" / "out"
        settings = {"output_dir": str(output), "sync": sync, "sync_interval_ms": 100}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            mounts.tool("sync", "--file-system", folder / "disk")
            ballast = mounts.fill(small)
            for _ in range(5):
                assert speaker.log(300, fill=1000)["dropped"] == 0, "a call waited for the disk"
                answer = speaker.flush()
                if sync == "always":
                    assert answer["code"] == 3
                    assert "the disk has refused some of them" in answer["message"]
            wait_until(lambda: bool(speaker.said()), 10, "it is said")
            ballast.unlink()
            speaker.log(300)
            wait_until(lambda: len(speaker.said()) == 2, 10, f"all is said: {speaker.said()}")
            assert speaker.flush()["code"] == 0
            # Lost is lost: it is never tried again as if that could help.
            assert speaker.close()["code"] == (3 if sync == "interval" else 0)
            said_of(speaker, "the disk refused lines: ", "lines reach the disk again")
            records = read([log_path(output)])
            check(speaker, records)
            unsynced = [record for record in records if record["event_type"] == "log_unsynced"]
            assert unsynced
            assert all(record["tags"]["file"] == log_path(output).name for record in unsynced), unsynced
