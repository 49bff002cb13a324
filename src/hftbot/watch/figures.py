"""Numbers as a screen shows them: aligned, grouped, and no wider than they must be."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*%#"
SECOND_US = 1_000_000


def grouped(text: str) -> str:
    """An exact decimal text with its thousands apart; what is no number stays as it is."""
    whole, dot, fraction = text.partition(".")
    sign = whole[:1] if whole[:1] in ("+", "-") else ""
    digits = whole[len(sign):]
    return f"{sign}{int(digits):,}{dot}{fraction}" if digits.isdigit() else text


def money(amount: float) -> str:
    """Signed: cents, or as many digits as a small amount needs to be seen."""
    return f"{amount:+,.2f}" if abs(amount) >= 100 else f"{amount:+.4f}"


def micros(us: float) -> str:
    """A latency in at most six characters: us up to 99,999, then ms and s with their letter."""
    if us < 99.995:
        return f"{us:.2f}"
    if us < 99_999.5:
        return f"{us:,.0f}"
    return f"{us / 1e3:.0f}ms" if us < 9_999_500 else f"{us / 1e6:,.0f}s"


def age(us: float | None) -> str:
    """A time span in at most five characters: ms, s, m, h, d."""
    if us is None:
        return "-"
    if us < 999_500:
        return f"{us / 1e3:.0f}ms"
    seconds = us / 1e6
    for limit, unit, letter in ((100, 1, "s"), (6_000, 60, "m"), (360_000, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f}{letter}"
    return f"{seconds / 86_400:.0f}d"


def clock(us: int, digits: int = 6) -> str:
    """Time of day, UTC, of wall-clock microseconds, with ``digits`` of the second's fraction."""
    seconds, rest = divmod(us, SECOND_US)
    text = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest:06d}"[:9 + digits] if digits else text


def span(seconds: float) -> str:
    """How long a run lasts: 00:12:34, or 3d 04:05:06."""
    whole = int(max(0.0, seconds))
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else text


def bar(used: float, most: float, width: int, utf: bool = True) -> str:
    """How much of something is used."""
    full = round(min(1.0, max(0.0, used / most)) * width) if most > 0 else width
    if used > 0 and full == 0:
        full = 1
    on, off = ("█", "░") if utf else ("#", ".")
    return on * full + off * (width - full)


def sparkline(values: Sequence[float], width: int, utf: bool = True) -> str:
    """The values as small columns, oldest left; more than ``width`` are thinned evenly."""
    return "".join(chart(values, width, 1, utf))


def chart(values: Sequence[float], width: int, height: int, utf: bool = True) -> list[str]:
    """The same over ``height`` lines, from the lowest value to the highest; top line first."""
    if width <= 0 or len(values) < 2:
        return [""] * height
    if len(values) > width:
        step = (len(values) - 1) / max(1, width - 1)
        values = [values[round(index * step)] for index in range(width)]
    low, high = min(values), max(values)
    blocks = BLOCKS if utf else ASCII_BLOCKS
    top = len(blocks) * height - 1
    scale = top / (high - low) if high > low else 0.0
    levels = [round((value - low) * scale) + 1 for value in values]
    lines = []
    for line in range(height - 1, -1, -1):
        under = line * len(blocks)
        lines.append("".join(
            " " if level <= under else blocks[min(level - under, len(blocks)) - 1]
            for level in levels))
    return lines
