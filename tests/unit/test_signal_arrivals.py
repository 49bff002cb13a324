"""How often and how deep takers trade: what is believed first, what is seen, what is forgotten."""

from __future__ import annotations

import math
import random

import pytest

from hftbot.signal.arrivals import PRIOR, Arrivals

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def test_before_the_first_taker_it_says_what_it_was_told() -> None:
    arrivals = Arrivals(2.0, 1.5, 60 * SECOND)
    assert arrivals.rate_per_s == pytest.approx(2.0)
    assert arrivals.depth_bps == pytest.approx(1.5)
    assert arrivals.decay_per_bps == pytest.approx(1 / 1.5)
    assert arrivals.seen == 0


def test_it_finds_the_rate_and_the_depth_of_a_market() -> None:
    """Six takers a second on both sides together, exponentially deep, 0.8 bps on average."""
    rng, arrivals = random.Random(7), Arrivals(0.1, 20.0, 120 * SECOND)
    now_us = START
    arrivals.forget(now_us)
    while now_us < START + 1200 * SECOND:
        now_us += int(rng.expovariate(6.0) * SECOND) + 1
        arrivals.on_trade(rng.randrange(2), rng.expovariate(1 / 0.8), now_us, now_us)
    assert arrivals.rate_per_s == pytest.approx(3.0, rel=0.1)
    assert arrivals.depth_bps == pytest.approx(0.8, rel=0.1)
    assert arrivals.seen > 6000


def test_trades_of_one_sweep_are_one_taker_as_deep_as_its_last_trade() -> None:
    arrivals = Arrivals(1.0, 1.0, 60 * SECOND)
    for depth in (0.5, 2.0, 1.0, 4.0):
        arrivals.on_trade(0, depth, START, START)
    assert arrivals.seen == 1
    assert arrivals.depth_bps == pytest.approx((PRIOR + 4.0) / (PRIOR + 1))
    arrivals.on_trade(1, 4.0, START, START)
    assert arrivals.seen == 2


def test_a_trade_inside_the_fair_price_has_no_depth() -> None:
    arrivals = Arrivals(1.0, 1.0, 60 * SECOND)
    arrivals.on_trade(0, -3.0, START, START)
    assert arrivals.depth_bps == pytest.approx(PRIOR / (PRIOR + 1))


def test_a_silent_market_has_fewer_takers_and_as_deep_ones() -> None:
    arrivals = Arrivals(1.0, 2.0, 10 * SECOND)
    arrivals.forget(START)
    rates = []
    for step in range(1, 40):
        arrivals.forget(START + step * 5 * SECOND)
        rates.append(arrivals.rate_per_s)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01
    assert arrivals.depth_bps == pytest.approx(2.0)
    arrivals.forget(START + 10**15)
    assert arrivals.rate_per_s > 0.0
    assert math.isfinite(arrivals.decay_per_bps)


def test_a_clock_that_steps_back_forgets_nothing() -> None:
    arrivals = Arrivals(1.0, 2.0, 10 * SECOND)
    arrivals.forget(START)
    before = arrivals.rate_per_s
    arrivals.forget(START - SECOND)
    assert arrivals.rate_per_s == before


def test_without_measuring_nothing_changes() -> None:
    arrivals = Arrivals(1.0, 2.0, SECOND, measured=False)
    arrivals.on_trade(0, 9.0, START, START)
    arrivals.forget(START + 100 * SECOND)
    assert (arrivals.rate_per_s, arrivals.depth_bps, arrivals.seen) == (1.0, 2.0, 0)


@pytest.mark.parametrize("told", [(0.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0),
                                  (float("nan"), 1.0, 1)])
def test_what_cannot_be_is_refused(told: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Arrivals(*told)
