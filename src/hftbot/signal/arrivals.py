"""How often takers come, and how far from the fair price they still trade."""

from __future__ import annotations

from fastcore.market.fair import natural_exp

PRIOR = 20.0
_LN2 = 0.6931471805599453


class Arrivals:
    """The intensity of takers, ``rate_per_s`` * exp(-``decay_per_bps`` * depth in bps), one side.

    An order at ``depth`` is traded with by those who reach that far. Depths are taken to be
    exponentially distributed, so the rate is their number in a time and the decay one over their
    mean. Both sides are counted together and the rate is halved. ``rate_per_s`` and ``depth_bps``
    are believed at the start as much as PRIOR takers; what was seen counts half as much every
    ``half_life_us``. With ``measured`` False the two stay as they are.

    Raises ValueError for a rate, depth or time that is not positive.
    """

    __slots__ = ("_count", "_depths", "_half_life_us", "_last_depth", "_last_side", "_last_stamp",
                 "_last_us", "_least", "_seconds", "measured", "seen")

    def __init__(self, rate_per_s: float, depth_bps: float, half_life_us: int,
                 measured: bool = True) -> None:
        if not (rate_per_s > 0.0 and depth_bps > 0.0 and half_life_us > 0):
            raise ValueError("rate, depth and half life must be positive")
        self.measured = measured
        self.seen = 0
        self._half_life_us = half_life_us
        self._count = PRIOR
        self._seconds = PRIOR / (2.0 * rate_per_s)
        self._depths = PRIOR * depth_bps
        self._least = 1e-3 * depth_bps
        self._last_us = 0
        self._last_stamp = self._last_side = -1
        self._last_depth = 0.0

    @property
    def rate_per_s(self) -> float:
        """Takers a second that trade on one side, however deep."""
        return max(1e-6, 0.5 * self._count / self._seconds)

    @property
    def depth_bps(self) -> float:
        """How deep they trade on average."""
        return max(self._least, self._depths / self._count)

    @property
    def decay_per_bps(self) -> float:
        """How quickly fewer of them reach a price further out."""
        return 1.0 / self.depth_bps

    def on_trade(self, side: int, depth_bps: float, stamp_us: int, now_us: int) -> None:
        """A taker of ``side`` traded so far from the fair price.

        Trades with the venue's stamp and side of the one before are the same taker going deeper.
        """
        if not self.measured:
            return
        depth = max(0.0, depth_bps)
        if stamp_us == self._last_stamp and side == self._last_side:
            self._depths += max(0.0, depth - self._last_depth)
            self._last_depth = max(depth, self._last_depth)
            return
        self.forget(now_us)
        self.seen += 1
        self._count += 1.0
        self._depths += depth
        self._last_stamp, self._last_side, self._last_depth = stamp_us, side, depth

    def forget(self, now_us: int) -> None:
        """Time passed: what was seen before counts less."""
        if not self.measured:
            return
        if self._last_us and now_us > self._last_us:
            elapsed_us = now_us - self._last_us
            keep = max(1e-9, natural_exp(-_LN2 * elapsed_us / self._half_life_us))
            self._count *= keep
            self._depths *= keep
            self._seconds = keep * self._seconds + 1e-6 * elapsed_us
        self._last_us = max(now_us, self._last_us)
