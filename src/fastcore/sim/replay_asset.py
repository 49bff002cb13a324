"""One asset of a replay: its exchange and its trader here, each with its own place in the rows."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code


class Asset:
    """Runs both sides, ``number`` in the replay. ValueError: a row that cannot be replayed."""

    def __init__(self, number: int, exchange, home) -> None:
        self.number = number
        self.exchange = exchange
        self.home = home
        self.tops = array("q", [0, 0])
        self.top_quantities = array("d", [0.0, 0.0])

    def next_ns(self) -> int:
        """When something happens next on either side; NEVER at the end."""
        return min(self.exchange.next_ns(), self.home.next_ns())

    def run(self, limit_ns: int) -> int:
        """Run both sides up to the limit; returns when something happens next.

        Without a strategy in between, nothing here can change what happens there.
        """
        exchange_ns = self.exchange.next_ns()
        if exchange_ns <= limit_ns:
            self.run_exchange(limit_ns, 0)
            exchange_ns = self.exchange.next_ns()
        home_ns = self.home.next_ns()
        if home_ns <= limit_ns:
            self.run_home(limit_ns)
            home_ns = self.home.next_ns()
        return min(exchange_ns, home_ns)

    def run_exchange(self, limit_ns: int, stops: int) -> int:
        """Run the exchange; REACHED or ANSWERED."""
        while True:
            if self.exchange.needs_room():
                self.exchange.grow()
            done = self.exchange.advance(limit_ns, stops)
            if done == code.BAD_ROW:
                raise ValueError(self.home.complaint(self.number, self.exchange.next_row))
            if done == code.NEEDS_ROOM:
                self.exchange.grow()
            else:
                return done

    def run_home(self, limit_ns: int) -> int:
        """Run the trader's side up to the limit."""
        while True:
            done = self.home.advance(limit_ns)
            if done == code.BAD_ROW:
                raise ValueError(self.home.complaint(self.number, self.home.next_row))
            if done == code.REACHED:
                return 0
            self.home.grow()

    def run_instant(self, at_ns: int) -> int:
        """See what is seen here at an instant; returns WAKE_* bits."""
        if self.home.responses.head_ns < at_ns:
            self.run_home(at_ns - 1)
        if self.home.next_ns() > at_ns:
            return 0
        depth = self.home.depth
        for side in range(2):
            key = depth.best[side]
            self.tops[side] = key
            self.top_quantities[side] = depth.quantity(side, key)
        found = code.WAKE_FEED if self.home.data_ns() <= at_ns else 0
        self.home.bits = 0
        depth.seen = 0
        self.run_home(at_ns)
        found |= self.home.bits | depth.seen
        if depth.seen:
            for side in range(2):
                key = depth.best[side]
                quantity = depth.quantity(side, key)
                if key != self.tops[side] or quantity != self.top_quantities[side]:
                    found |= code.WAKE_TOP
        return found
