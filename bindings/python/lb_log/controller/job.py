"""One run of a campaign: opened before anything is begun, worked off on a thread, and closed whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .campaign import Campaign
from .collecting import Collector
from .crew import Crew
from .environment import Loki, is_only_here, loki_block
from .events import Event, OnEvent
from .journal import Journal
from .machine import Machine
from .plan import Host, Workload
from .result import Collection, Missing, RunResult, RunStatus, State
from .switch import Switch
from .teller import Teller


@dataclass(frozen=True)
class Site:
    """What all runs of a controller share; `api.Controller` says what each is."""

    run_id: str
    hosts: tuple[Host, ...]
    folder: Path
    loki: Loki | None
    ssh: str
    answer_s: float
    grace_s: float
    collect_each: bool


class Job:
    """One run. Opening it makes the controller's log, and raises what `lb_log` raises where that cannot be."""

    def __init__(self, site: Site, on_event: OnEvent | None, plan: Sequence[Workload], repetitions: int) -> None:
        self.stop, self.abort = Switch(), Switch()
        self.done = threading.Event()
        self.result: RunResult | None = None
        self._site = site
        self._collecting = False
        self._at_end: Callable[[], object] | None = None
        self._journal = Journal(site.run_id, site.folder, loki_block(site.loki))
        self.teller = Teller(self._journal, on_event)
        machines = tuple(Machine(host, site.folder, site.ssh, site.answer_s, site.grace_s) for host in site.hosts)
        self.collector = Collector(site.run_id, site.folder, machines, site.ssh, site.answer_s, self.teller)
        crew = Crew(site.run_id, machines, site.loki, self.teller)
        self.campaign = Campaign(crew, self.collector, plan, repetitions, site.collect_each, self.stop, self.abort)

    def start(self, at_end: Callable[[], object] | None) -> None:
        """Works it off on a thread; `at_end` is called on that when there is a result."""
        self._at_end = at_end
        # A program that ends without waiting ends the commands, too: their connections close.
        threading.Thread(target=self._work, name="lb-controller", daemon=True).start()

    def status(self) -> RunStatus:
        """What is going on."""
        step = self.campaign.step
        workload, repetition = (None, None) if step is None else (step.workload.name, step.repetition)
        return RunStatus(self._state(), workload, repetition, dict(self.campaign.crew.phases))

    def close(self) -> tuple[Missing, ...]:
        """Closes the log; what it could not keep."""
        why = self._journal.close()
        return () if why is None else (Missing(None, self._journal.path, why),)

    def _state(self) -> State:
        if self.done.is_set():
            return "finished"
        if self._collecting:
            return "collecting"
        return "stopping" if self.stop.is_set else "running"

    def _work(self) -> None:
        collection = Collection()
        try:
            self._begin()
            self.campaign.run()
        except Exception as error:
            self.teller.trouble(f"the campaign was broken off: {error!r}", error)
        try:
            collection = self._collect()
        except Exception as error:
            self.teller.trouble(f"the collection was broken off: {error!r}", error)
        self._end(collection)

    def _begin(self) -> None:
        site = self._site
        hosts = ", ".join(host.name for host in site.hosts)
        plan = ", ".join(workload.name for workload in self.campaign.workloads)
        tags: dict[str, str | int] = {"hosts": hosts, "workloads": plan, "repetitions": self.campaign.repetitions}
        self.teller.tell(Event("campaign_start", f"{plan} on {hosts}, {self.campaign.repetitions} times", tags=tags))
        endpoint = str((loki_block(site.loki) or {}).get("endpoint") or "")
        for host in site.hosts:
            if host.ssh is not None and is_only_here(endpoint):
                text = f"{host.name} is not told of Loki: {endpoint} is another machine there; name one that it reaches"
                self.teller.tell(Event("trouble", text, "WARNING", host=host.name))

    def _collect(self) -> Collection:
        if self.abort.is_set:
            why = "the campaign was aborted; collect again"
            hosts = [host for host in self._site.hosts if host.source is not None]
            missing = tuple(Missing(host.name, host.source or "", why) for host in hosts)
            return Collection(self.collector.here(), missing)
        self._collecting = True
        return self.collector.collect()

    def _end(self, collection: Collection) -> None:
        repetitions = self.campaign.results()
        bad = sum(not each.ok for each in repetitions)
        tags = {"repetitions": len(repetitions), "not_ok": bad, "missing": len(collection.missing)}
        text = f"{len(repetitions) - bad} of {len(repetitions)} repetitions passed"
        if self.stop.reason is not None:
            text += f"; stopped: {self.stop.reason}"
        self.teller.tell(Event("campaign_end", text, "WARNING" if bad else "INFO", tags=tags))
        missing = (*collection.missing, *self.close())
        files = collection.files or self.collector.here()
        self.result = RunResult(self._site.run_id, repetitions, files, missing, self.stop.reason, self.teller.errors)
        self.done.set()
        if self._at_end is not None:
            self._at_end()
