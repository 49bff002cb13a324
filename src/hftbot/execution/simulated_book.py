"""An exchange's book in a backtest: recorded levels, and our orders queued in them.

A resting order stands behind what its level showed when it arrived; the queue model says how it
comes forward. It trades when trades reach it, when one goes through its price, or when the other
side's best price comes to it. A taker takes what levels show, and what it took is gone until the
recording tells the level anew: our own orders never share one quantity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fastcore.market.book import OrderBook
from fastcore.sim.queue import lots_reached
from hftbot.words.instrument import Instrument
from hftbot.words.order import Tif

WIDTH = 16_384
NEAR_LEVELS, ALL_LEVELS = 16, 1 << 20


class QueueModel(Protocol):
    """How an order comes forward in its level; quantities in base units."""

    def after_trade(self, front: float, quantity: float) -> float: ...
    def after_depth(self, front: float, traded: float, before: float, after: float) -> float: ...


@dataclass(slots=True)
class Resting:
    """An order of ours in the book. ``front`` stands before it; ``traded`` since the last row."""

    client_id: int
    side: int
    ticks: int
    leaves: int
    front: float
    traded: float = 0.0


@dataclass(slots=True)
class Match:
    """One execution of ours."""

    client_id: int
    side: int
    ticks: int
    lots: int
    maker: bool
    leaves: int


class SimulatedBook:
    """The levels of one market and our orders among them. Each change returns our executions."""

    def __init__(self, grid: Instrument) -> None:
        self.grid = grid
        self.levels = OrderBook(grid.index, 0, WIDTH)
        self.resting: list[Resting] = []
        self._taken: dict[tuple[int, int], int] = {}

    # --- the recorded market -------------------------------------------------------------------

    def depth(self, model: QueueModel, side: int, ticks: int, lots: int) -> list[Match]:
        """A level now shows so many lots; 0: it is gone."""
        levels = self.levels
        before, best = levels.lots_at(side, ticks), self._best_key(side)
        levels.update(side, ticks, lots)
        self._taken.pop((side, ticks), None)
        if lots:
            uncross(levels, side, ticks)
        for order in self.resting:
            if order.ticks == ticks and order.side == side:
                # Below zero it is next: a trade reached it, and others of ours took the quantity.
                order.front = model.after_depth(max(order.front, 0.0), order.traded,
                                                self.grid.qty(before), self.grid.qty(lots))
                order.traded = 0.0
        return self._passed_by(side) if self.resting and self._best_key(side) > best else []

    def clear(self, model: QueueModel, side: int, ticks: int = 0) -> None:
        """The levels of a side are void, from the best to ``ticks`` (0: all); orders stay."""
        for level, _ in self.levels.levels(side, ALL_LEVELS):
            if ticks and ((side == 0 and level < ticks) or (side == 1 and level > ticks)):
                break
            self.depth(model, side, level, 0)

    def show(self, model: QueueModel, shown: Mapping[int, Mapping[int, int]]) -> list[Match]:
        """The whole book as it is now: by side, ticks to lots."""
        found = []
        for side, levels in shown.items():
            for ticks, _ in self.levels.levels(side, ALL_LEVELS):
                if ticks not in levels:
                    self.depth(model, side, ticks, 0)
        for side, levels in shown.items():
            for ticks, lots in levels.items():
                found += self.depth(model, side, ticks, lots)
        return found

    def trade(self, model: QueueModel, side: int, ticks: int, lots: int) -> list[Match]:
        """Somebody traded; ``side`` is the taker's. What our orders get of it is shared out."""
        found = []
        left = lots
        for order in tuple(self.resting):
            if order.side == side:
                continue
            through = order.ticks - ticks if order.side == 0 else ticks - order.ticks
            if through > 0:
                found.append(self._fill(order, order.leaves))
            elif through == 0:
                order.front = model.after_trade(order.front, self.grid.qty(lots))
                order.traded += self.grid.qty(lots)
                reached = min(lots_reached(order.front, self.grid.lot_size), order.leaves, left)
                if reached > 0:
                    order.front = 0.0
                    left -= reached
                    found.append(self._fill(order, reached))
        return found

    def _passed_by(self, side: int) -> list[Match]:
        """The best price of a side came to our orders of the other: they are filled whole."""
        best = self.levels.best_bid() if side == 0 else self.levels.best_ask()
        return [self._fill(order, order.leaves) for order in tuple(self.resting)
                if order.side != side
                and (order.ticks <= best if side == 0 else order.ticks >= best)]

    def _best_key(self, side: int) -> int:
        """The best price of a side as a number that is higher when it is better."""
        best = self.levels.best_bid() if side == 0 else -self.levels.best_ask()
        return int(best)

    def _fill(self, order: Resting, lots: int) -> Match:
        order.leaves -= lots
        if not order.leaves:
            self.resting.remove(order)
        return Match(order.client_id, order.side, order.ticks, lots, True, order.leaves)

    # --- our orders ----------------------------------------------------------------------------

    def place(self, client_id: int, side: int, ticks: int, lots: int, tif: int,
              front: float) -> tuple[list[Match], bool]:
        """An order arrives. Returns its executions, and whether what is left of it rests.

        ``front`` is the quantity before it at its price.
        """
        found: list[Match] = []
        left = lots
        if tif != Tif.FOK or self._within(side, ticks) >= lots:
            for level, shown in self._reachable(side, ticks):
                taken = min(left, shown)
                left -= taken
                key = (1 - side, level)
                self._taken[key] = self._taken.get(key, 0) + taken
                found.append(Match(client_id, side, level, taken, False, left))
                if not left:
                    break
        rests = left > 0 and tif in (Tif.GTC, Tif.GTD)
        if rests:
            self.resting.append(Resting(client_id, side, ticks, left, front))
        return found, rests

    def cancel(self, client_id: int) -> bool:
        """Take an order out; False if it is not here any more."""
        for order in self.resting:
            if order.client_id == client_id:
                self.resting.remove(order)
                return True
        return False

    def _within(self, side: int, ticks: int) -> int:
        return sum(lots for _, lots in self._reachable(side, ticks))

    def _reachable(self, side: int, ticks: int) -> Iterable[tuple[int, int]]:
        """(ticks, lots) of the other side within the price, best first, without what we took."""
        other, seen = 1 - side, 0
        for count in (NEAR_LEVELS, ALL_LEVELS):
            for level, lots in self.levels.levels(other, count)[seen:]:
                if level > ticks if side == 0 else level < ticks:
                    return
                left = lots - self._taken.get((other, level), 0)
                if left > 0:
                    yield level, left
            seen = NEAR_LEVELS


def uncross(levels: Any, side: int, ticks: int) -> None:
    """Remove what a newer level of the other side contradicts."""
    if side == 0:
        while levels.has_ask() and levels.best_ask() <= ticks:
            levels.update(1, levels.best_ask(), 0)
    else:
        while levels.has_bid() and levels.best_bid() >= ticks:
            levels.update(0, levels.best_bid(), 0)
