"""The book that the recorded rows of an instrument build, at the exchange or at home.

Quantities are doubles in base units, as recorded: the queue models work on them. A level is there
from half a lot on. The newer side of a crossed book wins: levels of the other side that a new best
passes are skipped, not erased, so that ``best`` is hftbacktest's in every state. Most rows go
through ``follow``; it leaves to its caller what our own orders care about.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

if cython.compiled:
    from cython.cimports.fastcore._bits import bit_length, prefetch
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code

    def bit_length(v):
        return v.bit_length() or 1


def rows_of(events):
    """The words and the doubles of a buffer of event rows, without a copy.

    Raises ValueError if it is not a whole number of rows.
    """
    if hasattr(events, "dtype"):
        # A structured array; as bytes its buffer may be looked at in any way.
        events = events.view("u1")
    rows = memoryview(events).cast("B")
    if len(rows) % 64:
        raise ValueError(f"event rows are 64 bytes each; {len(rows)} bytes are "
                         f"{len(rows) // 64} rows and {len(rows) % 64} bytes")
    if len(rows) == 0:
        return array("q"), array("d")
    return rows.cast("q"), rows.cast("d")


class Depth:
    """One of the two books of a replayed instrument; ``stamp`` and ``flag`` say which."""

    def __init__(self, words, reals, tick_size: float, lot_size: float, stamp: int, flag: int,
                 window: int = 65536) -> None:
        if window < 64 or window & (window - 1):
            raise ValueError(f"window must be a power of two of at least 64, not {window}")
        if not tick_size > 0.0 or not lot_size > 0.0:
            raise ValueError("tick_size and lot_size must be positive, not "
                             f"{tick_size} and {lot_size}")
        self.words = words
        self.reals = reals
        self.rows = len(words) // code.ROW_WORDS
        self.stamp = stamp
        self.flag = flag
        self.tick_size = tick_size
        self.lot_size = lot_size
        self.least = 0.5 * lot_size
        self.ticks_each = 1.0 / tick_size
        self.width = window
        self.words_a_side = window >> 5
        # A bytearray's pages cost nothing until a level is there; an array's are all written.
        self.quantities = memoryview(bytearray(32 * window)).cast("d")
        self.odd = 0
        self.bits = array("I", bytes(window // 4))
        self.marks = array("I", bytes(window // 4))
        self.base = array("q", [0, 0])
        self.best = array("q", [code.NO_KEY, code.NO_KEY])
        self.low = array("q", [code.NEVER, code.NEVER])
        self.touch = array("q", [code.NO_KEY, code.NO_KEY])
        self.counts = array("q", [0, 0])
        self.far_marked = array("q", [0, 0])
        self.far_used = array("q", [0, 0])
        self.far_live = array("q", [0, 0])
        self.far_size = 4096
        self.far_keys = array("q", [code.NO_KEY]) * (2 * self.far_size)
        self.far_quantities = array("d", bytes(16 * self.far_size))
        self.stops_at_orders = self.stops_at_trades = 0
        self.stopped = self.alarms = self.seen = self.mirrored = 0
        self.mirror = None

    def lie_beside(self, other) -> None:
        """Keep quantities among those of the other book of the same rows, as wide as this one.

        A level is soon set in both: what the first brought into the cache the second finds there.
        """
        self.quantities = other.quantities
        self.odd = 1

    def cell(self, slot: int) -> int:
        """Where a slot's quantity is."""
        return 2 * slot + self.odd

    # Rows.

    def follow(self, i: int, limit_ns: int) -> int:
        """Apply rows from the i-th on until one is later than the limit; returns the first left.

        It also stops, ``stopped`` 1, before a row for the caller (a marked level, one that reaches
        ``touch`` or moves the window, a clear, no sound row), 2 after one that left little room.
        """
        self.stopped = 0
        alarms = self.alarms
        while i < self.rows:
            at = i << 3
            ev = self.words[at]
            if cython.compiled:
                prefetch(cython.address(self.words[at]), 20 * 64)
            if ev & self.flag == 0:
                i += 1
                continue
            if self.words[at + self.stamp] > limit_ns:
                return i
            kind = ev & 0xFF
            if kind == 1 or kind == 4:
                # A product is quicker than the quotient that counts, and the same but near halves.
                x = self.reals[at + 3] * self.ticks_each + 0.5
                quantity = self.reals[at + 4]
                if not 0.0 < x < 1e12 or not -1e300 < quantity < 1e300 or (ev >> 28) & 3 == 0:
                    break
                side = 1 - ((ev >> 29) & 1)
                ticks = int(x)
                x -= ticks
                if x < 0.001 or x > 0.999:
                    ticks = self.ticks_of(self.reals[at + 3])
                key = ticks * (1 - 2 * side)
                slot = key - self.base[side]
                if slot < 0 or slot >= self.width:
                    if self.far_marked[side] or key >= self.best[side]:
                        break
                    quantity = self.set_far(side, key, quantity)
                else:
                    slot = (key & (self.width - 1)) + side * self.width
                    if (self.marks[slot >> 5] >> (slot & 31)) & 1:
                        break
                    if key < self.best[side]:
                        # Whether a level comes, stays or goes is anyone's guess: no branch on it.
                        change = quantity >= self.least
                        quantity *= change
                        change -= self.quantities[self.cell(slot)] != 0.0
                        self.quantities[self.cell(slot)] = quantity
                        self.bits[slot >> 5] ^= (change & 1) << (slot & 31)
                        self.counts[side] += change
                        self.look_for_room(side)
                        if key < self.low[side] and quantity != 0.0:
                            self.low[side] = key
                    elif not quantity >= self.least:
                        quantity = 0.0
                        self.erase(side, key, slot)
                    elif key > self.best[side] and key + self.touch[1 - side] >= 0:
                        break
                    else:
                        self.store(side, key, slot, quantity)
                self.seen = code.WAKE_DEPTH
                if self.mirrored:
                    self.copy_level(side, key, quantity)
                    self.stamp_mirror(at)
                if self.alarms != alarms:
                    self.stopped = 2
                    return i + 1
            elif self.is_for_caller(kind):
                break
            i += 1
        self.stopped = i < self.rows
        return i

    def is_for_caller(self, kind: int) -> bool:
        """Whether follow() leaves such a row, which sets no level, to its caller."""
        if kind == 2:
            return (self.stops_at_trades or self.touch[0] != code.NO_KEY
                    or self.touch[1] != code.NO_KEY)
        return kind == 3 or (self.stops_at_orders and 10 <= kind <= 13)

    def first_from(self, i: int) -> int:
        """The first row from the i-th on that is for this book."""
        while i < self.rows and self.words[i << 3] & self.flag == 0:
            i += 1
        return i

    def next_ns(self, i: int) -> int:
        """The time of the i-th row, which is for this book; NEVER at the end."""
        return self.words[(i << 3) + self.stamp] if i < self.rows else code.NEVER

    def fits(self, price: float) -> bool:
        """Whether a price is a number of ticks at all."""
        return -1e15 < price / self.tick_size < 1e15

    def ticks_of(self, price: float) -> int:
        """A price in ticks, halves away from zero; it must fit."""
        x = price / self.tick_size
        ticks = int(x)
        x -= ticks
        return ticks + (x >= 0.5) - (x <= -0.5)

    def lots_of(self, quantity: float) -> int:
        """A quantity in lots, halves up; 0 for what is none, 2**52 at most: they are added up."""
        quantity /= self.lot_size
        if not quantity > 0.0:
            return 0
        return int(quantity + 0.5) if quantity < 4e15 else 1 << 52

    # Levels.

    def put(self, side: int, key: int, quantity: float) -> float:
        """Set a level wherever it is; returns what it was."""
        slot = key - self.base[side]
        if (slot < 0 or slot >= self.width) and quantity >= self.least and (
                key > self.best[side]):
            self.slide(side, key)
            slot = key - self.base[side]
        if slot < 0 or slot >= self.width:
            before = self.quantity(side, key)
            self.set_far(side, key, quantity)
        else:
            slot = (key & (self.width - 1)) + side * self.width
            before = self.quantities[self.cell(slot)]
            if quantity >= self.least:
                self.store(side, key, slot, quantity)
            else:
                self.erase(side, key, slot)
        if self.mirrored:
            self.copy_level(side, key, quantity)
        return before

    def store(self, side: int, key: int, slot: int, quantity: float) -> None:
        """A level in the window shows this quantity."""
        one = 1
        if self.quantities[self.cell(slot)] == 0.0:
            self.bits[slot >> 5] |= one << (slot & 31)
            self.counts[side] += 1
            self.look_for_room(side)
        self.quantities[self.cell(slot)] = quantity
        if key < self.low[side]:
            self.low[side] = key
        if key > self.best[side]:
            self.best[side] = key
            other = 1 - side
            if key + self.best[other] >= 0:
                self.settle(other, -key)

    def erase(self, side: int, key: int, slot: int) -> None:
        """A level in the window is gone, if it was there."""
        one = 1
        if self.quantities[self.cell(slot)] != 0.0:
            self.bits[slot >> 5] ^= one << (slot & 31)
            self.quantities[self.cell(slot)] = 0.0
            self.counts[side] -= 1
        if key == self.best[side]:
            self.settle(side, key)
            if self.best[side] == code.NO_KEY:
                self.low[side] = code.NEVER

    def settle(self, side: int, start: int) -> None:
        """The best of a side is the next one worse than start."""
        start = self.below(side, start)
        self.best[side] = start
        if start != code.NO_KEY and start < self.base[side]:
            self.slide(side, start)

    def quantity(self, side: int, key: int) -> float:
        """What a level shows, 0.0 if it is not there."""
        offset = key - self.base[side]
        if 0 <= offset < self.width:
            return self.quantities[self.cell((key & (self.width - 1)) + side * self.width)]
        offset = self.far_find(side, key)
        return self.far_quantities[offset] if self.far_keys[offset] == key else 0.0

    def below(self, side: int, start: int) -> int:
        """The best key that is worse than start, NO_KEY without one."""
        one = 1
        key = start - 1
        floor = self.base[side]
        if key >= floor + self.width:
            key = floor + self.width - 1
        if key >= floor:
            block = key >> 5
            last = floor >> 5
            word = self.bits[(block & (self.words_a_side - 1)) + side * self.words_a_side]
            word &= (one << ((key & 31) + 1)) - 1
            while word == 0 and block > last:
                block -= 1
                word = self.bits[(block & (self.words_a_side - 1)) + side * self.words_a_side]
            if word:
                key = block * 32 + bit_length(word) - 1
                return key if key >= self.low[side] else code.NO_KEY
        if self.far_live[side] == 0 or self.low[side] >= floor:
            return code.NO_KEY
        best = code.NO_KEY
        for i in range(side * self.far_size, (side + 1) * self.far_size):
            key = self.far_keys[i]
            if self.far_quantities[i] > 0.0 and best < key < start and key >= self.low[side]:
                best = key
        return best

    def clear(self, side: int, price: float) -> None:
        """The rows' CLEAR: a side from its best to the price, with no sound price all of it.

        A snapshot follows. As in hftbacktest the level next to the cleared ones is not the best.
        """
        if not self.fits(price):
            self.wipe(side)
            return
        last = self.ticks_of(price) * (1 - 2 * side)
        key = self.best[side]
        while key != code.NO_KEY and key >= last:
            self.put(side, key, 0.0)
            key = self.best[side]
        self.settle(side, last - 1)
        if self.best[side] == code.NO_KEY:
            self.low[side] = code.NEVER

    def wipe(self, side: int) -> None:
        """A side without a level."""
        for i in range(side * self.words_a_side, (side + 1) * self.words_a_side):
            if self.bits[i]:
                self.bits[i] = 0
                for key in range(32):
                    self.quantities[self.cell(i * 32 + key)] = 0.0
        for i in range(self.far_size):
            self.far_keys[i + side * self.far_size] = code.NO_KEY
            self.far_quantities[i + side * self.far_size] = 0.0
        self.best[side] = code.NO_KEY
        self.low[side] = code.NEVER
        self.counts[side] = self.far_used[side] = self.far_live[side] = 0
        if self.mirrored:
            while self.mirror.count(side) > 0:
                self.mirror.update(side, self.mirror.level_ticks(side, 0), 0)

    # Marks: levels whose rows the caller wants to see.

    def mark(self, side: int, key: int) -> None:
        """Leave rows at this level to the caller."""
        one = 1
        offset = key - self.base[side]
        if 0 <= offset < self.width:
            slot = (key & (self.width - 1)) + side * self.width
            self.marks[slot >> 5] |= one << (slot & 31)
        else:
            self.far_marked[side] = 1

    def unmark(self, side: int, key: int) -> None:
        """No longer."""
        one = 1
        offset = key - self.base[side]
        if 0 <= offset < self.width:
            slot = (key & (self.width - 1)) + side * self.width
            if (self.marks[slot >> 5] >> (slot & 31)) & 1:
                self.marks[slot >> 5] ^= one << (slot & 31)

    def unmark_all(self, side: int) -> None:
        """No level of a side is marked."""
        self.far_marked[side] = 0
        for i in range(self.words_a_side):
            self.marks[i + side * self.words_a_side] = 0

    # Outside the window.

    def slide(self, side: int, key: int) -> None:
        """Move the window of a side so that the key is in its middle."""
        one = 1
        base = (key - (self.width >> 1)) & -32
        for i in range(self.words_a_side):
            block = (self.base[side] >> 5) + i
            slot = (block & (self.words_a_side - 1)) + side * self.words_a_side
            word = self.bits[slot]
            while word:
                at = bit_length(word & -word) - 1
                word ^= one << at
                at += block * 32
                if at < base or at >= base + self.width:
                    cell = self.cell((at & (self.width - 1)) + side * self.width)
                    quantity = self.quantities[cell]
                    self.quantities[cell] = 0.0
                    self.bits[slot] ^= one << (at & 31)
                    self.counts[side] -= 1
                    self.far_put(side, at, quantity)
        self.base[side] = base
        for i in range(side * self.far_size, (side + 1) * self.far_size):
            quantity = self.far_quantities[i]
            at = self.far_keys[i]
            if quantity > 0.0 and base <= at < base + self.width:
                self.far_quantities[i] = 0.0
                self.far_live[side] -= 1
                slot = (at & (self.width - 1)) + side * self.width
                self.quantities[self.cell(slot)] = quantity
                self.bits[slot >> 5] |= one << (slot & 31)
                self.counts[side] += 1
        self.alarms += 1

    def far_find(self, side: int, key: int) -> int:
        """Where a level outside the window is in its table, or would be."""
        at = key & (self.far_size - 1)
        while (self.far_keys[side * self.far_size + at] != key
               and self.far_keys[side * self.far_size + at] != code.NO_KEY):
            at = (at + 1) & (self.far_size - 1)
        return side * self.far_size + at

    def set_far(self, side: int, key: int, quantity: float) -> float:
        """Set a level outside the window that is not the best; returns what it shows then."""
        if not quantity >= self.least:
            quantity = 0.0
        elif key < self.low[side]:
            self.low[side] = key
        self.far_put(side, key, quantity)
        return quantity

    def far_put(self, side: int, key: int, quantity: float) -> None:
        """Set a level of the table; its place stays when it is gone, until ``grow``."""
        at = self.far_find(side, key)
        if self.far_keys[at] != key:
            if quantity == 0.0:
                return
            self.far_keys[at] = key
            self.far_used[side] += 1
            self.look_for_room(side)
        self.far_live[side] += (quantity > 0.0) - (self.far_quantities[at] > 0.0)
        self.far_quantities[at] = quantity

    def look_for_room(self, side: int) -> None:
        """Raise an alarm if there is too little."""
        if 2 * (self.far_used[side] + self.counts[side]) > self.far_size:
            self.alarms += 1

    def needs_room(self) -> bool:
        """Whether the table could overflow if a window moved now: then grow()."""
        return (2 * (self.far_used[0] + self.counts[0]) > self.far_size
                or 2 * (self.far_used[1] + self.counts[1]) > self.far_size)

    def grow(self) -> None:
        """Room outside the window for the levels of the window and twice those outside."""
        keys, quantities, old = self.far_keys, self.far_quantities, self.far_size
        levels = max(self.far_live[side] + self.counts[side] for side in (0, 1))
        self.far_size = 1 << max(12, (4 * levels).bit_length())
        self.far_keys = array("q", [code.NO_KEY]) * (2 * self.far_size)
        self.far_quantities = array("d", bytes(16 * self.far_size))
        for side in (0, 1):
            self.far_used[side] = self.far_live[side] = 0
            for i in range(side * old, (side + 1) * old):
                if quantities[i] > 0.0:
                    self.far_put(side, keys[i], quantities[i])

    # A live book in step.

    def attach(self, book) -> None:
        """Keep an OrderBook in step from now on; it gets what is there."""
        book.clear()
        self.mirror = book
        self.mirrored = 1
        for side in (0, 1):
            key = self.best[side]
            while key != code.NO_KEY:
                self.copy_level(side, key, self.quantity(side, key))
                key = self.below(side, key)

    def levels(self, side: int, count: int) -> list[tuple[int, float]]:
        """The best levels of a side as (ticks, quantity), best first."""
        found = []
        key = self.best[side]
        while key != code.NO_KEY and len(found) < count:
            found.append((key * (1 - 2 * side), self.quantity(side, key)))
            key = self.below(side, key)
        return found

    def copy_level(self, side: int, key: int, quantity: float) -> None:
        """One change of the attached book; levels of the other side that it contradicts go."""
        lots = self.lots_of(quantity)
        self.mirror.update(side, key * (1 - 2 * side), lots)
        if lots == 0:
            return
        if side == 0:
            while self.mirror.best_ask() <= key:
                self.mirror.update(1, self.mirror.best_ask(), 0)
        else:
            while self.mirror.best_bid() >= -key > 0:
                self.mirror.update(0, self.mirror.best_bid(), 0)

    def stamp_mirror(self, at: int) -> None:
        """The attached book is of the time of the row whose words begin here."""
        self.mirror.recv_ns = self.words[at + 2]
        self.mirror.ts_us = self.words[at + 1] // 1000
