"""Secrets stay where they were given: whatever a server repeats of them, nothing that is written has them."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import k6
from support.certificates import Authority, needs_openssl
from support.faults import Answer, Exchange, Fault, Request, proxy
from support.loki import Loki
from support.paths import LB
from support.process import clean_environment, wait_until
from support.speaker import speaking

PASSWORD, TOKEN, HEADER = "password-8f3a61c2", "token-51d0e7aa", "header-c77e19d4"
IN_URL, QUERY, PROXY = "url-4d9a3c5e", "query-0be6f2a9", "proxy-9a1b2c3d"
PLAIN = [PASSWORD, TOKEN, HEADER, IN_URL, QUERY, PROXY]
ENCODED = [base64.b64encode(f"{user}{secret}".encode()).decode() for secret in PLAIN for user in ("", "me:")]


def answer_of(request: Request) -> str:
    """The worst server repeats all that it was told."""
    first = ("authorization", "proxy-authorization", "x-key")
    return " ".join([*(request.headers.get(name, "") for name in first), request.target])


def telling(status: int) -> Fault:
    """Answers with that, in the text and in a redirect's target."""

    async def fault(exchange: Exchange) -> None:
        text = answer_of(exchange.request)
        await exchange.answer(Answer(status, text.encode(), {"Location": f"/elsewhere/{text.replace(' ', '/')}"}))

    return fault


