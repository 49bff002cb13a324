"""Signals wait for a place: the strongest first, none after its time, one per market."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hftbot.strategy.signal_queue import Signal, SignalQueue


def anything(signal):
    """Every signal is ready."""
    return True


def test_the_strongest_goes_first_and_of_equals_the_oldest():
    queue = SignalQueue()
    for index, priority in enumerate((5, 9, 9, 1)):
        queue.put(Signal(index, 1, priority, 100, 50 - index))
    taken = [queue.take(0, anything).instrument for _ in range(4)]
    assert taken == [2, 1, 0, 3]
    assert queue.take(0, anything) is None
    assert queue.most == 4


def test_a_signal_is_void_at_its_moment_and_counted():
    queue = SignalQueue()
    queue.put(Signal(0, 1, 5, 100, 0))
    queue.put(Signal(1, 1, 9, 99, 0))
    assert queue.take(99, anything).instrument == 0
    assert (queue.expired, len(queue)) == (1, 0)


def test_the_newest_of_a_market_replaces_the_one_before():
    queue = SignalQueue()
    queue.put(Signal(0, 1, 9, 100, 0))
    queue.put(Signal(0, -1, 2, 100, 1))
    assert len(queue) == 1
    assert queue.take(0, anything).direction == -1
    queue.put(Signal(0, 1, 9, 100, 0))
    queue.drop(0)
    queue.drop(7)
    assert queue.take(0, anything) is None


def test_one_that_is_not_ready_lets_the_next_one_pass_and_stays():
    queue = SignalQueue()
    queue.put(Signal(0, 1, 9, 100, 0))
    queue.put(Signal(1, 1, 5, 100, 0))
    assert queue.take(0, lambda one: one.instrument == 1).instrument == 1
    assert queue.take(0, anything).instrument == 0


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 30)), max_size=40),
       st.integers(0, 30), st.sets(st.integers(0, 6)))
def test_taking_all_gives_what_is_ready_and_valid_in_order(puts, now_us, ready):
    queue, kept = SignalQueue(), {}
    for seen_ns, (index, priority, until_us) in enumerate(puts):
        signal = Signal(index, 1, priority, until_us, seen_ns)
        queue.put(signal)
        kept[index] = signal
    wanted = sorted((one for one in kept.values()
                     if one.until_us > now_us and one.instrument in ready),
                    key=lambda one: (-one.priority, one.seen_ns))
    taken = []
    while (signal := queue.take(now_us, lambda one: one.instrument in ready)) is not None:
        taken.append(signal)
    assert taken == wanted
    assert queue.expired == sum(1 for one in kept.values() if one.until_us <= now_us)
