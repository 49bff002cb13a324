"""TokenBucket: bursts, refill, reserve. MinuteWindow: exact over any minute."""

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


MINUTE_NS = 60_000_000_000


@forms
def test_window_never_lets_two_bursts_through_in_a_minute(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(100)
    assert [window.take(1, 5) for _ in range(101)] == [1] * 100 + [0]
    assert window.take(1, 5 + MINUTE_NS - 1) == window.available(5 + MINUTE_NS - 1) == 0
    assert window.available(5 + MINUTE_NS) == 100
    assert [window.take(1, 5 + MINUTE_NS) for _ in range(101)] == [1] * 100 + [0]
    assert (window.taken, window.refused) == (200, 3)


@forms
def test_each_place_comes_back_on_its_own(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(3, 0, 100)
    assert [window.take(1, now_ns) for now_ns in (10, 40, 70, 109, 110, 139, 140)] == [
        1, 1, 1, 0, 1, 0, 1]


@forms
def test_window_keeps_its_reserve_for_cancels(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(10, 3)
    assert window.take(8, 0) == 0
    assert window.take(7, 0) == 1
    assert not window.would_take(1, 0)
    assert window.take(1, 0) == 0
    assert window.take(4, 0, True) == 0
    assert window.take(3, 0, True) == 1
    assert window.take(1, 0, True) == 0
    # Cancels count as orders do: after five of them only two places are left for orders.
    assert window.take(5, MINUTE_NS, True) == 1
    assert window.take(3, MINUTE_NS) == 0
    assert window.take(2, MINUTE_NS) == 1


@forms
def test_window_of_all_reserve_is_for_cancels_only(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(2, 2)
    assert window.take(1, 0) == 0
    assert window.take(2, 0, True) == 1


@forms
def test_largest_window(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(1_000_000, 1)
    assert window.take(999_999, 7) == 1
    assert window.take(1, 7) == 0
    assert window.take(1, 7, True) == 1
    assert window.available(7 + MINUTE_NS) == 1_000_000


@forms
@pytest.mark.parametrize("sizes", [(0,), (-1,), (1_000_001,), (5, 6), (5, -1), (5, 1, 0),
                                   (5, 1, -1), (5, 1, 1 << 61)])
def test_impossible_windows_are_refused(form, sizes):
    with pytest.raises(ValueError, match="must be"):
        room(form, "fastcore.money.throttle").MinuteWindow(*sizes)


@forms
def test_nonsense_weights_find_no_place(form):
    window = room(form, "fastcore.money.throttle").MinuteWindow(10)
    assert window.take(-1, 0) == window.take(1 << 62, 0) == window.take(11, 0) == 0
    assert window.take(0, 0) == 1
    assert (window.available(0), window.taken) == (10, 0)
