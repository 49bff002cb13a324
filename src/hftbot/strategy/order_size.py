"""What an order costs and what it must at least be: refusals with their arithmetic."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from hftbot.errors import ConfigError
from hftbot.words.instrument import Instrument

_PCT_E6 = Decimal(10_000)


def percent(ratio_e6: int) -> str:
    """Millionths as percent text: 2000 is '0.2 %'."""
    return f"{(Decimal(ratio_e6) / _PCT_E6).normalize():f} %"


def fee_check(instrument: Instrument, target_e6: int) -> None:
    """Refuse a profit target that the fees of its own round trip eat up.

    ``target_e6`` in millionths of the position's value. Raises ConfigError with the arithmetic.
    """
    fee_e6 = instrument.taker_fee_e6
    round_trip_e6 = 2 * fee_e6
    if round_trip_e6 < target_e6:
        return
    raise ConfigError(
        f"PROFIT_TARGET_PCT: a profit target of {percent(target_e6)} cannot pay its round trip on "
        f"{instrument.symbol}: the taker fee is {percent(fee_e6)} to enter + {percent(fee_e6)} to "
        f"leave = {percent(round_trip_e6)} of the value, so a move of {percent(target_e6)} ends at "
        f"{percent(target_e6)} - {percent(round_trip_e6)} = {percent(target_e6 - round_trip_e6)} "
        f"net. Set PROFIT_TARGET_PCT above {percent(round_trip_e6).removesuffix(' %')} or use an "
        "account with lower fees (simulated: --fees free)")


def value_limit(instrument: Instrument, value: Decimal, *, up: bool = False) -> int:
    """A value in quote units as whole ticks * lots, rounded down (or up)."""
    units = value.scaleb(instrument.value_exponent) / (instrument.tick_units
                                                       * instrument.lot_units)
    return int(units.to_integral_value(ROUND_CEILING)) if up else int(units)


def least_lots(instrument: Instrument, ticks: int) -> int:
    """The fewest lots that the venue takes at this price: by size and by value."""
    cost = value_limit(instrument, instrument.cost_min, up=True)
    return max(instrument.lots_min, 1, -(-cost // ticks))


def order_lots(instrument: Instrument, ticks: int, order_size: Decimal) -> int:
    """Whole lots that order_size (quote units) buys at a price in ticks.

    Raises ConfigError with the arithmetic if that is below the venue's minimum.
    """
    lots = value_limit(instrument, order_size) // ticks
    least = least_lots(instrument, ticks)
    if lots >= least:
        return lots
    price = instrument.price_text(ticks)
    raise ConfigError(
        f"ORDER_SIZE_USD: {order_size} {instrument.quote} / {price} = "
        f"{instrument.qty_text(lots)} {instrument.base}, below the minimum of "
        f"{instrument.qty_text(least)} {instrument.base} on {instrument.symbol} (smallest size "
        f"{instrument.qty_text(instrument.lots_min)}, smallest value {instrument.cost_min}); it "
        f"needs at least {instrument.qty_text(least)} * {price} = "
        f"{_value_text(instrument, least, ticks)} {instrument.quote}")


def _value_text(instrument: Instrument, lots: int, ticks: int) -> str:
    units = Decimal(lots * ticks * instrument.tick_units * instrument.lot_units)
    return f"{units.scaleb(-instrument.value_exponent).normalize():f}"
