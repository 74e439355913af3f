"""Whatever happens, what was begun is torn down, all others are collected, and the result says what is missing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from lb_controller import async_api
from lb_controller.api import Controller, Event, Host, RunResult, Workload

from support import mounts
from support.collecting import lines, write
from support.controlling import ANSWER_S, GRACE_S, RUN, Drive, alive, phase, statuses
from support.process import clean_environment, wait_until
from support.sshd import Host as Machine
from support.sshd import Site

#: A command that never ends, one that does not want to, and both know each other.
ENDLESS = "sleep 1000 & echo begun; wait"
STUBBORN = 'trap "" TERM; sleep 1000 & echo begun; while :; do wait; done'

#: Where silence is waited for to its end.
SHORT_S = 2.5


def logs(machine: Machine) -> None:
    """Something to be collected."""
    write(machine.runs / RUN / "logs" / f"runner-{machine.name}.jsonl", lines(100))


def once(event_type: str, act: Callable[[], object], **fields: object) -> Callable[[Event], None]:
    """Acts at the first event like this, on another thread."""
    done: list[bool] = []

    def hear(event: Event) -> None:
        if event.event_type == event_type and all(getattr(event, name) == value for name, value in fields.items()):
            if not done:
                threading.Thread(target=act).start()
            done.append(True)

    return hear


def ended(run_id: str = RUN) -> None:
    """Nothing of the campaign's commands runs any more."""
    wait_until(lambda: not alive(f"LB_RUN_ID={run_id}\0"), 10, f"commands have ended: {alive(f'LB_RUN_ID={run_id}')}")


@pytest.mark.parametrize("command", [ENDLESS, STUBBORN])
def test_a_command_that_never_ends(drive: Drive, site: Site, command: str) -> None:
    node = site.host("node").start()
    logs(node)
    plan = [Workload("w", run=f'test "$LB_HOST" = good || {{ {command}; }}', teardown="echo down", timeout_s=1)]
    result = drive.run([Host("far", ssh="node"), Host("near"), Host("good")], plan, site=site)
    for host in ("far", "near"):
        run = phase(result, host, "run")
        assert (run.status, run.error) == ("timeout", "it was ended after 1 s, its time limit")
        assert run.returncode in (128 + signal.SIGTERM, 128 + signal.SIGKILL)
        assert [line for line in drive.printed(host=host) if line != "Terminated"] == ["begun", "down"]
    assert statuses(result)["good", "w", 1] == {"run": "passed", "teardown": "passed"}
    assert {phase(result, host, "teardown").status for host in ("far", "near")} == {"passed"}
    assert [path.name for path in result.files if "runner" in path.name] == ["runner-node.jsonl.gz"]
    ended()


def test_a_stop_in_the_middle(drive: Drive, site: Site) -> None:
    """Ctrl-C through `api`, a cancellation through `async_api`."""
    node = site.host("node").start()
    logs(node)
    plan = [
        Workload("w", setup="true", run=f'trap "echo saved; exit 5" TERM; {ENDLESS}', teardown="echo down"),
        Workload("v", run="true"),
    ]
    hosts = [Host("far", ssh="node"), Host("near")]
    begun = threading.Semaphore(0)

    def stop() -> None:
        assert begun.acquire(timeout=20)
        assert begun.acquire(timeout=20)
        drive.stop()

    def hear(event: Event) -> None:
        if event.message == "begun":
            begun.release()

    threading.Thread(target=stop).start()
    result = drive.run(hosts, plan, 2, hear, site=site)
    assert result.stopped == ("Ctrl-C" if drive.name == "api" else "cancelled")
    assert not result.ok
    found = statuses(result)
    for host in ("far", "near"):
        collected = {"collect": "passed"} if host == "far" else {}
        assert found[host, "w", 1] == {"setup": "passed", "run": "stopped", **collected, "teardown": "passed"}
        assert found[host, "w", 2] == dict.fromkeys(("setup", "run", "teardown"), "skipped")
        assert found[host, "v", 1] == {"run": "skipped"}
        assert drive.printed(host=host) == ["begun", "saved", "down"]
    stopped = [each for one in result.repetitions for each in one.phases if each.status == "stopped"]
    assert [each.returncode for each in stopped] == [5, 5]
    assert "runner-node.jsonl.gz" in {path.name for path in result.files}
    assert result.missing == ()
    ended()


