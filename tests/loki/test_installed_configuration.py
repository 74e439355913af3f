"""The configuration that `scripts/install-loki-grafana.sh` gives to Loki: it is accepted, and keeps its promises."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping

import pytest

from support.loki import HOUR, PAGE, SECOND, Loki, absent_loki
from support.paths import ROOT

FILLER = "x" * 300


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    folder = tmp_path_factory.mktemp("a folder")
    with absent_loki(folder) as loki:
        ports = ["--loki-port", str(loki.http_port), "--loki-grpc-port", str(loki.grpc_port)]
        printed = subprocess.run(
            [ROOT / "scripts/install-loki-grafana.sh", "--print-loki-config", "--data-dir", folder, *ports],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        loki.configuration = folder / "installed.yaml"
        loki.configuration.write_bytes(printed)
        loki.start()
        yield loki


def count(loki: Loki, selector: str) -> int:
    result = loki.answer("/loki/api/v1/query", query=f"sum(count_over_time({selector}[1h]))")["result"]
    return int(result[0]["value"][1]) if result else 0


def test_all_is_kept_in_the_folder_and_nothing_is_said(installed: Loki) -> None:
    assert {path.name for path in (installed.folder / "loki").iterdir()} >= {"wal", "chunks", "compactor"}
    said = installed.output.read_text()
    assert re.findall(r"level=(?:error|critical)\b.*", said) == []


def test_a_stream_that_is_fast_is_not_divided_so_that_a_204_is_a_proof(installed: Loki) -> None:
    """At 3.5 MB/s a Loki with its defaults loses the line that is too far behind, and answers 204."""
    now = time.time_ns() - 60 * SECOND
    stream = {"run_id": "fast"}
    sent, begun = 0, time.monotonic()
    while sent < 60_000 or time.monotonic() < begun + 2:
        assert installed.push(stream, [(now + sent + n, f"{sent + n} {FILLER}") for n in range(3000)]) == (204, "")
        sent += 3000
    assert sent * len(FILLER) / (time.monotonic() - begun) > 1_500_000, "too slow for Loki to divide anything"
    status, body = installed.push(stream, [(now - 2 * HOUR, "bad"), (now + sent, "good")])
    assert (status, "entry too far behind" in body) == (400, True), body
    window: dict[str, str | int] = {"match[]": '{run_id="fast"}', "start": now - HOUR, "end": now + HOUR // 2}
    assert len(installed.answer("/loki/api/v1/series", **window)) == 1
    assert count(installed, '{run_id="fast"}') == sent + 1


def test_many_streams_are_welcome(installed: Loki) -> None:
    """Loki's own limit is 5,000."""
    now = time.time_ns()
    for first in range(0, 6000, 2000):
        streams: list[tuple[Mapping[str, str], list[tuple[int, str]]]] = [
            ({"run_id": "many", "repetition": str(n)}, [(now, "x")]) for n in range(first, first + 2000)
        ]
        assert installed.push_streams(streams) == (204, "")


def test_runs_of_long_ago_are_taken_and_found(installed: Loki) -> None:
    then = time.time_ns() - 300 * 24 * HOUR
    assert installed.push({"run_id": "old"}, [(then, "old")]) == (204, "")
    assert [entry.line for entry in installed.lines('{run_id="old"}', then, then)] == ["old"]
    # A look at a whole year is no error, as it is with Loki's own limit of a month.
    window: dict[str, str | int] = {"start": then - HOUR, "end": time.time_ns(), "query": '{run_id="old"}'}
    assert len(installed.answer("/loki/api/v1/query_range", **window)["result"]) == 1


def test_a_page_of_long_lines_comes_back(installed: Loki) -> None:
    """It is more than the 4 MiB that are Loki's own limit between its parts."""
    now = time.time_ns() - 60 * SECOND
    for first in range(0, PAGE, 1000):
        values = [(now + n, f"{n} {'y' * 2000}") for n in range(first, first + 1000)]
        assert installed.push({"run_id": "long"}, values) == (204, "")
    window: dict[str, str | int] = {"start": now, "end": now + PAGE, "query": '{run_id="long"}', "limit": PAGE}
    found = installed.answer("/loki/api/v1/query_range", **window)["result"]
    assert sum(len(stream["values"]) for stream in found) == PAGE


def test_its_settings_are_those_that_are_promised(installed: Loki) -> None:
    """What would take hours or gigabytes to see is read from Loki's own account of its configuration."""
    settings = installed.get("/config").decode()
    for setting in (
        "  schema: v13",
        "  store: tsdb",
        "ingestion_rate_mb: 64",
        "per_stream_rate_limit: 64MB",
        "max_global_streams_per_user: 100000",
        "reject_old_samples: false",
        "retention_enabled: true",
        "retention_period: 1y",
        "reporting_enabled: false",
        "grpc_server_max_recv_msg_size: 16777216",
        "grpc_listen_address: 127.0.0.1",
    ):
        assert setting in settings, setting
