"""`lb provision loki-grafana status`, `install` and `remove`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.loki import running_loki
from support.paths import LB, ROOT
from support.process import clean_environment
from support.standin import StandIn


def test_both_are_up(grafana: StandIn, tmp_path: Path) -> None:
    loki_folder = tmp_path / "loki"
    loki_folder.mkdir()
    with running_loki(loki_folder) as loki:
        empty = grafana.provision("status", "--loki-endpoint", loki.url)
        assert empty.code == 0, empty.stderr
        assert "lb provision loki-grafana brings it" in empty.stdout
        grafana.provision("--loki-endpoint", loki.url)
        ran = grafana.provision("status", "--loki-endpoint", loki.url)
        assert ran.code == 0, ran.stderr
        rows = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines()}
        assert rows["loki"][:2] == ["up", loki.url]
        assert rows["grafana"] == ["up", grafana.url, "12.1.0"]
        assert rows["provisioned"][:3] == ["there", "1", "datasource,"]
        assert rows["endpoint"][0] == loki.url
        document = grafana.provision("status", "--format", "json", "--loki-endpoint", loki.url).document
        assert document["loki"]["up"]
        assert document["grafana"]["up"]
        assert document["provisioned"]["datasources"] == 1
        assert document["endpoint"] == loki.url


def test_one_is_down(grafana: StandIn) -> None:
    ran = grafana.provision("status", "--loki-endpoint", "http://127.0.0.1:9")
    assert ran.code == 1
    assert "Connection refused" in ran.stdout
    assert grafana.provision("status", "--loki-endpoint", "http://127.0.0.1:9", "--no-loki").code == 0
    ran = grafana.provision("status", LB_GRAFANA_URL="http://127.0.0.1:9")
    assert ran.code == 1
    grafana.change(faults=[{"path": "/ready", "status": 503, "type": "text/plain", "body": "Ingester not ready"}])
    ran = grafana.provision("status", "--loki-endpoint", grafana.url)
    assert ran.code == 1
    assert "HTTP 503: Ingester not ready" in ran.stdout
    unknown = grafana.provision("status", LB_GRAFANA_API_KEY="wrong")
    assert unknown.code == 0
    assert "not known" in unknown.stdout


SCRIPT = """#!/bin/sh
printf '%s\\n' "$0" "$@" >"$SEEN"
echo to stdout
echo to stderr >&2
exit "$STATUS"
"""


class Installed:
    """lb with scripts beside it, in the place where `make install` puts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "bin/lb-log"
        self.program.parent.mkdir()
        shutil.copy(LB, self.program)
        shutil.copytree(ROOT / "plugins", folder / "share/lb-log/plugins")
        for name in ("install-loki-grafana.sh", "uninstall-loki-grafana.sh"):
            script = folder / "share/lb-log/scripts" / name
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(SCRIPT, encoding="utf-8")
            script.chmod(0o755)

    def run(self, *arguments: str, status: int = 0) -> tuple[int, str, str, list[str]]:
        """Exit status, both outputs, and what the script was told, its name first."""
        seen = self.folder / "seen"
        own = {"HOME": str(self.folder), "XDG_STATE_HOME": "", "SEEN": str(seen), "STATUS": str(status)}
        done = subprocess.run(
            [self.program, "provision", "loki-grafana", *arguments],
            env=clean_environment(own),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        name, *told = seen.read_text("utf-8").splitlines()
        return done.returncode, done.stdout, done.stderr, [Path(name).name, *told]


def test_install_tells_the_script_what_it_was_told(tmp_path: Path) -> None:
    lb = Installed(tmp_path)
    code, out, err, told = lb.run(
        *("install", "--method", "docker", "--yes", "--data-dir", "/a b", "--retention", "7", "--listen", "0.0.0.0"),
        *("--loki-port", "3101", "--grafana-port", "3001", "--no-grafana", "--", "--state-dir", "/s"),
    )
    assert (code, out, err) == (0, "to stdout\n", "to stderr\n")
    assert told[0] == "install-loki-grafana.sh"
    expected = ["--no-configure", "--method", "docker", "--yes", "--data-dir", "/a b", "--retention", "7"]
    expected += ["--listen", "0.0.0.0", "--loki-port", "3101", "--grafana-port", "3001"]
    expected += ["--no-grafana", "--state-dir", "/s"]
    assert sorted(told[1:]) == sorted(expected)
    code, _, _, told = lb.run("remove", "--remove-data", "-y", "-n")
    assert (code, told) == (0, ["uninstall-loki-grafana.sh", "--purge", "--yes", "--dry-run"])


@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_exit_status_is_the_scripts(tmp_path: Path, status: int) -> None:
    lb = Installed(tmp_path)
    assert lb.run("install", "--mode", "local", status=status)[0] == status
    assert lb.run("remove", status=status)[0] == status


def test_install_configures_afterwards(grafana: StandIn, tmp_path: Path) -> None:
    lb = Installed(tmp_path)
    token = tmp_path / "token"
    token.write_text("glsa_test-token-of-the-tests", encoding="utf-8")
    server = ["--grafana-url", grafana.url, "--grafana-api-key-file", str(token)]
    for never in (["--no-configure"], ["--dry-run"]):
        assert lb.run("install", *never, *server)[0] == 0
        assert grafana.writes() == []
    code, out, err, _ = lb.run("install", *server)
    assert code == 0, err
    assert "folder" in out
    assert "POST /api/folders" in grafana.writes()


def test_without_the_scripts_it_says_where_they_belong(tmp_path: Path) -> None:
    lb = Installed(tmp_path)
    shutil.rmtree(tmp_path / "share")
    with pytest.raises(FileNotFoundError):
        lb.run("install")
    done = subprocess.run(
        [lb.program, "provision", "loki-grafana", "install"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "scripts/install-loki-grafana.sh is not beside lb, nor below <prefix>/share/lb-log" in done.stderr
