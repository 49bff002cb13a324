"""How often a day: a hundred at best, fifty when it goes badly, none after a row of losses."""

from __future__ import annotations

import pytest

from hftbot.errors import ConfigError
from hftbot.strategy.trade_pace import DAY_US, HOUR_US, PAUSE_US, TradePace

MIDNIGHT_US = 20_000 * DAY_US


def play(pace, hours, result_e10=1):
    """Enter whenever the pace lets us, each ten seconds; how many positions that opens."""
    opened = 0
    for now_us in range(MIDNIGHT_US, MIDNIGHT_US + hours * HOUR_US, 10_000_000):
        if pace.admits(now_us):
            pace.opened(now_us)
            pace.closed(result_e10, now_us)
            opened += 1
    return opened


def test_no_target_is_no_pace():
    pace = TradePace()
    assert all(pace.admits(MIDNIGHT_US, pending) for pending in range(1_000))
    assert pace.text(0) == ""
    with pytest.raises(ConfigError, match="TARGET_DAILY_TRADES"):
        TradePace(-1)


def test_a_target_of_a_hundred_means_eight_an_hour_and_a_hundred_a_day():
    assert play(TradePace(100), 1) == 8
    assert play(TradePace(100), 24) == 100
    pace = TradePace(100)
    play(pace, 24)
    assert not pace.admits(MIDNIGHT_US + DAY_US - 1)
    assert pace.admits(MIDNIGHT_US + DAY_US + HOUR_US)
    assert pace.opened_day == 0


def test_entries_on_their_way_count():
    pace = TradePace(100)
    assert pace.admits(MIDNIGHT_US, 7)
    assert not pace.admits(MIDNIGHT_US, 8)


def results(pace, *e10):
    for value in e10:
        pace.closed(value, MIDNIGHT_US)


def test_losses_throttle_to_three_quarters_then_to_one_half_and_profit_frees():
    pace = TradePace(100)
    results(pace, *(-9, 1) * 4)
    assert pace.share_pct == 100  # eight trades do not judge
    results(pace, -9, 1)
    assert (pace.share_pct, pace.hour_most(), pace.day_most()) == (75, 6, 75)
    assert "75 % of the pace: the last 10 trades lost" in pace.text(MIDNIGHT_US)
    results(pace, *(-9, -9, 1) * 7)
    assert (pace.share_pct, pace.hour_most(), pace.day_most()) == (50, 4, 50)
    results(pace, 1_000)
    assert (pace.share_pct, pace.text(MIDNIGHT_US)) == (100, "")


def test_the_worst_day_opens_between_its_half_and_its_target():
    """Always losing, and pausing after each five: the pace never falls below one half."""
    opened = play(TradePace(100), 24, -1)
    assert 50 <= opened <= 75


def test_five_losses_in_a_row_pause_entries_for_five_minutes():
    pace = TradePace(100)
    results(pace, 1, -1, -1, -1, -1)
    assert pace.admits(MIDNIGHT_US)
    results(pace, -1)
    assert not pace.admits(MIDNIGHT_US)
    assert "5 trades in a row lost" in pace.text(MIDNIGHT_US)
    assert not pace.admits(MIDNIGHT_US + PAUSE_US - 1)
    assert pace.admits(MIDNIGHT_US + PAUSE_US)


def test_a_small_target_still_trades():
    pace = TradePace(1)
    assert (pace.day_most(), pace.hour_most()) == (1, 1)
    assert play(pace, 24) == 1


def test_the_hint_says_why_signals_were_let_pass_and_when_the_next_may_enter():
    pace = TradePace(100)
    play(pace, 1)
    now_us = MIDNIGHT_US + HOUR_US // 2
    assert pace.hints(0, now_us) == []
    told, = pace.hints(7, now_us)
    assert told.startswith("7 signals were let pass: 8 positions were opened within an hour")
    assert "The next may open in 30 minutes; TARGET_DAILY_TRADES=0 takes the limit off" in told
    assert pace.hints(7, MIDNIGHT_US + 2 * HOUR_US) == []
    play(pace, 24)
    told, = pace.hints(7, MIDNIGHT_US + DAY_US - 90_000_000)
    assert "100 positions were opened this UTC day" in told
    assert "The next may open in 2 minutes" in told
    assert TradePace().hints(7, MIDNIGHT_US) == []
