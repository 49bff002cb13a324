"""Plots as SVG text: lines, bars, a cumulative curve, a square. No script, no library.

Colours are classes of the page's style sheet, so a plot follows the page into dark mode. All
coordinates are pixels of a fixed drawing that the page scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
LEFT, RIGHT, TOP, BOTTOM = 64.0, 14.0, 10.0, 26.0
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600,
                 43_200, 86_400, 172_800, 604_800)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: its name, its CSS class, its points in order of x."""

    label: str
    style: str
    points: Points
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its height, half the length of its error line, and what hovering says."""

    height: float
    error: float
    style: str
    says: str


class Frame:
    """The plane of a plot: maps values to pixels and draws grid and axes.

    ``wide`` and ``high`` are pixels; ``x_range`` and ``y_range`` values. A range without extent is
    widened, so that a flat line stands in the middle.
    """

    def __init__(self, wide: float, high: float, x_range: tuple[float, float],
                 y_range: tuple[float, float]) -> None:
        self.wide = wide
        self.high = high
        self.x_range = _opened(x_range)
        self.y_range = _opened(y_range)
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        """Pixel column of a value."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (self.wide - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixel row of a value."""
        low, high = self.y_range
        return self.high - BOTTOM - (value - low) / (high - low) * (self.high - TOP - BOTTOM)

    def grid_y(self, show: Callable[[float, float], str] | None = None, count: int = 5) -> None:
        """Horizontal lines at round values, each with its number."""
        step = nice_step(self.y_range, count)
        for value in ticks_of(self.y_range, step):
            at = self.y(value)
            style = "zero" if value == 0 else "grid"
            self.parts.append(f'<line class="{style}" x1="{LEFT:.0f}" x2="{self.wide - RIGHT:.0f}"'
                              f' y1="{at:.1f}" y2="{at:.1f}"/>')
            self.text(LEFT - 6, at + 4, (show or number_text)(value, step), "end")

    def grid_x(self, marks: Iterable[tuple[float, str]]) -> None:
        """Marks below the plot."""
        for value, text in marks:
            at = self.x(value)
            self.parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP:.0f}" '
                              f'y2="{self.high - BOTTOM:.0f}"/>')
            # A word centred on the right edge would be cut off.
            anchor = "end" if at > self.wide - RIGHT - 4 else "middle"
            self.text(at + (RIGHT if anchor == "end" else 0), self.high - 8, text, anchor)

    def text(self, left: float, top: float, words: str, anchor: str = "start",
             style: str = "") -> None:
        """Words at a pixel."""
        named = f' class="{style}"' if style else ""
        self.parts.append(f'<text{named} x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">'
                          f'{escape(words)}</text>')

    def curve(self, curve: Curve) -> None:
        """A line through the points, or a staircase."""
        if not curve.points:
            return
        self.parts.append(f'<path class="line {curve.style}" d="M{self._way(curve)[1:]}"/>')

    def _way(self, curve: Curve) -> str:
        """The path through the points, its first step a line."""
        steps: list[str] = []
        for x_value, y_value in curve.points:
            column, row = f"{self.x(x_value):.1f}", f"{self.y(y_value):.1f}"
            stairs = curve.stepped and steps
            steps.append(f"H{column}V{row}" if stairs else f"L{column} {row}")
        return "".join(steps)

    def area(self, curve: Curve) -> None:
        """The surface between the points and zero."""
        if not curve.points:
            return
        ground = self.y(min(max(0.0, self.y_range[0]), self.y_range[1]))
        first, last = self.x(curve.points[0][0]), self.x(curve.points[-1][0])
        self.parts.append(f'<path class="area {curve.style}" d="M{first:.1f} {ground:.1f}'
                          f'{self._way(curve)}L{last:.1f} {ground:.1f}Z"/>')

    def dots(self, points: Points, style: str, radius: float = 2.0) -> None:
        """A small circle at each point; one path, since there may be thousands."""
        way = "".join(f"M{self.x(x) - radius:.1f} {self.y(y):.1f}"
                      f"a{radius} {radius} 0 1 0 {2 * radius} 0"
                      f"a{radius} {radius} 0 1 0 {-2 * radius} 0" for x, y in points)
        if way:
            self.parts.append(f'<path class="dots {style}" d="{way}"/>')

    def svg(self, says: str) -> str:
        """The whole drawing; ``says`` is for those who cannot see it."""
        return (f'<svg viewBox="0 0 {self.wide:.0f} {self.high:.0f}" role="img" '
                f'aria-label="{escape(says, quote=True)}">{"".join(self.parts)}</svg>')


def _opened(values: tuple[float, float]) -> tuple[float, float]:
    low, high = values
    if high > low:
        return low, high
    room = abs(low) * 0.01 or 1.0
    return low - room, low + room


def nice_step(values: tuple[float, float], count: int = 5) -> float:
    """The step of 1, 2 or 5 times a power of ten that cuts the range into at most ``count``."""
    rough = (values[1] - values[0]) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10)
                if power * factor >= rough * (1 - 1e-9))


def ticks_of(values: tuple[float, float], step: float) -> list[float]:
    """The multiples of step within the range."""
    first, last = math.ceil(values[0] / step - 1e-9), math.floor(values[1] / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def number_text(value: float, step: float) -> str:
    """A number at the precision of the grid's step."""
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:,.{places}f}"
    return "0" if float(text.replace(",", "")) == 0 else text


