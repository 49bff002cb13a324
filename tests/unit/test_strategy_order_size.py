"""How large an entry is: a value or a part of the equity, two caps, and the venue's minimum."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from hftbot.errors import ConfigError
from hftbot.strategy.micro_scalper import MicroScalper
from hftbot.strategy.order_size import OrderTemplate, SizeRule, fee_check, order_lots, worth_e10
from hftbot.words.market import Side
from scripted_desk import ScriptedDesk, bitcoin

BID, SECOND = 600_000, 1_000_000
EAGER = {"warm_up_us": 0, "updates_min": 1}


def usd(text):
    """In 1e-10 dollars."""
    return int(Decimal(text) * 10**10)


def begin(*instruments, answers=("fill",), **size):
    """A desk with an eager scalper of that size on it."""
    desk = ScriptedDesk(*(instruments or (bitcoin(),)), answers=answers)
    desk.start(MicroScalper(size=SizeRule(**size), momentum=EAGER))
    return desk


def trade(desk, bid, out_bid):
    """In at one price, out at another."""
    for _ in range(3):
        desk.show(bid, bid + 1, 10**9, 10**7)
        desk.run(20_000)
    assert desk.held[0] > 0
    desk.show(out_bid, out_bid + 1)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    desk.run(SECOND)


def values(desk):
    """What the entries were worth, in dollars."""
    return [float(order.ticks * order.lots) / 1e9 for order in desk.placed
            if order.side == Side.BUY]


def test_a_fixed_size_stays_what_it_is():
    rule = SizeRule(Decimal(100))
    assert rule.value(usd("500"), usd("9999")) == (Decimal(100), "ORDER_SIZE_USD")


def test_a_part_of_the_equity_compounds():
    rule = SizeRule(order_pct_e6=100_000, capital_usd=Decimal(2_000))
    assert rule.value(0, 0)[0] == Decimal(200)
    assert rule.value(usd("500"), 0)[0] == Decimal(250)
    value, how = rule.value(-usd("1000.55"), 0)
    assert value == Decimal("99.94")
    assert how == "ORDER_SIZE_PCT: 10 % of the equity 999.45"
    assert rule.value(-usd("3000"), 0)[0] == 0


@pytest.mark.parametrize("rounding", [decimal.ROUND_HALF_UP, decimal.ROUND_CEILING])
def test_a_library_that_rounds_its_own_way_does_not_change_a_size(rounding):
    """ccxt sets the context's rounding for the whole process."""
    rule = SizeRule(order_pct_e6=100_000, capital_usd=Decimal(2_000))
    with decimal.localcontext() as context:
        context.rounding = rounding
        assert rule.value(-usd("1000.55"), 0)[0] == Decimal("99.94")
        assert rule.value(0, usd("1950.005"))[0] == Decimal("49.99")


