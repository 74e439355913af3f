"""What a call costs while Loki is away: dead (a port that nobody listens on), stalled (connections are accepted and
never answered) or refusing (429 at once), beside the same program with Loki off.

5,000 calls a second of one thread, call by call. The shipper has a thread of its own, and what it cannot send stays in
the file: a call must not notice."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.loki import free_port

from benches.loggers import Loggers
from benches.pairs import Aim, Row, Table, alternate, ratios
from benches.setting import Setting

RATE = 5_000
STATES = {"off": "Loki off", "dead": "Loki dead", "stalled": "Loki stalled", "refusing": "Loki refusing"}
# Of a call with Loki off, whichever allows more.
ALLOWED_TIMES, ALLOWED_NS = 1.1, 100


class Refusal(BaseHTTPRequestHandler):
    """429, whatever is asked."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self) -> None:
        Refusal.count += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is said."""


@contextmanager
def refusing() -> Iterator[int]:
    """The port of one that refuses."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
    if not Refusal.count:
        sys.exit("nobody asked the Loki that refuses")


@contextmanager
def stalled() -> Iterator[int]:
    """The port of one that answers nobody: the kernel accepts its connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        yield server.getsockname()[1]
        server.setblocking(False)
        try:
            server.accept()[0].close()
        except BlockingIOError:
            sys.exit("nobody asked the Loki that stalls")


def rows_of(loggers: Loggers) -> list[Row]:
    rows = []
    for state, title in STATES.items():
        for key, what in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"), ("max", "maximum")):
            compared, aim = None, None
            if key == "p99" and state != "off":
                allowed = [max(ALLOWED_TIMES * value, value + ALLOWED_NS) for value in loggers.of("off", key)]
                compared = ratios(loggers.of(state, key), allowed)
                words = f"with {title} the 99th percentile of a call is {{}} of what is allowed, which is "
                words += f"{ALLOWED_TIMES} times or {ALLOWED_NS} ns more than with Loki off"
                aim = Aim(words, at_most=1)
            label = f"{title}, {what}" if key == "p50" else f"  {what}"
            rows.append(Row(label, loggers.nanoseconds(state, key), compared, aim))
    return rows


def run(setting: Setting) -> list[Table]:
    loggers = Loggers(setting)
    rounds, seconds = setting.size(setting.rounds, max(setting.rounds, 9)), setting.size(2, 3)
    with stalled() as nobody, refusing() as refuser:
        ports = {"off": 0, "dead": free_port(), "stalled": nobody, "refusing": refuser}
        variants = []
        for state, port in ports.items():
            loki = {"enabled": state != "off", "endpoint": f"http://127.0.0.1:{port}"}
            measure = partial(loggers.logged, state, "lb", "caller", 1, seconds * RATE, 1, RATE, loki=loki)
            variants.append((state, measure))
        alternate(rounds, variants)
    title = f"A call while Loki is away, {RATE:,} calls a second; p99 over what is allowed"
    return [Table(Setting(setting.quick, rounds, setting.scratch).title(title), rows_of(loggers))]
