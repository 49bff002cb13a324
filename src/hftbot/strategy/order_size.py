"""What an order costs, what it must at least be and may at most be: refusals with arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from hftbot.errors import ConfigError
from hftbot.words.instrument import Instrument

_PCT_E6 = Decimal(10_000)
_E6 = 1_000_000
_E10 = 10**10
_MORE = Decimal("0.01")


def percent(ratio_e6: int) -> str:
    """Millionths as percent text: 2000 is '0.2 %'."""
    return f"{(Decimal(ratio_e6) / _PCT_E6).normalize():f} %"


def round_trip_e6(instrument: Instrument, post_only: bool = False) -> int:
    """The fees of both trades in millionths; a post-only entry pays the maker's."""
    entry_e6 = instrument.maker_fee_e6 if post_only else instrument.taker_fee_e6
    return entry_e6 + instrument.taker_fee_e6


def fee_check(instrument: Instrument, target_e6: int, post_only: bool = False) -> None:
    """Refuse a profit target that the fees of its own round trip eat up.

    ``target_e6`` in millionths of the position's value; ``post_only``: entries are. Raises
    ConfigError with the arithmetic, and with the target or the kind of entry that would pay.
    """
    costs_e6 = round_trip_e6(instrument, post_only)
    if costs_e6 < target_e6:
        return
    entry_e6 = costs_e6 - instrument.taker_fee_e6
    kind = "maker" if post_only else "taker"
    each = (f"the taker fee is {percent(entry_e6)} to enter" if not post_only else
            f"the {kind} fee is {percent(entry_e6)} to enter and the taker fee")
    raise ConfigError(
        f"PROFIT_TARGET_PCT: a profit target of {percent(target_e6)} cannot pay its round trip on "
        f"{instrument.symbol}: {each} + {percent(instrument.taker_fee_e6)} to "
        f"leave = {percent(costs_e6)} of the value, so a move of {percent(target_e6)} ends at "
        f"{percent(target_e6)} - {percent(costs_e6)} = {percent(target_e6 - costs_e6)} "
        f"net. Set PROFIT_TARGET_PCT above {percent(costs_e6).removesuffix(' %')}, "
        f"{'' if post_only else _post_only_offer(instrument, target_e6)}"
        "or use an account with lower fees (simulated: --fees free)")


def _post_only_offer(instrument: Instrument, target_e6: int) -> str:
    """What a post-only entry would change."""
    costs_e6 = round_trip_e6(instrument, post_only=True)
    sum_text = (f"{percent(instrument.maker_fee_e6)} + {percent(instrument.taker_fee_e6)} = "
                f"{percent(costs_e6)}")
    if costs_e6 < target_e6:
        return f"or enter as a maker with ENTRY_ORDER=post_only, which pays {sum_text}, "
    return (f"or enter as a maker with ENTRY_ORDER=post_only ({sum_text}) and a target above "
            f"{percent(costs_e6).removesuffix(' %')}, ")


def value_limit(instrument: Instrument, value: Decimal, *, up: bool = False) -> int:
    """A value in quote units as whole ticks * lots, rounded down (or up)."""
    units = value.scaleb(instrument.value_exponent) / (instrument.tick_units
                                                       * instrument.lot_units)
    return int(units.to_integral_value(ROUND_CEILING)) if up else int(units)


def worth_e10(instrument: Instrument, tick_lots: int) -> int:
    """Ticks * lots in 1e-10 quote units, rounded down."""
    scale: int = 10**instrument.value_exponent
    return tick_lots * instrument.tick_units * instrument.lot_units * _E10 // scale


