"""Nothing is lost, sent twice or quarantined twice at whichever step of shipping a process dies.

Each point of shipping in core/src/failpoint.rs kills a program that ships a log with good lines, some that Loki refuses
for good, and, where the point asks for it, one that was cut behind the offset. Then 1 or 2 others open the log at once,
where there are 2 one of them killed in its turn.
"""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support import cc
from support.delivery import shipped
from support.faults import Proxy, proxy
from support.loki import Loki, running_loki
from support.paths import FAILPOINT_LIBRARY, ROOT, TESTS
from support.process import clean_environment
from support.shipping import Line, finish, judge_end, judge_sent, log_of, quarantined, shipping
from support.speaker import speaking

# Of which Loki takes no lines beyond MOST_BYTES.
MOST_BYTES = 4096
TOO_LONG = 5000
GOOD, BAD = 300, 5
BATCH_LINES = 40
SIDE_BY_SIDE = 14


@dataclasses.dataclass(frozen=True)
class Case:
    """How a point is reached: at which pass, and whether the log is cut before."""

    point: str
    at: int = 1
    # Where the program dies whose successor reaches the point.
    before: str | None = None
    cut: bool = False


CASES = [
    Case("elected"),
    *(Case(f"offset-{step}", at) for step in ("torn", "temporary", "renamed") for at in (1, 2)),
    *(Case("log-forced", at) for at in (1, 2)),
    *(Case(point, at) for point in ("unsent", "answered") for at in (1, 3)),
    Case("looked-up", before="answered@2"),
    Case("quarantine-torn"),
    Case("quarantined"),
    Case("lap-ended"),
    Case("rewound", cut=True),
    Case("looked-up", cut=True),
    Case("offset-renamed", cut=True),
]


def named(point: str) -> str:
    return f"ship-{point}"


def test_each_point_has_its_case() -> None:
    source = (ROOT / "core" / "src" / "failpoint.rs").read_text(encoding="utf-8")
    table = re.findall(r'^    Ship\w+ = "([a-z-]+)",$', source, re.MULTILINE)
    assert len(table) > 10
    assert {named(case.point) for case in CASES} == set(table)


def test_died_at_each_point(folder: Path) -> None:
    """All cases side by side: they mostly wait, and one Loki is enough for them."""
    mortal = cc.build(TESTS / "trouble" / "speaker.c", folder / "mortal", library=FAILPOINT_LIBRARY)
    wrong = []

    def judged(loki: Loki, case: Case, successors: int) -> None:
        with proxy(loki) as between:
            trial = Trial(case, loki, between, mortal, folder, successors)
            try:
                trial.run()
            except AssertionError as error:
                wrong.append(f"{case}, {successors} successors: {error}")

    own = folder / "loki"
    own.mkdir()
    with running_loki(own, LOKI_MAX_LINE=str(MOST_BYTES)) as strict, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        trials = [pool.submit(judged, strict, case, successors) for case in CASES for successors in (1, 2)]
        for trial in trials:
            trial.result()
    assert not wrong, "\n".join(wrong)


class Trial:
    """One death and what comes after it."""

    def __init__(self, case: Case, loki: Loki, between: Proxy, program: Path, folder: Path, successors: int) -> None:
        self.case, self.loki, self.between, self.program = case, loki, between, program
        self.successors = successors
        cut = "-cut" if case.cut else ""
        self.run_id = f"{case.point}-{case.at}{cut}-{successors}"
        self.folder = folder / self.run_id
        self.folder.mkdir()
        self.log = log_of(self.folder, self.run_id)
        block = {"batch_size": BATCH_LINES, "encoding": "json"}
        self.settings = shipping(self.folder, between.url, run_id=self.run_id, loki=block, ring_dir="log")

    def run(self) -> None:
        self.fill({**self.settings, "loki": {}})
        before: list[Line] = []
        if self.case.cut:
            finish(self.settings)
            before = shipped(self.log)
            self.cut()
            self.fill({**self.settings, "loki": {}})
        lost = sorted(set(before) - set(shipped(self.log)))
        assert bool(lost) == self.case.cut
        if self.case.before is not None:
            self.dies(named(self.case.before))
        self.dies(f"{named(self.case.point)}@{self.case.at}")
        self.follow()
        stats = finish(self.settings)
        assert stats["loki_replayed"] == 0
        judge_end(self.loki, self.log, self.run_id, stats, lost=lost)
        refused = quarantined(self.log)
        assert len(refused) >= self.long_lines() > 0
        judge_sent(self.between, [*shipped(self.log), *lost], refused)

    def fill(self, settings: Mapping[str, Any]) -> None:
        """Lines in the file, good ones and some that are too long."""
        with speaking(self.program, self.folder / "fill", settings) as speaker:
            for _ in range(BAD):
                speaker.log(GOOD // BAD, fill=60)
                speaker.log(1, fill=TOO_LONG)
            assert speaker.close()["code"] == 0

    def cut(self) -> None:
        """The machine has crashed: less is in the file than the offset says."""
        with self.log.open("rb+") as file:
            # Within a line.
            file.truncate(self.log.stat().st_size // 2 + 7)

    def long_lines(self) -> int:
        return sum(len(line) > MOST_BYTES for line in self.log.read_bytes().splitlines())

    def start(self, failpoint: str | None) -> subprocess.Popen[bytes]:
        """A program that opens the log and ships what is left, unless it dies of it."""
        own = self.folder / f"page-{failpoint}"
        command = [str(self.program), json.dumps(self.settings), "1", str(own)]
        environment = clean_environment({"FAILPOINT": failpoint} if failpoint else {})
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def dies(self, failpoint: str) -> None:
        process = self.start(failpoint)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{failpoint} was never reached") from None
        finally:
            _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"{failpoint}: {process.returncode}, {said.decode()}"

    def follow(self) -> None:
        """The successors, all at once; the second of two dies in its turn, if it is elected."""
        commands: list[str | None] = [None, f"{named('answered')}@2"][: self.successors]
        processes = [self.start(failpoint) for failpoint in commands]
        for failpoint, process in zip(commands, processes, strict=True):
            # The end of its input is its close, with five seconds for everything.
            _, said = process.communicate(timeout=60)
            allowed = {0, 4} | ({-signal.SIGKILL} if failpoint else set())
            assert process.returncode in allowed, f"{process.returncode}, {said.decode()}"
