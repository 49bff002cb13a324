"""Curves made small enough to draw, and numbers short enough to print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Series = tuple[tuple[float, float], ...]
"""(seconds since the first sample, value) points in order of time."""

POINTS_MAX = 1_000


def stepped(column: Iterable[float]) -> list[float]:
    """The column with each NaN replaced by the last number before it."""
    filled, last = [], math.nan
    for number in column:
        if number == number:
            last = number
        filled.append(last)
    return filled


def thinned(times_ns: Sequence[int], column: Sequence[float], begin_ns: int,
            points_max: int = POINTS_MAX) -> Series:
    """At most about ``points_max`` points with the same first, last, highest and lowest.

    The curve is cut into stretches of equally many samples; of each, the lowest and the highest
    stay, so no spike is lost. NaN is left out.
    """
    rows = [(now_ns, value) for now_ns, value in zip(times_ns, column, strict=True)
            if value == value]
    if len(rows) > points_max:
        stretch = -(-2 * len(rows) // points_max)
        kept = {0, len(rows) - 1}
        for start in range(0, len(rows), stretch):
            part = range(start, min(start + stretch, len(rows)))
            kept.add(min(part, key=lambda row: rows[row][1]))
            kept.add(max(part, key=lambda row: rows[row][1]))
        rows = [rows[row] for row in sorted(kept)]
    return tuple((tidy((now_ns - begin_ns) / 1e9), tidy(value)) for now_ns, value in rows)


def tidy(number: float, digits: int = 9) -> float:
    """The number with that many significant digits."""
    return float(f"{number:.{digits}g}")
