"""What a careful Python programmer writes without a compiler: dicts, sorted lists, bisect."""

from __future__ import annotations

import random
from bisect import bisect_left, insort


class SortedBook:
    """Two dicts of price to size and two sorted lists of prices; integers, as ours."""

    __slots__ = ("asks", "asks_sorted", "bids", "bids_sorted")

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.bids_sorted: list[int] = []
        self.asks_sorted: list[int] = []

    def update(self, side: int, ticks: int, lots: int) -> int:
        """Set a level; 0 lots delete it. Returns 1 if the best price or its size changed."""
        if side:
            levels, ranked = self.asks, self.asks_sorted
            if lots:
                if ticks not in levels:
                    insort(ranked, ticks)
                levels[ticks] = lots
                return ranked[0] == ticks
            if levels.pop(ticks, 0):
                at = bisect_left(ranked, ticks)
                del ranked[at]
                return at == 0
            return 0
        levels, ranked = self.bids, self.bids_sorted
        if lots:
            if ticks not in levels:
                insort(ranked, ticks)
            levels[ticks] = lots
            return ranked[-1] == ticks
        if levels.pop(ticks, 0):
            at = bisect_left(ranked, ticks)
            del ranked[at]
            return at == len(ranked)
        return 0

    def truncate(self, depth: int) -> None:
        """Forget the levels beyond a depth."""
        while len(self.bids_sorted) > depth:
            del self.bids[self.bids_sorted.pop(0)]
        while len(self.asks_sorted) > depth:
            del self.asks[self.asks_sorted.pop()]


def snapshot(levels: int, middle: int = 500_000) -> list[tuple[int, int, int]]:
    """A full book of that many levels a side, adjacent ticks: (side, ticks, lots)."""
    rng = random.Random(levels)
    return [(side, middle + (2 * side - 1) * (number + 1), rng.randrange(1, 10**6))
            for side in (0, 1) for number in range(levels)]


def changes(levels: int, count: int, middle: int = 500_000) -> list[tuple[int, int, int]]:
    """Updates as a feed sends them: mostly near the touch, two in five delete or renew a level.

    Each level that is deleted is renewed soon after, so that the book keeps its size and the list
    can be applied again and again.
    """
    rng = random.Random(levels + count)
    found: list[tuple[int, int, int]] = []
    while len(found) < count:
        side = rng.randrange(2)
        away = min(levels - 1, int(rng.expovariate(8 / levels)))
        ticks = middle + (2 * side - 1) * (away + 1)
        if rng.random() < 0.25:
            found.append((side, ticks, 0))
        found.append((side, ticks, rng.randrange(1, 10**6)))
    last = found[count - 1]
    return [*found[:count - 1], (last[0], last[1], 7)]
