"""An HTTP server that remembers: each request's path and the moment its answer was handed to the kernel."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"


class Ledger:
    """What was asked for, in order, with the time of the answer on the monotonic clock, seconds."""

    def __init__(self) -> None:
        self.url = ""
        self.entries: list[tuple[float, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client goes away."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                writer.write(ANSWER)
                self.entries.append((time.monotonic(), path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextmanager
def running_ledger() -> Iterator[Ledger]:
    """Such a server on a free port of the loopback interface, on a thread of its own."""
    ledger, ready, loop = Ledger(), threading.Event(), asyncio.new_event_loop()

    async def main() -> None:
        server = await asyncio.start_server(ledger.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ledger.url = f"http://127.0.0.1:{port}"
        ready.set()
        await stopped.wait()
        server.close()

    stopped = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10), "the server did not start"
    try:
        yield ledger
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
