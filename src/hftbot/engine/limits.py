"""Limits on what we know of the venue: how slowly it answers, and for how long it is unseen."""

from __future__ import annotations

WEIGHT = 0.2


class LatencyLimit:
    """Orders that are answered too slowly for too long are a reason to halt.

    The mean is exponentially weighted over the answers (the last one counts a fifth); an order
    that still waits counts with its age as soon as that is worse. ``limit_us`` 0 is off.
    """

    def __init__(self, limit_us: int, after_ns: int) -> None:
        self.limit_us = limit_us
        self.after_ns = after_ns
        self.mean_us = 0.0
        self._slow_ns = 0

    def answered(self, latency_ns: int) -> None:
        """The venue answered an order that was sent so long ago."""
        latency_us = latency_ns / 1000
        self.mean_us += (latency_us - self.mean_us) * (WEIGHT if self.mean_us else 1.0)

    def tick(self, oldest_ns: int, now_ns: int) -> str:
        """Why to halt, or nothing. ``oldest_ns`` is the age of the oldest order unanswered."""
        worst_us = max(self.mean_us, oldest_ns / 1000)
        if self.limit_us == 0 or worst_us <= self.limit_us:
            self._slow_ns = 0
            return ""
        self._slow_ns = self._slow_ns or now_ns
        if now_ns - self._slow_ns < self.after_ns:
            return ""
        return (f"latency limit: orders are answered in {worst_us:,.0f} us, "
                f"allowed are {self.limit_us:,} us")


class BlindLimit:
    """Orders or positions that nobody tells us about for too long are a reason to halt.

    ``limit_ns`` 0 is off.
    """

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self._blind_ns = 0

    def tick(self, blind: bool, at_stake: bool, now_ns: int) -> str:
        """Why to halt, or nothing. ``at_stake``: an order is open or a position is held."""
        if not blind or not at_stake or self.limit_ns == 0:
            self._blind_ns = 0
            return ""
        self._blind_ns = self._blind_ns or now_ns
        if now_ns - self._blind_ns < self.limit_ns:
            return ""
        return (f"blind: no private feed for {self.limit_ns / 1e9:g} s with orders or positions "
                "open")
