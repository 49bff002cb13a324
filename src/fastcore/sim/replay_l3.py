"""A market's book of single orders, each in its place, with ours standing among them.

Recorded orders (market by order) come and go by their ids; ours are known by their slots. Nothing
is estimated: an order of ours trades when a recorded one behind it does, or when the market went
through its price. Lots are whole; prices are ticks; side 0 is the bid.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

from fastcore.sim import ladder as ladders

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code

WORD = 0xFFFFFFFFFFFFFFFF
GAMMA = 0x9E3779B97F4A7C15


def widened(column, capacity: int, blank: int):
    """A copy of a column with more rows, blank at its end."""
    wide = array("q", [blank]) * capacity
    for row in range(len(column)):
        wide[row] = column[row]
    return wide


def side_of(ev: int) -> int:
    """The side that a row is about: 0, 1, or 2 where it names none or both."""
    side = (ev >> 28) & 3
    return 2 if side == 0 or side == 3 else 2 - side


class L3Book:
    """Both sides of one instrument, every order in its queue.

    ``hits`` lists the slots of ours that the last call took out of the book: they traded at their
    own price, or, after ``clear``, expired. A crossed recording is believed: the newer side is the
    touch, the older levels wait behind it.
    """

    def __init__(self, orders: int = 4096, ours: int = 1024) -> None:
        if orders < 1 or ours < 0:
            raise ValueError(f"a book needs room for orders, not for {orders} and {ours} of ours")
        self.word = WORD
        self.gamma = GAMMA
        self.ours = ours
        self.row_side = -1
        self.row_ticks = self.left_ticks = 0
        self.hits = array("q", bytes(8 * max(1, ours)))
        self.best_ticks = array("q", [code.NO_BID, code.NO_ASK])
        self.resting = 0
        self.hit_count = 0
        self.orders = 0
        self.free = -1
        self.used = ours
        self.capacity = ours + orders
        self.ladder = ladders.Ladder(self.capacity)
        self.ids = array("q", bytes(8 * self.capacity))
        self.sides = array("q", [-1]) * self.capacity
        self.prices = array("q", bytes(8 * self.capacity))
        self.lots = array("q", bytes(8 * self.capacity))
        self.after = array("q", bytes(8 * self.capacity))
        self.before = array("q", bytes(8 * self.capacity))
        self.index(orders)

    # Room.

    def index(self, orders: int) -> None:
        """A hash of the recorded orders by id, half empty at the most."""
        size = 1 << max(4, (2 * orders - 1).bit_length())
        self.mask = size - 1
        self.rows = array("q", [-1]) * size
        for row in range(self.ours, self.used):
            if self.sides[row] >= 0:
                self.rows[self.place_of(self.ids[row])] = row

    def room(self) -> int:
        """How many more recorded orders fit."""
        return self.capacity - self.ours - self.orders

    def grow(self) -> None:
        """Room for twice as many recorded orders; every order stays where it is."""
        orders = 2 * (self.capacity - self.ours)
        capacity = self.ours + orders
        self.ids = widened(self.ids, capacity, 0)
        self.sides = widened(self.sides, capacity, -1)
        self.prices = widened(self.prices, capacity, 0)
        self.lots = widened(self.lots, capacity, 0)
        self.after = widened(self.after, capacity, 0)
        self.before = widened(self.before, capacity, 0)
        narrow = self.ladder
        self.ladder = ladders.Ladder(capacity)
        for side in range(2):
            for rank in range(narrow.count(side)):
                old = narrow.row(side, rank)
                row = self.ladder.insert(side, narrow.ticks[old])
                self.ladder.lots[row] = narrow.lots[old]
                self.ladder.first[row] = narrow.first[old]
                self.ladder.last[row] = narrow.last[old]
        self.capacity = capacity
        self.index(orders)

    # The hash of ids: open addressing, the next place if one is taken.

    def home(self, order_id: int) -> int:
        """The first place to look for an id."""
        mixed = ((order_id & self.word) * self.gamma) & self.word
        return (mixed >> 20) & self.mask

    def place_of(self, order_id: int) -> int:
        """The place of an id, or the empty one where it would go."""
        place = self.home(order_id)
        while self.rows[place] >= 0 and self.ids[self.rows[place]] != order_id:
            place = (place + 1) & self.mask
        return place

    def forget(self, order_id: int) -> None:
        """Empty an id's place and move up whoever stood aside for it."""
        hole = self.place_of(order_id)
        self.rows[hole] = -1
        place = (hole + 1) & self.mask
        while self.rows[place] >= 0:
            home = self.home(self.ids[self.rows[place]])
            if ((place - home) & self.mask) >= ((place - hole) & self.mask):
                self.rows[hole] = self.rows[place]
                self.rows[place] = -1
                hole = place
            place = (place + 1) & self.mask

    # Queues.

    def append(self, row: int, side: int, ticks: int, lots: int) -> None:
        """Stand an order at the end of its price's queue; ours count for no level's lots."""
        level = self.ladder.insert(side, ticks)
        self.sides[row] = side
        self.prices[row] = ticks
        self.lots[row] = lots
        self.after[row] = -1
        last = self.ladder.last[level]
        self.before[row] = last
        if last >= 0:
            self.after[last] = row
        else:
            self.ladder.first[level] = row
        self.ladder.last[level] = row
        if row >= self.ours:
            self.ladder.lots[level] += lots
            self.came(side, ticks)

    def unlink(self, row: int) -> None:
        """Take an order out of its queue, and its level with it if it was the last."""
        side = self.sides[row]
        ticks = self.prices[row]
        level = self.ladder.find(side, ticks)
        before = self.before[row]
        after = self.after[row]
        if before >= 0:
            self.after[before] = after
        else:
            self.ladder.first[level] = after
        if after >= 0:
            self.before[after] = before
        else:
            self.ladder.last[level] = before
        self.sides[row] = -1
        if row < self.ours:
            self.resting -= 1
        else:
            self.ladder.lots[level] -= self.lots[row]
        emptied = self.ladder.lots[level] == 0
        if self.ladder.first[level] < 0:
            self.ladder.remove(side, level)
        if emptied and row >= self.ours and ticks == self.best_ticks[side]:
            self.best_ticks[side] = self.behind(side, ticks)

    def came(self, side: int, ticks: int) -> None:
        """A price has lots now: it may be the best, and may push the other side's best back."""
        other = 1 - side
        if side == 0 and ticks > self.best_ticks[0]:
            self.best_ticks[0] = ticks
            if ticks >= self.best_ticks[1]:
                self.best_ticks[1] = self.behind(other, ticks)
        elif side == 1 and ticks < self.best_ticks[1]:
            self.best_ticks[1] = ticks
            if ticks <= self.best_ticks[0]:
                self.best_ticks[0] = self.behind(other, ticks)

    def behind(self, side: int, ticks: int) -> int:
        """The best price with lots that is strictly worse than this one."""
        level = self.ladder.search(side, ticks) - 1
        start = side * self.ladder.capacity
        while level >= start:
            if self.ladder.lots[level] > 0:
                return self.ladder.ticks[level]
            level -= 1
        return code.NO_BID if side == 0 else code.NO_ASK

    def hit(self, slot: int) -> None:
        """An order of ours leaves the book."""
        self.hits[self.hit_count] = slot
        self.hit_count += 1
        self.unlink(slot)

    def hit_before(self, side: int, ticks: int, stop: int) -> None:
        """Take out ours in one queue, as far as the order ``stop`` (-1: all of them)."""
        level = self.ladder.find(side, ticks)
        row = self.ladder.first[level] if level >= 0 else -1
        while row >= 0 and row != stop:
            after = self.after[row]
            if row < self.ours:
                self.hit(row)
            row = after

    def sweep(self, side: int, ticks: int, best: int) -> None:
        """Take out ours at every price of a side from ``best`` to just before ``ticks``."""
        rank = 0
        while self.resting > 0:
            level = self.ladder.row(side, rank)
            if level < 0:
                return
            price = self.ladder.ticks[level]
            if (side == 0 and price <= ticks) or (side == 1 and price >= ticks):
                return
            count = self.ladder.count(side)
            if (side == 0 and price <= best) or (side == 1 and price >= best):
                self.hit_before(side, price, -1)
            if self.ladder.count(side) == count:
                rank += 1

    # The recording.

    def follow(self, depth, at: int) -> int:
        """Take in the event row of a Depth whose words begin here; other kinds change nothing.

        ``row_side`` and ``row_ticks`` are then the level it was about (-1: none), ``left_ticks``
        the one that an order left. Returns what the call below for its kind does.
        """
        self.hit_count = 0
        self.row_side = -1
        ev = depth.words[at]
        kind = ev & 0xFF
        if kind < code.ADD_ROW or kind > code.FILL_ROW:
            return 0
        order_id = depth.words[at + code.EVENT_ORDER]
        row = self.rows[self.place_of(order_id)]
        if row >= 0:
            self.row_side = self.sides[row]
            self.row_ticks = self.left_ticks = self.prices[row]
        if kind == code.CANCEL_ROW:
            return self.remove(order_id)
        if kind == code.FILL_ROW and (ev >> 28) & 3 == 0:
            return 0
        price = depth.reals[at + code.PRICE]
        if not depth.fits(price):
            return code.INVALID
        ticks = depth.ticks_of(price)
        if kind == code.FILL_ROW:
            self.row_side = -1
            return self.fill(order_id, ticks)
        lots = depth.lots_of(depth.reals[at + code.QUANTITY])
        if kind == code.MODIFY_ROW:
            self.row_ticks = ticks
            return self.change(order_id, ticks, lots)
        if (ev >> 28) & 3 == 0:
            return code.INVALID
        self.row_side = 1 - ((ev >> 29) & 1)
        self.row_ticks = self.left_ticks = ticks
        return self.add(order_id, self.row_side, ticks, lots)

    def add(self, order_id: int, side: int, ticks: int, lots: int) -> int:
        """A recorded order joins its queue. Returns 0, ID_EXISTS, INVALID or FULL."""
        self.hit_count = 0
        if side < 0 or side > 1 or lots <= 0:
            return code.INVALID
        place = self.place_of(order_id)
        if self.rows[place] >= 0:
            return code.ID_EXISTS
        if self.room() < 1:
            return code.FULL
        row = self.free
        if row >= 0:
            self.free = self.after[row]
        else:
            row = self.used
            self.used += 1
        self.ids[row] = order_id
        self.rows[place] = row
        self.orders += 1
        best = self.best_ticks[side]
        self.append(row, side, ticks, lots)
        self.lifted(side, best)
        return 0

    def lifted(self, side: int, best: int) -> None:
        """Where a side's best got better than it was, ours of the other side that it met trade."""
        now = self.best_ticks[side]
        if side == 0 and now > best:
            self.sweep(1, now + 1, code.NO_BID)
        elif side == 1 and now < best:
            self.sweep(0, now - 1, code.NO_ASK)

    def change(self, order_id: int, ticks: int, lots: int) -> int:
        """A recorded order's new price and lots: more lots or another price lose its place.

        Returns 0, ORDER_UNKNOWN or INVALID.
        """
        self.hit_count = 0
        row = self.rows[self.place_of(order_id)]
        if row < 0:
            return code.ORDER_UNKNOWN
        if lots <= 0:
            return code.INVALID
        side = self.sides[row]
        best = self.best_ticks[side]
        if ticks == self.prices[row]:
            if lots <= self.lots[row]:
                level = self.ladder.find(side, ticks)
                self.ladder.lots[level] += lots - self.lots[row]
                self.lots[row] = lots
                return 0
            # Its price keeps its lots while it goes to the end, or the best would move.
            self.requeue(row, lots)
            return 0
        self.unlink(row)
        self.append(row, side, ticks, lots)
        self.lifted(side, best)
        return 0

    def requeue(self, row: int, lots: int) -> None:
        """To the end of the same queue, with other lots."""
        side = self.sides[row]
        level = self.ladder.find(side, self.prices[row])
        if row >= self.ours:
            self.ladder.lots[level] += lots - self.lots[row]
        self.lots[row] = lots
        last = self.ladder.last[level]
        if last == row:
            return
        before = self.before[row]
        after = self.after[row]
        if before >= 0:
            self.after[before] = after
        else:
            self.ladder.first[level] = after
        self.before[after] = before
        self.after[last] = row
        self.before[row] = last
        self.after[row] = -1
        self.ladder.last[level] = row

    def remove(self, order_id: int) -> int:
        """A recorded order is gone. Returns 0 or ORDER_UNKNOWN."""
        self.hit_count = 0
        row = self.rows[self.place_of(order_id)]
        if row < 0:
            return code.ORDER_UNKNOWN
        self.forget(order_id)
        self.unlink(row)
        self.after[row] = self.free
        self.free = row
        self.orders -= 1
        return 0

    def fill(self, order_id: int, ticks: int) -> int:
        """A recorded resting order traded at a price: so did ours that stood before it.

        That is ours at better prices, up to the recorded best, and ours before it in its queue. As
        in hftbacktest ours better than the recorded best wait: what would have met them is not in
        the recording. The order stays until its change or removal is recorded. Returns 0 or
        ORDER_UNKNOWN.
        """
        self.hit_count = 0
        row = self.rows[self.place_of(order_id)]
        if row < 0:
            return code.ORDER_UNKNOWN
        if self.resting > 0:
            self.sweep(self.sides[row], ticks, self.best_ticks[self.sides[row]])
            self.hit_before(self.sides[row], self.prices[row], row)
        return 0

    def clear(self, side: int) -> None:
        """A side's recorded orders are void (2: both), and ours of it expire with them."""
        self.hit_count = 0
        for one in range(2):
            if side != one and side != 2:
                continue
            while self.ladder.count(one) > 0:
                row = self.ladder.first[self.ladder.best(one)]
                if row < self.ours:
                    self.hit(row)
                    continue
                self.forget(self.ids[row])
                self.unlink(row)
                self.after[row] = self.free
                self.free = row
                self.orders -= 1
            self.best_ticks[one] = code.NO_BID if one == 0 else code.NO_ASK

    # Ours.

    def rest(self, slot: int, side: int, ticks: int, lots: int) -> int:
        """An order of ours joins its queue; the caller saw that it does not cross.

        Returns 0, or INVALID for a slot that is taken or not there.
        """
        if slot < 0 or slot >= self.ours or self.sides[slot] >= 0 or side < 0 or side > 1 \
                or lots <= 0:
            return code.INVALID
        self.append(slot, side, ticks, lots)
        self.resting += 1
        return 0

    def withdraw(self, slot: int) -> int:
        """Take an order of ours out. Returns 0 or ORDER_UNKNOWN."""
        if slot < 0 or slot >= self.ours or self.sides[slot] < 0:
            return code.ORDER_UNKNOWN
        self.unlink(slot)
        return 0

    def amend(self, slot: int, lots: int) -> int:
        """Change an order of ours at its price: fewer lots keep its place, more lose it.

        Returns 0, ORDER_UNKNOWN or INVALID.
        """
        if slot < 0 or slot >= self.ours or self.sides[slot] < 0:
            return code.ORDER_UNKNOWN
        if lots <= 0:
            return code.INVALID
        if lots > self.lots[slot]:
            self.requeue(slot, lots)
        else:
            self.lots[slot] = lots
        return 0

    def ahead(self, slot: int) -> int:
        """Recorded lots before an order of ours in its queue; -1 if it does not rest."""
        if slot < 0 or slot >= self.ours or self.sides[slot] < 0:
            return -1
        total = 0
        row = self.before[slot]
        while row >= 0:
            if row >= self.ours:
                total += self.lots[row]
            row = self.before[row]
        return total

    # Reading.

    def best(self, side: int) -> int:
        """The best recorded price; NO_BID or NO_ASK if there is none."""
        return self.best_ticks[side]

    def lots_at(self, side: int, ticks: int) -> int:
        """Recorded lots at a price."""
        return self.ladder.lots_at(side, ticks)

    def queue_at(self, side: int, ticks: int) -> list[tuple[int, int]]:
        """A price's queue from its head: (order id, lots); ours as (-1 - slot, lots)."""
        found = []
        level = self.ladder.find(side, ticks)
        row = self.ladder.first[level] if level >= 0 else -1
        while row >= 0:
            found.append((self.ids[row] if row >= self.ours else -1 - row, self.lots[row]))
            row = self.after[row]
        return found

    def hit_slots(self) -> list[int]:
        """Ours that the last call took out, in the order in which they traded."""
        return [self.hits[i] for i in range(self.hit_count)]