def least_lots(instrument: Instrument, ticks: int) -> int:
    """The fewest lots that the venue takes at this price: by size and by value."""
    cost = value_limit(instrument, instrument.cost_min, up=True)
    return max(instrument.lots_min, 1, -(-cost // ticks))


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How large an entry is: a value, or a part of the strategy's equity, within two caps.

    ``order_usd`` is the value of one entry; with ``order_pct_e6`` above 0 it is that many
    millionths of the equity instead, which is the capital and what its closed trades made, fees
    taken off: so it compounds. No entry is larger than ``position_usd_max``, and all positions
    and entries together never cost more than ``capital_usd``; None leaves a cap out. Raises
    ConfigError for a rule that cannot be meant.
    """

    order_usd: Decimal = Decimal(100)
    order_pct_e6: int = 0
    position_usd_max: Decimal | None = None
    capital_usd: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("order_usd", "position_usd_max", "capital_usd"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"order size: {name} is {value}, it must be positive")
        if not 0 <= self.order_pct_e6 <= _E6:
            raise ConfigError("order size: order_pct_e6 must lie within 0..1,000,000")
        if self.order_pct_e6 and self.capital_usd is None:
            raise ConfigError("ORDER_SIZE_PCT is a part of the strategy's equity: it needs "
                              "CAPITAL_USD")

    def value(self, net_e10: int, used_e10: int) -> tuple[Decimal, str]:
        """The value of the next entry in quote units, and how it comes about.

        ``net_e10`` is what the closed trades made, ``used_e10`` what positions and entries cost.
        """
        if self.order_pct_e6 and self.capital_usd is not None:
            equity = max(Decimal(0), self.capital_usd + Decimal(net_e10).scaleb(-10))
            value = (equity * self.order_pct_e6 / _E6).quantize(_MORE, ROUND_FLOOR)
            how = (f"ORDER_SIZE_PCT: {percent(self.order_pct_e6)} of the equity "
                   f"{equity.quantize(_MORE, ROUND_FLOOR)}")
        else:
            value, how = self.order_usd, "ORDER_SIZE_USD"
        if self.position_usd_max is not None and value > self.position_usd_max:
            value, how = self.position_usd_max, f"{how}, capped by MAX_POSITION_SIZE_USD"
        if self.capital_usd is not None:
            left = self.capital_usd - Decimal(used_e10).scaleb(-10)
            if value > left:
                value = max(Decimal(0), left).quantize(_MORE, ROUND_FLOOR)
                how = (f"{how}, capped by CAPITAL_USD: {self.capital_usd} - "
                       f"{(self.capital_usd - left).quantize(_MORE, ROUND_FLOOR)} in use")
        return value, how


def order_lots(instrument: Instrument, ticks: int, value: Decimal,
               how: str = "ORDER_SIZE_USD") -> int:
    """Whole lots that a value (quote units) buys at a price in ticks.

    ``how`` says which rule gave the value. Raises ConfigError with the arithmetic if that is
    below the venue's minimum.
    """
    lots = value_limit(instrument, value) // ticks
    least = least_lots(instrument, ticks)
    if lots >= least:
        return lots
    price = instrument.price_text(ticks)
    raise ConfigError(
        f"{how}: {value} {instrument.quote} / {price} = "
        f"{instrument.qty_text(lots)} {instrument.base}, below the minimum of "
        f"{instrument.qty_text(least)} {instrument.base} on {instrument.symbol} (smallest size "
        f"{instrument.qty_text(instrument.lots_min)}, smallest value {instrument.cost_min}); it "
        f"needs at least {instrument.qty_text(least)} * {price} = "
        f"{_value_text(instrument, least, ticks)} {instrument.quote}")


def _value_text(instrument: Instrument, lots: int, ticks: int) -> str:
    units = Decimal(lots * ticks * instrument.tick_units * instrument.lot_units)
    return f"{units.scaleb(-instrument.value_exponent).normalize():f}"


class OrderTemplate:
    """The part of an instrument's orders that is checked before any signal comes.

    Price allowances, the venue's minima and the steps of price and size are settled here, so
    that an entry is two integer divisions. ``post_only`` entries rest at our side of the touch,
    others cross it by ``entry_allowance_e6``.
    """

    __slots__ = ("_entry_e6", "_exit_e6", "_limit", "_value", "cost_min", "instrument",
                 "post_only")

    def __init__(self, instrument: Instrument, entry_allowance_e6: int, exit_allowance_e6: int,
                 post_only: bool = False) -> None:
        self.instrument = instrument
        self.post_only = post_only
        self.cost_min = value_limit(instrument, instrument.cost_min, up=True)
        self._entry_e6 = entry_allowance_e6
        self._exit_e6 = exit_allowance_e6
        self._value = Decimal(0)
        self._limit = 0

    def entry_ticks(self, buys: bool, bid: int, ask: int) -> int:
        """The limit of an entry at this touch."""
        if self.post_only:
            return bid if buys else ask
        return self._beyond(buys, bid, ask, self._entry_e6)

    def exit_ticks(self, buys: bool, bid: int, ask: int) -> int:
        """The limit of an order that leaves."""
        return self._beyond(buys, bid, ask, self._exit_e6)

    def lots(self, ticks: int, value: Decimal) -> int:
        """Whole lots of a value at a price; 0 if the venue would not take so few."""
        if value is not self._value:
            self._value = value
            self._limit = value_limit(self.instrument, value)
        lots = self._limit // ticks
        enough = lots >= self.instrument.lots_min and lots * ticks >= self.cost_min and lots > 0
        return lots if enough else 0

    def sellable(self, lots: int, bid: int) -> bool:
        """Whether the venue takes an order that closes so much; less is dust."""
        return lots >= self.instrument.lots_min and lots * bid >= self.cost_min

    def _beyond(self, buys: bool, bid: int, ask: int, allowance_e6: int) -> int:
        if buys:
            return ask + ask * allowance_e6 // _E6
        return max(1, bid - bid * allowance_e6 // _E6)
