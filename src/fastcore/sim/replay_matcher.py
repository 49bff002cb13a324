"""Matching against a recorded book that is not ours: our orders queue in it and consume nothing.

A resting order waits behind everything that its level showed when it arrived (risk-averse: only
trades at the price, and the level becoming smaller than the estimate, bring it forward). A
marketable order takes what the recorded book shows, level by level, and leaves it there. The same
calls and event rows as Matcher, so that accounts and faces need not know which one they drive.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

from fastcore.sim import ladder as ladders

if cython.compiled:
    from cython.cimports.fastcore.sim import _codes as code
else:
    from fastcore.sim import codes as code


class ReplayMatcher:
    """One recorded instrument. Feed it ``depth``, ``trade`` and ``clear``; place orders between.

    Our orders are rows in order of arrival; there are few of them. Level changes are those of the
    recorded book, kept uncrossed: the newer side wins.
    """

    def __init__(self, orders: int = 2048, levels: int = 16384) -> None:
        if not 1 <= orders <= 1 << 20:
            raise ValueError(f"a ReplayMatcher holds 1 to {1 << 20} orders, not {orders}")
        self.capacity = orders
        self.ladder = ladders.Ladder(levels)
        (self.ids, self.owners, self.sides, self.prices, self.leaves, self.ahead, self.expiry,
         self.display, self.visible) = [array("q", bytes(8 * orders)) for _ in range(9)]
        self.open_orders = 0
        self.last_id = 0
        self.fill_rows = array("q", bytes(8 * code.FILL_WORDS * (levels + orders)))
        self.change_rows = array("q", bytes(8 * code.CHANGE_WORDS * (2 * levels + 8)))
        self.cancel_rows = array("q", bytes(8 * code.CANCEL_WORDS * orders))
        self.clear_events()
        self.expiry_us = 0
        self.last_ticks = 0
        self.mask = 0xFFFFFFFFFFFFFFFF
        self.prime = 0x100000001B3

    # Events of the last call.

    def clear_events(self) -> None:
        """Forget the last call's rows."""
        self.fill_count = self.change_count = self.cancel_count = 0
        self.state = 0
        self.reason = code.REASON_NONE
        self.filled = self.remaining = 0

    def emit_fill(self, maker_id: int, maker_owner: int, taker_id: int, taker_owner: int,
                  taker_side: int, ticks: int, lots: int, left: int) -> None:
        """Write one fill row."""
        at = self.fill_count * code.FILL_WORDS
        self.fill_rows[at] = maker_id
        self.fill_rows[at + 1] = maker_owner
        self.fill_rows[at + 2] = taker_id
        self.fill_rows[at + 3] = taker_owner
        self.fill_rows[at + 4] = taker_side
        self.fill_rows[at + 5] = ticks
        self.fill_rows[at + 6] = lots
        self.fill_rows[at + 7] = left
        self.fill_count += 1

    def emit_change(self, side: int, ticks: int, lots: int) -> None:
        """Write one level change."""
        at = self.change_count * code.CHANGE_WORDS
        self.change_rows[at] = side
        self.change_rows[at + 1] = ticks
        self.change_rows[at + 2] = lots
        self.change_count += 1

    def emit_cancel(self, row: int, reason: int) -> None:
        """Write one order taken out by the engine."""
        at = self.cancel_count * code.CANCEL_WORDS
        self.cancel_rows[at] = self.ids[row]
        self.cancel_rows[at + 1] = self.owners[row]
        self.cancel_rows[at + 2] = reason
        self.cancel_rows[at + 3] = self.leaves[row]
        self.cancel_count += 1

    def fills(self) -> list[tuple[int, ...]]:
        """Fill rows of the last call, oldest first."""
        found = []
        for i in range(self.fill_count):
            at = i * code.FILL_WORDS
            found.append((self.fill_rows[at], self.fill_rows[at + 1], self.fill_rows[at + 2],
                          self.fill_rows[at + 3], self.fill_rows[at + 4], self.fill_rows[at + 5],
                          self.fill_rows[at + 6], self.fill_rows[at + 7]))
        return found

    def changes(self) -> list[tuple[int, int, int]]:
        """Level changes of the last call as (side, ticks, lots); a later row wins."""
        found = []
        for i in range(self.change_count):
            at = i * code.CHANGE_WORDS
            found.append((self.change_rows[at], self.change_rows[at + 1],
                          self.change_rows[at + 2]))
        return found

    def cancels(self) -> list[tuple[int, ...]]:
        """Orders that the engine took out in the last call."""
        found = []
        for i in range(self.cancel_count):
            at = i * code.CANCEL_WORDS
            found.append((self.cancel_rows[at], self.cancel_rows[at + 1],
                          self.cancel_rows[at + 2], self.cancel_rows[at + 3]))
        return found

    # The recorded market.

    def depth(self, side: int, ticks: int, lots: int) -> None:
        """The level now shows this many lots (0: it is gone). May fill our orders it passes."""
        self.clear_events()
        if ticks <= 0 or lots < 0 or side < 0 or side > 1:
            return
        before = self.ladder.best_ticks(side)
        row = self.ladder.find(side, ticks)
        if lots == 0:
            if row >= 0:
                self.ladder.remove(side, row)
                self.emit_change(side, ticks, 0)
        else:
            self.uncross(side, ticks)
            if row < 0:
                row = self.ladder.insert(side, ticks)
            if row >= 0 and self.ladder.lots[row] != lots:
                self.ladder.lots[row] = lots
                self.emit_change(side, ticks, lots)
        self.advance_queues(side, ticks, lots)
        after = self.ladder.best_ticks(side)
        if side == 0 and after > before:
            self.pass_by(1, after)
        elif side == 1 and after > 0 and (before == 0 or after < before):
            self.pass_by(0, after)

    def uncross(self, side: int, ticks: int) -> None:
        """Remove the other side's levels that a new level at this price contradicts."""
        other = 1 - side
        while True:
            row = self.ladder.best(other)
            if row < 0:
                break
            best = self.ladder.ticks[row]
            if (side == 0 and best > ticks) or (side == 1 and best < ticks):
                break
            self.ladder.remove(other, row)
            self.emit_change(other, best, 0)

    def advance_queues(self, side: int, ticks: int, lots: int) -> None:
        """No more can stand before us than the level shows."""
        for i in range(self.open_orders):
            if self.sides[i] == side and self.prices[i] == ticks and self.ahead[i] > lots:
                self.ahead[i] = lots

    def pass_by(self, side: int, ticks: int) -> None:
        """The opposite best came to this price: our orders at or through it are filled whole."""
        i = 0
        while i < self.open_orders:
            reached = self.prices[i] <= ticks if side == 1 else self.prices[i] >= ticks
            if self.sides[i] == side and reached:
                self.fill_ours(i, self.leaves[i])
            else:
                i += 1

    def trade(self, side: int, ticks: int, lots: int) -> None:
        """Somebody traded; ``side`` is the taker's. Brings our orders at the price forward."""
        self.clear_events()
        if ticks <= 0 or lots <= 0 or side < 0 or side > 1:
            return
        self.last_ticks = ticks
        ours = 1 - side
        taken = 0
        i = 0
        while i < self.open_orders:
            if self.sides[i] != ours:
                i += 1
                continue
            price = self.prices[i]
            if (ours == 1 and price < ticks) or (ours == 0 and price > ticks):
                self.fill_ours(i, self.leaves[i])
                continue
            if price == ticks:
                reach = lots - self.ahead[i]
                self.ahead[i] = -reach if reach < 0 else 0
                reach = min(reach, lots - taken, self.visible[i])
                if reach > 0:
                    taken += reach
                    if reach == self.leaves[i]:
                        self.fill_ours(i, reach)
                        continue
                    self.fill_ours(i, reach)
            i += 1

    def fill_ours(self, row: int, lots: int) -> None:
        """A resting order of ours trades at its own price; a full one leaves the rows."""
        self.leaves[row] -= lots
        self.visible[row] -= lots
        self.emit_fill(self.ids[row], self.owners[row], 0, 0, 1 - self.sides[row],
                       self.prices[row], lots, self.leaves[row])
        if self.leaves[row] == 0:
            self.drop(row)
        elif self.visible[row] <= 0:
            self.show(row)

    def clear(self, side: int, ticks: int = 0) -> None:
        """The recorded book of a side is void, from its best level to ``ticks`` (0: all of it).

        A snapshot follows in the recording. Our orders stay.
        """
        self.clear_events()
        if side < 0 or side > 1:
            return
        while True:
            row = self.ladder.best(side)
            if row < 0:
                break
            best = self.ladder.ticks[row]
            if ticks > 0 and ((side == 0 and best < ticks) or (side == 1 and best > ticks)):
                break
            self.emit_change(side, best, 0)
            self.ladder.remove(side, row)

    # Our orders.

    def row_of(self, order_id: int) -> int:
        """Row of a live order, or -1."""
        for i in range(self.open_orders):
            if self.ids[i] == order_id:
                return i
        return -1

    def drop(self, row: int) -> None:
        """Take a row out, keeping the order of arrival."""
        self.open_orders -= 1
        i = row
        while i < self.open_orders:
            self.ids[i] = self.ids[i + 1]
            self.owners[i] = self.owners[i + 1]
            self.sides[i] = self.sides[i + 1]
            self.prices[i] = self.prices[i + 1]
            self.leaves[i] = self.leaves[i + 1]
            self.ahead[i] = self.ahead[i + 1]
            self.expiry[i] = self.expiry[i + 1]
            self.display[i] = self.display[i + 1]
            self.visible[i] = self.visible[i + 1]
            i += 1

    def show(self, row: int) -> None:
        """Queue what an order shows next at the back of its level."""
        self.visible[row] = self.leaves[row]
        if self.display[row] > 0 and self.display[row] < self.leaves[row]:
            self.visible[row] = self.display[row]
        self.ahead[row] = self.ladder.lots_at(self.sides[row], self.prices[row])

    def crosses(self, side: int, ticks: int) -> int:
        """1 if an order at this price would trade at once (0 ticks: at any price)."""
        row = self.ladder.best(1 - side)
        if row < 0:
            return 0
        if ticks == 0:
            return 1
        if side == 0:
            return 1 if self.ladder.ticks[row] <= ticks else 0
        return 1 if self.ladder.ticks[row] >= ticks else 0

    def fillable(self, owner: int, side: int, ticks: int, lots: int, stp: int) -> int:
        """Lots, up to ``lots``, that the recorded book shows within the price."""
        found = 0
        rank = 0
        while found < lots:
            row = self.ladder.row(1 - side, rank)
            if row < 0:
                break
            price = self.ladder.ticks[row]
            if ticks > 0 and ((side == 0 and price > ticks) or (side == 1 and price < ticks)):
                break
            found += self.ladder.lots[row]
            rank += 1
        return found if found < lots else lots

    def meets_own(self, owner: int, side: int, ticks: int, stp: int) -> int:
        """1 if self-trade prevention stops the arriving order; takes older ones out if asked."""
        stopped = 0
        i = 0
        while i < self.open_orders:
            price = self.prices[i]
            meets = (self.owners[i] == owner and self.sides[i] != side
                     and (ticks == 0 or (price <= ticks if side == 0 else price >= ticks)))
            if meets and stp != code.CANCEL_OLDEST:
                stopped = 1
            if meets and stp != code.CANCEL_NEWEST:
                self.emit_cancel(i, code.REASON_SELF_TRADE)
                self.drop(i)
            else:
                i += 1
        return stopped

    def take(self, order_id: int, owner: int, side: int, ticks: int, lots: int) -> int:
        """Trade against the recorded book, which stays as it is; returns the lots left."""
        left = lots
        rank = 0
        while left > 0:
            row = self.ladder.row(1 - side, rank)
            if row < 0:
                break
            price = self.ladder.ticks[row]
            if ticks > 0 and ((side == 0 and price > ticks) or (side == 1 and price < ticks)):
                break
            quantity = left if left < self.ladder.lots[row] else self.ladder.lots[row]
            left -= quantity
            self.emit_fill(0, 0, order_id, owner, side, price, quantity, 0)
            rank += 1
        return left

    def queue(self, order_id: int, owner: int, side: int, ticks: int, lots: int,
              expire_us: int, display: int) -> None:
        """Rest an order behind everything that its level shows."""
        i = self.open_orders
        self.ids[i] = order_id
        self.owners[i] = owner
        self.sides[i] = side
        self.prices[i] = ticks
        self.leaves[i] = lots
        self.expiry[i] = expire_us
        self.display[i] = display
        self.show(i)
        self.open_orders += 1
        if expire_us > 0 and (self.expiry_us == 0 or expire_us < self.expiry_us):
            self.expiry_us = expire_us

    def arrive(self, order_id: int, owner: int, side: int, ticks: int, lots: int, keep: int,
               stp: int, expire_us: int, display: int) -> None:
        """Take, then rest or cancel what is left."""
        stopped = self.meets_own(owner, side, ticks, stp) if owner > 0 else 0
        left = lots
        if stopped == 0:
            left = self.take(order_id, owner, side, ticks, lots)
        self.filled = lots - left
        self.remaining = left
        self.state = code.CANCELED
        if left == 0:
            self.state = code.FILLED
        elif stopped == 1:
            self.reason = code.REASON_SELF_TRADE
        elif keep == 0:
            self.reason = code.REASON_IOC
        else:
            self.queue(order_id, owner, side, ticks, left, expire_us, display)
            self.state = code.RESTING

    def place(self, owner: int, side: int, ticks: int, lots: int, tif: int = 0,
              post_only: int = 0, stp: int = 0, expire_us: int = 0, display: int = 0) -> int:
        """A new order; ``ticks`` 0 is a market order. Returns its id, or a negative refusal."""
        self.clear_events()
        if lots <= 0 or ticks < 0 or side < 0 or side > 1 or tif < 0 or tif > code.GTD:
            return code.INVALID
        if stp < 0 or stp > code.CANCEL_BOTH or (ticks == 0 and post_only) or (
                display < 0 or 0 < display <= (lots - 1) // code.SLICES_MAX):
            return code.INVALID
        if self.open_orders >= self.capacity:
            return code.FULL
        if post_only and self.crosses(side, ticks):
            return code.WOULD_TAKE
        self.last_id += 1
        if tif == code.FOK and self.fillable(owner, side, ticks, lots, stp) < lots:
            self.state = code.CANCELED
            self.reason = code.REASON_FOK
            self.remaining = lots
            return self.last_id
        keep = 0 if ticks == 0 or tif == code.IOC or tif == code.FOK else 1
        self.arrive(self.last_id, owner, side, ticks, lots, keep, stp,
                    expire_us if tif == code.GTD else 0, display)
        return self.last_id

    def amend(self, order_id: int, ticks: int, lots: int, post_only: int = 0,
              stp: int = 0, display: int = 0) -> int:
        """Change price and open lots of a resting order. Returns 0 or a negative refusal.

        Fewer lots at the same price keep the place in the queue; anything else loses it.
        """
        self.clear_events()
        row = self.row_of(order_id)
        if row < 0:
            return code.UNKNOWN
        shown = display if display > 0 else self.display[row]
        if lots <= 0 or ticks <= 0 or display < 0 or (
                0 < shown <= (lots - 1) // code.SLICES_MAX):
            return code.INVALID
        if ticks == self.prices[row] and lots <= self.leaves[row]:
            self.display[row] = shown
            self.visible[row] = min(self.visible[row], lots, shown if shown > 0 else lots)
            self.leaves[row] = lots
            self.state = code.RESTING
            self.remaining = lots
            return 0
        side = self.sides[row]
        if post_only and self.crosses(side, ticks):
            return code.WOULD_TAKE
        owner = self.owners[row]
        expire_us = self.expiry[row]
        self.drop(row)
        self.arrive(order_id, owner, side, ticks, lots, 1, stp, expire_us, shown)
        return 0

    def cancel(self, order_id: int) -> int:
        """Take a resting order out. Returns 0, or UNKNOWN; ``remaining`` says how many lots."""
        self.clear_events()
        row = self.row_of(order_id)
        if row < 0:
            return code.UNKNOWN
        self.state = code.CANCELED
        self.reason = code.REASON_USER
        self.remaining = self.leaves[row]
        self.drop(row)
        return 0

    def expire(self, now_us: int) -> int:
        """Take out GTD orders that are due. Returns how many; ``cancels`` names them."""
        self.clear_events()
        if self.expiry_us == 0 or now_us < self.expiry_us:
            return 0
        self.expiry_us = 0
        i = 0
        while i < self.open_orders:
            due = self.expiry[i]
            if due > 0 and due <= now_us:
                self.emit_cancel(i, code.REASON_EXPIRED)
                self.drop(i)
                continue
            if due > 0 and (self.expiry_us == 0 or due < self.expiry_us):
                self.expiry_us = due
            i += 1
        return self.cancel_count

    # Reading.

    def best(self, side: int) -> int:
        """Best recorded price of a side in ticks, 0 if there is none."""
        return self.ladder.best_ticks(side)

    def count(self, side: int) -> int:
        """Number of recorded levels of a side."""
        return self.ladder.count(side)

    def lots_at(self, side: int, ticks: int) -> int:
        """Recorded lots at a price."""
        return self.ladder.lots_at(side, ticks)

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best recorded levels, best first, as (ticks, lots)."""
        return self.ladder.levels(side, count)

    def leaves_of(self, order_id: int) -> int:
        """Open lots of an order, 0 if it is done or unknown."""
        row = self.row_of(order_id)
        return self.leaves[row] if row >= 0 else 0

    def ahead_of(self, order_id: int) -> int:
        """Estimated lots before an order in its queue, -1 if it is done or unknown."""
        row = self.row_of(order_id)
        return self.ahead[row] if row >= 0 else -1

    def orders_at(self, side: int, ticks: int) -> list[tuple[int, int]]:
        """A recorded level as one order, whose id is below 0: recordings know no single orders."""
        lots = self.ladder.lots_at(side, ticks)
        return [(-((ticks << 1) | side), lots)] if lots > 0 else []

    def mix(self, seed: int, value: int) -> int:
        """One step of the state hash (FNV-1a on words)."""
        return ((seed ^ (value & self.mask)) * self.prime) & self.mask

    def state_hash(self) -> int:
        """Hash of the recorded levels and of our orders with their places."""
        seed = self.mix(self.prime, self.open_orders)
        for side in range(2):
            rank = 0
            while rank < self.ladder.count(side):
                row = self.ladder.row(side, rank)
                seed = self.mix(seed, self.ladder.ticks[row])
                seed = self.mix(seed, self.ladder.lots[row])
                rank += 1
        for i in range(self.open_orders):
            seed = self.mix(seed, self.ids[i])
            seed = self.mix(seed, self.leaves[i])
            seed = self.mix(seed, self.visible[i])
            seed = self.mix(seed, self.ahead[i])
        return seed