def test_an_exception_in_a_callback(drive: Drive, site: Site) -> None:
    node = site.host("node").start()
    logs(node)
    hosts = [Host("far", ssh="node"), Host("near")]

    def hear(event: Event) -> None:
        if event.event_type == "output":
            raise LookupError("a bug of the user's")

    if drive.name == "async_api":
        # There is no callback: whoever reads the events has the exception, and leaves the controller.
        result = left_by_an_exception(drive, hosts, site)
        assert result.stopped == "the controller is closed"
        assert {phase(result, host, "run").status for host in ("far", "near")} == {"stopped"}
    else:
        result = drive.run(hosts, [Workload("w", run="echo one; echo two", teardown="true")], 1, hear, site=site)
        assert result.errors == ("on_event has raised LookupError: a bug of the user's (4 times)",)
        assert {each.status for one in result.repetitions for each in one.phases} == {"passed"}
        (record,) = [record for record in drive.records() if record["event_type"] == "trouble"]
        assert "LookupError" in record["tags"]["exception"]
    assert not result.ok
    assert {phase(result, host, "teardown").status for host in ("far", "near")} == {"passed"}
    assert "runner-node.jsonl.gz" in {path.name for path in result.files}
    ended()


def left_by_an_exception(drive: Drive, hosts: list[Host], site: Site) -> RunResult:
    """What a program with a bug in its `async for` gets."""
    controller = async_api.Controller(
        RUN, hosts, drive.output, ssh=site.ssh, answer_timeout_s=ANSWER_S, grace_s=GRACE_S
    )

    async def main() -> None:
        async with controller:
            events = controller.events()
            controller.start([Workload("w", run="echo one; sleep 1000", teardown="true")])
            printed = set()
            async for event in events:
                if event.event_type == "output":
                    printed.add(event.host)
                if len(printed) == 2:
                    raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(main())
    assert controller.result is not None
    return controller.result


def test_a_host_that_dies_and_comes_back(drive: Drive, site: Site) -> None:
    dying, good = site.host("dying").start(), site.host("good").start()
    for machine in (dying, good):
        logs(machine)
    plan = [Workload("w", run="echo begun; sleep 0.5", teardown="true")]

    kill = once("output", dying.die, host="dying", repetition=2)

    def hear(event: Event) -> None:
        kill(event)
        if event.event_type == "repetition_end" and event.repetition == 2:
            dying.start()

    hosts = [Host("dying", ssh="dying"), Host("good", ssh="good")]
    result = drive.run(hosts, plan, 3, hear, site=site)
    passed = {"run": "passed", "collect": "passed", "teardown": "passed"}
    found = statuses(result)
    assert [found["good", "w", n] for n in (1, 2, 3)] == [passed] * 3
    assert found["dying", "w", 1] == passed
    assert found["dying", "w", 2] == {"run": "unreachable", "collect": "skipped", "teardown": "unreachable"}
    assert "the connection was lost" in str(phase(result, "dying", "run", 2).error)
    assert found["dying", "w", 3] == passed or drive.name == "async_api"
    assert result.missing == ()
    names = {path.name for path in result.files}
    assert {"runner-dying.jsonl.gz", "runner-good.jsonl.gz"} < names
    (failed, *_) = drive.of("host_failed")
    assert (failed.host, failed.level) == ("dying", "ERROR")
    ended()


def test_a_host_that_stops_answering(drive: Drive, site: Site) -> None:
    frozen, good = site.host("frozen").start(), site.host("good").start()
    for machine in (frozen, good):
        logs(machine)
    freeze = once("output", lambda: frozen.signal(signal.SIGSTOP), host="frozen")
    plan = [Workload("w", run='echo begun; test "$LB_HOST" = good || sleep 1000', teardown="true")]
    hosts = [Host("frozen", ssh="frozen"), Host("good", ssh="good")]
    result = drive.run(hosts, plan, 1, freeze, site=site, answer_timeout_s=SHORT_S)
    found = statuses(result)
    assert found["good", "w", 1] == {"run": "passed", "collect": "passed", "teardown": "passed"}
    assert found["frozen", "w", 1] == {"run": "unreachable", "collect": "skipped", "teardown": "unreachable"}
    run = phase(result, "frozen", "run")
    assert "ends within 3603 s of its start" in str(run.error)
    (missing,) = result.missing
    assert missing.host == "frozen"
    assert f"said nothing for {SHORT_S:g} s" in missing.why
    # What has hung sees the end of its connection when it goes on, and ends.
    frozen.signal(signal.SIGCONT)
    ended()


