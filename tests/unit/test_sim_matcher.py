"""Matcher and ReplayMatcher by example; tests/naive compares them with naive twins."""

import pytest

from fastcore.sim import codes
from twins import BOTH, both

CROWD, US, THEM = 0, 1, 2


@pytest.fixture(params=both("fastcore.sim.matcher"), ids=BOTH)
def matcher(request):
    return request.param.Matcher(16, 8)


@pytest.fixture(params=both("fastcore.sim.replay_matcher"), ids=BOTH)
def replay(request):
    recorded = request.param.ReplayMatcher(16, 64)
    for side, ticks, lots in ((0, 100, 10), (0, 99, 20), (1, 102, 5), (1, 103, 7)):
        recorded.depth(side, ticks, lots)
    return recorded


def traded(matcher):
    return [(row[5], row[6]) for row in matcher.fills()]


def test_a_hidden_order_in_a_recorded_book_queues_again_for_each_slice(replay):
    ours = replay.place(US, 0, 100, 6, codes.GTC, 0, 0, 0, 2)
    replay.trade(1, 100, 30)
    assert traded(replay) == [(100, 2)]
    assert (replay.leaves_of(ours), replay.ahead_of(ours)) == (4, 10)
    replay.depth(0, 100, 1)
    replay.trade(1, 100, 2)
    assert traded(replay) == [(100, 1)]
    replay.trade(1, 99, 1)
    assert traded(replay) == [(100, 3)]
    assert replay.open_orders == 0


def test_price_then_time(matcher):
    first = matcher.place(US, 1, 101, 5)
    matcher.place(THEM, 1, 101, 5)
    best = matcher.place(THEM, 1, 100, 5)
    matcher.place(CROWD, 0, 101, 12, codes.IOC)
    assert [(row[0], row[6]) for row in matcher.fills()][:2] == [(best, 5), (first, 5)]
    assert traded(matcher) == [(100, 5), (101, 5), (101, 2)]
    assert matcher.changes() == [(1, 100, 0), (1, 101, 3)]
    assert (matcher.state, matcher.filled) == (codes.FILLED, 12)


def test_a_hidden_order_shows_slices_and_queues_each_behind_the_others(matcher):
    hidden = matcher.place(US, 1, 101, 9, codes.GTC, 0, 0, 0, 3)
    plain = matcher.place(THEM, 1, 101, 4)
    assert matcher.levels(1, 1) == [(101, 7)]
    matcher.place(CROWD, 0, 101, 8, codes.IOC)
    assert [(row[0], row[6], row[7]) for row in matcher.fills()] == [
        (hidden, 3, 6), (plain, 4, 0), (hidden, 1, 5)]
    assert matcher.changes() == [(1, 101, 2)]
    assert (matcher.leaves_of(hidden), matcher.visible_of(hidden)) == (5, 2)
    matcher.place(CROWD, 0, 101, 5, codes.FOK)
    assert traded(matcher) == [(101, 2), (101, 3)]
    assert matcher.levels(1, 1) == []
    assert matcher.place(US, 1, 101, 16, codes.GTC, 0, 0, 0, 1) == codes.INVALID
    assert matcher.place(US, 1, 101, 16, codes.GTC, 0, 0, 0, -1) == codes.INVALID
    assert matcher.place(US, 1, 101, 1 << 62, codes.GTC, 0, 0, 0, 1 << 60) > 0


@pytest.mark.parametrize("room", both("fastcore.sim.matcher"), ids=BOTH)
def test_more_slices_than_one_event_can_tell_of_end_the_taker(room):
    matcher = room.Matcher(4, 8)
    for _ in range(3):
        assert matcher.place(US, 1, 101, 15, codes.GTC, 0, 0, 0, 1) > 0
    matcher.place(THEM, 0, 101, 45, codes.GTC)
    assert matcher.fill_count == 2 * 4 + 8
    assert (matcher.state, matcher.reason) == (codes.CANCELED, codes.REASON_FULL)
    assert (matcher.filled, matcher.remaining) == (16, 29)
    assert sum(lots for _, lots in matcher.levels(1, 9)) == 3
    assert matcher.open_orders == 3


def test_fewer_lots_keep_the_place_more_lose_it(matcher):
    ours = matcher.place(US, 1, 101, 5)
    theirs = matcher.place(THEM, 1, 101, 5)
    assert matcher.amend(ours, 101, 4) == 0
    matcher.place(CROWD, 0, 101, 1, codes.IOC)
    assert matcher.fills()[0][0] == ours
    assert matcher.amend(ours, 101, 6) == 0
    matcher.place(CROWD, 0, 101, 1, codes.IOC)
    assert matcher.fills()[0][0] == theirs


def test_amend_may_trade_and_keeps_its_id(matcher):
    matcher.place(THEM, 1, 101, 3)
    ours = matcher.place(US, 0, 99, 5)
    assert matcher.amend(ours, 101, 5, 1) == codes.WOULD_TAKE
    assert matcher.leaves_of(ours) == 5
    assert matcher.amend(ours, 101, 5) == 0
    assert matcher.fills()[0][2] == ours
    assert (matcher.state, matcher.leaves_of(ours)) == (codes.RESTING, 2)


def test_lifetimes(matcher):
    matcher.place(THEM, 1, 101, 3)
    matcher.place(US, 0, 101, 5, codes.FOK)
    assert (matcher.state, matcher.reason, traded(matcher)) == (
        codes.CANCELED, codes.REASON_FOK, [])
    matcher.place(US, 0, 101, 5, codes.IOC)
    assert (matcher.state, matcher.reason, matcher.remaining) == (
        codes.CANCELED, codes.REASON_IOC, 2)
    order = matcher.place(US, 0, 100, 5, codes.GTD, 0, 0, 50)
    assert matcher.expiry_us == 50
    assert matcher.expire(49) == 0
    assert matcher.expire(50) == 1
    assert matcher.cancels() == [(order, US, codes.REASON_EXPIRED, 5)]
    assert matcher.open_orders == 0