@dataclass
class Written:
    """All that programs have written: a folder, and what was read of their processes."""

    folder: Path
    key: str = ""
    command_lines: list[str] = field(default_factory=list)

    def told(self) -> list[Path]:
        """The files in which it was repeated, the secrets hidden."""
        return [path for path in self.folder.rglob("*") if path.is_file() and b"***" in path.read_bytes()]

    def found(self) -> list[str]:
        """Where a secret was found."""
        secrets = [*PLAIN, *ENCODED, *(line for line in self.key.splitlines() if len(line) > 40)]
        texts = {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        texts |= {f"the command line {line}": line.encode() for line in self.command_lines}
        assert len(texts) > 3, f"hardly anything was written: {list(texts)}"
        return [f"{secret} in {name}" for name, text in texts.items() for secret in secrets if secret.encode() in text]


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            own, _, rest = stat.read_text().rpartition(")")
            if int(rest.split()[1]) == pid:
                found.append(int(own.split(" ", 1)[0]))
    return found


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@contextmanager
def watched(written: Written, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The command lines of a process and of its children are noted, many times a second."""
    over = threading.Event()

    def look() -> None:
        seen: set[str] = set()
        while not over.wait(0.02):
            with suppress(OSError):
                seen |= {command_line(pid) for pid in family(process.pid)}
        written.command_lines += sorted(seen)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def commands_of_lb() -> list[list[str]]:
    """Every command of `lb` that says something of a run or of the configuration; those that there are."""
    help_text = subprocess.run([str(LB), "--help"], capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"^  ([a-z]+) ", help_text, re.MULTILINE))
    wanted = [["config", "show"], ["config", "check"], ["status", "latest"], ["drain"], ["runs"], ["logs", "latest"]]
    wanted += [[command, "latest", "--timeout", "1"] for command in ("push", "verify")]
    return [command for command in wanted if command[0] in there]


def ask_lb(written: Written, environment: Mapping[str, str], *more: str) -> None:
    """Every command of `lb`, as talkative as can be; what it says is kept."""
    for command in commands_of_lb():
        for options in ([], ["-v"], ["--format", "json"]):
            name = "-".join([*command, *options, *more]).replace("/", "_")
            with (written.folder / f"lb-{name}").open("wb") as said:
                process = subprocess.Popen(
                    [str(LB), *command, *options, *more], env=environment, cwd=written.folder, stdout=said, stderr=said
                )
                with watched(written, process):
                    process.wait(60)


def basic_of(secret: str) -> str:
    return base64.b64encode(f"me:{secret}".encode()).decode()


def ways(url: str) -> dict[str, tuple[dict[str, str], list[str]]]:
    """Each way to give a secret, as the environment, and what a server is told then."""
    host = url.removeprefix("http://")
    of_bearer = {"LB_LOKI_BEARER_TOKEN": TOKEN, "LB_LOKI_HEADERS": f"X-Key={HEADER}"}
    in_url = f"http://me:{IN_URL}@{host}/loki/api/v1/push?token={QUERY}"
    by_proxy = {"LB_LOKI_ENDPOINT": "http://loki.test", "HTTP_PROXY": f"http://me:{PROXY}@{host}"}
    return {
        "basic": (
            {"LB_LOKI_ENDPOINT": url, "LB_LOKI_USERNAME": "me", "LB_LOKI_PASSWORD": PASSWORD},
            [basic_of(PASSWORD)],
        ),
        "bearer": ({"LB_LOKI_ENDPOINT": url, **of_bearer}, [TOKEN, HEADER]),
        "url": ({"LB_LOKI_ENDPOINT": in_url}, [basic_of(IN_URL), QUERY]),
        "proxy": (by_proxy, [basic_of(PROXY)]),
    }


WAYS = sorted(ways("http://nobody"))


@pytest.mark.parametrize("status", [301, 400, 401, 503])
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_is_written(loki: Loki, folder: Path, speaker_program: Path, way: str, status: int) -> None:
    """Whatever a server answers that repeats what it was told: in refusals, in the reasons of the quarantine, in the
    target of a redirect. A program logs, is told that not all is delivered, and aborts.
    """
    written = Written(folder)
    with proxy(loki, telling(status)) as between:
        secrets, expected = ways(between.url)[way]
        given = {**secrets, "LB_LOKI_ENABLED": "true", "LB_OUTPUT_DIR": str(folder), "RUST_BACKTRACE": "1"}
        environment = clean_environment(given)
        with speaking(speaker_program, folder / "own", {}, environment=environment) as speaker:
            with watched(written, speaker.process):
                speaker.log(3)
                wait_until(lambda: bool(written.told()), 20, "something is said of it")
                (folder / "closed").write_text(str(speaker.close(3000)))
            speaker.process.send_signal(signal.SIGABRT)
            speaker.process.wait(10)
        ask_lb(written, environment)
        told = "".join(answer_of(request) for request in between.requests)
    assert all(secret in told for secret in expected), f"the server was not told: {told}"
    assert not written.found(), "\n".join(written.found())


@pytest.mark.parametrize("way", WAYS)
def test_k6_writes_no_secret(loki: Loki, folder: Path, way: str) -> None:
    written = Written(folder)
    with proxy(loki, telling(401)) as between:
        secrets, _ = ways(between.url)[way]
        given = {**secrets, "LB_LOKI_ENABLED": "true", "LB_RUN_ID": "secrets"}
        command = k6.arguments("console.js", folder, None, extra=["--verbose"])
        process = k6.start(command, folder, given)
        with watched(written, process):
            run = k6.finished(process, command, folder)
        assert between.requests
    assert len(run.logs) == 1, run.stderr
    assert "HTTP 401" in run.stderr, run.stderr
    assert any("k6" in line for line in written.command_lines), written.command_lines
    assert not written.found(), "\n".join(written.found())


@needs_openssl
def test_mistakes_and_keys_are_named_and_not_shown(folder: Path) -> None:
    """What is wrong with a configuration is said without what is in it."""
    authority = Authority(folder / "authority")
    client = authority.certify("me")
    given, written = folder / "given", Written(folder / "written", key=client.key.read_text())
    given.mkdir()
    written.folder.mkdir()
    for number, lines in enumerate(
        (
            [f'endpoint = "http://me:{IN_URL}@[bad/?token={QUERY}"'],
            [f'endpoint = "ftp://me:{IN_URL}@host/?token={QUERY}"'],
            [f'endpoint = "http://me:{IN_URL}@host"', f'bearer_token = "{TOKEN}"'],
            ['endpoint = "http://host"', f'username = "me"\npassword = "{PASSWORD}"', f'bearer_token = "{TOKEN}"'],
            ['endpoint = "http://host"', f'password = "{PASSWORD}"'],
            ['endpoint = "http://host"', f"bearer_token = ['{TOKEN}']", f'passwort = "{PASSWORD}"'],
            ['endpoint = "http://host"', f'headers = "X Key={HEADER}"'],
            [f'endpoint = "http://host" "{TOKEN}"'],
            ['endpoint = "https://host"', f'key_file = "{client.key}"', f'cert_file = "{client.key}"'],
        )
    ):
        file = given / f"{number}.toml"
        file.write_text("\n".join(["[loki]", *lines, ""]))
        ask_lb(written, clean_environment({"HOME": str(folder)}), "--config", str(file))
    assert not written.found(), "\n".join(written.found())
    # What is looked for is found where it is.
    planted = Written(given)
    assert any(TOKEN in found for found in planted.found())
