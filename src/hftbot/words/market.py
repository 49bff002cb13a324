"""What a venue says about itself and its market: sides, modes, trust, tops, prices, trades."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Side(IntEnum):
    """Side of an order or of the book. BUY lines up with bids, SELL with asks."""

    BUY = 0
    SELL = 1

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 - 2 * int(self)

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side(1 - int(self))


class VenueMode(IntEnum):
    """What the venue accepts now."""

    OPEN = 0
    POST_ONLY = 1
    CANCEL_ONLY = 2
    DOWN = 3


class BookTrust(IntEnum):
    """Whether a book may be traded on."""

    EMPTY = 0
    SUSPECT = 1
    TRUSTED = 2


@dataclass(slots=True)
class BookTop:
    """Best bid and ask of one instrument.

    Prices in ticks, sizes in lots, ``ts_us`` wall-clock microseconds.
    """

    instrument: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    ts_us: int

    @property
    def ts(self) -> int:
        """Wall-clock microseconds."""
        return self.ts_us


@dataclass(frozen=True, slots=True)
class Ticker:
    """The venue's own summary of one instrument over 24 hours.

    Prices in ticks, sizes in lots; ``average`` (by volume) and ``change`` are floats in quote
    units, for reports. ``trades`` is 0 if the venue does not count them.
    """

    instrument: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    last_ticks: int
    low_ticks: int
    high_ticks: int
    volume_lots: int
    average: float
    change: float
    trades: int
    ts_us: int


@dataclass(frozen=True, slots=True)
class Candle:
    """Trades of one interval: it may grow until a candle of a later interval arrives.

    Prices in ticks, ``volume_lots`` in lots, ``average`` (by volume) a float in quote units;
    ``begin_us`` is wall-clock microseconds.
    """

    instrument: int
    begin_us: int
    interval_s: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    average: float
    trades: int


@dataclass(slots=True)
class RefPrice:
    """A price from elsewhere that our market depends on. ``price`` is a float in quote units."""

    name: str
    price: float
    ts_us: int

    @property
    def ts(self) -> int:
        """Wall-clock microseconds."""
        return self.ts_us


@dataclass(slots=True)
class Trade:
    """Somebody's execution, public. ``side`` is the taker's. The engine reuses one record."""

    instrument: int = 0
    side: int = 0
    ticks: int = 0
    lots: int = 0
    trade_id: int = 0
    ts_us: int = 0

    @property
    def ts(self) -> int:
        """Wall-clock microseconds."""
        return self.ts_us
