"""A real Loki of a test's own: on free ports of the loopback interface, ready in half a second, gone with the test."""

from __future__ import annotations

import json
import random
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.paths import LOKI, LOKI_CONFIGURATION
from support.process import clean_environment, stop, wait_until

SECOND = 1_000_000_000
HOUR = 3600 * SECOND

# What a page of a query holds at most.
PAGE = 5000


@dataclass(frozen=True)
class Entry:
    """A line as Loki holds it; labels and structured metadata are one mapping in its answers."""

    ns: int
    line: str
    labels: Mapping[str, str] = field(compare=False)


@dataclass
class Loki:
    """One that may be killed and started again in the same folder, on the same ports."""

    folder: Path
    settings: dict[str, str]
    http_port: int
    grpc_port: int
    process: subprocess.Popen[bytes] | None = None
    # How the test itself speaks to one that wants TLS.
    tls: ssl.SSLContext | None = None
    configuration: Path = LOKI_CONFIGURATION

    @property
    def url(self) -> str:
        return f"{'https://localhost' if self.tls else 'http://127.0.0.1'}:{self.http_port}"

    def open(self, request: urllib.request.Request | str) -> Any:
        """The answer to a request; an error status is an OSError."""
        # The environment may name a proxy; nobody on this machine needs one to reach another.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        handlers += [urllib.request.HTTPSHandler(context=self.tls)] if self.tls else []
        return urllib.request.build_opener(*handlers).open(request, timeout=30)

    @property
    def output(self) -> Path:
        """What it says, of all its lives."""
        return self.folder / "loki.log"

    def start(self) -> None:
        """Start it, and wait until it takes pushes and answers queries."""
        environment = clean_environment(
            {
                "LOKI_HTTP_PORT": str(self.http_port),
                "LOKI_GRPC_PORT": str(self.grpc_port),
                "LOKI_FOLDER": str(self.folder / "loki"),
                **self.settings,
            }
        )
        command = [str(LOKI), f"-config.file={self.configuration}", "-config.expand-env=true"]
        with self.output.open("ab") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment)
        self.process = process
        wait_until(lambda: process.poll() is not None or self.is_ready(), 30, "Loki is ready")
        assert process.poll() is None, f"Loki said {self.output.read_text()!r}"

    def is_ready(self) -> bool:
        try:
            return self.get("/ready") == b"ready\n"
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a crash; what it had in memory alone is in its write-ahead log."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            stop(self.process)

    def get(self, path: str, **parameters: str | int) -> bytes:
        """The body of an answer of its HTTP API; an error status is an OSError."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with self.open(f"{self.url}{path}{query}") as answer:
            body: bytes = answer.read()
        return body

    def streams(self) -> int:
        """How many streams are active: not flushed to the store since their last line."""
        found = re.search(r"^loki_ingester_memory_streams\{.*\} (\d+)$", self.get("/metrics").decode(), re.MULTILINE)
        return int(found[1]) if found else 0

    def answer(self, path: str, **parameters: str | int) -> Any:
        """What its HTTP API has to say, as data."""
        return json.loads(self.get(path, **parameters))["data"]

    def push(
        self, stream: Mapping[str, str], values: list[tuple[int, str]], metadata: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Push lines by hand, as JSON, all with the same structured metadata; status and body of the answer."""
        return self.push_streams([(stream, values)], metadata)

    def push_streams(
        self,
        streams: list[tuple[Mapping[str, str], list[tuple[int, str]]]],
        metadata: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """The same with several streams in one request, in their order."""
        entries = [
            {"stream": dict(stream), "values": [[str(ns), line, dict(metadata or {})] for ns, line in values]}
            for stream, values in streams
        ]
        body = json.dumps({"streams": entries}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/loki/api/v1/push", body, headers)
        try:
            with self.open(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def lines(self, selector: str, first_ns: int, last_ns: int) -> list[Entry]:
        """All lines of a query between two times, both included, by time. Pages of one nanosecond are not divided: a
        test with more than 5,000 of those asks the product itself.
        """
        entries: dict[tuple[int, str, str], Entry] = {}
        start = first_ns
        while True:
            window: dict[str, str | int] = {"query": selector, "start": start, "end": last_ns + 1}
            page = self.answer("/loki/api/v1/query_range", **window, limit=PAGE, direction="forward")
            streams: list[dict[str, Any]] = page["result"]
            found = [
                Entry(int(value[0]), value[1], stream["stream"]) for stream in streams for value in stream["values"]
            ]
            for entry in found:
                entries[entry.ns, entry.line, json.dumps(entry.labels, sort_keys=True)] = entry
            if len(found) < PAGE:
                return sorted(entries.values(), key=lambda entry: (entry.ns, entry.line))
            newest = max(entry.ns for entry in found)
            assert newest > start, f"more than {PAGE} lines at {start} ns"
            start = newest


def free_port() -> int:
    """A port that nobody has at the moment, below those that the kernel gives to outgoing connections: nobody gets it
    by chance before a Loki that is started late.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def absent_loki(folder: Path, **settings: str) -> Iterator[Loki]:
    """A Loki that nobody has started yet, with its files below `folder`; `settings` are the variables of loki.yaml."""
    loki = Loki(folder, settings, free_port(), free_port())
    try:
        yield loki
    finally:
        with suppress(ProcessLookupError):
            loki.stop()


@contextmanager
def running_loki(folder: Path, **settings: str) -> Iterator[Loki]:
    """The same, running."""
    with absent_loki(folder, **settings) as loki:
        loki.start()
        yield loki
