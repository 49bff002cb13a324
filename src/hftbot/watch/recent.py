"""The last lines of a run, kept for whoever looks at it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hftbot.words.ports import Notes

LINES_KEPT = 100
COLUMNS_KEPT = 240


class RecentNotes:
    """A words.ports.Notes that hands every line on and remembers the last LINES_KEPT.

    ``now_us`` is the wall clock of the world. ``rows`` are [stamp in us, kind, text], oldest
    first, and have passed ``redact``; kind is info, warn, error, or what ``add`` was told.
    """

    def __init__(self, notes: Notes, now_us: Callable[[], int],
                 redact: Callable[[str], str]) -> None:
        self._redact = redact
        self.rows: deque[list[Any]] = deque(maxlen=LINES_KEPT)
        self._notes = notes
        self._now_us = now_us

    def info(self, text: str) -> None:
        self._notes.info(text)
        self.add("info", text)

    def warn(self, text: str) -> None:
        self._notes.warn(text)
        self.add("warn", text)

    def error(self, text: str) -> None:
        self._notes.error(text)
        self.add("error", text)

    def add(self, kind: str, text: str) -> None:
        """Remember a line that the log has in other words."""
        self.rows.append([self._now_us(), kind, self._redact(text)[:COLUMNS_KEPT]])
