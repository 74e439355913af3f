"""Writes the dashboards of our plugins: python -m tools.dashboards [--check | --sketch]

Their JSON is committed, because that is what Grafana and `lb provision` read; this is where it is made. `--check`
changes nothing and fails where a file is not what would be written. `--sketch` draws where the panels lie."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.dashboards import (
    dfaas_functions,
    dfaas_nodes,
    dfaas_requests,
    platform_compare,
    platform_k6,
    platform_logs,
    platform_requests,
    platform_run,
    platform_runs,
    sketch,
)
from tools.dashboards.model import Json

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
DASHBOARDS = {
    "platform": (
        platform_runs,
        platform_run,
        platform_k6,
        platform_requests,
        platform_compare,
        platform_logs,
    ),
    "dfaas": (dfaas_functions, dfaas_nodes, dfaas_requests),
}


def files() -> dict[Path, str]:
    """What each file has to be."""
    made: dict[Path, str] = {}
    for plugin, modules in DASHBOARDS.items():
        for module in modules:
            dashboard: Json = module.dashboard()
            path = PLUGINS / plugin / "grafana" / "dashboards" / f"{dashboard['uid']}.json"
            made[path] = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
    return made


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"], ["--sketch"]):
        sys.exit(f"usage: python -m tools.dashboards [--check | --sketch]\n\n{__doc__}")
    if sys.argv[1:] == ["--sketch"]:
        for modules in DASHBOARDS.values():
            for module in modules:
                print(sketch.drawn(module.dashboard()))
        return
    wanted = files()
    there = set(PLUGINS.glob("*/grafana/dashboards/*.json"))
    stale = [path for path, text in wanted.items() if path not in there or path.read_text(encoding="utf-8") != text]
    stale += there - set(wanted)
    if sys.argv[1:] == ["--check"]:
        names = ", ".join(str(path.relative_to(PLUGINS.parent)) for path in sorted(stale))
        sys.exit(f"not what tools/dashboards makes: {names}; run: python3 -m tools.dashboards" if stale else 0)
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(PLUGINS.parent))


if __name__ == "__main__":
    main()
