"""One position: its cost is exact, its rules fire in order, adopting earns nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.errors import ConfigError
from hftbot.strategy.order_size import fee_check, least_lots, order_lots, percent, value_limit
from hftbot.strategy.position_cycler import ExitReason, ExitRules, PositionCycler
from scripted_desk import bitcoin

RULES = ExitRules()


def opened(lots=1_000, ticks=600_000, fee_e6=0, side=0):
    """A position bought (or sold) at time 0."""
    cycler = PositionCycler(RULES, fee_e6)
    assert cycler.fill(side, ticks, lots, 0) is None
    return cycler


def test_flat_stays_flat():
    assert PositionCycler(RULES).decide(1, 2, 10**12) == ExitReason.NONE


@pytest.mark.parametrize(("bid", "age_s", "reason"), [
    (599_400, 0, ExitReason.STOP_LOSS), (599_401, 299, ExitReason.NONE),
    (601_200, 0, ExitReason.PROFIT_TARGET), (601_199, 29, ExitReason.NONE),
    (600_600, 30, ExitReason.MIN_PROFIT), (600_599, 30, ExitReason.NONE),
    (600_000, 300, ExitReason.MAX_HOLD), (599_400, 300, ExitReason.STOP_LOSS)])
def test_rules_at_their_very_edge(bid, age_s, reason):
    assert opened().decide(bid, bid + 1, age_s * 10**6) == reason
    # A short position is the mirror image, left at the ask.
    ask = 1_200_000 - bid
    assert opened(side=1).decide(ask - 1, ask, age_s * 10**6) == reason


def trailing(fee_e6=0, side=0, **told):
    """A position at 600,000 with a trailing stop of 0.05 % once it made 0.1 %."""
    rules = ExitRules(trailing_stop_e6=500, trailing_start_e6=1_000, **told)
    cycler = PositionCycler(rules, fee_e6)
    cycler.fill(side, 600_000, 1_000, 0)
    return cycler


@pytest.mark.parametrize(("path", "reason"), [
    ((600_600, 600_299), ExitReason.TRAILING_STOP),  # 0.1 % made, 0.05 % of it given back
    ((600_599, 600_298), ExitReason.NONE),  # not yet made: it does not follow
    ((600_600, 600_301), ExitReason.NONE),  # not yet given back
    ((600_600, 601_100, 600_802), ExitReason.NONE),  # the best price counts, not the first
    ((600_600, 601_100, 600_799), ExitReason.TRAILING_STOP),
    ((600_600, 601_200), ExitReason.PROFIT_TARGET),
    ((600_600, 599_400), ExitReason.STOP_LOSS)])
def test_trailing_stop_follows_the_best_price_once_the_gain_was_there(path, reason):
    cycler, mirror = trailing(), trailing(side=1)
    found = [cycler.decide(bid, bid + 1, 0) for bid in path]
    assert found[-1] == reason
    assert set(found[:-1]) <= {ExitReason.NONE}
    # A short position is the mirror image, left at the ask.
    asks = [1_200_000 - bid for bid in path]
    assert [mirror.decide(ask - 1, ask, 0) for ask in asks] == found


def test_trailing_stop_counts_fees_before_it_follows_and_can_be_off():
    cycler = trailing(fee_e6=100)
    assert cycler.decide(600_600, 600_601, 0) == ExitReason.NONE
    assert cycler.decide(600_200, 600_201, 0) == ExitReason.NONE
    assert cycler.decide(600_800, 600_801, 0) == ExitReason.NONE
    assert cycler.decide(600_499, 600_500, 0) == ExitReason.TRAILING_STOP
    off = opened()
    assert off.decide(601_000, 601_001, 0) == off.decide(600_100, 600_101, 0) == ExitReason.NONE


def test_trailing_stop_forgets_the_best_price_of_an_earlier_position():
    cycler = trailing()
    cycler.decide(601_000, 601_001, 0)
    cycler.fill(1, 601_000, 1_000, 1)
    cycler.fill(0, 600_000, 1_000, 2)
    assert cycler.decide(600_100, 600_101, 3) == ExitReason.NONE


def test_a_maker_entry_pays_its_own_fee():
    cycler = PositionCycler(RULES, 500, 100)
    cycler.fill(0, 600_000, 1_000, 0)
    assert cycler.decide(601_560, 601_561, 0) == ExitReason.NONE
    assert cycler.decide(601_561, 601_562, 0) == ExitReason.PROFIT_TARGET


def test_fees_of_both_trades_are_counted_against_profit():
    cycler = opened(fee_e6=500)
    assert cycler.decide(601_800, 601_801, 0) == ExitReason.NONE
    assert cycler.decide(601_801, 601_802, 0) == ExitReason.PROFIT_TARGET


def test_adopted_position_starts_at_the_first_mid_without_age():
    cycler = PositionCycler(RULES)
    cycler.adopt(1_000)
    assert cycler.decide(600_000, 600_002, 10**12) == ExitReason.NONE
    assert cycler.cost2 == 2 * 600_001 * 1_000
    assert cycler.decide(599_400, 599_402, 10**12) == ExitReason.STOP_LOSS
    closed = cycler.fill(1, 600_001, 1_000, 10**12 + 5)
    assert closed == (1_000, 0, 5)


def test_adopted_position_that_trades_before_it_is_seen_takes_that_price():
    cycler = PositionCycler(RULES)
    cycler.adopt(1_000)
    assert cycler.fill(1, 600_000, 400, 7) is None
    assert cycler.fill(1, 600_010, 600, 9) == (1_000, 2 * 10 * 600, 2)


def test_a_fill_beyond_flat_turns_the_position():
    cycler = opened(10, 100)
    assert cycler.fill(1, 110, 25, 3) == (10, 200, 3)
    assert (cycler.lots, cycler.cost2, cycler.opened_us) == (-15, 2 * 110 * 15, 3)


def test_settling_earns_nothing():
    cycler = opened(10, 100)
    assert cycler.settle(10, 90, 92, 1) == 0
    assert cycler.settle(4, 90, 92, 1) == -6
    assert cycler.cost2 == 2 * 100 * 4
    assert cycler.settle(6, 90, 92, 1) == 2
    assert cycler.cost2 == 800 + 2 * 182
    cycler.settle(-3, 90, 92, 1)
    assert (cycler.lots, cycler.cost2) == (-3, 3 * 182)
    assert cycler.settle(0, 90, 92, 1) == 3
    assert (cycler.lots, cycler.cost2) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 10**7), st.integers(1, 10**10)),
                max_size=30))
def test_profit_is_exactly_the_cash(fills):
    """Over round trips nothing is made or lost by rounding: profit is cash whenever flat."""
    cycler, cash2, profit2, lots_held = PositionCycler(RULES), 0, 0, 0
    for now_us, (side, ticks, lots) in enumerate(fills):
        closed = cycler.fill(side, ticks, lots, now_us)
        sign = 1 - 2 * side
        lots_held += sign * lots
        cash2 -= sign * 2 * ticks * lots
        profit2 += closed.profit2 if closed else 0
        assert cycler.lots == lots_held
        assert cycler.cost2 >= 0
        if cycler.lots == 0:
            assert profit2 == cash2
    if cycler.lots:
        sign = 1 if cycler.lots > 0 else -1
        closed = cycler.fill(0 if sign < 0 else 1, 1, abs(cycler.lots), 99)
        assert profit2 + closed.profit2 == cash2 + 2 * sign * abs(lots_held)


@pytest.mark.parametrize("wrong", [
    {"profit_target_e6": 0}, {"stop_loss_e6": -1}, {"max_hold_us": 0}, {"min_profit_e6": -1},
    {"min_hold_us": -1}, {"trailing_stop_e6": -1}, {"trailing_start_e6": -1}])
def test_rules_that_cannot_be_meant(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ExitRules(**wrong)


def test_percent_is_plain():
    assert [percent(n) for n in (2_000, 8_000, -6_000, 10_000, 1, 0, 1_000_000)] == [
        "0.2 %", "0.8 %", "-0.6 %", "1 %", "0.0001 %", "0 %", "100 %"]


def test_fee_check_takes_free_and_refuses_what_fees_eat():
    fee_check(bitcoin(), 1)
    fee_check(bitcoin(taker_fee_e6=999), 2_000)
    with pytest.raises(ConfigError, match=r"--fees free"):
        fee_check(bitcoin(taker_fee_e6=1_000), 2_000)


@given(ticks=st.integers(1, 10**8), dollars=st.decimals("0.01", "100000", places=2))
def test_order_lots_never_cost_more_and_never_fall_below_the_minimum(ticks, dollars):
    instrument = bitcoin()
    if value_limit(instrument, dollars) // ticks < least_lots(instrument, ticks):
        with pytest.raises(ConfigError, match="needs at least"):
            order_lots(instrument, ticks, dollars)
        return
    lots = order_lots(instrument, ticks, dollars)
    value = Decimal(ticks * lots).scaleb(-9)
    assert value <= dollars < value + Decimal(ticks).scaleb(-9)
    assert lots >= least_lots(instrument, ticks) >= instrument.lots_min
    assert value >= instrument.cost_min


def test_value_limit_rounds_the_way_it_is_asked():
    assert value_limit(bitcoin(), Decimal("0.5000000001")) == 500_000_000
    assert value_limit(bitcoin(), Decimal("0.5000000001"), up=True) == 500_000_001


def test_adopted_position_of_known_cost_is_as_old_as_it_is() -> None:
    """The holding clock outlives a run: it is not marked at the price of now."""
    cycler = PositionCycler(ExitRules(max_hold_us=300_000_000))
    cycler.adopt(1_000, 1_000 * 50_000, 100_000_000)
    assert (cycler.priced, cycler.cost2, cycler.opened_us) == (True, 2 * 50_000_000, 100_000_000)
    assert cycler.decide(50_000, 50_002, 399_999_999) == ExitReason.NONE
    assert cycler.decide(50_000, 50_002, 400_000_000) == ExitReason.MAX_HOLD
    cycler.adopt(-1_000, -1_000 * 50_000, 5)
    assert cycler.cost2 == 2 * 50_000_000
