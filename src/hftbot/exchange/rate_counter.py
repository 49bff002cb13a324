"""The trading engine's counter per pair: each transaction adds, time takes away."""

from __future__ import annotations

from hftbot.exchange.requests import Refused
from hftbot.exchange.settings import RATE_TIERS

# Age of the order in seconds below which an amend or a cancel costs this much more.
AMEND_COST = ((5, 3.0), (10, 2.0), (15, 1.0))
EDIT_COST = ((5, 6.0), (10, 5.0), (15, 4.0), (45, 2.0), (90, 1.0))
CANCEL_COST = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))


def by_age(table: tuple[tuple[int, float], ...], age_us: int) -> float:
    """Cost of a transaction on an order of that age; a boundary takes the cheaper column."""
    for seconds, cost in table:
        if age_us < seconds * 1_000_000:
            return cost
    return 0.0


class RateCounter:
    """Counters of all pairs of one account. Tier ``off`` never refuses."""

    def __init__(self, tier: str) -> None:
        limits = RATE_TIERS.get(tier)
        self.active = limits is not None
        self.threshold, self.decay, self.orders_max = limits or RATE_TIERS["pro"]
        self.counters: dict[str, tuple[float, int]] = {}

    def value(self, symbol: str, now_us: int) -> float:
        """The counter now."""
        count, at_us = self.counters.get(symbol, (0.0, now_us))
        if now_us > at_us:
            count -= self.decay * (now_us - at_us) / 1_000_000
        return max(0.0, count)

    def spend(self, symbol: str, now_us: int, cost: float) -> float:
        """Add a cost; returns the counter after it."""
        count = self.value(symbol, now_us) + cost
        self.counters[symbol] = (count, now_us)
        return count

    def charge(self, symbol: str, now_us: int, cost: float) -> None:
        """Add a cost that cannot be refused any more."""
        self.spend(symbol, now_us, cost)

    def check(self, symbol: str, now_us: int, cost: float) -> None:
        """Add a cost; raises Refused if that is too much."""
        if self.spend(symbol, now_us, cost) > self.threshold and self.active:
            raise Refused("EOrder:Rate limit exceeded")

    def add(self, symbol: str, now_us: int, open_orders: int) -> None:
        """A new order; raises Refused."""
        self.check(symbol, now_us, 1.0)
        self.room(open_orders)

    def add_batch(self, symbol: str, now_us: int, count: int) -> None:
        """So many new orders in one request, for half the price; raises Refused."""
        self.check(symbol, now_us, count / 2)

    def room(self, open_orders: int) -> None:
        """Refuse one more open order of a pair if it has too many."""
        if self.active and open_orders >= self.orders_max:
            raise Refused("EOrder:Orders limit exceeded")

    def amend(self, symbol: str, now_us: int, touched_us: int) -> None:
        """An amend; raises Refused."""
        self.check(symbol, now_us, 1.0 + by_age(AMEND_COST, now_us - touched_us))

    def edit(self, symbol: str, now_us: int, touched_us: int) -> None:
        """An edit; raises Refused."""
        self.check(symbol, now_us, 1.0 + by_age(EDIT_COST, now_us - touched_us))

    def cancel(self, symbol: str, now_us: int, touched_us: int) -> None:
        """A cancel costs, and is never refused here: the exchange must stay leavable."""
        self.charge(symbol, now_us, by_age(CANCEL_COST, now_us - touched_us))
