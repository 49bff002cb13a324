"""When a strategy opened positions today, from what earlier runs left in the database."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

_FILLS = "SELECT ts, symbol, side, size FROM fills WHERE strategy = ? AND ts >= ? ORDER BY ts"


def openings_us(database: Path, strategy: str, since_us: int) -> list[int]:
    """Wall-clock microseconds of the buys that began a position, oldest first.

    What was held before ``since_us`` is not known here: a sale beyond what was bought leaves
    nothing. A database that is missing or cannot be read tells nothing.
    """
    if not database.is_file():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro",
                                                uri=True)) as file:
            rows = file.execute(_FILLS, (strategy, since_us)).fetchall()
    except sqlite3.Error:
        return []
    found: list[int] = []
    held: dict[str, float] = {}
    for ts_us, symbol, side, size in rows:
        before = held.get(symbol, 0.0)
        if side == "buy":
            # What is left of less than half of it is dust, which begins no position.
            if before < size / 2:
                found.append(ts_us)
            held[symbol] = before + size
        else:
            held[symbol] = max(0.0, before - size)
    return found
