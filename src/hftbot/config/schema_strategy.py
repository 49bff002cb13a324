"""The settings of the strategies: what they trade, how much, and when they leave."""

# A key is declared by a call that returns a dataclass field, which RUF009 cannot know.
# ruff: noqa: RUF009
from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hftbot.config.key import E6, E6_PER_PCT, US_PER_MS, US_PER_S, key, number, usd
from hftbot.config.kinds import Choice, Flag
from hftbot.config.schema_maker import MakerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings(MakerSettings):
    """The group ``strategy`` of the settings; units as in schema.Settings."""

    order_size_usd: Decimal = key(
        "ORDER_SIZE_USD", usd("0.5", "1000000"), "100", "strategy", "value of one entry")
    order_size_pct_e6: int = key(
        "ORDER_SIZE_PCT", number("0", "100", "%", E6_PER_PCT), "0", "strategy",
        "value of one entry as a part of the equity, CAPITAL_USD and what closed trades made; 0: "
        "ORDER_SIZE_USD")
    position_size_usd_max: Decimal = key(
        "MAX_POSITION_SIZE_USD", usd("0.5", "10000000"), "1000", "strategy",
        "no entry is larger, whatever its rule says")
    capital_usd: Decimal = key(
        "CAPITAL_USD", usd("0.5", "100000000"), "2000", "strategy",
        "what all positions and entries of the strategy may cost together")
    max_positions: int = key(
        "MAX_POSITIONS", number("1", "100"), "10", "strategy", "entries open at the same time",
        aliases=("MAX_CONCURRENT_POSITIONS",))
    profit_target_e6: int = key(
        "PROFIT_TARGET_PCT", number("0.001", "50", "%", E6_PER_PCT), "0.2", "strategy",
        "exit at this profit, net of fees")
    stop_loss_e6: int = key(
        "STOP_LOSS_PCT", number("0.001", "50", "%", E6_PER_PCT), "0.1", "strategy",
        "exit at this loss")
    min_profit_e6: int = key(
        "MIN_PROFIT_PCT", number("0", "50", "%", E6_PER_PCT), "0.1", "strategy",
        "after MIN_HOLD_S any profit from here on is taken")
    min_hold_us: int = key(
        "MIN_HOLD_S", number("0", "86400", "s", US_PER_S), "30", "strategy",
        "before this only target and stop close a position")
    max_hold_us: int = key(
        "MAX_HOLD_S", number("0.001", "86400", "s", US_PER_S), "300", "strategy",
        "a position is closed at this age whatever it earns")
    trailing_stop_e6: int = key(
        "TRAILING_STOP_PCT", number("0", "50", "%", E6_PER_PCT), "0.05", "strategy",
        "exit when the price falls this far below the best one seen; 0: never")
    trailing_start_e6: int = key(
        "TRAILING_START_PCT", number("0", "50", "%", E6_PER_PCT), "0.1", "strategy",
        "the profit, net of fees, from which on the trailing stop follows")
    target_daily_trades: int = key(
        "TARGET_DAILY_TRADES", number("0", "100000"), "0", "strategy",
        "positions opened a day, 8 % of it an hour, fewer while they lose; 0: any number")
    rapid_fire_mode: bool = key(
        "RAPID_FIRE_MODE", Flag(), "0", "strategy",
        "1: an entry may follow an exit in the same market at once; 0: one entry a cooldown")
    entry_order: str = key(
        "ENTRY_ORDER", Choice(("ioc", "post_only")), "ioc", "strategy",
        "ioc takes at the touch; post_only rests there and pays the maker fee")
    entry_rest_us: int = key(
        "ENTRY_REST_MS", number("1", "600000", "ms", US_PER_MS), "5000", "strategy",
        "how long a post-only entry rests before it is taken back; Kraken counts 8 for a cancel "
        "within 5 s, 6 within 10 s")
    entry_retries: int = key(
        "ENTRY_RETRIES", number("0", "10"), "3", "strategy",
        "further orders of an entry of which nothing traded for certain")
    entries_in_flight: int = key(
        "ENTRIES_IN_FLIGHT", number("1", "32"), "3", "strategy", "entries on their way at once")
    orders_in_flight: int = key(
        "ORDERS_IN_FLIGHT", number("1", "64"), "5", "strategy",
        "entries and exits on their way at once")
    execution_deadline_us: int = key(
        "EXECUTION_DEADLINE_MS", number("1", "60000", "ms", US_PER_MS), "500", "strategy",
        "after its signal an entry is not tried again; an order that takes longer counts as late")
    cooldown_us: int = key(
        "COOLDOWN_MS", number("0", "3600000", "ms", US_PER_MS), "250", "strategy",
        "pause between entries in one market", aliases=("TRADE_COOLDOWN_MS",))
    momentum_window_us: int = key(
        "MOMENTUM_WINDOW_MS", number("1", "600000", "ms", US_PER_MS), "300", "strategy",
        "how far back momentum looks")
    momentum_threshold_e6: int = key(
        "MOMENTUM_THRESHOLD", number("0.001", "0.999", "", E6), "0.15", "strategy",
        "how much of the votes must point one way to be a signal")
    momentum_imbalance_us: int = key(
        "MOMENTUM_IMBALANCE_MS", number("1", "600000", "ms", US_PER_MS), "10", "strategy",
        "time over which the imbalance of the touch is averaged")
    momentum_imbalance_min_e6: int = key(
        "MOMENTUM_IMBALANCE_MIN", number("0", "1", "", E6), "0", "strategy",
        "how far the imbalance alone must point the same way; 0 does not ask")
    momentum_flow_us: int = key(
        "MOMENTUM_FLOW_MS", number("1", "600000", "ms", US_PER_MS), "200", "strategy",
        "time in which trades of others are forgotten")
    momentum_warm_up_us: int = key(
        "MOMENTUM_WARM_UP_MS", number("0", "600000", "ms", US_PER_MS), "500", "strategy",
        "nothing is said before this much of the market was seen")
    entry_allowance_e6: int = key(
        "ENTRY_ALLOWANCE_BPS", number("0", "500", "bps", 100), "0.2", "strategy",
        "how far beyond the touch an entry may trade")
    exit_allowance_e6: int = key(
        "EXIT_ALLOWANCE_BPS", number("0", "500", "bps", 100), "5", "strategy",
        "how far beyond the touch an exit may trade")
    exit_retry_us: int = key(
        "EXIT_RETRY_MS", number("1", "60000", "ms", US_PER_MS), "250", "strategy",
        "pause between two attempts to leave")
    maker_half_spread_e6: int = key(
        "MAKER_HALF_SPREAD", number("0", "0.5", "", E6), "0.003", "strategy",
        "distance of a quote from fair value",
        later="belongs to the up/down maker, which comes later; nothing uses it yet")
    taker_edge_threshold_e6: int = key(
        "TAKER_EDGE_THRESHOLD", number("0", "0.5", "", E6), "0.01", "strategy",
        "edge from which a price is taken",
        later="belongs to the up/down maker, which comes later; nothing uses it yet")
