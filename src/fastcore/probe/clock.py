"""Real time, for measuring only: wall clock, monotonic clock, stopwatch.

A decision, event or journal record takes its time from the world's Clock port instead.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
if cython.compiled:
    from cython.cimports.fastcore.probe._posix import monotonic_ns, time_ns
else:
    from time import monotonic_ns, time_ns


def now_ns() -> int:
    """Wall-clock nanoseconds since the epoch."""
    return time_ns()


def now_us() -> int:
    """Wall-clock microseconds since the epoch."""
    return time_ns() // 1000


def mono_ns() -> int:
    """Monotonic nanoseconds; only differences mean something."""
    return monotonic_ns()


class Stopwatch:
    """Measures how long something takes; runs from its creation, or from ``start()``.

    ``with Stopwatch() as watch:`` measures the block: afterwards the elapsed time stands still.
    """

    def __init__(self) -> None:
        self.started_ns = monotonic_ns()
        self.lapped_ns = self.started_ns
        self.stopped_ns = 0

    def start(self) -> "Stopwatch":
        """Start again from zero. Returns itself."""
        self.started_ns = monotonic_ns()
        self.lapped_ns = self.started_ns
        self.stopped_ns = 0
        return self

    def lap(self) -> int:
        """Nanoseconds since the last lap, or since the start; begins the next lap."""
        now = monotonic_ns()
        lap_ns = now - self.lapped_ns
        self.lapped_ns = now
        return lap_ns

    def stop(self) -> int:
        """Make the elapsed time stand still. Returns it in nanoseconds."""
        if self.stopped_ns == 0:
            self.stopped_ns = monotonic_ns()
        return self.stopped_ns - self.started_ns

    def elapsed_ns(self) -> int:
        """Nanoseconds from the start to now, or to the stop."""
        if self.stopped_ns:
            return self.stopped_ns - self.started_ns
        return monotonic_ns() - self.started_ns

    def elapsed_us(self) -> int:
        """Whole microseconds from the start to now, or to the stop."""
        return self.elapsed_ns() // 1000

    def __enter__(self) -> "Stopwatch":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
