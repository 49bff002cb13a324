"""The journal of a backtest: the live one, unnamed, because nobody recovers from it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from fastcore.money.journal import Journal

BYTES = 4 << 20
# Far more than a strategy can append between two looks.
LEFT_LEAST = 1 << 20


class MemoryJournal:
    """Keeps a journal that never fills up: the desks write into ``journal`` as they do live.

    ``use`` is told the next one when the present one comes to its end.
    """

    def __init__(self) -> None:
        self.journal = _unnamed()
        self.rows = 0

    def turn(self, use: Callable[[Journal], None]) -> None:
        """Go on in a new journal if this one is nearly full."""
        full = self.journal
        if full.capacity - full.size > LEFT_LEAST:
            return
        self.rows += full.sequence
        self.journal = _unnamed()
        use(self.journal)
        full.close()

    def close(self) -> None:
        """Give the memory back."""
        self.rows += self.journal.sequence
        self.journal.close()


def _unnamed() -> Journal:
    shared = "/dev/shm"
    folder = shared if os.access(shared, os.W_OK) else None
    handle, path = tempfile.mkstemp(prefix="hftbot-backtest-", dir=folder)
    os.close(handle)
    try:
        return Journal(path, BYTES, b"backtest")
    finally:
        os.unlink(path)
