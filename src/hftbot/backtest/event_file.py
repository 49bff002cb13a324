"""A file of market events on the grid of its instrument, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from hftbot.errors import DataError

DEPTH = 1
TRADE = 2
CLEAR = 3
SNAPSHOT = 4

KIND_NAMES = {DEPTH: "depth", TRADE: "trade", CLEAR: "clear", SNAPSHOT: "snapshot"}

Row = tuple[int, int, int, int, int]
"""(exch_ns, kind, side, ticks, lots); see EventFile.events."""


class EventFile(ABC):
    """What every format offers: a grid and rows of integers in exchange order.

    ``tick_size`` and ``lot_size`` are exact decimals. ``span_ns`` is the time between the first and
    the last row; for a format that is streamed it is what has been read so far.
    """

    format = "events"

    def __init__(self, path: Path, symbol: str, tick_size: Decimal, lot_size: Decimal) -> None:
        self.path = path
        self.symbol = symbol
        self.tick_size = tick_size
        self.lot_size = lot_size
        self.first_ns = 0
        self.last_ns = 0

    @property
    def span_ns(self) -> int:
        """Nanoseconds from the first to the last row known."""
        return self.last_ns - self.first_ns

    @abstractmethod
    def events(self) -> Iterator[Row]:
        """Rows ``(exch_ns, kind, side, ticks, lots)``, exch_ns never decreasing.

        kind 1 depth (absolute lots, 0 deletes), 2 trade (side of the taker), 3 clear, 4 snapshot
        level. side 0 bid/buy, 1 ask/sell. A clear with ticks 0 empties the side, else only the
        part from the best price to ticks, inclusive. Each call starts again from the first row.
        Raises DataError, naming line or row, where the file stops making sense.
        """


class ManyMarkets(DataError):
    """A file holds more than one market, and nobody said which to read."""


def refuse(path: Path, where: str, why: str) -> DataError:
    """A DataError that names the file and the place in it."""
    place = f"{path}: {where}: " if where else f"{path}: "
    return DataError(place + why)
