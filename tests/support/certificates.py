"""Certificates of a test's own, made by the program openssl: an authority, and what it signs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: make deps")

# `openssl req -x509` and `openssl x509` cannot say before 3.4 when a certificate begins; `openssl ca` could always.
CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path

    def calling(self, server: Authority) -> ssl.SSLContext:
        """What a client needs to show it to a server whose authority it trusts."""
        context = ssl.create_default_context(cafile=server.certificate)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def serving(self) -> ssl.SSLContext:
        """What a server needs to show it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """One that signs certificates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.certificate, self._folder = folder / "authority.pem", folder
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        (folder / "configuration").write_text(CONFIGURATION.format(folder=folder))
        self._openssl("req", "-x509", *self._new("authority"), "-days", "2", "-out", str(self.certificate))

    def _new(self, name: str) -> list[str]:
        """Options of `openssl req` for a new key and who has it."""
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        return [*curve, "-keyout", str(self._folder / f"{name}.key"), "-subj", f"/CN={name}"]

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, (arguments, done.stderr)

    def certify(self, name: str, *, first: str = "20200101000000Z", last: str = "21000101000000Z") -> Certificate:
        """A certificate for a host's name, from a time to a time."""
        request, certificate = self._folder / f"{name}.csr", self._folder / f"{name}.pem"
        names = ["-addext", f"subjectAltName=DNS:{name}"]
        self._openssl("req", *self._new(name), *names, "-out", str(request))
        own = ["-config", str(self._folder / "configuration"), "-cert", str(self.certificate)]
        own += ["-keyfile", str(self._folder / "authority.key"), "-batch", "-notext"]
        self._openssl("ca", *own, "-startdate", first, "-enddate", last, "-in", str(request), "-out", str(certificate))
        return Certificate(certificate, self._folder / f"{name}.key")
