"""Finds the price and size grid of recorded data, and puts numbers on it exactly."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from math import gcd

PLACES = 12
"""Decimal places that a number in a file may have."""

ROUNDED_FREE = 20
ROUNDED_ONE_IN = 50
INT64_MAX = (1 << 63) - 1
_CACHE_MAX = 1 << 16
_DIGITS_MAX = 27


def exact_units(number: str | int) -> int:
    """A decimal text in units of 10**-12. Raises ValueError if it is not one, or is finer."""
    try:
        exact = Decimal(number)
    except (InvalidOperation, TypeError) as error:
        raise ValueError(f"{str(number)[:40]!r} is not a number") from error
    if not exact.is_finite():
        raise ValueError(f"{str(number)[:40]!r} is not a number")
    # Beyond this, decimal arithmetic would round, and an exponent could fill the memory.
    if exact.adjusted() >= _DIGITS_MAX or len(exact.as_tuple().digits) > _DIGITS_MAX:
        raise ValueError(f"{str(number)[:40]!r} is too large or too long")
    scaled = exact.scaleb(PLACES)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{str(number)[:40]!r} has more than {PLACES} decimal places")
    return units


def grid_step(units: Iterable[int]) -> int:
    """The coarsest step of 1, 2, 2.5 or 5 times a power of ten that divides every number.

    0 if there is none but zeros. The step that an exchange lists is of this form, and a common
    divisor of many numbers alone could be a multiple of it.
    """
    common = 0
    for number in units:
        common = gcd(common, number)
        if common == 1:
            return 1
    if common == 0:
        return 0
    power = 1
    while common % (power * 10) == 0:
        power *= 10
    for factor in (25, 5, 2):
        if common % (power * factor) == 0:
            return power * factor
    return power


def step_decimal(step: int, places: int = PLACES) -> Decimal:
    """A step in units of 10**-places as a plain decimal."""
    return Decimal(step).scaleb(-places).normalize()


def step_of(text: str) -> Decimal | None:
    """The step that a file's own words give; None if they give none that could be one."""
    try:
        units = exact_units(text)
    except ValueError:
        return None
    return step_decimal(units) if 0 < units < 10**24 else None


class Grid:
    """Decimal texts to whole steps of ``size``; texts seen before cost one dictionary look-up.

    With ``rounding`` a number between two steps goes to the nearer one, half away from zero.
    ``rounded`` counts them among the ``read`` different ones; when they stop being rare exceptions
    the grid itself must be wrong, and the number is refused.
    """

    __slots__ = ("_cache", "_rounding", "_step", "read", "rounded", "size", "what")

    def __init__(self, size: Decimal, what: str, rounding: bool = False) -> None:
        self.size = size
        self.what = what
        self.read = 0
        self.rounded = 0
        self._rounding = rounding
        self._step = exact_units(str(size))
        if self._step <= 0:
            raise ValueError(f"{what} step {size} is not positive")
        self._cache: dict[str, int] = {}

    def steps(self, text: str) -> int:
        """Whole steps in text. Raises ValueError if it is negative, off the grid or too large."""
        known = self._cache.get(text)
        if known is not None:
            return known
        units = exact_units(text)
        if units < 0:
            raise ValueError(f"{self.what} {text} is negative")
        self.read += 1
        whole, rest = divmod(units, self._step)
        if rest:
            self.rounded += 1
            whole += 2 * rest >= self._step
            if not self._rounding or self.rounded > max(ROUNDED_FREE, self.read // ROUNDED_ONE_IN):
                raise ValueError(f"{self.what} {text} is not a multiple of {self.size:f}")
        if whole > INT64_MAX:
            raise ValueError(f"{self.what} {text} is too large")
        if len(self._cache) >= _CACHE_MAX:
            self._cache.clear()
        self._cache[text] = whole
        return whole
