"""The scalper on the embedded exchange: resting entries, rapid fire, two markets at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hftbot.exchange.settings import Latency
from hftbot.words.market import Side
from world.ring import Ring, run_ring

EAGER = {"max_hold_us": 2_000_000, "min_hold_us": 1_000_000, "max_orders_per_min": 6000,
         "fills_in_row_max": 10_000}


def play(seconds: float, seed: int = 4, latency: Latency | None = None,
         **bot: Any) -> tuple[Ring, dict[str, Any]]:
    """A run, and what the scalper told of it."""
    ring = run_ring(seed, seconds, bot={**EAGER, **bot}, latency=latency or Latency())
    assert ring.session.open_at_exit == 0
    assert ring.world.guard.state == 0, ring.world.guard.reason
    return ring, ring.world.engine.voices[0][0].statistics()


def test_post_only_entries_rest_fill_as_makers_and_are_taken_back() -> None:
    ring, told = play(60.0, entry_order="post_only", entry_rest_us=500_000)
    buys = [fill for fill in ring.witness.fills if fill.side == Side.BUY]
    sales = [fill for fill in ring.witness.fills if fill.side == Side.SELL]
    assert len(buys) > 3
    assert all(fill.maker for fill in buys)
    assert not any(fill.maker for fill in sales)
    assert told["unfilled_entries"] > 0
    assert ring.world.router.cancels_sent > 0
    assert told["trades"] > 3


def test_rapid_fire_trades_more_often_and_keeps_its_limits() -> None:
    slow = play(60.0, rapid_fire_mode=False, cooldown_us=10_000_000)[1]
    fast = play(60.0, rapid_fire_mode=True, cooldown_us=10_000_000)[1]
    assert slow["trades"] <= 7
    assert fast["trades"] > 2 * slow["trades"]


def test_two_markets_at_once_stay_within_the_capital() -> None:
    """A venue far away, so that orders of both are on their way together."""
    ring, told = play(60.0, latency=Latency(network_us=60_000), symbols=("BTC/USD", "ETH/USD"),
                      rapid_fire_mode=True, order_size_usd=Decimal(100),
                      capital_usd=Decimal(150))
    assert set(told["symbols"]) == {"BTC/USD", "ETH/USD"}
    assert 2 <= told["orders_most"] <= 5
    costs, highest = {0: 0.0, 1: 0.0}, 0.0
    for fill in ring.witness.fills:
        value = ring.world.instruments[fill.instrument].value(fill.ticks, fill.lots)
        costs[fill.instrument] = (costs[fill.instrument] + value if fill.side == Side.BUY
                                  else max(0.0, costs[fill.instrument] - value))
        highest = max(highest, sum(costs.values()))
    # A sale takes off what it brought, not what was paid: a few cents of profit and loss.
    assert 100.5 < highest < 150.5
