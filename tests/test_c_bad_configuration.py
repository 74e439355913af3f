"""What a C program can say wrong when it opens a logger: each mistake is named, and no name leads out of its folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import clib
from support.clib import LibraryError, Logger, config
from support.paths import TESTS
from support.process import clean_environment
from support.records import read_log

pytestmark = pytest.mark.usefixtures("no_settings")


def refused(what: dict[str, Any] | bytes) -> LibraryError:
    with pytest.raises(LibraryError) as caught, Logger(what):
        pass
    return caught.value


def test_an_unknown_key_names_itself_its_source_and_the_nearest(folder: Path) -> None:
    error = refused(config(folder, ring_byte=4096))
    assert error.code == clib.CONFIG
    assert "ring_byte" in error.message
    assert "ring_bytes" in error.message


def test_an_unknown_key_of_a_file(folder: Path) -> None:
    file = folder / "lb.toml"
    file.write_text("workloat = 'x'\n", encoding="utf-8")
    for error in (refused(config(folder, config=str(file))), refused(config(folder))):
        assert error.code == clib.CONFIG
        assert "workloat" in error.message
        assert "lb.toml" in error.message
        assert "workload" in error.message.replace("workloat", "")


def test_an_unknown_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LB_REPETITON", "2")
    try:
        with Logger(config(folder)) as logger:
            warnings = " ".join(logger.config()["warnings"])
    except LibraryError as error:
        warnings = error.message
    assert "LB_REPETITON" in warnings
    assert "LB_REPETITION" in warnings


@pytest.mark.parametrize("value", [0, -1, 1.5, "x", True, None, 2**64])
def test_an_impossible_repetition(value: Any, folder: Path) -> None:
    error = refused(config(folder, repetition=value)) if value is not None else None
    if error is not None:
        assert error.code == clib.CONFIG
        assert "repetition" in error.message


def test_an_impossible_repetition_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LB_REPETITION", "0")
    error = refused(config(folder))
    assert error.code == clib.CONFIG
    assert "LB_REPETITION" in error.message


def test_all_mistakes_at_once(folder: Path) -> None:
    error = refused(config(folder, repetition=0, ring_byte=1, min_level="LOUD"))
    assert all(word in error.message for word in ("repetition", "ring_byte", "min_level", "LOUD"))


@pytest.mark.parametrize("raw", [b"[]", b"{", b"\xff", b"null", b'{"component":"a","component":"b"', b"7"])
def test_a_configuration_that_is_no_object(raw: bytes) -> None:
    error = refused(raw)
    assert error.code in (clib.CONFIG, clib.ARGUMENT)
    assert error.message


def test_a_folder_that_is_a_file(folder: Path) -> None:
    (folder / "out").write_text("a file", encoding="utf-8")
    error = refused(config(folder))
    assert error.code == clib.IO
    assert str(folder / "out") in error.message


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """Root may write anywhere: another user opens the log, in a process of its own."""
    forbidden = folder / "forbidden"
    forbidden.mkdir(mode=0o755)
    folder.chmod(0o755)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from support.clib import *\n"
        "lib = library(); uid = int(sys.argv[3])\n"
        "import os\n"
        "if uid: os.setgroups([]); os.setgid(uid); os.setuid(uid)\n"
        "try: Logger({'output_dir': sys.argv[2], 'run_id': 'r'})\n"
        "except LibraryError as error: print(error.code, error.message)\n"
    )
    uid = "65534" if os.geteuid() == 0 else "0"
    if uid == "0":
        forbidden.chmod(0o555)
    command = [sys.executable, "-c", program, str(TESTS), str(forbidden), uid]
    environment = clean_environment({"HOME": "/nonexistent"})
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{clib.IO} "), done.stdout + done.stderr
    assert str(forbidden) in done.stdout


@pytest.mark.parametrize(
    "component", ["../../etc/x", "/etc/x", "..", ".", ".hidden", "-rf", "a\\b", "x" * 300, "a\nb", "ü", "a b", "%00"]
)
def test_a_component_never_leaves_its_folder(component: str, folder: Path) -> None:
    """Any name becomes a safe file name; the record keeps what was said."""
    with Logger(config(folder, component=component)) as logger:
        path = Path(logger.config()["path"])
        logger.log(b"hello")
    assert path.parent == folder / "out" / "r" / "logs"
    assert not path.name.startswith((".", "-"))
    assert len(path.name.encode()) <= 255
    (record,) = read_log(path)
    assert record["component"] == component


@pytest.mark.parametrize("host", ["x.000001", "x.jsonl", "x.gz", "x.quarantined"])
def test_a_host_that_ends_like_one_of_our_suffixes(host: str, folder: Path) -> None:
    """Its log is not taken for a segment or side file of another's."""
    with Logger(config(folder, host=host)) as odd, Logger(config(folder, host="x")) as plain:
        paths = [Path(logger.config()["path"]) for logger in (odd, plain)]
        odd.log(b"odd")
        plain.log(b"plain")
    assert paths[1].name == "c-x.jsonl"
    assert re.fullmatch(r"c-.+~[0-9a-f]{8}\.jsonl", paths[0].name)
    assert [[record["message"] for record in read_log(path)] for path in paths] == [["odd"], ["plain"]]


def test_a_hyphen_does_not_join_two_identities(folder: Path) -> None:
    identities = [("k6-a", "b"), ("k6", "a-b")]
    paths = []
    for component, host in identities:
        with Logger(config(folder, component=component, host=host)) as logger:
            paths.append(Path(logger.config()["path"]))
            logger.log(b"here")
    assert paths[0] != paths[1]
    found = [read_log(path) for path in paths]
    assert [[(record["component"], record["host"]) for record in records] for records in found] == [
        [identity] for identity in identities
    ]


@pytest.mark.parametrize("key", ["component", "host", "run_id", "workload", "scenario", "package", "plugin", "phase"])
def test_an_empty_name_is_refused(key: str, folder: Path) -> None:
    error = refused(config(folder, **{key: ""}))
    assert error.code == clib.CONFIG
    assert key in error.message


def test_names_that_collide_when_sanitised_do_not_share_a_file(folder: Path) -> None:
    paths = set()
    for component in ("a/b", "a_b", "a\\b", "a-b", "a b"):
        with Logger(config(folder, component=component)) as logger:
            paths.add(logger.config()["path"])
            logger.log(component.encode())
    assert len(paths) == 5
