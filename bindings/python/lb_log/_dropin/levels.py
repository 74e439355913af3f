"""Levels of `logging` as those of the schema."""

from __future__ import annotations

import logging

TRACE = 5
NAMES = {
    TRACE: "TRACE",
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARNING",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "CRITICAL",
}


def name_of(level: int) -> str:
    """The level itself, or the next lower one; below all of them, the lowest."""
    return next((name for own, name in reversed(NAMES.items()) if own <= level), "TRACE")
