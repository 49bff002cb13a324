"""Which of Kraken's limits apply, and what is left of them."""

from __future__ import annotations

import pytest

from fastcore.lane.desk import KIND_AMEND, KIND_CANCEL, KIND_ORDER
from fastcore.money.throttle import POINT, MinuteWindow
from hftbot.exchange.rate_counter import AMEND_COST, CANCEL_COST, by_age
from hftbot.exchange.settings import RATE_TIERS
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.limits import TIERS, Limits, RestCalls, points_told, rest_cost, tier_of
from kraken_frames import ManualClock


def limits(tier: str = "auto") -> Limits:
    return Limits(("BTC/USD", "ETH/USD"), 16, tier, ManualClock(), MinuteWindow(100, 25))


def test_limits_numbers_are_the_exchanges_own() -> None:
    """Written down twice, by two hands."""
    assert {name: (tier.points, tier.decay_e2 / 100, tier.open_orders)
            for name, tier in TIERS.items()} == RATE_TIERS
    counter = limits().trading
    counter.opened(0, 0)
    counter.confirmed(0, 0)
    for age_s in range(400):
        now_ns, age_us = age_s * 10**9, age_s * 10**6
        assert counter.amend_cost(0, now_ns) == (1 + by_age(AMEND_COST, age_us)) * POINT
        assert counter.cancel_cost(0, now_ns) == by_age(CANCEL_COST, age_us) * POINT


@pytest.mark.parametrize(("points", "name", "maximum"), [
    (60, "starter", 60), (125, "intermediate", 125), (180, "pro", 180), (500, "pro", 180),
    (100, "starter", 60), (20, "starter", 20)])
def test_limits_tier_of_a_threshold_is_never_the_better_one(
        points: int, name: str, maximum: int) -> None:
    assert (tier_of(points).name, tier_of(points).points) == (name, maximum)


def test_limits_the_lowest_until_the_venue_tells() -> None:
    ours = limits()
    assert ours.trading.maximum == 60 * POINT
    assert not ours.told(0)
    assert ours.told(180)
    assert not ours.told(180)
    assert (ours.trading.maximum, ours.trading.decay_e2) == (180 * POINT, 375)
    assert (ours.trading.reserve, ours.trading.orders_max) == (45 * POINT, 225)


def test_limits_a_named_tier_is_lowered_and_never_raised() -> None:
    ours = limits("intermediate")
    assert not ours.told(180)
    assert ours.trading.maximum == 125 * POINT
    assert ours.told(60)
    assert ours.trading.maximum == 60 * POINT


def test_limits_off_counts_and_never_refuses() -> None:
    ours = limits("off")
    assert not ours.told(60)
    for request in range(1, 200):
        assert ours.trading.would_take(0, 8 * POINT, 0)
        ours.trading.spend(0, 8 * POINT, request, 0)
    assert ours.left()["tier"] == "off"
    assert ours.left()["trading"] == {}
    assert ours.trading.used(0, 0) > 1000 * POINT


def test_limits_left_tells_every_limit() -> None:
    ours = limits("pro")
    clock_ns = ours._clock.mono_ns()
    ours.trading.spend(1, 8 * POINT, 1, clock_ns)
    ours.connects = lambda: (3, 150)
    ours.messages.take(2, clock_ns)
    ours.rest.take("Ledgers", clock_ns)
    left = ours.left()
    assert left["trading"]["ETH/USD"] == {
        "used": 8.0, "max": 180, "decay_per_s": 3.75, "cancel_reserve": 45.0, "open_orders": 0,
        "open_orders_max": 225}
    assert left["trading"]["BTC/USD"]["used"] == 0
    assert left["rest"] == {"used": 4, "max": 19}
    assert left["connections"] == {"used": 3, "max": 150}
    assert left["messages"] == {"used": 2, "max": 100, "cancel_reserve": 25}
    assert limits().left()["connections"] == {"used": 0, "max": 150}


