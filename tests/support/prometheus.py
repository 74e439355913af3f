"""A real Prometheus of a test's own, scraping a real node exporter and a stand-in for what a node with functions
exports: the function gateway, the containers, the power meter. Debian's programs; their services are not used.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.loki import free_port
from support.process import clean_environment, stop, wait_until

PROGRAMS = ("prometheus", "prometheus-node-exporter")

FUNCTIONS = ("figlet", "env")
NAMESPACE = "openfaas-fn"


def is_here() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


class Node(BaseHTTPRequestHandler):
    """What OpenFaaS's gateway, cAdvisor and scaphandre export, by their names; all grows with time."""

    began = time.monotonic()

    def do_GET(self) -> None:
        body = "\n".join(self.lines()).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def lines(self) -> Iterator[str]:
        age = time.monotonic() - self.began
        for at, function in enumerate(FUNCTIONS, 1):
            name = f'function_name="{function}.{NAMESPACE}"'
            for code, share in (("200", 20), ("500", at)):
                yield f'gateway_function_invocation_total{{{name},code="{code}"}} {int(age * share)}'
                yield f'gateway_functions_seconds_count{{{name},code="{code}"}} {int(age * share)}'
                yield f'gateway_functions_seconds_sum{{{name},code="{code}"}} {age * share * 0.012:.3f}'
            yield f"gateway_service_count{{{name}}} {at}"
            container = f'container_label_io_kubernetes_container_name="{function}",image="{function}:1"'
            yield f"container_cpu_usage_seconds_total{{{container}}} {age * 0.1 * at:.3f}"
            yield f"container_memory_usage_bytes{{{container}}} {at * 30_000_000}"
            process = f'exe="{function}",pid="{100 + at}"'
            yield f"scaph_process_power_consumption_microwatts{{{process}}} {at * 1_500_000}"
        yield f"scaph_host_power_microwatts {int(40e6 + age)}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is said."""


@contextmanager
def stand_in() -> Iterator[int]:
    """The port of that node."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Node) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@dataclass
class Prometheus:
    port: int

    def answer(self, path: str, **parameters: str | float) -> Any:
        """What its HTTP API has to say; an error status is an OSError."""
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=30) as answer:
            return json.loads(answer.read())["data"]

    def has(self, metric: str, least: int) -> bool:
        """Whether it has so many samples of each series of a metric already."""
        try:
            found = self.answer("/api/v1/query", query=f"count_over_time({metric}[1h])")["result"]
        except OSError:
            return False
        return bool(found) and all(int(series["value"][1]) >= least for series in found)


@contextmanager
def running_prometheus(folder: Path) -> Iterator[Prometheus]:
    """One that has scraped both a few times."""
    with ExitStack() as stack:
        node, exporter, port = stack.enter_context(stand_in()), free_port(), free_port()
        targets = [f"127.0.0.1:{exporter}", f"127.0.0.1:{node}"]
        jobs = [{"job_name": "node", "static_configs": [{"targets": targets}]}]
        settings = {"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
        start(stack, folder, "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter}")
        files = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        process = start(stack, folder, "prometheus", *files, f"--web.listen-address=127.0.0.1:{port}")
        running = Prometheus(port)
        metrics = ("gateway_function_invocation_total", "node_cpu_seconds_total")
        scraped = lambda: process.poll() is not None or all(running.has(name, 4) for name in metrics)  # noqa: E731
        wait_until(scraped, 60, "Prometheus has scraped the node")
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield running


def start(stack: ExitStack, folder: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{program}.log").open("wb") as sink:
        process = subprocess.Popen([program, *arguments], stdout=sink, stderr=sink, env=clean_environment())
    stack.callback(stop, process)
    return process
