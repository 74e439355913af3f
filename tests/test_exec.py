"""`lb exec -- COMMAND` behaves as COMMAND for output, status and signals, and each line of its output is a record."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import mounts
from support.paths import LB
from support.process import clean_environment, wait_until
from support.records import Record, read_log
from support.terminal import Terminal

EXEC = [str(LB), "exec", "--component", "tool"]

Ran = tuple[int, bytes, bytes]


def run(command: list[str], folder: Path, given: bytes = b"", **extra: str) -> Ran:
    """Status (negative: by a signal), stdout and stderr of a command."""
    done = subprocess.run(
        command, cwd=folder, input=given, env=clean_environment(extra), capture_output=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def records(folder: Path) -> list[Record]:
    """All records of the one log below a folder, strictly read."""
    logs = list(folder.glob("benchmark_results/*/logs/*.jsonl"))
    assert len(logs) == 1, logs
    return read_log(logs[0])


def lines(folder: Path, stream: str) -> list[Record]:
    found = records(folder)
    return [r for r in found if r["event_type"] == "output" and r["tags"]["stream"] == stream]


def messages(folder: Path, stream: str) -> list[str]:
    return [record["message"] for record in lines(folder, stream)]


# Twenty commands; `%` is a file of 1 MiB of any bytes.
COMMANDS: dict[str, tuple[list[str], bytes]] = {
    "true": (["true"], b""),
    "false": (["false"], b""),
    "status 42": (["sh", "-c", "exit 42"], b""),
    "status 255": (["sh", "-c", "exit 255"], b""),
    "both streams": (["sh", "-c", "echo out; echo err >&2"], b""),
    "no newline at the end": (["printf", "a\\nb"], b""),
    "nothing but newlines": (["printf", "\\n\\n\\n"], b""),
    "carriage returns": (["printf", "10%%\\r20%%\\r\\nend\\r\\n"], b""),
    "standard input": (["cat"], b"one\ntwo\nthree"),
    "standard input, closed early": (["head", "-n", "1"], b"one\n" * 100_000),
    "binary": (["cat", "%"], b""),
    "binary on stderr": (["sh", "-c", "cat % >&2"], b""),
    "zero bytes": (["printf", "a\\0b\\n\\0\\n"], b""),
    "a line of 10 MB": (["head", "-c", "10000000", "/dev/zero"], b""),
    "many lines": (["seq", "100000"], b""),
    "arguments": (["printf", "[%s]", "a b", "", "-x", "--tty", "it's"], b""),
    "arguments that look like ours": (["echo", "--component", "x", "-q", "--", "-v"], b""),
    "ended by a signal": (["sh", "-c", "kill -KILL $$"], b""),
    "ended by another signal": (["sh", "-c", "echo before; kill -TERM $$"], b""),
    "its own environment": (["sh", "-c", "echo $HOME $PATH $NO_COLOR; pwd"], b""),
    "a background child": (["sh", "-c", "(sleep 0.05; echo late) & echo early; wait"], b""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_behaves_as_the_command(name: str, folder: Path) -> None:
    command, given = COMMANDS[name]
    noise = folder / "noise"
    noise.write_bytes(bytes(range(256)) * 4096)
    command = [word.replace("%", str(noise)) if word.endswith(("%", "% >&2")) else word for word in command]
    status, out, err = run(command, folder, given)
    expected = (status if status >= 0 else 128 - status, out, err)
    assert run([*EXEC, "--", *command], folder, given) == expected


def test_its_own_failures_are_those_of_env(folder: Path) -> None:
    plain = folder / "plain"
    plain.write_text("no program\n")
    directory = folder / "folder"
    directory.mkdir()
    missing = folder / "missing"
    for command in (["no-such-command-anywhere"], [str(missing)], [str(plain)], [str(directory)]):
        status, out, err = run([*EXEC, "--", *command], folder, LB_RUN_ID="one")
        assert status == run(["env", *command], folder)[0], command
        assert out == b"", command
        assert b"lb exec: " + command[0].encode() in err, err
    ends = [record for record in records(folder) if record["event_type"] == "command_end"]
    assert [record["tags"]["exit_code"] for record in ends] == [127, 127, 126, 126]
    assert {record["level"] for record in ends} == {"ERROR"}
    for wrong, said in (
        ([str(LB), "exec", "--component", "x"], "CMD"),
        ([str(LB), "exec", "--bogus", "--", "true"], "--bogus"),
        ([str(LB), "exec", "--", "true"], "--component"),
        ([*EXEC, "--repetition", "0", "--", "true"], "--repetition"),
        ([*EXEC, "--repetition", "x", "--", "true"], "--repetition"),
    ):
        status, _, err = run(wrong, folder)
        assert (status, said in err.decode()) == (125, True), err
    assert run([*EXEC, "--help"], folder)[0] == 0


def test_the_identity_goes_on_to_the_command(folder: Path) -> None:
    names = ["RUN_ID", "COMPONENT", "HOST", "WORKLOAD", "REPETITION", "SCENARIO", "PHASE", "OUTPUT_DIR"]
    shown = "; ".join(f'echo "$LB_{name}"' for name in names)
    flags = ["--workload", "cpu", "--repetition", "3", "--scenario", "ramp", "--phase", "setup", "--output-dir", "out"]
    status, out, _ = run([*EXEC, *flags, "--", "sh", "-c", shown], folder, LB_HOST="node-1", LB_RUN_ID="r-1")
    expected = ["r-1", "tool", "node-1", "cpu", "3", "ramp", "setup", str(folder / "out")]
    assert (status, out.decode().splitlines()) == (0, expected)
    for record in read_log(folder / "out" / "r-1" / "logs" / "tool-node-1.jsonl"):
        identity = [record[name] for name in ("run_id", "component", "host", "workload", "repetition", "scenario")]
        assert identity == ["r-1", "tool", "node-1", "cpu", 3, "ramp"]
        assert record["tags"]["phase"] == "setup"


def test_a_run_within_a_run_joins_it(folder: Path) -> None:
    inner = [str(LB), "exec", "--component", "inner", "--", "echo", "deep"]
    assert run([*EXEC, "--", *inner], folder)[:2] == (0, b"deep\n")
    logs = {path.name.split("-")[0] for path in folder.glob("benchmark_results/*/logs/*.jsonl")}
    assert logs == {"tool", "inner"}
    assert len(list((folder / "benchmark_results").iterdir())) == 1


def test_start_end_and_duration_are_records(folder: Path) -> None:
    run([*EXEC, "--", "sh", "-c", "sleep 0.2; echo it; exit 3"], folder)
    start, line, end = records(folder)
    assert (start["event_type"], end["event_type"]) == ("command_start", "command_end")
    assert start["tags"]["command"] == "sh -c 'sleep 0.2; echo it; exit 3'"
    assert start["tags"]["pid"] > 0
    assert (line["message"], line["level"]) == ("it", "INFO")
    assert (end["tags"]["exit_code"], end["level"]) == (3, "ERROR")
    assert 200 <= end["tags"]["duration_ms"] < 30_000
    run([*EXEC, "--", "sh", "-c", "kill -USR1 $$"], folder, LB_RUN_ID="other")
    end = read_log(next(folder.glob("benchmark_results/other/logs/*.jsonl")))[-1]
    assert (end["tags"]["signal"], end["level"]) == ("SIGUSR1", "ERROR")


LEVELS = """\
echo plain
echo 'ERROR bad'
echo '[warn] hm'
echo 'Error handling began'
echo '{"level":"debug","msg":"said","n":1,"deep":{"a":[1]}}'
echo '{"msg":"no level"}'
echo plain >&2
echo 'info: up' >&2
"""


def test_lines_keep_the_level_that_they_name(folder: Path) -> None:
    expected = {
        "auto": ["INFO", "ERROR", "WARNING", "INFO", "DEBUG", "INFO", "WARNING", "INFO"],
        "json": ["INFO", "INFO", "INFO", "INFO", "DEBUG", "INFO", "WARNING", "WARNING"],
        "none": ["INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "WARNING", "WARNING"],
    }
    for parse, levels in expected.items():
        own = folder / parse
        own.mkdir()
        run([*EXEC, "--parse", parse, "--", "sh", "-c", LEVELS], own)
        found = lines(own, "stdout") + lines(own, "stderr")
        assert [record["level"] for record in found] == levels, parse
        of_json = found[4]
        if parse == "none":
            assert of_json["message"].startswith('{"level"')
        else:
            assert of_json["message"] == "said"
            assert of_json["tags"] == {"stream": "stdout", "n": 1, "deep": '{"a":[1]}'}


def test_long_lines_are_in_the_log_in_pieces(folder: Path) -> None:
    text = bytes(32 + n % 95 for n in range(10_000_000)) + "ü€😀".encode() * 1000 + b"\x1b\xff" * 100_000
    (folder / "text").write_bytes(b"ERROR " + text + b"\nnext\n" + text[:300_000])
    status, out, _ = run([*EXEC, "--", "cat", "text"], folder)
    assert (status, out == (folder / "text").read_bytes()) == (0, True)
    found = lines(folder, "stdout")
    assert not any("truncated_bytes" in record["tags"] for record in found)
    ends = [at for at, record in enumerate(found) if record["tags"].get("last_piece")]
    first, rest = found[: ends[0] + 1], found[ends[0] + 1 :]
    assert [record["tags"]["piece"] for record in first] == list(range(1, len(first) + 1))
    assert "".join(r["message"] for r in first) == "ERROR " + text.decode(errors="replace")
    assert {record["level"] for record in first} == {"ERROR"}
    assert rest[0]["message"] == "next"
    assert "piece" not in rest[0]["tags"]
    assert "".join(r["message"] for r in rest[1:]) == text[:300_000].decode()
    assert {record["level"] for record in rest} == {"INFO"}


def test_every_one_of_many_lines_is_a_record(folder: Path) -> None:
    count = 300_000
    began = time.monotonic()
    status, out, _ = run([*EXEC, "--", "seq", str(count)], folder)
    took = time.monotonic() - began
    print(f"{count / took:.0f} lines a second")
    assert (status, out.count(b"\n")) == (0, count)
    log = next(folder.glob("benchmark_results/*/logs/*.jsonl")).read_bytes()
    found = re.findall(rb'"message":"(\d+)"', log)
    assert found == [b"%d" % n for n in range(1, count + 1)]


def test_a_disk_that_hangs_for_a_moment_costs_no_line(folder: Path) -> None:
    """As where a load takes all processors, and nothing is written for a while: the command waits, and goes on."""
    disk = folder / "disk"
    settings = ["LB_RUN_ID=r", "LB_HOST=h", "LB_RING_BYTES=64KiB", f"LB_OUTPUT_DIR={disk}"]
    command = ["env", *settings, *EXEC, "--", "sh", "-c", "echo ready; read word; seq 20000"]
    with mounts.ext4(disk, folder / "image"):
        with started(folder, *command, stdin=subprocess.PIPE) as process:
            assert first_line(process) == b"ready\n"
            assert process.stdin
            with mounts.frozen(disk):
                process.stdin.write(b"go\n")
                process.stdin.flush()
                # Longer than a full ring is waited for elsewhere.
                time.sleep(0.5)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert out.splitlines() == [b"%d" % number for number in range(1, 20001)]
        output = [record for record in read_log(disk / "r/logs/tool-h.jsonl") if record["event_type"] == "output"]
        assert len(output) == 20001


def test_output_is_shown_at_once(folder: Path) -> None:
    command = [*EXEC, "--", "sh", "-c", "printf prompt; read answer; echo got $answer"]
    env = clean_environment()
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=env, stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.read(6) == b"prompt"
        process.stdin.write(b"yes\n")
        process.stdin.close()
        assert process.stdout.read() == b"got yes\n"
    assert messages(folder, "stdout") == ["promptgot yes"]


def test_a_child_that_stays_does_not_keep_it(folder: Path) -> None:
    began = time.monotonic()
    status, out, _ = run([*EXEC, "--", "sh", "-c", "sleep 30 & echo $!"], folder)
    took = time.monotonic() - began
    os.kill(int(out), signal.SIGKILL)
    assert (status, took < 20) == (0, True), took
    assert messages(folder, "stdout") == [out.decode().strip()]


def test_a_child_that_writes_on_does_not_keep_it(folder: Path) -> None:
    status, out, _ = run([*EXEC, "--", "sh", "-c", "yes & echo $! >pid"], folder)
    assert status == 0
    assert out.startswith(b"y\n")


def test_a_reader_that_goes_away_is_told_to_the_command(folder: Path) -> None:
    command = f"{' '.join(EXEC)} -- yes | head -n 1; exit ${{PIPESTATUS[0]}}"
    assert run(["bash", "-c", command], folder) == (128 + signal.SIGPIPE, b"y\n", b"")


def test_a_full_disk_behind_stdout_costs_no_record(folder: Path) -> None:
    command = f"{' '.join(EXEC)} -- seq 3 >/dev/full"
    status, _, err = run(["bash", "-c", command], folder)
    assert status == 0
    assert b"stdout cannot be written: No space left" in err
    assert messages(folder, "stdout") == ["1", "2", "3"]


# --- signals ---

TRAPS = """\
for s in HUP INT QUIT TERM USR1 USR2; do trap "echo $s; exit 7" $s; done
trap 'echo CONT' CONT
echo ready
while :; do sleep 0.02; done
"""


def started(folder: Path, *command: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"])
def test_a_signal_is_passed_on_once(name: str, folder: Path) -> None:
    with started(folder, *EXEC, "--", "sh", "-c", TRAPS) as process:
        assert first_line(process) == b"ready\n"
        process.send_signal(signal.Signals[f"SIG{name}"])
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out.decode().split()) == (7, [name])
    assert messages(folder, "stdout") == ["ready", name]


@pytest.mark.parametrize("name", ["HUP", "INT", "TERM"])
def test_a_signal_that_the_command_does_not_catch(name: str, folder: Path) -> None:
    number = signal.Signals[f"SIG{name}"]
    with started(folder, *EXEC, "--", "sh", "-c", "echo ready; exec sleep 30") as process:
        assert first_line(process) == b"ready\n"
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert records(folder)[-1]["tags"]["signal"] == f"SIG{name}"


def state(pid: int) -> str:
    """One letter: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_stopping_and_going_on(folder: Path) -> None:
    # In a process group of its own: in one without a shell above it the kernel lets SIGTSTP stop nobody.
    with started(folder, *EXEC, "--", "sh", "-c", f"echo $$; {TRAPS}", preexec_fn=os.setpgrp) as process:
        child = int(first_line(process))
        assert first_line(process) == b"ready\n"
        process.send_signal(signal.SIGTSTP)
        wait_until(lambda: state(process.pid) == state(child) == "T", 20, "both are stopped")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: "T" not in (state(process.pid), state(child)), 20, "both go on")
        assert first_line(process) == b"CONT\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 7


