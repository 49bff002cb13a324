"""What each built-in strategy is set to if nobody says otherwise, and where that comes from.

A preset is the weakest source: files, environment and flags win over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hftbot.config.key import Key
from hftbot.config.schema import find
from hftbot.errors import ConfigError

# Fee-free micro-scalping: profit 0.2 %, stop 0.1 %, trailing stop 0.05 % once 0.1 % was made, any
# profit of 0.1 % after 30 s, out after five minutes, at most ten positions, a hundred trades a
# day, three entries and five orders in flight. The venue's own deadline may not be below 500 ms
# when it arrives there, so the order carries one second and our clock ends the execution at 500 ms.
# Its guard on Kraken: an entry and an exit are two messages and one fill each, so fifty fills that
# only add are a defect; the same order within 50 ms is one, too (an order of which nothing traded
# does not count there, so an entry may be tried again); a heartbeat comes each second.
MICRO_SCALPER = MappingProxyType({
    "PROFIT_TARGET_PCT": "0.2",
    "STOP_LOSS_PCT": "0.1",
    "MIN_PROFIT_PCT": "0.1",
    "MIN_HOLD_S": "30",
    "MAX_HOLD_S": "300",
    "TRAILING_STOP_PCT": "0.05",
    "TRAILING_START_PCT": "0.1",
    "MAX_POSITIONS": "10",
    "TARGET_DAILY_TRADES": "100",
    "RAPID_FIRE_MODE": "1",
    "ENTRIES_IN_FLIGHT": "3",
    "ORDERS_IN_FLIGHT": "5",
    "EXECUTION_DEADLINE_MS": "500",
    "ORDER_DEADLINE_MS": "1000",
    "FILLS_IN_ROW_MAX": "50",
    "SAME_ORDER_WINDOW_MS": "50",
    "BOOK_SILENCE_MS": "2000",
    "LOSS_USD_DAY_MAX": "25",
    "BREAKER_FAILURES": "5",
    "BREAKER_COOLDOWN_S": "300",
})

# A maker sends more messages than a taker and is filled by many small orders: its limits count
# that, and the size of one quote is small beside the inventory, so that the quotes can lean.
SPREAD_MAKER = MappingProxyType({
    "ORDER_SIZE_USD": "50",
    "MAX_ORDERS_PER_MIN": "200",
    "FILLS_IN_ROW_MAX": "200",
    "BOOK_SILENCE_MS": "2000",
    "LOSS_USD_DAY_MAX": "25",
})

PRESETS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "micro_scalper": MICRO_SCALPER, "spread_maker": SPREAD_MAKER})

# The fee_free_scalping section of the older config.json: its names, our names, and the factor
# between them (it gives ratios where our keys are percent).
SCALPING_SECTION: Mapping[str, tuple[str, int]] = MappingProxyType({
    "profit_target": ("PROFIT_TARGET_PCT", 100),
    "stop_loss": ("STOP_LOSS_PCT", 100),
    "max_hold_time_seconds": ("MAX_HOLD_S", 1),
    "target_daily_trades": ("TARGET_DAILY_TRADES", 1),
    "max_concurrent_positions": ("MAX_POSITIONS", 1),
})
# Those that are true or false.
SCALPING_FLAGS: Mapping[str, str] = MappingProxyType({"rapid_fire_mode": "RAPID_FIRE_MODE"})


def preset(strategy: str) -> Mapping[str, str]:
    """NAME to text for a built-in strategy; empty for a user's own file."""
    return PRESETS.get(strategy, {})


def preset_key(name: str) -> Key:
    """The key that a preset line sets. Raises ConfigError if the preset names no key."""
    key = find(name)
    if key is None:
        raise ConfigError(f"preset names the unknown key {name}")
    return key
