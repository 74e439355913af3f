"""Several files, and several processes on one, while Loki goes and comes: one ships, and another when it dies."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from support.clib import Logger, config
from support.delivery import check_accounts, check_equal, files_of, from_level, held, lines_of, pushing
from support.loki import Loki, absent_loki, running_loki
from support.process import wait_until
from support.sampling import sampling
from support.speaker import IDENTITY, Speaker, log_path, speaking
from support.talk import talk, wait_until_grown


@pytest.mark.usefixtures("no_settings")
def test_rotated_files_wait_for_loki_and_go_when_it_has_them(folder: Path) -> None:
    log, archive = folder / "out/r/logs/c-h.jsonl", folder / "archive"
    archive.mkdir()
    rotation = {"log_rotate_bytes": 16 * 1024, "log_backups": 1}

    def keep() -> None:
        """A second name for each file, so that it can be read after its deletion; the live one may be rotated soon."""
        for path in files_of(log):
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                (archive / str(path.stat().st_ino)).hardlink_to(path)

    def is_short() -> bool:
        keep()
        return len(files_of(log)) <= 2

    def is_at_rest() -> bool:
        """Lines of files that are gone are counted no more."""
        keep()
        stats = logger.stats()
        return stats["loki_pending"] == 0 and stats["loki_lines"] == len(lines_of(files_of(log)))

    with (
        absent_loki(folder) as loki,
        Logger(config(folder, jsonl=rotation, loki=pushing(loki))) as logger,
        sampling(logger.stats),
    ):
        for kills in range(2):
            talk(logger, 600, what=f"away {kills}")
            assert logger.stats()["loki_missing"] == 0
            rotated = len(files_of(log)) - 1
            wait_until(lambda: logger.stats()["loki_pending"] >= 400, 20, "lines are counted while Loki is away")
            assert len(files_of(log)) - 1 == rotated >= 5, "a file went that Loki does not have"
            loki.start()
            wait_until(is_short, 30, "surplus files go when Loki has them")
            wait_until(is_at_rest, 30, "Loki has everything")
            if not kills:
                loki.kill()
        logger.close()
        stats = logger.stats()
        assert stats["segments_deleted"] >= 10, stats
        every = {line for line, _ in from_level(lines_of(archive.iterdir()))}
        assert len(every) > 800, "too few to prove anything"
        check_accounts(loki, log, "r", stats, gone=every)
        assert set(held(loki, '{run_id="r"}', every)) == every


def elected(log: Path) -> int | None:
    """The process that ships a log; None while one begins to."""
    text = log.with_name(f".{log.stem}.shipper").read_bytes()
    return json.loads(text)["pid"] if text else None


def wait_for_another(log: Path, dead: int) -> float:
    """How long it took until another process shipped, seconds."""
    began = time.monotonic()
    wait_until(lambda: elected(log) not in {dead, None}, 20, "another process is elected")
    return time.monotonic() - began


def test_when_the_one_that_ships_is_killed_another_takes_over(folder: Path, speaker_program: Path) -> None:
    """Three processes on one file; Loki is killed and started again, and so is the elected one killed, twice."""
    log = log_path(folder / "out")
    with running_loki(folder) as loki, contextlib.ExitStack() as stack:
        settings = {"output_dir": str(folder / "out"), "loki": pushing(loki, flush_interval_ms=20)}
        speakers = [
            stack.enter_context(speaking(speaker_program, folder / f"speaker-{n}", settings, threads=2))
            for n in range(3)
        ]
        for speaker in speakers:
            speaker.send("log 4000 60 1000")
        took = []
        for life in range(2):
            wait_until_grown(log, 100_000)
            (victim,) = [speaker for speaker in speakers if speaker.process.pid == elected(log)]
            if life:
                loki.kill()
            victim.process.kill()
            victim.process.wait()
            took.append(wait_for_another(log, victim.process.pid))
            assert elected(log) in {speaker.process.pid for speaker in speakers}
            speakers.remove(victim)
            if life:
                loki.start()
        print(f"another took over after {took} s")
        # Each looks twice a second; the rest is for a machine that is busy.
        assert max(took) < 5, took
        (last,) = speakers
        answer = last.answer(60)
        assert (answer["accepted"], answer["dropped"]) == (8000, 0), answer
        last.close(20_000)
        judge_the_rest(loki, folder, log)


def judge_the_rest(loki: Loki, folder: Path, log: Path) -> None:
    """A last program has what is left, and the counts are those of all."""
    with Logger({**IDENTITY, "output_dir": str(folder / "out"), "loki": pushing(loki)}) as logger:
        with sampling(logger.stats):
            logger.close(20_000)
        stats = logger.stats()
    check_accounts(loki, log, IDENTITY["run_id"], stats)
    lines = check_equal(loki, log, IDENTITY["run_id"], replayed=stats["loki_replayed"])
    assert (stats["loki_acknowledged"], stats["loki_replayed"]) == (lines, 0), stats


@pytest.mark.parametrize("gap", [0, 3, 10, 30, 100])
def test_workers_that_end_one_behind_the_other_leave_nothing_to_nobody(
    loki: Loki, folder: Path, speaker_program: Path, gap: int
) -> None:
    """The one that ships ends first, and the others so many milliseconds later, with more lines."""
    run_id = f"workers-{gap}"
    log = folder / f"out/{run_id}/logs/generator-node-1.jsonl"
    settings = {"run_id": run_id, "output_dir": str(folder / "out"), "loki": pushing(loki)}
    with contextlib.ExitStack() as stack:
        speakers: list[Speaker] = []
        for n in range(4):
            speakers.append(stack.enter_context(speaking(speaker_program, folder / f"speaker-{n}", settings)))
            speakers[n].log(200)
        wait_until(lambda: elected(log) is not None, 10, "one ships")
        speakers.sort(key=lambda speaker: speaker.process.pid != elected(log))
        speakers[0].send("close 10000")
        time.sleep(gap / 1000)
        for speaker in speakers[1:]:
            speaker.log(20)
        for speaker in speakers[1:]:
            speaker.send("close 10000")
        answers = [speaker.answer() for speaker in speakers]
        assert all(answer["code"] == 0 for answer in answers), answers
    assert check_equal(loki, log, run_id) == 4 * 200 + 3 * 20
