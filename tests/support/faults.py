"""What can go wrong between a program and Loki: a reverse proxy of a test's own, on a thread of its own, that passes
requests on or breaks them as it is told. What is done to a request is a *fault*; `Proxy.fault` may be changed at any
time and holds from the next request on.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from support.loki import Loki
from support.process import wait_until

HEAD_END = b"\r\n\r\n"
MOST_BYTES = 64 << 20
# What ends a connection in the middle of something: nobody's mistake here.
GONE = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError)


@dataclass(frozen=True)
class Request:
    """A request as it came; the names of its headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_push(self) -> bool:
        return self.method == "POST" and self.target.endswith("/push")


@dataclass(frozen=True)
class Answer:
    """An answer, whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Whatever')}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + HEAD_END + self.body


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The first line of a message, and its headers."""
    head = (await reader.readuntil(HEAD_END)).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    return first, {name.strip().lower(): value.strip() for name, value in pairs}


@dataclass
class Exchange:
    """A request, and what a fault can do with it."""

    request: Request
    writer: asyncio.StreamWriter
    upstream_port: int

    async def upstream(self, body: bytes | None = None) -> Answer:
        """What the server behind answers; `body`: what is passed on of the request's, of which the head tells."""
        request = self.request
        parts = urllib.parse.urlsplit(request.target)
        path = parts._replace(scheme="", netloc="").geturl()
        # With version 1.0 the answer is neither divided nor followed by another.
        lines = [f"{request.method} {path} HTTP/1.0"]
        hop = ("connection", "proxy-authorization", "proxy-connection")
        lines += [f"{name}: {value}" for name, value in request.headers.items() if name not in hop]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        try:
            writer.write("\r\n".join(lines).encode("latin-1") + HEAD_END)
            writer.write(request.body if body is None else body)
            if body is not None:
                writer.write_eof()
            first, headers = await read_head(reader)
            content = await reader.read(MOST_BYTES)
            kept = {name: value for name, value in headers.items() if name in ("content-type", "location")}
            while more := await reader.read(MOST_BYTES):
                content += more
            return Answer(int(first.split(" ")[1]), content, kept)
        finally:
            writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, answer: Answer) -> None:
        await self.send(answer.encoded())

    def hang_up(self) -> None:
        """End the connection as one who has nothing more to say."""
        self.writer.close()

    def reset(self) -> None:
        """End the connection by force: the other side sees a reset."""
        own: socket.socket = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Fault = Callable[[Exchange], Awaitable[None]]


async def pass_on(exchange: Exchange) -> None:
    """No fault at all."""
    await exchange.answer(await exchange.upstream())


def answering(status: int, body: str = "", **headers: str) -> Fault:
    """Answers by itself; the server behind sees nothing."""

    async def fault(exchange: Exchange) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.answer(Answer(status, body.encode(), named))

    return fault


async def never_answer(exchange: Exchange) -> None:
    """Accepts and says nothing; the server behind sees nothing."""
    del exchange
    await asyncio.Event().wait()


async def reset(exchange: Exchange) -> None:
    """Resets the connection; the server behind sees nothing."""
    exchange.reset()


async def cut_request(exchange: Exchange) -> None:
    """The server behind gets half of the body, and nobody its answer."""
    body = exchange.request.body
    with suppress(*GONE):
        await exchange.upstream(body[: len(body) // 2])
    exchange.reset()


async def lose_answer(exchange: Exchange) -> None:
    """Passes on, and resets the connection instead of an answer."""
    await exchange.upstream()
    exchange.reset()


async def half_head(exchange: Exchange) -> None:
    """Passes on, and ends in the middle of the answer's first line."""
    await exchange.upstream()
    await exchange.send(b"HTTP/1.1 204 No Con")
    exchange.hang_up()


async def half_body(exchange: Exchange) -> None:
    """Passes on, and ends in the middle of the answer's body: of a 204, which has none, in the middle of its head."""
    answer = await exchange.upstream()
    encoded = answer.encoded()
    await exchange.send(encoded[: len(encoded) - max(len(answer.body) // 2, 2)])
    exchange.hang_up()


async def half_refusal(exchange: Exchange) -> None:
    """An error of which the body is cut; the server behind sees nothing."""
    encoded = Answer(503, b"the ingester is going away, and so is this text").encoded()
    await exchange.send(encoded[:-20])
    exchange.hang_up()


def slow(seconds: float, then: Fault = pass_on) -> Fault:
    """Lets each request wait."""

    async def fault(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return fault


def pushes(fault: Fault) -> Fault:
    """A fault of pushes alone."""

    async def either(exchange: Exchange) -> None:
        await (fault if exchange.request.is_push else pass_on)(exchange)

    return either


def guarded(authorization: str, then: Fault = pass_on) -> Fault:
    """Asks for an authorization. Who has none or another is told what he said, as careless proxies do."""

    async def fault(exchange: Exchange) -> None:
        said = exchange.request.headers.get("authorization", "nothing")
        if said == authorization:
            await then(exchange)
        else:
            text = f"401 Authorization Required: {said} is not known here"
            await exchange.answer(Answer(401, text.encode(), {"WWW-Authenticate": 'Basic realm="Loki"'}))

    return fault


def basic(user: str, password: str) -> str:
    """The header of a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Proxy:
    """The proxy, listening on a port of the loopback interface. It does three kinds of things with what it gets:
    requests (also those that name a whole URL, as clients of a proxy send them) meet the fault, and CONNECT leads to
    the server behind, whatever host it names.
    """

    def __init__(self, upstream_port: int, fault: Fault = pass_on, tls: ssl.SSLContext | None = None) -> None:
        self.fault = fault
        self.requests: list[Request] = []
        self.port = 0
        self._upstream_port, self._tls = upstream_port, tls
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="faults", daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the proxy does not start"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}"

    @property
    def pushes(self) -> list[Request]:
        """The pushes until now."""
        return [request for request in self.requests if request.is_push]

    def wait_for(self, requests: int, seconds: float = 30) -> None:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.requests) >= requests, seconds, f"{requests} requests")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy does not end"

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls, limit=MOST_BYTES)
        # Handshakes that fail are what some tests want.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        with suppress(*GONE):
            try:
                while not writer.is_closing():
                    first, headers = await read_head(reader)
                    method, target, _ = first.split(" ")
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                    request = Request(method, target, headers, body)
                    self.requests.append(request)
                    if method == "CONNECT":
                        await self._tunnel(reader, writer)
                        return
                    await self.fault(Exchange(request, writer, self._upstream_port))
            finally:
                writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        writer.write(b"HTTP/1.1 200 Connection established" + HEAD_END)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, back), copy(there, writer))


@contextmanager
def proxy(
    loki: Loki, fault: Fault = pass_on, tls: ssl.SSLContext | None = None, upstream_port: int | None = None
) -> Iterator[Proxy]:
    """A proxy in front of a Loki, or of what has another port."""
    running = Proxy(upstream_port or loki.http_port, fault, tls)
    try:
        yield running
    finally:
        running.close()
