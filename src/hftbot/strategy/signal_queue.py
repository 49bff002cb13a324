"""Signals that wait for a place: the strongest goes first, and none is used after its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Signal(NamedTuple):
    """Where a market is being pushed.

    ``direction`` is 1 for up and -1 for down, ``priority`` larger for what goes first,
    ``until_us`` the wall-clock moment from which it is void, ``seen_ns`` the monotonic one at
    which it was seen.
    """

    instrument: int
    direction: int
    priority: int
    until_us: int
    seen_ns: int


class SignalQueue:
    """At most one signal per instrument; the newest replaces the one before.

    ``expired`` counts those that found no place in time, ``most`` how many waited at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, Signal] = {}
        self.expired = 0
        self.most = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, signal: Signal) -> None:
        """Let a signal wait."""
        self._waiting[signal.instrument] = signal
        self.most = max(self.most, len(self._waiting))

    def drop(self, instrument: int) -> None:
        """Forget what an instrument said."""
        self._waiting.pop(instrument, None)

    def take(self, now_us: int, ready: Callable[[Signal], bool]) -> Signal | None:
        """The strongest signal that is ready and not void, taken out; of equals the oldest."""
        best: Signal | None = None
        for signal in [one for one in self._waiting.values() if now_us >= one.until_us]:
            del self._waiting[signal.instrument]
            self.expired += 1
        for signal in self._waiting.values():
            stronger = best is None or signal.priority > best.priority or (
                signal.priority == best.priority and signal.seen_ns < best.seen_ns)
            if stronger and ready(signal):
                best = signal
        if best is not None:
            del self._waiting[best.instrument]
        return best
