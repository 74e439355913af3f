"""TLS on the way to Loki: whom we do not trust gets no line, and why, and which key to set, is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, Certificate, needs_openssl
from support.clib import LibraryError, Logger, config
from support.delivery import check_equal
from support.faults import proxy
from support.journal import journaling
from support.loki import Loki, absent_loki
from support.saying import Saying

pytestmark = [pytest.mark.usefixtures("no_settings"), needs_openssl]


@dataclass
class Certificates:
    """Who is who."""

    authority: Authority
    stranger: Authority
    good: Certificate
    expired: Certificate
    wrong_name: Certificate


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger, past = (Authority(folder / name) for name in ("authority", "stranger", "past"))
    # An authority's own certificate begins now: one that signed in the past is none the less trusted.
    expired = past.certify("localhost", last="20210101000000Z")
    authority_and_past = authority.certificate.read_text() + past.certificate.read_text()
    authority.certificate.write_text(authority_and_past)
    return Certificates(authority, stranger, authority.certify("localhost"), expired, authority.certify("loki.example"))


@contextmanager
def nothing_but(folder: Path, run_id: str, url: str, saying: Saying, **settings: Any) -> Iterator[list[str]]:
    """A program's life in which Loki gets nothing; what was said of it."""
    told: list[str] = []
    with journaling(folder, run_id, url, **settings) as journal:
        journal.write()
        told += saying.count(journal.log, 1)
        yield told
        journal.check_held()
        with pytest.raises(LibraryError, match="200 lines are not in Loki yet"):
            journal.close()
    assert saying.of(journal.log) == told


def then_delivered(loki: Loki, folder: Path, run_id: str, url: str, **settings: Any) -> None:
    """The next program has the right settings, and Loki gets everything."""
    with journaling(folder, run_id, url, **settings) as journal:
        # The file has the lines of the program before.
        journal.messages = [f"{number} of {run_id}" for number in range(200)]
        journal.write()
        journal.close(20_000)
        stats = journal.stats()
        assert (stats["loki_acknowledged"], stats["loki_pending"]) == (400, 0), stats
        journal.check_file()
        assert check_equal(loki, journal.log, run_id) == 400


@pytest.mark.parametrize(
    ("name", "reason", "advice"),
    [
        ("unknown", "invalid peer certificate: UnknownIssuer", "set loki.ca_file to the certificate of the authority"),
        ("stranger", "invalid peer certificate: BadSignature", "set loki.ca_file to the certificate of the authority"),
        ("expired", "certificate expired", "renew the certificate of the server"),
        ("wrong-name", 'only valid for DnsName("loki.example")', "take a name into loki.endpoint that the certificate"),
    ],
)
def test_whom_we_do_not_trust_gets_nothing(
    loki: Loki,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    certificates: Certificates,
    name: str,
    reason: str,
    advice: str,
) -> None:
    shown = {"expired": certificates.expired, "wrong-name": certificates.wrong_name}.get(name, certificates.good)
    trusted = {"unknown": None, "stranger": certificates.stranger}.get(name, certificates.authority)
    settings = {} if trusted is None else {"ca_file": str(trusted.certificate)}
    saying = Saying(capfd)
    with proxy(loki, tls=shown.serving()) as between:
        with nothing_but(folder, name, between.url, saying, **settings) as told:
            assert f" {between.url}/loki/api/v1/push: lines do not get into Loki: " in told[0], told
            assert reason in told[0], told
            assert f"; {advice}" in told[0], told
        assert not between.requests
    with proxy(loki, tls=certificates.good.serving()) as mended:
        # The offset belongs to the URL: what another one has is not asked.
        then_delivered(loki, folder, name, mended.url, ca_file=str(certificates.authority.certificate))


def test_a_server_that_wants_our_certificate(
    folder: Path, capfd: pytest.CaptureFixture[str], certificates: Certificates
) -> None:
    """A Loki that asks for certificates itself."""
    clients, saying = certificates.stranger, Saying(capfd)
    me = clients.certify("me")
    tls = {"LOKI_TLS_CERTIFICATE": str(certificates.good.certificate), "LOKI_TLS_KEY": str(certificates.good.key)}
    asks = {"LOKI_TLS_CLIENTS": str(clients.certificate), "LOKI_TLS_ASKS": "RequireAndVerifyClientCert"}
    ours = {"ca_file": str(certificates.authority.certificate)}
    others = {"cert_file": str(certificates.good.certificate), "key_file": str(certificates.good.key)}
    with absent_loki(folder, **tls, **asks) as loki:
        loki.tls = me.calling(certificates.authority)
        loki.start()
        for run_id, settings in (("without", ours), ("another", {**ours, **others})):
            with nothing_but(folder, run_id, loki.url, saying, **settings) as told:
                assert f" {loki.url}/loki/api/v1/push: lines do not get into Loki: " in told[0], told
                assert "the server refuses us: set loki.cert_file and loki.key_file to" in told[0], told
            then_delivered(loki, folder, run_id, loki.url, **ours, cert_file=str(me.certificate), key_file=str(me.key))


def test_certificates_that_are_not_looked_at(loki: Loki, folder: Path, certificates: Certificates) -> None:
    """It works whatever is wrong, and whoever asks for the configuration is warned."""
    for name, shown in (("skipped-1", certificates.wrong_name), ("skipped-2", certificates.expired)):
        with (
            proxy(loki, tls=shown.serving()) as between,
            journaling(folder, name, between.url, insecure_skip_verify=True) as journal,
        ):
            journal.write()
            journal.settled()
            journal.check_delivered(loki)
            (warning,) = journal.logger.config()["warnings"]
            assert warning.startswith("loki.insecure_skip_verify (argument): any certificate is accepted"), warning


def test_a_server_that_speaks_no_tls(loki: Loki, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saying, url = Saying(capfd), loki.url.replace("http:", "https:")
    with nothing_but(folder, "no-tls", url, saying) as told:
        assert f" {url}/loki/api/v1/push: " in told[0], told
        assert "that is no TLS: does loki.endpoint have to begin with http://" in told[0], told
    then_delivered(loki, folder, "no-tls", loki.url)


def test_files_that_hold_no_certificate(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Named with their key, and what is in them is not shown."""
    saying, empty = Saying(capfd), folder / "empty.pem"
    empty.write_text("a secret that is no certificate")
    for run_id, settings in (
        ("ca", {"ca_file": str(empty)}),
        ("missing", {"ca_file": str(folder / "missing.pem")}),
        ("own", {"cert_file": str(empty), "key_file": str(empty)}),
    ):
        with nothing_but(folder, run_id, "https://localhost:1", saying, **settings) as told:
            assert " https://localhost:1/loki/api/v1/push: lines do not get into Loki: loki." in told[0], told
            assert str(folder / ("missing.pem" if run_id == "missing" else "empty.pem")) in told[0], told
    assert "a secret" not in saying.text


def test_what_a_logger_says_of_a_key_without_its_certificate(folder: Path) -> None:
    with pytest.raises(LibraryError, match=r"loki\.key_file: it needs loki\.cert_file too"):
        Logger(config(folder, loki={"endpoint": "https://localhost:1", "key_file": "key.pem"}))
