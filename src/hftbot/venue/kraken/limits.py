"""What Kraken lets one account do: transactions of a pair, REST calls of a key.

The counters themselves are fastcore's; here are Kraken's numbers, and which of them apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastcore.lane.desk import KIND_AMEND, KIND_CANCEL, KIND_ORDER
from fastcore.money.throttle import POINT, TokenBucket, TradingCounter
from hftbot.venue.kraken import codec
from hftbot.words.ports import Clock

AUTO, OFF = "auto", "off"
# The dearest that a journaled request can have been.
POINTS = {KIND_ORDER: 1, KIND_AMEND: 4, KIND_CANCEL: 8}
COST_MAX = 10_000 * POINT
SPENT_MAX = 4096
COUNT_MAX = 10_000.0
CONNECTS_MAX = 150
CANCEL_SHARE = 4
REST_HISTORY_COST = 4
# The engine counts these itself, pair by pair.
REST_FREE = ("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder",
             "CancelOrderBatch")
REST_HISTORY = ("Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades", "ClosedOrders")


@dataclass(frozen=True, slots=True)
class Tier:
    """Limits of one kind of account; ``_e2`` are hundredths of a point a second."""

    name: str
    points: int
    decay_e2: int
    open_orders: int
    rest_calls: int
    rest_decay_e2: int


TIERS = {tier.name: tier for tier in (
    Tier("starter", 60, 100, 60, 15, 33), Tier("intermediate", 125, 234, 80, 20, 50),
    Tier("pro", 180, 375, 225, 20, 100))}


def tier_of(points: int) -> Tier:
    """The tier that has this threshold (``maxratecount``); of two that it lies between, the lower.

    Below all of them it is the lowest with that threshold.
    """
    fitting = [tier for tier in TIERS.values() if tier.points <= points]
    if fitting:
        return fitting[-1]
    lowest = TIERS["starter"]
    return Tier(lowest.name, max(0, points), lowest.decay_e2, lowest.open_orders,
                lowest.rest_calls, lowest.rest_decay_e2)


class RestCalls:
    """The counter of REST calls of one key: each call costs, time gives back.

    Other processes with the same key have their own: one call is always left to them.
    """

    def __init__(self, tier: Tier) -> None:
        self.maximum = tier.rest_calls - 1
        self._decay_e2 = tier.rest_decay_e2
        self._bucket = TokenBucket(self.maximum, tier.rest_decay_e2 / 100)

    def use(self, tier: Tier, now_ns: int) -> None:
        """The key belongs to an account of another tier; what was used stays used."""
        used = self.used(now_ns)
        self.maximum = tier.rest_calls - 1
        self._decay_e2 = tier.rest_decay_e2
        self._bucket = TokenBucket(self.maximum, tier.rest_decay_e2 / 100)
        self._bucket.set_level(self.maximum - used, now_ns)

    def take(self, name: str, now_ns: int) -> float:
        """Count a call of ``name`` (the last part of its path) at ``now_ns``, monotonic.

        Returns 0.0, or for how many seconds to wait and ask again: then nothing is counted.
        """
        cost = rest_cost(name)
        if self._bucket.take(cost, now_ns):
            return 0.0
        missing = cost - self._bucket.available(now_ns)
        return missing * 100.0 / self._decay_e2

    def used(self, now_ns: int) -> int:
        """Calls that count now."""
        left: int = self._bucket.available(now_ns)
        return self.maximum - left


def points_told(row: Mapping[str, Any]) -> int:
    """The counter in a report, in whole points; -1 if there is none. Two names are in use."""
    count = row.get("ratecount", row.get("rate_count"))
    if isinstance(count, bool) or not isinstance(count, int | codec.Number):
        return -1
    value = count if isinstance(count, int) else float(count)
    return int(value) if 0 <= value < COUNT_MAX else -1


def rest_cost(name: str) -> int:
    """What a private call costs."""
    if name in REST_FREE:
        return 0
    return REST_HISTORY_COST if name in REST_HISTORY else 1


class Limits:
    """All of Kraken's limits that one run has to keep, and how much of them is left.

    ``tier`` is KRAKEN_TIER: a name, ``auto`` (the lowest, until the venue tells its threshold) or
    ``off`` (counted, never refused: for an exchange that does not count).
    """

    def __init__(self, symbols: Sequence[str], rows: int, tier: str, clock: Clock,
                 messages: Any) -> None:
        self.symbols = tuple(symbols)
        self.tier = TIERS.get(tier, TIERS["starter"])
        self.messages = messages
        # Attempts to connect are counted where links are made: (used, maximum) now.
        self.connects: Callable[[], tuple[int, int]] = lambda: (0, CONNECTS_MAX)
        self._asked = tier
        self._clock = clock
        self.trading = TradingCounter(len(self.symbols), rows, 0, 0, 0, 0)
        self._spent: Sequence[tuple[int, int, int]] = ()
        self._open: Sequence[int] = ()
        self._use(self.tier)
        self.rest = RestCalls(self.tier)

    def _use(self, tier: Tier) -> None:
        points = 0 if self._asked == OFF else tier.points
        self.trading.set_limits(points, tier.decay_e2, points // CANCEL_SHARE, tier.open_orders)
        self.tier = tier

    def told(self, points: int) -> bool:
        """The venue told its threshold: it counts if it is lower than ours. True if it moved."""
        if points <= 0 or self._asked == OFF:
            return False
        tier = tier_of(points)
        if self._asked != AUTO and tier.points > TIERS[self._asked].points:
            tier = TIERS[self._asked]
        if tier == self.tier:
            return False
        self._use(tier)
        self.rest.use(tier, self._clock.mono_ns())
        return True

    def resume(self, spent: Sequence[tuple[int, int, int]], open_orders: Sequence[int]) -> None:
        """What an earlier run of the account sent: (wall us, pair, kind of row), oldest first.

        ``open_orders`` has the pair of each order that it left: somebody may cancel it.
        """
        self._spent, self._open = tuple(spent), tuple(open_orders)

    def begin(self) -> None:
        """Count what was left by an earlier run, now that the tier is known; once.

        If there were more than are kept, the counter was full before the oldest, at worst. The ages
        of the orders are not known: all were young.
        """
        now_us, now_ns, tier = self._clock.now_us(), self._clock.mono_ns(), self.tier
        full = tier.points * POINT if len(self._spent) >= SPENT_MAX else 0
        for index in range(len(self.symbols)):
            level, last_us = 0, 0
            for at_us, pair, kind in self._spent:
                if pair == index:
                    level = self._decayed(level, at_us - last_us) if last_us else full
                    level += POINTS.get(kind, 0) * POINT
                    last_us = max(at_us, last_us)
            if last_us:
                level = self._decayed(level, now_us - last_us)
            level += self._open.count(index) * POINTS[KIND_CANCEL] * POINT
            self.trading.spend(index, min(level, COST_MAX), 0, now_ns)
        self._spent = self._open = ()

    def _decayed(self, level: int, passed_us: int) -> int:
        return max(0, level - max(0, passed_us) * 1000 * self.tier.decay_e2)

    def left(self) -> dict[str, Any]:
        """Used and allowed, for people: points, calls, attempts and messages of a minute.

        ``trading`` is empty if the venue's counter is off: nothing can be used up.
        """
        now_ns = self._clock.mono_ns()
        counter = self.trading
        trading = {
            symbol: {"used": round(counter.used(index, now_ns) / POINT, 2),
                     "max": counter.maximum // POINT, "decay_per_s": counter.decay_e2 / 100,
                     "cancel_reserve": counter.reserve / POINT,
                     "open_orders": counter.open_orders[index],
                     "open_orders_max": counter.orders_max}
            for index, symbol in enumerate(self.symbols) if self._asked != OFF}
        used, most = self.connects()
        window = self.messages
        return {"tier": OFF if self._asked == OFF else self.tier.name, "trading": trading,
                "rest": {"used": self.rest.used(now_ns), "max": self.rest.maximum},
                "connections": {"used": used, "max": most},
                "messages": {"used": window.capacity - window.available(now_ns),
                             "max": window.capacity, "cancel_reserve": window.reserve}}
