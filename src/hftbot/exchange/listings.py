"""The pairs that the embedded exchange lists, and what their ticks and lots mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from hftbot.errors import ConfigError

# What a typical level of a synthetic book is worth, in the quote asset.
LEVEL_VALUE = 7_000


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair as the venue lists it.

    ``tick_units`` is the price increment in 10**-price_precision, ``lot_units`` the size increment
    in 10**-qty_precision. ``start_ticks`` and ``lot_scale`` (lots of a typical level) shape the
    synthetic market.
    """

    symbol: str
    price_precision: int
    qty_precision: int
    tick_units: int = 1
    lot_units: int = 1
    lots_min: int = 1
    cost_min: Decimal = Decimal("0.5")
    start_ticks: int = 0
    lot_scale: int = 1
    # Worked out from these: the asset that is bought and sold, the asset that pays, decimals of
    # price times size, the least value in such units, one tick times one lot and one lot in 1e-10.
    base: str = field(init=False, repr=False, compare=False)
    quote: str = field(init=False, repr=False, compare=False)
    value_exponent: int = field(init=False, repr=False, compare=False)
    value_min: int = field(init=False, repr=False, compare=False)
    tick_lot_e10: int = field(init=False, repr=False, compare=False)
    lot_e10: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        base, _, quote = self.symbol.partition("/")
        exponent = self.price_precision + self.qty_precision
        known = {"base": base, "quote": quote, "value_exponent": exponent,
                 "value_min": int(self.cost_min.scaleb(exponent)),
                 "tick_lot_e10": self.tick_units * self.lot_units * 10 ** (10 - exponent),
                 "lot_e10": self.lot_units * 10 ** (10 - self.qty_precision)}
        for name, value in known.items():
            object.__setattr__(self, name, value)

    @property
    def grid(self) -> list[int]:
        """What ticks and lots mean."""
        return [self.price_precision, self.qty_precision, self.tick_units, self.lot_units]


def synthetic_listing(symbol: str, price_precision: int, qty_precision: int, price: str,
                      qty_min: str) -> Listing:
    """A pair for the synthetic market, started at a price.

    The venue gives every size 8 decimals. Here price and size share 10, so that each value is
    exact in 1e-10: finer prices leave coarser sizes.
    """
    start = Decimal(price)
    return Listing(symbol, price_precision, qty_precision,
                   lots_min=int(Decimal(qty_min).scaleb(qty_precision)),
                   start_ticks=int(start.scaleb(price_precision)),
                   lot_scale=int((LEVEL_VALUE / start).scaleb(qty_precision)))


_SYNTHETIC = (
    ("SOL/USD", 2, 8, "150.00", "0.06"), ("XRP/USD", 5, 5, "2.20000", "2"),
    ("ADA/USD", 6, 4, "0.450000", "10"), ("DOGE/USD", 7, 3, "0.1500000", "50"),
    ("LTC/USD", 2, 8, "85.00", "0.05"), ("DOT/USD", 4, 6, "4.2000", "1"),
    ("LINK/USD", 5, 5, "14.00000", "0.5"), ("AVAX/USD", 2, 8, "22.00", "0.2"),
    ("BCH/USD", 2, 8, "480.00", "0.01"), ("UNI/USD", 3, 7, "7.500", "0.8"),
    ("ATOM/USD", 4, 6, "4.5000", "1.2"), ("ETC/USD", 3, 7, "18.500", "0.3"),
    ("XLM/USD", 6, 4, "0.260000", "15"), ("ALGO/USD", 5, 5, "0.18000", "25"),
    ("NEAR/USD", 3, 7, "2.400", "2"), ("FIL/USD", 3, 7, "2.600", "2"),
    ("AAVE/USD", 2, 8, "260.00", "0.02"), ("MKR/USD", 2, 8, "1600.00", "0.003"),
    ("TRX/USD", 6, 4, "0.270000", "20"), ("ICP/USD", 3, 7, "5.300", "1"),
    ("APT/USD", 4, 6, "4.8000", "1"), ("ARB/USD", 5, 5, "0.35000", "15"),
    ("OP/USD", 4, 6, "0.6500", "8"), ("SUI/USD", 4, 6, "3.1000", "1.5"),
    ("INJ/USD", 3, 7, "12.000", "0.4"), ("GRT/USD", 5, 5, "0.09000", "50"),
    ("SAND/USD", 5, 5, "0.26000", "20"), ("MANA/USD", 5, 5, "0.27000", "20"),
    ("CRV/USD", 4, 6, "0.6000", "8"), ("COMP/USD", 2, 8, "45.00", "0.1"),
    ("SNX/USD", 4, 6, "0.7000", "8"), ("YFI/USD", 1, 8, "5200.0", "0.001"),
    ("XTZ/USD", 4, 6, "0.6000", "8"), ("ZEC/USD", 2, 8, "400.00", "0.01"),
    ("XMR/USD", 2, 8, "330.00", "0.02"), ("DASH/USD", 3, 7, "60.000", "0.1"),
    ("PAXG/USD", 2, 8, "4000.00", "0.0015"), ("TAO/USD", 2, 8, "380.00", "0.01"),
    ("SOL/EUR", 2, 8, "130.00", "0.06"), ("XRP/EUR", 5, 5, "1.90000", "2"),
    ("BTC/EUR", 1, 8, "52000.0", "0.00005"), ("ETH/EUR", 2, 8, "2150.00", "0.002"),
    ("LTC/EUR", 2, 8, "73.00", "0.05"), ("ADA/EUR", 6, 4, "0.390000", "10"),
    ("BTC/USDT", 1, 8, "60000.0", "0.00005"), ("ETH/USDT", 2, 8, "2500.00", "0.002"),
    ("SOL/USDT", 2, 8, "150.00", "0.06"), ("EUR/USD", 5, 5, "1.15000", "0.5"),
)
LISTINGS: dict[str, Listing] = {
    "BTC/USD": Listing("BTC/USD", 1, 8, lots_min=5_000, start_ticks=600_000,
                       lot_scale=12_000_000),
    "ETH/USD": Listing("ETH/USD", 2, 8, lots_min=200_000, start_ticks=250_000,
                       lot_scale=280_000_000),
    **{row[0]: synthetic_listing(*row) for row in _SYNTHETIC},
}


def replay_listing(symbol: str, tick_size: Decimal, lot_size: Decimal) -> Listing:
    """The listing of recorded data: the data's own tick and lot.

    Raises ConfigError if they are not positive decimals or too fine for exact money.
    """
    precisions = []
    for name, step in (("tick", tick_size), ("lot", lot_size)):
        if not step.is_finite() or step <= 0:
            raise ConfigError(f"{symbol}: {name} size {step} is not a positive number")
        exponent = step.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        precisions.append(max(0, -exponent))
    price, qty = precisions
    if price + qty > 10:
        raise ConfigError(f"{symbol}: tick {tick_size} and lot {lot_size} are finer than 1e-10 "
                          "together")
    lots_min = max(1, math.ceil(Decimal("0.00001") / lot_size))
    return Listing(symbol, price, qty, int(tick_size.scaleb(price)), int(lot_size.scaleb(qty)),
                   lots_min)
