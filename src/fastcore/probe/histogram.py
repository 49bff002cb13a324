"""Histogram: how often each value occurred, at a fixed relative precision (HdrHistogram's rule).

Values are non-negative integers of any unit; hftbot records nanoseconds. A value shares a bucket
only with values that agree with it in the first ``significant_figures`` decimal digits.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore._bits import bit_length
    from cython.cimports.libc.math import sqrt
else:
    from math import sqrt

    def bit_length(v):
        return v.bit_length() or 1

HEADER_WORDS = 4
EMPTY_LEAST = 0x7FFFFFFFFFFFFFFF
FNV_PRIME = 1099511628211


class Histogram:
    """Counts of integer values from 0 to ``highest``; recording never fails and never allocates.

    ``significant_figures`` is 1 to 5, ``lowest`` the smallest value that must be told apart
    from 0. Values beyond the range are recorded as its nearest end and counted in ``clamped``.
    Raises ValueError for an impossible range.
    """

    def __init__(self, highest: int = 3_600_000_000_000, significant_figures: int = 3,
                 lowest: int = 1) -> None:
        if not 1 <= significant_figures <= 5:
            raise ValueError(f"significant_figures is {significant_figures}, not 1 to 5")
        if lowest < 1 or not 2 * lowest <= highest < 1 << 63:
            raise ValueError(f"impossible range: lowest {lowest}, highest {highest} "
                             "(1 <= lowest, 2 * lowest <= highest < 2**63)")
        unit_bits = int(lowest).bit_length() - 1
        half_bits = (2 * 10**significant_figures - 1).bit_length() - 1
        if unit_bits + half_bits > 61:
            raise ValueError(f"lowest {lowest} leaves no room for {significant_figures} "
                             "significant figures")
        buckets = 1
        while (2 << (half_bits + unit_bits + buckets - 1)) <= highest:
            buckets += 1
        self.highest = highest
        self.lowest = lowest
        self.significant_figures = significant_figures
        self.unit_bits = unit_bits
        self.half_bits = half_bits
        self.mask = ((2 << half_bits) - 1) << unit_bits
        self.buckets = (buckets + 1) << half_bits
        self.adopt(array("q", bytes(8 * (HEADER_WORDS + self.buckets))), 0)
        self.words[1] = EMPTY_LEAST

    def words_needed(self) -> int:
        """Length of the storage of one such histogram, in 64-bit words."""
        return HEADER_WORDS + self.buckets

    def adopt(self, storage: array, row: int) -> None:
        """Keep the counts in ``storage[row:]`` from now on (for a table of many histograms)."""
        self.storage = storage
        self.words = storage
        self.row = row

    # -- record

    def record(self, value: int) -> None:
        """Count one value."""
        self.record_row(self.row, value)

    def record_row(self, row: int, value: int) -> None:
        """Count one value for the histogram that starts at ``row`` of this one's storage."""
        if value < 0:
            value = 0
            self.words[row + 3] += 1
        elif value > self.highest:
            value = self.highest
            self.words[row + 3] += 1
        self.words[row] += 1
        if value < self.words[row + 1]:
            self.words[row + 1] = value
        if value > self.words[row + 2]:
            self.words[row + 2] = value
        self.words[row + HEADER_WORDS + self.index_of(value)] += 1

    def record_count(self, value: int, times: int) -> None:
        """Count one value several times. Does nothing if ``times`` is not positive."""
        if times < 1:
            return
        self.record_row(self.row, value)
        times -= 1
        if value < 0:
            value = 0
            self.words[self.row + 3] += times
        elif value > self.highest:
            value = self.highest
            self.words[self.row + 3] += times
        self.words[self.row] += times
        self.words[self.row + HEADER_WORDS + self.index_of(value)] += times

    def record_corrected(self, value: int, expected_interval: int) -> None:
        """Count a value and the ones that its delay kept from being measured.

        One sample is expected every ``expected_interval``: a longer value also counts
        value - interval, value - 2 * interval ... down to the interval (coordinated omission).
        """
        self.record(value)
        if expected_interval < 1 or value < expected_interval:
            return
        if value > self.highest:
            value = self.highest
        missing = value - expected_interval
        # Whole buckets at a time, so that a tiny interval cannot make this loop long.
        while missing >= expected_interval:
            least = self.least_at(self.index_of(missing))
            if least < expected_interval:
                least = expected_interval
            times = (missing - least) // expected_interval + 1
            # As the least of them, which may be the minimum; the maximum is counted already.
            missing -= (times - 1) * expected_interval
            self.record_count(missing, times)
            missing -= expected_interval

    def record_all(self, values: array) -> None:
        """Count every value of an ``array('q')``."""
        for i in range(len(values)):
            self.record(values[i])

    # -- buckets

    def index_of(self, value: int) -> int:
        """Bucket of a value between 0 and ``highest``."""
        shift = bit_length(value | self.mask) - self.half_bits - 1
        return ((shift - self.unit_bits) << self.half_bits) + (value >> shift)

    def least_at(self, index: int) -> int:
        """Smallest value of a bucket."""
        shift = (index >> self.half_bits) - 1
        if shift < 0:
            shift = 0
        return (index - (shift << self.half_bits)) << (shift + self.unit_bits)

    def most_at(self, index: int) -> int:
        """Largest value of a bucket."""
        shift = (index >> self.half_bits) - 1
        if shift < 0:
            shift = 0
        # Bracketed so: the last bucket ends where int64 does.
        return self.least_at(index) + (((self.mask & -self.mask) << shift) - 1)

    def middle_at(self, index: int) -> float:
        """Value that stands for a bucket in mean and deviation."""
        return float(self.least_at(index) + ((self.most_at(index) - self.least_at(index) + 1) >> 1))

    def count_at(self, index: int) -> int:
        """How many values a bucket holds; 0 beyond the last."""
        if index < 0 or index >= self.buckets:
            return 0
        return self.words[self.row + HEADER_WORDS + index]

    def add_at(self, index: int, times: int) -> int:
        """Count a whole bucket, its exact values unknown. Returns 0, or -1 if it does not exist."""
        if index < 0 or index >= self.buckets or times < 0:
            return -1
        if times == 0:
            return 0
        self.words[self.row] += times
        self.words[self.row + HEADER_WORDS + index] += times
        if self.least_at(index) < self.words[self.row + 1]:
            self.words[self.row + 1] = self.least_at(index)
        if self.most_at(index) > self.words[self.row + 2]:
            self.words[self.row + 2] = self.most_at(index)
        return 0

    # -- read

    def total(self) -> int:
        """How many values were counted."""
        return self.words[self.row]

    @property
    def count(self) -> int:
        """How many values were counted."""
        return self.words[self.row]

    @property
    def min(self) -> int:
        """Smallest value, exact; 0 if empty."""
        return self.words[self.row + 1] if self.words[self.row] else 0

    @property
    def max(self) -> int:
        """Largest value, exact; 0 if empty."""
        return self.words[self.row + 2]

    @property
    def clamped(self) -> int:
        """How many values lay outside the range."""
        return self.words[self.row + 3]

    def value_at_percentile(self, percentile: float) -> int:
        """Value that ``percentile`` (0 to 100) percent of the samples do not exceed; 0 if empty.

        It is the upper end of its bucket, but never more than ``max``.
        """
        if self.words[self.row] == 0:
            return 0
        if not percentile > 0.0:
            return self.words[self.row + 1]
        if percentile > 100.0:
            percentile = 100.0
        target = percentile * self.words[self.row] / 100.0
        need = int(target)
        whole = need
        # A fraction as small as the rounding of the product is not a sample.
        if target - whole > target * 1e-15:
            need += 1
        if need < 1:
            need = 1
        seen = 0
        for i in range(self.index_of(self.words[self.row + 1]), self.buckets):
            seen += self.words[self.row + HEADER_WORDS + i]
            if seen >= need:
                value = self.most_at(i)
                return value if value < self.words[self.row + 2] else self.words[self.row + 2]
        return self.words[self.row + 2]

    def mean(self) -> float:
        """Mean, from the middle of each bucket but within ``min`` and ``max``; 0.0 if empty."""
        if self.words[self.row] == 0:
            return 0.0
        total = 0.0
        end = self.index_of(self.words[self.row + 2]) + 1
        for i in range(self.index_of(self.words[self.row + 1]), end):
            if self.words[self.row + HEADER_WORDS + i]:
                total += self.middle_at(i) * self.words[self.row + HEADER_WORDS + i]
        centre = total / self.words[self.row]
        if centre < self.words[self.row + 1]:
            return float(self.words[self.row + 1])
        if centre > self.words[self.row + 2]:
            return float(self.words[self.row + 2])
        return centre

    def stddev(self) -> float:
        """Standard deviation, from the middle of each bucket; 0.0 if empty."""
        if self.words[self.row] == 0:
            return 0.0
        centre = self.mean()
        total = 0.0
        end = self.index_of(self.words[self.row + 2]) + 1
        for i in range(self.index_of(self.words[self.row + 1]), end):
            if self.words[self.row + HEADER_WORDS + i]:
                gap = self.middle_at(i) - centre
                total += gap * gap * self.words[self.row + HEADER_WORDS + i]
        return sqrt(total / self.words[self.row])

    def state_hash(self) -> int:
        """64-bit digest of everything recorded; equal for equal contents and range."""
        mask = 1
        mask = (mask << 63) + ((mask << 63) - 1)
        digest = self.highest
        digest = ((digest ^ self.significant_figures) * FNV_PRIME) & mask
        digest = ((digest ^ self.lowest) * FNV_PRIME) & mask
        for i in range(HEADER_WORDS):
            digest = ((digest ^ self.words[self.row + i]) * FNV_PRIME) & mask
        for i in range(self.buckets):
            if self.words[self.row + HEADER_WORDS + i]:
                digest = ((digest ^ i) * FNV_PRIME) & mask
                digest = ((digest ^ self.words[self.row + HEADER_WORDS + i]) * FNV_PRIME) & mask
        return digest

    def merge(self, other: "Histogram") -> int:
        """Add all that ``other`` holds. Returns its count.

        With another range or precision each of its buckets counts as its smallest value.
        """
        merged = other.total()
        if (self.highest == other.highest and self.lowest == other.lowest
                and self.significant_figures == other.significant_figures):
            for i in range(self.buckets):
                self.words[self.row + HEADER_WORDS + i] += other.count_at(i)
            self.words[self.row] += merged
            if other.words[other.row + 1] < self.words[self.row + 1]:
                self.words[self.row + 1] = other.words[other.row + 1]
            if other.words[other.row + 2] > self.words[self.row + 2]:
                self.words[self.row + 2] = other.words[other.row + 2]
        else:
            for i in range(other.buckets):
                if other.count_at(i):
                    self.record_count(other.least_at(i), other.count_at(i))
        self.words[self.row + 3] += other.words[other.row + 3]
        return merged

    def reset(self) -> None:
        """Forget every value."""
        for i in range(HEADER_WORDS + self.buckets):
            self.words[self.row + i] = 0
        self.words[self.row + 1] = EMPTY_LEAST

    def __len__(self) -> int:
        return self.words[self.row]

    def __repr__(self) -> str:
        return (f"Histogram(count={self.count}, min={self.min}, "
                f"p50={self.value_at_percentile(50.0)}, p99={self.value_at_percentile(99.0)}, "
                f"max={self.max})")
