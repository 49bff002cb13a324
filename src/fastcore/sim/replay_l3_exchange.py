"""The exchange of an instrument recorded order by order: ours stand in the real queue.

L3_FIFO: price-time priority among recorded orders. Ours trade whole, when the recorded order
behind them does, when a better price than theirs would trade first, or when the opposite best
comes to their price. Where the recording clears a side, ours of that side expire: their place is
not known any more. Recorded orders never notice ours.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from fastcore.sim import replay_l3

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
    from cython.cimports.fastcore.sim.replay_exchange import ExchangeSide
    from cython.cimports.fastcore.sim.replay_l3 import side_of
else:
    from fastcore.sim import replay_codes as code
    from fastcore.sim.replay_exchange import ExchangeSide
    from fastcore.sim.replay_l3 import side_of


class L3Exchange(ExchangeSide):
    """An exchange whose recording shows every order. ``trouble`` says what a bad row did."""

    def __init__(self, depth, requests, responses, latency, orders: int) -> None:
        super().__init__(depth, requests, responses, latency, orders)
        self.book = replay_l3.L3Book(4096, orders)
        self.trouble = 0

    def advance(self, limit_ns: int, stops: int) -> int:
        """See ExchangeSide.advance."""
        answers = self.answers
        while True:
            until_ns = self.requests.head_ns
            if until_ns > limit_ns:
                until_ns = limit_ns
            self.next_row = self.depth.first_from(self.next_row)
            while self.next_row < self.depth.rows:
                if self.depth.next_ns(self.next_row) > until_ns:
                    break
                done = self.event(self.next_row << 3)
                if done != code.REACHED:
                    return done
                self.next_row = self.depth.first_from(self.next_row + 1)
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

    def grow(self) -> None:
        """Room for more, where there is too little."""
        while self.needs_room():
            self.responses.grow()
        if self.book.room() < 1:
            self.book.grow()

    def event(self, at: int) -> int:
        """Process the row whose words begin here; BAD_ROW, or NEEDS_ROOM for one more order."""
        ev = self.depth.words[at]
        exch_ns = self.depth.words[at + code.EXCH_NS]
        if ev & 0xFF == code.CLEAR_ROW:
            self.book.clear(side_of(ev))
            for i in range(self.book.hit_count):
                row = self.book.hits[i]
                self.leave(row)
                self.orders[row * code.ORDER_WORDS + code.LEAVES] = 0
                self.end(row, code.EXPIRED, exch_ns, code.NOTHING)
            return code.REACHED
        if self.book.room() < 1:
            return code.NEEDS_ROOM
        self.trouble = self.book.follow(self.depth, at)
        if self.trouble:
            return code.BAD_ROW
        for i in range(self.book.hit_count):
            row = self.book.hits[i]
            self.leave(row)
            self.execute(row, self.orders[row * code.ORDER_WORDS + code.TICKS], 1, exch_ns,
                         code.NOTHING)
        return code.REACHED

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
                self.book.withdraw(row)
                self.leave(row)
                self.end(row, code.CANCELED, exch_ns, code.CANCEL)
            else:
                self.change(row, source, exch_ns)
        self.requests.drop_oldest()

    def arrive(self, row: int, exch_ns: int, request: int) -> None:
        """An order that takes all it wants at the opposite best, rests or ends at once."""
        at = row * code.ORDER_WORDS
        side = self.orders[at + code.SIDE]
        tif = self.orders[at + code.TIF]
        best = self.book.best_ticks[1 - side]
        crosses = best != (code.NO_ASK if side == 0 else code.NO_BID)
        if self.orders[at + code.ORDER_TYPE] == code.LIMIT:
            if side == 0:
                crosses = crosses and self.orders[at + code.TICKS] >= best
            else:
                crosses = crosses and self.orders[at + code.TICKS] <= best
            if not crosses and (tif == code.GTC or tif == code.GTX):
                self.book.rest(row, side, self.orders[at + code.TICKS],
                               self.orders[at + code.LEAVES])
                self.live[row] = 1
                self.open_orders += 1
                self.end(row, code.RESTING, exch_ns, request)
                return
            if tif == code.GTX:
                crosses = False
        if crosses:
            self.execute(row, best, 0, exch_ns, request)
        else:
            self.end(row, code.EXPIRED, exch_ns, request)

    def change(self, row: int, source: int, exch_ns: int) -> None:
        """At its price less keeps the place and more loses it; another price is a new order."""
        at = row * code.ORDER_WORDS
        ticks = self.requests.words[source + code.TICKS]
        lots = self.requests.words[source + code.LEAVES]
        stays = ticks == self.orders[at + code.TICKS]
        if stays:
            self.book.amend(row, lots)
        else:
            self.book.withdraw(row)
            self.leave(row)
        self.orders[at + code.TICKS] = ticks
        self.orders[at + code.LOTS] += lots - self.orders[at + code.LEAVES]
        self.orders[at + code.LEAVES] = lots
        if stays:
            self.end(row, code.RESTING, exch_ns, code.MODIFY)
        else:
            self.arrive(row, exch_ns, code.MODIFY)

    def leave(self, row: int) -> None:
        """An order of ours rests no more; the book let it go already."""
        self.live[row] = 0
        self.open_orders -= 1

    def execute(self, row: int, ticks: int, maker: int, exch_ns: int, request: int) -> None:
        """All that is left trades at this price."""
        at = row * code.ORDER_WORDS
        self.orders[at + code.EXEC_TICKS] = ticks
        self.orders[at + code.EXEC_LOTS] = self.orders[at + code.LEAVES]
        self.orders[at + code.MAKER] = maker
        self.orders[at + code.LEAVES] = 0
        self.end(row, code.FILLED, exch_ns, request)

    def end(self, row: int, status: int, exch_ns: int, request: int) -> None:
        """Answer that the order now has this status."""
        at = row * code.ORDER_WORDS
        self.orders[at + code.STATUS] = status
        self.orders[at + code.STAMP_NS] = exch_ns
        self.respond(row, request)
