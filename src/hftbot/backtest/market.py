"""The instrument behind recorded data: its grid, and what its symbol means."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import numpy as np

from hftbot.backtest.event_file import DEPTH, SNAPSHOT, TRADE
from hftbot.backtest.event_rows import KIND_MASK
from hftbot.backtest.row_checks import ADD
from hftbot.words.instrument import Instrument

# Longest first, so that USDT is not read as T paid in USD.
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD", "EUR", "GBP", "JPY", "BTC", "ETH", "BNB")
SEPARATORS = "/-_"
ROWS_LOOKED_AT = 10_000
PRICED = (DEPTH, TRADE, SNAPSHOT, ADD)
_SIX_DIGITS = Context(prec=6, rounding=ROUND_HALF_EVEN)


def market_of(symbol: str) -> tuple[str, str]:
    """Base and quote of a venue's symbol: BTCUSDT, BTC/USD, btc-usd; quote empty if not known."""
    upper = symbol.upper()
    for separator in SEPARATORS:
        base, found, quote = upper.partition(separator)
        if found and base and quote:
            return base, quote
    for quote in QUOTES:
        if upper.endswith(quote) and len(upper) > len(quote):
            return upper.removesuffix(quote), quote
    return upper, ""


def instrument_of(index: int, symbol: str, tick_size: Decimal, lot_size: Decimal,
                  maker_fee_e6: int = 0, taker_fee_e6: int = 0) -> Instrument:
    """An Instrument on this grid; a symbol without a quote is paid in USD."""
    base, quote = market_of(symbol)
    price_precision, tick_units = _scaled(tick_size)
    qty_precision, lot_units = _scaled(lot_size)
    return Instrument(index, "backtest", f"{base}/{quote or 'USD'}", base, quote or "USD",
                      price_precision, qty_precision, tick_units, lot_units,
                      maker_fee_e6=maker_fee_e6, taker_fee_e6=taker_fee_e6)


def lot_of(rows: Any, contract: str, size: float) -> Decimal:
    """One lot of the data (EventRows) in the base: what guard, sizes and profit are counted with.

    ``size`` of a ``linear`` or ``binary`` contract is base. Of an ``inverse`` one it is quote, and
    its base goes with the price: it is taken at the middle price of the first rows.
    """
    lot: Decimal = rows.lot_size * Decimal(repr(size))
    if contract != "inverse":
        return lot
    first = rows.array[:ROWS_LOOKED_AT]
    prices = first["px"][np.isin(first["ev"] & np.uint64(KIND_MASK), PRICED) & (first["px"] > 0)]
    price = Decimal(repr(float(np.median(prices)))) if len(prices) else Decimal(1)
    return _SIX_DIGITS.divide(lot, price)


def _scaled(step: Decimal) -> tuple[int, int]:
    """A step as (decimal places, units of the last place)."""
    places = max(0, -int(step.normalize().as_tuple().exponent))
    return places, int(step.scaleb(places))
