"""`lb collect` from hosts, over real sshd: several at once, with what goes wrong there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import mounts
from support.collecting import RUN, collect, collected, command, judge, lines, manifest, plain, write
from support.paths import LB
from support.process import wait_until
from support.speaker import IDENTITY, log_path, speaking
from support.sshd import Site
from test_collect import hostile_names


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Hosts of the test's own."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


def large(path: Path, megabytes: int) -> int:
    """A log of so many megabytes; its bytes."""
    block = lines(60_000, fill=60)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while file.tell() < megabytes << 20:
            file.write(block)
        return file.tell()


def test_one_good_host_beside_one_that_refuses_one_that_hangs_and_one_that_dies(folder: Path, site: Site) -> None:
    good, refusing, hanging, dying = (site.host(name) for name in ("good", "refusing", "hanging", "dying"))
    for host in (good, refusing, hanging, dying):
        write(host.runs / RUN / "logs" / f"k6-{host.name}.jsonl", lines(1000))
    size = large(dying.runs / RUN / "logs/runner-dying.jsonl", 200)
    for host in (good, hanging, dying):
        host.start()
    # The kernel goes on to accept connections for it.
    hanging.signal(signal.SIGSTOP)
    sources = [f"--from={host.name}:" for host in site.hosts]
    output = folder / "out"
    process = subprocess.Popen(
        command(output, *sources, "--timeout", "4"), env=site.environment, text=True, stderr=subprocess.PIPE
    )
    logs = output / RUN / "logs"
    half = size // 400

    def is_under_way() -> bool:
        return any(path.stat().st_size > half for path in logs.glob(".collecting-*"))

    wait_until(is_under_way, 30, "the large file is under way")
    dying.die()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(60) == 1, said
    process.stderr.close()
    there = judge(output)
    assert there[f"good:benchmark_results/{RUN}/logs/k6-good.jsonl"] == lines(1000)
    assert not any("runner-dying" in source for source in there)
    failed = {entry["source"].partition(":")[0]: entry["why"] for entry in manifest(output)["failed"]}
    assert set(failed) == {"refusing", "hanging", "dying"}, failed
    assert "Connection refused; start its ssh server" in failed["refusing"]
    assert "said nothing for 4 s" in failed["hanging"]
    assert "--timeout" in failed["hanging"]
    assert "collect again when it can be reached" in failed["dying"]
    for name, why in failed.items():
        assert f"error: {name}:benchmark_results: {why}" in said

    hanging.signal(signal.SIGCONT)
    refusing.start()
    dying.start()
    again = collect(output, *sources, environment=site.environment)
    collected(again)
    there = judge(output)
    assert {source.split(":")[0] for source in there} == {"good", "refusing", "hanging", "dying"}
    assert len(there[f"dying:benchmark_results/{RUN}/logs/runner-dying.jsonl"]) == size
    assert manifest(output)["failed"] == []
    assert again.stderr.endswith(" unchanged\n"), again.stderr


@pytest.mark.parametrize("has_lb", [False, True])
def test_hostile_names_and_a_talkative_login(folder: Path, site: Site, has_lb: bool) -> None:
    host = site.host("node")
    host.banner = "Welcome!\nB\\0F\\0./x.jsonl\\0001 2\\0001\\0Z\\0lb-collect-0000000000000000\\0\n" * 100
    if has_lb:
        host.with_lb()
    else:
        # Another program of this name, as existing controllers have it.
        script = b'#!/bin/sh\necho "lb 0.67"\n[ "$1" = --version ] || touch ran\n'
        other = write(host.folder / "programs" / "lb", script)
        other.chmod(0o755)
        host.programs = [other.parent]
    host.start()
    run = host.home / "-my runs" / RUN
    expected = {}
    for number, name in enumerate(hostile_names()):
        for place in (run / "logs", run / "-folder with\nbreak" / "..." / name):
            content = lines(3, first=100 * number + len(str(place)))
            path = write(place / name, content).relative_to(host.home)
            expected[f"node:{path}"] = content
    (run / "logs/link.jsonl").symlink_to("/etc/passwd")
    write(run / "logs/.locked.lock", b"")
    write(run / "logs/locked.jsonl", b"")
    expected[f"node:-my runs/{RUN}/logs/locked.jsonl"] = b""
    write(run / "logs/strange.jsonl", b'{"other":1}\n')
    for _ in range(2):
        done = collect(folder / "out", "--from", "node:-my runs", environment=site.environment)
        collected(done)
        assert judge(folder / "out") == expected
    assert "0 files collected" in done.stderr
    assert {path.name for path in folder.iterdir()} == {"out"}
    assert {path.name for path in host.home.iterdir()} == {"-my runs"}, "something ran there"


def test_a_host_that_is_not_known_is_never_trusted_silently(folder: Path, site: Site) -> None:
    host = site.host("stranger", known=False).start()
    write(host.runs / RUN / "logs/k6-h.jsonl", lines(5))
    said = collected(collect(folder / "out", "--from", "stranger", environment=site.environment), 1)
    assert "its host key is not known here: connect once by `ssh stranger`" in said
    assert site.known.read_text() == ""
    assert not (folder / "out" / RUN).exists()
    site.know(host)
    collected(collect(folder / "out", "--from", "stranger", environment=site.environment))
    # Another machine has its place.
    text = site.known.read_text().split()
    site.known.write_text(f"stranger {text[1]} {Path(f'{site.key}.pub').read_text().split()[1]}\n")
    said = collected(collect(folder / "out", "--from", "stranger", environment=site.environment), 1)
    assert "host key is another than before" in said


def test_what_else_ssh_refuses(folder: Path, site: Site) -> None:
    host = site.host("node").start()
    write(host.runs / RUN / "logs/k6-h.jsonl", lines(5))
    site.configuration.write_text(site.configuration.read_text().replace(str(site.key), str(folder / "none")))
    for source, expected in (
        ("node", "`ssh -o BatchMode=yes node true` must work"),
        ("no-such-host.invalid:runs", "check the name"),
    ):
        said = collected(collect(folder / "out", "--from", source, environment=site.environment), 1)
        assert expected in said, said
    missing = {**site.environment, "LB_COLLECT_SSH": "/no/such/ssh"}
    said = collected(collect(folder / "out", "--from", "node", environment=missing), 1)
    assert "/no/such/ssh" in said


def test_runs_that_are_not_there(folder: Path, site: Site) -> None:
    host = site.host("node").start()
    said = collected(collect(folder / "out", "--from", "node", environment=site.environment), 1)
    assert "there is no such folder" in said
    write(host.runs / "run-20261122" / "logs/k6-h.jsonl", lines(5))
    said = collected(collect(folder / "out", "--from", "node", run="run-20261123", environment=site.environment), 1)
    assert "there is no run run-20261123; there are run-20261122" in said


@pytest.mark.parametrize("has_lb", [False, True])
def test_records_in_rings_and_a_run_that_is_still_written(
    folder: Path, site: Site, speaker_program: Path, has_lb: bool
) -> None:
    host = site.host("node")
    (host.with_lb() if has_lb else host).start()
    output, run = folder / "out", IDENTITY["run_id"]
    source = f"node:benchmark_results/{run}/logs/generator-node-1.jsonl"
    with speaking(speaker_program, folder / "own", {"output_dir": str(host.runs)}) as speaker:
        speaker.log(1000)
        speaker.flush()
        done = collect(output, "--from", "node", run=run, environment=site.environment)
        if has_lb:
            assert "a process writes to it" in collected(done)
        else:
            assert "there is no lb" in collected(done, 1)
        before = judge(output, run)[source]
        assert before.count(b"\n") == 1000
        # Whole lines alone: the log grows by half a line, as in the middle of a write.
        with speaker_stopped(speaker.process), log_path(host.runs).open("ab") as log:
            log.write(b'{"timestamp":"half')
            log.flush()
            collect(output, "--from", "node", run=run, environment=site.environment)
            assert judge(output, run)[source] == before
            log.truncate(log.tell() - len(b'{"timestamp":"half'))
        speaker.leave_in_rings(log_path(host.runs), 1000)
    done = collect(output, "--from", "node", run=run, environment=site.environment)
    if not has_lb:
        assert "there is no lb" in collected(done, 1)
        subprocess.run([str(LB), "drain", str(host.runs)], check=True, capture_output=True, env=site.environment)
        done = collect(output, "--from", "node", run=run, environment=site.environment)
    collected(done)
    after = judge(output, run)[source]
    assert after.startswith(before)
    assert after.count(b"\n") == 2000


class speaker_stopped:  # noqa: N801
    """The program does not run, and its log is nobody's to cut."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def __enter__(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)


