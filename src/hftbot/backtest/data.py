"""Opens recorded market data, whatever its format; the door of this room for files."""

from __future__ import annotations

import dataclasses
import itertools
import os
import stat
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hftbot.backtest.capture_lines import frames, lines
from hftbot.backtest.depth_chain import is_message
from hftbot.backtest.event_file import (
    CLEAR,
    DEPTH,
    KIND_NAMES,
    SNAPSHOT,
    TRADE,
    EventFile,
    ManyMarkets,
    Row,
    refuse,
)
from hftbot.backtest.raw_capture import CaptureEvents
from hftbot.errors import DataError

if TYPE_CHECKING:
    from hftbot.backtest.event_rows import EventRows

__all__ = ["BASE_LATENCY_NS", "CLEAR", "DEPTH", "KIND_NAMES", "SNAPSHOT", "TRADE", "EventFile",
           "Row", "open_events", "open_rows"]

BASE_LATENCY_NS = 1_000_000
"""What the fastest message is taken to have travelled where the two clocks disagree."""

_ZIP = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"
_PARQUET = b"PAR1"
_TARDIS = b"exchange,symbol,"


def open_events(path: str | os.PathLike[str], *, symbol: str | None = None,
                tick_size: Decimal | None = None, lot_size: Decimal | None = None) -> EventFile:
    """Open recorded events in the exchange's order, of any format that ``open_rows`` reads.

    The format is told by the content, not by the name. The grid is found in the data unless given.
    ``symbol`` is the market to take if there are several. Raises DataError, naming file and line or
    row, for anything else. A Binance capture is read only up to its book snapshot here; a fault
    further on shows when its rows are read.
    """
    where = Path(path)
    head = _head(where)
    if head.startswith((_ZIP, _NUMPY)):
        # NumPy takes a tenth of a second to load, and a capture does not need it.
        from hftbot.backtest.npz import ArrayEvents
        return ArrayEvents(where, tick_size, lot_size)
    if head.startswith(_PARQUET) or _is_other(where):
        from hftbot.backtest.row_events import RowEvents
        return RowEvents(open_rows(where, if_several=symbol, tick_size=tick_size,
                                   lot_size=lot_size))
    return CaptureEvents(where, tick_size, lot_size)


def _is_other(path: Path) -> bool:
    """True for Tardis' columns, and for a capture of another venue than Binance."""
    first = next(iter(lines(path)), b"")
    if first.startswith(_TARDIS):
        return True
    try:
        return any(isinstance(frame, dict | list) and not is_message(frame)
                   for _, _, frame in itertools.islice(frames(path), 1))
    except DataError:
        return False


def open_rows(path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *,
              symbol: str | None = None, if_several: str | None = None,
              tick_size: Decimal | None = None, lot_size: Decimal | None = None,
              base_latency_ns: int = BASE_LATENCY_NS, repair: bool = False) -> EventRows:
    """Open recorded events as rows for a replay: one file, or several that continue each other.

    hftbacktest .npy (mapped) and .npz, Parquet, Tardis CSV, raw captures of Binance, Kraken v2,
    Hyperliquid and Polymarket; the format is told by the content. ``symbol`` is the market to
    read, ``if_several`` the same only where there are several. The grid is the venue's own, else
    found in the data, unless given. Captures are put in order and their receive times corrected;
    ``repair`` does the same to arrays. Every row is looked at: raises DataError naming file and
    row or line, ManyMarkets if it is not clear which market is meant.
    """
    from hftbot.backtest import row_sources
    from hftbot.backtest.event_rows import as_paths
    paths = as_paths(path)
    if not paths:
        raise refuse(Path("-"), "", "no file was given")
    heads = [_head(each) for each in paths]
    wishes = row_sources.Wishes(symbol, tick_size, lot_size, base_latency_ns, repair)
    try:
        return row_sources.opened(paths, heads, wishes)
    except ManyMarkets:
        if symbol is not None or if_several is None:
            raise
    return row_sources.opened(paths, heads, dataclasses.replace(wishes, symbol=if_several))


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refuse(path, "", "is not a regular file")
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise refuse(path, "", f"cannot be opened: {error.strerror or error}") from error
    except ValueError as error:
        raise refuse(path, "", f"is not a file name: {error}") from error
    if not head:
        raise refuse(path, "", "the file is empty")
    return head
