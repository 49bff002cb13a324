"""A replay of recorded markets with our orders in them: exact, to the nanosecond of the recording.

Each asset is one array of event rows (64 bytes, hftbacktest's) that is read twice: by an exchange,
where a row counts from its exchange time on, and by its trader here, from its receive time on.
Requests and responses travel between the two with an order latency. Events happen in order of
time; at one instant rows seen here come first, then responses, then rows at the exchange, then
requests, and of two assets the lower number. Nobody here sees anything before its time.

Prices are ticks and sizes lots; quantities and money are doubles, as the queue models and the
recorded rows have them. Times are nanoseconds. The numbers are in replay_codes and model_codes.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

from fastcore.sim import fees as prices
from fastcore.sim import model_codes as models
from fastcore.sim import replay_asset, replay_bus, replay_depth, replay_exchange, replay_local
from fastcore.sim import replay_l3_exchange as by_order

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code

NO_TIME = -(1 << 63)


class Replay:
    """Add the assets, then let time pass by ``elapse``, ``goto`` or ``step``, and trade between.

    Raises ValueError for what cannot be replayed, with the row; IndexError for an unknown asset.
    """

    def __init__(self) -> None:
        self.assets = []
        self.latencies = []
        self.count = self.now_ns = self.woken = self.begun = self.waiting = 0
        self.woken_bits = array("q")

    def add(self, events, tick_size: float, lot_size: float, latency, fees, *,
            queue: int = models.RISK_AVERSE, power: float = 3.0, exchange: int = 0,
            contract: int = models.LINEAR, contract_size: float = 1.0, orders: int = 1024,
            window: int = 65536) -> int:
        """One more asset, before time passes; returns its number.

        ``events``: a buffer of 64-byte rows, kept and not copied. ``latency``: an OrderLatency of
        its own; ``fees``: a FeeModel. ``queue`` and ``power``: see fastcore.sim.queue.
        ``exchange``: NO_PARTIAL_FILL, PARTIAL_FILL, or L3_FIFO for rows of single orders. At most
        ``orders`` orders are remembered; ``window`` ticks a side are fast to reach.
        """
        if self.begun:
            raise ValueError("time has passed: every asset is added before")
        if not 0 <= queue <= models.POWER_PROB3 or not power > 0.0:
            raise ValueError("queue is one of fastcore.sim.queue.NAMES and its power positive, "
                             f"not {queue} and {power}")
        if not code.NO_PARTIAL_FILL <= exchange <= code.L3_FIFO:
            raise ValueError(f"exchange is 0 to 2 (see replay_codes), not {exchange}")
        if not models.LINEAR <= contract <= models.BINARY or not contract_size > 0.0:
            raise ValueError("contract is LINEAR, INVERSE or BINARY and its size positive, not "
                             f"{contract} and {contract_size}")
        if not 1 <= orders <= 1 << 20:
            raise ValueError(f"orders must be 1 to {1 << 20}, not {orders}")
        if any(other is latency for other in self.latencies):
            raise ValueError("each asset needs an OrderLatency of its own: it remembers its row")
        words, reals = replay_depth.rows_of(events)
        book = replay_depth.Depth(words, reals, tick_size, lot_size, code.EXCH_NS,
                                  code.AT_EXCHANGE, window)
        seen = replay_depth.Depth(words, reals, tick_size, lot_size, code.LOCAL_NS,
                                  code.AT_LOCAL, window)
        seen.lie_beside(book)
        self.latencies.append(latency)
        requests = replay_bus.Bus(4 * orders)
        responses = replay_bus.Bus(4 * orders + 2 * code.TAKEN_LEVELS)
        home = replay_local.LocalSide(seen, requests, responses, latency, fees, contract,
                                      contract_size, orders)
        if exchange == code.L3_FIFO:
            home.follow_orders()
            judge = by_order.L3Exchange(book, requests, responses, latency, orders)
        else:
            judge = replay_exchange.BookExchange(book, requests, responses, latency, orders,
                                                 exchange, queue, power)
        self.assets.append(replay_asset.Asset(self.count, judge, home))
        self.woken_bits = array("q", bytes(8 * (self.count + 1)))
        self.count += 1
        return self.count - 1

    # The clock.

    def begin(self) -> int:
        """The clock starts with the first event."""
        if self.begun:
            return 0
        if self.count == 0:
            raise ValueError("there is nothing to replay: add an asset first")
        self.begun = 1
        first_ns = code.NEVER
        for i in range(self.count):
            asset = self.assets[i]
            asset.run_exchange(NO_TIME, 0)
            asset.run_home(NO_TIME)
            first_ns = min(first_ns, asset.next_ns())
        self.now_ns = first_ns if first_ns != code.NEVER else 0
        return 0

    def elapse(self, duration_ns: int) -> int:
        """Let time pass. 1 if nothing is left to happen; the clock then stays where it was."""
        self.begin()
        return self.goto(self.now_ns + min(duration_ns, code.NEVER - self.now_ns))

    def goto(self, until_ns: int) -> int:
        """Let time pass until then; see elapse."""
        self.begin()
        while self.waiting:
            self.tell()
        until_ns = self.ahead(until_ns)
        next_ns = code.NEVER
        for i in range(self.count):
            asset = self.assets[i]
            next_ns = min(next_ns, asset.run(until_ns))
        if next_ns == code.NEVER:
            return 1
        self.now_ns = until_ns
        return 0

    def ahead(self, until_ns: int) -> int:
        """A time that is neither past nor never."""
        if until_ns >= code.NEVER:
            return code.NEVER - 1
        return until_ns if until_ns > self.now_ns else self.now_ns

    def ended(self) -> bool:
        """Whether nothing is left to happen."""
        for i in range(self.count):
            asset = self.assets[i]
            if asset.next_ns() != code.NEVER:
                return False
        return True

    def step(self, until_ns: int, wake: int) -> int:
        """Let time pass until then, or until something here that ``wake`` asks for.

        Returns 0 at ``until_ns``, END if nothing is left to happen, else what happened at
        ``now_ns`` (WAKE_* bits); ``woken`` is the asset. If two assets are woken at one instant,
        the next step tells of the other, before time passes.
        """
        self.begin()
        if self.waiting:
            return self.tell()
        until_ns = self.ahead(until_ns)
        for i in range(self.count):
            asset = self.assets[i]
            asset.home.listen(wake)
        while True:
            m = until_ns
            for i in range(self.count):
                asset = self.assets[i]
                m = min(m, asset.home.next_ns())
            # An answer may arrive here before anything else does.
            if self.run_exchanges(m, 1 if wake & code.WAKE_RESPONSE else 0):
                continue
            for i in range(self.count):
                asset = self.assets[i]
                found = asset.run_instant(m)
                if found & wake:
                    self.woken_bits[i] = found
                    self.waiting += 1
            if self.waiting:
                self.now_ns = m
                return self.tell()
            if m == until_ns:
                if self.ended():
                    return code.END
                self.now_ns = until_ns
                return 0

    def tell(self) -> int:
        """The first asset whose waking was not told."""
        i = 0
        while self.woken_bits[i] == 0:
            i += 1
        self.woken = i
        self.waiting -= 1
        i = self.woken_bits[i]
        self.woken_bits[self.woken] = 0
        return i

    def run_exchanges(self, limit_ns: int, stops: int) -> int:
        """Run every exchange up to the limit; 1 if one stopped because it answered.

        Where answers count, exchanges run in order of time: none may be ahead of an answer that
        wakes a strategy.
        """
        asset = self.assets[0]
        if self.count == 1:
            return asset.run_exchange(limit_ns, stops) == code.ANSWERED
        if stops == 0:
            for i in range(self.count):
                asset = self.assets[i]
                asset.run_exchange(limit_ns, 0)
            return 0
        while True:
            first = 0
            first_ns = second_ns = code.NEVER
            for i in range(self.count):
                asset = self.assets[i]
                t = asset.exchange.next_ns()
                if t < first_ns:
                    second_ns = first_ns
                    first_ns = t
                    first = i
                elif t < second_ns:
                    second_ns = t
            if first_ns > limit_ns or first_ns == code.NEVER:
                return 0
            if second_ns > limit_ns:
                second_ns = limit_ns
            asset = self.assets[first]
            if asset.run_exchange(second_ns, 1) == code.ANSWERED:
                return 1

    # Orders.

    def home(self, asset: int):
        """The trader's side of an asset."""
        if asset < 0 or asset >= self.count:
            raise IndexError(f"there is no asset {asset}; {self.count} were added")
        found = self.assets[asset]
        return found.home

    def submit(self, asset: int, order_id: int, side: int, ticks: int, lots: int, tif: int,
               order_type: int = 0) -> int:
        """Send a new order: OK, or why not (MEANING). Side 0 buys; ticks of a MARKET are unused."""
        self.begin()
        return self.home(asset).submit(self.now_ns, order_id, side, ticks, lots, tif, order_type)

    def cancel(self, asset: int, order_id: int) -> int:
        """Ask for an order's end: OK, or why not."""
        self.begin()
        return self.home(asset).cancel(self.now_ns, order_id)

    def modify(self, asset: int, order_id: int, ticks: int, lots: int) -> int:
        """Ask for another price and another open quantity: OK, or why not.

        Less at the same price keeps its place in the queue; all else is a new order there.
        """
        self.begin()
        return self.home(asset).modify(self.now_ns, order_id, ticks, lots)

    def drop_inactive(self, asset: int) -> int:
        """Forget the orders that ended; returns how many are left."""
        self.home(asset).drop_ended()
        return self.home(asset).count

    def order(self, asset: int, order_id: int) -> dict | None:
        """An order as it is known here, None if it is not."""
        home = self.home(asset)
        row = home.find(order_id)
        return None if row < 0 else order_fields(home, row)

    def orders(self, asset: int) -> list[dict]:
        """All orders known here, the oldest first, ended ones until drop_inactive."""
        home = self.home(asset)
        return [order_fields(home, home.used[i]) for i in range(home.count)]

    # The book and the account as they are known here.

    def best(self, asset: int, side: int) -> int:
        """The best price in ticks; NO_BID or NO_ASK without one."""
        key = self.home(asset).depth.best[side & 1]
        if key == code.NO_KEY:
            return code.NO_ASK if side else code.NO_BID
        return -key if side else key

    def lots_at(self, asset: int, side: int, ticks: int) -> int:
        """What a level shows, in lots."""
        home = self.home(asset)
        return home.depth.lots_of(home.depth.quantity(side & 1, -ticks if side else ticks))

    def levels(self, asset: int, side: int, count: int) -> list[tuple[int, float]]:
        """The best levels as (ticks, quantity), best first."""
        return self.home(asset).depth.levels(side & 1, count)

    def position(self, asset: int) -> int:
        """Lots held, negative if short."""
        return self.home(asset).position_lots

    def position_quantity(self, asset: int) -> float:
        """The position in base units, summed as doubles fill by fill, as hftbacktest does."""
        return self.home(asset).held

    def balance(self, asset: int) -> float:
        """The cash of all trades, without fees."""
        return self.home(asset).balance

    def fee(self, asset: int) -> float:
        """Fees so far; negative if rebates were more."""
        return self.home(asset).fee

    def trading_value(self, asset: int) -> float:
        """The traded value so far."""
        return self.home(asset).trading_value

    def trades_count(self, asset: int) -> int:
        """Executions so far."""
        return self.home(asset).trades_count

    def volume_lots(self, asset: int) -> int:
        """Lots traded so far."""
        return self.home(asset).volume_lots

    def equity(self, asset: int) -> float:
        """Cash and position at the mid price, fees paid; at no price without a side of the book."""
        home = self.home(asset)
        bid = home.depth.best[0]
        ask = -home.depth.best[1]
        price = 0.0
        if bid != code.NO_KEY and ask != -code.NO_KEY:
            price = (bid + ask) * home.depth.tick_size / 2.0
        return prices.equity(home.contract, home.contract_size,
                             home.position_lots * home.depth.lot_size, home.balance, home.fee,
                             price)

    # What happened since the last call.

    def responses(self) -> list[tuple]:
        """Answers and news of our orders, in order of arrival.

        (asset, order_id, request, status, ticks, exec_ticks, exec_lots, leaves_lots, maker,
        exch_ns, seen_ns). ``request`` is what it answers: 1 new, 4 cancel, 7 modify, 6 that one
        was refused, 0 nothing (a resting order traded).
        """
        found = []
        for i in range(self.count):
            home = self.home(i)
            log = home.response_log
            for k in range(home.response_count):
                at = k * code.RESPONSE_WORDS
                found.append((i, log[at], log[at + 1], log[at + 2], log[at + 3], log[at + 4],
                              log[at + 5], log[at + 6], log[at + 7], log[at + 8], log[at + 9]))
            home.response_count = 0
        return in_order(found, self.count)

    def fills(self) -> list[tuple]:
        """Our executions, in order of arrival of their news.

        (asset, order_id, side, exec_ticks, exec_lots, maker, exch_ns, seen_ns).
        """
        found = []
        for i in range(self.count):
            home = self.home(i)
            log = home.fill_log
            for k in range(home.fill_count):
                at = k * code.FILL_WORDS
                found.append((i, log[at], log[at + 1], log[at + 2], log[at + 3], log[at + 4],
                              log[at + 5], log[at + 6]))
            home.fill_count = 0
        return in_order(found, self.count)

    def trades(self) -> list[tuple]:
        """Trades seen in the market, if they are collected (COLLECT_TRADES, or WAKE_TRADE asked).

        (asset, side of the taker, ticks, lots, exch_ns, local_ns).
        """
        found = []
        for i in range(self.count):
            home = self.home(i)
            log = home.trade_log
            for k in range(home.trade_count):
                at = k * code.TRADE_WORDS
                found.append((i, log[at], log[at + 1], log[at + 2], log[at + 3], log[at + 4]))
            home.trade_count = 0
        return in_order(found, self.count)

    def collect(self, what: int) -> None:
        """What is kept for responses(), fills() and trades(): COLLECT_* bits."""
        for i in range(self.count):
            home = self.home(i)
            home.collecting = what
            home.listen(0)

    def attach(self, asset: int, order_book) -> None:
        """Keep an OrderBook in step with the book seen here, without its contradicted levels.

        ``recv_ns`` and ``ts_us`` of it are those of the last row.
        """
        self.home(asset).depth.attach(order_book)

    def state_hash(self) -> int:
        """64 bits that depend on the clock, the orders and the accounts."""
        values = [self.now_ns]
        for i in range(self.count):
            asset = self.assets[i]
            home = asset.home
            exchange = asset.exchange
            values += [home.next_row, exchange.next_row, home.position_lots, home.volume_lots,
                       home.trades_count, exchange.open_orders, home.depth.best[0],
                       home.depth.best[1], exchange.depth.best[0], exchange.depth.best[1]]
            for k in range(home.count):
                at = home.used[k] * code.ORDER_WORDS
                for m in range(1, code.ORDER_WORDS):
                    values.append(home.orders[at + m])
        seed = 0xCBF29CE484222325
        for value in values:
            seed = ((seed ^ (value & 0xFFFFFFFFFFFFFFFF)) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return seed


def in_order(found: list[tuple], count: int) -> list[tuple]:
    """Rows of several assets by time, the last column."""
    return found if count == 1 else sorted(found, key=last_of)


def last_of(row: tuple) -> int:
    """When the news of a row arrived."""
    return row[len(row) - 1]


def order_fields(home, row: int) -> dict:
    """An order record by name."""
    at = row * code.ORDER_WORDS
    words = home.orders
    return {
        "order_id": words[at + code.ORDER_ID], "side": words[at + code.SIDE],
        "ticks": words[at + code.TICKS], "lots": words[at + code.LOTS],
        "leaves_lots": words[at + code.LEAVES], "status": words[at + code.STATUS],
        "request": words[at + code.REQUEST], "tif": words[at + code.TIF],
        "order_type": words[at + code.ORDER_TYPE], "exec_ticks": words[at + code.EXEC_TICKS],
        "exec_lots": words[at + code.EXEC_LOTS], "maker": words[at + code.MAKER],
        "exch_ns": words[at + code.STAMP_NS], "sent_ns": words[at + code.SENT_NS],
    }
