"""The trader's side of a replay: the book as it was seen here, our orders as they were answered.

Nothing here knows what the exchange did before its answer came. The account changes when the news
of an execution arrives.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

from fastcore.sim import replay_l3

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
    from cython.cimports.fastcore.sim.fees import traded_value
    from cython.cimports.fastcore.sim.replay_l3 import side_of
else:
    from fastcore.sim import replay_codes as code
    from fastcore.sim.fees import traded_value
    from fastcore.sim.replay_l3 import side_of

ORDER_ROWS = ("adds an order that is there", "cancels an order that is not there",
              "modifies an order that is not there", "fills an order that is not there")


class LocalSide:
    """One instrument as its trader sees it; ``requests`` and ``responses`` lead to its exchange."""

    def __init__(self, depth, requests, responses, latency, fees, contract: int,
                 contract_size: float, orders: int) -> None:
        self.depth = depth
        self.requests = requests
        self.responses = responses
        self.latency = latency
        self.fees = fees
        self.contract = contract
        self.contract_size = contract_size
        self.next_row = self.alarms = self.bits = self.by_order = 0
        self.book = None
        self.capacity = orders
        self.orders = array("q", bytes(8 * code.ORDER_WORDS * orders))
        self.used = array("q", bytes(8 * orders))
        self.taken = array("q", bytes(8 * orders))
        self.free_rows = array("q", range(orders - 1, -1, -1))
        places = 1 << (4 * orders - 1).bit_length()
        self.places = array("q", bytes(8 * places))
        self.mask = places - 1
        self.count = self.ended = 0
        self.position_lots = self.trades_count = self.volume_lots = 0
        self.held = self.balance = self.fee = self.trading_value = 0.0
        self.collecting = code.COLLECT_RESPONSES | code.COLLECT_FILLS
        self.response_log = array("q", bytes(8 * code.RESPONSE_WORDS * 256))
        self.fill_log = array("q", bytes(8 * code.FILL_WORDS * 256))
        self.trade_log = array("q", bytes(8 * code.TRADE_WORDS * 256))
        self.response_count = self.fill_count = self.trade_count = 0

    # What arrives here.

    def advance(self, limit_ns: int) -> int:
        """See rows, and at each time after them responses, up to the limit; see ExchangeSide."""
        while True:
            until_ns = self.responses.head_ns
            if until_ns > limit_ns:
                until_ns = limit_ns
            while True:
                self.next_row = self.depth.follow(self.next_row, until_ns)
                if self.depth.stopped == 0:
                    break
                if self.depth.stopped == 1:
                    if self.needs_room():
                        return code.NEEDS_ROOM
                    if self.event(self.next_row):
                        return code.BAD_ROW
                    self.next_row += 1
                if self.depth.alarms != self.alarms:
                    self.alarms = self.depth.alarms
                    if self.depth.needs_room():
                        return code.NEEDS_ROOM
            if self.responses.head_ns > limit_ns:
                return code.REACHED
            if self.needs_room():
                return code.NEEDS_ROOM
            self.receive()

    def needs_room(self) -> bool:
        """Whether a log could not take another row: then grow()."""
        return ((self.response_count + 1) * code.RESPONSE_WORDS > len(self.response_log)
                or (self.fill_count + 1) * code.FILL_WORDS > len(self.fill_log)
                or (self.trade_count + 1) * code.TRADE_WORDS > len(self.trade_log)
                or (self.by_order and self.book.room() < 1))

    def grow(self) -> None:
        """Room for more, where there is too little."""
        if (self.response_count + 1) * code.RESPONSE_WORDS > len(self.response_log):
            self.response_log = doubled(self.response_log)
        if (self.fill_count + 1) * code.FILL_WORDS > len(self.fill_log):
            self.fill_log = doubled(self.fill_log)
        if (self.trade_count + 1) * code.TRADE_WORDS > len(self.trade_log):
            self.trade_log = doubled(self.trade_log)
        if self.depth.needs_room():
            self.depth.grow()
        if self.by_order and self.book.room() < 1:
            self.book.grow()

    def follow_orders(self) -> None:
        """The rows are single orders: the levels seen here are their sums."""
        self.book = replay_l3.L3Book(4096, 0)
        self.by_order = self.depth.stops_at_orders = 1

    def complaint(self, asset: int, row: int) -> str:
        """What to say about a row that cannot be replayed."""
        where = f"asset {asset}, row {row}:"
        kind = self.depth.words[row * code.ROW_WORDS] & 0xFF
        if self.by_order and code.ADD_ROW <= kind <= code.FILL_ROW:
            return (f"{where} it {ORDER_ROWS[kind - code.ADD_ROW]}, or its price or quantity "
                    "cannot be; a recording of orders begins with all that rest")
        return (f"{where} its price is no number of ticks; `hftbot convert` names and leaves out "
                "such rows")

    def listen(self, wake: int) -> None:
        """Notice trades if somebody wants to be woken by them or to have them."""
        if wake & code.WAKE_TRADE:
            self.collecting |= code.COLLECT_TRADES
        self.depth.stops_at_trades = self.collecting & code.COLLECT_TRADES

    def data_ns(self) -> int:
        """When the next row is seen; NEVER at the end."""
        return self.depth.next_ns(self.next_row)

    def next_ns(self) -> int:
        """When something happens next here, by what is under way now; NEVER at the end."""
        at = self.depth.next_ns(self.next_row)
        return at if at < self.responses.head_ns else self.responses.head_ns

    def event(self, i: int) -> int:
        """See one row that the book left to us; 1 if it cannot be."""
        at = i << 3
        ev = self.depth.words[at]
        kind = ev & 0xFF
        side = 1 - ((ev >> 29) & 1)
        price = self.depth.reals[at + 3]
        if self.by_order and code.ADD_ROW <= kind <= code.FILL_ROW:
            if self.book.follow(self.depth, at):
                return 1
            self.show_levels()
        elif kind == 3:
            self.depth.seen = code.WAKE_DEPTH
            if self.by_order:
                self.book.clear(side_of(ev))
            if (ev >> 28) & 3:
                self.depth.clear(side, price)
            else:
                self.depth.wipe(0)
                self.depth.wipe(1)
        elif (ev >> 28) & 3:
            if not self.depth.fits(price):
                return 1
            if kind == 2:
                self.log_trade(i, side)
            else:
                self.depth.seen = code.WAKE_DEPTH
                self.depth.put(side, self.depth.ticks_of(price) * (1 - 2 * side),
                               self.depth.reals[at + 4])
        if self.depth.mirrored:
            self.depth.stamp_mirror(at)
        return 0

    def show_levels(self) -> None:
        """The levels that an order's row changed, as their orders are now."""
        side = self.book.row_side
        if side < 0:
            return
        self.depth.seen = code.WAKE_DEPTH
        self.show(side, self.book.left_ticks)
        if self.book.row_ticks != self.book.left_ticks:
            self.show(side, self.book.row_ticks)
        # Where orders cross, a book of orders may know a best that its levels do not.
        best = self.book.best_ticks[0]
        self.depth.best[0] = best if best != code.NO_BID else code.NO_KEY
        best = self.book.best_ticks[1]
        self.depth.best[1] = -best if best != code.NO_ASK else code.NO_KEY

    def show(self, side: int, ticks: int) -> None:
        """One level as the sum of its orders."""
        self.depth.put(side, ticks * (1 - 2 * side),
                       self.book.lots_at(side, ticks) * self.depth.lot_size)

    def log_trade(self, i: int, side: int) -> None:
        """A trade that somebody asked for."""
        self.bits |= code.WAKE_TRADE
        if self.collecting & code.COLLECT_TRADES:
            at = self.trade_count * code.TRADE_WORDS
            self.trade_log[at] = side
            self.trade_log[at + 1] = self.depth.ticks_of(self.depth.reals[(i << 3) + 3])
            self.trade_log[at + 2] = self.depth.lots_of(self.depth.reals[(i << 3) + 4])
            self.trade_log[at + 3] = self.depth.words[(i << 3) + 1]
            self.trade_log[at + 4] = self.depth.words[(i << 3) + 2]
            self.trade_count += 1

    def receive(self) -> None:
        """The oldest response is here."""
        self.bits |= code.WAKE_RESPONSE
        source = self.responses.oldest()
        request = self.responses.words[source + code.REQUEST]
        row = self.responses.words[source + code.ROW]
        if self.responses.words[source + code.EXEC_LOTS] > 0:
            self.account(self.responses.words[source + code.SIDE],
                         self.responses.words[source + code.EXEC_TICKS],
                         self.responses.words[source + code.EXEC_LOTS],
                         self.responses.words[source + code.MAKER])
        self.log_response(source)
        at = row * code.ORDER_WORDS
        if self.taken[row] and (self.orders[at + code.ORDER_ID]
                                == self.responses.words[source + code.ORDER_ID]):
            if request == code.REFUSED:
                # An answer to an older request says nothing about the one that waits.
                if (self.orders[at + code.SENT_NS]
                        == self.responses.words[source + code.SENT_NS]):
                    if self.orders[at + code.REQUEST] == code.NEW:
                        self.orders[at + code.STATUS] = code.EXPIRED
                        self.ended += 1
                    self.orders[at + code.REQUEST] = code.NOTHING
            else:
                self.ended -= self.has_ended(row)
                for k in range(code.ORDER_ID, code.SENT_NS):
                    self.orders[at + k] = self.responses.words[source + k]
                self.orders[at + code.REQUEST] = code.NOTHING
                self.ended += self.has_ended(row)
        self.responses.drop_oldest()

    def account(self, side: int, ticks: int, lots: int, maker: int) -> None:
        """An execution of ours became known."""
        price = ticks * self.depth.tick_size
        quantity = lots * self.depth.lot_size
        value = traded_value(self.contract, self.contract_size, price, quantity)
        self.position_lots += lots * (1 - 2 * side)
        self.held += quantity * (1 - 2 * side)
        self.balance -= value * (1 - 2 * side)
        self.fee += self.fees.fee(price, quantity, value, maker)
        self.trades_count += 1
        self.volume_lots += lots
        self.trading_value += value

    def log_response(self, source: int) -> None:
        """Write what is asked for: every response, executions alone, or both."""
        if self.collecting & code.COLLECT_RESPONSES:
            at = self.response_count * code.RESPONSE_WORDS
            self.response_log[at] = self.responses.words[source + code.ORDER_ID]
            self.response_log[at + 1] = self.responses.words[source + code.REQUEST]
            self.response_log[at + 2] = self.responses.words[source + code.STATUS]
            self.response_log[at + 3] = self.responses.words[source + code.TICKS]
            self.response_log[at + 4] = self.responses.words[source + code.EXEC_TICKS]
            self.response_log[at + 5] = self.responses.words[source + code.EXEC_LOTS]
            self.response_log[at + 6] = self.responses.words[source + code.LEAVES]
            self.response_log[at + 7] = self.responses.words[source + code.MAKER]
            self.response_log[at + 8] = self.responses.words[source + code.STAMP_NS]
            self.response_log[at + 9] = self.responses.words[source]
            self.response_count += 1
        if (self.collecting & code.COLLECT_FILLS
                and self.responses.words[source + code.EXEC_LOTS] > 0):
            at = self.fill_count * code.FILL_WORDS
            self.fill_log[at] = self.responses.words[source + code.ORDER_ID]
            self.fill_log[at + 1] = self.responses.words[source + code.SIDE]
            self.fill_log[at + 2] = self.responses.words[source + code.EXEC_TICKS]
            self.fill_log[at + 3] = self.responses.words[source + code.EXEC_LOTS]
            self.fill_log[at + 4] = self.responses.words[source + code.MAKER]
            self.fill_log[at + 5] = self.responses.words[source + code.STAMP_NS]
            self.fill_log[at + 6] = self.responses.words[source]
            self.fill_count += 1

    # What leaves here.

    def submit(self, now_ns: int, order_id: int, side: int, ticks: int, lots: int, tif: int,
               order_type: int) -> int:
        """Send a new order; OK or why not (replay_codes.MEANING)."""
        if side >> 1 or lots <= 0 or tif >> 2 or order_type >> 1 or not -1e15 < ticks < 1e15:
            return code.INVALID
        place = self.place_of(order_id)
        if self.places[place]:
            return code.ID_EXISTS
        if self.count == self.capacity or self.requests.room() == 0 or self.responses.room() == 0:
            return code.FULL
        row = self.free_rows[self.capacity - 1 - self.count]
        at = row * code.ORDER_WORDS
        self.used[self.count] = row
        self.taken[row] = 1
        self.count += 1
        self.places[place] = row + 1
        self.orders[at + code.ROW] = row
        self.orders[at + code.ORDER_ID] = order_id
        self.orders[at + code.STATUS] = code.UNSENT
        self.orders[at + code.SIDE] = side
        self.orders[at + code.TICKS] = ticks
        self.orders[at + code.LOTS] = self.orders[at + code.LEAVES] = lots
        self.orders[at + code.TIF] = tif
        self.orders[at + code.ORDER_TYPE] = order_type
        self.orders[at + code.EXEC_TICKS] = self.orders[at + code.EXEC_LOTS] = 0
        self.orders[at + code.MAKER] = self.orders[at + code.STAMP_NS] = 0
        self.send(row, code.NEW, now_ns)
        return code.OK

    def may_ask(self, row: int) -> int:
        """OK if a request about an order could leave."""
        if row < 0:
            return code.ORDER_UNKNOWN
        if self.orders[row * code.ORDER_WORDS + code.REQUEST] != code.NOTHING:
            return code.REQUEST_PENDING
        if self.requests.room() == 0 or self.responses.room() == 0:
            return code.FULL
        return code.OK

    def cancel(self, now_ns: int, order_id: int) -> int:
        """Ask for an order's end."""
        row = self.find(order_id)
        if self.may_ask(row):
            return self.may_ask(row)
        return self.cancel_row(now_ns, row)

    def cancel_row(self, now_ns: int, row: int) -> int:
        """``cancel`` where the row is known."""
        if self.has_ended(row):
            return code.INVALID_STATUS
        self.send(row, code.CANCEL, now_ns)
        return code.OK

    def modify(self, now_ns: int, order_id: int, ticks: int, lots: int) -> int:
        """Ask for another price and another open quantity; the record says them at once."""
        row = self.find(order_id)
        if self.may_ask(row):
            return self.may_ask(row)
        if self.has_ended(row):
            return code.INVALID_STATUS
        if lots <= 0 or not -1e15 < ticks < 1e15:
            return code.INVALID
        at = row * code.ORDER_WORDS
        source = self.orders[at + code.LEAVES]
        self.orders[at + code.TICKS] = ticks
        self.orders[at + code.LEAVES] = lots
        self.send(row, code.MODIFY, now_ns)
        self.orders[at + code.LEAVES] = source
        return code.OK

    def send(self, row: int, request: int, now_ns: int) -> None:
        """Put a record on its way; with a negative latency the way back is all it sees."""
        source = row * code.ORDER_WORDS
        self.orders[source + code.REQUEST] = request
        self.orders[source + code.SENT_NS] = now_ns
        latency_ns = self.latency.entry(now_ns)
        if latency_ns >= 0:
            at = self.requests.append(now_ns + latency_ns)
            for k in range(1, code.ORDER_WORDS):
                self.requests.words[at + k] = self.orders[source + k]
            return
        at = self.responses.append(now_ns - latency_ns)
        for k in range(1, code.ORDER_WORDS):
            self.responses.words[at + k] = self.orders[source + k]
        self.responses.words[at + code.REQUEST] = code.REFUSED
        self.responses.words[at + code.STATUS] = (code.EXPIRED if request == code.NEW
                                                  else code.REJECTED)
        self.responses.words[at + code.EXEC_LOTS] = 0

    # The table of orders.

    def home_of(self, order_id: int) -> int:
        """Where the search for an id begins."""
        mixed = order_id ^ (order_id >> 15) ^ (order_id >> 33)
        return mixed & self.mask

    def place_of(self, order_id: int) -> int:
        """Where an id is in the table, or would be."""
        place = self.home_of(order_id)
        while self.places[place]:
            if (self.orders[(self.places[place] - 1) * code.ORDER_WORDS + code.ORDER_ID]
                    == order_id):
                break
            place = (place + 1) & self.mask
        return place

    def find(self, order_id: int) -> int:
        """The row of an order, -1 if it is unknown."""
        return self.places[self.place_of(order_id)] - 1

    def has_ended(self, row: int) -> bool:
        """Whether an order is known to have ended."""
        row = self.orders[row * code.ORDER_WORDS + code.STATUS]
        return row == code.FILLED or row == code.CANCELED or row == code.EXPIRED

    def drop_ended(self) -> None:
        """Forget the orders that ended; their ids may be used again."""
        if self.ended == 0:
            return
        kept = 0
        for i in range(self.count):
            row = self.used[i]
            if self.has_ended(row):
                self.forget(self.orders[row * code.ORDER_WORDS + code.ORDER_ID])
                self.taken[row] = 0
                self.free_rows[self.capacity - self.count + i - kept] = row
            else:
                self.used[kept] = row
                kept += 1
        self.count = kept
        self.ended = 0

    def forget(self, order_id: int) -> None:
        """Take an id out of the table; those that stand behind it because of it move up."""
        gap = self.place_of(order_id)
        place = gap
        while True:
            place = (place + 1) & self.mask
            if self.places[place] == 0:
                break
            home = self.home_of(self.orders[(self.places[place] - 1) * code.ORDER_WORDS
                                            + code.ORDER_ID])
            if ((place - home) & self.mask) >= ((place - gap) & self.mask):
                self.places[gap] = self.places[place]
                gap = place
        self.places[gap] = 0


def doubled(log):
    """A log with twice the room, the first half as it was."""
    more = array("q")
    for _ in range(2):
        more.frombytes(memoryview(log).cast("B"))
    return more
