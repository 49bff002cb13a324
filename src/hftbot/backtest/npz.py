"""Reads hftbacktest's event arrays (.npz with the key ``data``, or .npy)."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, EventFile, Row, refuse
from hftbot.backtest.grid import exact_units, grid_step, step_decimal

FIELDS = ("ev", "exch_ts", "px", "qty")
_EXCHANGE_FLAG = 1 << 31
_BUY_FLAG = 1 << 29
_SELL_FLAG = 1 << 28
_CHUNK = 8_192
_PLACES = 8
_STEPS_MAX = 1 << 62
_NS_MAX = 1 << 62
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, MemoryError, OverflowError, SyntaxError,
               RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class ArrayEvents(EventFile):
    """The rows that are valid at the exchange, in exchange order.

    The file carries floats and no grid: tick and lot are the coarsest listed step on which every
    price and size lies, unless given. A number that is on no grid is refused with its row.
    """

    format = "hftbacktest"

    def __init__(self, path: Path, tick_size: Decimal | None = None,
                 lot_size: Decimal | None = None) -> None:
        rows = _load(path)
        flags = rows["ev"].astype(np.uint64).astype(np.int64)
        kind = flags & 0xFF
        sided = (flags & (_BUY_FLAG | _SELL_FLAG)) != 0
        wanted = (flags & _EXCHANGE_FLAG) != 0
        wanted &= sided | (kind == CLEAR)
        wanted &= (kind >= DEPTH) & (kind <= SNAPSHOT)
        index = np.flatnonzero(wanted)
        if not np.isin(kind[index], (DEPTH, SNAPSHOT)).any():
            raise refuse(path, "", f"none of its {len(rows)} rows is a depth row valid at the "
                                   "exchange (order-by-order data cannot be replayed)")
        self._kind = kind[index]
        self._side = np.where(flags[index] & _BUY_FLAG, 0,
                              np.where(flags[index] & _SELL_FLAG, 1, -1)).astype(np.int64)
        self._exch_ns = _ordered(path, rows["exch_ts"][index].astype(np.int64), index)
        priced = self._kind != CLEAR
        price = rows["px"][index].astype(np.float64)
        tick, self._ticks = _on_grid(path, "price", price, index, priced, tick_size)
        size = rows["qty"][index].astype(np.float64)
        lot, self._lots = _on_grid(path, "size", size, index, priced, lot_size)
        super().__init__(path, path.name.split(".")[0].upper(), tick, lot)
        self.rows = len(index)
        self.first_ns = int(self._exch_ns[0])
        self.last_ns = int(self._exch_ns[-1])

    def events(self) -> Iterator[Row]:
        """See EventFile.events. A clear row without a side becomes one for each side."""
        for start in range(0, self.rows, _CHUNK):
            part = slice(start, start + _CHUNK)
            for row in zip(self._exch_ns[part].tolist(), self._kind[part].tolist(),
                           self._side[part].tolist(), self._ticks[part].tolist(),
                           self._lots[part].tolist(), strict=True):
                if row[2] >= 0:
                    yield row
                else:
                    yield (row[0], CLEAR, 0, 0, 0)
                    yield (row[0], CLEAR, 1, 0, 0)


def _load(path: Path) -> npt.NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            rows = loaded
        else:
            with loaded:
                if "data" not in loaded.files:
                    keys = ", ".join(loaded.files[:8]) or "none"
                    raise refuse(path, "", f"no array named 'data' in it (its arrays: {keys})")
                rows = loaded["data"]
    except _UNREADABLE as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise refuse(path, "", f"cannot be read as a NumPy file: {text}") from error
    names = rows.dtype.names or ()
    missing = [field for field in FIELDS if field not in names]
    if missing or rows.ndim != 1:
        raise refuse(path, "", f"not an array of event rows: it lacks {', '.join(missing) or '-'} "
                               f"(shape {rows.shape}, fields {', '.join(names) or 'none'})")
    if any(rows.dtype[field].kind not in "iuf" for field in FIELDS):
        raise refuse(path, "", f"event fields are not numbers: {rows.dtype}")
    if not len(rows):
        raise refuse(path, "", "it holds no rows")
    return rows


def _ordered(path: Path, exch_ns: Integers, index: Integers) -> Integers:
    wrong = np.flatnonzero(np.diff(exch_ns) < 0)
    if wrong.size:
        raise refuse(path, f"row {index[wrong[0] + 1]}", "exch_ts goes backwards")
    if exch_ns[0] < 0 or exch_ns[-1] > _NS_MAX:
        row = index[0] if exch_ns[0] < 0 else index[-1]
        raise refuse(path, f"row {row}", "exch_ts is not a time in nanoseconds")
    return exch_ns


def _on_grid(path: Path, what: str, numbers: Floats, index: Integers,
             meant: npt.NDArray[np.bool_], step: Decimal | None) -> tuple[Decimal, Integers]:
    """Floats to whole steps, half away from zero; rows that are not meant become 0 if not finite.

    A float counts as on the grid if it is within its own rounding error of a grid point.
    """
    bad = np.flatnonzero(meant & ~(np.isfinite(numbers) & (numbers >= 0)))
    if bad.size:
        raise refuse(path, f"row {index[bad[0]]}", f"{what} {numbers[bad[0]]} is not a number >= 0")
    usable = np.where(np.isfinite(numbers) & (numbers >= 0), numbers, 0.0)
    if step is None:
        step = _find_step(path, what, usable, index)
    units = exact_units(str(step))
    fraction = np.float64(units) / np.float64(10**12)
    scaled = usable / fraction
    if scaled.max() > _STEPS_MAX:
        raise refuse(path, f"row {index[scaled.argmax()]}", f"{what} {usable.max()} is too large")
    whole = np.floor(scaled + 0.5)
    off = np.flatnonzero(np.abs(whole * fraction - usable) > 1e-6 * fraction + usable * 1e-15)
    if off.size:
        raise refuse(path, f"row {index[off[0]]}",
                     f"{what} {usable[off[0]]} is not a multiple of {step:f}")
    return step, whole.astype(np.int64)


def _find_step(path: Path, what: str, numbers: Floats, index: Integers) -> Decimal:
    off = np.zeros(0, dtype=np.int64)
    for places in range(_PLACES + 1):
        scaled = numbers * 10.0**places
        if scaled.max() > 2.0**52:
            break
        off = np.flatnonzero(np.abs(scaled - np.rint(scaled)) > scaled * 1e-15 + 1e-7)
        if not off.size:
            common = int(np.gcd.reduce(np.rint(scaled).astype(np.int64)))
            return step_decimal(grid_step([common]) or 1, places)
    where = f"row {index[off[0]]}" if off.size else f"row {index[numbers.argmax()]}"
    value = numbers[off[0]] if off.size else numbers.max()
    raise refuse(path, where, f"{what} {value} is on no grid of at most {_PLACES} decimal places; "
                              "it is not an exact market number")
