"""Histogram: ranges, recording, merging; compiled and interpreted give the same state."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcore
from twins import BOTH, both

ROOMS = both("fastcore.probe.histogram")
rooms = pytest.mark.parametrize("room", ROOMS, ids=BOTH)
INT64_MAX = (1 << 63) - 1


@rooms
def test_empty(room):
    empty = room.Histogram()
    assert len(empty) == empty.count == empty.min == empty.max == empty.clamped == 0
    assert empty.mean() == empty.stddev() == 0.0
    assert [empty.value_at_percentile(p) for p in (0.0, 50.0, 100.0)] == [0, 0, 0]


@rooms
def test_three_figures_hold_over_the_whole_range(room):
    value = 1
    while value < 3_600_000_000_000:
        one = room.Histogram()
        one.record(value)
        index = one.index_of(value)
        assert one.least_at(index) <= value <= one.most_at(index)
        assert (one.most_at(index) - one.least_at(index)) * 1000 <= value
        assert one.min == one.max == one.value_at_percentile(50.0) == value
        value = value * 3 + 1


@rooms
def test_buckets_join_without_gap_or_overlap(room):
    small = room.Histogram(100_000, 1, 4)
    expected = 0
    for index in range(small.buckets):
        assert small.least_at(index) == expected
        assert small.index_of(small.least_at(index)) == index
        assert small.index_of(small.most_at(index)) == index
        expected = small.most_at(index) + 1
    assert expected > 100_000


@rooms
def test_values_outside_the_range_are_clamped_and_counted(room):
    narrow = room.Histogram(1000, 2)
    for value in (-(1 << 63), -1, 0, 1000, 1001, INT64_MAX):
        narrow.record(value)
    assert (narrow.count, narrow.clamped, narrow.min, narrow.max) == (6, 4, 0, 1000)
    narrow.record_count(-7, 3)
    narrow.record_count(5000, 2)
    narrow.record_count(10, 0)
    assert (narrow.count, narrow.clamped) == (11, 9)


@rooms
def test_whole_int64_range(room):
    wide = room.Histogram(INT64_MAX, 3)
    for value in (0, 1, INT64_MAX - 1, INT64_MAX):
        wide.record(value)
    assert wide.clamped == 0
    assert wide.max == wide.value_at_percentile(100.0) == INT64_MAX
    assert wide.most_at(wide.index_of(INT64_MAX)) == INT64_MAX


@rooms
@pytest.mark.parametrize("arguments", [
    (1000, 0), (1000, 6), (1, 3), (1000, 3, 0), (1000, 3, 501), (-5, 3), (1 << 63, 3),
    (INT64_MAX, 5, 1 << 60),
])
def test_impossible_range_is_refused(room, arguments):
    with pytest.raises(ValueError, match=r"significant|impossible"):
        room.Histogram(*arguments)


@rooms
def test_percentile_is_the_nearest_rank(room):
    ten = room.Histogram()
    for value in range(10, 101, 10):
        ten.record(value)
    asked = (-1.0, 0.0, 10.0, 10.1, 50.0, 90.0, 95.0, 100.0, 250.0, float("nan"))
    assert [ten.value_at_percentile(p) for p in asked] == [
        10, 10, 10, 20, 50, 90, 100, 100, 100, 10]


@rooms
def test_correction_fills_what_a_stall_hid(room):
    stalled = room.Histogram()
    stalled.record_corrected(1000, 100)
    assert stalled.count == 10
    assert all(stalled.count_at(stalled.index_of(value)) == 1 for value in range(100, 1001, 100))
    stalled.record_corrected(50, 100)
    stalled.record_corrected(1000, 0)
    assert stalled.count == 12


@rooms
def test_a_corrected_minimum_is_exact_even_if_a_bucket_holds_several(room):
    stalled = room.Histogram(230, 1, 115)
    stalled.record_corrected(229, 33)
    assert (stalled.count, stalled.min, stalled.max) == (6, 64, 229)


@rooms
def test_correction_of_an_hour_by_nanoseconds_ends_at_once(room):
    stalled = room.Histogram()
    stalled.record_corrected(INT64_MAX, 1)
    assert stalled.count == 3_600_000_000_000
    assert stalled.clamped == 1
    stalled.record_corrected(-(1 << 63), INT64_MAX)
    assert stalled.min == 0


@rooms
def test_record_all_is_record(room):
    values = array("q", [5, 17, 17, 123_456_789, -1])
    one, all_at_once = room.Histogram(), room.Histogram()
    for value in values:
        one.record(value)
    all_at_once.record_all(values)
    assert one.state_hash() == all_at_once.state_hash()


@rooms
def test_merge_is_recording_everything_in_one(room):
    left, right, whole = (room.Histogram(1 << 20, 2) for _ in range(3))
    for value in (1, 2, 3, 1000, 1 << 21):
        left.record(value)
        whole.record(value)
    for value in (0, 999, -4):
        right.record(value)
        whole.record(value)
    assert left.merge(right) == 3
    assert left.state_hash() == whole.state_hash()
    assert left.merge(room.Histogram(1 << 20, 2)) == 0
    assert left.state_hash() == whole.state_hash()


@rooms
def test_merge_of_another_precision_keeps_the_counts(room):
    coarse, fine = room.Histogram(1 << 20, 1), room.Histogram(1 << 30, 3)
    for value in (7, 12_345, 999_999):
        fine.record(value)
    assert coarse.merge(fine) == 3
    assert coarse.count == 3
    assert coarse.min == 7
    assert coarse.value_at_percentile(50.0) == pytest.approx(12_345, rel=0.1)


@rooms
def test_reset_forgets_everything(room):
    used = room.Histogram()
    used.record(5)
    used.record(-5)
    assert used.state_hash() != room.Histogram().state_hash()
    used.reset()
    assert used.state_hash() == room.Histogram().state_hash()


@rooms
def test_whole_bucket_is_added_only_where_there_is_one(room):
    some = room.Histogram(1000, 1)
    assert some.add_at(some.buckets, 1) == some.add_at(-1, 1) == some.add_at(0, -1) == -1
    assert some.add_at(3, 0) == 0
    assert some.count == 0
    assert some.add_at(40, 5) == 0
    assert (some.count, some.min, some.max) == (5, some.least_at(40), some.most_at(40))
    assert some.count_at(-1) == some.count_at(some.buckets) == 0


int64s = st.integers(-(1 << 63), INT64_MAX) | st.integers(-3, 5000)
operations = st.lists(st.one_of(
    st.tuples(st.just("record"), int64s),
    st.tuples(st.just("record_corrected"), int64s, st.integers(100, 1 << 20)),
    st.tuples(st.just("record_count"), int64s, st.integers(-1, 1 << 40)),
    st.tuples(st.just("add_at"), st.integers(-1, 300), st.integers(-1, 1 << 40)),
    st.tuples(st.just("merge")),
    st.tuples(st.just("reset")),
), max_size=20)


def states(room, highest, figures, calls):
    """What one room answers to a sequence of calls."""
    histogram, other = room.Histogram(highest, figures), room.Histogram(1 << 20, 2)
    other.record(4321)
    seen = []
    for name, *arguments in calls:
        if name == "merge":
            seen.append(histogram.merge(other))
        else:
            seen.append(getattr(histogram, name)(*arguments))
        if histogram.count > 1 << 50:
            break
    return [*seen, histogram.state_hash(), repr(histogram), histogram.clamped, histogram.mean(),
            histogram.stddev(), *map(histogram.value_at_percentile, (0.0, 12.3, 95.0, 99.9))]


@pytest.mark.skipif(not fastcore.compiled, reason="everything is interpreted here")
@settings(max_examples=100, deadline=None)
@given(highest=st.sampled_from([2, 1000, 1 << 20, 3_600_000_000, INT64_MAX]),
       figures=st.integers(1, 2), calls=operations)
def test_compiled_and_interpreted_agree_bit_for_bit(highest, figures, calls):
    compiled, interpreted = (states(room, highest, figures, calls) for room in ROOMS)
    assert compiled == interpreted
