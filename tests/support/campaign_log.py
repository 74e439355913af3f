"""A campaign's log as k6 and a runner would write it, made up: as many requests as one likes, in a second or two each
hundred thousand. The figures are drawn, but what they come to is known."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

START = datetime(2026, 11, 22, 10, 0, 0, tzinfo=timezone.utc)
NAMES = ("home", "search", "product page", "basket", "checkout")


@dataclass
class Repetition:
    """What was drawn for one repetition of a workload."""

    workload: str
    number: int
    durations_ms: list[float] = field(default_factory=list)
    failed: int = 0


@dataclass
class CampaignLog:
    """A run: each workload as often as there are repetitions, one after the other."""

    run_id: str = "campaign-1"
    workloads: Sequence[str] = ("reading", "writing")
    repetitions: int = 3
    seconds: float = 60
    per_second: float = 50
    median_ms: float = 20
    seed: int = 1
    drawn: list[Repetition] = field(default_factory=list)

    def repetition(self, workload: str, number: int) -> Repetition:
        """What was drawn for a repetition, once it was written."""
        return next(each for each in self.drawn if (each.workload, each.number) == (workload, number))

    def lines(self) -> Iterator[str]:
        """The lines of k6's log, then those of the runner's."""
        chance = random.Random(self.seed)
        at = 0.0
        for workload in self.workloads:
            for number in range(1, self.repetitions + 1):
                yield from self._repetition(chance, workload, number, at)
                at += self.seconds + 15

    def write(self, folder: Path, name: str = "k6-load-1.jsonl") -> Path:
        """Write the run below a folder of runs."""
        path = folder / self.run_id / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for line in self.lines():
                file.write(line)
        return path

    def line(
        self, seconds: float, level: str, event_type: str, message: str, workload: str, number: int, **more: object
    ) -> str:
        """A record of the runner."""
        record = self._record(
            seconds, level, "runner", "target-1", "lb_runner.engine", message, event_type, workload, number
        )
        return compact({**record, "tags": more} if more else record)

    def _record(
        self,
        seconds: float,
        level: str,
        component: str,
        host: str,
        logger: str,
        message: str,
        event_type: str,
        workload: str,
        number: int,
    ) -> dict[str, object]:
        return {
            "timestamp": timestamp(seconds),
            "level": level,
            "component": component,
            "host": host,
            "run_id": self.run_id,
            "logger": logger,
            "message": message,
            "event_type": event_type,
            "workload": workload,
            "repetition": number,
        }

    def _k6(self, seconds: float, level: str, event_type: str, workload: str, number: int, **tags: object) -> str:
        record = self._record(seconds, level, "k6", "load-1", "k6.run", event_type, event_type, workload, number)
        return compact({**record, "tags": {"instance": f"{workload}-{number}", **tags}})

    def _repetition(self, chance: random.Random, workload: str, number: int, at: float) -> Iterator[str]:
        drawn = Repetition(workload, number)
        self.drawn.append(drawn)
        begin, end = at + 5, at + 5 + self.seconds
        yield self.line(at, "INFO", "phase_start", "setup started", workload, number, phase="setup")
        yield self.line(
            begin - 0.2, "INFO", "phase_end", "setup passed", workload, number, phase="setup", outcome="passed"
        )
        yield self._k6(
            begin, "INFO", "run_start", workload, number, script="shop.js", k6_version="v2.2.0", samples="compact"
        )
        yield self.line(begin, "INFO", "phase_start", "run started", workload, number, phase="run")
        yield from self._requests(chance, drawn, begin)
        yield self.line(end, "INFO", "phase_end", "run passed", workload, number, phase="run", outcome="passed")
        count = len(drawn.durations_ms)
        yield self._k6(
            end,
            "INFO",
            "run_end",
            workload,
            number,
            outcome="passed",
            exit_code=0,
            duration_ms=self.seconds * 1e3,
            http_reqs=count,
        )
        if chance.random() < 0.5:
            yield self.line(
                end + 1,
                "WARNING",
                "log",
                f"CPU is still at {chance.randrange(20, 90)} % after {number * 30} s",
                workload,
                number,
                phase="teardown",
            )
        yield self.line(end + 5, "INFO", "log", "target is clean", workload, number, phase="teardown")

    def _requests(self, chance: random.Random, drawn: Repetition, begin: float) -> Iterator[str]:
        """Each a nanosecond's fraction apart from the next, slower in the last third."""
        count = int(self.seconds * self.per_second)
        speed = chance.uniform(0.93, 1.07) * (1.6 if drawn.workload == "writing" else 1)
        head = (
            f'","level":"%s","component":"k6","host":"load-1","run_id":"{self.run_id}","logger":"k6.metrics",'
            '"message":"GET %s %d",'
            f'"event_type":"http_req","workload":{json.dumps(drawn.workload)},"repetition":{drawn.number},"scenario":"shop",'
            f'"tags":{{"instance":"{drawn.number}","method":"GET","name":"%s","status":%d,"failed":%s,'
        )
        rest = (
            '"duration_ms":%.6f,"blocked_ms":0.001903,"connecting_ms":0.0,"tls_handshaking_ms":0.0,"sending_ms":0.016932,'
            '"waiting_ms":0.311265,"receiving_ms":0.045823,"expected_response":"true","group":"","proto":"HTTP/1.1",'
            '"url":"http://target-1:8080/","team":"shop"}}\n'
        )
        for i in range(count):
            share = i / count
            slow = 1 + 0.8 * max(0.0, share - 0.66) * 3
            ms = self.median_ms * speed * slow * chance.lognormvariate(0, 0.45)
            failed = chance.random() < (0.03 if share > 0.7 else 0.001)
            drawn.durations_ms.append(ms)
            drawn.failed += failed
            name = NAMES[i % len(NAMES)]
            level, status, verdict = ("WARNING", 503, "true") if failed else ("INFO", 200, "false")
            stamp = timestamp(begin + (i + 1) * self.seconds / count)
            yield '{"timestamp":"' + stamp + head % (level, name, status, name, status, verdict) + rest % ms


def compact(record: dict[str, object]) -> str:
    """A record as its line."""
    return json.dumps(record, separators=(",", ":")) + "\n"


def timestamp(seconds: float) -> str:
    """Of a record so long after the beginning."""
    whole, part = divmod(round(seconds * 1e9), 1_000_000_000)
    moment = datetime.fromtimestamp(START.timestamp() + whole, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{part:09d}Z"
