"""The recorded market as the exchange saw it: what stood where when an order arrived."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hftbot.words.market import Side

DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
_KIND, _EXCHANGE, _BUY = 0xFF, 1 << 31, 1 << 29


class Sight(NamedTuple):
    """The book at one moment, in ticks and lots; 0 for a side without a level.

    ``ahead`` are the lots at the order's own price on its side, ``within`` those of the other side
    at its price or better.
    """

    bid: int
    ask: int
    ahead: int
    within: int


class Wish(NamedTuple):
    """A question: what does an order of ``side`` at ``ticks`` find at this moment (exchange ns)?"""

    at_ns: int
    key: int
    side: int
    ticks: int


class Trace(NamedTuple):
    """What a request of ours left in the recording: a level of ``side`` that grew by ``lots``.

    It is looked for from ``from_ns`` to ``to_ns``.
    """

    from_ns: int
    to_ns: int
    side: int
    ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Tape:
    """All recorded trades in order of the exchange's time."""

    times_ns: list[int]
    sides: list[int]
    ticks: list[int]
    lots: list[int]

    def at_price(self, side: int, ticks: int, from_ns: int, to_ns: int) -> tuple[int, int]:
        """Lots that takers traded with a quote of ``side`` at ``ticks``, and beyond it.

        Both ends of the time are included.
        """
        here = beyond = 0
        for place in range(bisect_left(self.times_ns, from_ns),
                           bisect_right(self.times_ns, to_ns)):
            if self.sides[place] == side:
                continue
            if self.ticks[place] == ticks:
                here += self.lots[place]
            elif (self.ticks[place] < ticks) == (side == Side.BUY):
                beyond += self.lots[place]
        return here, beyond


class SessionMarket:
    """Rows of one instrument (hftbacktest's layout), read with integer prices and sizes.

    ``travel_ns`` is the median time from the exchange's stamp to the receiver's, 0 without rows;
    ``last_mid2`` twice the last mid in ticks.
    """

    def __init__(self, rows: Any, tick_size: float, lot_size: float) -> None:
        seen = rows[(rows["ev"] & _EXCHANGE) != 0]
        kinds = seen["ev"] & _KIND
        self._times = seen["exch_ts"].tolist()
        self._kinds = kinds.tolist()
        self._sides = np.where(seen["ev"] & _BUY, 0, 1).tolist()
        # A clear that empties a whole side carries no price.
        prices = np.nan_to_num(seen["px"])
        self._ticks = np.rint(prices / tick_size).astype(np.int64).tolist()
        self._lots = np.rint(seen["qty"] / lot_size).astype(np.int64).tolist()
        traded = (kinds == TRADE).tolist()
        columns = (self._times, self._sides, self._ticks, self._lots)
        self.tape = Tape(*([value for value, is_trade in zip(column, traded, strict=True)
                            if is_trade] for column in columns))
        travels = seen["local_ts"] - seen["exch_ts"]
        self.travel_ns = int(np.median(travels)) if len(travels) else 0
        self.last_mid2 = 0

    def sights(self, wishes: Iterable[Wish]) -> dict[int, Sight]:
        """What each order finds, by its key; it reads the whole recording once."""
        waiting = sorted(wishes)
        found: dict[int, Sight] = {}
        book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        place = 0
        for at_ns, kind, side, ticks, lots in zip(self._times, self._kinds, self._sides,
                                                  self._ticks, self._lots, strict=True):
            while place < len(waiting) and waiting[place].at_ns <= at_ns:
                found[waiting[place].key] = _sight(book, waiting[place])
                place += 1
            _apply(book, kind, side, ticks, lots)
        for wish in waiting[place:]:
            found[wish.key] = _sight(book, wish)
        if book[0] and book[1]:
            self.last_mid2 = max(book[0]) + min(book[1])
        return found


    def arrivals(self, traces: Iterable[Trace]) -> dict[int, int]:
        """When the book showed them, by their ``from_ns``; those that it shows."""
        waiting: dict[tuple[int, int], list[Trace]] = {}
        for trace in sorted(traces):
            waiting.setdefault((trace.side, trace.ticks), []).append(trace)
        found: dict[int, int] = {}
        book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for at_ns, kind, side, ticks, lots in zip(self._times, self._kinds, self._sides,
                                                  self._ticks, self._lots, strict=True):
            if kind == DEPTH and (wanted := waiting.get((side, ticks))):
                grown = lots - book[side].get(ticks, 0)
                for trace in wanted:
                    if trace.from_ns <= at_ns <= trace.to_ns and trace.lots == grown:
                        found[trace.from_ns] = at_ns
                        wanted.remove(trace)
                        break
            _apply(book, kind, side, ticks, lots)
        return found


def _apply(book: tuple[dict[int, int], dict[int, int]], kind: int, side: int, ticks: int,
           lots: int) -> None:
    levels = book[side]
    if kind in (DEPTH, SNAPSHOT):
        if lots == 0:
            levels.pop(ticks, None)
            return
        levels[ticks] = lots
        other = book[1 - side]
        # The newer side is right where the two cross.
        for crossed in [price for price in other if (price <= ticks) == (side == Side.BUY)
                        or price == ticks]:
            del other[crossed]
    elif kind == CLEAR:
        for price in [price for price in levels
                      if ticks == 0 or (price >= ticks) == (side == Side.BUY) or price == ticks]:
            del levels[price]


def _sight(book: tuple[dict[int, int], dict[int, int]], wish: Wish) -> Sight:
    bids, asks = book
    other = asks if wish.side == Side.BUY else bids
    within = sum(lots for price, lots in other.items()
                 if price == wish.ticks or (price < wish.ticks) == (wish.side == Side.BUY))
    return Sight(max(bids, default=0), min(asks, default=0), book[wish.side].get(wish.ticks, 0),
                 within)
