"""Nothing accepted is lost, doubled or cut at whichever step a process dies.

Each point of the table in core/src/failpoint.rs kills a program with four logging threads, or the recovery of one that
was killed before. Then 1, 2 and 8 others recover at once, and again with one of them killed in its turn.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.campaign import Campaign, build_program, run
from support.paths import FAILPOINT_LB, FAILPOINT_LIBRARY, ROOT
from support.process import clean_environment, wait_until
from support.sidefiles import judge_side_files, ring_files

ROTATING = {"jsonl": {"log_rotate_bytes": 65536}}
LOG = "log"
SHM = "shm"


@dataclasses.dataclass(frozen=True)
class Case:
    """How a point is reached. `before`: where the program dies whose recovery reaches it."""

    point: str
    at: int = 1
    before: str | None = None
    rotating: bool = False
    # As the program's arguments have them.
    count: int = 0
    file_limit: int = 0
    # What happens to the files before the point is to be reached.
    cut_line: bool = False
    lose: str | None = None
    stopped_holder: bool = False
    # Where its rings lie; None: in both places.
    ring_dir: str | None = None


APPEND = [Case(point, 5) for point in ("prepared", "note-torn", "noted", "written-half", "written")]
COMMIT = [Case(point, 5) for point in ("finished", "commit-torn", "committed")]
RINGS = [Case("prepared-one", 13), Case("finished-one", 13)]
SETTLE = [
    *(Case(point, before="written-half@5") for point in ("settle-before-cut", "settle-cut", "settled")),
    *(Case(point, before="written@5") for point in ("settle-before-rings", "settle-rings")),
]
FILES = [
    Case("log-made", 2, rotating=True),
    Case("log-adopted", 2, rotating=True),
    Case("log-cut", cut_line=True),
    Case("segment-raised", 2, rotating=True),
    Case("segment-renamed", 2, rotating=True),
    Case("short-cut", file_limit=300_000),
]
LIFE = [
    *(Case(point) for point in ("ring-file-empty", "ring-file-made", "note-temporary", "note-made")),
    Case("note-closed", count=40),
    *(Case(point, stopped_holder=True) for point in ("apart-rings", "apart-noted")),
]
RECOVERY = [
    *(
        Case(f"recovery-{step}", before="prepared@5")
        for step in ("locked", "gathered", "appended", "moved", "note-removed", "forgotten", "done")
    ),
    Case("recovery-gap-told", before="prepared@5", lose="rings"),
    # In /dev/shm another's sweep may come first.
    *(Case(point, before="prepared@5", lose="note", ring_dir=LOG) for point in ("sweep-locked", "sweep-moved")),
]
CASES = [*APPEND, *COMMIT, *RINGS, *SETTLE, *FILES, *LIFE, *RECOVERY]

# Where one of several recoverers dies.
DEATHS = ("recovery-gathered", "written-half", "written", "finished", "recovery-locked", "recovery-note-removed")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that is killed."""
    return build_program(tmp_path_factory.mktemp("failpoints") / "crash", FAILPOINT_LIBRARY)


def test_each_point_has_its_case() -> None:
    source = (ROOT / "core" / "src" / "failpoint.rs").read_text(encoding="utf-8")
    table = re.findall(r'^    \w+ = "([a-z-]+)",$', source, re.MULTILINE)
    assert len(table) > 30
    # Those of shipping are gone through in loki/test_shipping_failpoints.py.
    assert sorted(case.point for case in CASES) == sorted(name for name in table if not name.startswith("ship-"))


def test_an_unknown_point_is_refused(program: Path, folder: Path) -> None:
    done = run(Campaign(program, folder).open_command, {"FAILPOINT": "nowhere"})
    assert done.returncode == -signal.SIGABRT
    assert "nowhere: no such point" in done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.point)
def test_died_at(case: Case, program: Path, folder: Path) -> None:
    variations = [(crowd, killed) for killed in (False, True) for crowd in (1, 2, 8)]

    def judged(number: int) -> None:
        crowd, killed = variations[number]
        place = case.ring_dir or (SHM, LOG)[(number + CASES.index(case)) % 2]
        death = DEATHS[(number + CASES.index(case)) % len(DEATHS)] if killed else None
        try:
            Trial(case, program, folder / f"{crowd}-{killed}", place).run(crowd, death)
        except AssertionError as error:
            raise AssertionError(
                f"{case}, rings in {place}, {crowd} recoverers, one dies at {death}: {error}"
            ) from error

    with ThreadPoolExecutor(len(variations)) as pool:
        list(pool.map(judged, range(len(variations))))


