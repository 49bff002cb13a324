"""The instrument behind recorded data: its grid, and what its symbol means."""

from __future__ import annotations

from decimal import Decimal

from hftbot.words.instrument import Instrument

# Longest first, so that USDT is not read as T paid in USD.
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD", "EUR", "GBP", "JPY", "BTC", "ETH", "BNB")
SEPARATORS = "/-_"


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


def _scaled(step: Decimal) -> tuple[int, int]:
    """A step as (decimal places, units of the last place)."""
    places = max(0, -int(step.normalize().as_tuple().exponent))
    return places, int(step.scaleb(places))
