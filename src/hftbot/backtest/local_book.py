"""Follows the book that rows of events give here, stamp by stamp, and counts what is odd."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, TRADE
from hftbot.backtest.event_rows import BUY_FLAG, CHUNK_ROWS, KIND_MASK, LOCAL_FLAG, SELL_FLAG, Rows

Level = tuple[float, float]
_SIDED = BUY_FLAG | SELL_FLAG


class LocalBook:
    """The best levels after each moment of receipt.

    ``crossed`` counts moments that left the book crossed or locked, ``crossed_row`` is the last
    row of the first. The levels that were there before are then taken away, as a venue that
    matched them would have told.
    """

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.crossed = 0
        self.crossed_row = -1
        self.trades = 0
        self.last_trade: Level | None = None
        self._best: list[float | None] = [None, None]
        self._age: dict[tuple[int, float], int] = {}
        self._moment = 0

    def top(self) -> tuple[Level | None, Level | None]:
        """(price, size) of the best bid and ask; None for an empty side."""
        return self._level(0), self._level(1)

    def follow(self, rows: Rows, first_row: int = 0) -> Iterator[tuple[int, int]]:
        """Apply the rows; after each moment gives (receive ns, its last row)."""
        stamp_ns = last = -1
        for start in range(0, len(rows), CHUNK_ROWS):
            part = rows[start:start + CHUNK_ROWS]
            columns = (part["ev"].tolist(), part["local_ts"].tolist(), part["px"].tolist(),
                       part["qty"].tolist())
            for row, (flags, local_ns, price, size) in enumerate(zip(*columns, strict=True),
                                                                 start + first_row):
                if not flags & LOCAL_FLAG:
                    continue
                if local_ns != stamp_ns:
                    if stamp_ns >= 0:
                        self._settle(last)
                        yield stamp_ns, last
                    stamp_ns = local_ns
                last = row
                self._apply(flags, price, size)
        if stamp_ns >= 0:
            self._settle(last)
            yield stamp_ns, last

    def _apply(self, flags: int, price: float, size: float) -> None:
        kind = flags & KIND_MASK
        if kind in (DEPTH, SNAPSHOT):
            self._put(0 if flags & BUY_FLAG else 1, price, size)
        elif kind == TRADE:
            self.trades += 1
            self.last_trade = price, size
        elif kind == CLEAR:
            for side, flag in enumerate((BUY_FLAG, SELL_FLAG)):
                if flags & flag or not flags & _SIDED:
                    self._clear(side, price)

    def _put(self, side: int, price: float, size: float) -> None:
        levels, best = self.sides[side], self._best[side]
        if size > 0:
            levels[price] = size
            self._age[side, price] = self._moment
            if best is None or (price < best if side else price > best):
                self._best[side] = price
        elif levels.pop(price, None) is not None:
            del self._age[side, price]
            if price == best:
                self._find(side)

    def _clear(self, side: int, price: float) -> None:
        """To the price, inclusive; the whole side without one."""
        for each in list(self.sides[side]):
            if not isfinite(price) or (each <= price if side else each >= price):
                del self.sides[side][each]
                del self._age[side, each]
        self._find(side)

    def _find(self, side: int) -> None:
        levels = self.sides[side]
        self._best[side] = (min(levels) if side else max(levels)) if levels else None

    def _level(self, side: int) -> Level | None:
        best = self._best[side]
        return None if best is None else (best, self.sides[side][best])

    def _settle(self, row: int) -> None:
        """The end of a moment: a book that it leaves crossed is counted and mended."""
        bid, ask = self._best
        if bid is not None and ask is not None and bid >= ask:
            self.crossed += 1
            if self.crossed_row < 0:
                self.crossed_row = row
            while bid is not None and ask is not None and bid >= ask:
                older = 0 if self._age[0, bid] < self._age[1, ask] else 1
                self._put(older, ask if older else bid, 0.0)
                bid, ask = self._best
        self._moment += 1
