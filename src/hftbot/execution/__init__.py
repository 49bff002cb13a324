"""The execution engine of the high-frequency handbook, on this product's venues and guard.

::

    from hftbot.execution import create_hft_engine

    engine = create_hft_engine()
    execution = await engine.execute_order(
        symbol="BTCUSDT", side="buy", order_type="limit", price=50000, quantity=1.0)
    ...
    await engine.close()

docs/seed_001.md goes through the handbook line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hftbot.execution.door import HISTORY_MAX, ORDER_TIMEOUT_S, HFTExecutionEngine
from hftbot.execution.latency_simulator import LatencySimulator
from hftbot.execution.orders import HFTExecution, HFTOrder
from hftbot.execution.queue_position import QueuePositionManager
from hftbot.execution.strategy import HFTStrategy

__all__ = ["HFTExecution", "HFTExecutionEngine", "HFTOrder", "HFTStrategy", "LatencySimulator",
           "QueuePositionManager", "create_hft_engine"]


def create_hft_engine(exchange_connector: Any = None, latency_model: str = "realistic",
                      queue_model: str = "PowerProb", enable_backtesting: bool = False, *,
                      symbols: Sequence[str] | None = None,
                      settings: Mapping[str, Any] | None = None, data: Any = None,
                      order_timeout_s: float = ORDER_TIMEOUT_S, history_max: int = HISTORY_MAX,
                      state_dir: Any = None) -> HFTExecutionEngine:
    """An engine that executes orders; it connects at the first one.

    ``exchange_connector``: None or ``"embedded"`` for the embedded exchange (a child process, real
    sockets), ``"paper"`` for one that a real market fills (KRAKEN_WS_URL), the URL of one that
    runs, or a ccxt, ccxt.async_support or ccxt.pro exchange object.
    ``latency_model`` (realistic, optimistic, pessimistic) moves the clock of a backtest and
    nothing else; ``queue_model`` is PowerProb, RiskAverse, LogProb, PowerProb2, PowerProb3 or
    LogProb2. With ``enable_backtesting`` orders trade in this process: in the order books that
    come with them, or in the recording ``data``. ``symbols`` are what is traded (BTC/USD and
    ETH/USD unless named; a backtest takes any), ``settings`` the product's own by their names in
    files. ``state_dir`` keeps the journal and the embedded account; without it they go with the
    engine. Raises ConfigError for what cannot be.
    """
    return HFTExecutionEngine(exchange_connector, latency_model, queue_model, enable_backtesting,
                              symbols=symbols, settings=settings, data=data,
                              order_timeout_s=order_timeout_s, history_max=history_max,
                              state_dir=state_dir)
