"""hftbacktest's own loops, for bench_backtest.py: run by an interpreter that has hftbacktest.

    python hftbacktest_loops.py JSON

JSON names the data, what to run (``replay`` or ``grid``) and how often. Prints one JSON document:
CPU seconds of each run, of the whole process, peak memory, and what the strategy ended with. The
strategy is the one of the golden files, compiled by numba as hftbacktest means it to be used.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from hftbacktest import BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.order import FILLED, GTX, LIMIT
from numba import njit, uint64
from numba.typed import Dict

STEP_NS = 10_000_000


@njit
def replay(hbt: Any) -> int:
    """Only the clock, every 10 ms."""
    steps = 0
    while hbt.elapse(STEP_NS) == 0:
        steps += 1
    return steps


@njit
def grid(hbt: Any, tick_size: float, half_spread: float, grid_step: float, grid_count: int,
         skew: float, quantity: float, position_max: float) -> int:
    """Ten orders a side around a centre that leans against the position."""
    fills = 0
    while hbt.elapse(STEP_NS) == 0:
        orders = hbt.orders(0)
        ended = orders.values()
        while ended.has_next():
            if ended.get().status == FILLED:
                fills += 1
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if not (bid > 0 and ask < 1_000_000_000):
            continue
        position = hbt.position(0)
        centre = (bid + ask) / 2.0 - skew * (position / position_max)
        lowest = min(np.floor((centre - half_spread) / grid_step) * grid_step, bid)
        highest = max(np.ceil((centre + half_spread) / grid_step) * grid_step, ask)
        wanted = Dict.empty(uint64, uint64)
        if position < position_max:
            for i in range(grid_count):
                wanted[uint64(2 * (lowest - i * grid_step))] = uint64(0)
        if position > -position_max:
            for i in range(grid_count):
                wanted[uint64(2 * (highest + i * grid_step) + 1)] = uint64(1)
        live = orders.values()
        while live.has_next():
            order = live.get()
            if order.cancellable and order.order_id not in wanted:
                hbt.cancel(0, order.order_id, False)
        for order_id, side in wanted.items():
            if order_id in orders:
                continue
            price = (order_id >> 1) * tick_size
            if side == 0:
                hbt.submit_buy_order(0, order_id, price, quantity, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, order_id, price, quantity, GTX, LIMIT, False)
    return fills


def build(job: dict[str, Any]) -> Any:
    """A fresh backtest on the fast depth."""
    lowest, highest = job["roi"]
    asset = (BacktestAsset().data([job["data"]]).linear_asset(1.0)
             .power_prob_queue_model(3.0).no_partial_fill_exchange()
             .trading_value_fee_model(job["maker"], job["taker"])
             .tick_size(job["tick_size"]).lot_size(job["lot_size"])
             .roi_lb(lowest).roi_ub(highest).last_trades_capacity(0))
    asset.constant_order_latency(job["entry_ns"], job["response_ns"])
    return ROIVectorMarketDepthBacktest([asset])


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One run: CPU seconds of the loop alone, and what came of it."""
    hbt = build(job)
    began = time.process_time()
    if job["what"] == "replay":
        fills = replay(hbt)
    else:
        parameters = job["grid"]
        fills = grid(hbt, job["tick_size"], float(parameters["half_spread_tick"]),
                     float(parameters["grid_step_tick"]), parameters["grid_num"],
                     float(parameters["skew_tick"]), parameters["order_qty"],
                     parameters["max_pos"])
    took = time.process_time() - began
    state = hbt.state_values(0)
    found = {"cpu_s": took, "count": int(fills), "position": float(state.position),
             "balance": float(state.balance), "fee": float(state.fee),
             "trades": int(state.num_trades)}
    hbt.close()
    return found


def peak_kib() -> int:
    """The most memory that this process ever held, in KiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    """Run what the argument says; the first run pays for the compiler."""
    job = json.loads(sys.argv[1])
    runs = []
    first_s = 0.0
    for number in range(job["runs"]):
        runs.append(run(job))
        if number == 0:
            first_s = time.process_time()
    print(json.dumps({"runs": runs, "first_result_cpu_s": first_s, "peak_kib": peak_kib()}))


if __name__ == "__main__":
    main()
