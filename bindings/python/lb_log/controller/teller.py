"""Tells what happens: into the controller's log, and to whoever listens."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from dataclasses import replace

from .events import Event, OnEvent
from .journal import Journal


class Teller:
    """Records each event and hands it on, one at a time. Nothing that a listener does reaches the campaign."""

    def __init__(self, journal: Journal, on_event: OnEvent | None) -> None:
        self._journal = journal
        self._on_event = on_event
        self._lock = threading.RLock()
        self._raised: Counter[str] = Counter()
        self._troubles: list[str] = []

    def tell(self, event: Event) -> None:
        """Never raises."""
        with self._lock:
            self._journal.record(event)
            if self._on_event is None:
                return
            try:
                self._on_event(event)
            except BaseException as error:
                # Whatever it is, it is the listener's: SystemExit on this thread would end nothing but the campaign.
                self._was_raised(event, error)

    def trouble(self, text: str, exception: BaseException | None = None) -> None:
        """Something that is nobody's phase and must not be overlooked."""
        with self._lock:
            self._troubles.append(text)
        tags = {} if exception is None else {"exception": "".join(traceback.format_exception(exception))}
        self.tell(Event("trouble", text, "ERROR", tags=tags))

    @property
    def errors(self) -> tuple[str, ...]:
        """All troubles so far."""
        with self._lock:
            times = {text: f" ({count} times)" if count > 1 else "" for text, count in self._raised.items()}
            return (*self._troubles, *(f"{text}{many}" for text, many in times.items()))

    def _was_raised(self, event: Event, error: BaseException) -> None:
        text = f"on_event has raised {type(error).__name__}: {error}"
        self._raised[text] += 1
        if self._raised[text] == 1:
            tags = {"exception": "".join(traceback.format_exception(error)), "event": event.event_type}
            self._journal.record(replace(event, event_type="trouble", message=text, level="ERROR", tags=tags))
