"""`configure --export`: the same as provisioning files of Grafana, which load, and hold no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from support.lb import Ran, lb
from support.standin import DATASOURCES, MANIFEST

CONFIGURATION = """
[loki]
endpoint = "http://loki:3100"
username = "me"
password_file = "/run/secrets/loki"
tenant = "a$b"
[prometheus]
url = "http://prometheus:9090"
bearer_token = "hunter2"
headers = {{ X-Key = "hunter3" }}
[plugins.own]
url = "http://own/$$x"
token = "{folder}/token"
"""


class Exported:
    """A folder of provisioning files, made without any Grafana."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        own = folder / "plugins/own"
        (own / "grafana/dashboards").mkdir(parents=True)
        (own / "plugin.toml").write_text(MANIFEST, encoding="utf-8")
        (own / "grafana/datasources.yaml").write_text(DATASOURCES, encoding="utf-8")
        self.dashboard("own-first")
        (folder / "lb.toml").write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")

    def dashboard(self, uid: str) -> Path:
        file = self.folder / f"plugins/own/grafana/dashboards/{uid}.json"
        file.write_text(json.dumps({"uid": uid, "title": f"{uid} $x ${{y}}", "panels": []}), encoding="utf-8")
        return file

    def run(self, *arguments: str) -> Ran:
        environment = {
            "HOME": str(self.folder),
            "LB_CONFIG": str(self.folder / "lb.toml"),
            "LB_PLUGINS_DIR": str(self.folder / "plugins"),
        }
        return lb("provision", "loki-grafana", "configure", "--export", self.out, *arguments, **environment)

    def datasources(self) -> dict[str, Any]:
        document = yaml.safe_load((self.out / "datasources/lb-log.yaml").read_text("utf-8"))
        assert document["apiVersion"] == 1
        return {datasource["uid"]: datasource for datasource in document["datasources"]}


def expanded(value: str, environment: dict[str, str]) -> str:
    """What Grafana makes of a text in its files: `interpolateValue` and `setting.ExpandVar`."""

    def place(found: re.Match[str]) -> str:
        if found[1] == "__file":
            return Path(found[2]).read_text("utf-8").strip()
        return environment[found[2]]

    parts = value.split("$$")
    return "$".join(re.sub(r"\$(__env|__file)\{([^}]+)\}", place, part) for part in parts)


def test_the_files_load_and_say_what_was_meant(tmp_path: Path) -> None:
    exported = Exported(tmp_path)
    (tmp_path / "token").write_text("hunter4\n", encoding="utf-8")
    ran = exported.run()
    assert ran.code == 0, ran.stderr
    found = exported.datasources()
    assert found["lb-loki"]["url"] == "http://loki:3100"
    assert (found["lb-loki"]["basicAuth"], found["lb-loki"]["basicAuthUser"]) == (True, "me")
    assert found["lb-loki"]["editable"] is False
    secure = found["lb-loki"]["secureJsonData"]
    assert secure["basicAuthPassword"] == "$__file{/run/secrets/loki}"
    assert expanded(secure["httpHeaderValue1"], {}) == "a$b"
    prometheus = found["lb-prometheus"]["secureJsonData"]
    given = {"LB_PROMETHEUS_BEARER_TOKEN": "hunter2", "PROMETHEUS_HEADER_X_KEY": "hunter3"}
    assert expanded(prometheus["httpHeaderValue1"], given) == "Bearer hunter2"
    assert expanded(prometheus["httpHeaderValue2"], given) == "hunter3"
    assert ", ".join(sorted(given)) in ran.stderr
    own = found["own-secret"]
    assert expanded(own["url"], {}) == "http://own/$x"
    assert expanded(own["secureJsonData"]["key"], {}) == "Token hunter4"

    provider = yaml.safe_load((exported.out / "dashboards/lb-log.yaml").read_text("utf-8"))["providers"][0]
    assert provider["folderUid"] == "lb-log"
    dashboards = sorted(Path(provider["options"]["path"]).glob("*.json"))
    uids = [json.loads(path.read_text("utf-8"))["uid"] for path in dashboards]
    assert uids == [path.stem for path in dashboards]
    assert {"own-first", "lb-platform-runs"} <= set(uids)
    # In dashboards a dollar is a dollar, and only dashboards are .json.
    assert json.loads((exported.out / "dashboards/lb-log/own-first.json").read_text("utf-8"))["title"].endswith(
        " $x ${y}"
    )
    others = [path for path in exported.out.rglob("*") if path.is_file() and path not in dashboards]
    assert {path.suffix for path in others} == {".yaml"}
    assert "hunter" not in "".join(path.read_text("utf-8") for path in exported.out.rglob("*") if path.is_file())


def test_a_second_time_nothing_changes_and_what_is_gone_goes(tmp_path: Path) -> None:
    exported = Exported(tmp_path)
    second = exported.dashboard("own-second")
    first = exported.run("--format", "json").document
    assert {file["result"] for file in first["files"]} == {"created"}
    again = exported.run("--format", "json").document
    assert {file["result"] for file in again["files"]} == {"unchanged"}
    second.unlink()
    (exported.out / "dashboards/theirs.json").write_text("{}", encoding="utf-8")
    gone = exported.run("--format", "json").document
    changed = {Path(file["path"]).name: file["result"] for file in gone["files"] if file["result"] != "unchanged"}
    assert changed == {"own-second.json": "removed"}
    assert (exported.out / "dashboards/theirs.json").exists()


def test_a_folder_that_grafana_sees_elsewhere(tmp_path: Path) -> None:
    exported = Exported(tmp_path)
    assert exported.run("--export-as", "/etc/grafana/provisioning/").code == 0
    provider = yaml.safe_load((exported.out / "dashboards/lb-log.yaml").read_text("utf-8"))["providers"][0]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards/lb-log"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    exported = Exported(tmp_path)
    exported.out.write_text("a file", encoding="utf-8")
    ran = exported.run()
    assert ran.code == 2
    assert "datasources/lb-log.yaml: cannot be written" in ran.stderr
