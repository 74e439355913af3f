"""What somebody has to mend before Loki takes lines: they are held, that is said once with what to do, nothing counts
as acknowledged, and it goes on by itself when it is mended. A hold lasts thirty seconds, so all cases wait together.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, needs_openssl
from support.clib import LibraryError, Logger, config
from support.faults import Fault, Proxy, answering, basic, guarded, pass_on, proxy
from support.journal import Journal, journaling
from support.loki import Loki
from support.paths import LB
from support.process import clean_environment, wait_until
from support.saying import Saying

pytestmark = pytest.mark.usefixtures("no_settings")

# Longer than a hold.
MENDED_WITHIN = 45

WRONG, RIGHT = "a-wrong-secret", "the-right-secret"
ON_HTTPS_PORT = "Client sent an HTTP request to an HTTPS server.\n"
NGINX_PAGE = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n"


@dataclass
class Case:
    """What is wrong, and how it is mended while the program runs."""

    name: str
    between: Proxy
    says: tuple[str, ...]
    mend: Callable[[], None]
    settings: Mapping[str, Any]
    # How many requests come until it is mended: none where it fails before.
    tries: int = 1


def of_a_server(between: Proxy, name: str, says: tuple[str, ...]) -> Case:
    """A server that gives a wrong answer until it is mended."""

    def mend() -> None:
        between.fault = pass_on

    return Case(name, between, says, mend, {})


def of_a_file(between: Proxy, name: str, key: str, file: Path, right: str, **settings: str) -> Case:
    """A setting that names a file with the wrong content until it is mended."""

    def mend() -> None:
        file.write_text(right)

    says = ("loki.ca_file",) if key == "ca_file" else (f"loki.{key}", str(file))
    tries = 1 if between.url.startswith("http:") and file.exists() else 0
    return Case(name, between, says, mend, {key: str(file), **settings}, tries)


SERVERS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "200": (answering(200), ("HTTP 200", "only 204 says that lines are stored")),
    "202": (answering(202, "accepted"), ("HTTP 202: accepted", "only 204 says that lines are stored")),
    "260": (answering(260, "ingestion blocked for user 'x'"), ("HTTP 260: ingestion blocked", "blocks ingestion")),
    "403": (answering(403, "forbidden\n"), ("HTTP 403: forbidden", "say who you are: loki.username")),
    "404": (answering(404, "no such page\n"), ("HTTP 404: no such page", "loki.endpoint")),
    "400-https": (answering(400, ON_HTTPS_PORT), ("HTTP 400: Client sent an HTTP request", "loki.endpoint")),
    "400-nginx": (answering(400, NGINX_PAGE), ("HTTP 400: <html>", "loki.endpoint")),
}


@pytest.fixture
def cases(loki: Loki, folder: Path) -> Iterator[list[Case]]:
    """All cases, each with a proxy of its own."""
    with ExitStack() as stack:

        def between(fault: Fault, tls: ssl.SSLContext | None = None) -> Proxy:
            return stack.enter_context(proxy(loki, fault, tls))

        all_of_them = [of_a_server(between(fault), name, says) for name, (fault, says) in SERVERS.items()]

        elsewhere = between(pass_on)
        target = f"{elsewhere.url}/loki/api/v1/push"
        moved = between(answering(301, "", Location=f"{target}?token={WRONG}"))
        all_of_them.append(of_a_server(moved, "301", (f"set loki.endpoint to {target};",)))

        password, token, later = folder / "password", folder / "token", folder / "later"
        password.write_text(WRONG + "\n")
        token.write_text(WRONG + "\n")
        known = guarded(basic("me", RIGHT))
        user = {"username": "me"}
        all_of_them += [
            of_a_file(between(known), "basic", "password_file", password, RIGHT + "\n", **user),
            of_a_file(between(guarded(f"Bearer {RIGHT}")), "bearer", "bearer_token_file", token, RIGHT),
            of_a_file(between(known), "no-file-yet", "password_file", later, RIGHT, **user),
        ]

        server, stranger, trusted = Authority(folder / "server"), Authority(folder / "stranger"), folder / "trusted.pem"
        trusted.write_text(stranger.certificate.read_text())
        tls = server.certify("localhost").serving()
        right = server.certificate.read_text()
        all_of_them.append(of_a_file(between(pass_on, tls), "authority", "ca_file", trusted, right))
        yield all_of_them
        assert not elsewhere.requests, "a redirect was followed"


@needs_openssl
def test_lines_are_held_until_it_is_mended(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str], cases: list[Case]
) -> None:
    saying = Saying(capfd)
    with ExitStack() as stack:

        def journal_of(case: Case) -> Journal:
            return stack.enter_context(journaling(folder, case.name, case.between.url, **case.settings))

        pairs = [(case, journal_of(case)) for case in cases]
        for _, journal in pairs:
            journal.write()
        for case, journal in pairs:
            (said,) = saying.count(journal.log, 1)
            assert f"{case.between.url}/loki/api/v1/push: lines do not get into Loki: " in said, said
            assert said.endswith("; they wait in the file, and it is tried again every 30 s"), said
            assert all(words in said for words in case.says), f"{case.name}: {said}"
        for _, journal in pairs:
            journal.write()
            journal.check_held()
        for case, _ in pairs:
            assert len(case.between.requests) == case.tries, f"{case.name}: {case.between.requests}"
            case.mend()
        for _, journal in pairs:
            journal.settled(MENDED_WITHIN)
            journal.check_delivered(loki)
            told = saying.of(journal.log)
            assert [line.endswith("Loki takes the lines again") for line in told] == [False, True], told
    assert WRONG not in saying.text
    assert RIGHT not in saying.text


@pytest.mark.parametrize("command", ["push", "verify"])
def test_lb_does_not_wait_for_a_file_that_is_missing(loki: Loki, folder: Path, command: str) -> None:
    """Whoever has typed a command is there to mend it."""
    missing = folder / "password"
    with Logger(config(folder)) as logger:
        logger.log(b"a line")
    given = {"LB_LOKI_ENDPOINT": loki.url, "LB_LOKI_USERNAME": "me", "LB_LOKI_PASSWORD_FILE": str(missing)}
    environment = clean_environment({**given, "LB_OUTPUT_DIR": str(folder / "out")})
    asked = [str(LB), command, "r"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done
    assert f"loki.password_file: {missing}: No such file" in done.stderr, done.stderr


def test_a_close_does_not_wait_for_it_and_the_next_program_tries_at_once(
    loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saying = Saying(capfd)
    with proxy(loki, answering(403)) as between:
        for lives in (1, 2):
            with journaling(folder, "next", between.url) as journal:
                journal.write()
                between.wait_for(lives)
                with pytest.raises(LibraryError, match=f"{200 * lives} lines are not in Loki yet") as failed:
                    journal.close()
            assert f"({between.url}/loki/api/v1/push: HTTP 403; say who you are" in failed.value.message
            # The same is not said twice.
            assert (len(between.pushes), len(saying.of(journal.log))) == (lives, 1), saying.text
        between.fault = pass_on
        with journaling(folder, "next", between.url) as journal:
            wait_until(lambda: journal.stats()["loki_acknowledged"] == 400, 20, "the lines of both lives")
