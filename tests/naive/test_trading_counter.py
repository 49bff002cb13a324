"""TradingCounter against the exchange's own counter: equal on no wire, never below it on any."""

from __future__ import annotations

import heapq
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.requests import Refused
from hftbot.venue.kraken.limits import TIERS
from twins import both

rooms = both("fastcore.money.throttle")
POINT = rooms[0].POINT
PAIRS = ("BTC/USD", "ETH/USD")
# A threshold of the float counter is compared to a millionth of a point.
NEAR = 1e-6
AGES_S = (0, 1, 4, 5, 6, 9, 10, 14, 15, 30, 44, 45, 89, 90, 91, 299, 300, 400)


def counters(tier: str, reserve: int = 0) -> list[Any]:
    told = TIERS[tier]
    return [room.TradingCounter(len(PAIRS), 256, told.points, told.decay_e2, reserve,
                                told.open_orders) for room in rooms]


def ask_exchange(theirs: RateCounter, what: str, pair: int, now_us: int, touched_us: int) -> bool:
    """True if the exchange takes it."""
    try:
        if what == "add":
            theirs.add(PAIRS[pair], now_us, 0)
        elif what == "amend":
            theirs.amend(PAIRS[pair], now_us, touched_us)
        else:
            theirs.cancel(PAIRS[pair], now_us, touched_us)
    except Refused:
        return False
    return True


def cost_of(counter: Any, what: str, handle: int, now_ns: int) -> int:
    if what == "add":
        return int(POINT)
    return int(counter.amend_cost(handle, now_ns) if what == "amend"
               else counter.cancel_cost(handle, now_ns))


STEP = st.tuples(st.sampled_from(["add", "add", "add", "amend", "cancel"]), st.integers(0, 1),
                 st.one_of(st.integers(0, 3000), st.integers(0, 3 * 10**6),
                           st.sampled_from([at * 10**6 for at in AGES_S])),
                 st.integers(0, 255))


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.sampled_from(sorted(TIERS)), st.lists(STEP, min_size=1, max_size=150))
def test_counter_is_the_exchanges_on_a_wire_without_delay(tier: str, steps: list[Any]) -> None:
    """Same counts, same refusals, ages exactly on a boundary included."""
    ours, theirs = counters(tier), RateCounter(tier)
    orders: list[tuple[int, int, int]] = []
    now_us = 10**12
    for request, (what, pair, gap_us, pick) in enumerate(steps, 1):
        now_us += gap_us
        handle, touched_us = len(orders) % 256, 0
        if what != "add":
            if not orders:
                continue
            pair, handle, touched_us = orders[pick % len(orders)]
        now_ns = now_us * 1000
        costs = {cost_of(counter, what, handle, now_ns) for counter in ours}
        before = theirs.value(PAIRS[pair], now_us)
        expected = ask_exchange(theirs, what, pair, now_us, touched_us)
        cost = costs.pop()
        assert not costs
        assert abs(theirs.value(PAIRS[pair], now_us) - before - cost / POINT) < NEAR
        close = abs(before + cost / POINT - theirs.threshold) < NEAR
        for counter in ours:
            if what != "cancel" and not close:
                assert counter.would_take(pair, cost, now_ns) == expected
            # Also what is refused counts.
            counter.spend(pair, cost, request, now_ns)
            counter.answered(request, now_ns)
            if what == "add":
                counter.opened(pair, handle)
                counter.confirmed(handle, now_ns)
            elif what == "amend":
                counter.moved(handle, now_ns)
            assert abs(counter.used(pair, now_ns) / POINT
                       - theirs.value(PAIRS[pair], now_us)) < NEAR
        if what == "add":
            orders = [*orders[-199:], (pair, handle, now_us)]
        elif what == "amend":
            orders = [(p, h, now_us if h == handle else t) for p, h, t in orders]
    assert len({counter.state_hash() for counter in ours}) == 1


