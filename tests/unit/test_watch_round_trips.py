"""watch.round_trips and watch.trade_report: fills to trips, trips to figures, figures to hints."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest

from hftbot.watch import trade_report
from hftbot.watch.round_trips import Matcher, TradedFill

SECOND_US = 1_000_000
MIDNIGHT_US = 1_795_219_200 * SECOND_US  # 2026-11-21 00:00 UTC


def fill(second, side, size, price, order="", **changes):
    return TradedFill(ts_us=MIDNIGHT_US + int(second * SECOND_US),
                      strategy=changes.pop("strategy", "scalper"),
                      symbol=changes.pop("symbol", "BTC/USD"), buy=side == "buy", size=size,
                      price=price, fee=changes.pop("fee", 0.0), order=order or f"{side}{second}",
                      **changes)


def matched(*fills):
    matcher = Matcher()
    matcher.feed(fills)
    return matcher


def test_trips_one_entry_and_one_exit():
    trip, = matched(fill(1, "buy", 2.0, 100.0, fee=0.5),
                    fill(4, "sell", 2.0, 103.0, fee=0.7, intent="exit profit_target")).trips
    assert trip.size == 2.0
    assert trip.gross == pytest.approx(6.0)
    assert trip.fees == pytest.approx(1.2)
    assert trip.net == pytest.approx(4.8)
    assert trip.held_us == 3 * SECOND_US
    assert trip.long
    assert trade_report.exit_reason(trip) == "profit_target"


def test_trips_are_first_in_first_out():
    found = matched(fill(1, "buy", 1.0, 100.0), fill(2, "buy", 1.0, 110.0),
                    fill(3, "sell", 1.5, 120.0))
    assert [(trip.entry_order, trip.size, trip.gross) for trip in found.trips] == [
        ("buy1", 1.0, 20.0), ("buy2", 0.5, 5.0)]
    rest, = found.rest()
    assert (rest.size, rest.average_price) == (0.5, 110.0)


def test_trips_partial_fills_of_one_order_are_one_trip():
    found = matched(fill(1, "buy", 1.0, 100.0, "in", fee=0.1), fill(2, "buy", 1.0, 101.0, "in"),
                    fill(5, "sell", 0.5, 102.0, "out"), fill(6, "sell", 1.5, 103.0, "out", fee=0.3))
    trip, = found.trips
    assert trip.size == 2.0
    assert trip.gross == pytest.approx(0.5 * 2 + 0.5 * 3 + 1.0 * 2)
    assert trip.fees == pytest.approx(0.4)
    assert trip.held_us == 5 * SECOND_US
    assert found.rest() == []


def test_trips_a_short_earns_when_the_price_falls_and_may_turn():
    found = matched(fill(1, "sell", 1.0, 100.0), fill(2, "buy", 3.0, 90.0),
                    fill(3, "sell", 2.0, 80.0))
    assert [(trip.long, trip.gross) for trip in found.trips] == [(False, 10.0), (True, -20.0)]


def test_trips_do_not_mix_strategies_or_symbols():
    found = matched(fill(1, "buy", 1.0, 100.0), fill(2, "sell", 1.0, 110.0, strategy="other"),
                    fill(3, "sell", 1.0, 120.0, symbol="ETH/USD"))
    assert found.trips == []
    assert sorted((rest.strategy, rest.symbol, rest.size) for rest in found.rest()) == [
        ("other", "BTC/USD", -1.0), ("scalper", "BTC/USD", 1.0), ("scalper", "ETH/USD", -1.0)]


def test_trips_that_a_human_closed_belong_to_the_strategies_that_opened_them():
    """`hftbot flatten` sells what anybody holds there, the oldest first."""
    found = matched(fill(1, "buy", 1.0, 100.0), fill(2, "buy", 1.0, 90.0, strategy="other"),
                    fill(3, "buy", 5.0, 10.0, symbol="ETH/USD"),
                    fill(4, "sell", 2.5, 110.0, strategy="operator", spot=True, fee=0.5,
                         intent="exit flatten"))
    assert [(trip.strategy, trip.size, trip.gross) for trip in found.trips] == [
        ("scalper", 1.0, 10.0), ("other", 1.0, 20.0)]
    assert {trade_report.exit_reason(trip) for trip in found.trips} == {"flatten"}
    assert sum(trip.fees for trip in found.trips) == pytest.approx(0.4)
    assert found.strange == {"BTC/USD": 0.5}
    assert [rest.symbol for rest in found.rest()] == ["ETH/USD"]


def test_trips_on_spot_another_strategy_sells_what_the_last_run_left():
    """Positions are taken over by the next run, whatever strategy it has: none is left open."""
    found = matched(fill(1, "buy", 1.0, 100.0, spot=True, fee=0.2),
                    fill(2, "buy", 0.5, 90.0, strategy="other", spot=True),
                    fill(3, "sell", 1.5, 110.0, strategy="other", spot=True, fee=0.3))
    assert [(trip.strategy, trip.size, trip.gross) for trip in found.trips] == [
        ("other", 0.5, 10.0), ("scalper", 1.0, 10.0)]
    assert sum(trip.fees for trip in found.trips) == pytest.approx(0.5)
    assert found.rest() == []
    assert found.strange == {}


def test_trips_on_spot_a_sale_of_what_was_never_bought_is_no_short():
    found = matched(fill(1, "sell", 0.3, 100.0, spot=True), fill(2, "buy", 1.0, 100.0, spot=True),
                    fill(3, "sell", 1.0, 105.0, spot=True))
    assert found.strange == {"BTC/USD": 0.3}
    assert [trip.gross for trip in found.trips] == [5.0]


def test_trips_money_is_conserved_whatever_the_order_of_fills():
    """Net of trips and of what is left equals cash plus holdings, for any fills."""
    rng = random.Random(7)
    for _ in range(200):
        fills = [fill(second, rng.choice(("buy", "sell")), rng.randrange(1, 9) / 8,
                      rng.randrange(90, 110), order=f"o{rng.randrange(6)}", fee=rng.random(),
                      symbol=rng.choice(("A/USD", "B/USD"))) for second in range(30)]
        found = matched(*fills)
        cash, held = 0.0, defaultdict(float)
        for one in fills:
            cash += one.size * one.price * (-1 if one.buy else 1)
            held[one.symbol] += one.size * (1 if one.buy else -1)
        rest = found.rest()
        assert {row.symbol: pytest.approx(row.size) for row in rest} == {
            symbol: size for symbol, size in held.items() if size}
        worth = sum(row.size * row.average_price for row in rest)
        assert sum(trip.gross for trip in found.trips) == pytest.approx(cash + worth)
        closed = sum(trip.fees for trip in found.trips)
        assert 0 <= closed <= sum(one.fee for one in fills) + 1e-9


def test_report_of_nothing():
    told = trade_report.figures([], trade_report.order_figures([]))
    assert told["trips"]["count"] == 0
    assert "none yet" in trade_report.text({**told, "state": "here"})


def many(count, net, symbol="BTC/USD", hour=0, intent="exit max_hold", fee=0.0):
    """``count`` round trips that each make ``net`` before fees."""
    fills = []
    for number in range(count):
        second = hour * 3600 + number * 20
        fills += [fill(second, "buy", 1.0, 100.0, f"in{symbol}{second}", symbol=symbol, fee=fee),
                  fill(second + 10, "sell", 1.0, 100.0 + net, f"out{symbol}{second}",
                       symbol=symbol, intent=intent, fee=fee)]
    return fills


def told_of(*groups, orders=()):
    fills = sorted((one for group in groups for one in group), key=lambda one: one.ts_us)
    return trade_report.figures(fills, trade_report.order_figures(orders))


def test_report_figures_by_symbol_hour_and_exit():
    told = told_of(many(30, 2.0, intent="exit profit_target"),
                   many(20, -1.0, "ETH/USD", hour=5, intent="exit stop_loss"))
    trips = told["trips"]
    assert (trips["count"], trips["won"], trips["lost"]) == (50, 30, 20)
    assert trips["win_rate"] == pytest.approx(0.6)
    assert trips["net"] == pytest.approx(40.0)
    assert trips["profit_factor"] == pytest.approx(3.0)
    assert trips["held_us"]["p50"] == 10 * SECOND_US
    assert told["by_symbol"]["ETH/USD"]["net"] == pytest.approx(-20.0)
    assert set(told["by_hour"]) == {"00", "05"}
    assert told["by_exit"]["profit_target"]["count"] == 30
    assert told["by_exit"]["stop_loss"]["win_rate"] == 0
    assert told["velocity"]["fills_in_busiest_minute"] == 6
    assert told["velocity"]["trips_on_busiest_day"] == 50
    page = trade_report.text({**told, "state": "here", "synthetic": True})
    for wanted in ("(simulated)", "win rate 60.0%", "+40.0000 net of fees",
                   "By symbol", "By hour UTC", "By exit reason", "stop loss", "synthetic"):
        assert wanted in page, wanted
    assert max(map(len, page.splitlines())) <= 90


@pytest.mark.parametrize(("told", "hint"), [
    (told_of(many(5, 1.0)), "only 5 round trips"),
    (told_of(many(40, 1.0, fee=0.3)), "fees take 60% of the gross profit"),
    (told_of(many(20, 1.0), many(20, -2.0, hour=3)), "needs 67% wins, there are 50%"),
    (told_of(many(20, 9.0), many(12, -2.0, "ETH/USD", hour=3)), "ETH/USD lost 24.0000 in 12 trips"),
    (told_of(many(20, 9.0), many(12, -2.0, hour=3)), "the hours 03 (UTC) lose"),
    (told_of(many(40, -1.0)), "40 of 40 exits are max hold and cost 40.0000"),
    (told_of(many(40, 1.0), orders=[("canceled", "ioc", "", 5), ("filled", "ioc", "", 5)] * 6),
     "50% of 12 orders that take did not fill"),
    (told_of(many(40, 1.0), orders=[("rejected", "gtc", "EOrder:Insufficient funds", 5)]
             + [("filled", "gtc", "", 5)] * 3), "refused 1 of 4 orders, most often: EOrder:Ins")])
def test_report_hints_rest_on_figures(told, hint):
    assert any(hint in found for found in told["hints"]), told["hints"]


@pytest.mark.parametrize("told", [
    told_of(many(9, 9.0), many(12, -2.0, hour=3)), told_of(many(20, -1.0, "ETH/USD"))])
def test_report_gives_no_advice_on_trips_too_few_to_judge(told):
    assert not any("lost" in hint or "lose" in hint or "exits" in hint for hint in told["hints"])


@pytest.mark.parametrize(("intent", "reason"), [
    ("exit stop_loss", "stop_loss"), ("quote 0 lean 1.34", "quote"), ("held enough", "held enough"),
    ("12 s old", "other"), ("", "unknown")])
def test_report_groups_exits_by_their_words_and_not_by_their_figures(intent, reason):
    assert list(told_of(many(2, 1.0, intent=intent))["by_exit"]) == [reason]


def test_report_blames_no_exit_reason_that_it_does_not_know():
    trips = [replace(one, intent="") for one in many(40, -1.0)]
    assert not any("exits" in hint for hint in told_of(trips)["hints"])


def test_report_has_no_hint_where_all_is_well():
    assert told_of(many(60, 1.0), many(10, -0.5, hour=0), orders=[("filled", "ioc", "", 9)] * 99
                   )["hints"] == []


def test_report_orders_percentiles_count_orders_that_take():
    rows = [("filled", "ioc", "", wait) for wait in range(1, 101)]
    told = trade_report.order_figures([*rows, ("rejected", "ioc", "no", 9_999),
                                       ("canceled", "gtc", "", 10**9)])
    assert told["execution_us"] == {"p50": 50, "p95": 95, "p99": 99}
    assert told["states"] == {"filled": 100, "rejected": 1, "canceled": 1}
    assert told["refusals"] == {"no": 1}


@pytest.mark.parametrize(("won", "count", "low", "high"), [
    (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (15, 25, 0.4074, 0.7660)])
def test_report_interval_of_wilson(won, count, low, high):
    """Against published values (two sided, 95 %)."""
    assert trade_report.wilson(won, count) == (pytest.approx(low, abs=1e-4),
                                               pytest.approx(high, abs=1e-4))
    assert trade_report.wilson(0, 0) == (None, None)
