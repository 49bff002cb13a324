"""Prices, sizes and worths of an instrument, against the power of ten worked out each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hftbot.words.instrument import Instrument

COUNTS = st.integers(-(2**62), 2**62)
DECIMALS = st.integers(0, 18)


@given(COUNTS, COUNTS, DECIMALS, DECIMALS, st.integers(1, 999), st.integers(1, 999))
def test_figures_are_units_over_a_power_of_ten(ticks: int, lots: int, price_precision: int,
                                               qty_precision: int, tick_units: int,
                                               lot_units: int) -> None:
    grid = Instrument(0, "made up", "X/Y", "X", "Y", price_precision, qty_precision,
                      tick_units, lot_units)
    assert grid.price(ticks) == ticks * tick_units / float(10**price_precision)
    assert grid.qty(lots) == lots * lot_units / float(10**qty_precision)
    assert grid.value(ticks, lots) == (ticks * lots * tick_units * lot_units
                                       / float(10**(price_precision + qty_precision)))
    assert (grid.tick_size, grid.lot_size) == (grid.price(1), grid.qty(1))
