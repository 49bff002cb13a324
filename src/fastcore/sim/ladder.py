"""Sorted price levels of two sides, best last, so that work near the touch moves few rows."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

COMPILED = cython.compiled


class Ladder:
    """Levels of one book: ticks, total lots, and the first and last order of each level's queue.

    Rows of a side lie in one array, worst first. ``first`` and ``last`` are the owner's (order
    slots, -1 for none). Any positive price fits; there is no window.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self.capacity = capacity
        self.ticks = array("q", bytes(16 * capacity))
        self.lots = array("q", bytes(16 * capacity))
        self.first = array("q", bytes(16 * capacity))
        self.last = array("q", bytes(16 * capacity))
        self.sizes = array("q", [0, 0])

    def count(self, side: int) -> int:
        """Number of levels of a side."""
        return self.sizes[side]

    def search(self, side: int, ticks: int) -> int:
        """Row where a price is, or where it would be put (see ``find``)."""
        start = side * self.capacity
        low = start
        high = start + self.sizes[side]
        while low < high:
            middle = (low + high) >> 1
            # Bids rise towards the best, asks fall towards it.
            if side == 0:
                if self.ticks[middle] < ticks:
                    low = middle + 1
                else:
                    high = middle
            elif self.ticks[middle] > ticks:
                low = middle + 1
            else:
                high = middle
        return low

    def find(self, side: int, ticks: int) -> int:
        """Row of a price, or -1."""
        row = self.search(side, ticks)
        if row < side * self.capacity + self.sizes[side] and self.ticks[row] == ticks:
            return row
        return -1

    def insert(self, side: int, ticks: int) -> int:
        """Row of a price, made if absent; -1 if the side is full."""
        row = self.search(side, ticks)
        end = side * self.capacity + self.sizes[side]
        if row < end and self.ticks[row] == ticks:
            return row
        if self.sizes[side] >= self.capacity:
            return -1
        i = end
        while i > row:
            self.ticks[i] = self.ticks[i - 1]
            self.lots[i] = self.lots[i - 1]
            self.first[i] = self.first[i - 1]
            self.last[i] = self.last[i - 1]
            i -= 1
        self.ticks[row] = ticks
        self.lots[row] = 0
        self.first[row] = -1
        self.last[row] = -1
        self.sizes[side] += 1
        return row

    def remove(self, side: int, row: int) -> None:
        """Take a row out."""
        self.sizes[side] -= 1
        end = side * self.capacity + self.sizes[side]
        i = row
        while i < end:
            self.ticks[i] = self.ticks[i + 1]
            self.lots[i] = self.lots[i + 1]
            self.first[i] = self.first[i + 1]
            self.last[i] = self.last[i + 1]
            i += 1

    def best(self, side: int) -> int:
        """Row of the best level, or -1 if the side is empty."""
        if self.sizes[side] == 0:
            return -1
        return side * self.capacity + self.sizes[side] - 1

    def row(self, side: int, rank: int) -> int:
        """Row of the rank-th best level (0 is the best), or -1."""
        if rank < 0 or rank >= self.sizes[side]:
            return -1
        return side * self.capacity + self.sizes[side] - 1 - rank

    def best_ticks(self, side: int) -> int:
        """Best price of a side, or 0 if it is empty."""
        if self.sizes[side] == 0:
            return 0
        return self.ticks[side * self.capacity + self.sizes[side] - 1]

    def lots_at(self, side: int, ticks: int) -> int:
        """Lots at a price, 0 if there are none."""
        row = self.find(side, ticks)
        if row < 0:
            return 0
        return self.lots[row]

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best levels, best first, as (ticks, lots)."""
        found = []
        rank = 0
        while rank < count and rank < self.sizes[side]:
            row = side * self.capacity + self.sizes[side] - 1 - rank
            found.append((self.ticks[row], self.lots[row]))
            rank += 1
        return found
