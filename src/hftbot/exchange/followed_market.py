"""A real market as it happens: somebody else's book and trades, our orders queued in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from fastcore.sim.replay_matcher import ReplayMatcher
from hftbot.exchange.listings import Listing
from hftbot.exchange.market import Batch

LEVELS_MAX = 16_384
# How many times the depth in view is remembered.
KEPT_DEPTHS = 3
Levels = Sequence[tuple[int, int]]


class Follower(Protocol):
    """Who watches real markets and tells them here."""

    markets: Sequence[FollowedMarket]

    async def follow(self, turn: Callable[[], None]) -> None:
        """Go on telling; ``turn`` after each telling, so that it is played at once."""


class FollowedMarket:
    """What a follower of the real market was told, played in the order in which it was told.

    ``show`` gives the book's levels as they are now, ``trade`` somebody's trade, ``lose`` that the
    book is not known any more. ``depth`` levels a side are followed: what leaves the view at its
    far end is kept as it was last seen, because nobody said that it is gone.
    """

    def __init__(self, listing: Listing, depth: int, now_us: Callable[[], int]) -> None:
        self.listing = listing
        self.matcher = ReplayMatcher(levels=LEVELS_MAX)
        self.finished = False
        self.fills_are_public = False
        self.depth = depth
        self._now_us = now_us
        self._told: deque[tuple[int, Callable[[Batch], None]]] = deque()
        self._last_us = 0
        self._mid_ticks = listing.start_ticks

    # What the follower says.

    def show(self, bids: Levels, asks: Levels) -> None:
        """The book is this now: (ticks, lots) a side, best first."""
        self._tell(lambda batch: self._show(batch, bids, asks))

    def trade(self, side: int, ticks: int, lots: int) -> None:
        """Somebody took: 0 buyer, 1 seller."""
        self._tell(lambda batch: self._trade(batch, side, ticks, lots))

    def lose(self) -> None:
        """The book is not known: nothing rests in it, and nothing of ours can be filled."""
        self._tell(self._lose)

    def _tell(self, what: Callable[[Batch], None]) -> None:
        self._told.append((self._now_us(), what))

    # The face's side.

    def open(self, now_us: int) -> Batch:
        """Everything that was told before the venue opened."""
        batch = Batch()
        while self._told:
            self._told.popleft()[1](batch)
        batch.prints.clear()
        self._last_us = now_us
        return batch

    def next_due_us(self) -> int | None:
        """What was told is due at once."""
        return self._told[0][0] if self._told else None

    def skip(self, now_us: int) -> None:
        """Nothing that was told may be forgotten: it becomes due now."""
        self._told = deque((max(at_us, now_us), what) for at_us, what in self._told)

    def step(self, now_us: int) -> Batch:
        """The oldest thing that was told."""
        batch = Batch()
        if self._told:
            self._told.popleft()[1](batch)
        self._last_us = now_us
        return batch

    def mid_ticks(self) -> int:
        """Middle of the touch; the last one while the book is not known."""
        bid, ask = self.matcher.best(0), self.matcher.best(1)
        if self.matcher.count(0) and self.matcher.count(1):
            self._mid_ticks = (bid + ask) // 2
        return self._mid_ticks

    def market_time_us(self, now_us: int) -> int:
        """When the last thing was told."""
        return self._last_us

    # What it means for the book.

    def _show(self, batch: Batch, bids: Levels, asks: Levels) -> None:
        matcher = self.matcher
        for side, levels in ((0, bids), (1, asks)):
            shown = dict(levels)
            edge = levels[-1][0] if len(levels) >= self.depth else None
            for ticks, _lots in gone(matcher.levels(side, LEVELS_MAX), shown, side, edge):
                matcher.depth(side, ticks, 0)
                batch.take(matcher)
            for ticks, _lots in matcher.levels(side, LEVELS_MAX)[KEPT_DEPTHS * self.depth:]:
                matcher.depth(side, ticks, 0)
                batch.take(matcher)
        for side, levels in ((0, bids), (1, asks)):
            for ticks, lots in levels:
                if matcher.lots_at(side, ticks) != lots:
                    matcher.depth(side, ticks, lots)
                    batch.take(matcher)

    def _trade(self, batch: Batch, side: int, ticks: int, lots: int) -> None:
        self.matcher.trade(side, ticks, lots)
        batch.prints.append((side, ticks, lots))
        batch.take(self.matcher)

    def _lose(self, batch: Batch) -> None:
        self.mid_ticks()
        for side in (0, 1):
            self.matcher.clear(side)
            batch.take(self.matcher)


def gone(before: Iterable[tuple[int, int]], shown: dict[int, int], side: int,
         edge: int | None) -> list[tuple[int, int]]:
    """Levels that are not there any more; behind ``edge``, the last level in view, who knows."""
    return [(ticks, lots) for ticks, lots in before if ticks not in shown and (
        edge is None or (ticks > edge if side == 0 else ticks < edge))]
