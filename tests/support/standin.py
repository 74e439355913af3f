"""What stands in for Grafana: tests/grafana/server. It decodes every request with Grafana's own API models, refuses
what they do not know, and keeps what it was given."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.lb import Ran, lb
from support.paths import GRAFANA
from support.process import clean_environment, stop

PASSWORD = "correct-horse-battery"
TOKEN = "glsa_test-token-of-the-tests"

LOKI = {"type": "loki", "uid": "lb-loki"}


@dataclass
class StandIn:
    """One that runs, and a plugin for it in a folder of the test's own, which is the home, too."""

    url: str
    folder: Path
    # Where it is by TLS, if at all.
    encrypted_url: str = ""

    def change(self, **what: Any) -> None:
        """Put what others have made, and say what goes wrong from now on; what it was asked is forgotten."""
        body = json.dumps(what).encode()
        self._open(urllib.request.Request(f"{self.url}/_test/change", body))

    def look(self) -> dict[str, Any]:
        """What it was asked and what it has. We must never have asked what Grafana does not know."""
        seen: dict[str, Any] = self._open(f"{self.url}/_test/look")
        assert not seen["violations"], seen["violations"]
        return seen

    def writes(self) -> list[str]:
        """What it was asked to change since the last change by the test."""
        asked = self.look()["requests"] or []
        return [f"{request['method']} {request['path']}" for request in asked if request["method"] != "GET"]

    def _open(self, request: urllib.request.Request | str) -> Any:
        # The environment may name a proxy; nobody on this machine needs one to reach another.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.load(opener.open(request, timeout=30))

    def environment(self, **more: str) -> dict[str, str]:
        """That of lb, with a token unless there is another word on who we are."""
        given = {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "LB_CONFIG": str(self.folder / "lb.toml"),
            "LB_PLUGINS_DIR": str(self.folder / "plugins"),
            "LB_GRAFANA_URL": self.url,
            **more,
        }
        if not any("GRAFANA_USERNAME" in name or "API_KEY" in name for name in given) and "anonymous" not in given:
            given["LB_GRAFANA_API_KEY"] = TOKEN
        given.pop("anonymous", None)
        return given

    def provision(self, *arguments: str | Path, **more: str) -> Ran:
        """`lb provision loki-grafana`."""
        return lb("provision", "loki-grafana", *arguments, **self.environment(**more))

    def configure(self, *arguments: str | Path, **environment: str) -> Ran:
        return self.provision("configure", "--format", "json", *arguments, **environment)

    def configuration(self, text: str) -> None:
        (self.folder / "lb.toml").write_text(text, encoding="utf-8")

    def plugin(self, path: str, text: str) -> Path:
        """A file of the test's own plugin."""
        file = self.folder / "plugins" / "own" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def dashboard(self, uid: str, title: str) -> Path:
        panel = {"id": 1, "type": "logs", "title": "Logs", "datasource": LOKI}
        content = {"uid": uid, "title": title, "schemaVersion": 39, "refresh": 1.0, "panels": [panel]}
        return self.plugin(f"grafana/dashboards/{uid}.json", json.dumps(content))


# One datasource that needs a setting, one for each item of a list, one with a secret of its own.
MANIFEST = """
name = "own"
version = "1.0.0"
description = "Of the tests"
[config.url]
type = "url"
description = "Where it is"
[config.sites]
type = "list"
default = []
description = "Sites"
[config.token]
type = "secret_file"
description = "Its token"
"""
DATASOURCES = """
apiVersion: 1
datasources:
  - {uid: "own-site-$SITE", name: "Own $SITE", type: prometheus, url: "${url}/$SITE"}
  - {uid: own-secret, name: Own secret, type: other, url: "${url}", secureJsonData: {key: "Token ${token}"}}
""".replace("$SITE", "${sites}")


@contextmanager
def running_stand_in(folder: Path, *arguments: str) -> Iterator[StandIn]:
    """A Grafana of the test's own, that knows one password and one token."""
    process = subprocess.Popen(
        [GRAFANA, "-password", PASSWORD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(),
    )
    try:
        assert process.stdout
        running = StandIn(process.stdout.readline().decode().strip(), folder)
        if "-certificate" in arguments:
            running.encrypted_url = process.stdout.readline().decode().strip()
        running.configuration("")
        running.plugin("plugin.toml", MANIFEST)
        running.plugin("grafana/datasources.yaml", DATASOURCES)
        running.dashboard("own-first", "First")
        running.dashboard("own-second", "Second")
        running.change(token=TOKEN)
        yield running
    finally:
        stop(process)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def results(ran: Ran) -> dict[str, str]:
    """What became of each object."""
    return {f"{thing['kind']} {thing['uid']}": thing["result"] for thing in ran.document["objects"]}
