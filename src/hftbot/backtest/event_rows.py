"""Market events as hftbacktest lays them out: rows of 64 bytes in one buffer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

EVENT = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                  ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
ROW_BYTES = EVENT.itemsize
EXCHANGE_FLAG = 1 << 31
LOCAL_FLAG = 1 << 30
BUY_FLAG = 1 << 29
SELL_FLAG = 1 << 28
BOTH_FLAGS = EXCHANGE_FLAG | LOCAL_FLAG
KIND_MASK = 0xFF
SIDE_FLAGS = (BUY_FLAG, SELL_FLAG)
"""The flag of side 0 (bid, or a trade whose taker buys) and of side 1."""

CHUNK_ROWS = 1 << 16
SPILL_BYTES = 16 << 20
"""Rows beyond this wait in an unnamed file of the temporary directory, not in memory."""

Rows = npt.NDArray[Any]
"""A one-dimensional array of EVENT."""


@dataclass(frozen=True, slots=True)
class EventRows:
    """Events ready for a replay.

    ``buffer`` holds ``rows`` rows of 64 bytes (EVENT) as plain bytes; where the file allows it, it
    is the file itself, mapped and not to be written. ``first_ns`` is the exchange's time of the
    first event, ``last_ns`` the receiver's of the last. ``notes`` say what had to be assumed,
    corrected or is missing, one sentence each.
    """

    buffer: memoryview
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    first_ns: int
    last_ns: int
    rows: int
    notes: tuple[str, ...] = ()
    format: str = "events"
    paths: tuple[Path, ...] = ()

    @property
    def array(self) -> Rows:
        """The same rows as a NumPy array, not copied."""
        return np.frombuffer(self.buffer, EVENT)


def bytes_of(rows: Rows) -> memoryview:
    """The rows as plain bytes, not copied; the array lives as long as the view."""
    plain: Any = np.ascontiguousarray(rows).view(np.uint8)
    return memoryview(plain)


class RowStore:
    """Collects rows in order; in memory while they are few, else in a file that has no name.

    ``finished`` gives them as one array and ends the store.
    """

    def __init__(self, spill_bytes: int = SPILL_BYTES) -> None:
        self.rows = 0
        self._spill_bytes = spill_bytes
        self._parts: list[Rows] = []
        self._file: Any = None

    def add(self, rows: Rows) -> None:
        """Append rows of EVENT. Raises OSError if the temporary directory is full."""
        if not len(rows):
            return
        self.rows += len(rows)
        if self._file is None:
            self._parts.append(rows)
            if self.rows * ROW_BYTES > self._spill_bytes:
                self._file = tempfile.TemporaryFile(prefix="hftbot-rows-")  # noqa: SIM115
                for part in self._parts:
                    self._file.write(bytes_of(part))
                self._parts = []
        else:
            self._file.write(bytes_of(rows))

    def finished(self) -> Rows:
        """All rows; mapped if they went to a file, whose place is freed with the array."""
        if self._file is None:
            parts, self._parts = self._parts, []
            return np.concatenate(parts) if parts else np.zeros(0, EVENT)
        file, self._file = self._file, None
        file.flush()
        try:
            return np.asarray(np.memmap(file, EVENT, mode="r+", shape=(self.rows,)))
        finally:
            file.close()


class RowList:
    """Collects single rows from a reader and hands them on in chunks."""

    def __init__(self, store: RowStore) -> None:
        self.store = store
        self._waiting: list[tuple[int, int, int, float, float]] = []

    def extend(self, rows: Iterable[tuple[int, int, int, float, float]]) -> None:
        """Rows of (flags and kind, exch_ns, local_ns, price, size)."""
        self._waiting.extend(rows)
        if len(self._waiting) >= CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Move what waits into the store."""
        if self._waiting:
            self.store.add(rows_of(self._waiting))
            self._waiting.clear()


def rows_of(rows: Sequence[tuple[int, int, int, float, float]]) -> Rows:
    """An array of EVENT from (flags and kind, exch_ns, local_ns, price, size)."""
    made = np.zeros(len(rows), EVENT)
    for name, column in zip(("ev", "exch_ts", "local_ts", "px", "qty"), zip(*rows, strict=True),
                            strict=False):
        made[name] = column
    return made


def as_paths(path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """One path or several as a tuple."""
    if isinstance(path, str | os.PathLike):
        return (Path(path),)
    return tuple(Path(each) for each in path)
