"""Fetches the logs of all hosts: the one place that knows how `lb_log` collects."""

from __future__ import annotations

import threading
from collections.abc import Collection as Some
from dataclasses import dataclass, field
from pathlib import Path

import lb_log

from .events import Event
from .machine import Machine
from .result import Collection, Missing
from .teller import Teller

#: What `lb` says of a host that answers and has nothing: its commands have logged no records.
_NOTHING_LOGGED = ("there are no logs of this run", "there is no run ", "there is no such folder")


@dataclass
class Collector:
    """Fetches into the run's folder here. Repeatable; what has not changed is not fetched again."""

    run_id: str
    folder: Path
    machines: tuple[Machine, ...]
    ssh: str
    answer_s: float
    teller: Teller
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _remarks: set[str] = field(default_factory=set)

    def is_fetched(self, host: str) -> bool:
        """Whether a host's logs have to be fetched. On this machine they are written where they belong."""
        return any(machine.host.name == host and machine.host.source is not None for machine in self.machines)

    def collect(self, but: Some[str] = ()) -> Collection:
        """Fetches from all hosts, but from these. Never raises: what cannot be had is `missing`."""
        hosts: dict[str, str] = {}
        for machine in self.machines:
            source = machine.host.source
            if source is not None and machine.host.name not in but:
                # Hosts of one source are one to it.
                hosts.setdefault(source, machine.host.name)
        missing = self._fetch(hosts) if hosts else []
        for each in missing:
            self.teller.tell(Event("missing", f"{each.what}: {each.why}", "ERROR", host=each.host))
        files = self.here()
        tags = {"files": len(files), "missing": len(missing), "hosts": len(hosts)}
        self.teller.tell(Event("collected", f"{len(files)} log files are here, {len(missing)} missing", tags=tags))
        return Collection(files, tuple(missing))

    def here(self) -> tuple[Path, ...]:
        """The log files of the run that are here."""
        found = self.folder.joinpath(self.run_id, "logs").glob("[!.]*.jsonl*")
        return tuple(sorted(path for path in found if path.is_file()))

    def _fetch(self, hosts: dict[str, str]) -> list[Missing]:
        try:
            with self._lock:
                report = lb_log.collect(
                    self.run_id,
                    hosts,
                    output_dir=self.folder,
                    ssh=self.ssh,
                    timeout=self.answer_s,
                    jobs=len(hosts),
                )
        except Exception as error:
            return [Missing(host, source, str(error)) for source, host in hosts.items()]
        for each in report["remarks"]:
            self._remark(f"{each['source']}: {each['why']}", _host_of(each["source"], hosts))
        return [
            Missing(_host_of(each["source"], hosts), each["source"], each["why"])
            for each in report["failed"]
            if not each["why"].startswith(_NOTHING_LOGGED)
        ]

    def _remark(self, text: str, host: str | None) -> None:
        """Once, however often it is collected."""
        if text not in self._remarks:
            self._remarks.add(text)
            self.teller.tell(Event("remark", text, "WARNING", host=host))


def _host_of(source: str, hosts: dict[str, str]) -> str | None:
    """The host that a source or a file of it belongs to: the longest that it begins with."""
    begins = [known for known in hosts if source.startswith(known) or source.startswith(known.rstrip(":") + ":")]
    return hosts[max(begins, key=len)] if begins else None
