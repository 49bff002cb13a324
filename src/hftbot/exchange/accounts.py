"""The client's account: balances, holds, fees and the volume that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hftbot.config.fee_schedules import (
    CRYPTO,
    STABLE_BASES,
    VOLUMES_USD,
    rates_e6,
    schedule_of,
    tier_at,
)
from hftbot.exchange.settings import Listing

E10 = 10**10
DAY_US = 86_400_000_000
# A fee tier goes by the volume of this many days.
VOLUME_DAYS = 30
DOLLARS = frozenset(("USD", "USDT", "USDC", "DAI", "PYUSD"))
# Ledger decimals of the quote asset: a fee is rounded to them.
FEE_DECIMALS: dict[str, int] = {"USD": 4, "EUR": 4, "USDT": 8}


@dataclass(slots=True)
class Movement:
    """One ledger row of a trade; amounts in 1e-10 units, the fee not included in ``amount``."""

    asset: str
    amount_e10: int
    fee_e10: int
    balance_e10: int


def dollars(asset: str) -> int:
    """What one unit of an asset is worth in US dollars, 1e-10; 0 if that is not known."""
    return E10 if asset in DOLLARS else 0


@dataclass(slots=True)
class Account:
    """Balances and holds in 1e-10 units of each asset; fees in millionths of the value.

    ``schedule`` is a name of config/fee_schedules.py. The two fees are those of its ordinary pairs
    and follow the volume of 30 days; ``clock`` tells the time in microseconds, ``worth`` what an
    asset is worth in US dollars (1e-10).
    """

    balances: dict[str, int]
    maker_fee_e6: int = 0
    taker_fee_e6: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    fees_paid_e10: int = 0
    schedule: str = "free"
    # Dollars traded, 1e-10, by the day since the epoch.
    volumes_e10: dict[int, int] = field(default_factory=dict)
    settled_day: int = 0
    clock: Callable[[], int] = lambda: 0
    worth: Callable[[str], int] = dollars

    def available(self, asset: str) -> int:
        """What may still be promised."""
        return self.balances.get(asset, 0) - self.holds.get(asset, 0)

    def hold(self, asset: str, amount_e10: int) -> None:
        """Promise an amount (negative: give back)."""
        self.holds[asset] = self.holds.get(asset, 0) + amount_e10

    def value_e10(self, listing: Listing, tick_lots: int) -> int:
        """Ticks times lots in the quote asset, exact."""
        return tick_lots * listing.tick_lot_e10

    def qty_e10(self, listing: Listing, lots: int) -> int:
        """Lots in the base asset, exact."""
        return lots * listing.lot_e10

    def rates_e6(self, listing: Listing) -> tuple[int, int]:
        """Maker and taker fee of a pair now."""
        if self.clock() // DAY_US != self.settled_day:
            self.settle_tier()
        if self.schedule != "free" and listing.base in STABLE_BASES:
            tier = tier_at(schedule_of(self.schedule, listing.symbol), self.volume_usd())
            return tier.maker_e6, tier.taker_e6
        return self.maker_fee_e6, self.taker_fee_e6

    def volume_usd(self) -> float:
        """What counts for the fee tier: the schedule's own volume and that of 30 days."""
        first = self.clock() // DAY_US - VOLUME_DAYS
        traded = sum(e10 for day, e10 in self.volumes_e10.items() if day > first)
        return VOLUMES_USD[self.schedule] + traded / E10

    def traded(self, quote: str, value_e10: int) -> None:
        """Count a trade's value; the fees may fall."""
        day = self.clock() // DAY_US
        usd_e10 = value_e10 * self.worth(quote) // E10
        if day not in self.volumes_e10:
            self.volumes_e10 = {past: e10 for past, e10 in self.volumes_e10.items()
                                if past > day - VOLUME_DAYS}
        self.volumes_e10[day] = self.volumes_e10.get(day, 0) + usd_e10
        self.settle_tier()

    def settle_tier(self) -> None:
        """Let the fees follow the volume, which a new day changes too."""
        self.settled_day = self.clock() // DAY_US
        if self.schedule != "free":
            _, self.maker_fee_e6, self.taker_fee_e6 = tier_at(CRYPTO, self.volume_usd())

    def fee_e10(self, listing: Listing, value_e10: int, maker: bool) -> int:
        """Fee of a trade in the quote asset, rounded half up to its ledger decimals."""
        rate = self.rates_e6(listing)[0 if maker else 1]
        step: int = 10 ** (10 - FEE_DECIMALS.get(listing.quote, 8))
        exact = value_e10 * rate
        return (2 * exact + step * 1_000_000) // (2 * step * 1_000_000) * step

    def needed(self, listing: Listing, side: int, tick_lots: int, lots: int,
               base_fee: bool = False) -> tuple[str, int]:
        """Asset and amount that an order may cost at worst; the fee comes out of its own asset."""
        asset, amount = ((listing.base, lots * listing.lot_e10) if side == 1
                         else (listing.quote, tick_lots * listing.tick_lot_e10))
        worst = max(self.rates_e6(listing))
        if worst > 0 and base_fee == (side == 1):
            amount += -(-amount * worst // 1_000_000)
        return asset, amount

    def trade(self, listing: Listing, side: int, ticks: int, lots: int, maker: bool,
              base_fee: bool = False) -> tuple[int, Movement, Movement]:
        """Book a fill. Returns the fee in quote and the two ledger rows (base leg, quote leg).

        With ``base_fee`` the fee is taken from the base asset, in its row.
        """
        value = self.value_e10(listing, ticks * lots)
        qty = self.qty_e10(listing, lots)
        fee = self.fee_e10(listing, value, maker)
        sign = 1 - 2 * side
        rate = self.rates_e6(listing)[0 if maker else 1]
        in_base = -(-qty * rate // 1_000_000) if base_fee else 0
        in_quote = 0 if base_fee else fee
        base = self.balances.get(listing.base, 0) + sign * qty - in_base
        quote = self.balances.get(listing.quote, 0) - sign * value - in_quote
        self.balances[listing.base] = base
        self.balances[listing.quote] = quote
        self.fees_paid_e10 += fee
        self.traded(listing.quote, value)
        return (fee, Movement(listing.base, sign * qty, in_base, base),
                Movement(listing.quote, -sign * value, in_quote, quote))


def new_account(balances: Mapping[str, Decimal], fees: str) -> Account:
    """An account with starting money; amounts finer than 1e-10 are cut off."""
    maker, taker = rates_e6(fees, "BTC/USD")
    return Account({asset: int(amount * E10) for asset, amount in balances.items()}, maker, taker,
                   schedule=fees)
