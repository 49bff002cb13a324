"""A grid of post-only orders around the mid price, leaning against the position.

The strategy of hftbacktest's published figures, woken every few milliseconds: what the golden
fills are made with, and the compiled strategy of the benches.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code


class GridMaker:
    """Keeps ``levels`` orders a side, ``step_ticks`` apart, on one asset of a Replay.

    Prices in ticks, ``position_max`` in base units. Ids are twice the price, plus one for a sell.
    """

    def __init__(self, asset: int = 0, interval_ns: int = 10_000_000,
                 half_spread_ticks: float = 2.0, step_ticks: int = 2, levels: int = 10,
                 skew_ticks: float = 20.0, order_lots: int = 10,
                 position_max: float = 0.2) -> None:
        if interval_ns < 1 or step_ticks < 1 or levels < 1 or order_lots < 1:
            raise ValueError("interval_ns, step_ticks, levels and order_lots are at least 1")
        self.asset = asset
        self.interval_ns = interval_ns
        self.half_spread_ticks = half_spread_ticks
        self.step_ticks = step_ticks
        self.levels = levels
        self.skew_ticks = skew_ticks
        self.order_lots = order_lots
        self.position_max = position_max
        self.steps = 0
        self.tops = array("q", [0, 0])
        self.quotes = array("q", [0, 0])

    def run(self, replay) -> int:
        """Trade until nothing is left to happen; returns the wake-ups."""
        while replay.elapse(self.interval_ns) == 0:
            self.steps += 1
            self.decide(replay)
        return self.steps

    def decide(self, replay) -> int:
        """One wake-up: cancel what is not wanted any more, then send what is missing."""
        home = replay.home(self.asset)
        home.drop_ended()
        bid = home.depth.best[0]
        ask = -home.depth.best[1]
        if bid == code.NO_KEY or ask == -code.NO_KEY:
            return 0
        position = home.held
        center = (bid + ask) / 2.0 - self.skew_ticks * (position / self.position_max)
        self.tops[0] = min(bid, self.step_ticks * floor_of(
            (center - self.half_spread_ticks) / self.step_ticks))
        self.tops[1] = max(ask, -self.step_ticks * floor_of(
            -((center + self.half_spread_ticks) / self.step_ticks)))
        self.quotes[0] = position < self.position_max
        self.quotes[1] = position > -self.position_max
        self.withdraw(home, replay.now_ns)
        self.offer(home, replay.now_ns)
        return 0

    def wants(self, side: int, ticks: int) -> bool:
        """Whether an order at this price is part of the grid."""
        if self.quotes[side] == 0:
            return False
        away = (self.tops[side] - ticks) * (1 - 2 * side)
        return 0 <= away < self.levels * self.step_ticks and away % self.step_ticks == 0

    def withdraw(self, home, now_ns: int) -> None:
        """Cancel what rests and is not wanted."""
        for i in range(home.count):
            row = home.used[i]
            at = row * code.ORDER_WORDS
            kept = (home.orders[at + code.REQUEST] != code.NOTHING
                    or (home.orders[at + code.STATUS] != code.RESTING
                        and home.orders[at + code.STATUS] != code.PARTLY)
                    or self.wants(home.orders[at + code.SIDE], home.orders[at + code.TICKS]))
            if kept == 0:
                home.cancel_row(now_ns, row)

    def offer(self, home, now_ns: int) -> None:
        """Send what is wanted and not there, best prices first."""
        for side in range(2):
            if self.quotes[side] == 0:
                continue
            for i in range(self.levels):
                ticks = self.tops[side] - i * self.step_ticks * (1 - 2 * side)
                if home.find(2 * ticks + side) < 0:
                    home.submit(now_ns, 2 * ticks + side, side, ticks, self.order_lots, code.GTX,
                                code.LIMIT)


def floor_of(x: float) -> int:
    """The largest whole number that is not above x."""
    whole = int(x)
    return whole - 1 if whole > x else whole
