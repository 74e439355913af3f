"""`lb provision loki-grafana configure`: what it makes in Grafana, and that it makes it once."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from support.paths import LB
from support.standin import PASSWORD, TOKEN, StandIn, results, running_stand_in
from support.terminal import Terminal

LOKI_AND_SITES = """
loki.endpoint = "{url}"
prometheus.url = "{url}"
[plugins.own]
url = "{url}"
sites = ["north", "south.lab"]
token = "~/token"
"""


def everything(grafana: StandIn) -> None:
    """A configuration with which nothing is skipped; datasources are healthy where the stand-in itself is."""
    (grafana.folder / "token").write_text("s3cret-of-own\n", encoding="utf-8")
    grafana.configuration(LOKI_AND_SITES.format(url=grafana.url))


def test_the_first_run_creates_the_second_changes_nothing(grafana: StandIn) -> None:
    everything(grafana)
    first = grafana.configure()
    assert first.code == 0, first.stderr
    became = results(first)
    assert set(became.values()) == {"created"}
    for uid in ("folder lb-log", "datasource lb-loki", "datasource own-site-south-lab", "dashboard own-first"):
        assert uid in became
    assert any(name.startswith("dashboard lb-platform-") for name in became)
    assert all(thing["health"]["ok"] for thing in first.document["objects"] if thing["kind"] == "datasource")
    seen = grafana.look()
    assert seen["datasources"]["lb-loki"]["url"] == grafana.url
    assert seen["datasources"]["own-site-south-lab"]["url"] == f"{grafana.url}/south.lab"
    assert seen["datasources"]["own-site-south-lab"]["name"] == "Own south.lab"
    assert seen["secrets"]["own-secret"] == {"key": "Token s3cret-of-own"}
    assert "lb-log" in seen["dashboards"]["own-first"]["tags"]

    grafana.change()
    second = grafana.configure()
    assert (second.code, set(results(second).values())) == (0, {"unchanged"})
    assert grafana.writes() == []


def test_a_changed_file_updates_one_object(grafana: StandIn) -> None:
    everything(grafana)
    grafana.configure()
    grafana.dashboard("own-first", "Another title")
    grafana.change()
    ran = grafana.configure()
    updated = [name for name, result in results(ran).items() if result != "unchanged"]
    assert (ran.code, updated) == (0, ["dashboard own-first"])
    assert grafana.writes() == ["POST /api/dashboards/db"]
    assert grafana.look()["dashboards"]["own-first"]["title"] == "Another title"

    (grafana.folder / "token").write_text("s3cret-two", encoding="utf-8")
    ran = grafana.configure()
    updated = [name for name, result in results(ran).items() if result != "unchanged"]
    assert (ran.code, updated) == (0, ["datasource own-secret"])
    assert grafana.look()["secrets"]["own-secret"] == {"key": "Token s3cret-two"}


def test_what_somebody_has_changed_in_grafana_is_brought_back(grafana: StandIn) -> None:
    everything(grafana)
    grafana.configure()
    seen = grafana.look()
    changed = seen["datasources"]["lb-loki"] | {"url": "http://elsewhere", "isDefault": True, "version": 7}
    grafana.change(datasource=changed)
    grafana.change(dashboard=seen["dashboards"]["own-second"] | {"title": "Mine", "version": 9}, in_folder="lb-log")
    grafana.change(folder={"uid": "lb-log", "title": "Another", "version": 3})
    ran = grafana.configure()
    updated = {name for name, result in results(ran).items() if result != "unchanged"}
    assert (ran.code, updated) == (0, {"folder lb-log", "datasource lb-loki", "dashboard own-second"})
    loki = grafana.look()["datasources"]["lb-loki"]
    # Whether it is the default is not ours to say.
    assert (loki["url"], loki["isDefault"]) == (grafana.url, True)


def test_a_grafana_that_brings_dashboards_into_another_form(tmp_path: Path) -> None:
    with running_stand_in(tmp_path, "-migrates", "-version", "13.0.1") as grafana:
        everything(grafana)
        assert set(results(grafana.configure()).values()) == {"created"}
        assert set(results(grafana.configure()).values()) == {"unchanged"}
        assert grafana.look()["dashboards"]["own-first"]["schemaVersion"] == 42
        grafana.dashboard("own-first", "Another title")
        ran = grafana.configure()
        assert [n for n, result in results(ran).items() if result != "unchanged"] == ["dashboard own-first"]


def test_what_is_not_configured_is_skipped_and_named(grafana: StandIn) -> None:
    ran = grafana.configure()
    assert ran.code == 0, ran.stderr
    became = results(ran)
    assert became["datasource lb-loki"] == became["datasource own-secret"] == "skipped"
    assert became["dashboard own-first"] == "created"
    why = {thing["uid"]: thing["why"] for thing in ran.document["objects"]}
    assert why["lb-loki"] == "neither loki.endpoint nor plugins.platform.loki_url is set"
    assert why["own-secret"] == "plugins.own.url is not set"
    text = grafana.provision("--loki-endpoint", "http://127.0.0.1:9", "--no-loki").stdout
    assert "lb-loki" in text
    assert "--no-loki" in text


def test_who_grafana_is_to_loki_and_prometheus(grafana: StandIn) -> None:
    (grafana.folder / "pw").write_text("pass-of-loki\n", encoding="utf-8")
    (grafana.folder / "ca").write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    grafana.configuration(
        f"""
        [loki]
        endpoint = "{grafana.url}"
        username = "me"
        password_file = "{grafana.folder}/pw"
        tenant = "team"
        headers = {{ X-Key = "key-of-loki" }}
        ca_file = "{grafana.folder}/ca"
        [prometheus]
        url = "{grafana.url}"
        bearer_token = "token-of-prometheus"
        insecure_skip_verify = true
        """
    )
    assert grafana.configure().code == 0
    seen = grafana.look()
    loki, prometheus = seen["datasources"]["lb-loki"], seen["datasources"]["lb-prometheus"]
    assert (loki["basicAuth"], loki["basicAuthUser"]) == (True, "me")
    assert loki["jsonData"]["httpHeaderName1"] == "X-Scope-OrgID"
    assert loki["jsonData"]["tlsAuthWithCACert"] is True
    assert seen["secrets"]["lb-loki"] == {
        "basicAuthPassword": "pass-of-loki",
        "httpHeaderValue1": "team",
        "httpHeaderValue2": "key-of-loki",
        "tlsCACert": "-----BEGIN CERTIFICATE-----",
    }
    assert prometheus["jsonData"]["tlsSkipVerify"] is True
    assert prometheus["jsonData"]["httpHeaderName1"] == "Authorization"
    assert seen["secrets"]["lb-prometheus"] == {"httpHeaderValue1": "Bearer token-of-prometheus"}
    assert set(results(grafana.configure()).values()) <= {"unchanged", "skipped"}
    # Who is nobody any more is so in Grafana, too.
    grafana.configuration(f'loki.endpoint = "{grafana.url}"')
    assert results(grafana.configure())["datasource lb-loki"] == "updated"
    loki = grafana.look()["datasources"]["lb-loki"]
    assert not loki.get("basicAuth")
    assert not {name for name in loki["jsonData"] if name.startswith(("http", "tls"))}


def test_a_datasource_that_does_not_answer_is_made_and_named(grafana: StandIn) -> None:
    ran = grafana.configure("--loki-endpoint", "http://127.0.0.1:9")
    assert ran.code == 1
    loki = next(thing for thing in ran.document["objects"] if thing["uid"] == "lb-loki")
    assert (loki["result"], loki["health"]["ok"]) == ("created", False)
    assert "connection refused" in loki["health"]["message"]
    text = grafana.provision("--loki-endpoint", "http://127.0.0.1:9")
    assert "does not answer: Unable to connect" in text.stdout
    assert "not all is as it should be" in text.stderr


def test_a_token_is_made_kept_for_its_owner_and_used(grafana: StandIn) -> None:
    who = {"LB_GRAFANA_USERNAME": "admin", "LB_GRAFANA_PASSWORD": PASSWORD}
    first = grafana.configure(**who)
    assert first.code == 0
    assert "with --save-token a token is made" in first.stderr
    assert grafana.look()["accounts"] == []

    assert results(grafana.configure("--save-token", **who))["token lb-log"] == "created"
    kept = grafana.folder / "state/lb-log/grafana.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert PASSWORD not in kept.read_text("utf-8")
    token = json.loads(kept.read_text("utf-8"))[grafana.url]["token"]

    grafana.change()
    ran = grafana.configure(anonymous="")
    assert ran.code == 0, ran.stderr
    assert {request["who"] for request in grafana.look()["requests"]} <= {"lb-log", ""}
    assert grafana.look()["accounts"] == ["lb-log"]
    assert token not in ran.stdout + ran.stderr

    # Another one for the same account, where the first is lost.
    kept.unlink()
    assert results(grafana.configure("--save-token", **who))["token lb-log"] == "created"
    assert grafana.look()["accounts"] == ["lb-log"]

    # Who has one is not asked, and not told, again.
    assert "--save-token" not in grafana.configure(**who).stderr

    removed = results(grafana.configure("--remove", anonymous=""))
    assert removed["token lb-log"] == "removed"
    assert grafana.look()["accounts"] == []
    assert token not in kept.read_text("utf-8")


@pytest.mark.parametrize("answer", [b"y\n", b"\n", b"\x04"])
def test_a_person_is_asked_whether_a_token_shall_be_made(grafana: StandIn, answer: bytes) -> None:
    who = {"LB_GRAFANA_USERNAME": "admin", "LB_GRAFANA_PASSWORD": PASSWORD}
    terminal = Terminal(grafana.folder, str(LB), "provision", "loki-grafana", **grafana.environment(**who))
    terminal.read_until(lambda said: b"[y/N]" in said, "it asks")
    terminal.write(answer)
    assert terminal.status() == 0
    assert grafana.look()["accounts"] == (["lb-log"] if answer == b"y\n" else [])


def test_the_admin_of_a_grafana_that_was_installed_here(grafana: StandIn) -> None:
    state = grafana.folder / "state/lb-log"
    state.mkdir(parents=True)
    (state / "pw").write_text(PASSWORD, encoding="utf-8")
    noted = {
        "grafana": grafana.url,
        "loki": "http://127.0.0.1:3100",
        "loki-for-grafana": f"{grafana.url}/inside",
        "endpoint": "http://192.0.2.1:3100",
        "admin-user": "admin",
        "admin-password-file": str(state / "pw"),
    }
    lines = "".join(f"set\t{name}\t{value}\n" for name, value in noted.items())
    (state / "loki-grafana.state").write_text(f"# What\nversion\t1\n{lines}", encoding="utf-8")
    ran = grafana.configure(anonymous="", LB_LOKI_ENDPOINT="http://192.0.2.1:3100")
    assert ran.code == 0, ran.stderr
    assert "--save-token" not in ran.stderr
    # As that Grafana reaches it, not as targets do.
    assert grafana.look()["datasources"]["lb-loki"]["url"] == f"{grafana.url}/inside"
    status = grafana.provision("status", "--format", "json", anonymous="").document
    assert status["endpoint"] == "http://192.0.2.1:3100"


def test_the_flags_of_today(grafana: StandIn) -> None:
    given = ["--grafana-url", grafana.url, "--grafana-org-id", "7", "--loki-endpoint", grafana.url]
    elsewhere = {"LB_GRAFANA_URL": "http://127.0.0.1:9", "anonymous": ""}
    ran = grafana.provision(*given, "--grafana-api-key", TOKEN, **elsewhere)
    assert ran.code == 0, ran.stderr
    assert "--grafana-api-key: others on this machine can read it" in ran.stderr
    assert {request["org"] for request in grafana.look()["requests"] if request["who"]} == {"7"}
    user = ["--grafana-admin-user", "admin", "--grafana-admin-password", PASSWORD]
    assert grafana.provision("configure", *given, *user, **elsewhere).code == 0
    (grafana.folder / "pw").write_text(PASSWORD, encoding="utf-8")
    files = ["--grafana-admin-user", "admin", "--grafana-admin-password-file", str(grafana.folder / "pw")]
    quiet = grafana.provision("configure", *given, *files, "--no-save-token", **elsewhere)
    assert (quiet.code, quiet.stderr) == (0, "")


def test_remove_takes_away_only_what_is_ours(grafana: StandIn) -> None:
    everything(grafana)
    grafana.configure()
    grafana.change(datasource={"uid": "theirs", "name": "Theirs", "type": "loki", "access": "proxy"})
    grafana.change(dashboard={"uid": "theirs", "title": "Theirs", "tags": ["lb-log"]}, in_folder="lb-log")
    second = grafana.look()["dashboards"]["own-second"] | {"tags": ["mine"]}
    grafana.change(dashboard=second, in_folder="lb-log")
    # Of a host that the configuration does not name any more.
    grafana.configuration("")
    ran = grafana.configure("--remove")
    assert ran.code == 0, ran.stderr
    became = results(ran)
    assert became["dashboard own-second"] == became["folder lb-log"] == "left"
    assert became["datasource own-site-north"] == became["dashboard own-first"] == "removed"
    seen = grafana.look()
    assert set(seen["datasources"]) == {"theirs"}
    assert set(seen["dashboards"]) == {"theirs", "own-second"}
    assert set(seen["folders"]) == {"lb-log"}


def test_remove_takes_away_all_of_it(grafana: StandIn) -> None:
    everything(grafana)
    grafana.configure()
    ran = grafana.configure("--remove")
    assert (ran.code, set(results(ran).values())) == (0, {"removed"})
    seen = grafana.look()
    assert not seen["folders"]
    assert not seen["datasources"]
    assert not seen["dashboards"]
    again = grafana.configure("--remove")
    assert (again.code, set(results(again).values())) == (0, {"skipped"})


@pytest.mark.parametrize("off", [["--no-grafana"], ["--no-grafana", "--grafana", "--no-grafana"], []])
def test_grafana_may_be_off(grafana: StandIn, off: list[str]) -> None:
    grafana.configuration("" if off else "grafana.enabled = false")
    ran = grafana.provision(*off)
    assert ran.code == 2
    assert "Grafana is off" in ran.stderr
    assert not grafana.look()["requests"]
    assert grafana.provision("--grafana").code == 0
