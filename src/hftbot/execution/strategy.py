"""The handbook's strategies: coroutines that are told of ticks, books and trades."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from hftbot.execution.market import Market
from hftbot.words.market import Trade

if TYPE_CHECKING:
    from hftbot.execution.door import HFTExecutionEngine

TRADES_WAITING = 1_000


class HFTStrategy:
    """Base class: override what you need, ``start`` it, and ``stop`` it.

    A handler may wait for its orders; until it returns, newer books of a symbol replace older
    ones, and of trades the last thousand wait. A handler that raises stops its strategy, and its
    error is in ``failure``.
    """

    def __init__(self, execution_engine: HFTExecutionEngine) -> None:
        self.engine = execution_engine
        self.running = False
        self.failure: Exception | None = None

    async def on_tick(self, symbol: str, tick_data: dict[str, Any]) -> None:
        """The best price of a side, or its quantity, changed.

        ``tick_data`` has mid_price, bid, ask, bid_quantity, ask_quantity, spread, and
        timestamp_ns on the market's clock.
        """

    async def on_order_book_update(self, symbol: str, order_book: dict[str, Any]) -> None:
        """The book changed: the best ten ``bids`` and ``asks`` of [price, quantity]."""

    async def on_trade(self, symbol: str, trade: dict[str, Any]) -> None:
        """Somebody traded: price, quantity, side (of the taker) and timestamp_ns."""

    async def start(self) -> None:
        """Hear of the markets from now on; opens the engine. Raises HftbotError."""
        if not self.running:
            self.running = True
            await self.engine.subscribe(self)

    async def stop(self) -> None:
        """Hear no more, and cancel what is open."""
        self.running = False
        await self.engine.unsubscribe(self)
        await self.engine.cancel_all_orders()


class Runner:
    """Feeds one strategy, one handler at a time."""

    def __init__(self, strategy: HFTStrategy, engine: HFTExecutionEngine) -> None:
        self.strategy = strategy
        self.busy = False
        self._engine = engine
        self._books: dict[str, Market] = {}
        self._tops: dict[str, tuple[Any, ...]] = {}
        self._trades: deque[tuple[str, dict[str, Any]]] = deque(maxlen=TRADES_WAITING)
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    def on_book(self, market: Market) -> None:
        """A book changed."""
        self._books[market.symbol] = market
        self._stir()

    def on_trade(self, market: Market, trade: Trade) -> None:
        """Somebody traded."""
        grid = market.grid
        self._trades.append((grid.symbol, {
            "price": grid.price(trade.ticks), "quantity": grid.qty(trade.lots),
            "side": "sell" if trade.side else "buy", "timestamp_ns": trade.ts_us * 1000}))
        self._stir()

    def _stir(self) -> None:
        self.busy = True
        self._news.set()

    async def close(self) -> None:
        """End it; a handler that waits is ended too, unless it is the one that asks."""
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        strategy = self.strategy
        try:
            while strategy.running:
                await self._news.wait()
                self._news.clear()
                while self._trades and strategy.running:
                    symbol, trade = self._trades.popleft()
                    await strategy.on_trade(symbol, trade)
                while self._books and strategy.running:
                    symbol, market = self._books.popitem()
                    await self._tell_book(symbol, market)
                self.busy = self._news.is_set()
        except Exception as error:
            strategy.running, strategy.failure = False, error
            await self._engine.strategy_failed(self, error)
        finally:
            self.busy = False

    async def _tell_book(self, symbol: str, market: Market) -> None:
        order_book = market.order_book()
        bids, asks = order_book["bids"], order_book["asks"]
        if not (bids and asks):
            return
        top = (*bids[0], *asks[0])
        if self._tops.get(symbol) != top:
            self._tops[symbol] = top
            (bid, bid_quantity), (ask, ask_quantity) = bids[0], asks[0]
            await self.strategy.on_tick(symbol, {
                "mid_price": (bid + ask) / 2, "bid": bid, "ask": ask,
                "bid_quantity": bid_quantity, "ask_quantity": ask_quantity,
                "spread": ask - bid, "timestamp_ns": self._engine.now_ns()})
        if self.strategy.running:
            await self.strategy.on_order_book_update(symbol, order_book)
