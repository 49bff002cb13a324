"""Price-time priority matching on integers, where every order is real.

One call is one engine event. What it did is left in preallocated rows until the next call: fills,
level changes and orders canceled by the engine (layout in codes.py), and in ``state``, ``reason``,
``filled`` and ``remaining`` for the order that the call was about.
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


class Matcher:
    """One instrument's order book of real orders.

    Owner 0 is the crowd: it is many people, so it may trade with itself. Every other owner is
    protected from self-trades. Order ids are never reused. An order may show a part of its lots
    only (``display``); levels count what is shown.
    """

    def __init__(self, orders: int = 8192, levels: int = 4096) -> None:
        if not 1 <= orders <= 1 << 20:
            raise ValueError(f"a Matcher holds 1 to {1 << 20} orders, not {orders}")
        self.capacity = orders
        self.ladder = ladders.Ladder(levels)
        self.generation = array("q", bytes(8 * orders))
        (self.owners, self.sides, self.prices, self.leaves, self.expiry, self.display,
         self.visible, self.before) = [array("q", bytes(8 * orders)) for _ in range(8)]
        self.after = array("q", range(1, orders + 1))
        self.after[orders - 1] = -1
        self.free = self.open_orders = 0
        self.fill_capacity = 2 * orders + 8
        self.fill_rows = array("q", bytes(8 * code.FILL_WORDS * self.fill_capacity))
        self.change_rows = array("q", bytes(8 * code.CHANGE_WORDS * (orders + 8)))
        self.cancel_rows = array("q", bytes(8 * code.CANCEL_WORDS * (orders + 8)))
        self.clear_events()
        self.expiry_us = 0
        self.last_ticks = 0
        self.mask = 0xFFFFFFFFFFFFFFFF
        self.prime = 0x100000001B3
        self.stopped = 0

    # Events of the last call.

    def clear_events(self) -> None:
        """Forget the last call's rows."""
        self.fill_count = 0
        self.change_count = 0
        self.cancel_count = 0
        self.state = 0
        self.reason = code.REASON_NONE
        self.filled = 0
        self.remaining = 0

    def emit_fill(self, maker: int, taker_id: int, taker_owner: int, ticks: int,
                  lots: int) -> None:
        """Write one fill row."""
        at = self.fill_count * code.FILL_WORDS
        self.fill_rows[at] = self.order_id(maker)
        self.fill_rows[at + 1] = self.owners[maker]
        self.fill_rows[at + 2] = taker_id
        self.fill_rows[at + 3] = taker_owner
        self.fill_rows[at + 4] = 1 - self.sides[maker]
        self.fill_rows[at + 5] = ticks
        self.fill_rows[at + 6] = lots
        self.fill_rows[at + 7] = self.leaves[maker]
        self.fill_count += 1
        self.last_ticks = ticks

    def emit_change(self, side: int, ticks: int, lots: int) -> None:
        """Write one level change."""
        at = self.change_count * code.CHANGE_WORDS
        self.change_rows[at] = side
        self.change_rows[at + 1] = ticks
        self.change_rows[at + 2] = lots
        self.change_count += 1

    def emit_cancel(self, slot: int, reason: int) -> None:
        """Write one order taken out by the engine."""
        at = self.cancel_count * code.CANCEL_WORDS
        self.cancel_rows[at] = self.order_id(slot)
        self.cancel_rows[at + 1] = self.owners[slot]
        self.cancel_rows[at + 2] = reason
        self.cancel_rows[at + 3] = self.leaves[slot]
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

    # Slots and queues.

    def order_id(self, slot: int) -> int:
        """Id of the order in a slot: its generation above 20 bits of slot."""
        return (self.generation[slot] << 20) | slot

    def slot_of(self, order_id: int) -> int:
        """Slot of a live order, or -1."""
        slot = order_id & 0xFFFFF
        if order_id <= 0 or slot >= self.capacity:
            return -1
        if self.generation[slot] != order_id >> 20 or self.leaves[slot] <= 0:
            return -1
        return slot

    def allocate(self, owner: int, side: int, ticks: int, lots: int, expire_us: int,
                 display: int) -> int:
        """A slot from the free list; the caller has checked that there is one."""
        slot = self.free
        self.free = self.after[slot]
        self.generation[slot] += 1
        self.owners[slot] = owner
        self.sides[slot] = side
        self.prices[slot] = ticks
        self.leaves[slot] = lots
        self.expiry[slot] = expire_us
        self.display[slot] = display
        self.visible[slot] = 0
        self.after[slot] = -1
        self.before[slot] = -1
        self.open_orders += 1
        return slot

    def release(self, slot: int) -> None:
        """Give a slot back."""
        self.leaves[slot] = 0
        self.expiry[slot] = 0
        self.after[slot] = self.free
        self.free = slot
        self.open_orders -= 1

    def rest(self, slot: int) -> int:
        """Put an order at the back of its level. Returns 0, or FULL."""
        side = self.sides[slot]
        row = self.ladder.insert(side, self.prices[slot])
        if row < 0:
            return code.FULL
        self.append(slot, row)
        self.emit_change(side, self.prices[slot], self.ladder.lots[row])
        due = self.expiry[slot]
        if due > 0 and (self.expiry_us == 0 or due < self.expiry_us):
            self.expiry_us = due
        return 0

    def append(self, slot: int, row: int) -> None:
        """Put an order at the back of a level's queue and show what it wants to show."""
        shown = self.leaves[slot]
        if self.display[slot] > 0 and self.display[slot] < shown:
            shown = self.display[slot]
        self.visible[slot] = shown
        tail = self.ladder.last[row]
        self.before[slot] = tail
        self.after[slot] = -1
        if tail < 0:
            self.ladder.first[row] = slot
        else:
            self.after[tail] = slot
        self.ladder.last[row] = slot
        self.ladder.lots[row] += shown

    def unlink(self, slot: int, row: int) -> None:
        """Take an order out of its level's queue; the level's lots are the caller's business."""
        head = self.before[slot]
        tail = self.after[slot]
        if head < 0:
            self.ladder.first[row] = tail
        else:
            self.after[head] = tail
        if tail < 0:
            self.ladder.last[row] = head
        else:
            self.before[tail] = head

    def withdraw(self, slot: int) -> None:
        """Take a resting order off the book with all its lots."""
        side = self.sides[slot]
        row = self.ladder.find(side, self.prices[slot])
        self.unlink(slot, row)
        self.ladder.lots[row] -= self.visible[slot]
        self.emit_change(side, self.prices[slot], self.ladder.lots[row])
        if self.ladder.first[row] < 0:
            self.ladder.remove(side, row)

    # Matching.

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
        """Lots, up to ``lots``, that an order could take now without a self-trade."""
        other = 1 - side
        found = 0
        rank = 0
        while found < lots:
            row = self.ladder.row(other, rank)
            if row < 0:
                break
            price = self.ladder.ticks[row]
            if ticks > 0 and ((side == 0 and price > ticks) or (side == 1 and price < ticks)):
                break
            slot = self.ladder.first[row]
            while slot >= 0 and found < lots:
                if owner > 0 and self.owners[slot] == owner:
                    if stp != code.CANCEL_OLDEST:
                        return found
                else:
                    found += self.leaves[slot]
                slot = self.after[slot]
            rank += 1
        return found if found < lots else lots

    def take(self, taker_id: int, owner: int, side: int, ticks: int, lots: int,
             stp: int) -> int:
        """Trade against the other side; returns the lots left. Sets ``stopped`` on a self-trade."""
        other = 1 - side
        left = lots
        self.stopped = 0
        while left > 0 and self.stopped == 0:
            row = self.ladder.best(other)
            if row < 0:
                break
            price = self.ladder.ticks[row]
            if ticks > 0 and ((side == 0 and price > ticks) or (side == 1 and price < ticks)):
                break
            left = self.take_level(row, taker_id, owner, left, stp)
        return left

    def take_level(self, row: int, taker_id: int, owner: int, lots: int, stp: int) -> int:
        """Trade down one level's queue; returns the lots left."""
        left = lots
        ticks = self.ladder.ticks[row]
        total = self.ladder.lots[row]
        side = 0
        slot = self.ladder.first[row]
        while left > 0 and slot >= 0:
            side = self.sides[slot]
            if owner > 0 and self.owners[slot] == owner:
                if stp != code.CANCEL_NEWEST:
                    self.emit_cancel(slot, code.REASON_SELF_TRADE)
                    self.ladder.lots[row] -= self.visible[slot]
                    self.unlink(slot, row)
                    self.release(slot)
                if stp != code.CANCEL_OLDEST:
                    self.stopped = 1
                    break
                slot = self.ladder.first[row]
                continue
            if self.fill_count >= self.fill_capacity:
                # More slices of hidden orders than one event can tell of.
                self.stopped = 2
                break
            quantity = left if left < self.visible[slot] else self.visible[slot]
            left -= quantity
            self.leaves[slot] -= quantity
            self.visible[slot] -= quantity
            self.ladder.lots[row] -= quantity
            self.emit_fill(slot, taker_id, owner, ticks, quantity)
            if self.leaves[slot] == 0:
                self.unlink(slot, row)
                self.release(slot)
            elif self.visible[slot] == 0:
                # The next slice stands behind everybody; the queue changes, the total may not.
                self.unlink(slot, row)
                self.append(slot, row)
            slot = self.ladder.first[row]
        if self.ladder.lots[row] != total or left != lots:
            self.emit_change(side, ticks, self.ladder.lots[row])
        if self.ladder.first[row] < 0:
            self.ladder.remove(side, row)
        return left

    def settle(self, slot: int, left: int, keep: int) -> None:
        """After the trades of an arriving order: done, resting or canceled."""
        self.filled = self.leaves[slot] - left
        self.remaining = left
        self.leaves[slot] = left
        self.state = code.CANCELED
        if left == 0:
            self.state = code.FILLED
        elif self.stopped == 1:
            self.reason = code.REASON_SELF_TRADE
        elif self.stopped == 2:
            self.reason = code.REASON_FULL
        elif keep == 0:
            self.reason = code.REASON_IOC
        elif self.rest(slot) != 0:
            self.reason = code.REASON_FULL
        else:
            self.state = code.RESTING
        if self.state != code.RESTING:
            self.release(slot)

    def shows(self, lots: int, display: int) -> int:
        """1 if an order of these lots may show so few at a time."""
        return 1 if display == 0 or display > (lots - 1) // code.SLICES_MAX else 0

    # What the venue's clients may ask.

    def place(self, owner: int, side: int, ticks: int, lots: int, tif: int = 0,
              post_only: int = 0, stp: int = 0, expire_us: int = 0, display: int = 0) -> int:
        """A new order; ``ticks`` 0 is a market order. Returns its id, or a negative refusal.

        ``expire_us`` counts for GTD only. ``display`` lots are shown at a time, 0 shows all. An
        order that cannot rest (IOC, FOK, market) is done when this returns.
        """
        self.clear_events()
        if lots <= 0 or ticks < 0 or side < 0 or side > 1 or tif < 0 or tif > code.GTD:
            return code.INVALID
        if (ticks == 0 and post_only) or not self.shows(lots, display):
            return code.INVALID
        if self.free < 0:
            return code.FULL
        if post_only and self.crosses(side, ticks):
            return code.WOULD_TAKE
        keep = 0 if ticks == 0 or tif == code.IOC or tif == code.FOK else 1
        slot = self.allocate(owner, side, ticks, lots, expire_us if tif == code.GTD else 0,
                             display)
        order_id = self.order_id(slot)
        if tif == code.FOK and self.fillable(owner, side, ticks, lots, stp) < lots:
            self.state = code.CANCELED
            self.reason = code.REASON_FOK
            self.remaining = lots
            self.release(slot)
            return order_id
        left = self.take(order_id, owner, side, ticks, lots, stp)
        self.settle(slot, left, keep)
        return order_id

    def amend(self, order_id: int, ticks: int, lots: int, post_only: int = 0,
              stp: int = 0, display: int = 0) -> int:
        """Change price and open lots of a resting order. Returns 0 or a negative refusal.

        Fewer lots at the same price keep the place in the queue; anything else loses it.
        ``display`` 0 keeps what the order shows at a time; another number counts from its next
        slice, or at once if more is shown now.
        """
        self.clear_events()
        slot = self.slot_of(order_id)
        if slot < 0:
            return code.UNKNOWN
        shown = display if display > 0 else self.display[slot]
        if lots <= 0 or ticks <= 0 or display < 0 or not self.shows(lots, shown):
            return code.INVALID
        side = self.sides[slot]
        if ticks == self.prices[slot] and lots <= self.leaves[slot]:
            row = self.ladder.find(side, ticks)
            self.display[slot] = shown
            left = self.visible[slot] if self.visible[slot] < lots else lots
            if shown > 0 and shown < left:
                left = shown
            self.ladder.lots[row] -= self.visible[slot] - left
            if left != self.visible[slot]:
                self.emit_change(side, ticks, self.ladder.lots[row])
            self.visible[slot] = left
            self.leaves[slot] = lots
            self.state = code.RESTING
            self.remaining = lots
            return 0
        if post_only and self.crosses(side, ticks):
            return code.WOULD_TAKE
        self.withdraw(slot)
        self.display[slot] = shown
        self.prices[slot] = ticks
        self.leaves[slot] = lots
        left = self.take(order_id, self.owners[slot], side, ticks, lots, stp)
        self.settle(slot, left, 1)
        return 0

    def cancel(self, order_id: int) -> int:
        """Take a resting order out. Returns 0, or UNKNOWN; ``remaining`` says how many lots."""
        self.clear_events()
        slot = self.slot_of(order_id)
        if slot < 0:
            return code.UNKNOWN
        self.state = code.CANCELED
        self.reason = code.REASON_USER
        self.remaining = self.leaves[slot]
        self.withdraw(slot)
        self.release(slot)
        return 0

    def expire(self, now_us: int) -> int:
        """Take out GTD orders that are due. Returns how many; ``cancels`` names them."""
        self.clear_events()
        if self.expiry_us == 0 or now_us < self.expiry_us:
            return 0
        self.expiry_us = 0
        for slot in range(self.capacity):
            due = self.expiry[slot]
            if due <= 0:
                continue
            if due <= now_us:
                self.emit_cancel(slot, code.REASON_EXPIRED)
                self.withdraw(slot)
                self.release(slot)
            elif self.expiry_us == 0 or due < self.expiry_us:
                self.expiry_us = due
        return self.cancel_count

    # Reading.

    def best(self, side: int) -> int:
        """Best price of a side in ticks, 0 if there is none."""
        return self.ladder.best_ticks(side)

    def count(self, side: int) -> int:
        """Number of levels of a side."""
        return self.ladder.count(side)

    def lots_at(self, side: int, ticks: int) -> int:
        """Total lots at a price."""
        return self.ladder.lots_at(side, ticks)

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best levels, best first, as (ticks, lots)."""
        return self.ladder.levels(side, count)

    def leaves_of(self, order_id: int) -> int:
        """Open lots of an order, 0 if it is done or unknown."""
        slot = self.slot_of(order_id)
        return self.leaves[slot] if slot >= 0 else 0

    def visible_of(self, order_id: int) -> int:
        """Lots of an order that the book shows now, 0 if it is done or unknown."""
        slot = self.slot_of(order_id)
        return self.visible[slot] if slot >= 0 else 0

    def orders_at(self, side: int, ticks: int) -> list[tuple[int, int]]:
        """(order id, visible lots) of a level's orders, first in the queue first."""
        found = []
        row = self.ladder.find(side, ticks)
        slot = self.ladder.first[row] if row >= 0 else -1
        while slot >= 0:
            found.append((self.order_id(slot), self.visible[slot]))
            slot = self.after[slot]
        return found

    def mix(self, seed: int, value: int) -> int:
        """One step of the state hash (FNV-1a on words)."""
        return ((seed ^ (value & self.mask)) * self.prime) & self.mask

    def state_hash(self) -> int:
        """Hash of every level and every order in its queue; the same however it was reached."""
        seed = self.mix(self.prime, self.open_orders)
        for side in range(2):
            rank = 0
            while rank < self.ladder.count(side):
                row = self.ladder.row(side, rank)
                seed = self.mix(seed, self.ladder.ticks[row])
                seed = self.mix(seed, self.ladder.lots[row])
                slot = self.ladder.first[row]
                while slot >= 0:
                    seed = self.mix(seed, self.order_id(slot))
                    seed = self.mix(seed, self.leaves[slot])
                    seed = self.mix(seed, self.visible[slot])
                    slot = self.after[slot]
                rank += 1
        return seed