def test_a_connection_that_hangs_while_its_host_answers(folder: Path, site: Site) -> None:
    """Its command is ended over another connection, so that the next repetition does not meet it."""
    drive = Drive(folder / "out", "api")
    node = site.host("node").start()

    def hang() -> None:
        for pid in node.processes():
            if "sshd" in Path(f"/proc/{pid}/comm").read_text() and node.server and pid != node.server.pid:
                os.kill(pid, signal.SIGSTOP)

    plan = [Workload("w", run="echo $$; exec sleep 1000", teardown="true")]
    result = drive.run([Host("far", ssh="node")], plan, 1, once("output", hang), site=site, answer_timeout_s=SHORT_S)
    run = phase(result, "far", "run")
    assert run.status == "unreachable"
    assert "of its start" not in str(run.error)
    assert phase(result, "far", "teardown").status == "passed"
    assert not Path(f"/proc/{drive.printed()[0]}").exists()


def test_an_unknown_host_key(drive: Drive, site: Site) -> None:
    unknown, good = site.host("unknown", known=False).start(), site.host("good").start()
    for machine in (unknown, good):
        logs(machine)
    plan = [Workload("w", setup="true", run="true", teardown="true")]
    result = drive.run([Host("unknown", ssh="unknown"), Host("good", ssh="good")], plan, site=site)
    found = statuses(result)
    assert set(found["good", "w", 1].values()) == {"passed"}
    assert found["unknown", "w", 1] == {
        "setup": "unreachable",
        "run": "skipped",
        "collect": "skipped",
        "teardown": "skipped",
    }
    error = str(phase(result, "unknown", "setup").error)
    assert "its host key is not known here: connect once by `ssh unknown` and compare the key" in error
    assert phase(result, "unknown", "teardown").error == "nothing was begun there"
    (missing,) = result.missing
    assert missing.host == "unknown"
    assert "host key" in missing.why


def test_a_disk_full_on_the_controller(drive: Drive, site: Site, folder: Path) -> None:
    node = site.host("node").start()
    logs(node)
    with mounts.tmpfs(folder / "out", "2M") as disk:
        full = folder / "full"

        def fill() -> None:
            mounts.fill(disk)
            full.touch()

        plan = [
            Workload("w", run=f"echo begun; until test -e {full}; do sleep 0.02; done", teardown="touch torn-$LB_HOST")
        ]
        hosts = [Host("far", ssh="node"), Host("near")]
        result = drive.run(hosts, plan, 1, once("output", fill), site=site)
        assert not result.ok
        assert {phase(result, host, name).status for host in ("far", "near") for name in ("run", "teardown")} == {
            "passed"
        }
        assert (node.home / "torn-far").exists()
        assert Path("torn-near").exists()
        assert "far" in {missing.host for missing in result.missing}
        assert "No space left" in "".join(missing.why for missing in result.missing)

        (disk / "ballast").unlink()
        again = Controller(RUN, hosts, disk, ssh=site.ssh).collect()
        assert again.missing == ()
        assert "runner-node.jsonl.gz" in {path.name for path in again.files}


def test_a_second_ctrl_c_waits_for_nothing(folder: Path) -> None:
    drive = Drive(folder / "out", "api")
    stop = once("output", drive.stop, phase="run")
    again = once("output", drive.stop, phase="teardown")
    plan = [Workload("w", run=ENDLESS, teardown=STUBBORN)]
    with pytest.raises(KeyboardInterrupt):
        drive.run([Host("a")], plan, 1, lambda event: (stop(event), again(event)), grace_s=30)
    assert isinstance(drive.controller, Controller)
    result = drive.controller.wait(20)
    assert result is not None
    assert statuses(result) == {("a", "w", 1): {"run": "stopped", "teardown": "stopped"}}
    ended()


