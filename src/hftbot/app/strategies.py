"""Makes the strategy of a run from its settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hftbot.app.openings import openings_us
from hftbot.app.strategy_file import BUILT_IN, load
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.live.clock import SystemClock
from hftbot.words.ports import Strategy

if TYPE_CHECKING:
    from hftbot.strategy.micro_scalper import MicroScalper
    from hftbot.strategy.spread_maker import SpreadMaker

DAY_US = 86_400_000_000


def build_strategy(settings: Settings, database: Path | None = None) -> Strategy:
    """The strategy that STRATEGY names.

    A user's class is made without arguments. ``database`` is what earlier runs left: positions
    that the scalper opened today count towards its pace. Raises ConfigError.
    """
    found = load(settings.strategy)
    if settings.strategy.strip() == "spread_maker":
        return _spread_maker(settings)
    if settings.strategy.strip() in BUILT_IN:
        scalper = _micro_scalper(settings)
        if database is not None:
            now_us = SystemClock().now_us()
            scalper.pace.carry(openings_us(database.absolute(), scalper.name,
                                           now_us - now_us % DAY_US), now_us)
        return scalper
    try:
        return found()
    except TypeError as error:
        raise ConfigError(f"STRATEGY: {settings.strategy}: its constructor must need no "
                          f"arguments: {error}") from None


def _micro_scalper(settings: Settings) -> MicroScalper:
    from hftbot.strategy.micro_scalper import MicroScalper
    from hftbot.strategy.order_size import SizeRule
    from hftbot.strategy.position_cycler import ExitRules
    return MicroScalper(
        size=SizeRule(settings.order_size_usd, settings.order_size_pct_e6,
                      settings.position_size_usd_max, settings.capital_usd),
        rules=ExitRules(settings.profit_target_e6, settings.stop_loss_e6, settings.min_profit_e6,
                        settings.min_hold_us, settings.max_hold_us, settings.trailing_stop_e6,
                        settings.trailing_start_e6),
        max_positions=settings.max_positions, cooldown_us=settings.cooldown_us,
        rapid_fire=settings.rapid_fire_mode, target_day=settings.target_daily_trades,
        ttl_us=settings.quote_refresh_ttl_us, entry_allowance_e6=settings.entry_allowance_e6,
        exit_allowance_e6=settings.exit_allowance_e6, exit_retry_us=settings.exit_retry_us,
        entries_in_flight=settings.entries_in_flight, orders_in_flight=settings.orders_in_flight,
        entry_retries=settings.entry_retries,
        execution_deadline_us=settings.execution_deadline_us,
        post_only=settings.entry_order == "post_only", entry_rest_us=settings.entry_rest_us,
        momentum={"window_us": settings.momentum_window_us,
                  "threshold_e6": settings.momentum_threshold_e6,
                  "imbalance_us": settings.momentum_imbalance_us,
                  "imbalance_min_e6": settings.momentum_imbalance_min_e6,
                  "flow_us": settings.momentum_flow_us,
                  "warm_up_us": settings.momentum_warm_up_us})


def _spread_maker(settings: Settings) -> SpreadMaker:
    from hftbot.strategy.spread_maker import SpreadMaker
    if settings.order_size_pct_e6:
        raise ConfigError("ORDER_SIZE_PCT: the spread maker's quotes have the fixed value "
                          "ORDER_SIZE_USD; set ORDER_SIZE_PCT=0")
    if settings.maker_inventory_usd > settings.position_usd_max:
        raise ConfigError(f"MAKER_INVENTORY_USD={settings.maker_inventory_usd} is above "
                          f"POSITION_USD_MAX={settings.position_usd_max}: the guard would deny "
                          "the last quotes. Lower the one or raise the other")
    return SpreadMaker(
        order_usd=settings.order_size_usd, model=settings.maker_model,
        risk=settings.maker_risk_e6 / 1e6, horizon_s=settings.maker_horizon_us / 1e6,
        levels=settings.maker_levels, level_gap_e6=settings.maker_level_gap_e6,
        edge_e6=settings.maker_edge_e6, half_spread_max_e6=settings.maker_half_spread_max_e6,
        move_e6=settings.maker_move_e6, rest_us=settings.maker_rest_us,
        inventory_usd=settings.maker_inventory_usd, target_usd=settings.maker_target_usd,
        short=settings.maker_short, measure=settings.maker_measure,
        arrivals_per_s=settings.maker_arrivals_e6 / 1e6,
        arrival_depth_bps=settings.maker_arrival_depth_e6 / 100,
        memory_us=settings.maker_memory_us)
