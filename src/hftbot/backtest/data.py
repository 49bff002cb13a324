"""Opens recorded market data, whatever its format; the door of this room for files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hftbot.backtest.event_file import (
    CLEAR,
    DEPTH,
    KIND_NAMES,
    SNAPSHOT,
    TRADE,
    EventFile,
    Row,
    refuse,
)
from hftbot.backtest.raw_capture import CaptureEvents

if TYPE_CHECKING:
    from hftbot.backtest.event_rows import EventRows

__all__ = ["BASE_LATENCY_NS", "CLEAR", "DEPTH", "KIND_NAMES", "SNAPSHOT", "TRADE", "EventFile",
           "Row", "open_events", "open_rows"]

BASE_LATENCY_NS = 1_000_000
"""What the fastest message is taken to have travelled where the two clocks disagree."""

_ZIP = b"PK\x03\x04"
_NUMPY = b"\x93NUMPY"


def open_events(path: str | os.PathLike[str], *, tick_size: Decimal | None = None,
                lot_size: Decimal | None = None) -> EventFile:
    """Open recorded events: hftbacktest .npz/.npy, or a raw Binance capture, gzip or plain.

    The format is told by the first bytes, not by the name. The grid is found in the data unless
    given. Raises DataError, naming file and line or row, for anything else. A capture is read only
    up to its book snapshot here; a fault further on shows when its rows are read.
    """
    where = Path(path)
    head = _head(where)
    if head.startswith((_ZIP, _NUMPY)):
        # NumPy takes a tenth of a second to load, and a capture does not need it.
        from hftbot.backtest.npz import ArrayEvents
        return ArrayEvents(where, tick_size, lot_size)
    return CaptureEvents(where, tick_size, lot_size)


def open_rows(path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *,
              symbol: str | None = None, tick_size: Decimal | None = None,
              lot_size: Decimal | None = None, base_latency_ns: int = BASE_LATENCY_NS,
              repair: bool = False) -> EventRows:
    """Open recorded events as rows for a replay: one file, or several that continue each other.

    hftbacktest .npy (mapped) and .npz, Parquet, Tardis CSV, raw captures of Binance, Kraken v2,
    Hyperliquid and Polymarket; the format is told by the content. ``symbol`` chooses one of
    several markets. The grid is the venue's own, else found in the data, unless given. Captures
    are put in order and their receive times corrected; ``repair`` does the same to arrays. Every
    row is looked at: raises DataError naming file and row or line.
    """
    from hftbot.backtest import row_sources
    from hftbot.backtest.event_rows import as_paths
    paths = as_paths(path)
    if not paths:
        raise refuse(Path("-"), "", "no file was given")
    heads = [_head(each) for each in paths]
    return row_sources.opened(paths, heads, row_sources.Wishes(
        symbol, tick_size, lot_size, base_latency_ns, repair))


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
