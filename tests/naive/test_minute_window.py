"""MinuteWindow against a list of the times of everything sent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import both

rooms = both("fastcore.money.throttle")


class NaiveWindow:
    """Remembers every message for ever and counts those of the window."""

    def __init__(self, capacity, reserve, window_ns):
        self.capacity, self.reserve, self.window_ns = capacity, reserve, window_ns
        self.sent_ns = []
        self.latest_ns = 0
        self.refused = 0

    def free(self, now_ns):
        self.latest_ns = max(self.latest_ns, now_ns)
        return self.capacity - sum(self.latest_ns - at < self.window_ns for at in self.sent_ns)

    def would_take(self, weight, now_ns, reserved):
        free = self.free(now_ns) - (0 if reserved else self.reserve)
        return weight == 0 or 0 < weight <= free

    def take(self, weight, now_ns, reserved):
        if not self.would_take(weight, now_ns, reserved):
            self.refused += 1
            return 0
        self.sent_ns += [self.latest_ns] * weight
        return 1


WINDOWS = st.sampled_from([1, 2, 60, 1000, 60_000_000_000, 1 << 60])
WEIGHTS = st.one_of(st.just(1), st.just(1), st.integers(-2, 12), st.sampled_from([10**6, 1 << 62]))
# Gaps as parts of the window, so that its edge is met, and a few that run backwards.
GAPS = st.one_of(st.just((0, 1)), st.just((1, 1)), st.tuples(st.integers(0, 3), st.integers(1, 7)),
                 st.tuples(st.integers(-2, -1), st.integers(1, 7)))
STEP = st.tuples(st.sampled_from(["take", "take", "take", "would_take", "available"]), WEIGHTS,
                 st.booleans(), GAPS, st.integers(-1, 1))


def times(steps, window_ns):
    """The steps with the time of each; gaps from the latest edge on, one off now and then."""
    now_ns = 0
    for what, weight, reserved, (part, whole), off in steps:
        now_ns = min(max(-5, now_ns + part * window_ns // whole + off), 1 << 62)
        yield what, weight, reserved, now_ns


@settings(deadline=None, max_examples=examples(400), database=None)
@given(st.integers(1, 12), st.integers(0, 12), WINDOWS, st.lists(STEP, max_size=60))
def test_every_form_agrees_with_the_list(capacity, reserve, window_ns, steps):
    reserve = min(reserve, capacity)
    windows = [room.MinuteWindow(capacity, reserve, window_ns) for room in rooms]
    naive = NaiveWindow(capacity, reserve, window_ns)
    for what, weight, reserved, now_ns in times(steps, window_ns):
        if what == "available":
            expected, found = naive.free(now_ns), [w.available(now_ns) for w in windows]
        else:
            expected = getattr(naive, what)(weight, now_ns, reserved)
            found = [getattr(w, what)(weight, now_ns, reserved) for w in windows]
        assert found == [expected] * len(windows), (what, weight, now_ns)
        assert {w.taken for w in windows} == {len(naive.sent_ns)}
        assert {w.refused for w in windows} == {naive.refused}
    assert len({w.state_hash() for w in windows}) == 1


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.integers(1, 8), st.lists(st.integers(-150, 150), max_size=60))
def test_never_more_than_the_capacity_in_any_window(capacity, gaps):
    """Looked at from outside: the times as the caller saw them, wherever the window begins."""
    for room in rooms:
        window = room.MinuteWindow(capacity, 0, 100)
        now_ns = latest_ns = 0
        sent_ns = []
        for gap in gaps:
            now_ns = max(0, now_ns + gap)
            latest_ns = max(latest_ns, now_ns)
            while window.take(1, now_ns):
                sent_ns.append(latest_ns)
        for at in sent_ns:
            assert sum(at <= other < at + 100 for other in sent_ns) <= capacity


@settings(deadline=None, max_examples=examples(100), database=None)
@given(st.integers(1, 10), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_time_that_runs_backwards_never_frees_a_place(capacity, earlier):
    for room in rooms:
        window = room.MinuteWindow(capacity)
        window.take(capacity, 10**12)
        for now_ns in earlier:
            assert window.take(1, now_ns, True) == window.available(now_ns) == 0
        assert window.available(10**12 + 60_000_000_000 - 1) == 0
        assert window.available(10**12 + 60_000_000_000) == capacity


@settings(deadline=None, max_examples=examples(100), database=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=40))
def test_questions_do_not_change_the_digest(steps):
    """Counting early or late what has left the window is nobody's business."""
    for room in rooms:
        asked, silent = room.MinuteWindow(5, 1, 60), room.MinuteWindow(5, 1, 60)
        now_ns = 0
        for reserved, gap_ns in steps:
            now_ns += gap_ns
            asked.available(now_ns)
            assert asked.would_take(1, now_ns, reserved) == silent.take(1, now_ns, reserved)
            asked.take(1, now_ns, reserved)
        assert asked.state_hash() == silent.state_hash()


@pytest.mark.parametrize("room", rooms)
def test_digest_tells_different_states_apart(room):
    def digest(*times_ns):
        window = room.MinuteWindow(5)
        for now_ns in times_ns:
            window.take(1, now_ns)
        return window.state_hash()

    assert len({digest(), digest(1), digest(2), digest(1, 2), digest(2, 2)}) == 5
