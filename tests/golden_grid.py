"""The golden grid on the recorded BTC market, as a backtest result: tests that need real fills.

The recording is not shipped; who uses this skips without it.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from fastcore.sim.fees import PER_VALUE, FeeModel
from fastcore.sim.grid_maker import GridMaker
from fastcore.sim.latency import OrderLatency
from fastcore.sim.queue import NAMES
from fastcore.sim.replay import Replay
from fastcore.sim.replay_codes import CANCELED, EXPIRED, FILLED, NEW, NOTHING, REFUSED
from hftbot.backtest import result as outcome
from hftbot.backtest.result import (
    Assumptions,
    BacktestResult,
    Samples,
    SimAsset,
    SimFill,
    record_feed_latency,
)

SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[1].parent / "shared")
ORACLE = SHARED / "backtest_oracle"
WAKE_NS = 10_000_000
LATENCY_NS = 5_000_000
TICK, LOT = 0.1, 0.001
MAKER, TAKER = -0.00005, 0.0007
ENDS = {FILLED: outcome.FILLED, CANCELED: outcome.CANCELED, EXPIRED: outcome.EXPIRED}


def golden(queue: str) -> dict[str, Any]:
    """What hftbacktest came to with this queue model and a constant latency."""
    content = json.loads((ORACLE / "grid.json").read_text())
    found: dict[str, Any] = content["results"][f"grid_{queue}_const"]
    return found


def run(queue: str, name: str) -> BacktestResult:
    """The grid, woken every 10 ms; ``queue`` by its name in fastcore.sim.queue."""
    import numpy
    events = numpy.load(ORACLE / "btcusdt.npz")["data"]
    replay = Replay()
    replay.add(events, TICK, LOT, OrderLatency.constant(LATENCY_NS, LATENCY_NS),
               FeeModel(PER_VALUE, MAKER, TAKER), queue=NAMES[queue])
    asset = SimAsset(symbol="BTC/USDT", base="BTC", quote="USDT", tick_size=TICK, lot_size=LOT,
                     data=("btcusdt.npz",), rows=len(events))
    result = BacktestResult(
        strategy="golden grid", assets=(asset,), samples=Samples(1),
        assumptions=Assumptions(name=name, queue=queue, exchange="no partial fills",
                                order_latency="5 ms there, 5 ms back",
                                fees="maker -0.5 bps, taker 7 bps of the value"))
    record_feed_latency(result.feed_latency, events.view("u1"))
    grid = GridMaker()
    while replay.elapse(WAKE_NS) == 0:
        if not result.begin_ns:
            result.begin_ns = replay.now_ns
        result.wakes += 1
        hear(replay, result)
        grid.decide(replay)
        if replay.now_ns >= result.samples.rows.due_ns:
            sample(replay, result)
    hear(replay, result)
    sample(replay, result)
    result.end_ns = replay.now_ns
    return result


def hear(replay: Any, result: BacktestResult) -> None:
    """Book what the exchange answered; a new order is first heard of by its answer."""
    tally = result.orders
    for (asset, order_id, request, status, ticks, exec_ticks, exec_lots, _, maker, exch_ns,
         seen_ns) in replay.responses():
        side = order_id % 2
        if request == NEW:
            away = replay.best(0, side) - ticks
            tally.sent(asset, order_id, 10, exch_ns - LATENCY_NS,
                       replay.lots_at(0, side, ticks), away if side == 0 else -away)
        elif request not in (NOTHING, REFUSED):
            tally.asked(asset, order_id, exch_ns - LATENCY_NS)
        if request not in (NOTHING, REFUSED):
            tally.answered(asset, order_id, exch_ns, seen_ns)
        if exec_lots:
            value = exec_ticks * TICK * exec_lots * LOT
            result.add_fill(SimFill(asset, order_id, side, exec_ticks, exec_lots, bool(maker),
                                    value * (MAKER if maker else TAKER), exch_ns, seen_ns))
        if status in ENDS and request != REFUSED:
            tally.ended(asset, order_id, ENDS[status])


def sample(replay: Any, result: BacktestResult) -> None:
    """One row of the account."""
    mid = (replay.best(0, 0) + replay.best(0, 1)) * TICK / 2
    result.samples.add(replay.now_ns, [(mid, replay.position(0), replay.balance(0), replay.fee(0),
                                        replay.trading_value(0))])
