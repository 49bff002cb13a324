"""Trackers: one histogram of nanoseconds for each named step of the trading loop."""

from array import array
from collections.abc import Iterator

from fastcore.probe import histogram as room

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
if cython.compiled:
    from cython.cimports.fastcore.probe.clock import mono_ns
else:
    from fastcore.probe.clock import mono_ns

SEED_NAMES = ("loop_iteration", "intent_generation", "risk_check", "order_placement",
              "book_update", "fair_price_calc")
LOOP_ITERATION = 0
INTENT_GENERATION = 1
RISK_CHECK = 2
ORDER_PLACEMENT = 3
BOOK_UPDATE = 4
FAIR_PRICE_CALC = 5

SIZE_MAX = 256
SPARE = 2


class Trackers:
    """Named latency histograms, 1 ns to 1 hour at three significant figures.

    Each takes 264 KiB. ``record`` is for the hot path and never fails; ``record_named`` makes
    unknown names known. Only one thread may add names while another records.
    """

    def __init__(self, names: tuple[str, ...] = SEED_NAMES) -> None:
        self.bank = room.Histogram()
        self.stride = self.bank.words_needed()
        self.indexes: dict[str, int] = {}
        self.histograms: list[room.Histogram] = []
        self.size = 0
        self.capacity = 0
        self.dropped = 0
        self.resize(len(names) + SPARE)
        for name in names:
            self.add(name)

    # -- record

    def record(self, index: int, ns: int) -> None:
        """Count one duration. An index that does not exist only adds to ``dropped``."""
        if index < 0 or index >= self.size:
            self.dropped += 1
            return
        self.bank.record_row(index * self.stride, ns)

    def record_since(self, index: int, start_ns: int) -> None:
        """Count what has passed since a moment of ``mono_ns``."""
        self.record(index, mono_ns() - start_ns)

    def record_named(self, name: str, ns: int) -> int:
        """Count one duration; an unknown name is added. Returns its index.

        Raises ValueError as ``add`` does.
        """
        index = self.add(name)
        self.record(index, ns)
        return index

    # -- names

    def add(self, name: str) -> int:
        """Index of a name, which is added if it is new.

        Raises ValueError beyond 256 names: a name is a kind of step, not one occurrence.
        """
        if name in self.indexes:
            return self.indexes[name]
        index = self.size
        if index >= SIZE_MAX:
            raise ValueError(f"{name!r} would be tracker {SIZE_MAX + 1}; {SIZE_MAX} is the most")
        if index >= self.capacity:
            self.resize(2 * self.capacity)
        fresh = room.Histogram()
        fresh.adopt(self.storage, index * self.stride)
        fresh.reset()
        self.histograms.append(fresh)
        self.indexes[name] = index
        self.size = index + 1
        return index

    def resize(self, capacity: int) -> None:
        """Move everything recorded into storage for ``capacity`` trackers (never fewer)."""
        if capacity <= self.capacity:
            return
        storage = array("q", bytes(8 * self.stride * capacity))
        if self.size:
            storage[:len(self.storage)] = self.storage
        self.storage = storage
        self.bank.adopt(storage, 0)
        for index in range(self.size):
            self.histograms[index].adopt(storage, index * self.stride)
        self.capacity = capacity

    def names(self) -> tuple[str, ...]:
        """All names, in index order."""
        return tuple(self.indexes)

    def get(self, name: str) -> "room.Histogram":
        """The live histogram of a name, in nanoseconds. Raises KeyError for an unknown one."""
        if name not in self.indexes:
            raise KeyError(f"no tracker {name!r}; there are {', '.join(self.indexes)}")
        return self.histograms[self.indexes[name]]

    # -- read

    def statistics(self) -> dict[str, dict[str, float]]:
        """For each name the count, and min, avg, p50, p95, p99 and max in float microseconds."""
        return {name: summary(self.histograms[index]) for name, index in self.indexes.items()}

    def reset(self) -> None:
        """Forget every sample; the names stay."""
        for histogram in self.histograms:
            histogram.reset()
        self.dropped = 0

    def state_hash(self) -> int:
        """64-bit digest of all histograms."""
        digest = self.size
        for histogram in self.histograms:
            digest = (digest * 31 + histogram.state_hash()) % (1 << 64)
        return digest

    def __len__(self) -> int:
        return self.size

    def __contains__(self, name: str) -> bool:
        return name in self.indexes

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.indexes))

    def __repr__(self) -> str:
        return f"Trackers({', '.join(self.indexes)})"


def summary(histogram: "room.Histogram") -> dict[str, float]:
    """One histogram of nanoseconds as count and float microseconds."""
    return {
        "count": histogram.count,
        "min_us": histogram.min / 1000.0,
        "avg_us": histogram.mean() / 1000.0,
        "p50_us": histogram.value_at_percentile(50.0) / 1000.0,
        "p95_us": histogram.value_at_percentile(95.0) / 1000.0,
        "p99_us": histogram.value_at_percentile(99.0) / 1000.0,
        "max_us": histogram.max / 1000.0,
    }
