"""The golden grid as a live strategy: through engine, guard, desk and router, the same fills.

With recorded order latencies the guard refuses orders that would trade with the strategy's own,
which hftbacktest lets through; those files are compared with the replay alone.
"""

from __future__ import annotations

import csv
import json
import math
import os
import pathlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hftbot.app import backtest_models as models
from hftbot.app import backtest_run
from hftbot.backtest.data import open_rows
from hftbot.backtest.market import instrument_of
from hftbot.config.schema import Settings
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy

SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
ORACLE = SHARED / "backtest_oracle"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden files are absent")
MUCH = Decimal(10_000_000)
LIMITS: dict[str, Any] = {
    "loop_interval_us": 10_000, "max_orders_per_min": 1_000_000, "same_order_window_us": 0,
    "open_orders_max": 1000, "position_usd_max": MUCH, "gross_usd_max": MUCH,
    "order_value_usd_max": MUCH, "loss_usd_day_max": MUCH, "fills_in_row_max": 10_000,
    "collar_bps": 5000, "drift_bps": 10_000, "breaker_failures": 0, "book_silence_us": 60_000_000}
QUEUES = {"riskadverse": "risk-averse", "logprob": "log-prob", "logprob2": "log-prob2",
          "powerprob3": "power-prob:3", "powerprob2_3": "power-prob2:3",
          "powerprob3_3": "power-prob3:3"}


class Grid(Strategy):
    """Ten orders a side around a skewed middle; parameters of the golden files."""

    name = "grid"
    wakes = "timer"

    def on_timer(self, now_us: int) -> None:
        desk, book = self.desk, self.desk.book(0)
        bid, ask = book.best_bid(), book.best_ask()
        held = desk.position_lots(0) / 200
        middle = (bid + ask) / 2.0 - 20.0 * held
        buy = min(math.floor((middle - 2.0) / 2) * 2, bid)
        sell = max(math.ceil((middle + 2.0) / 2) * 2, ask)
        wanted = [(0, buy - 2 * i) for i in range(10) if held < 1]
        wanted += [(1, sell + 2 * i) for i in range(10) if held > -1]
        working = {(order.side, order.ticks): order for order in desk.open_orders()}
        for place, order in working.items():
            if place not in wanted and order.state == OrderState.LIVE:
                desk.cancel(order.client_id)
        for side, ticks in wanted:
            if (side, ticks) not in working:
                desk.place(0, side, ticks, 10, Tif.GTC, post_only=True)


def ran(queue: str, latency: str = "5ms/5ms") -> Any:
    """One of the runs; the latency is 5 ms each way."""
    rows = open_rows(ORACLE / "btcusdt.npz")
    fees = models.fee_choice("maker=-0.5,taker=7", "BTC/USDT")
    grid = instrument_of(0, rows.symbol, rows.tick_size, rows.lot_size, *fees.rates_e6)
    settings = replace(backtest_run.adjusted(Settings(), [grid.symbol]), **LIMITS)
    plan = backtest_run.Plan(settings, (backtest_run.Market(
        rows, grid, fees, models.latency_choice(latency, settings, "", rows)),))
    return backtest_run.run(plan, "calibrated", models.queue_choice(QUEUES[queue]),
                            lambda name, part: None, Grid())


def both(result: Any, name: str) -> tuple[list[Any], list[Any]]:
    """The fills of a run and of a golden file, in the same words."""
    with open(ORACLE / f"fills_grid_{name}.csv", newline="") as file:
        golden = sorted((int(row["exch_ts"]), (1 - int(row["side"])) // 2, int(row["exec_tick"]),
                         round(float(row["exec_qty"]) * 1000), bool(int(row["maker"])))
                        for row in csv.DictReader(file))
    assert len(golden) > 2000
    return golden, sorted((fill.exch_ns, fill.side, fill.ticks, fill.lots, fill.maker)
                          for fill in result.fills)


def compare(queue: str) -> None:
    result = ran(queue)
    golden, ours = both(result, f"{queue}_const")
    assert ours == golden
    end = json.loads((ORACLE / "grid.json").read_text())["results"][f"grid_{queue}_const"]
    assert result.samples.balances[0][-1] == pytest.approx(end["balance"], abs=1e-6)
    assert result.samples.fees[0][-1] == pytest.approx(end["fee"], abs=1e-6)
    assert sum(fill.fee for fill in result.fills) == pytest.approx(end["fee"], abs=1e-6)
    assert result.samples.positions[0][-1] == round(end["position"] * 1000)


def test_the_live_engine_makes_the_golden_fills() -> None:
    compare("powerprob3")


@pytest.mark.long
@pytest.mark.parametrize("queue", [queue for queue in QUEUES if queue != "powerprob3"])
def test_the_live_engine_makes_the_golden_fills_of_all_queues(queue: str) -> None:
    compare(queue)


@pytest.mark.long
def test_recorded_latencies_are_parted_by_the_self_trade_rule_alone() -> None:
    result = ran("powerprob3", str(ORACLE / "lat_btcusdt.npz"))
    golden, ours = both(result, "powerprob3_intp")
    assert set(result.denied) == {"DENY_SELF_TRADE"}
    # Each order that is refused changes what comes after it; most fills are the same all the same.
    assert 0.9 * len(golden) < len(set(golden) & set(ours)) < len(golden)
