"""The settings of the spread maker: its model, its grid of quotes, its inventory."""

# A key is declared by a call that returns a dataclass field, which RUF009 cannot know.
# ruff: noqa: RUF009
from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hftbot.config.key import E6, US_PER_MS, US_PER_S, key, number, usd
from hftbot.config.kinds import Choice, Flag

_E6_PER_BPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerSettings:
    """The group ``maker`` of the settings; units as in schema.Settings."""

    maker_model: str = key(
        "MAKER_MODEL", Choice(("glft", "avellaneda")), "glft", "maker",
        "how far from the fair price to quote: Gueant-Lehalle-Fernandez-Tapia without an end of "
        "time, or Avellaneda-Stoikov with MAKER_HORIZON_S before it")
    maker_risk_e6: int = key(
        "MAKER_RISK", number("0.000001", "100", "", E6), "0.05", "maker",
        "aversion to inventory, per bps and order: more leans the quotes further against it")
    maker_horizon_us: int = key(
        "MAKER_HORIZON_S", number("0.001", "86400", "s", US_PER_S), "5", "maker",
        "avellaneda: how long inventory is expected to be held")
    maker_levels: int = key(
        "MAKER_LEVELS", number("1", "10"), "2", "maker", "quotes on each side")
    maker_level_gap_e6: int = key(
        "MAKER_LEVEL_GAP_BPS", number("0.01", "500", "bps", _E6_PER_BPS), "1", "maker",
        "distance from one quote to the next one further out")
    maker_edge_e6: int = key(
        "MAKER_EDGE_BPS", number("0", "500", "bps", _E6_PER_BPS), "0.7", "maker",
        "least half spread, on top of the account's maker fee")
    maker_half_spread_max_e6: int = key(
        "MAKER_HALF_SPREAD_MAX_BPS", number("0.01", "1000", "bps", _E6_PER_BPS), "50", "maker",
        "widest half spread that the model may ask for")
    maker_move_e6: int = key(
        "MAKER_MOVE_BPS", number("0", "500", "bps", _E6_PER_BPS), "1.5", "maker",
        "a quote that is off by no more than this stays where it is")
    maker_rest_us: int = key(
        "MAKER_REST_MS", number("0", "600000", "ms", US_PER_MS), "3000", "maker",
        "a quote that stands too far out is moved after this; one too far in is moved at once")
    maker_inventory_usd: Decimal = key(
        "MAKER_INVENTORY_USD", usd("0.5", "10000000"), "500", "maker",
        "largest position that quotes may build in one market")
    maker_target_usd: Decimal = key(
        "MAKER_TARGET_USD", usd("0", "10000000"), "0", "maker",
        "position around which the quotes lean; a spot account can only sell what it holds")
    maker_short: bool = key(
        "MAKER_SHORT", Flag(), "0", "maker",
        "1: sell what is not held, on a margin or futures account or in a backtest of one")
    maker_measure: bool = key(
        "MAKER_MEASURE", Flag(), "1", "maker",
        "1: how often and how deep takers trade is measured; 0: it is what the next two say")
    maker_arrivals_e6: int = key(
        "MAKER_ARRIVALS_PER_S", number("0.0001", "1000", "a second", E6), "1", "maker",
        "takers a second on each side, before any was seen")
    maker_arrival_depth_e6: int = key(
        "MAKER_ARRIVAL_DEPTH_BPS", number("0.01", "1000", "bps", _E6_PER_BPS), "1", "maker",
        "how far from the fair price they trade on average, before any was seen")
    maker_memory_us: int = key(
        "MAKER_MEMORY_S", number("1", "86400", "s", US_PER_S), "60", "maker",
        "half of what was seen of volatility and takers is forgotten after this")
