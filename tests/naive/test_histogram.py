"""Histogram against a sorted list and the bucket rule written as plain arithmetic.

The planted bugs show that the comparison notices what it should.
"""

import inspect
import math
import random
from fractions import Fraction
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import BOTH, both, interpreted

SOURCE = inspect.getsource(interpreted("fastcore.probe.histogram"))
PERCENTILES = (0.0, 0.1, 12.5, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0)


class NaiveHistogram:
    """Keeps every value; answers by counting."""

    def __init__(self, highest, figures, lowest):
        self.highest = highest
        self.unit = 1
        while self.unit * 2 <= lowest:
            self.unit *= 2
        self.first = 1
        while self.first < 2 * 10**figures:
            self.first *= 2
        self.values = []
        self.clamped = 0

    def record(self, value):
        within = min(max(value, 0), self.highest)
        self.clamped += within != value
        self.values.append(within)

    def record_corrected(self, value, interval):
        self.record(value)
        missing = min(value, self.highest) - interval
        while interval > 0 and missing >= interval:
            self.values.append(missing)
            missing -= interval

    def bucket(self, value):
        """Least and most of the values that count as this one."""
        width = self.unit
        while value >= self.first * width:
            width *= 2
        least = value // width * width
        return least, least + width - 1

    def percentile(self, percentile):
        ordered = sorted(self.values)
        if percentile == 0:
            return ordered[0]
        rank = max(1, math.ceil(Fraction(str(percentile)) * len(ordered) / 100))
        return min(self.bucket(ordered[rank - 1])[1], ordered[-1])

    def middles(self):
        return [least + (most - least + 1) // 2
                for least, most in map(self.bucket, self.values)]


def check(room, values, highest, figures, lowest, interval=0):
    """Record the values in both and compare everything that can be read."""
    ours = room.Histogram(highest, figures, lowest)
    naive = NaiveHistogram(highest, figures, lowest)
    for value in values:
        ours.record_corrected(value, interval)
        naive.record_corrected(value, interval)
    assert ours.count == ours.total() == len(naive.values)
    assert ours.clamped == naive.clamped
    if not values:
        assert (ours.min, ours.max, ours.mean(), ours.stddev()) == (0, 0, 0.0, 0.0)
        assert ours.value_at_percentile(50.0) == 0
        return
    assert ours.min == min(naive.values)
    assert ours.max == max(naive.values)
    for value in set(naive.values):
        index = ours.index_of(value)
        assert (ours.least_at(index), ours.most_at(index)) == naive.bucket(value)
        assert ours.count_at(index) == sum(
            naive.bucket(other) == naive.bucket(value) for other in naive.values)
    for percentile in PERCENTILES:
        assert ours.value_at_percentile(percentile) == naive.percentile(percentile), percentile
    middles = naive.middles()
    mean = Fraction(sum(middles), len(middles))
    within = min(max(mean, ours.min), ours.max)
    assert ours.mean() == pytest.approx(float(within), rel=1e-12)
    spread = math.sqrt(sum((middle - ours.mean()) ** 2 for middle in middles) / len(middles))
    assert ours.stddev() == pytest.approx(spread, rel=1e-9, abs=1e-9)


ranges = st.tuples(st.integers(1, 4), st.integers(1, 2000), st.integers(2, 1 << 24)).map(
    lambda made: (made[1] * made[2], made[0], made[1]))


@pytest.mark.parametrize("room", both("fastcore.probe.histogram"), ids=BOTH)
@settings(max_examples=examples(40), deadline=None)
@given(span=ranges, data=st.data())
def test_histogram_equals_naive(room, span, data):
    highest, figures, lowest = span
    values = data.draw(st.lists(st.integers(-5, highest + 5), max_size=30))
    interval = data.draw(st.sampled_from([0, highest // 7 + 1, highest // 3 + 1]))
    check(room, values, highest, figures, lowest, interval)


def samples(seed):
    """A seeded spread of ranges and values, the corners among them."""
    rng = random.Random(seed)
    figures = rng.randint(1, 3)
    lowest = rng.choice([1, 1, 3, 1000])
    highest = lowest * rng.randint(2, 1 << rng.randint(2, 24))
    values = [rng.randint(0, 1 << rng.randint(1, highest.bit_length())) for _ in range(25)]
    return [*values, -1, highest, highest + 1], highest, figures, lowest, highest // 5 + 1


@pytest.mark.parametrize("room", both("fastcore.probe.histogram"), ids=BOTH)
@pytest.mark.parametrize("seed", range(20))
def test_histogram_equals_naive_on_seeded_samples(room, seed):
    check(room, *samples(seed))


PLANTED = {
    "clamps one too early": ("value > self.highest:", "value >= self.highest:"),
    "forgets to count a negative value": ("value = 0\n            self.words[row + 3] += 1",
                                          "value = 0"),
    "minimum not kept": ("if value < self.words[row + 1]:", "if value > self.words[row + 1]:"),
    "bucket one bit too wide": ("self.half_bits - 1\n", "self.half_bits\n"),
    "one sub-bucket short": ("half_bits = (2 * 10", "half_bits = (10"),
    "rank rounded down": ("            need += 1\n", "            need += 0\n"),
    "percentile beyond the maximum": ("return value if value < self.words[self.row + 2] else "
                                      "self.words[self.row + 2]", "return value"),
    "unit ignored": ("unit_bits = int(lowest).bit_length() - 1", "unit_bits = 0"),
    "corrects once too often": ("least = expected_interval", "least = 1"),
    "middle left out": ("self.most_at(index) - self.least_at(index) + 1", "0"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_noticed(bug):
    right, wrong = PLANTED[bug]
    assert right in SOURCE
    room = ModuleType("planted")
    exec(SOURCE.replace(right, wrong), vars(room))  # runs our own source, one line changed
    # A wrong bucket could make the correction endless, so only its own bug runs it.
    corrected = bug.startswith("corrects")
    noticed = 0
    for seed in range(20):
        values, highest, figures, lowest, interval = samples(seed)
        try:
            check(room, values, highest, figures, lowest, interval if corrected else 0)
        except (AssertionError, IndexError):
            noticed += 1
    assert noticed
