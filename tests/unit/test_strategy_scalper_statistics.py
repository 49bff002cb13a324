"""What the scalper tells of itself: percentiles, velocity, results by market and hour, hints."""

from __future__ import annotations

import json
import math
import re

from hypothesis import given
from hypothesis import strategies as st

from hftbot.config.schema import keys
from hftbot.strategy.micro_scalper import MicroScalper
from hftbot.strategy.position_cycler import ClosedTrade, ExitReason
from hftbot.strategy.scalper_statistics import HOUR_US, Durations, ScalperStatistics
from scripted_desk import START_US, ScriptedDesk, bitcoin

SECOND = 1_000_000
NOON_US = START_US // (24 * HOUR_US) * 24 * HOUR_US + 12 * HOUR_US


def figures(*rows, symbol="BTC/USD", now_us=NOON_US):
    """Trades of (reason, gross dollars, fees) a second apart."""
    made = ScalperStatistics(["BTC/USD", "ETH/USD"])
    made.begin(now_us)
    add(made, symbol, now_us, *rows)
    return made


def add(made, symbol, now_us, *rows):
    for number, (reason, gross, fees) in enumerate(rows):
        made.closed(symbol, reason, ClosedTrade(1, 2, 2 * SECOND), round(gross * 1e10),
                    round(fees * 1e10), now_us + number * SECOND)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=1_200))
def test_percentiles_are_those_of_the_last_thousand(durations):
    kept = Durations()
    for one in durations:
        kept.add(one)
    last = sorted(durations[-1000:])
    for percent in (50, 95, 99, 100):
        wanted = last[math.ceil(len(last) * percent / 100) - 1] / 1000
        assert kept.percentile_us(percent) == wanted
    assert kept.content()["count"] == len(durations)


def test_no_execution_is_no_percentile():
    assert Durations().content() == {"count": 0, "p50_us": 0.0, "p95_us": 0.0, "p99_us": 0.0,
                                     "max_us": 0.0}


def test_results_by_market_hour_and_exit():
    made = figures((ExitReason.PROFIT_TARGET, 2, 0.5), (ExitReason.STOP_LOSS, -1, 0.5))
    add(made, "ETH/USD", NOON_US + 3 * HOUR_US, (ExitReason.PROFIT_TARGET, 0.25, 0.5))
    content = made.content(NOON_US + 3 * HOUR_US)
    assert content["symbols"]["BTC/USD"] == {"trades": 2, "wins": 1, "win_rate": 0.5, "net": 0.0,
                                             "fees": 1.0, "held_mean_s": 2.0}
    assert content["symbols"]["ETH/USD"]["net"] == -0.25
    assert {hour: row["trades"] for hour, row in content["hours"].items()} == {"12": 2, "15": 1}
    assert {name: row["trades"] for name, row in content["exits_by"].items()} == {
        "stop_loss": 1, "profit_target": 2}
    assert made.all.net_e10 == round(-0.25e10)
    json.dumps(content)


def test_velocity_is_of_the_last_minute_and_hour_and_since_the_start():
    made = figures(*[(ExitReason.MAX_HOLD, 0, 0)] * 90)
    assert made.velocity(NOON_US + 90 * SECOND) == {
        "last_minute": 59, "last_hour": 90, "per_hour": 3_600.0, "per_day": 86_400.0}
    assert made.velocity(NOON_US + 2 * HOUR_US) == {
        "last_minute": 0, "last_hour": 0, "per_hour": 45.0, "per_day": 1_080.0}


def test_a_market_s_record_weighs_its_signals_and_never_silences_it():
    assert figures().priority_pct("BTC/USD") == 100
    winner = figures(*[(ExitReason.PROFIT_TARGET, 1, 0)] * 90)
    loser = figures(*[(ExitReason.STOP_LOSS, -1, 0)] * 90)
    assert (winner.priority_pct("BTC/USD"), loser.priority_pct("BTC/USD")) == (145, 55)
    assert winner.priority_pct("ETH/USD") == 100


def hints(made, late=0, post_only=False, **counts):
    return "\n".join(made.hints(counts, late, post_only))


