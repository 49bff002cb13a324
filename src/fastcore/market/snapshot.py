"""The order book of one instrument on a feed that always sends whole books: flat arrays."""

from array import array

NO_ASK = (1 << 63) - 1


def hash_levels(bids, asks):
    """A book's 64-bit state hash from its levels, best first: the same for every kind of book."""
    value = 0xCBF29CE484222325
    for levels in (bids, asks):
        words = [len(levels)]
        for ticks, lots in levels:
            words += (ticks, lots)
        for word in words:
            value = ((value ^ word) * 0x100000001B3) % (1 << 64)
            value ^= value >> 29
    return value


class SnapshotBook:
    """The book of one instrument on a feed that always sends whole books; ``depth`` a side."""

    def __init__(self, instrument: int = 0, depth: int = 20) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self.instrument = instrument
        self.depth = depth
        self.trust = 0
        self.ts_us = 0
        self.recv_ns = 0
        self.updates = 0
        self.none_ask = NO_ASK
        self.keys = array("q", bytes(16 * depth))
        self.sizes = array("q", bytes(16 * depth))
        self.counts = array("q", [0, 0])

    def replace(self, words, count: int) -> int:
        """Take a whole book: ``count`` levels of three words each (side, ticks, lots) in any order.

        Levels beyond ``depth`` a side are dropped, of one price the last is kept, lots 0 is no
        level. Returns 0, or -1 for a side, price or size that cannot be: the book is then empty.
        """
        self.clear()
        self.updates += 1
        for i in range(count):
            side = words[3 * i]
            ticks = words[3 * i + 1]
            lots = words[3 * i + 2]
            if (ticks | lots) < 0 or (ticks - 1) >> 60 or side >> 1:
                self.clear()
                return -1
            self._insert(side, ticks * (1 - 2 * side), lots)
        return 0

    def clear(self) -> None:
        """Forget all levels. Trust and stamps stay."""
        self.counts[0] = 0
        self.counts[1] = 0

    def best_bid(self) -> int:
        """Highest bid in ticks, 0 if there is none."""
        return self.keys[0] if self.counts[0] else 0

    def best_ask(self) -> int:
        """Lowest ask in ticks, INT64_MAX if there is none."""
        return -self.keys[self.depth] if self.counts[1] else self.none_ask

    def best_bid_lots(self) -> int:
        """Lots at the best bid, 0 if there is none."""
        return self.sizes[0] if self.counts[0] else 0

    def best_ask_lots(self) -> int:
        """Lots at the best ask, 0 if there is none."""
        return self.sizes[self.depth] if self.counts[1] else 0

    def has_bid(self) -> bool:
        """Whether there is any bid."""
        return self.counts[0] > 0

    def has_ask(self) -> bool:
        """Whether there is any ask."""
        return self.counts[1] > 0

    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return self.best_bid() >= self.best_ask()

    def count(self, side: int) -> int:
        """Levels on a side."""
        return self.counts[side] if side >> 1 == 0 else 0

    def lots_at(self, side: int, ticks: int) -> int:
        """Lots at a price, 0 if there is no such level."""
        for i in range(self.count(side)):
            if self.level_ticks(side, i) == ticks:
                return self.sizes[side * self.depth + i]
        return 0

    def level_ticks(self, side: int, i: int) -> int:
        """Price of the i-th best level (0 is the best), 0 if there is none."""
        if i < 0 or i >= self.count(side):
            return 0
        return self.keys[side * self.depth + i] * (1 - 2 * side)

    def level_lots(self, side: int, i: int) -> int:
        """Lots of the i-th best level (0 is the best), 0 if there is none."""
        if i < 0 or i >= self.count(side):
            return 0
        return self.sizes[side * self.depth + i]

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best levels of a side as (ticks, lots), best first."""
        return [(self.level_ticks(side, i), self.level_lots(side, i))
                for i in range(min(count, self.count(side)))]

    def state_hash(self) -> int:
        """64 bits that depend on the levels alone; equal for every kind of book."""
        return hash_levels(self.levels(0, self.depth), self.levels(1, self.depth))

    def _insert(self, side, key, lots):
        start = side * self.depth
        n = self.counts[side]
        i = n
        while i > 0 and self.keys[start + i - 1] < key:
            i -= 1
        if i > 0 and self.keys[start + i - 1] == key:
            i -= 1
            if lots:
                self.sizes[start + i] = lots
                return
            n -= 1
            while i < n:
                self.keys[start + i] = self.keys[start + i + 1]
                self.sizes[start + i] = self.sizes[start + i + 1]
                i += 1
            self.counts[side] = n
            return
        if lots == 0 or i == self.depth:
            return
        at = n if n < self.depth else n - 1
        while at > i:
            self.keys[start + at] = self.keys[start + at - 1]
            self.sizes[start + at] = self.sizes[start + at - 1]
            at -= 1
        self.keys[start + i] = key
        self.sizes[start + i] = lots
        if n < self.depth:
            self.counts[side] = n + 1
