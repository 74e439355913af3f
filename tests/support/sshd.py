"""Real sshd on the loopback interface, each a host with keys of its own, and an ssh configuration that knows them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from support.paths import LB
from support.process import clean_environment, wait_until

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
# Where programs are that a host has; nothing of ours.
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def needed() -> str:
    """The server, or the reason to skip."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("sshd is not here (Debian packages openssh-server and openssh-client, make deps)")
    return SSHD


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_key(path: Path) -> Path:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path


class Host:
    """One host: its home, its server, and how it is called."""

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        self.folder = site.folder / "hosts" / name
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.key = make_key(self.folder / "host_key")
        self.port = free_port()
        self.server: subprocess.Popen[bytes] | None = None
        # What a login prints before any command.
        self.banner = ""
        # Folders with programs of the host's own, before the system's.
        self.programs: Sequence[Path] = ()

    @property
    def runs(self) -> Path:
        """The default folder of all runs."""
        return self.home / "benchmark_results"

    def with_lb(self) -> Host:
        """`lb` is in the host's PATH, from its next start on."""
        programs = self.folder / "programs"
        programs.mkdir()
        (programs / "lb").symlink_to(LB)
        self.programs = [programs]
        return self

    def start(self) -> Host:
        """The server listens when this returns."""
        path = ":".join([*map(str, self.programs), SYSTEM_PATH])
        login = self.folder / "login"
        # As a shell with a talkative profile does it, in the home that this host has.
        login.write_text(f"cd '{self.home}'\nprintf %s '{self.banner}'\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
        configuration = self.folder / "sshd_config"
        configuration.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.key}\n"
            f"AuthorizedKeysFile {self.site.key}.pub\n"
            f"PidFile {self.folder}/pid\n"
            f"ForceCommand /bin/sh {login}\n"
            f"SetEnv PATH={path} HOME={self.home}\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin yes\nPrintMotd no\nPrintLastLog no\nLogLevel ERROR\nMaxStartups 100\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = (self.folder / "sshd.log").open("ab")
        with log:
            self.server = subprocess.Popen(
                [needed(), "-D", "-e", "-f", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self.answers, 10, f"sshd listens: {(self.folder / 'sshd.log').read_text()}")
        return self

    def answers(self) -> bool:
        """Whether somebody listens."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return bool(connection.recv(4))
        except OSError:
            return False

    def processes(self) -> list[int]:
        """The server and all that it has started, the youngest first."""
        if self.server is None:
            return []
        found = [self.server.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                found += [int(child) for child in (task / "children").read_text().split()]
        return found[::-1]

    def signal(self, number: int) -> None:
        """A signal to the server and all that it has started."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def die(self) -> None:
        """As a host does whose power fails: at once, its connections first."""
        for pid in reversed(self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.server is not None:
            self.server.wait()
            self.server = None


class Site:
    """Hosts, and the configuration of ssh that reaches them."""

    def __init__(self, folder: Path) -> None:
        needed()
        self.folder = folder
        (folder / "hosts").mkdir(parents=True)
        self.key = make_key(folder / "key")
        self.known = folder / "known_hosts"
        self.known.touch()
        self.configuration = folder / "ssh_config"
        self.configuration.write_text("")
        self.hosts: list[Host] = []
        self.sockets: tempfile.TemporaryDirectory[str] | None = None

    def host(self, name: str, *, known: bool = True) -> Host:
        """A host that does not run yet."""
        host = Host(self, name)
        self.hosts.append(host)
        with self.configuration.open("a") as file:
            file.write(
                f"Host {name}\n  HostName 127.0.0.1\n  Port {host.port}\n  HostKeyAlias {name}\n"
                f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n"
                f"  UserKnownHostsFile {self.known}\n  GlobalKnownHostsFile /dev/null\n"
            )
        if known:
            self.know(host)
        return host

    def know(self, host: Host) -> None:
        """As after a first look at the host's key."""
        with self.known.open("a") as file:
            file.write(f"{host.name} {Path(f'{host.key}.pub').read_text()}")

    def share(self) -> Site:
        """One connection to each host carries all, as users have it who log in with a second factor. For the hosts
        that come after it.
        """
        # The name of a socket must be short.
        self.sockets = tempfile.TemporaryDirectory(prefix="lb")
        with self.configuration.open("a") as file:
            file.write(f"ControlMaster auto\nControlPath {self.sockets.name}/%n\nControlPersist 20\n")
        return self

    @property
    def ssh(self) -> str:
        """The command that reaches the hosts."""
        return f"ssh -F '{self.configuration}'"

    @property
    def environment(self) -> dict[str, str]:
        """What `lb` needs to know."""
        return clean_environment({"LB_COLLECT_SSH": self.ssh})

    def close(self) -> None:
        """Ends all servers."""
        for host in self.hosts:
            host.die()
        if self.sockets is not None:
            self.sockets.cleanup()
