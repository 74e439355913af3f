"""Which streams a campaign makes, from which level up, and in which encoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import k6
from support.clib import Logger, config
from support.delivery import (
    check_accounts,
    check_counted_once,
    check_equal,
    from_level,
    held,
    lines_of,
    pushing,
    shipped,
)
from support.loki import HOUR, Loki
from support.process import Target
from support.records import Record
from support.sampling import sampling
from support.talk import talk, wait_until_delivered

SCRIPT = """
import { check } from 'k6';
import http from 'k6/http';

export const options = { vus: 1, iterations: 2 };

export default function () {
  check(http.get(`${__ENV.TARGET}/`), { 'never true': () => false });
  console.log('an iteration');
}
"""

WORKLOADS, REPETITIONS = ("browse", "buy", "search"), (1, 2, 3, 4)


def test_a_campaign_makes_two_streams_for_each_component_workload_and_repetition(
    loki: Loki, folder: Path, target: Target, no_settings: None
) -> None:
    """k6, one process for each repetition of each workload, and beside it a component that runs all the time."""
    del no_settings
    script = folder / "script.js"
    script.write_text(SCRIPT, encoding="utf-8")
    run_id = "campaign"
    settings = config(folder, run_id=run_id, component="runner", host=k6.HOST)
    with Logger({**settings, "loki": pushing(loki)}) as logger, sampling(logger.stats):
        for repetition in REPETITIONS:
            running = []
            for workload in WORKLOADS:
                own = folder / f"{workload}-{repetition}"
                own.mkdir()
                tags = {"run_id": run_id, "workload": workload, "repetition": repetition}
                extra = [part for name, value in tags.items() for part in ("--tag", f"{name}={value}")]
                command = k6.arguments(script, own, target, samples=f"compact,{loki.url}", extra=extra)
                started = k6.start(command, own, {"LB_OUTPUT_DIR": str(folder / "out")})
                running.append((started, command, own))
                context = logger.context({"workload": workload, "repetition": repetition})
                logger.log(b"a repetition begins", context=context)
            for process, command, own in running:
                assert k6.finished(process, command, own).exit_code == 0
        wait_until_delivered(logger)
        logger.close()
    # k6 on k6's file: who ends first leaves the rest to the next one.
    with Logger({**settings, "component": "k6", "loki": pushing(loki)}) as logger, sampling(logger.stats):
        logger.close(20_000)
        check_accounts(loki, folder / f"out/{run_id}/logs/k6-{k6.HOST}.jsonl", run_id, logger.stats(), gone=Anything())

    logs = sorted((folder / f"out/{run_id}/logs").glob("[!.]*.jsonl"))
    assert [log.name for log in logs] == [f"k6-{k6.HOST}.jsonl", f"runner-{k6.HOST}.jsonl"]
    wanted = from_level(lines_of(logs))
    lines = [line for line, _ in wanted]
    assert held(loki, f'{{run_id="{run_id}"}}', lines) == lines
    check_counted_once(loki, f'{{run_id="{run_id}"}}', lines)
    window: dict[str, str | int] = {
        "match[]": f'{{run_id="{run_id}"}}',
        "start": lines[0][0] - HOUR,
        "end": lines[-1][0] + 1,
    }
    streams = loki.answer("/loki/api/v1/series", **window)
    names = {"component", "host", "run_id", "workload", "repetition", "kind", "service_name"}
    assert all(set(stream) == names for stream in streams), streams
    campaign = {(workload, str(repetition)) for workload in WORKLOADS for repetition in REPETITIONS}
    found = {
        component: {
            (stream["workload"], stream["repetition"], stream["kind"])
            for stream in streams
            if stream["component"] == component
        }
        for component in ("k6", "runner")
    }
    assert found["k6"] == {(*each, kind) for each in campaign for kind in ("log", "sample")}
    assert found["runner"] == {(*each, "log") for each in campaign}
    assert len(streams) <= 2 * 2 * 1 * len(WORKLOADS) * len(REPETITIONS)


class Anything:
    """Holds every line."""

    def __contains__(self, line: object) -> bool:
        return True


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_level_and_an_encoding_of_ones_own(loki: Loki, folder: Path, encoding: str) -> None:
    """Each level is a target of its own on one log: what a higher one has pushed is not doubled by a lower one."""
    run_id = f"level-{encoding}"
    log = folder / f"out/{run_id}/logs/c-h.jsonl"
    # Very many where they would be doubled unseen otherwise: Loki knows a few of them again by itself.
    programs = [("CRITICAL", 3000), ("WARNING", 60), ("TRACE", 3000), ("CRITICAL", 60)]
    for number, (level, count) in enumerate(programs):
        block = pushing(loki, min_level=level, encoding=encoding)
        with Logger(config(folder, run_id=run_id, loki=block)) as logger, sampling(logger.stats):
            talk(logger, count, what=f'program {number} "up" \\ ü \u2028 {"long " * 80}')
            logger.close(20_000)
            stats = logger.stats()
        lines = lines_of([log])
        acknowledged = len(from_level(lines, level))
        told = {name: stats[f"loki_{name}"] for name in ("lines", "acknowledged", "below_level", "pending", "replayed")}
        below = len(lines) - acknowledged
        assert list(told.values()) == [len(lines), acknowledged, below, 0, 0], (level, told)
        if number < len(programs) - 1:
            check_equal(loki, log, run_id, level=level)
    # Those of the last program below its level were never pushed.
    expected = [line for line, record in from_level(lines, "TRACE") if is_pushed(record)]
    assert held(loki, f'{{run_id="{run_id}"}}', expected) == expected
    check_counted_once(loki, f'{{run_id="{run_id}"}}', expected)


def is_pushed(record: Record) -> bool:
    return "program 3 " not in record["message"] or record["level"] == "CRITICAL"


LAST_WORDS = {
    "thresholds": ["have been crossed", "handleSummary says hello", "and knows true ü \u2028 end"],
    "setup_throws": ["setup begins", 'no "luck"', "the summary of nothing"],
    "console": ["aborted on purpose", "teardown: one line", "handleSummary: one line \0 with a nul"],
}


@pytest.mark.parametrize("script", LAST_WORDS)
def test_what_k6_says_after_its_outputs_have_stopped_is_in_loki(
    loki: Loki, folder: Path, target: Target, script: str
) -> None:
    tags = ["--tag", f"run_id=last-{script}"]
    quick = f"compact,{loki.url},loki.flush_interval_ms=100"
    run = k6.run(f"{script}.js", folder, target, samples=quick, extra=tags, script_environment={"SHORT": "1"})
    (log,) = run.logs
    check_equal(loki, log, f"last-{script}")
    said = [json.loads(line)["message"] for _, line in held(loki, f'{{run_id="last-{script}"}}', shipped(log))]
    for part in LAST_WORDS[script]:
        assert any(part in message for message in said), f"{part!r} is not among {said}"
