"""What trading costs: fee schedules as data, chosen by name with FEES.

``free`` takes nothing. ``kraken`` is Kraken's public spot schedule, for an account that has traded
nothing yet. A tier's name (``10k``, ``1m``) is the same schedule for an account that has traded so
many US dollars in the last 30 days.
"""

from __future__ import annotations

from typing import NamedTuple


class FeeTier(NamedTuple):
    """From this volume of 30 days on: maker and taker fees in millionths of the value."""

    volume_usd: int
    maker_e6: int
    taker_e6: int


# Kraken's AssetPairs of November 2025.
CRYPTO: tuple[FeeTier, ...] = (
    FeeTier(0, 2500, 4000), FeeTier(10_000, 2000, 3500), FeeTier(50_000, 1400, 2400),
    FeeTier(100_000, 1200, 2200), FeeTier(250_000, 1000, 2000), FeeTier(500_000, 800, 1800),
    FeeTier(1_000_000, 600, 1600), FeeTier(2_500_000, 400, 1400), FeeTier(5_000_000, 200, 1200),
    FeeTier(10_000_000, 0, 1000))
# The lower schedule of pairs whose base is a currency or stands for one, as listed in 2023.
STABLE: tuple[FeeTier, ...] = (
    FeeTier(0, 2000, 2000), FeeTier(50_000, 1600, 1600), FeeTier(100_000, 1200, 1200),
    FeeTier(250_000, 800, 800), FeeTier(500_000, 400, 400), FeeTier(1_000_000, 200, 200),
    FeeTier(10_000_000, 0, 100), FeeTier(100_000_000, 0, 10))
FREE: tuple[FeeTier, ...] = (FeeTier(0, 0, 0),)
STABLE_BASES = frozenset(("EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "USDT", "USDC", "DAI", "PYUSD",
                          "USDG", "USDQ", "EURT", "EURQ", "EURR", "RLUSD"))


def _volume_name(usd: int) -> str:
    """``10k`` or ``2.5m``."""
    if usd < 1_000_000:
        return f"{usd // 1_000}k"
    whole, tenths = divmod(usd // 100_000, 10)
    return f"{whole}.{tenths}m" if tenths else f"{whole}m"


# What FEES may say, and the 30-day volume in US dollars that an account of it starts with.
VOLUMES_USD: dict[str, int] = {"free": 0, "kraken": 0} | {
    _volume_name(tier.volume_usd): tier.volume_usd for tier in CRYPTO[1:]}
NAMES: tuple[str, ...] = tuple(VOLUMES_USD)


def schedule_of(name: str, symbol: str) -> tuple[FeeTier, ...]:
    """The tiers of a pair, smallest volume first. ``name`` is one of NAMES."""
    if name == "free":
        return FREE
    return STABLE if symbol.partition("/")[0] in STABLE_BASES else CRYPTO


def tier_at(schedule: tuple[FeeTier, ...], volume_usd: float) -> FeeTier:
    """The tier that applies at a 30-day volume."""
    return [tier for tier in schedule if tier.volume_usd <= volume_usd][-1]


def rates_e6(name: str, symbol: str) -> tuple[int, int]:
    """Maker and taker fee in millionths for a new account of this schedule."""
    tier = tier_at(schedule_of(name, symbol), VOLUMES_USD[name])
    return tier.maker_e6, tier.taker_e6
