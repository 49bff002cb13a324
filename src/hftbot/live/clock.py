"""The Clock port on real time."""

from __future__ import annotations

from fastcore.probe import clock


class SystemClock:
    """Real time: wall microseconds and monotonic nanoseconds.

    Each order asks several times, so these are the compiled functions themselves.
    """

    now_us = staticmethod(clock.now_us)
    mono_ns = staticmethod(clock.mono_ns)
