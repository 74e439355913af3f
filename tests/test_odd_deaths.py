"""Nothing accepted is lost by odd deaths: of one among forked processes, of a program that becomes another, in
namespaces, over a reboot, with the folder gone, and of a process with several cores."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.campaign import THREADS, Campaign, build_program, run
from support.namespaces import after_reboot, needs_namespaces, private_shm
from support.paths import FAILPOINT_LB, FAILPOINT_LIBRARY, LB, SHARED_LIBRARY, TESTS
from support.process import clean_environment, wait_until
from support.records import Record, parse_bytes
from support.sidefiles import judge_side_files, ring_files

# A living sibling looks each second.
SOON = 4.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program with four logging threads, with points where it can be killed."""
    return build_program(tmp_path_factory.mktemp("odd") / "crash", FAILPOINT_LIBRARY)


@contextmanager
def odd(campaign: Campaign, mode: str, *more: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The Python program odd.py, and the words of the first line that it says."""
    command = [sys.executable, str(TESTS / "crash" / "odd.py"), mode, campaign.config, str(campaign.page(1)), *more]
    environment = clean_environment({"PYTHONPATH": str(TESTS)})
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()
        finally:
            # Whatever it has forked belongs to its session.
            if process.poll() is None or mode in ("fork", "pool"):
                os.killpg(process.pid, signal.SIGKILL)


def settled(campaign: Campaign) -> None:
    """Nobody writes any more: all is in the log, nothing lies about."""
    campaign.accept(1)
    campaign.drain()
    campaign.check()
    judge_side_files(campaign.log)


def all_log(campaign: Campaign, threads: int) -> None:
    """Wait until so many threads log."""

    def logging() -> bool:
        campaign.accept(1)
        return all(campaign.accepted[1, thread] > 0 for thread in range(threads))

    wait_until(logging, 5, "all log")


def kill_with_full_rings(campaign: Campaign, pid: int, threads: Sequence[int]) -> None:
    """Kill a process while the log is locked and something is in its rings."""
    with campaign.locked():
        campaign.accept(1)
        before = dict(campaign.accepted)

        def more() -> bool:
            campaign.accept(1)
            return all(campaign.accepted[1, thread] > before[1, thread] + 20 for thread in threads)

        wait_until(more, 5, "it logs on")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), 5, "it is dead")
        campaign.accept(1)
        assert not any(campaign.in_file(1, thread) for thread in threads), "its rings were empty"


def alive(pid: int) -> bool:
    """Whether a thread of a process is there and no zombie: the first may be one before the others let go of files."""

    def lives(task: Path) -> bool:
        try:
            return task.joinpath("stat").read_text(encoding="ascii").rsplit(") ", 1)[1][0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return any(lives(task) for task in Path(f"/proc/{pid}/task").glob("*"))


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
def test_a_parent_is_killed_and_its_child_lives(ring_dir: str, folder: Path) -> None:
    campaign = Campaign(Path(), folder, ring_dir=ring_dir)
    with odd(campaign, "fork") as (process, (child,)):
        all_log(campaign, 2)
        kill_with_full_rings(campaign, process.pid, [0])
        wait_until(lambda: campaign.in_file(1, 0), SOON, "the child moves its parent's records")
        said = campaign.accepted[1, 1]
        campaign.accept(1)
        assert alive(int(child))
        assert campaign.accepted[1, 1] > said, "the child does not log any more"
        kill_with_full_rings(campaign, int(child), [1])
    settled(campaign)


def test_a_worker_is_killed_and_its_siblings_live(folder: Path) -> None:
    campaign = Campaign(Path(), folder)
    with odd(campaign, "pool") as (process, workers):
        all_log(campaign, THREADS)
        kill_with_full_rings(campaign, int(workers[1]), [2])
        wait_until(lambda: campaign.in_file(1, 2), SOON, "a sibling moves its records")
        # The parent goes, too: two workers are left.
        kill_with_full_rings(campaign, process.pid, [0])
        wait_until(lambda: campaign.in_file(1, 0), SOON, "a worker moves its parent's records")
        for worker in (workers[0], workers[2]):
            os.kill(int(worker), signal.SIGKILL)
            wait_until(lambda worker=worker: not alive(int(worker)), 5, "it is dead")  # type: ignore[misc]
    settled(campaign)


def test_a_program_becomes_another(folder: Path) -> None:
    """Same pid, same start: only the locks tell that the first one is gone."""
    campaign = Campaign(Path(), folder)
    with odd(campaign, "exec") as (process, _):
        began = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()[21]
        assert process.stdin is not None
        with campaign.locked():
            process.stdin.write("go on\n")
            process.stdin.flush()
            command = Path(f"/proc/{process.pid}/cmdline")
            wait_until(lambda: command.read_bytes().endswith(b"\0again\0"), 5, "it is another program")
            campaign.accept(1)
            assert campaign.accepted[1, 0] == 350
            assert not campaign.in_file(1, 0), "its rings were empty"
        wait_until(lambda: campaign.in_file(1, 0), SOON, "the new program has the old one's records")
        wait_until(lambda: campaign.page(1).read_bytes()[64:72] > bytes(8), 5, "the new program logs")
        assert Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()[21] == began
        kill_with_full_rings(campaign, process.pid, [1])
    settled(campaign)


def unreachable(campaign: Campaign, prefix: Sequence[str] = ()) -> list[str]:
    """The notes that `lb status` names because their rings cannot be reached."""
    command = [*prefix, str(LB), "status", campaign.log.parent.parent.name, "--output-dir", str(campaign.output)]
    done = run([*command, "--format", "json"])
    assert done.returncode in (0, 1), done.stderr
    (log,) = json.loads(done.stdout)["logs"]
    assert log["gone"] == [], "nothing is lost"
    named: list[str] = log["unreachable"]
    assert all(name.split(": ")[0] in done.stderr for name in named), "a person is told, too"
    return named


@needs_namespaces
def test_rings_that_the_other_cannot_reach(program: Path, folder: Path) -> None:
    """Two in pid and mount namespaces of their own on one folder; one of them dies with an append in the file that its
    rings do not know of."""
    campaign = Campaign(program, folder, lb=FAILPOINT_LB, ring_dir="shm")
    with ExitStack() as stack:
        here, there = (stack.enter_context(private_shm()) for _ in range(2))
        for prefix, point in ((here, "written@5"), (there, "prepared@9")):
            campaign.prefix = prefix
            session, process = campaign.start(5, 500, environment={"FAILPOINT": point})
            _, said = process.communicate(timeout=20)
            assert process.returncode == 128 + signal.SIGKILL, said
            campaign.accept(session)
        assert len(list(campaign.log.parent.glob(".*.rings"))) == 2

        assert len(unreachable(campaign)) == 2
        assert len(unreachable(campaign, there)) == 1
        assert all(campaign.in_file(2, thread) for thread in range(THREADS))
        assert len(unreachable(campaign)) == 1
        run([*there, *campaign.open_command])
        assert len(unreachable(campaign, here)) == 0
        assert all(campaign.in_file(1, thread) for thread in range(THREADS))
        assert run([*here, "sh", "-c", "ls /dev/shm"]).stdout == ""
        assert run([*there, "sh", "-c", "ls /dev/shm"]).stdout == ""
    campaign.check()
    judge_side_files(campaign.log)


@needs_namespaces
def test_others_mounts_do_not_make_an_orphan(program: Path, folder: Path) -> None:
    """One whose log's folder is mounted for itself alone, and whose note is gone, shares /dev/shm with us: its folder
    does not exist here, and its rings stay for those who see it."""
    hidden = folder / "hidden"
    hidden.mkdir()
    campaign = Campaign(program, hidden, ring_dir="shm")
    script = 'mount -t tmpfs tmpfs "$1" && shift && exec "$@"'
    campaign.prefix = ["unshare", "--mount", "sh", "-c", script, "sh", str(hidden)]
    campaign.died(*campaign.start(5, 500, environment={"FAILPOINT": "prepared@5"}))
    (rings,) = ring_files(campaign.log)
    try:
        assert run([str(LB), "drain", str(folder)]).returncode in (0, 1)
        assert ring_files(campaign.log) == [rings], "rings of a log that we cannot see were taken away"
    finally:
        rings.unlink()


@needs_namespaces
@pytest.mark.parametrize("command", ["drain", "open"])
@pytest.mark.parametrize("ring_dir", ["shm", "log"])
def test_another_boot(ring_dir: str, command: str, program: Path, folder: Path) -> None:
    """The machine goes down while an append is under way, and the disk has kept half a line of it."""
    campaign = Campaign(program, folder, lb=FAILPOINT_LB, ring_dir=ring_dir)
    campaign.died(*campaign.start(5, 500, environment={"FAILPOINT": "written-half@9"}))
    (rings,) = ring_files(campaign.log)
    if ring_dir == "shm":
        rings.unlink()
    content = campaign.log.read_bytes()
    cut = content.rindex(b"\n", 0, len(content) * 3 // 4) + 40
    os.truncate(campaign.log, cut)
    boot = folder / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    after = run(after_reboot({"drain": campaign.drain_command, "open": campaign.open_command}[command], boot))
    assert after.returncode == (1 if command == "drain" else 0), after.stderr
    assert "the machine was restarted" in after.stderr
    lines = campaign.check(lossy=True, gaps=True)
    assert lines - 1 == content[:cut].count(b"\n"), "whole lines that the disk had kept"
    (gap,) = campaign.gaps
    assert gap["tags"]["lost"] is None
    assert "the machine was restarted" in gap["message"]
    judge_side_files(campaign.log)
    campaign.died(*campaign.start(5, 500, environment={"FAILPOINT": "written-half@9"}))
    campaign.drain()
    assert campaign.check(lossy=True, gaps=True) > lines
    assert campaign.in_file(2, 0)


def numbers(records: list[Record], thread: int) -> list[int]:
    """The numbers of a thread of session 1, gap records left out."""
    logged = [record["message"].split(" ") for record in records if record["event_type"] == "log"]
    return [int(words[2]) for words in logged if words[:2] == ["1", str(thread)]]


@pytest.mark.parametrize("ring_dir", ["shm", "log"])
def test_the_folder_is_deleted_under_a_living_process(ring_dir: str, program: Path, folder: Path) -> None:
    campaign = Campaign(program, folder, ring_dir=ring_dir)
    session, process = campaign.start(1, 1000)
    wait_until(lambda: campaign.log.exists() and campaign.log.stat().st_size > 1000, 5, "it logs")
    # Not file by file: it would make new ones meanwhile.
    campaign.log.parent.rename(folder / "away")
    shutil.rmtree(folder / "away")
    wait_until(lambda: campaign.log.exists() and b'"log_gap"' in campaign.log.read_bytes(), 5, "a new file, and a gap")
    if ring_dir == "shm":
        wait_until(lambda: any(campaign.log.parent.glob(".*.rings")), SOON, "its note is made anew")
    campaign.kill(session, process)
    campaign.drain()
    records = parse_bytes(campaign.log.read_bytes())
    gaps = [record for record in records if record["event_type"] == "log_gap"]
    assert "the log file was deleted or replaced" in gaps[0]["message"]
    for thread in range(THREADS):
        found = numbers(records, thread)
        assert found == list(range(found[0], found[0] + len(found))), "lost, doubled or out of order"
        if ring_dir == "shm":
            assert campaign.accepted[session, thread] <= found[-1]
    judge_side_files(campaign.log)


def test_the_folder_is_deleted_behind_a_dead_process(program: Path, folder: Path) -> None:
    campaign = Campaign(program, folder, ring_dir="shm")
    campaign.died(*campaign.start(5, 300, environment={"FAILPOINT": "prepared@5"}))
    assert len(ring_files(campaign.log)) == 1
    shutil.rmtree(campaign.output)
    (folder / "elsewhere").mkdir()
    assert run([str(LB), "drain", str(folder / "elsewhere")]).returncode in (0, 1)
    wait_until(lambda: not ring_files(campaign.log), 5, "its rings are swept")
    assert not campaign.output.exists(), "a deleted folder is not made anew for the dead"


@pytest.mark.parametrize("copy", [False, True], ids=["one library", "two copies"])
def test_two_cores_on_one_log(copy: bool, folder: Path) -> None:
    campaign = Campaign(Path(), folder)
    other = ""
    if copy:
        other = str(folder / "another-liblb_log.so")
        shutil.copy(SHARED_LIBRARY, other)
    with odd(campaign, "several", other) as (process, _):
        wait_until(lambda: len(list(campaign.log.parent.glob(".*.rings"))) == 2, 5, "both are open")
        kill_with_full_rings(campaign, process.pid, [0, 1])
    settled(campaign)


def test_two_cores_on_two_logs(folder: Path) -> None:
    campaign = Campaign(Path(), folder)
    (folder / "second").mkdir()
    second = Campaign(Path(), folder / "second")
    with odd(campaign, "several", second.config) as (process, _):
        kill_with_full_rings(campaign, process.pid, [0])
    settled(campaign)
    (folder / "page-1-other").rename(second.page(1))
    settled(second)
    assert second.accepted[1, 0] > 20
