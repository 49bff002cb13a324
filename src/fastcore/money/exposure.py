"""What our open orders may still do: lots and value by side, and our own best prices."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore.money._wide import AMOUNT_MAX, mix, product
else:
    from fastcore.money.wide import AMOUNT_MAX, mix, product


class Exposure:
    """Sums over live and doubtful orders of one instrument; at most ``levels`` prices a side.

    Answers are 0, or -1 with nothing changed: the sums would pass 2**61, a side has no room for
    another price, or what is taken away was never added.
    """

    def __init__(self, levels: int = 1024) -> None:
        if levels < 1:
            raise ValueError(f"levels must be at least 1, not {levels}")
        self.levels = levels
        self.keys = array("q", bytes(16 * levels))
        self.orders = array("q", bytes(16 * levels))
        self.counts = array("q", [0, 0])
        self.lots = array("q", [0, 0])
        self.values = array("q", [0, 0])

    def add(self, side: int, ticks: int, lots: int) -> int:
        """One more order at ``ticks`` that may trade ``lots`` (0 counts its price only)."""
        if side < 0 or side > 1 or ticks <= 0 or lots < 0:
            return -1
        value = product(ticks, lots)
        if lots > AMOUNT_MAX - self.lots[side] or value > AMOUNT_MAX - self.values[side]:
            return -1
        key = ticks * (1 - 2 * side)
        start = side * self.levels
        end = start + self.counts[side]
        at = self._seek(side, key)
        if at < end and self.keys[at] == key:
            self.orders[at] += 1
        else:
            if end - start >= self.levels:
                return -1
            i = end
            while i > at:
                self.keys[i] = self.keys[i - 1]
                self.orders[i] = self.orders[i - 1]
                i -= 1
            self.keys[at] = key
            self.orders[at] = 1
            self.counts[side] += 1
        self.lots[side] += lots
        self.values[side] += value
        return 0

    def remove(self, side: int, ticks: int, lots: int) -> int:
        """One order less at ``ticks``, with the ``lots`` that it had left."""
        if not self._fits(side, ticks, lots):
            return -1
        key = ticks * (1 - 2 * side)
        end = side * self.levels + self.counts[side]
        at = self._seek(side, key)
        if at >= end or self.keys[at] != key:
            return -1
        self.orders[at] -= 1
        if self.orders[at] == 0:
            i = at
            while i < end - 1:
                self.keys[i] = self.keys[i + 1]
                self.orders[i] = self.orders[i + 1]
                i += 1
            self.counts[side] -= 1
        self.lots[side] -= lots
        self.values[side] -= ticks * lots
        return 0

    def reduce(self, side: int, ticks: int, lots: int) -> int:
        """An order at ``ticks`` may trade ``lots`` less; it stays."""
        if not self._fits(side, ticks, lots):
            return -1
        self.lots[side] -= lots
        self.values[side] -= ticks * lots
        return 0

    def best(self, side: int) -> int:
        """Our own best price on a side in ticks, 0 if we have no order there."""
        if self.counts[side] == 0:
            return 0
        return self.keys[side * self.levels + self.counts[side] - 1] * (1 - 2 * side)

    def open_lots(self, side: int) -> int:
        """Lots that may still trade on a side."""
        return self.lots[side]

    def open_value(self, side: int) -> int:
        """Their value at their limits, in tick-lots."""
        return self.values[side]

    def state_hash(self) -> int:
        """64-bit digest; equal on every interpreter."""
        digest = mix(0, self.lots[0])
        digest = mix(digest, self.lots[1])
        digest = mix(digest, self.values[0])
        digest = mix(digest, self.values[1])
        for side in range(2):
            digest = mix(digest, self.counts[side])
            for i in range(self.counts[side]):
                digest = mix(digest, self.keys[side * self.levels + i])
                digest = mix(digest, self.orders[side * self.levels + i])
        return digest

    def _fits(self, side, ticks, lots):
        if side < 0 or side > 1 or ticks <= 0 or lots < 0:
            return False
        return lots <= self.lots[side] and product(ticks, lots) <= self.values[side]

    def _seek(self, side, key):
        # Index of the first key that is not below: most orders are at or near the best.
        start = side * self.levels
        low = start
        high = start + self.counts[side]
        if high > start and self.keys[high - 1] < key:
            return high
        while low < high:
            middle = (low + high) >> 1
            if self.keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        return low
