"""What a campaign does when all goes well, and what it skips when something does not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lb_log
import pytest
from lb_controller.api import Controller, Host, Workload

from support.collecting import lines, write
from support.controlling import RUN, Drive, phase, statuses
from support.paths import LB, ROOT
from support.process import clean_environment
from support.records import read_log
from support.sshd import Site

IDENTITY = [
    *("LB_RUN_ID", "LB_HOST", "LB_WORKLOAD", "LB_REPETITION", "LB_PHASE"),
    *("LB_RUN_HOST", "LB_RUN_WORKLOAD", "LB_RUN_REPETITION", "LB_RUN_TOTAL_REPS"),
    *("LB_OUTPUT_DIR", "LB_COMPONENT", "OWN"),
]


def shown(names: list[str]) -> str:
    """A command that prints these variables."""
    return "; ".join(f'echo "{name}=${{{name}-}}"' for name in names)


def test_a_campaign_over_ssh_and_here(drive: Drive, site: Site) -> None:
    site.host("node").with_lb().start().banner = ""
    hosts = [Host("far", ssh="node"), Host("near")]
    record = f"{LB} exec --component runner -- echo measured >/dev/null"
    plan = [
        Workload("first", setup="echo prepared", run=f"{record}; echo ran", teardown="echo cleared"),
        Workload("second", run=["printf", "%s\n", "it's $HOME"]),
    ]
    result = drive.run(hosts, plan, 2, site=site)
    assert result.ok, result
    assert result.missing == ()
    far = {"setup": "passed", "run": "passed", "collect": "passed", "teardown": "passed"}
    near = {name: status for name, status in far.items() if name != "collect"}
    found = statuses(result)
    assert [found["far", "first", n] for n in (1, 2)] == [far, far]
    assert [found["near", "first", n] for n in (1, 2)] == [near, near]
    assert list(far) == ["setup", "run", "collect", "teardown"]
    for host in ("far", "near"):
        assert drive.printed(host=host) == [*["prepared", "ran", "cleared"] * 2, *["it's $HOME"] * 2]
    names = {path.name for path in result.files}
    assert {"runner-far.jsonl.gz", "runner-near.jsonl"} < names
    assert len(names) == 3

    # The controller's log tells the same, each record with the identity of what it is about.
    records = drive.records()
    assert len(records) == len(drive.events)
    assert [record["event_type"] for record in records] == [event.event_type for event in drive.events]
    assert records[0]["event_type"], records[-1]["event_type"] == ("campaign_start", "campaign_end")
    ends = [record for record in records if record["event_type"] == "phase_end" and record["host"] == "far"]
    assert [(each["workload"], each["repetition"], each["tags"]["phase"]) for each in ends] == [
        *[("first", n, name) for n in (1, 2) for name in ("setup", "run", "teardown")],
        *[("second", n, "run") for n in (1, 2)],
    ]
    assert all(each["tags"]["outcome"] == "passed" for each in ends)

    # A phase begins when all hosts have ended the one before.
    for name, before in (("run", "setup"), ("teardown", "run")):
        starts = [n for n, each in enumerate(drive.events) if each.event_type == "phase_start" and each.phase == name]
        stops = [n for n, each in enumerate(drive.events) if each.event_type == "phase_end" and each.phase == before]
        assert max(stops[:2]) < min(starts[:2]), name


def test_lb_report_shows_the_phases(drive: Drive) -> None:
    assert drive.run([Host("a"), Host("b")], [Workload("w", setup="true", run="false", teardown="true")]).ok is False
    page = drive.output / "page.html"
    subprocess.run([LB, "report", str(drive.output / RUN), "-o", page], env=clean_environment(), check=True)
    text = page.read_text()
    for name, outcome in (("setup", "passed"), ("run", "failed"), ("teardown", "passed")):
        assert f'"name":"{name}","component":"controller","workload":"w"' in text, name
        assert f'"outcome":"{outcome}"' in text


@pytest.mark.parametrize("where", ["here", "there"])
def test_identity_travels_in_the_environment(
    folder: Path, site: Site, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = Drive(folder / "out", "api")
    # What tells who the controller is must not be taken for the command's.
    monkeypatch.setenv("LB_COMPONENT", "mine")
    node = site.host("node").start()
    host = Host("h", ssh="node") if where == "there" else Host("h")
    odd = "a 'quoted' \"word\" $HOME `x` \\ é\nline"
    plan = [Workload("w 1", setup=shown(IDENTITY), run='pwd; echo "$LB_PHASE"', env={"OWN": odd})]
    result = drive.run([host], plan, 2, site=site)
    assert result.ok, result
    folder = node.home / "benchmark_results" if where == "there" else drive.output
    for repetition in (1, 2):
        values = [RUN, "h", "w 1", repetition, "setup", "h", "w 1", repetition, 2, folder, "", odd]
        wanted = "\n".join(f"{name}={value}" for name, value in zip(IDENTITY, values, strict=True))
        assert drive.printed(phase="setup", repetition=repetition) == wanted.split("\n")
    home = node.home if where == "there" else Path.cwd()
    assert drive.printed(phase="run", repetition=1) == [str(home), "run"]


def test_a_phase_that_fails_skips_the_next_and_is_torn_down(drive: Drive) -> None:
    setup = 'test "$LB_HOST$LB_REPETITION" != b2 || { echo no room >&2; exit 7; }'
    plan = [Workload("w", setup=setup, run='test "$LB_HOST" = a || exit 9', teardown="true")]
    result = drive.run([Host("a"), Host("b")], plan, 2)
    assert not result.ok
    passed = dict.fromkeys(("setup", "run", "teardown"), "passed")
    assert statuses(result) == {
        ("a", "w", 1): passed,
        ("b", "w", 1): {**passed, "run": "failed"},
        ("a", "w", 2): passed,
        ("b", "w", 2): {"setup": "failed", "run": "skipped", "teardown": "passed"},
    }
    setup_of_b = result.repetitions[3].phases[0]
    assert (setup_of_b.returncode, setup_of_b.error) == (7, "exit status 7: no room")
    assert setup_of_b.duration_s > 0
    assert result.repetitions[3].phases[1].error == "setup: failed"


def test_a_command_that_cannot_be_found_and_one_that_dies(drive: Drive) -> None:
    plan = [Workload("w", setup=["no-such-program-here"]), Workload("v", run="kill -INT $$")]
    result = drive.run([Host("a")], plan)
    found = [each.phases[0] for each in result.repetitions]
    assert [(each.status, each.returncode) for each in found] == [("failed", 127), ("failed", 130)]
    assert "no-such-program-here" in str(found[0].error)


def test_what_a_command_leaves_in_the_background_goes_on(drive: Drive, site: Site) -> None:
    site.host("node").start()
    # One keeps the output open, as users forget it.
    setup = "sleep 1000 & echo $! >pids-$LB_HOST; sleep 1000 >/dev/null 2>&1 & echo $! >>pids-$LB_HOST"
    each = "$(cat pids-$LB_HOST)"
    plan = [Workload("w", setup=setup, run=f"kill -0 {each}", teardown=f"kill {each}")]
    result = drive.run([Host("far", ssh="node"), Host("near")], plan, site=site)
    assert result.ok, [(each.host, each.phases) for each in result.repetitions]


def test_cooldown_is_told(drive: Drive) -> None:
    drive.run([Host("a")], [Workload("w", run="true", cooldown_s=0.01)], 2)
    assert [event.event_type for event in drive.events if "cooldown" in event.event_type] == [
        "cooldown_start",
        "cooldown_end",
    ]


def test_a_process_that_logs_while_it_is_collected(folder: Path, site: Site) -> None:
    drive = Drive(folder / "out", "api")
    site.host("node").with_lb().start()
    setup = "lb exec --component generator -- sleep 1000 >/dev/null 2>&1 & echo $! >pid"
    until_it_logs = "until test -s benchmark_results/*/logs/generator-far.jsonl; do sleep 0.02; done"
    plan = [Workload("w", setup=setup, run=until_it_logs, teardown="kill $(cat pid); sleep 0.2")]
    result = drive.run([Host("far", ssh="node")], plan, 2, site=site)
    assert result.ok, result
    (remark,) = drive.of("remark", host="far")
    assert "a process writes to it" in remark.message
    assert remark.level == "WARNING"


def test_records_that_only_lb_could_move(folder: Path, site: Site) -> None:
    drive = Drive(folder / "out", "api")
    logs = site.host("node").start().runs / RUN / "logs"
    write(logs / "runner-node.jsonl", lines(10))
    write(logs / ".runner-node.0123456789abcdef.rings", b"")
    result = drive.run([Host("far", ssh="node")], [Workload("w", run="true")], site=site)
    assert phase(result, "far", "collect").status == "failed"
    assert result.repetitions[0].ok
    (missing,) = result.missing
    assert missing.host == "far"
    assert missing.what == f"node:benchmark_results/{RUN}/logs/runner-node.jsonl"
    assert "records may be left in the rings" in missing.why
    assert not result.ok


def test_what_another_controller_has_left(folder: Path, site: Site) -> None:
    node = site.host("node").with_lb().start()
    hosts = [Host("far", ssh="node", output_dir="runs"), Host("near")]
    lost = Controller(RUN, hosts, folder / "lost", ssh=site.ssh, collect_each_repetition=False)
    assert lost.status().state == "idle"
    plan = [Workload("w", run="lb exec --component runner -- echo x; touch left", teardown='echo "$LB_PHASE"; rm left')]
    # As if the first had been killed behind its run.
    subprocess.run(
        ["ssh", "-F", str(site.configuration), "node", f"LB_RUN_ID={RUN} LB_HOST=far LB_OUTPUT_DIR=runs "
         "lb exec --component runner -- echo x; touch left"],
        env=clean_environment(), check=True, capture_output=True,
    )  # fmt: skip
    Path("left").touch()
    again = Controller(RUN, hosts, folder / "out", ssh=site.ssh)
    torn = again.teardown(plan)
    assert [(each.host, [(phase.phase, phase.status) for phase in each.phases]) for each in torn] == [
        ("far", [("teardown", "passed")]),
        ("near", [("teardown", "passed")]),
    ]
    assert not (node.home / "left").exists()
    assert not Path("left").exists()
    collection = again.collect()
    assert collection.missing == ()
    assert "runner-far.jsonl.gz" in {path.name for path in collection.files}
    (log,) = (folder / "out" / RUN / "logs").glob("controller-*.jsonl")
    assert {record["event_type"] for record in read_log(log)} == {"phase_start", "phase_end", "output", "collected"}


def test_one_run_at_a_time_on_a_thread(folder: Path) -> None:
    with Controller(RUN, [Host("a")], folder / "out") as controller:
        assert controller.result is None
        controller.start([Workload("w", run="while ! test -e go; do sleep 0.01; done")])
        with pytest.raises(RuntimeError, match="a run goes on"):
            controller.start([Workload("w", run="true")])
        assert controller.wait(0.01) is None
        assert controller.status().state == "running"
        assert controller.status().workload == "w"
        Path("go").touch()
        result = controller.wait(30)
        assert result is not None
        assert result.ok
        assert controller.status().state == "finished"
        again = controller.run([Workload("again", run="true")])
        assert again.ok
    controller = Controller(RUN, [Host("a")], folder / "out")
    with controller:
        controller.start([Workload("w", run="sleep 1000")])
    assert controller.result is not None
    assert controller.result.stopped == "the controller is closed"


def test_plans_that_cannot_be(folder: Path) -> None:
    for wrong, words in (
        (lambda: Host(""), "name"),
        (lambda: Host("a", ssh="-oProxyCommand=x"), r"ssh: expected \[user@\]host"),
        (lambda: Host("a", ssh="node:2222"), "ssh"),
        (lambda: Host("a", ssh="node", output_dir="~/runs"), "below the home already"),
        (lambda: Workload("w", run=""), "run: the command is empty"),
        (lambda: Workload("w", run=[]), "run: expected a text or a list"),
        (lambda: Workload("w", run="true", timeout_s=0), "timeout_s"),
        (lambda: Workload("w", run="true", timeout_s=float("nan")), "timeout_s"),
        (lambda: Workload("w", run="true", cooldown_s=-1), "cooldown_s"),
        (lambda: Workload("w", run="true", env={"A B": "x"}), "no name of a variable"),
        (lambda: Controller(RUN, []), "at least one Host"),
        (lambda: Controller(RUN, [Host("a"), Host("a")]), "found twice: a"),
        (lambda: Controller("../x", [Host("a")]), "run_id"),
        (lambda: Controller(RUN, [Host("a")], grace_s=0), "grace_s"),
        (lambda: Controller(RUN, [Host("a")], folder).run([]), "workloads"),
        (lambda: Controller(RUN, [Host("a")], folder).run([Workload("w", run="true")], 0), "repetitions"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()
    with pytest.raises(OSError, match=r"out|directory"):
        Controller(RUN, [Host("a")], "/proc/nowhere").run([Workload("w", run="true")])


def test_both_distributions_have_one_version() -> None:
    versions = {
        name: re.search(r'^version = "(.+)"$', (ROOT / name).read_text(), re.MULTILINE)
        for name in ("Cargo.toml", "bindings/python/lb_controller/pyproject.toml")
    }
    assert len({found[1] for found in versions.values() if found}) == 1
    assert f'"lb-log=={lb_log.__version__}"' in (ROOT / "bindings/python/lb_controller/pyproject.toml").read_text()


def test_the_environment_is_not_in_a_repr() -> None:
    assert "hunter2" not in repr(Workload("w", run="true", env={"PASSWORD": "hunter2"}))
