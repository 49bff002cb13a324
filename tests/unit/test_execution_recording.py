"""The execution door in a recording: time moves with its rows, and nobody sees them early."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import numpy as np
import pytest

from hftbot.errors import ConfigError, DataError
from hftbot.execution import HFTExecution, HFTStrategy, LatencySimulator, create_hft_engine

EVENT = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                  ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
DEPTH, TRADE = 1, 2
BOTH, BUY, SELL = (1 << 31) + (1 << 30), 1 << 29, 1 << 28
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
FEED_NS, ORDER_NS = 1_000_000, 2_000_000


class Milliseconds(LatencySimulator):
    """Latencies that can be told from the gaps between rows."""

    def __init__(self) -> None:
        super().__init__()
        self.feed_latency_ns, self.order_latency_ns, self.jitter_ns = FEED_NS, ORDER_NS, 0


def row(kind: int, side: int, after_s: float, price: float, quantity: float) -> tuple[Any, ...]:
    at_ns = START_NS + round(after_s * SECOND_NS)
    return (kind + BOTH + side, at_ns, at_ns, price, quantity, 0, 0, 0.0)


ROWS = [row(DEPTH, BUY, 0, 99.5, 4.0), row(DEPTH, BUY, 0, 99.0, 9.0),
        row(DEPTH, SELL, 0, 100.0, 3.0), row(DEPTH, SELL, 0, 100.5, 8.0),
        row(TRADE, SELL, 1, 99.5, 3.0), row(DEPTH, BUY, 1, 99.5, 1.0),
        row(TRADE, SELL, 2, 99.5, 1.5), row(DEPTH, BUY, 2.5, 99.5, 2.5),
        row(DEPTH, SELL, 3, 100.0, 5.0), row(TRADE, BUY, 4, 100.0, 5.0),
        row(DEPTH, SELL, 4, 100.0, 0.0), row(DEPTH, SELL, 5, 101.0, 2.5)]


@pytest.fixture
def recording(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "BTCUSDT_made.npy"
    np.save(path, np.array(ROWS, EVENT))
    return path


def engine_on(recording: pathlib.Path, **told: Any) -> Any:
    engine = create_hft_engine(enable_backtesting=True, data=recording, **told)
    engine.latency_sim = Milliseconds()
    return engine


def symbol_of(engine: Any) -> str:
    (symbol,) = engine._venue.simulated
    return str(symbol)


def test_an_order_waits_in_the_recorded_queue(recording: pathlib.Path) -> None:
    """Four stand before it; three trade after a second, then the half that is beyond the last."""
    async def work() -> tuple[HFTExecution, int]:
        engine = engine_on(recording, queue_model="RiskAverse")
        execution = await engine.execute_order(symbol_of(engine), "buy", "limit", 99.5, 0.5,
                                               timeout_s=10.0)
        return execution, engine.now_ns()
    execution, now_ns = asyncio.run(work())
    assert (execution.status, execution.executed_price) == ("filled", 99.5)
    assert now_ns == START_NS + 2 * SECOND_NS + FEED_NS
    # Sent when the book was seen; accepted an order latency and a feed latency later.
    accepted_ns = START_NS + FEED_NS + ORDER_NS + FEED_NS
    assert execution.queue_wait_time_ns == now_ns - accepted_ns
    assert execution.simulated_time_ns == now_ns - (START_NS + FEED_NS)
    assert execution.slippage == -0.5


def test_a_timeout_is_of_the_recordings_time(recording: pathlib.Path) -> None:
    async def work() -> None:
        engine = engine_on(recording)
        execution = await engine.execute_order(symbol_of(engine), "buy", "limit", 99.0, 1.0,
                                               timeout_s=1.5)
        assert execution.resting
        assert engine.now_ns() == START_NS + FEED_NS + 1_500_000_000
    asyncio.run(work())


class Watcher(HFTStrategy):
    """Remembers what it is told and when, and buys at the second tick."""

    def __init__(self, execution_engine: Any) -> None:
        super().__init__(execution_engine)
        self.ticks: list[tuple[float, float, int]] = []
        self.trades: list[tuple[float, float, str, int]] = []
        self.bought: HFTExecution | None = None

    async def on_tick(self, symbol: str, tick_data: dict[str, Any]) -> None:
        self.ticks.append((tick_data["bid"], tick_data["bid_quantity"],
                           self.engine.now_ns() - START_NS))
        if len(self.ticks) == 2:
            self.bought = await self.engine.execute_order(symbol, "buy", "market", None, 2.0)

    async def on_trade(self, symbol: str, trade: dict[str, Any]) -> None:
        self.trades.append((trade["price"], trade["quantity"], trade["side"],
                            self.engine.now_ns() - trade["timestamp_ns"]))


def played(recording: pathlib.Path) -> Watcher:
    async def work() -> Watcher:
        engine = engine_on(recording)
        strategy = Watcher(engine)
        await strategy.start()
        await engine.wait_for_end()
        await strategy.stop()
        return strategy
    return asyncio.run(work())


def test_a_strategy_is_told_of_each_row_a_feed_latency_late(recording: pathlib.Path) -> None:
    strategy = played(recording)
    assert strategy.ticks[0] == (99.5, 4.0, FEED_NS)
    assert strategy.ticks[1][:2] == (99.5, 1.0)
    assert strategy.ticks[1][2] == SECOND_NS + FEED_NS
    assert strategy.trades == [(99.5, 3.0, "sell", FEED_NS), (99.5, 1.5, "sell", FEED_NS),
                               (100.0, 5.0, "buy", FEED_NS)]
    assert strategy.bought is not None
    assert (strategy.bought.status, strategy.bought.executed_price) == ("filled", 100.0)


def test_two_runs_are_the_same_run(recording: pathlib.Path) -> None:
    first, second = played(recording), played(recording)
    assert first.ticks == second.ticks
    assert first.bought is not None
    assert second.bought is not None
    assert first.bought.simulated_time_ns == second.bought.simulated_time_ns


def test_the_future_of_the_recording_changes_no_past_fill(recording: pathlib.Path,
                                                          tmp_path: pathlib.Path) -> None:
    other = tmp_path / "BTCUSDT_other.npy"
    later = [row(DEPTH, SELL, 3, 100.0, 0.5), row(TRADE, BUY, 3.5, 100.0, 9.0),
             row(DEPTH, BUY, 4, 98.0, 1.0)]
    np.save(other, np.array([*ROWS[:8], *later], EVENT))
    ticks = [[tick for tick in played(path).ticks if tick[2] < 3 * SECOND_NS]
             for path in (recording, other)]
    assert ticks[0] == ticks[1]
    assert len(ticks[0]) > 2


def test_nobody_else_feeds_a_recorded_market(recording: pathlib.Path) -> None:
    async def work() -> None:
        engine = engine_on(recording)
        await engine.feed_trade(symbol_of(engine), {"price": 100, "quantity": 1, "side": "buy"})
    with pytest.raises(ConfigError, match="is played from a recording"):
        asyncio.run(work())


def test_a_file_that_is_none_is_refused_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "empty.npz"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.npz: the file is empty"):
        create_hft_engine(enable_backtesting=True, data=path)