def time_marks(span_s: float, count: int = 7) -> list[tuple[float, str]]:
    """Round moments since the begin: 1:30 is minutes and seconds, 2h30 hours and minutes."""
    step = next((step for step in _TIME_STEPS_S if span_s / step <= count),
                float(_TIME_STEPS_S[-1]) * max(1, math.ceil(span_s / _TIME_STEPS_S[-1] / count)))
    return [(place * step, _clock(int(place * step), int(step)))
            for place in range(int(span_s / step + 1e-9) + 1)]


def _clock(second: int, step: int) -> str:
    if step >= 86_400:
        return f"{second // 86_400} d"
    if step >= 1800:
        return f"{second // 3600}h{second % 3600 // 60:02d}"
    return f"{second // 60}:{second % 60:02d}"


def extent(curves: Iterable[Points], zero: bool = False) -> tuple[float, float]:
    """Lowest and highest y with a little room around them; 0 included if asked."""
    values = [y for points in curves for _, y in points] + ([0.0] if zero else [])
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = (high - low) * 0.05
    return (low if zero and low == 0 else low - room), (high if zero and high == 0 else high + room)


def lines(curves: Sequence[Curve], says: str, *, high: float = 260.0, zero: bool = False,
          filled: bool = False) -> str:
    """Curves over time, in seconds since the begin."""
    last = max((curve.points[-1][0] for curve in curves if curve.points), default=1.0)
    frame = Frame(860.0, high, (0.0, last), extent((curve.points for curve in curves), zero))
    frame.grid_x(time_marks(last))
    frame.grid_y()
    for curve in curves:
        if filled:
            frame.area(curve)
        frame.curve(curve)
    return frame.svg(says)


def prices(price: Curve, buys: Points, sells: Points, says: str) -> str:
    """A price over time with our fills on it."""
    last = price.points[-1][0] if price.points else 1.0
    frame = Frame(860.0, 300.0, (0.0, last), extent((price.points, buys, sells)))
    frame.grid_x(time_marks(last))
    frame.grid_y()
    frame.curve(price)
    frame.dots(buys, "buy")
    frame.dots(sells, "sell")
    return frame.svg(says)


def bars(groups: Sequence[tuple[str, Sequence[Bar]]], says: str) -> str:
    """Groups of bars around zero, with error lines."""
    ends = [(0.0, bar.height + sign * bar.error)
            for _, group in groups for bar in group for sign in (-1, 1)]
    frame = Frame(420.0, 260.0, (0.0, max(len(groups), 1)), extent((ends,), zero=True))
    frame.grid_y()
    for place, (name, group) in enumerate(groups):
        width = min((frame.x(1) - frame.x(0)) * 0.8 / max(len(group), 1), 34.0)
        start = frame.x(place + 0.5) - width * len(group) / 2
        frame.text(frame.x(place + 0.5), frame.high - 8, name, "middle")
        for number, bar in enumerate(group):
            _bar(frame, bar, start + number * width, width)
    return frame.svg(says)


def _bar(frame: Frame, bar: Bar, left: float, width: float) -> None:
    ground, end = frame.y(0.0), frame.y(bar.height)
    middle = left + width / 2
    frame.parts.append(
        f'<rect class="bar {bar.style}" x="{left + 1:.1f}" y="{min(ground, end):.1f}" '
        f'width="{width - 2:.1f}" height="{max(abs(end - ground), 0.5):.1f}" rx="2">'
        f'<title>{escape(bar.says)}</title></rect>')
    if bar.error:
        frame.parts.append(
            f'<line class="error" x1="{middle:.1f}" x2="{middle:.1f}" '
            f'y1="{frame.y(bar.height - bar.error):.1f}" '
            f'y2="{frame.y(bar.height + bar.error):.1f}"/>')


def cumulative(curves: Sequence[Curve], says: str) -> str:
    """Shares below a duration in nanoseconds, on a logarithmic axis."""
    logs = [Curve(curve.label, curve.style,
                  [(math.log10(max(ns, 1)), part) for ns, part in curve.points], True)
            for curve in curves]
    values = [x for curve in logs for x, _ in curve.points] or [0.0, 1.0]
    low = math.floor(min(values))
    high = max(math.ceil(max(values)), low + 1)
    frame = Frame(420.0, 260.0, (low, high), (0.0, 1.0))
    every = -(-(high - low) // 7)
    frame.grid_x([(power, power_text(power)) for power in range(low, high + 1, every)])
    frame.grid_y(lambda value, _: f"{value * 100:.0f} %")
    for curve in logs:
        frame.curve(curve)
    return frame.svg(says)


def power_text(power: int) -> str:
    """Ten to the power of ``power`` nanoseconds, in the unit that suits it."""
    unit, zeros = ("ns", power) if power < 3 else ("us", power - 3) if power < 6 else (
        ("ms", power - 6) if power < 9 else ("s", power - 9))
    return f"{10 ** zeros:,} {unit}"


def square(rows: Sequence[tuple[float, float, float, str]], says: str) -> str:
    """Predicted against observed shares: (predicted, observed, weight 0 to 1, what hovering says).

    On the diagonal a prediction was right.
    """
    frame = Frame(420.0, 260.0, (0.0, 1.0), (0.0, 1.0))
    percent = [(step / 5, f"{step * 20} %") for step in range(6)]
    frame.grid_x(percent)
    frame.grid_y(lambda value, _: f"{value * 100:.0f} %")
    frame.curve(Curve("", "diagonal", [(0.0, 0.0), (1.0, 1.0)]))
    for predicted, observed, weight, words in rows:
        frame.parts.append(
            f'<circle class="dots calibrated" cx="{frame.x(predicted):.1f}" '
            f'cy="{frame.y(observed):.1f}" r="{3 + 6 * math.sqrt(weight):.1f}">'
            f'<title>{escape(words)}</title></circle>')
    return frame.svg(says)
