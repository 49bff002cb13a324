"""The order book of one instrument on an incremental feed: a tick ladder.

Prices are ticks, sizes are lots, side 0 is the bids and 1 the asks. best_bid() is 0 and best_ask()
is INT64_MAX while that side is empty. The ladder is a ring of lots by tick with a bitmap of the
occupied ones, so that a change costs the same at 10 and at 1,000 levels.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

from fastcore.market.snapshot import hash_levels

if cython.compiled:
    from cython.cimports.fastcore._bits import bit_length
else:
    def bit_length(v):
        return v.bit_length() or 1

EMPTY, SUSPECT, TRUSTED = 0, 1, 2
NO_ASK = (1 << 63) - 1
INVALID = -1
NOT_KEPT = -2

_born = [0]


class OrderBook:
    """The live book of one instrument on an incremental feed.

    ``width`` ticks a side lie in the window (a power of two, at least 64); worse levels go to a
    sorted spill of ``spill`` levels. ``depth`` is what truncate() keeps, 0 for all.
    """

    def __init__(self, instrument: int = 0, depth: int = 10, width: int = 4096,
                 spill: int = 4096) -> None:
        if width < 64 or width & (width - 1):
            raise ValueError(f"width must be a power of two of at least 64, not {width}")
        if depth < 0 or spill < 1:
            raise ValueError(f"depth must not be negative and spill at least 1: {depth}, {spill}")
        self.instrument = instrument
        self.depth = depth
        self.width = width
        self.spill_max = spill
        self.trust = 0
        self.ts_us = 0
        self.recv_ns = 0
        self.dropped = 0
        self.words = width >> 5
        self.none_ask = NO_ASK
        self.ladder = array("q", bytes(16 * width))
        self.bits = array("I", bytes(width // 4))
        self.base = array("q", [0, -width])
        self.best = array("q", [0, -NO_ASK])
        self.worst = array("q", [0, 0])
        self.counts = array("q", [0, 0])
        _born[0] += 1
        self.first_version = _born[0] << 40
        self.versions = array("q", [self.first_version, self.first_version])
        self.spill_keys = array("q", bytes(16 * spill))
        self.spill_lots = array("q", bytes(16 * spill))
        self.spilled = array("q", [0, 0])
        self.found_ticks = array("q", bytes(8 * 64))
        self.found_lots = array("q", bytes(8 * 64))

    @property
    def updates(self) -> int:
        """Changes of a level or of the whole book since it was made."""
        return self.versions[0] + self.versions[1] - 2 * self.first_version

    # -- changes

    def update(self, side: int, ticks: int, lots: int) -> int:
        """Set a level to lots; 0 deletes it.

        Returns 2 if that side's best price changed, 1 if only the size there, 0 if neither,
        INVALID (-1) for a side, price or size that cannot be, NOT_KEPT (-2) if there is no room.
        """
        if (ticks | lots) < 0 or (ticks - 1) >> 60 or side >> 1:
            return -1
        key = ticks * (1 - 2 * side)
        at = key - self.base[side]
        if at < 0 or at >= self.width:
            return self._outside(side, ticks, key, lots)
        self.versions[side] += 1
        at = (key & (self.width - 1)) + side * self.width
        one = 1
        old = self.ladder[at]
        self.ladder[at] = lots
        top = self.best[side]
        if lots:
            if old == 0:
                self.bits[at >> 5] |= one << (at & 31)
                self.counts[side] += 1
                if key < self.worst[side]:
                    self.worst[side] = key
            if key > top:
                self.best[side] = key
                return 2
            return 1 if key == top and lots != old else 0
        if old == 0:
            return 0
        self.bits[at >> 5] ^= one << (at & 31)
        self.counts[side] -= 1
        if key != top:
            return 0
        self._after_best_gone(side, key)
        return 2

    def update_all(self, words, count: int) -> int:
        """``update`` for each of ``count`` triples (side, ticks, lots) of a 64-bit array.

        Returns how many changed the best price or the size there; -1 if the array is shorter.
        """
        if count < 0 or count > len(words) // 3:
            return -1
        moved = 0
        for i in range(count):
            if self.update(words[3 * i], words[3 * i + 1], words[3 * i + 2]) > 0:
                moved += 1
        return moved

    def clear(self) -> None:
        """Forget all levels. Trust and stamps stay."""
        for side in range(2):
            key = self.best[side]
            if self.counts[side] > self.spilled[side]:
                while key >= self.base[side]:
                    self._clear_slot(side, key)
                    key = self._next(side, key)
            self.counts[side] = 0
            self.spilled[side] = 0
            self.versions[side] += 1
        self.best[0] = 0
        self.best[1] = -self.none_ask

    def truncate(self) -> None:
        """Drop the worst levels of each side beyond ``depth``; call it after a whole message."""
        if self.depth:
            if self.counts[0] > self.depth:
                self._truncate_side(0)
            if self.counts[1] > self.depth:
                self._truncate_side(1)

    # -- reads

    def best_bid(self) -> int:
        """Highest bid in ticks, 0 if there is none."""
        return self.best[0]

    def best_ask(self) -> int:
        """Lowest ask in ticks, INT64_MAX if there is none."""
        return -self.best[1]

    def best_bid_lots(self) -> int:
        """Lots at the best bid, 0 if there is none."""
        return self.ladder[self.best[0] & (self.width - 1)] if self.counts[0] else 0

    def best_ask_lots(self) -> int:
        """Lots at the best ask, 0 if there is none."""
        if self.counts[1]:
            return self.ladder[(self.best[1] & (self.width - 1)) + self.width]
        return 0

    def has_bid(self) -> bool:
        """Whether there is any bid."""
        return self.counts[0] > 0

    def has_ask(self) -> bool:
        """Whether there is any ask."""
        return self.counts[1] > 0

    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return self.best[0] + self.best[1] >= 0

    def count(self, side: int) -> int:
        """Levels on a side."""
        return self.counts[side] if side >> 1 == 0 else 0

    def lots_at(self, side: int, ticks: int) -> int:
        """Lots at a price, 0 if there is no such level."""
        if ticks <= 0 or (ticks - 1) >> 60 or side >> 1:
            return 0
        key = ticks * (1 - 2 * side)
        if key >= self.base[side]:
            at = key - self.base[side]
            if at >= self.width:
                return 0
            return self.ladder[(key & (self.width - 1)) + side * self.width]
        at = self._spill_find(side, key)
        if at < self.spilled[side] and self.spill_keys[side * self.spill_max + at] == key:
            return self.spill_lots[side * self.spill_max + at]
        return 0

    def level_ticks(self, side: int, i: int) -> int:
        """Price of the i-th best level (0 is the best), 0 if there is none."""
        if side >> 1 or i < 0 or i >= self.counts[side]:
            return 0
        key = self._nth(side, i)
        return key * (1 - 2 * side)

    def level_lots(self, side: int, i: int) -> int:
        """Lots of the i-th best level (0 is the best), 0 if there is none."""
        if side >> 1 or i < 0 or i >= self.counts[side]:
            return 0
        key = self._nth(side, i)
        return self._lots_of(side, key)

    def gather(self, side: int, count: int) -> int:
        """Copy the best levels (at most 64) to found_ticks and found_lots; returns how many.

        For compiled callers, who can read those two fields.
        """
        if side >> 1:
            return 0
        if count > 64:
            count = 64
        if count > self.counts[side]:
            count = self.counts[side]
        spilled = self.counts[side] - self.spilled[side]
        n = 0
        one = 1
        key = self.best[side]
        sign = 1 - 2 * side
        block = key >> 5
        low = side * self.words
        word = self.bits[low + (block & (self.words - 1))]
        while n < count and n < spilled:
            while word == 0:
                block -= 1
                word = self.bits[low + (block & (self.words - 1))]
            bit = bit_length(word) - 1
            word ^= one << bit
            key = block * 32 + bit
            self.found_ticks[n] = key * sign
            self.found_lots[n] = self.ladder[(key & (self.width - 1)) + side * self.width]
            n += 1
        i = side * self.spill_max
        while n < count:
            self.found_ticks[n] = self.spill_keys[i] * sign
            self.found_lots[n] = self.spill_lots[i]
            i += 1
            n += 1
        return n

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best levels of a side as (ticks, lots), best first."""
        found = []
        sign = 1 - 2 * side
        if side >> 1 or count <= 0 or self.counts[side] == 0:
            return found
        key = self.best[side]
        left = min(count, self.counts[side] - self.spilled[side])
        while left:
            found.append((key * sign, self._lots_of(side, key)))
            key = self._next(side, key)
            left -= 1
        for i in range(min(count - len(found), self.spilled[side])):
            found.append((self.spill_keys[side * self.spill_max + i] * sign,
                          self.spill_lots[side * self.spill_max + i]))
        return found

    def state_hash(self) -> int:
        """64 bits that depend on the levels alone; equal for every kind of book."""
        return hash_levels(self.levels(0, self.counts[0]), self.levels(1, self.counts[1]))

    # -- inside

    def _next(self, side, key):
        """The best window key worse than key; below the base if there is none."""
        one = 1
        key -= 1
        block = key >> 5
        low = self.base[side] >> 5
        if block < low:
            return self.base[side] - 1
        word = self.bits[side * self.words + (block & (self.words - 1))]
        word &= (one << ((key & 31) + 1)) - 1
        while word == 0:
            block -= 1
            if block < low:
                return self.base[side] - 1
            word = self.bits[side * self.words + (block & (self.words - 1))]
        return block * 32 + bit_length(word) - 1

    def _lowest(self, side):
        """The worst window key; the window must not be empty."""
        block = self.worst[side] >> 5
        if block < self.base[side] >> 5:
            block = self.base[side] >> 5
        word = self.bits[side * self.words + (block & (self.words - 1))]
        while word == 0:
            block += 1
            word = self.bits[side * self.words + (block & (self.words - 1))]
        return block * 32 + bit_length(word & -word) - 1

    def _nth(self, side, i):
        """Key of the i-th best level; i must be below the count."""
        if i >= self.counts[side] - self.spilled[side]:
            i -= self.counts[side] - self.spilled[side]
            return self.spill_keys[side * self.spill_max + i]
        key = self.best[side]
        while i:
            key = self._next(side, key)
            i -= 1
        return key

    def _lots_of(self, side, key):
        if key >= self.base[side]:
            return self.ladder[(key & (self.width - 1)) + side * self.width]
        return self.spill_lots[side * self.spill_max + self._spill_find(side, key)]

    def _spill_find(self, side, key):
        """Where key is, or would be, in the spill."""
        low = 0
        high = self.spilled[side]
        while low < high:
            middle = (low + high) >> 1
            if self.spill_keys[side * self.spill_max + middle] > key:
                low = middle + 1
            else:
                high = middle
        return low

    def _put(self, side, key, lots):
        self.ladder[(key & (self.width - 1)) + side * self.width] = lots
        one = 1
        self.bits[side * self.words + ((key >> 5) & (self.words - 1))] |= one << (key & 31)

    def _clear_slot(self, side, key):
        self.ladder[(key & (self.width - 1)) + side * self.width] = 0
        one = 1
        self.bits[side * self.words + ((key >> 5) & (self.words - 1))] ^= one << (key & 31)

    def _outside(self, side, ticks, key, lots):
        """A change outside the window: move the window if the best asks for it, else spill."""
        if self.counts[side] == 0:
            if lots == 0:
                return 0
            self.base[side] = (key - (self.width >> 1)) & -32
            self.worst[side] = key
            return self.update(side, ticks, lots)
        if key > self.best[side]:
            if lots == 0:
                return 0
            self._slide_up(side, (key - (self.width >> 1)) & -32)
            return self.update(side, ticks, lots)
        if lots and self.best[side] - self.base[side] < self.width >> 2:
            self._slide_down(side, (self.best[side] - (self.width >> 1)) & -32)
            if key >= self.base[side]:
                return self.update(side, ticks, lots)
        return self._spill_update(side, key, lots)

    def _spill_update(self, side, key, lots):
        n = self.spilled[side]
        i = self._spill_find(side, key)
        at = side * self.spill_max + i
        old = i < n and self.spill_keys[at] == key
        if old == 0 and lots == 0:
            return 0
        self.versions[side] += 1
        if old and lots:
            self.spill_lots[at] = lots
            return 0
        if old:
            while i < n - 1:
                self.spill_keys[at] = self.spill_keys[at + 1]
                self.spill_lots[at] = self.spill_lots[at + 1]
                at += 1
                i += 1
            self.spilled[side] = n - 1
            self.counts[side] -= 1
            return 0
        if n == self.spill_max:
            self.dropped += 1
            if i == n:
                return -2
            n -= 1
            self.counts[side] -= 1
        at = side * self.spill_max + n
        while n > i:
            self.spill_keys[at] = self.spill_keys[at - 1]
            self.spill_lots[at] = self.spill_lots[at - 1]
            at -= 1
            n -= 1
        self.spill_keys[at] = key
        self.spill_lots[at] = lots
        self.counts[side] += 1
        self.spilled[side] += 1
        if self.spilled[side] > self.spill_max:
            self.spilled[side] = self.spill_max
        return 0

    def _after_best_gone(self, side, key):
        """Find the next best after key was deleted."""
        if self.counts[side] == 0:
            self.best[side] = -side * self.none_ask
            return
        if self.counts[side] == self.spilled[side]:
            key = self.spill_keys[side * self.spill_max]
            self.best[side] = key
            self._slide_down(side, (key - (self.width >> 1)) & -32)
            return
        key = self._next(side, key)
        self.best[side] = key
        if self.spilled[side] and key - self.base[side] < self.width >> 2:
            self._slide_down(side, (key - (self.width >> 1)) & -32)

    def _slide_up(self, side, base):
        """Move the window to a higher base; levels that fall out of it go to the spill."""
        key = base
        if key > self.best[side] + 1:
            key = self.best[side] + 1
        gone = 0
        n = self._next(side, key)
        while n >= self.base[side]:
            gone += 1
            n = self._next(side, n)
        kept = self.spilled[side]
        if gone + kept > self.spill_max:
            n = gone + kept - self.spill_max
            self.dropped += n
            self.counts[side] -= n
            kept = self.spill_max - gone if gone < self.spill_max else 0
        at = side * self.spill_max
        i = kept - 1
        while i >= 0:
            self.spill_keys[at + gone + i] = self.spill_keys[at + i]
            self.spill_lots[at + gone + i] = self.spill_lots[at + i]
            i -= 1
        i = 0
        n = self._next(side, key)
        while n >= self.base[side]:
            if i < self.spill_max:
                self.spill_keys[at + i] = n
                self.spill_lots[at + i] = self._lots_of(side, n)
            self._clear_slot(side, n)
            n = self._next(side, n)
            i += 1
        self.spilled[side] = kept + (gone if gone < self.spill_max else self.spill_max)
        self.base[side] = base
        if self.worst[side] < base:
            self.worst[side] = base

    def _slide_down(self, side, base):
        """Move the window to a lower base; spilled levels that come into it enter it."""
        at = side * self.spill_max
        n = self.spilled[side]
        pulled = 0
        self.base[side] = base
        while pulled < n and self.spill_keys[at + pulled] >= base:
            key = self.spill_keys[at + pulled]
            self._put(side, key, self.spill_lots[at + pulled])
            self.worst[side] = key
            pulled += 1
        i = pulled
        while i < n:
            self.spill_keys[at + i - pulled] = self.spill_keys[at + i]
            self.spill_lots[at + i - pulled] = self.spill_lots[at + i]
            i += 1
        self.spilled[side] = n - pulled

    def _truncate_side(self, side):
        self.versions[side] += 1
        while self.counts[side] > self.depth:
            if self.spilled[side]:
                self.spilled[side] -= 1
            else:
                key = self._lowest(side)
                self._clear_slot(side, key)
                self.worst[side] = key + 1
            self.counts[side] -= 1
