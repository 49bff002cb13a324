"""The same requests to our replay and to hftbacktest: the same fills, to the nanosecond.

HFTBOT_HFTBACKTEST names an interpreter that has hftbacktest 2.4.4; without it these tests skip.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
from typing import Any

import pytest

from fastcore.sim.fees import PER_VALUE, FeeModel
from fastcore.sim.latency import OrderLatency
from fastcore.sim.queue import NAMES
from fastcore.sim.replay import Replay
from fastcore.sim.replay_codes import (
    GTC,
    GTX,
    IOC,
    L3_FIFO,
    NO_ASK,
    NO_BID,
    NO_PARTIAL_FILL,
    RESTING,
)
from hftbot.app import cli
from hftbot.backtest.comparison import Comparison, RequestTape, Setting, compare, comparison_text
from hftbot.backtest.result import SimAsset, SimFill
from world.backtest_rig import packed, random_market
from world.order_market import ROW, es_future, seeded_orders

np = pytest.importorskip("numpy")
SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
LATENCY_NS = 3_000_000
STEP_NS = 20_000_000


def trade(replay: Any, seed: int, begin_ns: int, step_ns: int) -> None:
    """Orders of every lifetime near the touch, cancels, amends of price or of fewer lots.

    Prices are amended away from the touch: in its exchange of single orders one that crosses by
    an amend rests, crossed; ours takes, as at the exchanges.
    """
    replay.goto(begin_ns)
    rng = random.Random(seed)
    names = 0
    while replay.elapse(step_ns) == 0:
        bid, ask = replay.best(0, 0), replay.best(0, 1)
        if bid == NO_BID or ask == NO_ASK:
            continue
        for order in replay.orders(0):
            if order["status"] != RESTING or order["request"] or rng.random() < 0.8:
                continue
            if rng.random() < 0.6:
                replay.cancel(0, order["order_id"])
            elif rng.random() < 0.5:
                replay.modify(0, order["order_id"], order["ticks"] - 1 + 2 * order["side"],
                              order["leaves_lots"])
            elif order["leaves_lots"] > 1:
                replay.modify(0, order["order_id"], order["ticks"], order["leaves_lots"] - 1)
        replay.drop_inactive(0)
        for side in range(2):
            if rng.random() < 0.4:
                names += 1
                away = rng.randrange(-1, 4)
                ticks = bid - away if side == 0 else ask + away
                replay.submit(0, names, side, ticks, rng.randrange(1, 5),
                              rng.choice((GTC, GTC, GTX, GTX, IOC)))


def both(hftbacktest_python: str, rows: bytes, asset: SimAsset, queue: str, latency: Any,
         begin_ns: int = 0, step_ns: int = STEP_NS) -> Comparison:
    """Our run, and hftbacktest's answer to its requests; ``latency`` makes one."""
    replay = Replay()
    fees = FeeModel(PER_VALUE, -0.0001, 0.0005)
    replay.add(rows, asset.tick_size, asset.lot_size, latency(), fees, queue=NAMES.get(queue, 0),
               exchange=L3_FIFO if queue == "l3-fifo" else NO_PARTIAL_FILL,
               contract_size=asset.contract_size, orders=4096)
    tape = RequestTape(replay)
    trade(tape, 1, begin_ns, step_ns)
    fills = []
    for _, order_id, side, ticks, lots, maker, exch_ns, seen_ns in replay.fills():
        value = asset.amount(ticks, lots)
        fills.append(SimFill(0, order_id, side, ticks, lots, bool(maker),
                             fees.fee(ticks * asset.tick_size, lots * asset.lot_size, value, maker),
                             exch_ns, seen_ns))
    setting = Setting(asset=asset, events=rows, queue=queue, power=3.0, partial=False, fees=fees,
                      latency=latency())
    return compare(hftbacktest_python, setting, tape.requests[0], fills)


def constant() -> OrderLatency:
    """The same there and back."""
    return OrderLatency.constant(LATENCY_NS, LATENCY_NS)


def recorded() -> OrderLatency:
    """Recorded orders that took more and less, one of which never got there."""
    sent = [10**9 * step // 2 for step in range(1, 80)]
    reached = [0 if step == 7 else at + 1_000_000 + 50_000 * (step % 11)
               for step, at in enumerate(sent)]
    return OrderLatency.interpolated(sent, reached, [at + 4_000_000 for at in sent])


@pytest.mark.parametrize(("queue", "latency"), [
    ("risk-averse", constant), ("log-prob2", recorded), ("power-prob3", constant)])
def test_levels(hftbacktest_python: str, queue: str, latency: Any) -> None:
    """A recording of levels, three of the queue models, both kinds of latency."""
    asset = SimAsset(symbol="BTC/USDT", base="BTC", quote="USDT", tick_size=0.1, lot_size=0.001)
    found = both(hftbacktest_python, packed(random_market(4, 30.0)), asset, queue, latency)
    assert found.same, comparison_text(found)
    assert found.equal > 30
    assert found.requests > 500


def test_single_orders(hftbacktest_python: str) -> None:
    """A seeded recording of single orders, whose queues are known."""
    asset = SimAsset(symbol="ES", base="ES", quote="USD", tick_size=0.25, lot_size=1.0,
                     contract_size=50.0)
    found = both(hftbacktest_python, seeded_orders(2), asset, "l3-fifo", constant)
    assert found.same, comparison_text(found)
    assert found.equal > 30


def test_the_es_future(hftbacktest_python: str) -> None:
    """An hour of a real market by order."""
    rows = es_future(SHARED)
    asset = SimAsset(symbol="ES", base="ES", quote="USD", tick_size=0.25, lot_size=1.0,
                     contract_size=50.0)
    last_ns = ROW.unpack_from(rows, len(rows) - ROW.size)[1]
    found = both(hftbacktest_python, rows, asset, "l3-fifo", constant, last_ns - 3600 * 10**9,
                 10**9)
    assert found.same, comparison_text(found)
    assert found.equal > 100


def test_the_command(hftbacktest_python: str, tmp_path: pathlib.Path,
                     monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``hftbot backtest --engine hftbacktest`` with a strategy behind the live engine."""
    monkeypatch.chdir(tmp_path)
    fields = [("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
              ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")]
    np.savez("btcusdt.npz", data=np.frombuffer(packed(random_market(3, 20.0)), fields))
    pathlib.Path("joiner.py").write_text('''
from hftbot import Strategy
from hftbot.words.order import Tif

class Joiner(Strategy):
    """Joins both sides of the touch, again and again."""
    name = "joiner"
    seen = 0

    def on_book(self, book):
        self.seen += 1
        if self.seen % 20 == 0:
            self.desk.cancel_all()
            self.desk.place(0, 0, book.best_bid(), 5, Tif.GTC, post_only=True)
            self.desk.place(0, 1, book.best_ask(), 5, Tif.GTC, post_only=True)
''')
    generous = [word for key in ("MAX_ORDERS_PER_MIN=6000", "SAME_ORDER_WINDOW_MS=0",
                                 "POSITION_USD_MAX=1000000", "GROSS_USD_MAX=1000000",
                                 "LOSS_USD_DAY_MAX=100000") for word in ("--set", key)]
    code = cli.main(["backtest", "--data", "btcusdt.npz", "--fees", "maker=-0.5,taker=7",
                     "--strategy", "joiner.py:Joiner", "--latency", "2ms/3ms", "--engine",
                     "hftbacktest", "--single", "--json", *generous])
    assert code == 0
    (found,) = json.loads(capsys.readouterr().out)["comparison"]
    assert found["same"], found
    assert found["equal_fills"] > 20
