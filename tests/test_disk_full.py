"""A full disk: the program goes on, counts, says it once, resumes by itself, and leaves a gap record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import mounts
from support.process import wait_until
from support.speaker import LOG, MEMORY, SHM, check, gaps, log_path, read, speaking
from support.trouble import SMALL_RINGS, drain, overflow, said_of, settled


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
def test_a_disk_fills_and_is_freed(ring_dir: str, speaker_program: Path, folder: Path) -> None:
    with mounts.tmpfs(folder / "disk", "1M") as disk:
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out"), "ring_dir": ring_dir}
        with speaking(speaker_program, folder / "own", settings, threads=3) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            assert speaker.stats()["rings_in"] == {"shm": SHM, "log": LOG}[ring_dir]
            ballast = mounts.fill(disk)
            overflow(speaker)
            answer = speaker.flush(300)
            assert answer["code"] == 7
            assert "No space left on device" in answer["message"]
            errors = speaker.stats()["write_errors"]
            for _ in range(20):
                speaker.log(10, pause_us=5000)
            # Asked again twice a second, not for each record.
            assert speaker.stats()["write_errors"] - errors < 20, "the full disk is asked all the time"
            ballast.unlink()
            settled(speaker, disk / "out", "No space left on device")
            said_of(speaker, "No space left on device (os error 28); free some space there", "writing again")
            assert str(log_path(disk / "out")) in speaker.said()[0]


def test_rings_that_find_no_room_are_shared(speaker_program: Path, folder: Path) -> None:
    """Beside the log on a full disk, a thread that comes late has no ring of its own."""
    with mounts.tmpfs(folder / "disk", "1M") as disk:
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out"), "ring_dir": "log"}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            ballast = mounts.fill(disk)
            overflow(speaker)
            assert speaker.stats()["shared"] > 0
            ballast.unlink()
            records = settled(speaker, disk / "out", "No space left on device")
            assert len(records) > 50


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
@pytest.mark.parametrize("there", ["log and lock", "log alone", "nothing"])
def test_the_disk_is_full_at_open(there: str, ring_dir: str, speaker_program: Path, folder: Path) -> None:
    """A file can still be made in a full tmpfs, but not be written to."""
    with mounts.tmpfs(folder / "disk", "1M") as disk:
        output = disk / "out"
        settings = {**SMALL_RINGS, "output_dir": str(output), "ring_dir": ring_dir}
        if there != "nothing":
            with speaking(speaker_program, folder / "before", settings) as speaker:
                speaker.log(20)
                assert speaker.end() == 0
            if there == "log alone":
                (log_path(output).parent / ".generator-node-1.lock").unlink()
        before = log_path(output).read_bytes() if there != "nothing" else b""
        ballast = mounts.fill(disk)
        with speaking(speaker_program, folder / "own", settings) as speaker:
            place = MEMORY if ring_dir == "log" else SHM
            assert speaker.stats()["rings_in"] == place
            overflow(speaker)
            ballast.unlink()
            assert speaker.flush()["code"] == 0
            if ring_dir == "shm":
                # There was no room for the note either; with it the rings are found by whoever comes next.
                notes = log_path(output).parent
                wait_until(lambda: any(notes.glob(".*.rings")), 5, "the rings have a note")
            memory = [f"rings are in plain memory, so a crash may lose the last milliseconds: {output}"]
            full = ["No space left on device (os error 28); free some space there", "writing again"]
            said_of(speaker, *(memory if ring_dir == "log" else []), *full)
            assert speaker.log(20)["dropped"] == 0
            assert speaker.close()["code"] == 0
            content = log_path(output).read_bytes()
            assert content.startswith(before)
            log_path(output).write_bytes(content[len(before) :])
            records = read([log_path(output)])
            check(speaker, records)
            assert sum(gap["tags"]["lost"] for gap in gaps(records)) == speaker.stats()["dropped"]


def test_no_file_can_be_made(speaker_program: Path, folder: Path) -> None:
    """Without room for a name there is no log: open says so, and what to do."""
    with mounts.tmpfs(folder / "disk", "1M,nr_inodes=2") as disk:
        settings = {"output_dir": str(disk / "out")}
        with (
            pytest.raises(AssertionError, match=r"it ended \(3\)"),
            speaking(speaker_program, folder / "own", settings),
        ):
            pass
        (said,) = (folder / "own" / "stderr").read_text().splitlines()
        assert said.startswith(f"open: 3: {disk}/out/"), said
        assert "No space left on device (os error 28); free some space there" in said


@pytest.mark.parametrize("ring_dir", ["shm", "memory"])
def test_a_half_written_block_cannot_be_cut_away(ring_dir: str, speaker_program: Path, folder: Path) -> None:
    """Nor can its neighbour be doubled: what the full disk took is cut away as soon as that is allowed."""
    with mounts.tmpfs(folder / "disk", "1M") as disk:
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out"), "ring_dir": ring_dir}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            ballast = mounts.fill(disk)
            # Room for some lines of a block.
            os.truncate(ballast, ballast.stat().st_size - 16384)
            mounts.only_append(log_path(disk / "out"))
            try:
                overflow(speaker)
                assert not log_path(disk / "out").read_bytes().endswith(b"\n"), "the block ended with a line"
                ballast.unlink()
            finally:
                mounts.only_append(log_path(disk / "out"), on=False)
            settled(speaker, disk / "out", "")
            assert len(speaker.said()) == 2


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_program_ends_while_its_disk_is_full(how: str, speaker_program: Path, folder: Path) -> None:
    """What it could not write, and what it could not tell, is in the file when the next one has looked."""
    with mounts.tmpfs(folder / "disk", "1M") as disk:
        settings = {**SMALL_RINGS, "output_dir": str(disk / "out")}
        with speaking(speaker_program, folder / "own", settings, threads=2) as speaker:
            speaker.log(50)
            assert speaker.flush()["code"] == 0
            ballast = mounts.fill(disk)
            overflow(speaker)
            dropped = speaker.stats()["dropped"]
            if how == "exit":
                answer = speaker.close(300)
                assert answer["code"] == 7
                assert "No space left on device" in answer["message"]
                speaker.send("exit")
                assert speaker.process.wait(10) == 0
            else:
                speaker.process.kill()
                speaker.process.wait(10)
            drain(disk / "out", "free some space there", "nothing was moved; what is left stays there", code=1)
            ballast.unlink()
            drain(disk / "out")
            records = read([log_path(disk / "out")])
            check(speaker, records)
            (gap,) = gaps(records)
            assert gap["tags"]["lost"] == dropped
            assert gap["message"].endswith("a ring was full, and its process ended before it could tell")
            before = log_path(disk / "out").read_bytes()
            drain(disk / "out", "nothing left to move")
            assert log_path(disk / "out").read_bytes() == before