def test_nobody_stops_where_nobody_could_continue_it(folder: Path) -> None:
    """An orphaned process group, as of a daemon's or a container's first process: SIGTSTP stops nobody there."""
    command = [*EXEC, "--", "sh", "-c", "echo ready; read word; echo got $word"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTSTP)
        try:
            out, _ = process.communicate(b"it\n", timeout=20)
        finally:
            process.kill()
        assert (process.returncode, out) == (0, b"got it\n")


def test_what_is_ignored_stays_ignored(folder: Path) -> None:
    command = f"trap '' HUP; {' '.join(EXEC)} -- sh -c 'echo ready; kill -HUP $$; kill -HUP $PPID; echo alive'"
    assert run(["sh", "-c", command], folder)[:2] == (0, b"ready\nalive\n")


# --- a terminal ---


# Takes each signal one by one, also two that come at nearly the same time.
COUNTS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
while signal.sigtimedwait([signal.SIGINT], 1.5):
    print("got INT", flush=True)
raise SystemExit(5)
"""


def test_ctrl_c_reaches_the_command_once(folder: Path) -> None:
    (folder / "counts.py").write_text(COUNTS)
    terminal = Terminal(folder, *EXEC, "--", sys.executable, "counts.py")
    terminal.read_until(lambda said: b"ready" in said, "it is ready")
    terminal.write(b"\x03")
    assert terminal.status() == 5
    assert terminal.said.count(b"got INT") == 1, terminal.said


def test_job_control_is_what_it_was(folder: Path) -> None:
    shell = Terminal(folder, "bash", "--norc", "--noprofile", "-i")
    (folder / "loop").write_text("trap 'echo it goes on' CONT; echo it runs; while :; do sleep 0.05; done")
    shell.write(f"PS1='$ '; {' '.join(EXEC)} -- sh loop\n".encode())
    shell.read_until(lambda said: b"it runs" in said, "it runs")
    shell.write(b"\x1a")
    shell.read_until(lambda said: b"Stopped" in said, "Ctrl-Z stops it")
    shell.write(b"echo in the sh''ell\n")
    shell.read_until(lambda said: b"in the shell" in said, "the shell has the terminal")
    shell.write(b"fg\n")
    shell.read_until(lambda said: b"it goes on" in said, "fg continues it")
    shell.write(b"\x03")
    shell.read_until(lambda said: said.endswith(b"$ "), "Ctrl-C ends it")
    shell.write(b"echo status=$?\n")
    shell.read_until(lambda said: b"status=130" in said, "Ctrl-C ends it")
    shell.write(b"exit\n")
    shell.status()


def test_a_terminal_for_the_command(folder: Path) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && tty; stty size; read x; echo got=$x; sleep 0.2; stty size; exit 9"
    terminal = Terminal(folder, "sh", "-c", f"echo ready; read go; exec {' '.join(EXEC)} --tty -- sh -c '{script}'")
    terminal.resize(33, 101)
    before = terminal.modes()
    terminal.write(b"\n")
    terminal.read_until(lambda said: b"33 101" in said, "it has the size of ours")
    assert terminal.modes() == 0, "ours is not raw"
    terminal.write(b"typed\r")
    terminal.read_until(lambda said: b"got=typed" in said, "what is typed arrives")
    terminal.resize(20, 60)
    terminal.read_until(lambda said: b"20 60" in said, "it gets the new size")
    wait_until(lambda: terminal.modes() == before, 10, "ours is as it was")
    assert terminal.status() == 9
    assert re.search(rb"/dev/pts/\d+", terminal.said), terminal.said
    found = messages(folder, "stdout")
    assert {"33 101", "got=typed", "20 60"} <= set(found)


def test_ctrl_c_in_a_terminal_of_its_own(folder: Path) -> None:
    terminal = Terminal(
        folder,
        *EXEC,
        "--tty",
        "--",
        "sh",
        "-c",
        "trap 'echo got INT; exit 6' INT; echo ready; while :; do sleep 0.05; done",
    )
    terminal.read_until(lambda said: b"ready" in said, "it is ready")
    terminal.write(b"\x03")
    assert terminal.status() == 6
    assert terminal.said.count(b"got INT") == 1, terminal.said


def test_a_terminal_where_there_is_none(folder: Path) -> None:
    status, out, err = run(
        [*EXEC, "--tty", "--", "sh", "-c", "cat; test -t 1 && echo tty; echo err >&2; exit 4"], folder, b"given\n"
    )
    assert (status, out, err) == (4, b"given\r\ntty\r\nerr\r\n", b"")
    assert messages(folder, "stdout") == ["given", "tty", "err"]


def test_a_full_screen_program_in_a_terminal_of_its_own(folder: Path) -> None:
    (folder / "text").write_text("".join(f"line {n}\n" for n in range(200)))
    terminal = Terminal(folder, *EXEC, "--tty", "--", "env", "TERM=xterm", "vi", "-u", "NONE", "text")
    terminal.resize(24, 80)
    terminal.read_until(lambda said: b"line 20" in said, "the program shows the file")
    terminal.write(b":q!\r")
    assert terminal.status() == 0


# --- the log ---


def test_what_was_shown_is_in_the_log_after_a_kill(folder: Path) -> None:
    with started(folder, *EXEC, "--", "sh", "-c", "echo $$; seq 1000; exec sleep 30") as process:
        assert process.stdout
        shown = [process.stdout.readline() for _ in range(1001)]
        # What was read is recorded right after it was shown.
        time.sleep(0.2)
        process.kill()
        process.wait()
        os.kill(int(shown[0]), signal.SIGKILL)
    run([str(LB), "drain"], folder)
    assert messages(folder, "stdout") == [line.decode().strip() for line in shown]


def test_without_a_log_nothing_is_run(folder: Path) -> None:
    (folder / "benchmark_results").write_text("in the way")
    status, out, err = run([*EXEC, "--", "touch", "ran"], folder)
    assert (status, out) == (125, b"")
    assert b"benchmark_results" in err
    assert not (folder / "ran").exists()