def test_removal_needs_lb_there_and_the_same_content(folder: Path, site: Site) -> None:
    host = site.host("node").start()
    logs = host.runs / RUN / "logs"
    for name in ("k6-h.jsonl", "k6-h.000001.jsonl", "k6-h.quarantined.jsonl", ".k6-h.lock", "two words.jsonl"):
        write(logs / name, b"" if name.startswith(".") else lines(10, first=len(name)))
    output = folder / "out"
    said = collected(collect(output, "--from", "node", "--remove-source", environment=site.environment), 1)
    assert "there is no lb there" in said
    assert len(list(logs.glob("*.jsonl"))) == 4
    host.die()
    host.with_lb().start()
    done = collect(output, "--from", "node", "--remove-source", "--format", "json", environment=site.environment)
    said = collected(done, 1)
    assert "two words.jsonl: it has no lock file" in said
    assert {path.name for path in logs.iterdir()} == {".k6-h.lock", "two words.jsonl"}
    removed = [Path(source).name for source in json.loads(done.stdout)["removed"]]
    assert removed == ["k6-h.000001.jsonl", "k6-h.jsonl", "k6-h.quarantined.jsonl"]
    assert len(judge(output)) == 4


def test_a_full_disk_there_is_no_obstacle(folder: Path, site: Site) -> None:
    host = site.host("node")
    host.with_lb().start()
    with mounts.tmpfs(host.runs, "2m") as full:
        content = lines(1000)
        write(full / RUN / "logs/k6-h.jsonl", content)
        write(full / RUN / "logs/.k6-h.lock", b"")
        with (full / "filler").open("wb") as filler:
            try:
                while filler.write(bytes(65536)):
                    filler.flush()
            except OSError:
                pass
        collect(folder / "out", "--from", "node", environment=site.environment)
        assert list(judge(folder / "out").values()) == [content]


