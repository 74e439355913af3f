"""What happens in a campaign, as it is told and recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .plan import Phase

Level = Literal["INFO", "WARNING", "ERROR"]

TagValue = str | int | float | bool | None


@dataclass(frozen=True)
class Event:
    """Something that happened; also a record in the controller's log, with the same fields.

    `event_type` is `campaign_start` `campaign_end` `repetition_start` `repetition_end` `phase_start` `phase_end`
    `output` (a line that a command has printed; `tags["stream"]` tells where) `host_failed` `cooldown_start`
    `cooldown_end` `stop_requested` `collected` `missing` `remark` `trouble`. `host`, `workload`, `repetition` and
    `phase` are None where an event belongs to none. Durations in `tags` are milliseconds (`duration_ms`).
    """

    event_type: str
    message: str
    level: Level = "INFO"
    host: str | None = None
    workload: str | None = None
    repetition: int | None = None
    phase: Phase | None = None
    tags: Mapping[str, TagValue] = field(default_factory=dict)


#: Hears of each event, one at a time, on the controller's threads; what it takes, the campaign waits.
OnEvent = Callable[[Event], object]
