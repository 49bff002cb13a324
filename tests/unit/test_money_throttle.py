"""TokenBucket: bursts, refill, reserve."""

import pytest
from lane_rig import forms, room


@forms
def test_hundred_at_once_and_not_one_more(form):
    bucket = room(form, "fastcore.money.throttle").TokenBucket(100, 100 / 60)
    assert [bucket.take(1, 5) for _ in range(101)] == [1] * 100 + [0]
    assert bucket.available(5 + 599_000_000) == 0
    assert bucket.available(5 + 601_000_000) == 1
    assert (bucket.taken, bucket.refused) == (100, 1)


@forms
def test_reserve_is_for_cancels(form):
    bucket = room(form, "fastcore.money.throttle").TokenBucket(10, 0.0, 3)
    assert bucket.take(7, 0) == 1
    assert bucket.take(1, 0) == 0
    assert bucket.take(3, 0, True) == 1
    assert bucket.take(1, 0, True) == 0


@forms
def test_slow_refill_loses_nothing(form):
    bucket = room(form, "fastcore.money.throttle").TokenBucket(10, 0.1)
    bucket.take(10, 0)
    for now_ns in range(0, 10_000_000_000, 7_777_777):
        bucket.available(now_ns)
    assert bucket.available(9_999_999_000) == 0
    assert bucket.available(10_000_000_000) == 1


@forms
def test_venue_corrects_the_level(form):
    bucket = room(form, "fastcore.money.throttle").TokenBucket(10, 1.0)
    bucket.set_level(3, 0)
    assert bucket.available(0) == 3
    bucket.set_level(99, 0)
    assert bucket.available(0) == 10
    bucket.set_level(-1, 0)
    assert bucket.available(0) == 0


@forms
@pytest.mark.parametrize("sizes", [(0, 1.0, 0), (5, -1.0, 0), (5, 1.0, 6), (10**7, 1.0, 0),
                                   (5, 1e7, 0), (5, 1.0, -1)])
def test_impossible_sizes_are_refused(form, sizes):
    with pytest.raises(ValueError, match="must be"):
        room(form, "fastcore.money.throttle").TokenBucket(*sizes)


@forms
def test_nonsense_weights_are_refused(form):
    bucket = room(form, "fastcore.money.throttle").TokenBucket(10, 1.0)
    assert bucket.take(-1, 0) == bucket.take(10**18, 0) == 0
    assert bucket.take(0, 0) == 1
    assert bucket.available(0) == 10
