"""No setting is parsed and ignored: each one that was changed stands where it takes effect."""

from __future__ import annotations

import pathlib
from decimal import Decimal
from typing import Any

import pytest
from engine_rig import Rig

from hftbot.app.strategies import build_strategy
from hftbot.config.schema import Settings, keys, parse

# Setting, what a file says, where the strategy keeps it, as what.
SCALPER = [
    ("ORDER_SIZE_USD", "70", "size.order_usd", Decimal(70)),
    ("ORDER_SIZE_PCT", "7", "size.order_pct_e6", 70_000),
    ("MAX_POSITION_SIZE_USD", "170", "size.position_usd_max", Decimal(170)),
    ("CAPITAL_USD", "1700", "size.capital_usd", Decimal(1700)),
    ("MAX_POSITIONS", "7", "max_positions", 7),
    ("PROFIT_TARGET_PCT", "0.7", "rules.profit_target_e6", 7_000),
    ("STOP_LOSS_PCT", "0.6", "rules.stop_loss_e6", 6_000),
    ("MIN_PROFIT_PCT", "0.15", "rules.min_profit_e6", 1_500),
    ("MIN_HOLD_S", "7", "rules.min_hold_us", 7_000_000),
    ("MAX_HOLD_S", "70", "rules.max_hold_us", 70_000_000),
    ("TRAILING_STOP_PCT", "0.07", "rules.trailing_stop_e6", 700),
    ("TRAILING_START_PCT", "0.17", "rules.trailing_start_e6", 1_700),
    ("TARGET_DAILY_TRADES", "77", "pace.target_day", 77),
    ("RAPID_FIRE_MODE", "1", "rapid_fire", True),
    ("ENTRY_ORDER", "post_only", "post_only", True),
    ("ENTRY_REST_MS", "700", "entry_rest_us", 700_000),
    ("ENTRY_RETRIES", "7", "entry_retries", 7),
    ("ENTRIES_IN_FLIGHT", "2", "flight.entries_max", 2),
    ("ORDERS_IN_FLIGHT", "7", "flight.orders_max", 7),
    ("EXECUTION_DEADLINE_MS", "700", "flight.deadline_ns", 700_000_000),
    ("COOLDOWN_MS", "70", "cooldown_us", 70_000),
    ("MOMENTUM_WINDOW_MS", "17", "_momentum.window_us", 17_000),
    ("MOMENTUM_THRESHOLD", "0.7", "_momentum.threshold_e6", 700_000),
    ("MOMENTUM_IMBALANCE_MS", "27", "_momentum.imbalance_us", 27_000),
    ("MOMENTUM_IMBALANCE_MIN", "0.3", "_momentum.imbalance_min_e6", 300_000),
    ("MOMENTUM_FLOW_MS", "37", "_momentum.flow_us", 37_000),
    ("MOMENTUM_WARM_UP_MS", "47", "_momentum.warm_up_us", 47_000),
    ("ENTRY_ALLOWANCE_BPS", "0.7", "entry_allowance_e6", 70),
    ("EXIT_ALLOWANCE_BPS", "7", "exit_allowance_e6", 700),
    ("EXIT_RETRY_MS", "77", "exit_retry_us", 77_000),
]
MAKER = [
    ("MAKER_MODEL", "avellaneda", "model.kind", "avellaneda"),
    ("MAKER_RISK", "0.7", "model.risk", 0.7),
    ("MAKER_HORIZON_S", "7", "model.horizon_s", 7.0),
    ("MAKER_LEVELS", "7", "levels", 7),
    ("MAKER_LEVEL_GAP_BPS", "7", "gap_bps", 7.0),
    ("MAKER_EDGE_BPS", "1.7", "edge_e6", 170),
    ("MAKER_HALF_SPREAD_MAX_BPS", "17", "model.most_bps", 17.0),
    ("MAKER_MOVE_BPS", "2.7", "move_e6", 270),
    ("MAKER_REST_MS", "700", "rest_us", 700_000),
    ("MAKER_INVENTORY_USD", "700", "sizes.1", Decimal(700)),
    ("MAKER_TARGET_USD", "70", "sizes.2", Decimal(70)),
    ("MAKER_SHORT", "1", "short", True),
    ("MAKER_MEASURE", "0", "_takers.3", False),
    ("MAKER_ARRIVALS_PER_S", "7", "_takers.0", 7.0),
    ("MAKER_ARRIVAL_DEPTH_BPS", "1.7", "_takers.1", 1.7),
    ("MAKER_MEMORY_S", "7", "_takers.2", 7_000_000),
]
RISK = [
    ("ORDER_VALUE_USD_MAX", "700", "desks.0.gate.order_value_max", 700 * 10**9),
    ("GROSS_USD_MAX", "7000", "guard.account.gross_e10_max", 7000 * 10**10),
    ("OPEN_ORDERS_MAX", "7", "guard.account.open_orders_max", 7),
    ("LOSS_USD_DAY_MAX", "7", "guard.account.loss_e10_max", 7 * 10**10),
    ("LOSS_USD_DAY_MAX", "7", "guard.loss_day_max", 7.0),
    ("COLLAR_BPS", "70", "desks.0.gate.collar_bps", 70),
    ("DRIFT_BPS", "77", "desks.0.gate.drift_bps_max", 77),
    ("DRIFT_WINDOW_S", "7", "desks.0.gate.drift_window_ns", 7 * 10**9),
    ("BOOK_SILENCE_MS", "700", "desks.0.gate.book_silence_ns_max", 700 * 10**6),
    ("FILLS_IN_ROW_MAX", "7", "guard.account.fills_in_row_max", 7),
    ("SAME_ORDER_WINDOW_MS", "7", "desks.0.gate.same_order_window_ns", 7 * 10**6),
    ("BREAKER_FAILURES", "7", "router.breaker.failures_max", 7),
    ("BREAKER_COOLDOWN_S", "7", "router.breaker.cooldown_ns", 7 * 10**9),
    ("KILL_LATENCY_US", "7000", "guard.latency.limit_us", 7000),
    ("KILL_LATENCY_AFTER_S", "7", "guard.latency.after_ns", 7 * 10**9),
    ("BLIND_MAX_S", "7", "guard.blindness.limit_ns", 7 * 10**9),
    ("BOOK_QUIET_S", "7", "feed.quiet_ns", 7 * 10**9),
]
# The first follows the price, the second is the session's: tests of their own show both.
FOLLOWED_ELSEWHERE = {"POSITION_USD_MAX", "RECONCILE_INTERVAL_S"}


