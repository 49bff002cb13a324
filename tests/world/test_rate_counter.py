"""An hour against the exchange's own counters: nothing that we send is refused, and all is used.

The exchange counts with its own code (exchange/rate_counter.py), after a delay that differs from
message to message.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fastcore.money.throttle import POINT
from hftbot.exchange.settings import RATE_TIERS, Latency, Switches
from hftbot.words.events import CancelRejected, OrderRejected
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from world.ring import Ring, run_ring

GREEDY = {"loop_interval_us": 100_000, "max_orders_per_min": 6000, "same_order_window_us": 0,
          "open_orders_max": 500, "order_value_usd_max": Decimal(10**5),
          "position_usd_max": Decimal(10**6), "gross_usd_max": Decimal(10**6),
          "breaker_failures": 0, "reconcile_interval_us": 86_400_000_000}
JITTER = Latency(network_us=2_000, network_jitter_us=20_000, engine_us=1_000,
                 engine_jitter_us=30_000)


class Greedy(Strategy):
    """On each timer: an order more, the oldest moved, one cancelled, and as often again."""

    name = "greedy"

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.turn = 0
        self.points = 0.0

    def on_order(self, event: Any) -> None:
        if isinstance(event, OrderRejected | CancelRejected):
            self.told.append(event)

    def on_timer(self, now_us: int) -> None:
        self.turn += 1
        book = self.desk.book(0)
        if not book.has_bid():
            return
        for i in range(2):
            self.desk.place(0, Side.BUY, book.best_bid() - 200 - (self.turn + 7 * i) % 60, 10_000,
                            Tif.GTC)
        live = [order for order in self.desk.open_orders() if order.state == OrderState.LIVE]
        for order in live[self.turn % 3::9][:2]:
            self.desk.replace(order.client_id, order.ticks - 1, order.lots)
        for order in live[self.turn % 5::7][:2]:
            self.desk.cancel(order.client_id)
        self.desk.place(0, Side.BUY, book.best_bid() - 3, 10_000, Tif.IOC)


def quieter(ring: Ring) -> None:
    """A market with an event in seconds: the hour is about us."""
    for market in ring.venue.face.markets:
        market.character = replace(market.character, maker_rate=0.3, informed_rate=0.05,
                                   noise_rate=0.05)


def counted(strategy: Greedy) -> Any:
    """The script of a run: also add up what the exchange counts."""
    def script(ring: Ring) -> None:
        quieter(ring)
        rates = ring.venue.face.desk.rates
        spend = rates.spend

        def summed(symbol: str, now_us: int, cost: float) -> float:
            strategy.points += cost
            return float(spend(symbol, now_us, cost))
        rates.spend = summed  # type: ignore[method-assign]
    return script


def judge(ring: Ring, strategy: Greedy, tier: str, minutes: float) -> None:
    threshold, decay, _ = RATE_TIERS[tier]
    refused = [event for event in strategy.told
               if "limit exceeded" in event.code]
    assert refused == []
    assert not [line for line in ring.notes.lines if "limit exceeded" in line]
    counter = ring.world.limits.trading
    assert counter.maximum == threshold * POINT
    # Held to the limit, and the limit was used: what decays is what can be spent.
    denials = ring.world.engine.rows.denials
    assert denials["DENY_VENUE_RATE"] > 100 * minutes
    assert strategy.points > 0.8 * (0.75 * threshold + decay * 60 * minutes)
    router = ring.world.router
    assert min(router.orders_sent, router.amends_sent, router.cancels_sent) > 0
    assert ring.session.open_at_exit == 0


@pytest.mark.fault("V3")
@pytest.mark.law(5)
@pytest.mark.parametrize("tier", sorted(RATE_TIERS))
def test_counter_two_minutes_without_a_refusal(tier: str) -> None:
    strategy = Greedy()
    ring = run_ring(5, 120.0, strategy=strategy, bot=GREEDY, script=counted(strategy),
                    rate_tier=tier, latency=JITTER)
    judge(ring, strategy, tier, 2.0)


@pytest.mark.long
@pytest.mark.fault("V3")
@pytest.mark.law(5)
@pytest.mark.parametrize("tier", sorted(RATE_TIERS))
def test_counter_an_hour_without_a_refusal(tier: str) -> None:
    strategy = Greedy()
    ring = run_ring(6, 3600.0, strategy=strategy, bot=GREEDY, script=counted(strategy),
                    rate_tier=tier, latency=JITTER)
    judge(ring, strategy, tier, 60.0)


@pytest.mark.fault("V3")
def test_counter_without_our_model_the_exchange_refuses() -> None:
    """The same strategy, and nobody counts on our side: so the test above can fail."""
    strategy = Greedy()
    run_ring(5, 30.0, strategy=strategy, bot={**GREEDY, "kraken_tier": "off"}, script=quieter,
             rate_tier="starter", latency=JITTER)
    assert [event for event in strategy.told if event.code == "EOrder:Rate limit exceeded"]


@pytest.mark.fault("V3")
@pytest.mark.parametrize("field", ["ratecount", "rate_count"])
def test_counter_follows_the_venue_where_somebody_else_trades_too(field: str) -> None:
    """A human spends the same account's points by hand: we make room, and are not refused."""
    strategy = Greedy()

    def plan(ring: Ring) -> None:
        quieter(ring)
        rates = ring.venue.face.desk.rates

        def by_hand() -> None:
            rates.spend("BTC/USD", ring.venue.clock.now_us(), 3.0)
            ring.venue.loop.call_later(4.0, by_hand)
        ring.venue.loop.call_later(10.0, by_hand)
    ring = run_ring(7, 120.0, strategy=strategy, bot=GREEDY, script=plan, rate_tier="pro",
                    latency=JITTER, switches=Switches(ratecounter_field=field))
    assert [event for event in strategy.told if "limit exceeded" in event.code] == []
    ours = ring.world.limits.trading.used(0, ring.world.clock.mono_ns()) / POINT
    assert ours > ring.venue.face.desk.rates.value("BTC/USD", ring.venue.clock.now_us()) - 4.0


def test_batches_cancel_all_at_the_exchange_with_one_message() -> None:
    """Forty orders at the stop: a batch, an answer, none open."""
    class Many(Strategy):
        name = "many"

        def on_book(self, book: Any) -> None:
            count = len(self.desk.open_orders())
            if count < 40:
                self.desk.place(0, Side.BUY, book.best_bid() - 200 - count, 10_000, Tif.GTC)
    frames: list[bytes] = []

    def tap(ring: Ring) -> None:
        trace = ring.venue.trace

        def note(way: str, frame: bytes) -> None:
            if way == "out" and b"cancel" in frame:
                frames.append(frame)
            trace(way, frame)
        ring.venue.trace = note  # type: ignore[method-assign]
    ring = run_ring(2, 5.0, strategy=Many(), bot=GREEDY, script=tap, rate_tier="pro")
    assert ring.world.router.cancels_sent == 40
    assert [frame.count(b'"method":"batch_cancel"') for frame in frames] == [1]
    assert ring.session.open_at_exit == 0
    assert ring.world.gateway.statistics()["unmatched_answers"] == 0