@pytest.mark.parametrize(("mode", "ours_left", "outcome"), [
    (codes.CANCEL_NEWEST, 5, codes.CANCELED),
    (codes.CANCEL_OLDEST, 0, codes.RESTING),
    (codes.CANCEL_BOTH, 0, codes.CANCELED)])
def test_self_trade_prevention(matcher, mode, ours_left, outcome):
    ours = matcher.place(US, 1, 101, 5)
    matcher.place(US, 0, 101, 2, codes.GTC, 0, mode)
    assert (matcher.leaves_of(ours), matcher.state) == (ours_left, outcome)
    assert traded(matcher) == []


def test_the_crowd_may_trade_with_itself(matcher):
    matcher.place(CROWD, 1, 101, 5)
    matcher.place(CROWD, 0, 101, 5)
    assert traded(matcher) == [(101, 5)]


def test_full_is_refused_or_canceled_never_lost(matcher):
    for i in range(8):
        assert matcher.place(US, 0, 10 + i, 1) > 0
    assert matcher.place(US, 0, 50, 1) > 0
    assert (matcher.state, matcher.reason) == (codes.CANCELED, codes.REASON_FULL)
    for _ in range(8):
        assert matcher.place(US, 0, 10, 1) > 0
    assert matcher.place(US, 0, 10, 1) == codes.FULL


@pytest.mark.parametrize("arguments", [
    (US, 0, 100, 0), (US, 0, -1, 1), (US, 2, 100, 1), (US, -1, 100, 1), (US, 0, 100, 1, 9),
    (US, 0, 0, 1, codes.GTC, 1)])
def test_invalid_orders_change_nothing(matcher, replay, arguments):
    for each in (matcher, replay):
        before = each.state_hash()
        assert each.place(*arguments) == codes.INVALID
        assert each.state_hash() == before


def test_unknown_and_stale_ids(matcher, replay):
    for each in (matcher, replay):
        order = each.place(US, 0, 90, 1)
        assert each.cancel(order) == 0
        for wrong in (order, 0, -1, 1 << 40, order + 1):
            assert each.cancel(wrong) == codes.UNKNOWN
            assert each.amend(wrong, 90, 1) == codes.UNKNOWN


def test_we_wait_behind_what_was_there(replay):
    order = replay.place(US, 0, 100, 3)
    assert replay.ahead_of(order) == 10
    replay.trade(1, 100, 4)
    assert (replay.ahead_of(order), traded(replay)) == (6, [])
    replay.depth(0, 100, 8)
    assert replay.ahead_of(order) == 6
    replay.depth(0, 100, 2)
    assert replay.ahead_of(order) == 2
    replay.trade(1, 100, 4)
    assert traded(replay) == [(100, 2)]
    replay.trade(1, 99, 1)
    assert traded(replay) == [(100, 1)]
    assert replay.leaves_of(order) == 0


def test_two_orders_share_one_trade(replay):
    first, second = replay.place(US, 0, 101, 3), replay.place(US, 0, 101, 3)
    replay.trade(1, 101, 4)
    assert (replay.leaves_of(first), replay.leaves_of(second)) == (0, 2)


def test_the_market_coming_to_our_price_fills_us(replay):
    order = replay.place(US, 1, 104, 3)
    replay.depth(0, 103, 1)
    assert replay.leaves_of(order) == 3
    replay.depth(0, 104, 1)
    assert traded(replay) == [(104, 3)]


def test_we_take_what_is_shown_and_leave_it(replay):
    replay.place(US, 0, 103, 20, codes.IOC)
    assert traded(replay) == [(102, 5), (103, 7)]
    assert (replay.state, replay.remaining) == (codes.CANCELED, 8)
    assert replay.levels(1, 9) == [(102, 5), (103, 7)]
    assert replay.changes() == []
    replay.place(US, 0, 103, 13, codes.FOK)
    assert replay.reason == codes.REASON_FOK
    assert replay.place(US, 0, 102, 1, codes.GTC, 1) == codes.WOULD_TAKE


def test_the_recorded_book_stays_uncrossed(replay):
    replay.depth(0, 102, 4)
    assert replay.changes() == [(1, 102, 0), (0, 102, 4)]
    assert replay.best(0) < replay.best(1)


def test_clear_whole_and_in_part(replay):
    replay.depth(1, 105, 1)
    replay.clear(1, 103)
    assert replay.levels(1, 9) == [(105, 1)]
    replay.clear(0)
    assert replay.levels(0, 9) == []
    assert replay.changes() == [(0, 100, 0), (0, 99, 0)]


def test_replay_self_trade(replay):
    ours = replay.place(US, 1, 101, 5)
    replay.place(US, 0, 101, 5)
    assert (replay.state, replay.reason) == (codes.CANCELED, codes.REASON_SELF_TRADE)
    replay.place(US, 0, 101, 5, codes.GTC, 0, codes.CANCEL_OLDEST)
    assert (replay.state, replay.leaves_of(ours)) == (codes.RESTING, 0)


def test_replay_expiry(replay):
    order = replay.place(US, 0, 90, 5, codes.GTD, 0, 0, 50)
    assert replay.expire(60) == 1
    assert replay.cancels() == [(order, US, codes.REASON_EXPIRED, 5)]
