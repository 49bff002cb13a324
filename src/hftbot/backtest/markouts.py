"""What the market did after our fills, followed while the run goes on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

HORIZONS_S = (0, 1, 5, 30, 60)
"""Counted from when a fill was seen; 0 is that moment itself: the spread it earned."""
SECOND_NS = 1_000_000_000
NEVER_NS = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class MarkoutRow:
    """Mean signed move from fill price to mid after ``horizon_s``; positive is good for us.

    ``bps_error`` is the standard error of ``bps_mean``; ``money_mean`` is of one fill, in the
    account's currency. All 0 if no fill has reached the horizon.
    """

    horizon_s: int
    count: int
    bps_mean: float
    bps_error: float
    money_mean: float


@dataclass(slots=True)
class MarkoutSum:
    """Sums over the fills of one asset that have reached one horizon."""

    count: int = 0
    bps: float = 0.0
    bps_squared: float = 0.0
    money: float = 0.0


class Markouts:
    """Remembers the fills of one asset until each horizon has passed.

    A fill is compared with the first mid told at or after its horizon. ``due_ns`` is when the next
    mid is wanted.
    """

    def __init__(self) -> None:
        self.due_ns = NEVER_NS
        self.sums = [MarkoutSum() for _ in HORIZONS_S]
        self._waiting: list[deque[tuple[int, float, int, float]]] = [deque() for _ in HORIZONS_S]

    def follow(self, seen_ns: int, price: float, side: int, size: float) -> None:
        """A fill was seen. ``size`` is money a unit of price; negative: money a unit of 1/price."""
        for horizon_s, waiting in zip(HORIZONS_S, self._waiting, strict=True):
            waiting.append((seen_ns + horizon_s * SECOND_NS, price, side, size))
        self.due_ns = min(self.due_ns, seen_ns)

    def on_mid(self, mid: float, now_ns: int) -> None:
        """The mid now. NaN if there is none: then the fills wait on."""
        if now_ns < self.due_ns or mid != mid:
            return
        self.due_ns = NEVER_NS
        for waiting, total in zip(self._waiting, self.sums, strict=True):
            while waiting and waiting[0][0] <= now_ns:
                _, price, side, size = waiting.popleft()
                move = mid - price if side == 0 else price - mid
                bps = move / price * 10_000
                total.count += 1
                total.bps += bps
                total.bps_squared += bps * bps
                # An inverse contract of ``size`` earns size/price - size/mid.
                total.money += move * size if size >= 0 else -move * size / (price * mid)
            if waiting:
                self.due_ns = min(self.due_ns, waiting[0][0])


def rows_of(followed: Iterable[Markouts]) -> tuple[MarkoutRow, ...]:
    """One row a horizon over the fills of all these assets."""
    every = list(followed)
    rows = []
    for place, horizon_s in enumerate(HORIZONS_S):
        sums = [markouts.sums[place] for markouts in every]
        count = sum(total.count for total in sums)
        mean = math.fsum(total.bps for total in sums) / count if count else 0.0
        error = 0.0
        if count > 1:
            squared = math.fsum(total.bps_squared for total in sums)
            error = math.sqrt(max(squared - count * mean * mean, 0.0) / (count - 1) / count)
        money = math.fsum(total.money for total in sums) / count if count else 0.0
        rows.append(MarkoutRow(horizon_s, count, mean, error, money))
    return tuple(rows)