def started(program: str, folder: Path, site: Site) -> subprocess.Popen[str]:
    """A program with a controller, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env=clean_environment({**site.environment, "PYTHONPATH": os.pathsep.join(sys.path)}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_at_a_terminal_reaches_no_ssh(folder: Path, site: Site) -> None:
    """The signal goes to the whole process group there: the connections are in sessions of their own."""
    node = site.host("node").start()
    program = (
        "from lb_controller.api import Controller, Host, Workload\n"
        f"c = Controller('{RUN}', [Host('far', ssh='node')], 'out', on_event=lambda e: print(e.message, flush=True))\n"
        f"r = c.run([Workload('w', run={ENDLESS!r}, teardown='echo down')])\n"
        "print(r.stopped, [(p.phase, p.status) for p in r.repetitions[0].phases], r.missing)\n"
    )
    process = started(program, folder, site)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if line == "begun\n":
            os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert said[-1] == "Ctrl-C [('run', 'stopped'), ('collect', 'passed'), ('teardown', 'passed')] ()", said
    assert node.server is not None
    ended()


@pytest.mark.parametrize("end", ["killed", "ends"])
def test_a_controller_that_is_gone_leaves_no_command(folder: Path, site: Site, end: str) -> None:
    """Killed, or its program ends without waiting for the run."""
    site.host("node").start()
    program = (
        "import sys\n"
        "from lb_controller.api import Controller, Host, Workload\n"
        f"c = Controller('{RUN}', [Host('far', ssh='node'), Host('near')], 'out', grace_s=0.5,\n"
        "    on_event=lambda e: print(e.message, flush=True))\n"
        f"c.start([Workload('w', run={STUBBORN!r})])\n"
        "sys.stdin.read()\n"
    )
    process = started(program, folder, site)
    assert process.stdin is not None
    assert process.stdout is not None
    begun = 0
    while begun < 2:
        line = process.stdout.readline()
        assert line, "it has ended"
        begun += line == "begun\n"
    assert alive(f"LB_RUN_ID={RUN}\0")
    if end == "killed":
        process.kill()
    process.stdin.close()
    assert process.wait(10) == (-signal.SIGKILL if end == "killed" else 0)
    process.stdout.close()
    ended()


def test_secrets_are_nowhere_but_in_the_environment(folder: Path, site: Site) -> None:
    drive = Drive(folder / "out", "api")
    site.host("node").start()
    secrets = ["s3cret-of-the-workload", "s3cret-of-loki"]
    seen: list[bytes] = []

    def look() -> None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                seen.append(entry.read_bytes())

    def hear(event: Event) -> None:
        # While the command runs: its output has begun, its end is not told.
        if event.event_type in ("output", "phase_start"):
            look()

    token = write(folder / "token", secrets[1].encode() + b"\n")
    show = 'echo "$LB_LOKI_ENABLED $LB_LOKI_ENDPOINT ${#LB_LOKI_BEARER_TOKEN} ${#PASSWORD}"; sleep 0.1'
    plan = [Workload("w", setup=show, run=f"{show}; exit 3", env={"PASSWORD": secrets[0]})]
    loki = {"endpoint": "http://loki.invalid:3100", "bearer_token_file": str(token)}
    controller = Controller(RUN, [Host("far", ssh="node"), Host("near")], drive.output, loki, hear, ssh=site.ssh)
    result = controller.run(plan)
    assert phase(result, "far", "setup").status == "passed", result
    here = next(each for each in drive.records() if each["event_type"] == "output" and each["host"] == "far")
    assert here["message"] == f"true http://loki.invalid:3100 {len(secrets[1])} {len(secrets[0])}"
    assert any(b"lb-controller-" in line for line in seen)
    everything = [
        *seen,
        repr(result).encode(),
        *(path.read_bytes() for path in drive.output.rglob("*") if path.is_file()),
    ]
    for secret in secrets:
        assert not any(secret.encode() in text for text in everything), secret


def test_a_loki_of_this_machine_is_no_loki_there(folder: Path, site: Site) -> None:
    drive = Drive(folder / "out", "api")
    site.host("node").start()
    controller = Controller(
        RUN,
        [Host("far", ssh="node"), Host("near")],
        drive.output,
        "http://localhost:1",
        ssh=site.ssh,
    )
    controller.run([Workload("w", run='echo "at ${LB_LOKI_ENDPOINT-nowhere}"')])
    records = drive.records()
    said = {each["host"]: each["message"] for each in records if each["event_type"] == "output"}
    assert said == {"far": "at nowhere", "near": "at http://localhost:1"}
    (warning,) = [each for each in records if each["event_type"] == "trouble"]
    assert (warning["host"], warning["level"]) == ("far", "WARNING")


def test_where_there_is_no_setsid(folder: Path, site: Site) -> None:
    """Then perl begins the session."""
    drive = Drive(folder / "out", "api")
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "perl", "sleep", "cat", "ps", "tr"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    site.host("node").start()
    # What the far end runs comes from the same PATH.
    plan = [Workload("w", run=ENDLESS, timeout_s=0.5, env={"PATH": str(programs)})]
    result = drive.run([Host("far", ssh="node")], plan, site=site)
    assert phase(result, "far", "run").status == "timeout"
    assert drive.printed()[0] == "begun"
    ended()
