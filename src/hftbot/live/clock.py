"""The Clock port on real time."""

from __future__ import annotations

from fastcore.probe import clock


class SystemClock:
    """Real time: wall microseconds and monotonic nanoseconds."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the epoch."""
        return int(clock.now_us())

    def mono_ns(self) -> int:
        """Monotonic nanoseconds."""
        return int(clock.mono_ns())