class Wire:
    """Requests reach the exchange later than they left, in their order; answers come later still.

    ``refused`` counts what the exchange did not take, apart from the float's last millionth.
    """

    def __init__(self, tier: str, reserve: int) -> None:
        self.counter = counters(tier, reserve)[0]
        self.theirs = RateCounter(tier)
        self.now_us = 10**12
        self.request = 0
        self.arrives_us = 0
        self.due: list[tuple[int, int, str, tuple[int, int, int]]] = []
        self.touched: dict[int, int] = {}
        self.alive: dict[int, int] = {}
        self.refused = self.sent = 0

    def pass_time(self, gap_us: int) -> None:
        until_us = self.now_us + gap_us
        while self.due and self.due[0][0] <= until_us:
            self.now_us, request, what, (pair, handle, delay_us) = heapq.heappop(self.due)
            if what.startswith("told "):
                self.told(what.removeprefix("told "), request, handle)
                continue
            touched_us = self.touched.get(handle, self.now_us)
            value = self.theirs.value(PAIRS[pair], self.now_us)
            room = self.counter.used(pair, self.now_us * 1000) / POINT
            assert value <= room + NEAR, "the venue counts more than we do"
            if not ask_exchange(self.theirs, what, pair, self.now_us, touched_us):
                over = self.theirs.value(PAIRS[pair], self.now_us) - self.theirs.threshold
                self.refused += over > NEAR
            if what in ("add", "amend"):
                self.touched[handle] = self.now_us
            heapq.heappush(self.due, (self.now_us + delay_us, request, f"told {what}",
                                      (pair, handle, 0)))
        self.now_us = until_us

    def told(self, what: str, request: int, handle: int) -> None:
        now_ns = self.now_us * 1000
        self.counter.answered(request, now_ns)
        if what == "add":
            self.counter.confirmed(handle, now_ns)
        elif what == "amend":
            self.counter.moved(handle, now_ns)

    def try_to_send(self, what: str, pair: int, pick: int, out_us: int, back_us: int) -> None:
        now_ns = self.now_us * 1000
        handle = self.request % 256
        if what != "add":
            if not self.alive:
                return
            handle = sorted(self.alive)[pick % len(self.alive)]
            pair = self.alive[handle]
        cost = cost_of(self.counter, what, handle, now_ns)
        if not self.counter.would_take(pair, cost, now_ns, what == "cancel"):
            return
        self.request += 1
        self.sent += 1
        self.counter.spend(pair, cost, self.request, now_ns)
        if what == "add":
            self.counter.opened(pair, handle)
            self.alive[handle] = pair
            self.touched.pop(handle, None)
        elif what == "amend":
            self.counter.moving(handle)
        else:
            del self.alive[handle]
        self.arrives_us = max(self.arrives_us, self.now_us + out_us)
        heapq.heappush(self.due, (self.arrives_us, self.request, what, (pair, handle, back_us)))


DELAYS = st.one_of(st.integers(0, 5000), st.integers(0, 4 * 10**6))
SENDING = st.tuples(st.sampled_from(["add", "add", "amend", "cancel"]), st.integers(0, 1),
                    st.one_of(st.just(0), st.integers(0, 10**5), st.integers(0, 10**7)),
                    st.integers(0, 255), DELAYS, DELAYS)


@pytest.mark.fault("V3")
@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.sampled_from(sorted(TIERS)), st.integers(0, 40), st.lists(SENDING, max_size=200))
def test_counter_is_never_refused_however_long_the_wire_takes(
        tier: str, reserve: int, steps: list[Any]) -> None:
    """Greedy sending on a wire that holds requests and answers back for seconds."""
    wire = Wire(tier, reserve)
    for what, pair, gap_us, pick, out_us, back_us in steps:
        wire.pass_time(gap_us)
        for _ in range(8):
            wire.try_to_send(what, pair, pick, out_us, back_us)
    wire.pass_time(60 * 10**6)
    assert wire.refused == 0
    assert not wire.due
