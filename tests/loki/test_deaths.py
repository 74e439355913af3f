"""A program that ships is killed: nothing is lost, and nothing is in Loki twice."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from support import k6
from support.campaign import Campaign, build_program
from support.delivery import check_equal, shipped
from support.faults import pass_on, proxy
from support.ledger import running_ledger
from support.loki import Loki
from support.process import wait_until
from support.shipping import Stage, finish, judge_end, judge_sent, log_of, shipping
from support.speaker import speaking

PUSH_BYTES = 512 * 1024


@pytest.mark.parametrize("point", ["arriving", "arrived", "stored", "answered"])
def test_killed_around_a_push_of_512_kib(point: str, loki: Loki, speaker_program: Path, folder: Path) -> None:
    """Before Loki has anything of it, with half of it there, behind Loki's answer, and behind ours."""
    run_id = f"push-{point}"
    log = log_of(folder, run_id)
    with proxy(loki) as between:
        settings = shipping(folder, between.url, run_id=run_id)
        with speaking(speaker_program, folder / "first", {**settings, "loki": {}}) as speaker:
            while not log.exists() or log.stat().st_size < PUSH_BYTES:
                speaker.log(100, fill=150)
                speaker.flush()
            assert speaker.close()["code"] == 0
        stage = Stage(point)
        between.fault = stage
        with speaking(speaker_program, folder / "second", settings) as speaker:
            stage.reached()
            speaker.process.kill()
            speaker.process.wait(10)
        (push,) = between.pushes
        stage.release()
        between.fault = pass_on
        stats = finish(settings)
        assert stats["loki_replayed"] == 0
        judge_end(loki, log, run_id, stats)
        # It was in one push, and what Loki has stored was looked up and not sent again.
        again = [request for request in between.pushes if request is not push]
        assert [len(request.body) for request in again] == ([] if point in ("stored", "answered") else [len(push.body)])
        questions = [request for request in between.requests if not request.is_push]
        assert questions or point == "answered"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program with four logging threads."""
    return build_program(tmp_path_factory.mktemp("deaths") / "crash")


def test_killed_again_and_again_among_several(loki: Loki, program: Path, folder: Path) -> None:
    """Three programs on one log, of which one is killed at a random moment, and another comes."""
    rounds = int(os.environ.get("TEST_SHIPPING_KILLS", "8"))
    rng = random.Random(os.environ.get("TEST_SEED", "7"))
    run_id = "crash-1"
    with proxy(loki) as between:
        block = {"enabled": True, "endpoint": between.url, "flush_interval_ms": 50, "encoding": "json"}
        campaign = Campaign(program, folder, loki=block)
        running = [campaign.start(3, 100_000) for _ in range(3)]
        for _ in range(rounds):
            time.sleep(rng.uniform(0, 1.0))
            campaign.kill(*running.pop(rng.randrange(len(running))))
            running.append(campaign.start(3, 100_000))
        for session, process in running:
            campaign.kill(session, process)
        stats = finish(json.loads(campaign.config))
    campaign.check()
    assert stats["loki_replayed"] == 0
    judge_end(loki, campaign.log, run_id, stats)
    judge_sent(between, shipped(campaign.log))
    assert stats["loki_lines"] > 10 * rounds, "that was no load"


def test_k6_is_killed_while_it_ships(loki: Loki, folder: Path) -> None:
    """Three times; what each left is shipped by the next, and by a program at the end."""
    run_id = "k6-killed"
    log = folder / "out" / run_id / "logs" / f"k6-{k6.HOST}.jsonl"
    rng = random.Random(os.environ.get("TEST_SEED", "7"))
    with proxy(loki) as between, running_ledger() as ledger:
        extra_environment = {"LB_LOKI_FLUSH_INTERVAL_MS": "100"}
        extra = ["--tag", f"run_id={run_id}", "--rps", "300"]
        samples = f"compact,{between.url}"
        command = k6.arguments(
            "crash.js", folder, None, samples=samples, extra=extra, script_environment={"TARGET": ledger.url}
        )
        for _ in range(3):
            before = len(between.pushes)
            process = k6.start(command, folder, extra_environment)
            wait_until(lambda before=before: len(between.pushes) > before, 30, "k6 ships")  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.5))
            process.kill()
            assert process.wait() == -signal.SIGKILL, (folder / "stderr").read_text(encoding="utf-8")
        block = {"enabled": True, "endpoint": between.url}
        identity = {"component": "k6", "host": k6.HOST, "run_id": run_id}
        stats = finish({**identity, "output_dir": str(folder / "out"), "loki": block})
    assert (stats["loki_pending"], stats["loki_replayed"]) == (0, 0), stats
    assert check_equal(loki, log, run_id) == stats["loki_acknowledged"]


def test_the_one_that_ships_is_stopped_for_a_while(loki: Loki, speaker_program: Path, folder: Path) -> None:
    """In the middle of a push. The other one logs on; when the first goes on, everything arrives once."""
    run_id = "stopped"
    log = log_of(folder, run_id)
    stage = Stage("stored")
    with proxy(loki, stage) as between:
        settings = shipping(folder, between.url, run_id=run_id, loki={"timeout_seconds": 1.0})
        with (
            speaking(speaker_program, folder / "one", settings) as one,
            speaking(speaker_program, folder / "two", settings) as two,
        ):
            one.log(50)
            stage.reached()
            card = json.loads(log.with_name(".generator-node-1.shipper").read_text(encoding="utf-8"))
            elected, other = (one, two) if card["pid"] == one.process.pid else (two, one)
            elected.process.send_signal(signal.SIGSTOP)
            for _ in range(10):
                answer = other.log(100, pause_us=1000)
                assert answer["dropped"] == 0, answer
                assert other.flush(5000)["code"] == 0
            assert len(between.pushes) == 1
            stage.release()
            elected.process.send_signal(signal.SIGCONT)
            wait_until(lambda: elected.stats()["loki_acknowledged"] == 1050, 30, "it goes on")
            assert other.close(20_000)["code"] == 0
            assert elected.close(20_000)["code"] == 0, elected.said()
        stats = finish(settings)
    assert stats["loki_replayed"] == 0
    judge_end(loki, log, run_id, stats)