def test_limits_rest_calls_wait_for_what_the_key_has_left() -> None:
    calls = RestCalls(TIERS["intermediate"])
    assert [calls.take("Balance", 0) for _ in range(19)] == [0.0] * 19
    assert calls.take("Balance", 0) == pytest.approx(2.0)
    assert calls.take("AddOrder", 0) == 0.0, "the trading engine counts it"
    assert calls.take("TradesHistory", 0) == pytest.approx(8.0)
    assert calls.used(0) == 19
    assert calls.take("Balance", 2 * 10**9) == 0.0
    assert rest_cost("Ledgers") == rest_cost("TradesHistory") == 4


def test_limits_rest_calls_follow_the_tier_and_what_was_used_stays_used() -> None:
    ours = limits()
    now_ns = ours._clock.mono_ns()
    assert [ours.rest.take("Balance", now_ns) for _ in range(3)] == [0.0] * 3
    assert (ours.rest.used(now_ns), ours.rest.maximum) == (3, 14)
    assert ours.told(180)
    assert (ours.rest.used(now_ns), ours.rest.maximum) == (3, 19)
    assert ours.rest.used(now_ns + 2 * 10**9) == 1


def used(ours: Limits) -> list[float]:
    return [row["used"] for row in ours.left()["trading"].values()]


def test_limits_go_on_where_an_earlier_run_ended() -> None:
    """What it sent just before its end still counts at the venue."""
    ours = limits("pro")
    now_us = ours._clock.now_us()
    ours.resume([(now_us - 100_000_000, 0, KIND_ORDER), (now_us - 4_000_000, 0, KIND_CANCEL),
                 (now_us - 2_000_000, 0, KIND_AMEND), (now_us - 2_000_000, 0, KIND_ORDER)], [1, 1])
    ours.begin()
    assert used(ours) == [0.0, 16.0], "all decayed; two orders that may be cancelled"
    ours.begin()
    assert used(ours)[1] == 16.0, "once"


@pytest.mark.parametrize(("since_s", "points"), [(0, 9.0), (5, 4.0), (61, 0.0), (-5, 9.0)])
def test_limits_of_an_earlier_run_decay_and_a_clock_that_went_back_takes_nothing_away(
        since_s: int, points: float) -> None:
    ours = limits("starter")
    at_us = ours._clock.now_us() - since_s * 1_000_000
    ours.resume([(at_us, 0, KIND_ORDER), (at_us, 0, KIND_CANCEL)], [])
    ours.begin()
    assert used(ours) == [points, 0.0]


def test_limits_more_than_is_kept_may_have_filled_the_counter() -> None:
    ours = limits("starter")
    now_us = ours._clock.now_us()
    ours.resume([(now_us - 9_000_000, 0, KIND_ORDER)] + [(now_us, 1, KIND_ORDER)] * 4095, [])
    ours.begin()
    assert used(ours) == [52.0, 60.0 + 4095]


def test_limits_that_nobody_used_begin_empty() -> None:
    ours = limits()
    ours.resume([], [])
    ours.begin()
    assert used(ours) == [0.0, 0.0]
    off = limits("off")
    off.resume([(off._clock.now_us(), 0, KIND_ORDER)], [0])
    off.begin()
    assert off.trading.would_take(0, POINT, 0)


@pytest.mark.parametrize(("text", "points"), [
    ('{"ratecount":12}', 12), ('{"rate_count":0}', 0), ('{"ratecount":12.75}', 12), ("{}", -1),
    ('{"ratecount":-1}', -1), ('{"ratecount":true}', -1), ('{"ratecount":"12"}', -1),
    ('{"ratecount":1e999}', -1), ('{"ratecount":' + "9" * 400 + "}", -1),
    ('{"ratecount":null,"rate_count":5}', -1)])
def test_limits_count_of_the_venue_is_read_under_both_names(text: str, points: int) -> None:
    assert points_told(codec.parse(text.encode())) == points