def test_it_compounds_over_the_trades_of_a_run():
    desk = begin(order_pct_e6=500_000, capital_usd=Decimal(1_000))
    for bid in (600_000, 660_000, 726_000):
        trade(desk, bid, bid * 11 // 10)
    first, second, third = values(desk)
    assert first == pytest.approx(500, abs=0.01)
    # Half of the equity makes 10 %: it grows by 5 % a trade.
    assert second == pytest.approx(525, rel=1e-4)
    assert third == pytest.approx(551.25, rel=1e-4)


def test_no_entry_is_larger_than_its_cap():
    rule = SizeRule(Decimal(100), position_usd_max=Decimal(70))
    value, how = rule.value(0, 0)
    assert value == 70
    assert "MAX_POSITION_SIZE_USD" in how
    assert values_after_one(position_usd_max=Decimal(70)) == [pytest.approx(70, abs=0.01)]


def values_after_one(**size):
    desk = begin(**size)
    desk.show(BID, BID + 1, 10**9, 10**7)
    return values(desk)


def test_all_positions_and_entries_together_stay_within_the_capital():
    """Three markets, 100 each, 250 in all: the third entry gets what is left, a fourth nothing."""
    grids = [bitcoin(index) for index in range(4)]
    desk = begin(*grids, answers=("fill", "silent", "fill"), order_usd=Decimal(100),
                 capital_usd=Decimal(250))
    for index in range(4):
        desk.show(BID, BID + 1, 10**9, 10**7, index)
        desk.run(desk.delay_us)
    assert values(desk) == [pytest.approx(100, abs=0.01), pytest.approx(100, abs=0.01),
                            pytest.approx(50, abs=0.01)]
    refused = desk.strategy.statistics()["refused"]
    assert "capped by CAPITAL_USD: 250 - 2" in refused
    assert "below the minimum of 0.00005000 BTC" in refused


def test_a_part_below_the_venue_minimum_is_refused_with_its_arithmetic():
    desk = ScriptedDesk(bitcoin())
    desk.books[0].set(BID, BID + 1)
    with pytest.raises(ConfigError, match=r"ORDER_SIZE_PCT: 0\.1 % of the equity 2000\.00: 2\.00 "
                                          r"USD / 60000\.1 = 0\.00003333 BTC, below the minimum"):
        desk.start(MicroScalper(size=SizeRule(order_pct_e6=1_000, capital_usd=Decimal(2_000))))


@pytest.mark.parametrize("wrong", [
    {"order_usd": Decimal(0)}, {"position_usd_max": Decimal(-1)}, {"capital_usd": Decimal(0)},
    {"order_pct_e6": -1}, {"order_pct_e6": 1_000_001}, {"order_pct_e6": 10}])
def test_rules_that_cannot_be_meant(wrong):
    with pytest.raises(ConfigError):
        SizeRule(**wrong)


def test_a_template_says_what_the_slow_arithmetic_says():
    grid = bitcoin()
    template = OrderTemplate(grid, 20, 500)
    for ticks in (1, 999, 600_001, 10**7):
        for value in (Decimal("0.49"), Decimal(2), Decimal("3.01"), Decimal(100)):
            try:
                slow = order_lots(grid, ticks, value)
            except ConfigError:
                slow = 0
            assert template.lots(ticks, value) == slow
    assert template.entry_ticks(True, BID, BID + 1) == BID + 1 + 12
    assert template.entry_ticks(False, BID, BID + 1) == BID - 12
    assert template.exit_ticks(False, BID, BID + 1) == BID - 300
    resting = OrderTemplate(grid, 20, 500, post_only=True)
    assert resting.entry_ticks(True, BID, BID + 1) == BID
    assert resting.entry_ticks(False, BID, BID + 1) == BID + 1


def test_worth_is_exact():
    assert worth_e10(bitcoin(), 600_001 * 12_345) == 600_001 * 12_345 * 10


def refusal(target_e6, post_only=False, **fees):
    with pytest.raises(ConfigError) as caught:
        fee_check(bitcoin(**fees), target_e6, post_only)
    return str(caught.value)


def test_the_refusal_of_a_target_offers_what_would_pay():
    base = {"taker_fee_e6": 4_000, "maker_fee_e6": 2_500}
    text = refusal(2_000, **base)
    assert "0.4 % to enter + 0.4 % to leave = 0.8 % of the value" in text
    assert "0.2 % - 0.8 % = -0.6 % net" in text
    assert "Set PROFIT_TARGET_PCT above 0.8, " in text
    assert "ENTRY_ORDER=post_only (0.25 % + 0.4 % = 0.65 %) and a target above 0.65" in text
    assert "which pays 0.25 % + 0.4 % = 0.65 %" in refusal(7_000, **base)
    fee_check(bitcoin(**base), 8_001)
    fee_check(bitcoin(**base), 6_501, post_only=True)
    resting = refusal(6_500, post_only=True, **base)
    assert "the maker fee is 0.25 % to enter and the taker fee + 0.4 % to leave" in resting
    assert "post_only" not in resting