def test_a_living_sibling_goes_on(program: Path, folder: Path) -> None:
    """It finishes what the dead one left, moves its records within about a second, and sees no gap where none is."""
    appending = ("prepared@5", "written-half@5", "written@5", "finished-one@13")
    points = (*appending, "segment-raised", "segment-renamed", "log-made@2")

    def judged(point: str) -> None:
        own = folder / point
        own.mkdir()
        campaign = Campaign(program, own, lb=FAILPOINT_LB, **ROTATING)
        alive, sibling = campaign.start(1, 2000)
        page = campaign.page(alive)
        wait_until(lambda: page.exists() and any(page.read_bytes()), 10, "the sibling logs")
        session, process = campaign.start(5, 300, environment={"FAILPOINT": point})
        campaign.died(session, process)
        wait_until(lambda: len(list(campaign.log.parent.glob(".*.rings"))) == 1, 5, f"{point}: the sibling recovers")
        before = sum(path.stat().st_size for path in campaign.files())
        wait_until(lambda: sum(path.stat().st_size for path in campaign.files()) > before, 5, f"{point}: it goes on")
        campaign.kill(alive, sibling)
        campaign.drain()
        campaign.check()
        judge_side_files(campaign.log)

    with ThreadPoolExecutor(len(points)) as pool:
        list(pool.map(judged, points))


class Trial:
    """One death and what comes after it."""

    def __init__(self, case: Case, program: Path, folder: Path, place: str) -> None:
        folder.mkdir()
        self.case, self.place = case, place
        settings = ROTATING if case.rotating else {}
        rings = {"ring_dir": place, "ring_bytes": 65536, "ring_total_bytes": 8 * 65536}
        self.campaign = Campaign(program, folder, lb=FAILPOINT_LB, **settings, **rings)

    def run(self, crowd: int, death: str | None) -> None:
        case, campaign = self.case, self.campaign
        if case.cut_line:
            campaign.open_and_close()
            with campaign.log.open("ab") as file:
                file.write(b'{"timestamp":"2026-')
        if case.before is None:
            self.program_dies(f"{case.point}@{case.at}")
        else:
            self.program_dies(case.before)
            self.lose()
            recovery = run(campaign.drain_command, {"FAILPOINT": f"{case.point}@{case.at}"})
            assert recovery.returncode == -signal.SIGKILL, f"never reached: {recovery.stdout} {recovery.stderr}"
        self.recover(crowd, death)
        self.judge()

    def program_dies(self, at: str) -> None:
        """A session of the program that dies at a point."""
        campaign, case = self.campaign, self.case
        more = [number for number in (case.count, case.file_limit) if number or case.file_limit]
        if not case.stopped_holder:
            campaign.died(*campaign.start(5, 300, *more, environment={"FAILPOINT": at}))
            return
        campaign.open_and_close()
        session, process = campaign.start(5, 20_000, environment={"FAILPOINT": at})
        page = campaign.page(session)
        while not (page.exists() and any(page.read_bytes())):
            time.sleep(0.005)
        with campaign.locked():
            campaign.died(session, process)

    def lose(self) -> None:
        """The dead one's ring file, or its note, is deleted."""
        if self.case.lose == "rings":
            lost: Iterable[Path] = ring_files(self.campaign.log)
        elif self.case.lose == "note":
            lost = self.campaign.log.parent.glob(".*.rings")
        else:
            return
        (path,) = lost
        path.unlink()

    def recover(self, crowd: int, death: str | None) -> None:
        """So many at once; where one of them dies, another comes behind."""
        campaign = self.campaign
        commands = [(campaign.drain_command, campaign.open_command)[number % 2] for number in range(crowd)]
        processes = []
        for number, command in enumerate(commands):
            environment = {"FAILPOINT": death} if death and number == 0 else {}
            processes.append(
                subprocess.Popen(
                    command, env=clean_environment(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
            )
        for number, process in enumerate(processes):
            said, _ = process.communicate(timeout=30)
            # `lb drain` answers 1 where it has to tell of a problem.
            expected = {0, 1} if number % 2 == 0 else {0}
            if death and number == 0:
                expected = {0, 1, -signal.SIGKILL}
            assert process.returncode in expected, f"recoverer {number}: {process.returncode}, {said.decode()}"
        if death or self.case.stopped_holder:
            # Of two names of a ring file one stays while another's recovery holds it.
            campaign.drain()

    def judge(self) -> None:
        campaign, gone = self.campaign, self.case.lose == "rings"
        campaign.check(lossy=gone, gaps=gone)
        assert bool(campaign.gaps) == gone, campaign.gaps
        if self.case.point == "ring-file-empty":
            self.judge_empty_ring_file()
        for log in [path for path in campaign.files() if path == campaign.log or "~" in path.name]:
            judge_side_files(log)

    def judge_empty_ring_file(self) -> None:
        """It stays as long as it may become a ring file: a minute."""
        if self.place == LOG:
            (empty,) = self.campaign.log.parent.glob(".*.ringdata")
            long_ago = time.time() - 90
            os.utime(empty, (long_ago, long_ago))
            self.campaign.drain()
