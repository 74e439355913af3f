"""The demo is run, and interrupted; the page that it ends with bears any file."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import show

DEMO = Path(__file__).resolve().parent / "demo.sh"
README = DEMO.parents[2] / "README.md"


def left_of_group(group: int) -> list[str]:
    """The commands of the processes that are left of a process group."""
    listing = subprocess.run(["ps", "-e", "-o", "pgid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 1) for line in listing.splitlines())
    return [row[1] for row in rows if len(row) == 2 and int(row[0]) == group]


def start_demo(scratch: Path, *options: str) -> subprocess.Popen[str]:
    # What the environment says for other runs must not reach the demo.
    temporary = scratch / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary), "LB_REPETITION": "0", "K6_OUT": "nonsense"}
    return subprocess.Popen(
        [str(DEMO), *options, str(scratch / "runs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def headings(page: str) -> list[str]:
    """What stands in the page whatever the numbers are."""
    lines = (re.sub(r"[─ ]+", " ", line.replace("p95", "")).strip() for line in page.splitlines())
    return [line for line in lines if line and not re.search(r"\d|\.jsonl", line)]


@pytest.mark.timeout(180)
def test_the_demo_shows_what_k6_did_and_leaves_nothing_but_the_log(tmp_path: Path) -> None:
    demo = start_demo(tmp_path)
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    assert left_of_group(demo.pid) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    (copy,) = (tmp_path / "runs-collected").glob("demo-*/logs/k6-*.jsonl.gz")
    (log,) = (tmp_path / "runs").glob("demo-*/logs/k6-*.jsonl")
    assert gzip.decompress(copy.read_bytes()) == log.read_bytes()
    page = output[output.index("The log file") :]
    shown = re.search(r"^```\n(The log file ─.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert shown
    assert headings(page) == headings(shown[1]), "tools/screens.py records README's screens anew"
    for wanted in (
        r"/runs/demo-[0-9-]+/logs/k6-\S+\.jsonl",
        r"\bhttp_req +[1-9]",
        r"\bcheck +[1-9]",
        r"\biteration +[1-9]",
        r"\bmetric_summary +[1-9]",
        r"\brun_start +1\b",
        r"\brun_end +1\b",
        r"reading +browse +[1-9]",
        r"writing +checkout +[1-9]",
        r"[1-9] x +503 GET +payment",
        r"[1-9] x +.*payment went through, of ",
        r"basket 20 is gone",
        r"http_req_failed\{scenario:checkout\} +rate<0.02 +0\.0[3-9]",
        r"orders +counter +sum [1-9]",
        r"basket_items +trend +count [1-9]",
        r"INFO +setup: the shop is at http://127\.0\.0\.1:",
        r"WARNING +basket \d+: the payment failed with 503",
        r"ERROR +the old report is gone:",
        r"INFO +teardown: the shop was open for ",
    ):
        assert re.search(wanted, page), f"{wanted} is not in\n{page}"
    assert "\x1b" not in page
    assert "broken" not in page
    assert [line for line in page.splitlines()[2:] if len(line) > show.WIDTH] == []


@pytest.mark.timeout(180)
def test_the_demo_with_loki_ends_with_a_proof(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--loki")
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    assert left_of_group(demo.pid) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert re.search(r"\bhttp_req +[1-9]", output), output
    proof = output[output.index("$ lb verify") :]
    found = re.search(r"^equal: http://127\S+ holds (\d+) of (\d+) lines from INFO up, in ", proof, re.MULTILINE)
    assert found, proof
    assert found[1] == found[2] != "0", proof


@pytest.mark.timeout(120)
@pytest.mark.parametrize("options", [(), ("--loki",)])
def test_ctrl_c_ends_all_that_the_demo_has_started(tmp_path: Path, options: tuple[str, ...]) -> None:
    demo = start_demo(tmp_path, *options)
    time.sleep(3)
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    assert left_of_group(demo.pid) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def page_of(path: Path, capsys: pytest.CaptureFixture[str], *lines: object) -> str:
    encoded = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    assert show.main([str(path)]) == 0
    return capsys.readouterr().out


def record(event_type: str, **tags: Any) -> dict[str, Any]:
    return {"timestamp": "2026-11-22T10:11:12.123456789Z", "event_type": event_type, "level": "INFO", "tags": tags}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "k6-host.jsonl"


def test_an_empty_file(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "0 lines, 0 bytes" in page_of(log, capsys)


def test_the_page_starts_with_the_file(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(log, capsys, record("log"))
    assert re.search(r"\n.*k6-host\.jsonl\n  1 line, \d+ bytes, 10:11:12 to 10:11:12 UTC\n", page)


def test_lines_that_are_no_records_are_counted(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(log, capsys, b"\xff\xfe", b"[1]", record("log"))
    assert "3 lines" in page
    assert "2 of them broken" in page


def test_records_of_any_shape_are_borne(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = record("http_req", duration_ms="slow", status=None, method={"a": 1})
    assert "4 lines" in page_of(log, capsys, odd, {"event_type": 7, "tags": 3}, record("threshold", value=None), {})


def test_control_characters_do_not_reach_the_terminal(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a?[2Jb c?" in page_of(log, capsys, record("console") | {"message": "a\x1b[2Jb\nc\x07"})


def test_a_file_that_is_not_there_is_named(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show.main([str(log)]) == 2
    assert str(log) in capsys.readouterr().err


def test_percentile_is_the_smallest_value_that_enough_do_not_exceed() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [show.percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50.0, 95.0, 100.0]
    assert show.percentile([3.0], 0.5) == 3.0
    assert show.percentile([], 0.5) is None
