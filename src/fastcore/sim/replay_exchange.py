"""The exchange of a replayed instrument: our orders among recorded ones that never notice them.

A request arrives, is answered, and the answer leaves; recorded rows fill what rests. An order
trades when a recorded trade reaches it (its queue model says when, see fastcore.sim.queue), when a
trade goes through its price, and when the opposite best comes to its price. It changes nothing in
the recorded book.

NO_PARTIAL_FILL fills whole orders and is hftbacktest's model of that name. With PARTIAL_FILL a
taker gets what the levels within its price show, each lot once until the level's next row, and a
trade at our price gives all our orders there together no more than it had; a price that was traded
through, or that the opposite best came to, still fills an order whole. Each execution is news of
its own.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
    from cython.cimports.fastcore.sim.queue import after_depth, after_trade, lots_reached
else:
    from fastcore.sim import replay_codes as code
    from fastcore.sim.queue import after_depth, after_trade, lots_reached


class ExchangeSide:
    """What the exchange models share: the bus of answers and the records of accepted orders."""

    def __init__(self, depth, requests, responses, latency, orders: int) -> None:
        self.depth = depth
        self.requests = requests
        self.responses = responses
        self.latency = latency
        self.capacity = orders
        self.next_row = 0
        self.orders = array("q", bytes(8 * code.ORDER_WORDS * orders))
        self.live = array("q", bytes(8 * orders))
        self.open_orders = 0
        self.answers = 0

    def advance(self, limit_ns: int, stops: int) -> int:
        """Process rows, then requests, in order of time up to the limit; REACHED at the end.

        With ``stops``, ANSWERED after each row or request that was answered. NEEDS_ROOM: call
        ``grow`` and go on. BAD_ROW: ``next_row`` is no sound row.
        """
        return code.REACHED

    def needs_room(self) -> bool:
        """Whether the next event could be one too many: then grow()."""
        return self.responses.room() < self.capacity + code.TAKEN_LEVELS

    def grow(self) -> None:
        """Room for more, where there is too little."""
        while self.needs_room():
            self.responses.grow()
        if self.depth.needs_room():
            self.depth.grow()

    def next_ns(self) -> int:
        """When something happens next at the exchange; NEVER at the end."""
        data_ns = self.depth.next_ns(self.next_row)
        at = self.requests.head_ns
        return at if at < data_ns else data_ns

    def accept(self) -> int:
        """Copy the oldest request into its row, which is free, and return the row."""
        source = self.requests.oldest()
        at = self.requests.words[source + code.ROW] * code.ORDER_WORDS
        for k in range(code.ORDER_WORDS):
            self.orders[at + k] = self.requests.words[source + k]
        return self.requests.words[source + code.ROW]

    def find_live(self, at: int) -> int:
        """The row of the order that the request at this place is about, -1 if it is gone."""
        row = self.requests.words[at + code.ROW]
        if self.live[row] and (self.orders[row * code.ORDER_WORDS + code.ORDER_ID]
                               == self.requests.words[at + code.ORDER_ID]):
            return row
        return -1

    def refuse(self, source: int, exch_ns: int) -> None:
        """Send the request at this place back: there is no such order."""
        at = self.responses.append(exch_ns + self.latency.response(exch_ns))
        for k in range(1, code.ORDER_WORDS):
            self.responses.words[at + k] = self.requests.words[source + k]
        self.responses.words[at + code.REQUEST] = code.REFUSED
        self.responses.words[at + code.STATUS] = code.REJECTED
        self.responses.words[at + code.STAMP_NS] = exch_ns
        self.responses.words[at + code.EXEC_LOTS] = 0
        self.answers += 1

    def respond(self, row: int, request: int) -> None:
        """Send the record of a row home; it answers ``request``."""
        source = row * code.ORDER_WORDS
        k = self.orders[source + code.STAMP_NS]
        at = self.responses.append(k + self.latency.response(k))
        for k in range(1, code.ORDER_WORDS):
            self.responses.words[at + k] = self.orders[source + k]
        self.responses.words[at + code.REQUEST] = request
        self.orders[source + code.EXEC_LOTS] = 0
        self.answers += 1


class BookExchange(ExchangeSide):
    """An exchange whose recording shows levels: where we stand in a queue is a model's guess."""

    def __init__(self, depth, requests, responses, latency, orders: int, partial: int,
                 queue_kind: int, queue_power: float) -> None:
        super().__init__(depth, requests, responses, latency, orders)
        self.partial = partial
        self.queue_kind = queue_kind
        self.queue_power = queue_power
        self.fronts = array("d", bytes(8 * orders))
        self.traded = array("d", bytes(8 * orders))
        self.resting = array("q", bytes(16 * orders))
        self.counts = array("q", [0, 0])
        self.alarms = 0
        self.spent_keys = array("q", bytes(16 * code.SPENT_LEVELS))
        self.spent_lots = array("q", bytes(16 * code.SPENT_LEVELS))
        self.spent = array("q", [0, 0])

    def advance(self, limit_ns: int, stops: int) -> int:
        """See ExchangeSide.advance."""
        answers = self.answers
        while True:
            until_ns = self.requests.head_ns
            if until_ns > limit_ns:
                until_ns = limit_ns
            while True:
                self.next_row = self.depth.follow(self.next_row, until_ns)
                if self.depth.stopped == 0:
                    break
                if self.depth.stopped == 1:
                    if self.event(self.next_row):
                        return code.BAD_ROW
                    self.next_row = self.depth.first_from(self.next_row + 1)
                if self.depth.alarms != self.alarms:
                    self.mark_all()
                    if self.depth.needs_room():
                        return code.NEEDS_ROOM
                if self.answers != answers:
                    answers = self.answers
                    if stops:
                        return code.ANSWERED
                    if self.needs_room():
                        return code.NEEDS_ROOM
            if self.requests.head_ns > limit_ns:
                return code.REACHED
            self.serve()
            answers = self.answers
            if stops:
                return code.ANSWERED
            if self.needs_room():
                return code.NEEDS_ROOM

    # Recorded rows that concern our orders, or that the book does not take in passing.

    def event(self, i: int) -> int:
        """Process one row; 1 if it cannot be."""
        at = i << 3
        ev = self.depth.words[at]
        kind = ev & 0xFF
        side = 1 - ((ev >> 29) & 1)
        price = self.depth.reals[at + 3]
        if kind == 3:
            if (ev >> 28) & 3:
                self.depth.clear(side, price)
            else:
                self.depth.wipe(0)
                self.depth.wipe(1)
                self.spent[1 - side] = 0
            self.spent[side] = 0
            self.mark_all()
            return 0
        if (ev >> 28) & 3 == 0:
            return 0
        if not self.depth.fits(price):
            return 1
        if kind == 2:
            self.trade(side, price, self.depth.reals[at + 4], self.depth.words[at + 1])
        else:
            self.level(side, price, self.depth.reals[at + 4], self.depth.words[at + 1])
        return 0

    def level(self, side: int, price: float, quantity: float, exch_ns: int) -> None:
        """A level shows this quantity; a better best may reach our orders of the other side."""
        key = self.depth.ticks_of(price) * (1 - 2 * side)
        best = self.depth.best[side]
        before = self.depth.put(side, key, quantity)
        if self.spent[side]:
            self.refresh(side, key)
        for i in range(self.counts[side]):
            row = self.resting[side * self.capacity + i]
            if self.key_of(row) == key:
                self.fronts[row] = after_depth(self.queue_kind, self.queue_power,
                                               self.fronts[row], self.traded[row], before,
                                               quantity)
                self.traded[row] = 0.0
        if self.depth.best[side] > best:
            self.pass_by(1 - side, self.depth.best[side], exch_ns)

    def pass_by(self, side: int, key: int, exch_ns: int) -> None:
        """The opposite best came to this key of its own: what it reaches is filled whole."""
        if self.depth.touch[side] + key < 0:
            return
        i = 0
        while i < self.counts[side]:
            row = self.resting[side * self.capacity + i]
            if self.key_of(row) + key >= 0:
                self.fill(row, self.orders[row * code.ORDER_WORDS + code.LEAVES], exch_ns)
            else:
                i += 1

    def trade(self, taker: int, price: float, quantity: float, exch_ns: int) -> None:
        """Somebody took; orders of ours that are better than the price are filled whole."""
        side = 1 - taker
        key = self.depth.ticks_of(price) * (1 - 2 * side)
        if self.depth.touch[side] < key:
            return
        left = self.depth.lots_of(quantity)
        i = 0
        while i < self.counts[side]:
            row = self.resting[side * self.capacity + i]
            lots = 0
            if self.key_of(row) > key:
                lots = self.orders[row * code.ORDER_WORDS + code.LEAVES]
            elif self.key_of(row) == key:
                self.fronts[row] = after_trade(self.fronts[row], quantity)
                self.traded[row] += quantity
                lots = lots_reached(self.fronts[row], self.depth.lot_size)
                if lots > 0:
                    self.fronts[row] = 0.0
                    if self.partial:
                        # What one order of ours took is not there for the next.
                        lots = min(lots, left, self.orders[row * code.ORDER_WORDS + code.LEAVES])
                        left -= lots
                    else:
                        lots = self.orders[row * code.ORDER_WORDS + code.LEAVES]
            if lots <= 0 or self.fill(row, lots, exch_ns) == 0:
                i += 1

    def fill(self, row: int, lots: int, exch_ns: int) -> int:
        """A resting order trades at its own price; 1 if that ended it."""
        at = row * code.ORDER_WORDS
        self.execute(row, self.orders[at + code.TICKS], lots, 1, exch_ns, code.NOTHING)
        if self.orders[at + code.LEAVES] > 0:
            return 0
        self.drop(row)
        return 1

    # Our orders.

    def serve(self) -> None:
        """Answer the oldest request."""
        source = self.requests.oldest()
        exch_ns = self.requests.words[source]
        request = self.requests.words[source + code.REQUEST]
        if request == code.NEW:
            self.arrive(self.accept(), exch_ns, code.NEW)
        else:
            row = self.find_live(source)
            if row < 0:
                self.refuse(source, exch_ns)
            elif request == code.CANCEL:
                self.drop(row)
                self.end(row, code.CANCELED, exch_ns, code.CANCEL)
            else:
                self.change(row, source, exch_ns)
        self.requests.drop_oldest()

    def arrive(self, row: int, exch_ns: int, request: int) -> None:
        """An order that takes, rests or ends at once."""
        at = row * code.ORDER_WORDS
        side = self.orders[at + code.SIDE]
        tif = self.orders[at + code.TIF]
        crosses = self.depth.best[1 - side] != code.NO_KEY
        if self.orders[at + code.ORDER_TYPE] == code.LIMIT:
            crosses = self.key_of(row) + self.depth.best[1 - side] >= 0
            if crosses == 0 and (tif == code.GTC or tif == code.GTX):
                self.rest(row, exch_ns, request)
                return
            if tif == code.GTX:
                crosses = 0
        if crosses == 0:
            self.end(row, code.EXPIRED, exch_ns, request)
        elif self.partial:
            self.take_shown(row, exch_ns, request)
        else:
            self.take_whole(row, exch_ns, request)

    def take_whole(self, row: int, exch_ns: int, request: int) -> None:
        """All of it at the opposite best, whatever that shows."""
        at = row * code.ORDER_WORDS
        side = self.orders[at + code.SIDE]
        self.execute(row, -self.depth.best[1 - side] * (1 - 2 * side),
                     self.orders[at + code.LEAVES], 0, exch_ns, request)

    def take_shown(self, row: int, exch_ns: int, request: int) -> None:
        """What the levels within the price show, level by level; then rest or end."""
        at = row * code.ORDER_WORDS
        side = self.orders[at + code.SIDE]
        wanted = self.orders[at + code.LEAVES]
        if self.orders[at + code.TIF] != code.FOK or self.shown_within(row) >= wanted:
            key = self.depth.best[1 - side]
            levels = 0
            while self.within(row, key) and levels < code.TAKEN_LEVELS:
                wanted = min(self.shown(1 - side, key), self.orders[at + code.LEAVES])
                if wanted > 0:
                    self.spend(1 - side, key, wanted)
                    self.execute(row, -key * (1 - 2 * side), wanted, 0, exch_ns, request)
                    request = code.NOTHING
                    if self.orders[at + code.LEAVES] == 0:
                        return
                key = self.depth.below(1 - side, key)
                levels += 1
            if (self.orders[at + code.TIF] == code.GTC and self.within(row, key) == 0
                    and self.orders[at + code.ORDER_TYPE] == code.LIMIT):
                self.rest(row, exch_ns, request)
                return
        self.end(row, code.EXPIRED, exch_ns, request)

    def within(self, row: int, key: int) -> bool:
        """Whether an order may take the other side's level of this key."""
        return key != code.NO_KEY and (
            self.orders[row * code.ORDER_WORDS + code.ORDER_TYPE] == code.MARKET
            or self.key_of(row) + key >= 0)

    def shown_within(self, row: int) -> int:
        """How many lots an order could take now."""
        side = 1 - self.orders[row * code.ORDER_WORDS + code.SIDE]
        key = self.depth.best[side]
        levels = lots = 0
        while self.within(row, key) and levels < code.TAKEN_LEVELS:
            lots += self.shown(side, key)
            key = self.depth.below(side, key)
            levels += 1
        return lots

    def shown(self, side: int, key: int) -> int:
        """The lots of a level that we have not taken since its last row."""
        lots = self.depth.lots_of(self.depth.quantity(side, key))
        for i in range(side * code.SPENT_LEVELS, side * code.SPENT_LEVELS + self.spent[side]):
            if self.spent_keys[i] == key:
                return lots - self.spent_lots[i]
        return lots if self.spent[side] < code.SPENT_LEVELS else 0

    def spend(self, side: int, key: int, lots: int) -> None:
        """Remember that we took these lots, until the level's next row."""
        i = side * code.SPENT_LEVELS
        while i < side * code.SPENT_LEVELS + self.spent[side]:
            if self.spent_keys[i] == key:
                self.spent_lots[i] += lots
                return
            i += 1
        self.spent_keys[i] = key
        self.spent_lots[i] = lots
        self.spent[side] += 1
        self.depth.mark(side, key)

    def refresh(self, side: int, key: int) -> None:
        """A row of this level came: it shows what it says, whatever we took before."""
        start = side * code.SPENT_LEVELS
        for i in range(self.spent[side]):
            if self.spent_keys[start + i] == key:
                self.spent[side] -= 1
                self.spent_keys[start + i] = self.spent_keys[start + self.spent[side]]
                self.spent_lots[start + i] = self.spent_lots[start + self.spent[side]]
                break
        self.depth.unmark(side, key)
        for i in range(self.counts[side]):
            if self.key_of(self.resting[side * self.capacity + i]) == key:
                self.depth.mark(side, key)

    def rest(self, row: int, exch_ns: int, request: int) -> None:
        """Stand behind all that the level shows; news only if the request has no answer yet."""
        at = row * code.ORDER_WORDS
        side = self.orders[at + code.SIDE]
        key = self.key_of(row)
        self.fronts[row] = self.depth.quantity(side, key)
        self.traded[row] = 0.0
        self.resting[side * self.capacity + self.counts[side]] = row
        self.counts[side] += 1
        self.live[row] = 1
        self.open_orders += 1
        self.depth.mark(side, key)
        if key > self.depth.touch[side]:
            self.depth.touch[side] = key
        if request != code.NOTHING:
            self.end(row, code.RESTING if self.orders[at + code.LOTS]
                     == self.orders[at + code.LEAVES] else code.PARTLY, exch_ns, request)

    def end(self, row: int, status: int, exch_ns: int, request: int) -> None:
        """Answer that the order now has this status."""
        at = row * code.ORDER_WORDS
        self.orders[at + code.STATUS] = status
        self.orders[at + code.STAMP_NS] = exch_ns
        self.respond(row, request)

    def change(self, row: int, source: int, exch_ns: int) -> None:
        """Less at the same price keeps its place in the queue; anything else is a new order."""
        at = row * code.ORDER_WORDS
        ticks = self.requests.words[source + code.TICKS]
        lots = self.requests.words[source + code.LEAVES]
        stays = (ticks == self.orders[at + code.TICKS]
                 and lots <= self.orders[at + code.LEAVES])
        if stays == 0:
            self.drop(row)
        self.orders[at + code.TICKS] = ticks
        self.orders[at + code.LOTS] += lots - self.orders[at + code.LEAVES]
        self.orders[at + code.LEAVES] = lots
        if stays:
            self.end(row, self.orders[at + code.STATUS], exch_ns, code.MODIFY)
        else:
            self.arrive(row, exch_ns, code.MODIFY)

    def execute(self, row: int, ticks: int, lots: int, maker: int, exch_ns: int,
                request: int) -> None:
        """Trade and say so."""
        at = row * code.ORDER_WORDS
        self.orders[at + code.LEAVES] -= lots
        self.orders[at + code.EXEC_TICKS] = ticks
        self.orders[at + code.EXEC_LOTS] = lots
        self.orders[at + code.MAKER] = maker
        self.end(row, code.PARTLY if self.orders[at + code.LEAVES] else code.FILLED, exch_ns,
                 request)

    def key_of(self, row: int) -> int:
        """The key of an order's price: higher is better."""
        return (self.orders[row * code.ORDER_WORDS + code.TICKS]
                * (1 - 2 * self.orders[row * code.ORDER_WORDS + code.SIDE]))

    def drop(self, row: int) -> None:
        """Take a resting order out; those behind keep their order of arrival."""
        side = self.orders[row * code.ORDER_WORDS + code.SIDE]
        at = side * self.capacity
        self.depth.unmark(side, self.key_of(row))
        self.depth.touch[side] = code.NO_KEY
        self.live[row] = 0
        self.open_orders -= 1
        kept = 0
        for i in range(self.counts[side]):
            other = self.resting[at + i]
            if other != row:
                self.resting[at + kept] = other
                kept += 1
                if self.key_of(other) > self.depth.touch[side]:
                    self.depth.touch[side] = self.key_of(other)
                if self.key_of(other) == self.key_of(row):
                    self.depth.mark(side, self.key_of(other))
        self.counts[side] = kept
        for i in range(self.spent[side]):
            self.depth.mark(side, self.spent_keys[side * code.SPENT_LEVELS + i])

    def mark_all(self) -> None:
        """A window moved: its marks are those of the orders that rest."""
        self.alarms = self.depth.alarms
        for side in range(2):
            self.depth.unmark_all(side)
            for i in range(self.counts[side]):
                self.depth.mark(side, self.key_of(self.resting[side * self.capacity + i]))
            for i in range(self.spent[side]):
                self.depth.mark(side, self.spent_keys[side * code.SPENT_LEVELS + i])
