"""TokenBucket against a bucket of exact fractions."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import both

rooms = both("fastcore.money.throttle")


class NaiveBucket:
    """Level as a fraction; time counts in whole microseconds, as the real one promises."""

    def __init__(self, capacity, refill_e6, reserve):
        self.capacity = self.level = Fraction(capacity)
        self.rate = Fraction(refill_e6, 10**12)  # tokens a microsecond
        self.reserve = reserve
        self.last_us = 0

    def advance(self, now_ns):
        # The real one starts at 0, so that its microseconds end where the clock's do.
        if now_ns // 1000 > self.last_us:
            self.level = min(self.capacity, self.level
                             + (now_ns // 1000 - self.last_us) * self.rate)
            self.last_us = now_ns // 1000

    def take(self, weight, now_ns, reserved):
        self.advance(now_ns)
        # Tokens exist in whole millionths.
        level = Fraction(int(self.level * 10**6), 10**6)
        if not 0 <= weight <= 10**6 or level - (0 if reserved else self.reserve) < weight:
            return 0
        self.level -= weight
        return 1


STEP = st.tuples(st.integers(-2, 12), st.booleans(),
                 st.one_of(st.integers(-10**9, 10**9), st.integers(0, 5000),
                           st.integers(0, 10**13)))


@settings(deadline=None, max_examples=examples(200), database=None)
@given(st.integers(1, 50), st.integers(0, 20_000_000), st.integers(0, 50),
       st.lists(STEP, max_size=40))
def test_every_form_agrees_with_the_fractions(capacity, refill_e6, reserve, steps):
    reserve = min(reserve, capacity)
    buckets = [room.TokenBucket(capacity, refill_e6 / 1e6, reserve) for room in rooms]
    naive = NaiveBucket(capacity, refill_e6, reserve)
    now_ns = 0
    for weight, reserved, gap_ns in steps:
        now_ns = max(0, now_ns + gap_ns)
        expected = naive.take(weight, now_ns, reserved)
        assert [b.take(weight, now_ns, reserved) for b in buckets] == [expected] * len(buckets)
        assert {b.available(now_ns) for b in buckets} == {int(naive.level)}
    assert len({b.state_hash() for b in buckets}) == 1


@settings(deadline=None, max_examples=examples(100), database=None)
@given(st.lists(st.integers(-10**10, 10**10), max_size=30))
def test_time_that_runs_backwards_never_adds_tokens(gaps):
    bucket = rooms[0].TokenBucket(100, 10.0)
    now = latest = 10**12
    bucket.take(100, now)
    granted = 0
    for gap in gaps:
        now = max(0, now + gap)
        latest = max(latest, now)
        while bucket.take(1, now):
            granted += 1
        assert granted <= (latest - 10**12) * 10 // 10**9
