"""What the venue refused, told to people: a burst of the same words is one line with a count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

BURST_NS = 1_000_000_000
BURSTS_MAX = 64


@dataclass(slots=True)
class Burst:
    """Refusals with the same words."""

    since_ns: int
    first: int
    last: int
    count: int = 1


class Refusals:
    """Gathers refusals of orders for BURST_NS, each kind of words by itself; then tells them."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._bursts: dict[str, Burst] = {}

    def add(self, client_id: int, code: str, now_ns: int) -> None:
        """An order was refused with these words, at a monotonic time."""
        burst = self._bursts.get(code)
        if burst is not None:
            burst.last = client_id
            burst.count += 1
            return
        if len(self._bursts) >= BURSTS_MAX:
            self.tell_all(now_ns)
        self._bursts[code] = Burst(now_ns, client_id, client_id)

    def tick(self, now_ns: int) -> None:
        """Tell the bursts that are old enough."""
        if self._bursts:
            for code, burst in list(self._bursts.items()):
                if now_ns - burst.since_ns >= BURST_NS:
                    self._tell(code, burst, now_ns)

    def tell_all(self, now_ns: int) -> None:
        """Tell everything now: at the end, and before there are too many."""
        for code, burst in list(self._bursts.items()):
            self._tell(code, burst, now_ns)

    def _tell(self, code: str, burst: Burst, now_ns: int) -> None:
        del self._bursts[code]
        if burst.count == 1:
            self._warn(f"order {burst.first} rejected: {code}")
            return
        self._warn(f"{burst.count} orders rejected: {code} (orders {burst.first} to "
                   f"{burst.last}, within {(now_ns - burst.since_ns) / 1e9:.1f} s)")