def told(name: str, text: str) -> dict[str, Any]:
    """One setting as Settings takes it."""
    key = keys()[name]
    return {key.attribute: parse(key, text, "test")}


def at(thing: Any, path: str) -> Any:
    """Walks attributes, places of tuples and names of mappings."""
    for step in path.split("."):
        if step.isdigit():
            thing = thing[int(step)]
        else:
            thing = thing[step] if isinstance(thing, dict) else getattr(thing, step)
    return thing


@pytest.mark.parametrize(("name", "text", "path", "value"), SCALPER)
def test_the_scalper_is_told(name: str, text: str, path: str, value: Any) -> None:
    assert at(build_strategy(Settings()), path) != value
    assert at(build_strategy(Settings(**told(name, text))), path) == value


@pytest.mark.parametrize(("name", "text", "path", "value"), MAKER)
def test_the_spread_maker_is_told(name: str, text: str, path: str, value: Any) -> None:
    assert at(build_strategy(Settings(strategy="spread_maker")), path) != value
    assert at(build_strategy(Settings(strategy="spread_maker", **told(name, text))), path) == value


@pytest.mark.parametrize(("name", "text", "path", "value"), RISK)
def test_the_guard_is_told(tmp_path: pathlib.Path, name: str, text: str, path: str,
                           value: Any) -> None:
    assert at(Rig(tmp_path, start=False).world, path) != value
    (tmp_path / "journal").unlink()
    changed = Rig(tmp_path, start=False, **{"open_orders_max": 100, **told(name, text)})
    assert at(changed.world, path) == value


def test_no_setting_of_these_groups_is_left_out() -> None:
    def group(name: str) -> set[str]:
        return {key.name for key in keys().values() if key.group == name and not key.later}

    assert {row[0] for row in SCALPER} == group("strategy")
    assert {row[0] for row in MAKER} == group("maker")
    assert {row[0] for row in RISK} | FOLLOWED_ELSEWHERE == group("risk")
