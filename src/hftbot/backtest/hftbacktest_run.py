"""Sends recorded requests through hftbacktest itself, in a process of an interpreter that has it.

    python hftbacktest_run.py JOB.json

It needs hftbacktest and numpy and nothing of ours; ``hftbot.backtest.comparison`` writes the job
and reads the one JSON document that this prints. Each request is sent at the moment at which ours
was, so that both engines get the same orders and only their answers can differ.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

SUBMIT, CANCEL, MODIFY = 0, 1, 2
FILLED, PARTLY_FILLED = 3, 5
WAIT_NS = 3_600_000_000_000


def build(job: dict[str, Any]) -> Any:
    """A backtest of one asset as the job says."""
    import hftbacktest
    import numpy

    asset = hftbacktest.BacktestAsset()
    asset.data(job["data"])
    if job["contract"] == "inverse":
        asset.inverse_asset(job["contract_size"])
    else:
        asset.linear_asset(job["contract_size"])
    latency = job["latency"]
    if "rows" in latency:
        rows = numpy.zeros(len(latency["rows"]), dtype=[
            ("req_ts", "i8"), ("exch_ts", "i8"), ("resp_ts", "i8"), ("_padding", "i8")])
        for column, name in enumerate(("req_ts", "exch_ts", "resp_ts")):
            rows[name] = [row[column] for row in latency["rows"]]
        # By a file: an array that is given is not kept alive by it.
        where = Path(job["folder"]) / "latency.npy"
        numpy.save(where, rows)
        asset.intp_order_latency([str(where)])
    else:
        asset.constant_order_latency(latency["entry_ns"], latency["response_ns"])
    queue, power = job["queue"], job["power"]
    if queue in ("power-prob", "power-prob2", "power-prob3"):
        getattr(asset, {"power-prob": "power_prob_queue_model",
                        "power-prob2": "power_prob_queue_model2",
                        "power-prob3": "power_prob_queue_model3"}[queue])(power)
    else:
        getattr(asset, {"risk-averse": "risk_adverse_queue_model",
                        "l3-fifo": "l3_fifo_queue_model",
                        "log-prob": "log_prob_queue_model",
                        "log-prob2": "log_prob_queue_model2"}[queue])()
    if job["partial"]:
        asset.partial_fill_exchange()
    else:
        asset.no_partial_fill_exchange()
    getattr(asset, {"value": "trading_value_fee_model", "quantity": "trading_qty_fee_model",
                    "flat": "flat_per_trade_fee_model"}[job["fees"]["kind"]])(
        job["fees"]["maker"], job["fees"]["taker"])
    asset.tick_size(job["tick_size"]).lot_size(job["lot_size"]).last_trades_capacity(0)
    return hftbacktest.HashMapMarketDepthBacktest([asset])


def collect(hbt: Any, seen: set[tuple[int, int]], fills: list[tuple[int, int, int, float]]) -> None:
    """Note the executions that its orders show now: id, exchange time, price tick, quantity."""
    orders = hbt.orders(0).values()
    while orders.has_next():
        order = orders.get()
        if order.status in (FILLED, PARTLY_FILLED):
            key = int(order.order_id), int(order.exch_timestamp)
            if key not in seen:
                seen.add(key)
                fills.append((*key, int(order.exec_price_tick), float(order.exec_qty)))


def drive(hbt: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Send every request at its time; returns the fills and what the account came to."""
    seen: set[tuple[int, int]] = set()
    fills: list[tuple[int, int, int, float]] = []
    refused = 0
    tick_size, lot_size = job["tick_size"], job["lot_size"]
    ended = hbt.elapse(0)
    for at_ns, what, order_id, side, ticks, lots, tif, order_type in job["requests"]:
        if not ended and at_ns > hbt.current_timestamp:
            ended = hbt.elapse(at_ns - hbt.current_timestamp)
            collect(hbt, seen, fills)
            hbt.clear_inactive_orders(0)
        if what == SUBMIT:
            send = hbt.submit_sell_order if side else hbt.submit_buy_order
            code = send(0, order_id, ticks * tick_size, lots * lot_size, tif, order_type, False)
        elif what == CANCEL:
            code = hbt.cancel(0, order_id, False)
        else:
            code = hbt.modify(0, order_id, ticks * tick_size, lots * lot_size, False)
        refused += code != 0
    while not ended:
        ended = hbt.elapse(WAIT_NS)
        collect(hbt, seen, fills)
    state = hbt.state_values(0)
    return {"fills": fills, "refused": refused, "ended": int(ended),
            "position": float(state.position), "balance": float(state.balance),
            "fee": float(state.fee), "trades": int(state.num_trades)}


def main() -> None:
    """Run the job that the argument names and print what came of it."""
    from importlib.metadata import version

    job = json.loads(Path(sys.argv[1]).read_text())
    found = drive(build(job), job)
    print(json.dumps({**found, "version": version("hftbacktest"),
                      "cpu_s": time.process_time()}))


if __name__ == "__main__":
    main()
