"""`lb collect` from folders of this machine: names, changes between two collections, disks that are full, removal."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support import mounts
from support.collecting import RUN, collect, collected, command, judge, line, lines, manifest, plain, write
from support.paths import LB
from support.process import clean_environment, wait_until
from support.sidefiles import lock_path
from support.speaker import IDENTITY, log_path, speaking


def source(folder: Path) -> Path:
    return folder / "source"


def output(folder: Path) -> Path:
    return folder / "out"


def test_layouts_of_campaigns(folder: Path) -> None:
    """Logs at any depth, segments and quarantined lines; what is not ours stays; a second time fetches nothing."""
    run = source(folder) / RUN
    expected = {}
    for path, content in {
        "logs/controller-c.jsonl": lines(10),
        "node-1/logs/runner-node-1.jsonl": lines(20),
        "node-1/logs/runner-node-1.000001.jsonl": lines(5),
        "node-1/logs/runner-node-1.000012.jsonl": lines(6),
        "node-1/logs/runner-node-1~00c0ffee.jsonl": lines(4),
        "node-1/logs/runner-node-1.quarantined.jsonl": b'{"line":"x","reason":"too old"}\n',
        "node-1/dfaas/logs/k6-node-1.jsonl": lines(30),
        "node-1/dfaas/logs/deep/er/k6-node-2.jsonl": lines(2),
    }.items():
        expected[str(write(run / path, content))] = content
    write(run / "node-1/results.jsonl", b'{"type":"Point"}\n')
    write(run / "run_journal.json", b"{}\n")
    (run / "node-1/loop").symlink_to(run)
    first = collect(output(folder), "--from", source(folder), "--format", "json")
    collected(first)
    report = json.loads(first.stdout)
    assert report["ok"]
    assert {file["outcome"] for file in report["files"]} == {"collected"}
    assert judge(output(folder)) == expected
    names = {path.name for path in (output(folder) / RUN / "logs").iterdir()}
    assert {"runner-node-1.000012.jsonl.gz", "runner-node-1.quarantined.jsonl.gz", "controller-c.jsonl.gz"} <= names

    again = collect(output(folder), "--from", source(folder))
    assert collected(again).endswith("0 files collected, 8 unchanged\n"), again.stderr
    # One changes, and only that is fetched.
    with (run / "logs/controller-c.jsonl").open("ab") as log:
        log.write(lines(3, first=10) + b'{"timestamp":"half')
    changed = collect(output(folder), "--from", source(folder))
    assert collected(changed).endswith("1 file collected, 7 unchanged\n"), changed.stderr
    assert judge(output(folder))[str(run / "logs/controller-c.jsonl")] == lines(13)


def test_same_names_with_different_content_both_survive(folder: Path) -> None:
    contents = {"a": lines(10), "b": lines(10, first=100), "c": lines(10), "d": lines(4)}
    for name, content in contents.items():
        write(folder / name / RUN / "logs/k6-h.jsonl", content)
    collected(collect(output(folder), "--jobs", "1", *(f"--from={folder / name}" for name in "abcd")))
    found = judge(output(folder))
    assert {Path(key).parts[-4]: value for key, value in found.items()} == contents
    paths = {Path(entry["source"]).parts[-4]: entry["path"] for entry in manifest(output(folder))["files"]}
    assert paths["a"] == paths["c"] == "logs/k6-h.jsonl.gz", "the same content has one file"
    assert len(set(paths.values())) == 3, paths

    # Each grows; each goes on under its own name, whoever is first.
    for name in contents:
        contents[name] += lines(1, first=1000 + ord(name))
        (folder / name / RUN / "logs/k6-h.jsonl").write_bytes(contents[name])
    collected(collect(output(folder), *(f"--from={folder / name}" for name in "dcba")))
    found = judge(output(folder))
    assert {Path(key).parts[-4]: value for key, value in found.items()} == contents
    now = {Path(entry["source"]).parts[-4]: entry["path"] for entry in manifest(output(folder))["files"]}
    assert {name: now[name] for name in "bd"} == {name: paths[name] for name in "bd"}


def test_an_existing_file_is_replaced_only_by_a_longer_one_with_the_same_beginning(folder: Path) -> None:
    log = write(source(folder) / RUN / "logs/k6-h.jsonl", lines(50))
    collected(collect(output(folder), "--from", source(folder)))
    (output(folder) / RUN / "manifest.json").unlink()
    logs = output(folder) / RUN / "logs"
    # The manifest is lost: what lies there is looked at.
    collected(collect(output(folder), "--from", source(folder)))
    assert judge(output(folder)) == {str(log): lines(50)}
    # Shorter, then another: both are kept beside what was there. Then one that goes on where two of them end.
    for content, files in ((lines(20), 2), (lines(50, first=7), 3), (lines(60), 2)):
        log.write_bytes(content)
        collected(collect(output(folder), "--from", source(folder)))
        judge(output(folder))
        assert len(list(logs.iterdir())) == files, content[:60]
        newest = max(manifest(output(folder))["files"], key=lambda entry: str(entry["collected_at"]))
        assert plain(output(folder) / RUN / newest["path"]) == content
    assert plain(logs / "k6-h.jsonl.gz") == lines(60)
    # A damaged file, and one that is not ours.
    (logs / "k6-h.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00 cut")
    log.write_bytes(lines(70))
    collected(collect(output(folder), "--from", source(folder)))
    assert (logs / "k6-h.jsonl.gz").read_bytes() == b"\x1f\x8b\x08\x00 cut"


def test_a_log_that_was_rotated_since_leaves_no_second_copy(folder: Path) -> None:
    log = write(source(folder) / RUN / "logs/k6-h.jsonl", lines(50))
    collected(collect(output(folder), "--from", source(folder)))
    with log.open("ab") as file:
        file.write(lines(10, first=50))
    log.rename(log.with_name("k6-h.000001.jsonl"))
    log.write_bytes(lines(5, first=60))
    collected(collect(output(folder), "--from", source(folder)))
    found = judge(output(folder))
    assert found == {str(log): lines(5, first=60), str(log.with_name("k6-h.000001.jsonl")): lines(60)}
    names = {path.name for path in (output(folder) / RUN / "logs").iterdir()}
    assert names == {"k6-h.jsonl.gz", "k6-h.000001.jsonl.gz"}


def hostile_names() -> list[str]:
    """Names that a remote side may have, and that must not lead anywhere."""
    return [
        "-rf.jsonl",
        "--.jsonl",
        "....jsonl",
        "a..b.jsonl",
        " .jsonl",
        "two words.jsonl",
        "line\nbreak.jsonl",
        "tab\tand\r.jsonl",
        "\x1b[2J.jsonl",
        "'quoted' \"twice\" $(touch hacked) `touch hacked` \\.jsonl",
        "*?[a].jsonl",
        "größe-ü.jsonl",
        "x" * 249 + ".jsonl",
        "y" * 242 + ".000001.jsonl",
        "k6-h.jsonl.gz.jsonl",
        "manifest.json.jsonl",
        ".collecting.jsonl",
        "~12345678.jsonl",
    ]


def test_hostile_names_stay_in_the_folder(folder: Path) -> None:
    run = source(folder) / RUN
    expected = {}
    for number, name in enumerate(hostile_names()):
        for place in (run / "logs", run / "-folder with\nbreak" / "..." / name):
            content = lines(3, first=100 * number + len(str(place)))
            expected[str(write(place / name, content))] = content
    (run / "logs/link.jsonl").symlink_to(folder / "elsewhere")
    write(folder / "elsewhere", lines(1))
    os.mkfifo(run / "logs/pipe.jsonl")
    collected(collect(output(folder), "--from", source(folder)))
    found = judge(output(folder))
    assert found == expected
    assert {path.name for path in folder.iterdir()} == {"source", "out", "elsewhere"}
    for path in (output(folder) / RUN / "logs").iterdir():
        assert len(path.name.encode()) <= 255
        assert path.name[0] not in "-.", path.name
        assert ".." not in path.name, path.name
        assert not any(ord(c) < 32 for c in path.name), path.name


@pytest.mark.parametrize("plainly", [False, True])
def test_a_run_is_collected_into_its_own_folder(folder: Path, plainly: bool) -> None:
    content = lines(40)
    log = write(output(folder) / RUN / "logs/k6-h.jsonl", content)
    arguments = ["--no-gzip"] if plainly else []
    for _ in range(2):
        collected(collect(output(folder), "--from", output(folder), *arguments))
        others = [] if plainly else [log.name]
        assert judge(output(folder), others=others) == {str(log): content}
    assert log.read_bytes() == content
    # The other way: what was listed as its own copy is still the source.
    collected(collect(output(folder), "--from", output(folder), *([] if plainly else ["--no-gzip"])))
    assert log.read_bytes() == content
    removed = collect(output(folder), "--from", output(folder), "--remove-source", *arguments)
    assert log.read_bytes() == content, collected(removed, 1)


def test_dead_processes_rings_and_a_run_that_is_still_written(folder: Path, speaker_program: Path) -> None:
    log = log_path(source(folder))
    with speaking(speaker_program, folder / "own", {"output_dir": str(source(folder))}) as speaker:
        speaker.log(1000)
        speaker.flush()
        living = collect(output(folder), "--from", source(folder), run=IDENTITY["run_id"])
        assert "a process writes to it" in collected(living)
        before = judge(output(folder), IDENTITY["run_id"])[str(log)]
        assert before.count(b"\n") == 1000
        speaker.leave_in_rings(log, 1000)
    ended = collect(output(folder), "--from", source(folder), run=IDENTITY["run_id"])
    assert "a process writes" not in collected(ended)
    after = judge(output(folder), IDENTITY["run_id"])[str(log)]
    assert after.startswith(before)
    assert after.count(b"\n") == 2000, "records in the rings of a dead process belong to its log"
    assert after == log.read_bytes()


def test_only_verified_files_are_removed_and_none_that_is_in_use(folder: Path, speaker_program: Path) -> None:
    run = IDENTITY["run_id"]
    log = log_path(source(folder))
    with speaking(speaker_program, folder / "own", {"output_dir": str(source(folder))}) as speaker:
        speaker.log(500)
        speaker.flush()
        said = collected(collect(output(folder), "--from", source(folder), "--remove-source", run=run), 1)
        assert "lives" in said
        assert log.exists()
        speaker.leave_in_rings(log, 100)
    # Files without a lock: nobody knows.
    foreign = write(log.parent / "foreign-h.jsonl", lines(5))
    said = collected(collect(output(folder), "--from", source(folder), "--remove-source", run=run), 1)
    assert "no lock file" in said
    assert not log.exists(), "nobody owns it any more"
    assert foreign.exists()
    assert judge(output(folder), run)[str(log)].count(b"\n") == 600
    assert lock_path(log).exists(), "a lock file is never removed"
    # A copy that was damaged since, at the length it had.
    write(lock_path(foreign), b"")
    entry = next(e for e in manifest(output(folder), run)["files"] if e["source"] == str(foreign))
    copy = output(folder) / run / entry["path"]
    sound = copy.read_bytes()
    copy.write_bytes(sound[:-20] + bytes(20))
    said = collected(collect(output(folder), "--from", source(folder), "--remove-source", run=run), 1)
    assert "damaged" in said
    assert foreign.exists()
    copy.write_bytes(sound)
    collected(collect(output(folder), "--from", source(folder), "--remove-source", run=run))
    assert not foreign.exists()


def test_a_full_disk_here_leaves_nothing_half(folder: Path) -> None:
    # What does not compress.
    noise = b"".join(b'{"timestamp":"' + os.urandom(600).hex().encode() + b'"}\n' for _ in range(4000))
    small, large = lines(20), noise
    write(source(folder) / RUN / "logs/a-h.jsonl", small)
    log = write(source(folder) / RUN / "logs/b-h.jsonl", large)
    with mounts.tmpfs(folder / "full", "1m") as full:
        said = collected(collect(full, "--from", source(folder)), 1)
        assert "free some space" in said
        assert list(judge(full).values()) == [small]
        assert manifest(full)["failed"], "the manifest says what is missing"
        tool = mounts.tool("mount", "-o", "remount,size=20m", full)
        assert tool.returncode == 0
        collected(collect(full, "--from", source(folder)))
        assert judge(full)[str(log)] == large
        assert manifest(full)["failed"] == []


def test_a_dry_run_changes_nothing(folder: Path, speaker_program: Path) -> None:
    log = log_path(source(folder))
    with speaking(speaker_program, folder / "own", {"output_dir": str(source(folder))}) as speaker:
        speaker.leave_in_rings(log, 100)
    before = sorted((path, path.stat().st_mtime_ns) for path in source(folder).rglob("*"))
    done = collect(output(folder), "--from", source(folder), "--dry-run", "--remove-source", run=IDENTITY["run_id"])
    collected(done)
    assert str(log) in done.stdout
    assert "to collect" in done.stdout
    assert not output(folder).exists()
    assert sorted((path, path.stat().st_mtime_ns) for path in source(folder).rglob("*")) == before


def test_bad_input(folder: Path) -> None:
    write(source(folder) / "run-20261122" / "logs/a-h.jsonl", lines(1))
    (source(folder) / "run-empty").mkdir()
    here = ["--from", str(source(folder))]
    for arguments, run, code, said in (
        (here, "run-20261123", 1, "there are run-20261122"),
        (here, "run-empty", 1, "no logs of this run"),
        (["--from", str(folder / "none")], "run-20261122", 1, "no such folder"),
        (["--from=-oProxyCommand=touch hacked"], "r", 2, "no host's name begins with a dash"),
        ([], "r", 2, "--from"),
        (here, "a/b", 2, "by its id"),
        (here, "", 2, "no run's id"),
        ([*here, "--timeout", "0"], "r", 2, "--timeout"),
        ([*here, "--timeout", "nan"], "r", 2, "--timeout"),
        ([*here, "--jobs", "0"], "r", 2, "--jobs"),
        ([*here, "--gzip-level", "10"], "r", 2, "--gzip-level"),
        ([*here, "--gzip-level", "1", "--no-gzip"], "r", 2, "--no-gzip"),
    ):
        done = subprocess.run(
            command(output(folder), *arguments, run=run),
            cwd=folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, said in done.stderr) == (code, True), f"{arguments} {run!r}: {done.stderr}"
        assert not (output(folder) / run).exists() or run == "", "no run comes into being by being asked for"
    assert not (folder / "hacked").exists()


def test_two_collections_at_once(folder: Path) -> None:
    """The second is refused while the first is at work, which it can be seen to be by its lock."""
    write(source(folder) / RUN / "logs/a-h.jsonl", lines(10))
    os.mkfifo(folder / "ssh")
    environment = clean_environment({"LB_COLLECT_SSH": f"cat {folder}/ssh; :"})
    first = subprocess.Popen(
        command(output(folder), "--from", "node:", "--from", source(folder)), env=environment, stderr=subprocess.DEVNULL
    )
    wait_until((output(folder) / RUN / ".collecting").exists, 10, "the first is at work")
    said = collected(collect(output(folder), "--from", source(folder)), 2)
    assert "another collection of this run is at work" in said
    with (folder / "ssh").open("wb"):
        pass
    assert first.wait(20) == 1
    assert len(judge(output(folder))) == 1


def test_numbers_of_a_large_file(folder: Path) -> None:
    """A file of many gzip members is what gunzip and Python make of it, and no larger than gzip -6 makes it."""
    content = lines(150_000, fill=200)
    log = write(source(folder) / RUN / "logs/k6-h.jsonl", content)
    collected(collect(output(folder), "--from", source(folder)))
    assert judge(output(folder)) == {str(log): content}
    copy = output(folder) / RUN / "logs/k6-h.jsonl.gz"
    subprocess.run(["gzip", "--test", str(copy)], check=True)
    theirs = subprocess.run(["gzip", "-6", "-c", str(log)], capture_output=True, check=True).stdout
    assert copy.stat().st_size <= len(theirs) * 1.02, f"{copy.stat().st_size} bytes, gzip -6 makes {len(theirs)}"


def test_the_words_of_the_program(folder: Path) -> None:
    """Data on stdout, everything else on stderr, and quiet when asked to be."""
    write(source(folder) / RUN / "logs/k6-h.jsonl", line(1))
    done = collect(output(folder), "--from", source(folder), "-q")
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].split() == ["FILE", "LINES", "BYTES", "STATE", "SOURCE"]
    assert done.stdout.splitlines()[1].split()[:4] == ["logs/k6-h.jsonl.gz", "1", str(len(line(1))), "collected"]
    write(output(folder) / RUN / "logs/controller-h.jsonl", line(1))
    latest = collect(output(folder), "--from", source(folder), "--format", "json", run="latest")
    assert latest.returncode == 0, "the newest run here is meant"
    assert json.loads(latest.stdout)["run_id"] == RUN
    helped = subprocess.run([str(LB), "collect", "--help"], capture_output=True, text=True, check=True)
    assert "collect-source" not in helped.stdout
