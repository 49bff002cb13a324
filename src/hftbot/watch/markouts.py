"""What the market did after our fills: the honest number beside a simulated profit."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

HORIZONS_S = (1, 5, 30, 60)


@dataclass(frozen=True, slots=True)
class Markout:
    """Mean signed move from fill price to mid, ``horizon_s`` after the fill.

    Positive is good for us. ``bps_mean`` of the fill price; ``quote_mean`` quote units a fill;
    ``count`` fills that have reached the horizon (the means are 0 if none has).
    """

    horizon_s: int
    count: int
    bps_mean: float
    quote_mean: float


class Markouts:
    """Remembers fills until each horizon has passed. Horizon 0 is the mid at the fill itself.

    A fill is compared with the first mid seen at or after its horizon. Times are wall-clock
    microseconds of the world; prices and sizes floats in quote and base units.
    """

    def __init__(self, horizons_s: Sequence[int] = HORIZONS_S) -> None:
        self.horizons_s = (0, *horizons_s)
        self._counts = [0] * len(self.horizons_s)
        self._bps = [0.0] * len(self.horizons_s)
        self._quote = [0.0] * len(self.horizons_s)
        self._waiting: dict[int, list[deque[tuple[int, float, float]]]] = {}
        self._next_due_us: dict[int, int] = {}

    def add_fill(self, instrument: int, side: int, price: float, size: float, mid: float,
                 ts_us: int) -> None:
        """One fill of ours: side 0 buy, 1 sell; ``mid`` at that moment, 0 if unknown."""
        if price <= 0 or size <= 0:
            return
        signed = size if side == 0 else -size
        if mid > 0:
            self._count(0, price, signed, mid)
        waiting = self._waiting.setdefault(
            instrument, [deque() for _ in self.horizons_s[1:]])
        for horizon_s, fills in zip(self.horizons_s[1:], waiting, strict=True):
            fills.append((ts_us + horizon_s * 1_000_000, price, signed))
        self._remember_next(instrument)

    def on_mid(self, instrument: int, mid: float, ts_us: int) -> None:
        """The mid of an instrument now. Cheap if nothing is due: call it on every timer."""
        due_us = self._next_due_us.get(instrument)
        if due_us is None or ts_us < due_us or mid <= 0:
            return
        for index, fills in enumerate(self._waiting[instrument], 1):
            while fills and fills[0][0] <= ts_us:
                _, price, signed = fills.popleft()
                self._count(index, price, signed, mid)
        self._remember_next(instrument)

    def results(self) -> list[Markout]:
        """One row a horizon, horizon 0 first."""
        return [Markout(horizon_s, count, bps / count if count else 0.0,
                        quote / count if count else 0.0)
                for horizon_s, count, bps, quote
                in zip(self.horizons_s, self._counts, self._bps, self._quote, strict=True)]

    def _count(self, index: int, price: float, signed: float, mid: float) -> None:
        moved = (mid - price) * signed
        self._counts[index] += 1
        self._bps[index] += moved / (abs(signed) * price) * 10_000
        self._quote[index] += moved

    def _remember_next(self, instrument: int) -> None:
        heads = [fills[0][0] for fills in self._waiting[instrument] if fills]
        if heads:
            self._next_due_us[instrument] = min(heads)
        else:
            self._next_due_us.pop(instrument, None)
