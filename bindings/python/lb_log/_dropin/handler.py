"""What both drop-in handlers do alike."""

from __future__ import annotations

import logging
from typing import Any

from lb_log._dropin import runs
from lb_log._dropin.record import Fields
from lb_log._dropin.runs import Log
from lb_log._dropin.voice import Voice


class RecordHandler(logging.Handler):
    """A handler that writes records into the log of its run. Logging never raises into the program."""

    def __init__(self, fields: Fields, tags: dict[str, Any]) -> None:
        super().__init__()
        self.fields = fields
        self.tags = tags
        self.run = runs.Run.of((fields.component, fields.host, fields.run_id))
        self._voice: Voice | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, unless another handler for this file has written it."""
        try:
            voice = self._voice
            if voice is None or voice.formatter is not self.formatter:
                voice = self._speak()
            voice.write(record, self)
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    def forget(self) -> None:
        """Logs, labels or shipping have changed: look anew at the next record."""
        self._voice = None

    def _speak(self) -> Voice:
        with runs.lock:
            log = self.speak_into()
            if self.run.several():
                log.seen.expect_several()
            self.run.ship()
            fields, tags = self.context()
            voice = Voice(log, self.formatter, fields, {**self.run.labels(), **tags})
            self._voice = voice
        return voice

    def speak_into(self) -> Log:
        """The log to write into."""
        raise NotImplementedError

    def context(self) -> tuple[Fields, dict[str, Any]]:
        """Fields and tags of a record that brings none."""
        raise NotImplementedError
