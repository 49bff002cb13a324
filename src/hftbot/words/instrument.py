"""One tradable thing on one venue: its grid, its limits, its fees."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

# Strategies ask for prices at every wake-up: no power is worked out twice.
_POWERS = tuple(float(10**exponent) for exponent in range(128))


@dataclass(frozen=True, slots=True)
class Instrument:
    """Grid and rules of one market.

    ``tick_units`` is the price increment in units of 10**-price_precision; ``lot_units`` the size
    increment in units of 10**-qty_precision. A tick is the increment, never the precision: the
    venue's checksum digits are ticks * tick_units.
    Fees are millionths of the traded value; a negative fee is a rebate.
    """

    index: int
    venue: str
    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    tick_units: int = 1
    lot_units: int = 1
    lots_min: int = 1
    cost_min: Decimal = Decimal(0)
    maker_fee_e6: int = 0
    taker_fee_e6: int = 0

    @property
    def tick_size(self) -> float:
        """Price of one tick, in quote units."""
        return self.tick_units / _POWERS[self.price_precision]

    @property
    def lot_size(self) -> float:
        """Size of one lot, in base units."""
        return self.lot_units / _POWERS[self.qty_precision]

    @property
    def value_exponent(self) -> int:
        """One tick times one lot is tick_units * lot_units * 10**-value_exponent quote units."""
        return self.price_precision + self.qty_precision

    def price(self, ticks: int) -> float:
        """Ticks to a float price, for fair values and reports."""
        return ticks * self.tick_units / _POWERS[self.price_precision]

    def qty(self, lots: int) -> float:
        """Lots to a float size, for reports."""
        return lots * self.lot_units / _POWERS[self.qty_precision]

    def value(self, ticks: int, lots: int) -> float:
        """Value of lots at ticks in quote units, for reports."""
        return self.worth(ticks * lots)

    def worth(self, tick_lots: int) -> float:
        """A sum of ticks * lots in quote units, for reports."""
        return tick_lots * self.tick_units * self.lot_units / _POWERS[self.value_exponent]

    def price_text(self, ticks: int) -> str:
        """Exact decimal text at the venue's precision."""
        return _fixed(ticks * self.tick_units, self.price_precision)

    def qty_text(self, lots: int) -> str:
        """Exact decimal text at the venue's precision."""
        return _fixed(lots * self.lot_units, self.qty_precision)

    def ticks(self, price: Decimal | str | float | int) -> int:
        """Exact price to ticks.

        Raises ValueError if the price is not on the grid; a float is read by its shortest repr.
        """
        return _steps(price, self.price_precision, self.tick_units, self.symbol, "price")

    def lots(self, qty: Decimal | str | float | int) -> int:
        """Exact size to lots. Raises ValueError if it is not on the grid."""
        return _steps(qty, self.qty_precision, self.lot_units, self.symbol, "size")

    def lots_below(self, qty: float) -> int:
        """The largest whole number of lots not above qty."""
        return int(qty * 10**self.qty_precision) // self.lot_units


def _fixed(units: int, precision: int) -> str:
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(precision + 1, "0")
    if precision == 0:
        return sign + digits
    return f"{sign}{digits[:-precision]}.{digits[-precision:]}"


def _steps(number: Decimal | str | float | int, precision: int, step: int, symbol: str,
           what: str) -> int:
    exact = Decimal(str(number)) if isinstance(number, float) else Decimal(number)
    units = exact.scaleb(precision)
    whole = int(units)
    if units != whole or whole % step:
        raise ValueError(f"{symbol}: {what} {number} is not a multiple of "
                         f"{_fixed(step, precision)}")
    return whole // step
