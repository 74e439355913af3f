"""Programs that ship a log to Loki and die of it, and the judgement on what came after them."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.delivery import counted, put_aside, shipped
from support.faults import HEAD_END, Exchange, Proxy, pass_on
from support.loki import HOUR, Loki
from support.paths import TESTS
from support.process import clean_environment
from support.speaker import IDENTITY

# Time in nanoseconds, and bytes.
Line = tuple[int, str]


def shipping(
    folder: Path, url: str, *, run_id: str, loki: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The configuration of a program whose log below a folder is shipped."""
    # What is said twice in a second is shipped at once: more pushes, more places to die at.
    block = {"enabled": True, "endpoint": url, "flush_interval_ms": 100, **(loki or {})}
    return {**IDENTITY, "run_id": run_id, "output_dir": str(folder / "out"), "loki": block, **more}


def log_of(folder: Path, run_id: str) -> Path:
    """The log of such a program."""
    return folder / "out" / run_id / "logs" / "generator-node-1.jsonl"


def finish(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The next program, a process of its own: it opens the log, ships what is left, closes it, and tells its
    statistics.
    """
    command = [sys.executable, str(TESTS / "crash" / "shipper.py"), "finish", json.dumps(dict(settings))]
    environment = clean_environment({"PYTHONPATH": str(TESTS)})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def quarantined(log: Path) -> list[str]:
    """The lines that lie in the quarantine, in order."""
    return [entry["line"] for entry in put_aside(log)]


def judge(loki: Loki, log: Path, run_id: str, *, lost: Sequence[Line] = (), replayed: int = 0) -> list[Line]:
    """Of all lines from INFO up of a log each is in Loki once, or in the quarantine once, and so are those that it has
    `lost` since they were shipped; metric queries count up to `replayed` of them twice. The lines of the log.
    """
    selector = f'{{run_id="{run_id}"}}'
    own = shipped(log)
    lines, refused = sorted([*own, *lost]), quarantined(log)
    assert len(set(refused)) == len(refused), "lines are in the quarantine twice"
    expected = [(ns, line) for ns, line in lines if line not in set(refused)]
    assert len(expected) + len(refused) == len(lines), "the quarantine has lines that no file has"
    first, last = lines[0][0], lines[-1][0]
    found = [(entry.ns, entry.line) for entry in loki.lines(selector, first - HOUR, last + HOUR // 2)]
    missing, more = set(expected) - set(found), set(found) - set(expected)
    assert not missing, f"Loki lacks {len(missing)} of {len(expected)} lines: {sorted(missing)[:3]}"
    assert not more, f"Loki has {len(more)} lines that the files have not: {sorted(more)[:3]}"
    assert found == expected
    twice = counted(loki, selector, first, last) - len(expected)
    assert 0 <= twice <= replayed, f"{twice} of {len(expected)} lines are counted twice, {replayed} may be"
    return own


def judge_end(loki: Loki, log: Path, run_id: str, stats: Mapping[str, Any], *, lost: Sequence[Line] = ()) -> None:
    """The same where the last program had these statistics: they agree with the file and with Loki."""
    lines = judge(loki, log, run_id, lost=lost, replayed=stats["loki_replayed"])
    refused = len({line for _, line in lines}.intersection(quarantined(log)))
    told = tuple(stats[f"loki_{name}"] for name in ("lines", "acknowledged", "quarantined", "pending", "parked"))
    assert told == (len(lines), len(lines) - refused, refused, 0, 0), stats


def judge_sent(between: Proxy, lines: Sequence[Line], refused: Sequence[str] = ()) -> None:
    """Each of these lines was in one push, but for those that Loki has `refused`. Its counts do not tell: it hides what
    comes twice within moments. The pushes are JSON.
    """
    times: Counter[str] = Counter()
    for push in between.pushes:
        (stream,) = json.loads(gzip.decompress(push.body))["streams"]
        times.update(value[1] for value in stream["values"])
    wrong = {line: times[line] for _, line in lines if line not in set(refused) and times[line] != 1}
    assert not wrong, f"{len(wrong)} of {len(lines)} lines were not sent once: {list(wrong.items())[:3]}"


class Stage:
    """A fault that lets the next push come to a certain point, tells the test, and waits there until it is released."""

    def __init__(self, point: str) -> None:
        """`point`: "arriving" (half of the body has gone on to Loki), "arrived" (nothing has, and nothing ever will),
        "held" (nothing has until it is released), "stored" (Loki has answered), "answered" (so has the proxy).
        """
        self.point = point
        self._reached, self._released = threading.Event(), threading.Event()

    async def __call__(self, exchange: Exchange) -> None:
        if not exchange.request.is_push or self._released.is_set():
            await pass_on(exchange)
        elif self.point == "arriving":
            await self._half(exchange)
        elif self.point == "arrived":
            await self._wait()
        elif self.point == "held":
            await self._wait()
            await pass_on(exchange)
        else:
            answer = await exchange.upstream()
            assert answer.status == 204, answer
            if self.point == "stored":
                await self._wait()
            await exchange.answer(answer)
            self._reached.set()

    async def _wait(self) -> None:
        self._reached.set()
        while not self._released.is_set():
            await asyncio.sleep(0.005)

    async def _half(self, exchange: Exchange) -> None:
        request = exchange.request
        _, writer = await asyncio.open_connection("127.0.0.1", exchange.upstream_port)
        head = [f"POST {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
        writer.write("\r\n".join(head).encode() + HEAD_END + request.body[: len(request.body) // 2])
        await writer.drain()
        await self._wait()
        writer.close()

    def reached(self, seconds: float = 30) -> None:
        """Wait until a push is there."""
        assert self._reached.wait(seconds), f"no push has come to be {self.point} within {seconds} s"

    def release(self) -> None:
        """Go on, and let all that follows pass."""
        self._released.set()
