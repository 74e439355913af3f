"""What a request passes and what it carries: proxies that the environment names, the tenant, headers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, needs_openssl
from support.clib import LibraryError
from support.delivery import check_equal
from support.faults import Fault, basic, guarded, pass_on, proxy
from support.journal import journaling
from support.loki import Loki, free_port, running_loki
from support.speaker import check, read, speaking


def spoken(
    program: Path, folder: Path, run_id: str, endpoint: str, environment: Mapping[str, str], **settings: Any
) -> Path:
    """A program in an environment logs, and all of it is delivered; its log."""
    configuration = {
        "run_id": run_id,
        "output_dir": str(folder / "out"),
        "loki": {"enabled": True, "endpoint": endpoint, **settings},
    }
    with speaking(program, folder / f"own-{run_id}", configuration, environment=environment) as speaker:
        speaker.log(100)
        closed = speaker.close(10_000)
        log = folder / "out" / run_id / "logs" / "generator-node-1.jsonl"
        assert closed["code"] == 0, (closed, speaker.said())
        assert not speaker.said()
        check(speaker, read([log]))
    return log


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_the_environment_names_is_used(loki: Loki, folder: Path, speaker_program: Path, name: str) -> None:
    """Only the proxy knows where loki.test is."""
    with proxy(loki) as between:
        log = spoken(speaker_program, folder, name, "http://loki.test", {name: between.url})
        assert {request.target for request in between.pushes} == {"http://loki.test/loki/api/v1/push"}
    assert check_equal(loki, log, name) == 100


def test_a_proxy_with_a_password(loki: Loki, folder: Path, speaker_program: Path) -> None:
    with proxy(loki) as between:
        url = between.url.replace("//", "//me:proxy-secret@")
        log = spoken(speaker_program, folder, "password", "http://loki.test", {"HTTP_PROXY": url})
        said = {request.headers["proxy-authorization"] for request in between.requests}
        assert said == {basic("me", "proxy-secret")}
    assert check_equal(loki, log, "password") == 100


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_for_those_that_the_environment_names(
    loki: Loki, folder: Path, speaker_program: Path, name: str
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    log = spoken(speaker_program, folder, name, loki.url, {"HTTP_PROXY": nobody, name: "127.0.0.1,loki.test"})
    assert check_equal(loki, log, name) == 100


@needs_openssl
def test_a_proxy_for_https_is_a_tunnel(loki: Loki, folder: Path, speaker_program: Path) -> None:
    """It sees nothing of what passes."""
    authority = Authority(folder / "authority")
    tls = authority.certify("loki.test").serving()
    with proxy(loki, tls=tls) as server, proxy(loki, upstream_port=server.port) as tunnel:
        log = spoken(
            speaker_program,
            folder,
            "tunnel",
            "https://loki.test",
            {"HTTPS_PROXY": tunnel.url},
            ca_file=str(authority.certificate),
        )
        assert {(request.method, request.target) for request in tunnel.requests} == {("CONNECT", "loki.test:443")}
        assert server.pushes
    assert check_equal(loki, log, "tunnel") == 100


@pytest.mark.usefixtures("no_settings")
def test_tenants_are_kept_apart(folder: Path) -> None:
    """A Loki with tenants: each has its own lines."""
    with running_loki(folder, LOKI_AUTH="true") as loki:
        for tenant in ("one", "two"):
            with proxy(loki) as between, journaling(folder, f"of-{tenant}", between.url, tenant=tenant) as journal:
                journal.write(50)
                journal.settled()
                assert {request.headers["x-scope-orgid"] for request in between.requests} == {tenant}
        with journaling(folder, "of-nobody", loki.url) as journal:
            journal.write(50)
            journal.check_held()
            with pytest.raises(LibraryError, match="HTTP 401: no org id; say who you are"):
                journal.close()


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"username": "me", "password": "pass word"}, {"authorization": basic("me", "pass word")}),
        ({"bearer_token": "a-token"}, {"authorization": "Bearer a-token"}),
        ({"headers": {"X-Team": "a b", "x-more": "1"}, "tenant": "t"}, {"x-team": "a b", "x-more": "1"}),
        ({"encoding": "json"}, {"content-type": "application/json", "content-encoding": "gzip"}),
    ],
    ids=["basic", "bearer", "headers", "json"],
)
def test_headers_arrive(loki: Loki, folder: Path, settings: dict[str, Any], expected: dict[str, str]) -> None:
    run_id = "-".join(settings)
    authorization = expected.get("authorization")
    fault: Fault = guarded(authorization) if authorization else pass_on
    with proxy(loki, fault) as between, journaling(folder, run_id, between.url, **settings) as journal:
        journal.write()
        journal.settled()
        journal.check_delivered(loki)
        for request in between.pushes:
            assert expected.items() <= request.headers.items(), request


@pytest.mark.usefixtures("no_settings")
def test_who_stands_in_the_url(loki: Loki, folder: Path) -> None:
    with proxy(loki, guarded(basic("me", "p@ss:word"))) as between:
        url = between.url.replace("//", "//me:p%40ss%3Aword@")
        with journaling(folder, "in-the-url", url) as journal:
            journal.write()
            journal.settled()
            journal.check_delivered(loki)