def test_files_that_are_rotated_while_they_are_collected(folder: Path, site: Site, speaker_program: Path) -> None:
    """A log that rotates all the time, beside collections: each leaves whole files alone, the last one everything."""
    host = site.host("node")
    host.with_lb().start()
    output, run = folder / "out", IDENTITY["run_id"]
    settings = {"output_dir": str(host.runs), "jsonl": {"log_rotate_bytes": 1 << 20}}
    with speaking(speaker_program, folder / "own", settings) as speaker:
        speaker.send("log 60000 200 20")
        while not speaker.has_answer():
            done = collect(output, "--from", "node", run=run, environment=site.environment)
            assert done.returncode in (0, 1), done.stderr
            if (output / run).exists():
                judge(output, run)
        speaker.answer()
        speaker.close()
    collected(collect(output, "--from", "node", run=run, environment=site.environment))
    found = judge(output, run)
    records = [json.loads(line)["message"].split()[1] for content in found.values() for line in content.splitlines()]
    assert len(found) > 5, "it was to rotate"
    assert sorted(map(int, records)) == sorted(speaker.accepted()[0]), "each record once"


def test_a_shared_connection_and_jobs(folder: Path, site: Site) -> None:
    """ControlMaster with ControlPersist: its background process must not hold us up."""
    host = site.host("node").start()
    write(host.runs / RUN / "logs/k6-h.jsonl", lines(5))
    with site.configuration.open("a") as file:
        file.write(f"Host *\n  ControlMaster auto\n  ControlPath {site.folder}/%n.sock\n  ControlPersist 30\n")
    try:
        for jobs in ("1", "3"):
            began = time.monotonic()
            sources = ["--from", "node", "--from", "node:./benchmark_results", "--from", f"node:{host.runs}"]
            done = collect(folder / "out", *sources, "--jobs", jobs, environment=site.environment)
            collected(done)
            assert time.monotonic() - began < 25, "it waited for the shared connection to end"
        assert len(judge(folder / "out")) == 3
        assert len(list((folder / "out" / RUN / "logs").iterdir())) == 1, "the same file three times is one"
    finally:
        subprocess.run(["ssh", "-F", str(site.configuration), "-O", "exit", "node"], check=False, capture_output=True)
    assert plain(folder / "out" / RUN / "logs/k6-h.jsonl.gz") == lines(5)
