"""What the readers of raw captures share: one market's rows, and a book that is compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from hftbot.backtest.capture_lines import Numbers
from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, TRADE
from hftbot.backtest.event_rows import SIDE_FLAGS

Single = tuple[int, int, int, float, float]
"""(flags and kind, exch_ns, local_ns, price, size)."""

MARKETS_MAX = 10_000


class SeveralMarkets(ValueError):
    """It is not clear which market to read."""


class Dialect(ABC):
    """Reads the frames of one venue and gives the rows of one market.

    Without ``symbol`` the only market is read; a second one raises ValueError. ``gaps`` counts
    places where a message is known to be missing, ``checked`` the books whose checksum was
    compared and ``unequal`` those that differed.
    """

    name = "capture"

    def __init__(self, symbol: str | None, keep: Callable[[Iterable[Single]], None]) -> None:
        self.wanted = symbol
        self.symbol = symbol or ""
        self.markets: dict[str, int] = {}
        self.gaps = 0
        self.skipped = 0
        self.checked = 0
        self.unequal = 0
        self.prices = Numbers("price")
        self.sizes = Numbers("size")
        self.tick_text = ""
        self.lot_text = ""
        self.recv_ns = 0
        self.remarks: list[str] = []
        self._keep = keep

    @abstractmethod
    def take(self, message: Any) -> None:
        """One frame received at ``recv_ns``.

        Raises KeyError, TypeError, ValueError, IndexError if it makes no sense.
        """

    def mine(self, market: object) -> bool:
        """True if this market is the one to read. Raises ValueError if that is not clear."""
        name = str(market)
        seen = self.markets.get(name)
        if seen is None and len(self.markets) < MARKETS_MAX:
            seen = 0
        if seen is not None:
            self.markets[name] = seen + 1
        if self.wanted is not None:
            return name == self.wanted
        if not self.symbol:
            self.symbol = name
        elif name != self.symbol:
            raise SeveralMarkets(f"holds more than one market, {self.symbol} and {name}: say which "
                                 "to read (--symbol, or --symbols of `backtest`)")
        return True

    def keep(self, exch_ns: int, rows: Iterable[tuple[int, int, float, float]]) -> None:
        """Rows (kind, side, price, size) made at ``exch_ns``."""
        recv_ns = self.recv_ns
        self._keep([(kind | SIDE_FLAGS[side], exch_ns, recv_ns, price, size)
                    for kind, side, price, size in rows])

    def trade(self, exch_ns: int, side: int, price: object, size: object) -> None:
        """One trade; ``side`` is the taker's."""
        exact, lots = self.prices.steps(price), self.sizes.steps(size)
        if exact and lots:
            self.keep(exch_ns, [(TRADE, side, exact, lots)])


class LevelBook:
    """One book by price; ``replaced`` says what a whole new book changes."""

    def __init__(self) -> None:
        self.known = False
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def replaced(self, bids: Iterable[tuple[float, float]],
                 asks: Iterable[tuple[float, float]]) -> list[tuple[int, int, float, float]]:
        """Rows that make the book this one: a snapshot the first time, then only differences."""
        rows: list[tuple[int, int, float, float]] = []
        if not self.known:
            self.known = True
            rows = [(CLEAR, 0, 0.0, 0.0), (CLEAR, 1, 0.0, 0.0)]
            for side, levels in enumerate((bids, asks)):
                self.sides[side].update((price, size) for price, size in levels if size)
                rows += [(SNAPSHOT, side, price, size)
                         for price, size in self.sides[side].items()]
            return rows
        for side, levels in enumerate((bids, asks)):
            old, new = self.sides[side], {price: size for price, size in levels if size}
            rows += [(DEPTH, side, price, 0.0) for price in old if price not in new]
            rows += [(DEPTH, side, price, size) for price, size in new.items()
                     if old.get(price) != size]
            self.sides[side].clear()
            self.sides[side].update(new)
        return rows

    def forget(self) -> None:
        """Nothing is known of the book until a whole one comes."""
        self.known = False
        for levels in self.sides:
            levels.clear()

    def put(self, side: int, price: float, size: float) -> tuple[int, int, float, float]:
        """The row of one level that changed."""
        if size:
            self.sides[side][price] = size
        else:
            self.sides[side].pop(price, None)
        return DEPTH, side, price, size

    def cut(self, depth: int) -> list[tuple[int, int, float, float]]:
        """Rows that remove what lies deeper than ``depth`` levels: the venue tells no more of it.
        """
        rows = []
        for side, levels in enumerate(self.sides):
            if len(levels) > depth:
                for price in sorted(levels, reverse=side == 0)[depth:]:
                    del levels[price]
                    rows.append((DEPTH, side, price, 0.0))
        return rows

    def best(self, side: int) -> float | None:
        """The best price of a side, or None."""
        levels = self.sides[side]
        return (min(levels) if side else max(levels)) if levels else None
