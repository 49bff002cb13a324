"""TradingCounter: costs by age, what is on its way, the reserve, nonsense."""

import pytest

from lane_rig import forms, room

SECOND = 10**9


def make(form, maximum=60, decay_e2=100, reserve=0, orders_max=60, pairs=2):
    return room(form, "fastcore.money.throttle").TradingCounter(
        pairs, 8, maximum, decay_e2, reserve, orders_max)


def point(form):
    return room(form, "fastcore.money.throttle").POINT


@forms
def test_counter_cost_falls_with_age_and_a_boundary_is_the_cheaper_side(form):
    counter, unit = make(form), point(form)
    counter.opened(0, 3)
    assert counter.cancel_cost(3, 10**15) == 8 * unit, "nothing proves that the venue has it"
    counter.confirmed(3, 100 * SECOND)
    counter.confirmed(3, 200 * SECOND)
    for age_s, amend, cancel in ((0, 4, 8), (4.999999999, 4, 8), (5, 3, 6), (10, 2, 5), (15, 1, 4),
                                 (44.9, 1, 4), (45, 1, 2), (90, 1, 1), (299, 1, 1), (300, 1, 0)):
        now_ns = 100 * SECOND + round(age_s * SECOND)
        assert counter.amend_cost(3, now_ns) == amend * unit, age_s
        assert counter.cancel_cost(3, now_ns) == cancel * unit, age_s
    assert counter.cancel_cost(3, 99 * SECOND) == 8 * unit, "a clock that went back"


@forms
def test_counter_an_amend_on_its_way_makes_the_order_new_until_it_is_refused(form):
    counter, unit = make(form), point(form)
    counter.opened(0, 1)
    counter.confirmed(1, 0)
    counter.moving(1)
    assert counter.cancel_cost(1, 400 * SECOND) == 8 * unit
    counter.confirmed(1, 400 * SECOND)
    assert counter.cancel_cost(1, 500 * SECOND) == 8 * unit, "an old report is no proof"
    counter.stayed(1)
    assert counter.cancel_cost(1, 500 * SECOND) == 0
    counter.moving(1)
    counter.moved(1, 500 * SECOND)
    counter.stayed(1)
    assert counter.cancel_cost(1, 505 * SECOND) == 6 * unit


@forms
def test_counter_decays_from_the_answer_on(form):
    counter, unit = make(form), point(form)
    for request in (1, 2, 3):
        counter.spend(0, unit, request, 0)
    assert counter.used(0, 5 * SECOND) == 3 * unit
    counter.answered(2, 5 * SECOND)
    assert counter.used(0, 5 * SECOND + SECOND // 2) == 2 * unit + unit // 2
    counter.answered(2, 6 * SECOND)
    assert counter.used(0, 7 * SECOND) == 2 * unit
    assert counter.used(0, 10 * SECOND) == 2 * unit, "arrived at last, whatever became of it"
    assert counter.used(0, 11 * SECOND) == unit
    assert counter.used(0, 2**62) == 0
    assert counter.used(1, 2**62) == 0


@forms
def test_counter_reserve_and_maximum_are_exact(form):
    counter, unit = make(form, maximum=10, decay_e2=0, reserve=4), point(form)
    counter.spend(0, 5 * unit, 1, 0)
    assert counter.would_take(0, unit, 0)
    assert not counter.would_take(0, unit + 1, 0)
    assert counter.would_take(0, 5 * unit, 0, True)
    assert not counter.would_take(0, 5 * unit + 1, 0, True)
    assert counter.would_take(1, 6 * unit, 0), "each pair by itself"
    counter.set_limits(0, 100, 0, 0)
    assert counter.would_take(0, 10_000 * unit, 0), "no maximum: counted, never refused"


@forms
def test_counter_of_open_orders(form):
    counter = make(form, orders_max=2)
    counter.opened(0, 1)
    assert not counter.full(0)
    counter.opened(0, 2)
    assert counter.full(0)
    assert not counter.full(1)
    assert (counter.admits(0, 0), counter.admits(1, 0)) == (False, True)
    assert counter.full(7)
    assert not counter.admits(7, 0)
    counter.set_limits(0, 100, 0, 0)
    assert counter.admits(0, 0)
    counter.set_limits(60, 100, 0, 2)
    counter.closed(0)
    assert not counter.full(0)
    assert counter.open_orders[0] == 1


@forms
def test_counter_what_was_used_before_us(form):
    counter, unit = make(form), point(form)
    counter.spend(1, 60 * unit, 0, 1000 * SECOND)
    assert not counter.would_take(1, unit, 1000 * SECOND)
    assert counter.would_take(1, unit, 1001 * SECOND)
    counter.spend(7, unit, 0, 0)
    counter.spend(0, -1, 0, 0)
    assert counter.used(0, 0) == counter.used(7, 0) == counter.used(-1, 0) == 0


@forms
def test_counter_follows_a_count_of_the_venue_that_is_higher(form):
    """Somebody else trades on the same account; a count from before ours arrived is no news."""
    counter, unit = make(form), point(form)
    counter.spend(0, 5 * unit, 1, 0)
    assert not counter.told(0, 3 * unit, 0)
    assert not counter.told(0, 5 * unit + unit // 2, 0)
    assert counter.used(0, 0) == 5 * unit
    assert counter.told(0, 20 * unit, 0)
    assert counter.used(0, 0) == 20 * unit
    assert counter.used(0, 3 * SECOND) == 17 * unit, "theirs decays, ours is on its way"
    assert not counter.told(0, 2**62, 0)
    assert not counter.told(0, -1, 0)
    assert not counter.told(9, 5 * unit - unit, 0)


@forms
def test_counter_five_thousand_requests_without_an_answer(form):
    """More than it has places for: the oldest count as arrived."""
    counter, unit = make(form, maximum=10**6), point(form)
    for request in range(1, 5001):
        counter.spend(0, unit, request, request)
    assert counter.used(0, 5000) > 4999 * unit
    assert counter.used(0, 10 * SECOND + 5000) <= 5000 * unit
    assert counter.used(0, 6000 * SECOND) == 0


@forms
@pytest.mark.parametrize("sizes", [
    {"pairs": 0}, {"pairs": 10**6}, {"maximum": -1}, {"maximum": 10**7}, {"reserve": 61},
    {"reserve": -1}, {"decay_e2": -1}, {"decay_e2": 8001}, {"orders_max": -1}])
def test_counter_impossible_sizes_are_refused(form, sizes):
    with pytest.raises(ValueError, match="must"):
        make(form, **sizes)


@forms
def test_counter_nonsense_is_refused_or_ignored(form):
    counter, unit = make(form), point(form)
    for pair, cost in ((-1, unit), (2, unit), (0, -1), (0, 10**18)):
        assert not counter.would_take(pair, cost, 0)
        counter.spend(pair, cost, 9, 0)
    assert counter.used(0, 0) == 0
    for handle in (-1, 8, 2**60):
        counter.opened(0, handle)
        counter.confirmed(handle, 5)
        counter.moving(handle)
        counter.moved(handle, 5)
        counter.stayed(handle)
        assert counter.cancel_cost(handle, 10**15) == 8 * unit
    counter.answered(-1, 0)
    counter.answered(12345, 0)
    counter.spend(0, unit, 0, 0)
    assert counter.used(0, 0) == unit
