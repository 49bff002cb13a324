"""Recorded markets made by hand or by seed, and backtests on them; runs without NumPy."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fastcore.sim import model_codes as kinds
from fastcore.sim.fees import FeeModel
from fastcore.sim.latency import OrderLatency
from hftbot.app import backtest_models as models
from hftbot.app import backtest_run
from hftbot.backtest.market import instrument_of
from hftbot.backtest.result import BacktestResult
from hftbot.config.schema import Settings
from hftbot.words.ports import Strategy

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
DEPTH, TRADE, SNAPSHOT = 1, 2, 4
BOTH = 3 << 30
SIDES = (1 << 29, 1 << 28)
TICK, LOT = Decimal("0.1"), Decimal("0.001")
MID = 600_000
FEED_NS = 2 * MS

Row = tuple[int, int, int, int, int, int]
"""(exchange ns, local ns, kind, side, ticks, lots)"""


def packed(rows: list[Row]) -> bytes:
    """Rows in the layout of the replay, 64 bytes each."""
    out = bytearray()
    for exch_ns, local_ns, kind, side, ticks, lots in rows:
        flags = BOTH | kind | SIDES[side]
        out += struct.pack("<qqqddqqd", flags, exch_ns, local_ns, ticks * float(TICK),
                           lots * float(LOT), 0, 0, 0.0)
    return bytes(out)


def at(after_ns: int, kind: int, side: int, ticks: int, lots: int, feed_ns: int = FEED_NS) -> Row:
    """A row ``after_ns`` after the start, received ``feed_ns`` later."""
    return START_NS + after_ns, START_NS + after_ns + feed_ns, kind, side, ticks, lots


def opening(depth: int = 12, lots: int = 1000) -> list[Row]:
    """A book around MID, one tick wide."""
    return [at(0, SNAPSHOT, side, MID + (1 + i if side else -i), lots)
            for i in range(depth) for side in (0, 1)]


def random_market(seed: int, seconds: float = 20.0) -> list[Row]:
    """A drifting market: levels change, trades print, the touch moves a tick now and then."""
    rng = random.Random(seed)
    rows, bid = opening(), MID
    now_ns = 0
    while now_ns < seconds * 1e9:
        now_ns += rng.randrange(1, 20) * MS
        feed_ns = FEED_NS
        side = rng.randrange(2)
        touch = bid + side
        if rng.random() < 0.3:
            rows.append(at(now_ns, TRADE, 1 - side, touch, rng.randrange(1, 400), feed_ns))
        if rng.random() < 0.15:
            move = rng.choice((-1, 1))
            gone = (bid + 1, 1) if move > 0 else (bid, 0)
            bid += move
            rows.append(at(now_ns, DEPTH, gone[1], gone[0], 0, feed_ns))
            new = (bid, 0) if move > 0 else (bid + 1, 1)
            rows.append(at(now_ns, DEPTH, new[1], new[0], rng.randrange(100, 1000), feed_ns))
        else:
            away = rng.randrange(0, 6)
            ticks = touch + away if side else touch - away
            rows.append(at(now_ns, DEPTH, side, ticks, rng.randrange(1, 1500), feed_ns))
    return rows


@dataclass
class Data:
    """What backtest_run asks of EventRows."""

    buffer: Any
    rows: int
    first_ns: int
    last_ns: int
    symbol: str = "BTCUSDT"
    tick_size: Decimal = TICK
    lot_size: Decimal = LOT
    notes: tuple[str, ...] = ()
    format: str = "made"
    paths: tuple[Any, ...] = ()


def data_of(rows: list[Row], symbol: str = "BTCUSDT") -> Data:
    """Rows as opened data."""
    return Data(packed(rows), len(rows), rows[0][0], rows[-1][1], symbol)


@dataclass
class Run:
    """One backtest; ``told`` are settings by their attribute names."""

    rows: list[Row]
    entry_ns: int = 5 * MS
    response_ns: int = 5 * MS
    queue: str = "power-prob:3"
    exchange: str = "no-partial"
    fees: tuple[float, float] = (-0.00005, 0.0007)
    told: dict[str, Any] = field(default_factory=dict)
    others: tuple[list[Row], ...] = ()

    def plan(self) -> backtest_run.Plan:
        """The plan of this run, with generous limits."""
        settings = Settings(**{
            "max_orders_per_min": 6000, "same_order_window_us": 0, "open_orders_max": 200,
            "position_usd_max": Decimal(1_000_000), "gross_usd_max": Decimal(10_000_000),
            "order_value_usd_max": Decimal(1_000_000), "loss_usd_day_max": Decimal(1_000_000),
            "loop_interval_us": 10_000, **self.told})
        markets = []
        for index, rows in enumerate((self.rows, *self.others)):
            data = data_of(rows, "BTCUSDT" if index == 0 else f"ETH{index}USDT")
            grid = instrument_of(index, data.symbol, TICK, LOT, round(self.fees[0] * 1e6),
                                 round(self.fees[1] * 1e6))
            markets.append(backtest_run.Market(
                data, grid, models.FeeChoice(FeeModel(kinds.PER_VALUE, *self.fees), "test"),
                models.LatencyChoice(self._latency, "test")))
        settings = backtest_run.adjusted(settings, [market.grid.symbol for market in markets])
        return backtest_run.Plan(settings, tuple(markets), self.exchange)

    def _latency(self) -> OrderLatency:
        return OrderLatency.constant(self.entry_ns, self.response_ns)

    def go(self, strategy: Strategy) -> BacktestResult:
        """Run it with this strategy."""
        return backtest_run.run(self.plan(), "calibrated", models.queue_choice(self.queue),
                                lambda name, part: None, strategy)
