"""What goes wrong on the way to Grafana: each ends in a clear message, and what was done is said."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, needs_openssl
from support.lb import lb
from support.paths import LB
from support.process import clean_environment, wait_until
from support.standin import PASSWORD, TOKEN, StandIn, results, running_stand_in

HTML = "<html><head><title>502 Bad Gateway</title></head>{authorization}</html>"
FIRST_DASHBOARD = "/api/dashboards/db"


def json_fault(status: int, message: str, **where: Any) -> dict[str, Any]:
    body = f'{{"message": "{message}", "you said": "{{authorization}}"}}'
    return {"status": status, "type": "application/json", "body": body, **where}


# What one object is told, and the others are made all the same.
ONE = [
    (json_fault(403, "Permissions needed: dashboards:create"), "the token or user needs the role Admin"),
    (json_fault(404, "folder not found"), "HTTP 404: folder not found"),
    (json_fault(409, "data source with the same name already exists"), "see who has that name in Grafana"),
    (json_fault(412, "The dashboard has been changed by someone else"), "run this again"),
    (json_fault(500, "Failed to save dashboard"), "HTTP 500: Failed to save dashboard; see Grafana's log"),
]

# What stops everything.
ALL = [
    (json_fault(401, "Invalid API key"), "HTTP 401: Invalid API key; correct grafana.api_key"),
    ({"status": 502, "type": "text/html", "body": HTML}, "not Grafana's answer but that of something before it"),
    ({"status": 200, "type": "text/html", "body": "<html>Welcome</html>"}, "see whether grafana.url is right"),
    ({"status": 302, "location": "/login?from=x", "body": HTML}, "/login, a login page or another URL"),
    ({"status": 407, "type": "text/plain", "body": "who?"}, "the proxy on the way asks for a password"),
    ({"status": 0}, "no answer within 3s; see grafana.timeout_seconds"),
]


def identity(entry: tuple[dict[str, Any], str]) -> str:
    return f"{entry[0]['status']}{str(entry[0].get('type', '')).partition('/')[2]}"


def patience(fault: dict[str, Any]) -> dict[str, str]:
    """Where no answer comes, it is not waited for as long as usual."""
    return {} if fault["status"] else {"LB_GRAFANA_TIMEOUT_SECONDS": "3"}


@pytest.mark.parametrize("case", ONE, ids=identity)
def test_one_object_fails_and_the_others_are_made(grafana: StandIn, case: tuple[dict[str, Any], str]) -> None:
    fault, expected = case
    grafana.change(faults=[{"method": "POST", "path": FIRST_DASHBOARD, **fault}])
    ran = grafana.configure("--loki-endpoint", grafana.url)
    became = results(ran)
    assert ran.code == 1
    assert became["dashboard own-first"] == became["dashboard own-second"] == "failed"
    assert became["datasource lb-loki"] == "created"
    why = next(thing["why"] for thing in ran.document["objects"] if thing["uid"] == "own-first")
    assert expected in why
    assert "not all is as it should be" in ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    # When it is mended, the rest is made.
    grafana.change()
    again = grafana.configure("--loki-endpoint", grafana.url)
    assert again.code == 0
    assert results(again)["dashboard own-first"] == "created"
    assert results(again)["datasource lb-loki"] == "unchanged"


@pytest.mark.parametrize("case", ALL, ids=identity)
def test_what_stops_in_the_middle_says_what_was_done(grafana: StandIn, case: tuple[dict[str, Any], str]) -> None:
    fault, expected = case
    # The first dashboard that is written comes through.
    grafana.change(faults=[{"method": "POST", "path": FIRST_DASHBOARD, "after": 1, **fault}])
    ran = grafana.provision("--loki-endpoint", grafana.url, "--grafana-org-id", "1", **patience(fault))
    assert ran.code == 1
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line.startswith("folder") and "created" in line]
    dashboards = [line for line in lines if line.startswith("dashboard")]
    assert sum("created" in line for line in dashboards) == 1
    failed = [line for line in dashboards if " failed " in line]
    assert len(failed) == 1
    assert expected in failed[0]
    assert sum("not tried" in line for line in dashboards) == len(dashboards) - 2
    assert "stopped: " in ran.stderr
    assert "what was done stays, run this again to go on" in ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    grafana.change()
    assert grafana.configure("--loki-endpoint", grafana.url).code == 0


@pytest.mark.parametrize("case", ALL, ids=identity)
def test_what_stops_at_the_first_call_is_an_error(grafana: StandIn, case: tuple[dict[str, Any], str]) -> None:
    fault, expected = case
    grafana.change(faults=[{"path": "/api/", **fault}])
    ran = grafana.provision(**patience(fault))
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"error: {grafana.url}: ")
    assert expected in ran.stderr
    assert TOKEN not in ran.stderr


def test_ctrl_c_in_the_middle_says_what_was_done(grafana: StandIn) -> None:
    asked = "/api/datasources/uid/lb-loki/health"
    grafana.change(faults=[{"path": asked, "status": 0}])
    own = {"LB_GRAFANA_TIMEOUT_SECONDS": "3", "LB_LOKI_ENDPOINT": grafana.url}
    process = subprocess.Popen(
        [LB, "provision", "loki-grafana"],
        env=clean_environment(grafana.environment(**own)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def is_asked() -> bool:
        return asked in [request["path"] for request in grafana.look()["requests"] or []]

    wait_until(is_asked, 20, "it asks for the datasource's health")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.search(r"^datasource +lb-loki +created", out, re.MULTILINE)
    assert "not tried" in out
    assert "stopped: interrupted; what was done stays" in err


def test_what_is_not_grafana(grafana: StandIn) -> None:
    grafana.change(faults=[{"path": "/api/", "status": 200, "type": "application/json", "body": "[1]"}])
    ran = grafana.provision()
    assert ran.code == 2
    assert "what answers is not Grafana" in ran.stderr
    nobody = grafana.provision(LB_GRAFANA_URL="http://127.0.0.1:9")
    assert nobody.code == 2
    assert "http://127.0.0.1:9: tcp connect error: Connection refused" in nobody.stderr


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"anonymous": ""}, "say who you are: grafana.api_key, or grafana.username and grafana.password"),
        ({"LB_GRAFANA_API_KEY": "glsa_wrong"}, "correct grafana.api_key"),
        (
            {"LB_GRAFANA_USERNAME": "admin", "LB_GRAFANA_PASSWORD": "admin"},
            "correct grafana.username or grafana.password",
        ),
    ],
)
def test_whom_grafana_does_not_know(grafana: StandIn, who: dict[str, str], expected: str) -> None:
    ran = grafana.configure(**who)
    assert ran.code == 2
    assert set(results(ran).values()) <= {"failed", "not_tried", "skipped"}
    assert f"HTTP 401: Invalid username or password; {expected}" in ran.document["stopped"]
    assert grafana.writes() == []
    # No password but the given one is ever tried.
    assert len([r for r in grafana.look()["requests"] if r["path"] != "/api/health"]) == 1


def test_a_name_that_somebody_else_has(grafana: StandIn) -> None:
    theirs = {"uid": "theirs", "name": "lb-log Loki", "type": "loki", "access": "proxy"}
    grafana.change(datasource=theirs)
    ran = grafana.configure("--loki-endpoint", grafana.url)
    assert (ran.code, results(ran)["datasource lb-loki"]) == (1, "failed")
    why = next(thing["why"] for thing in ran.document["objects"] if thing["uid"] == "lb-loki")
    assert "HTTP 409: data source with the same name already exists; see who has that name" in why
    assert grafana.look()["datasources"].keys() == {"theirs"}


def test_what_comes_from_files_of_grafana_is_left_alone(grafana: StandIn) -> None:
    loki: dict[str, Any] = {
        "uid": "lb-loki",
        "name": "lb-log Loki",
        "type": "loki",
        "access": "proxy",
        "readOnly": True,
    }
    grafana.change(datasource=loki)
    grafana.change(dashboard={"uid": "own-first", "title": "Old"}, in_folder="x", provisioned=True)
    ran = grafana.configure("--loki-endpoint", grafana.url)
    assert (ran.code, results(ran)["datasource lb-loki"], results(ran)["dashboard own-first"]) == (
        1,
        "failed",
        "failed",
    )
    assert "it comes from a provisioning file of Grafana's" in ran.stdout
    # One that is as it should be is well, although nobody can see its secrets.
    loki |= {"url": grafana.url, "jsonData": {"lbLog": "platform", "maxLines": 5000}, "basicAuth": True}
    grafana.change(datasource=loki | {"basicAuthUser": "me"})
    who = {"LB_LOKI_USERNAME": "me", "LB_LOKI_PASSWORD": "p"}
    assert results(grafana.configure("--loki-endpoint", grafana.url, **who))["datasource lb-loki"] == "unchanged"


def test_secrets_that_cannot_be_read(grafana: StandIn) -> None:
    grafana.configuration(f'[plugins.own]\nurl = "{grafana.url}"\ntoken = "{grafana.folder}/missing"')
    ran = grafana.configure()
    assert (ran.code, results(ran)["datasource own-secret"]) == (1, "failed")
    assert "missing: No such file" in ran.stdout
    (grafana.folder / "state/lb-log").mkdir(parents=True, exist_ok=True)
    (grafana.folder / "state/lb-log/grafana.json").write_text("{", encoding="utf-8")
    damaged = grafana.configure()
    assert damaged.code == 2
    assert "grafana.json: damaged; delete it" in damaged.stderr


def test_without_a_home_nothing_is_kept_and_that_is_said(grafana: StandIn) -> None:
    (grafana.folder / "token").write_text("s", encoding="utf-8")
    grafana.configuration(f'[plugins.own]\nurl = "{grafana.url}"\ntoken = "{grafana.folder}/token"')
    homeless = {"HOME": "", "XDG_STATE_HOME": ""}
    first = grafana.configure(**homeless)
    assert first.code == 0
    assert "HOME is not set" in first.stderr
    assert "the secrets of datasources are given once more the next time" in first.stderr
    again = grafana.configure(**homeless)
    assert [name for name, became in results(again).items() if became == "updated"] == ["datasource own-secret"]
    grafana.configuration("")
    assert grafana.configure(**homeless).stderr == ""


def test_mistakes_are_told_before_anybody_is_called(grafana: StandIn) -> None:
    grafana.configuration('[plugins.own]\nurls = "x"\n[plugins.dfas]\n')
    grafana.plugin("grafana/dashboards/broken.json", "{")
    ran = grafana.configure()
    assert (ran.code, ran.stdout) == (2, "")
    for expected in (
        "plugins.own.urls: unknown setting urls; did you mean url?",
        "plugins.dfas: unknown plugin dfas; did you mean dfaas?",
        "broken.json: line 1, column 1: not JSON",
    ):
        assert expected in ran.stderr
    assert not grafana.look()["requests"]
    checked = grafana.provision("status")
    assert checked.code == 2


@needs_openssl
def test_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    ours = authority.certify("localhost")
    tls = ["-certificate", str(ours.certificate), "-key", str(ours.key)]
    with running_stand_in(tmp_path, *tls) as grafana:
        where = {"LB_GRAFANA_URL": grafana.encrypted_url}
        unknown = grafana.configure(**where)
        assert unknown.code == 2
        assert "set grafana.ca_file to the certificate of the authority" in unknown.stderr
        assert grafana.configure(**where, LB_GRAFANA_CA_FILE=str(authority.certificate)).code == 0
        anybody = grafana.configure(**where, LB_GRAFANA_INSECURE_SKIP_VERIFY="true")
        assert anybody.code == 0
        assert "any certificate is accepted" in anybody.stderr
        missing = grafana.configure(**where, LB_GRAFANA_CA_FILE="/no/such")
        assert missing.code == 2
        assert "grafana.ca_file: /no/such: No such file" in missing.stderr


def test_an_old_grafana_is_warned_of(tmp_path: Path) -> None:
    with running_stand_in(tmp_path, "-version", "9.5.1") as grafana:
        ran = grafana.configure()
        assert ran.code == 0
        assert "warning: Grafana 9.5.1: lb is written for 11 to 13; renew it" in ran.stderr


def test_with_nothing_configured_it_says_what_to_configure(grafana: StandIn) -> None:
    lonely = {
        "LB_CONFIG": str(grafana.folder / "lb.toml"),
        "HOME": str(grafana.folder / "nobody"),
        "XDG_STATE_HOME": "",
    }
    ran = lb("provision", "loki-grafana", **lonely)
    assert (ran.code, ran.stdout) == (2, "")
    assert "--grafana-url URL, LB_GRAFANA_URL, or grafana.url in lb.toml" in ran.stderr
    ran = lb("provision", "loki-grafana", "status", **lonely)
    assert (ran.code, ran.stdout) == (2, "")
    assert "--loki-endpoint URL and --grafana-url URL" in ran.stderr


def test_secrets_are_in_no_output_file_or_command_line(grafana: StandIn) -> None:
    secrets = {"pw-loki-9137", "pw-prom-2281", "s3cret-of-own", PASSWORD}
    (grafana.folder / "token").write_text("s3cret-of-own", encoding="utf-8")
    grafana.configuration(
        f"""
        [loki]
        endpoint = "{grafana.url}"
        username = "me"
        password = "pw-loki-9137"
        [prometheus]
        url = "http://prom:pw-prom-2281@127.0.0.1:9"
        [plugins.own]
        url = "{grafana.url}"
        token = "{grafana.folder}/token"
        """
    )
    who = {"LB_GRAFANA_USERNAME": "admin", "LB_GRAFANA_PASSWORD": PASSWORD}
    said = ""
    # A server that repeats what it was told, and one that does not.
    for faults in ([{"path": "/api/dashboards", **json_fault(500, "no: {authorization}")}], []):
        grafana.change(faults=faults)
        for arguments in (["configure", "--save-token"], ["status"], ["configure", "--export", grafana.folder / "out"]):
            for form in ("text", "json"):
                ran = grafana.provision(*arguments, "--format", form, "-v", **who)
                said += ran.stdout + ran.stderr
    known = grafana.look()["secrets"]
    assert known["lb-loki"] == {"basicAuthPassword": "pw-loki-9137"}
    assert known["own-secret"] == {"key": "Token s3cret-of-own"}
    written = {
        path: path.read_text("utf-8")
        for path in grafana.folder.rglob("*")
        if path.is_file() and path.name not in {"token", "lb.toml"}
    }
    assert any(path.name == "grafana.json" for path in written)
    assert any(path.name == "lb-log.yaml" for path in written)
    for secret in secrets:
        assert secret not in said
        assert [path for path, text in written.items() if secret in text] == []


def test_what_cannot_be_taken_away_is_named_and_the_token_stays(grafana: StandIn) -> None:
    who = {"LB_GRAFANA_USERNAME": "admin", "LB_GRAFANA_PASSWORD": PASSWORD}
    grafana.configure("--save-token", "--loki-endpoint", grafana.url, **who)
    grafana.change(faults=[{"method": "DELETE", "path": "/api/datasources", **json_fault(403, "Permissions needed")}])
    ran = grafana.configure("--remove", anonymous="")
    assert (ran.code, results(ran)["datasource lb-loki"]) == (1, "failed")
    assert results(ran)["folder lb-log"] == "removed"
    grafana.change(
        faults=[{"method": "GET", "path": "/api/datasources", "status": 502, "type": "text/html", "body": HTML}]
    )
    ran = grafana.configure("--remove", anonymous="")
    assert ran.code != 0
    assert "not Grafana's answer" in ran.document["stopped"]
    assert "token" in (grafana.folder / "state/lb-log/grafana.json").read_text("utf-8")
    grafana.change()
    ran = grafana.configure("--remove", anonymous="")
    assert (ran.code, results(ran)["datasource lb-loki"]) == (0, "removed")
    seen = grafana.look()
    assert not seen["datasources"]
    assert seen["accounts"] == []
