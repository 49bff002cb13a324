"""Momentum: what it says of plain situations, and what it must never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.signal.momentum import DOWN, NONE, UP, Momentum

MS = 1_000
SECOND = 1_000_000
START_US = 1_700_000_000_000_000
LOTS = 10**8


def fed(signal, steps, *, bid=600_000, wait_us=50 * MS, lots=(LOTS, LOTS), start_us=START_US):
    """Feed tops whose bid moves by each step; returns the last direction and time."""
    now_us, direction = start_us, NONE
    for step in steps:
        now_us += wait_us
        bid += step
        direction = signal.on_top(bid, lots[0], bid + 1, lots[1], now_us)
    return direction, now_us


def test_a_flat_market_says_nothing():
    signal = Momentum()
    assert fed(signal, [0] * 100)[0] == NONE
    assert (signal.score, signal.until_us) == (0.0, 0)


def test_a_rise_is_up_and_a_fall_is_down():
    assert fed(Momentum(), [0] * 30 + [5] * 4)[0] == UP
    assert fed(Momentum(), [0] * 30 + [-5] * 4)[0] == DOWN


def test_one_sided_sizes_alone_speak():
    assert fed(Momentum(), [0] * 30, lots=(9 * LOTS, LOTS))[0] == UP
    assert fed(Momentum(), [0] * 30, lots=(LOTS, 9 * LOTS))[0] == DOWN


def test_trades_speak_and_are_forgotten():
    signal = Momentum()
    _, now_us = fed(signal, [0] * 30)
    for _ in range(9):
        signal.on_trade(0, LOTS, now_us)
    assert signal.on_top(600_000, LOTS, 600_001, LOTS, now_us) == UP
    assert signal.flow > 0.8
    assert signal.until_us == now_us + 200 * MS
    assert signal.on_top(600_000, LOTS, 600_001, LOTS, now_us + 9 * SECOND) == NONE
    assert signal.flow < 0.3


def test_warm_up_is_by_time_and_by_number():
    slow = {"wait_us": 200 * MS, "lots": (9 * LOTS, LOTS)}
    assert fed(Momentum(warm_up_us=SECOND), [0] * 5, **slow)[0] == NONE
    assert fed(Momentum(warm_up_us=SECOND), [0] * 6, **slow)[0] == UP
    assert fed(Momentum(updates_min=7), [0] * 6, **slow)[0] == NONE
    assert fed(Momentum(updates_min=7), [0] * 7, **slow)[0] == UP


def test_a_gap_starts_afresh():
    signal = Momentum()
    _, now_us = fed(signal, [0] * 30)
    assert signal.on_top(700_000, LOTS, 700_001, LOTS, now_us + 11 * SECOND) == NONE
    assert (signal.drift, signal.updates) == (0.0, 1)


def test_imbalance_can_be_asked_for():
    steps = [0] * 30 + [5] * 4
    assert fed(Momentum(imbalance_min_e6=200_000), steps)[0] == NONE
    assert fed(Momentum(imbalance_min_e6=200_000), steps, lots=(2 * LOTS, LOTS))[0] == UP


def test_reset_forgets_everything():
    signal = Momentum()
    fed(signal, [3] * 40, lots=(7, 1))
    signal.on_trade(1, 5, START_US)
    signal.reset()
    again, fresh = fed(signal, [1, 2, -5, 9] * 10), Momentum()
    assert again == fed(fresh, [1, 2, -5, 9] * 10)
    assert signal.score == fresh.score


@pytest.mark.parametrize("parameters", [
    {"window_us": 0}, {"flow_us": -1}, {"imbalance_us": 0}, {"gap_us": 0}, {"warm_up_us": -1},
    {"updates_min": 0}, {"threshold_e6": 0}, {"threshold_e6": 1_000_000},
    {"drift_weight": -0.1}, {"drift_weight": float("nan")}, {"imbalance_min_e6": 1_000_001},
    {"drift_weight": 0.0, "imbalance_weight": 0.0, "flow_weight": 0.0}])
def test_impossible_parameters_are_refused(parameters):
    with pytest.raises(ValueError, match="must"):
        Momentum(**parameters)


TOPS = st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10**12), st.integers(1, 10**4),
                          st.integers(0, 10**12), st.integers(-SECOND, 20 * SECOND),
                          st.sampled_from([None, 0, 1])), max_size=60)


@given(tops=TOPS)
def test_votes_stay_within_their_bounds_and_repeat_exactly(tops):
    first, second = Momentum(warm_up_us=0, updates_min=1), Momentum(warm_up_us=0, updates_min=1)
    now_us = START_US
    for bid, bid_lots, spread, ask_lots, wait_us, trade in tops:
        now_us += wait_us
        for signal in (first, second):
            if trade is not None:
                signal.on_trade(trade, bid_lots, now_us)
            signal.on_top(bid, bid_lots, bid + spread, ask_lots, now_us)
        assert max(abs(first.drift), abs(first.imbalance), abs(first.flow)) <= 1.0
        assert first.strength == abs(first.score) <= 1.0
        assert (first.score, first.direction) == (second.score, second.direction)
        assert first.direction in (UP, DOWN, NONE)
        assert (first.direction == NONE) == (first.until_us == 0)


@given(tops=TOPS)
def test_the_mirrored_market_gets_the_mirrored_answer(tops):
    ours, mirrored = Momentum(warm_up_us=0, updates_min=1), Momentum(warm_up_us=0, updates_min=1)
    now_us, top = START_US, 1 << 24
    for bid, bid_lots, spread, ask_lots, wait_us, trade in tops:
        now_us += wait_us
        if trade is not None:
            ours.on_trade(trade, bid_lots, now_us)
            mirrored.on_trade(1 - trade, bid_lots, now_us)
        ask = bid + spread
        one = ours.on_top(bid, bid_lots, ask, ask_lots, now_us)
        assert mirrored.on_top(top - ask, ask_lots, top - bid, bid_lots, now_us) == -one or (
            abs(abs(ours.score) - 0.15) < 1e-6)