def test_hints_say_what_the_figures_suggest():
    old = figures(*[(ExitReason.MAX_HOLD, 0.1, 0)] * 10)
    assert "10 of 10 trades left only because of their age: lower PROFIT_TARGET_PCT" in hints(old)
    stops = figures(*[(ExitReason.STOP_LOSS, -1, 0)] * 10)
    assert "10 of 10 trades ended at the stop, -10.000000 together" in hints(stops)
    assert "BTC/USD lost 10.000000 in 10 trades, 0 won: take it off SYMBOLS" in hints(stops)
    trailed = figures(*[(ExitReason.TRAILING_STOP, -1, 0)] * 10)
    assert "raise TRAILING_START_PCT" in hints(trailed)
    fees = figures(*[(ExitReason.PROFIT_TARGET, 1, 2)] * 10)
    assert "fees of 20.000000 ate the gross profit of 10.000000" in hints(fees)
    assert "6 of 10 entries found nothing" in hints(figures(), entries=10, unfilled_entries=6)
    resting = hints(figures(), post_only=True, entries=10, unfilled_entries=6)
    assert "raise ENTRY_REST_MS" in resting
    assert "11 entries were held back by the limits" in hints(figures(), rate_denials=11)
    assert "101 signals met a spread" in hints(figures(), entries=1, wide_spreads=101)
    assert "3 orders passed EXECUTION_DEADLINE_MS" in hints(figures(), late=3)


def test_an_hour_that_loses_while_the_others_earn_is_named():
    made = figures(*[(ExitReason.PROFIT_TARGET, 5, 0)] * 10)
    add(made, "ETH/USD", NOON_US + HOUR_US, *[(ExitReason.MAX_HOLD, -1, 0)] * 10)
    assert "the hour from 13:00 UTC lost 10.000000 in 10 trades" in hints(made)


def test_slow_orders_are_named_with_their_percentile():
    made = figures()
    for _ in range(10):
        made.executed(True, 300_000_000, 150_000_000)
    assert "one order in a hundred takes 150 ms or longer, the target is 100 ms" in hints(made)


def test_nothing_is_suggested_without_evidence():
    few = figures(*[(ExitReason.STOP_LOSS, -1, 0)] * 9)
    assert hints(few, entries=9, unfilled_entries=9, wide_spreads=99) == ""
    good = figures(*[(ExitReason.PROFIT_TARGET, 1, 0)] * 50)
    assert hints(good, entries=100, unfilled_entries=10) == ""


def test_the_scalper_counts_its_executions_by_the_world_s_clock():
    """The order takes what the desk takes, whatever this machine does meanwhile."""
    desk = ScriptedDesk(bitcoin(taker_fee_e6=0), delay_us=7_000)
    desk.start(MicroScalper(momentum={"warm_up_us": 0, "updates_min": 1}))
    desk.show(600_000, 600_001, 10**9, 10**7)
    desk.run(7_000)
    desk.show(602_000, 602_001)
    desk.run(7_000)
    counted = desk.strategy.statistics()
    for name, count in (("entry", 1), ("exit", 1), ("order", 2)):
        assert counted["executions"][name] == {"count": count, "p50_us": 7_000.0,
                                               "p95_us": 7_000.0, "p99_us": 7_000.0,
                                               "max_us": 7_000.0}
    assert counted["velocity"]["last_hour"] == counted["trades"] == 1
    assert counted["net"] == counted["gross"] > 0
    assert counted["hints"] == []
    json.dumps(counted)


def test_it_can_be_asked_before_it_began():
    counted = MicroScalper(target_day=100).statistics()
    assert counted["trades"] == counted["entries"] == counted["pace"]["opened_hour"] == 0
    json.dumps(counted)


def test_hints_name_settings_that_exist():
    rows = [(reason, -1, 2) for reason in ExitReason for _ in range(10)]
    said = [hints(figures(*[row] * 10), late=1, entries=10, unfilled_entries=9, wide_spreads=999)
            for row in (*rows, (ExitReason.PROFIT_TARGET, 1, 2))]
    made = figures(*[(ExitReason.PROFIT_TARGET, 5, 0)] * 10)
    add(made, "ETH/USD", NOON_US + HOUR_US, *[(ExitReason.MAX_HOLD, -1, 0)] * 10)
    named = set(re.findall(r"[A-Z]+_[A-Z_]+|SYMBOLS", "\n".join([*said, hints(made)])))
    assert len(named) > 7
    assert sorted(named - set(keys())) == []
