"""Clock and Stopwatch."""

import time

import pytest

from twins import BOTH, both

pytestmark = pytest.mark.parametrize("room", both("fastcore.probe.clock"), ids=BOTH)


def test_wall_clock_is_the_systems(room):
    before = time.time_ns()
    ns = room.now_ns()
    us = room.now_us()
    after = time.time_ns()
    assert before <= ns <= after
    assert before // 1000 <= us <= after // 1000
    assert type(us) is int


def test_monotonic_clock_is_the_systems_and_never_goes_back(room):
    before = time.monotonic_ns()
    stamps = [room.mono_ns() for _ in range(1000)]
    after = time.monotonic_ns()
    assert before <= stamps[0]
    assert stamps[-1] <= after
    assert stamps == sorted(stamps)


def test_stopwatch_starts_again_and_returns_itself(room):
    watch = room.Stopwatch()
    first = watch.elapsed_ns()
    assert watch.start() is watch
    assert first >= 0
    assert isinstance(watch.elapsed_us(), int)


def test_stopwatch_agrees_with_the_clock(room):
    outside = time.monotonic_ns()
    watch = room.Stopwatch().start()
    inside = time.monotonic_ns()
    while time.monotonic_ns() - inside < 50_000:
        pass
    least = time.monotonic_ns() - inside
    elapsed = watch.elapsed_ns()
    most = time.monotonic_ns() - outside
    assert least <= elapsed <= most
    assert watch.elapsed_us() >= least // 1000 >= 50


def test_laps_add_up(room):
    watch = room.Stopwatch().start()
    laps = [watch.lap() for _ in range(10)]
    assert all(lap >= 0 for lap in laps)
    assert sum(laps) <= watch.elapsed_ns()


def test_block_is_measured_and_then_stands_still(room):
    with room.Stopwatch() as watch:
        running = watch.elapsed_ns()
    stopped = watch.elapsed_ns()
    assert stopped >= running
    assert watch.elapsed_ns() == stopped == watch.stop()
    assert watch.elapsed_us() == stopped // 1000
    watch.start()
    assert watch.lap() >= 0
    # Running again: it moves.
    begin = watch.elapsed_ns()
    while watch.elapsed_ns() == begin:
        pass


def test_stopwatch_does_not_hide_an_error(room):
    with pytest.raises(KeyError), room.Stopwatch():
        raise KeyError("x")
