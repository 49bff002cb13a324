"""The handbook's execution engine: one call an order, on any of the venues behind the door."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastcore.probe.clock import mono_ns
from hftbot.errors import ConfigError, HftbotError
from hftbot.execution import orders as words
from hftbot.execution.figures import (
    ADVICE,
    FILL_RATE_LOW,
    ORDERS_JUDGED,
    Calibration,
    LatencyFigures,
    report_text,
)
from hftbot.execution.latency_simulator import REMARK, LatencySimulator
from hftbot.execution.market import DoorVenue, Market
from hftbot.execution.orders import HFTExecution
from hftbot.execution.queue_position import QueuePositionManager
from hftbot.execution.strategy import HFTStrategy, Runner
from hftbot.execution.trade_flow import TradeFlow
from hftbot.execution.venue_choice import choose
from hftbot.execution.working import (
    SIDES,
    Working,
    check_order,
    client_id_of,
    on_grid,
    order_name,
    seconds,
)
from hftbot.words.events import OrderAcked, OrderDone, OrderDoubt, OrderFilled, OrderRejected
from hftbot.words.market import Trade
from hftbot.words.order import Tif
from hftbot.words.verdict import explain

ORDER_TIMEOUT_S = 1.0
HISTORY_MAX = 10_000
# How far beyond the opposite touch a market order may trade.
MARKET_ALLOWANCE = 0.01
logger = logging.getLogger("hftbot.execution")


class HFTExecutionEngine:
    """Executes orders on the venue that ``exchange_connector`` names; see ``create_hft_engine``.

    Opens itself at the first order; ``close`` (or ``async with``) ends it in order. One engine
    belongs to one event loop. ``latency_sim`` and ``queue_manager`` may be replaced at any time.
    ``active_orders`` has what may still trade, by order id; ``execution_history`` the last
    executions (``history_max`` of them), oldest first, and may be assigned.
    """

    def __init__(self, exchange_connector: Any = None, latency_model: str = "realistic",
                 queue_model: str = "PowerProb", enable_backtesting: bool = False, *,
                 symbols: Sequence[str] | None = None,
                 settings: Mapping[str, Any] | None = None, data: Any = None,
                 order_timeout_s: float = ORDER_TIMEOUT_S, history_max: int = HISTORY_MAX,
                 state_dir: Any = None) -> None:
        self.exchange = exchange_connector
        self.enable_backtesting = enable_backtesting
        self.latency_model = latency_model
        self.latency_sim = LatencySimulator(latency_model)
        self.queue_manager = QueuePositionManager(queue_model)
        self.order_timeout_s = seconds(order_timeout_s)
        self.history_max = history_max
        self.total_orders = self.total_executions = 0
        self.active_orders: dict[str, Working] = {}
        self.notes: list[str] = []
        self._history: list[HFTExecution] = []
        self._latency, self._execution = LatencyFigures(), LatencyFigures()
        self._calibration = Calibration()
        self._flow = TradeFlow()
        self._markets: dict[str, Market] = {}
        self._realised: dict[int, int] = {}
        self._runners: list[Runner] = []
        self._judged = self._filled = 0
        self._profit = self._fees = 0.0
        self._advised = False
        self._venue: DoorVenue = choose(self, exchange_connector, enable_backtesting,
                                        symbols, settings or {}, data, state_dir)
        self._opening: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- life ----------------------------------------------------------------------------------

    async def open(self) -> HFTExecutionEngine:
        """Connect to the venue; the first order does it, too. Raises HftbotError."""
        if self._closed:
            raise HftbotError("this engine is closed: make a new one")
        loop = asyncio.get_running_loop()
        if self._opening is None:
            self._loop = loop
            self._opening = asyncio.ensure_future(self._venue.open())
            self._keeper = asyncio.ensure_future(self._close_with_loop())
        elif self._loop is not loop:
            raise HftbotError("this engine was opened in another event loop: make one for each "
                              "asyncio.run")
        await asyncio.shield(self._opening)
        return self

    async def close(self) -> None:
        """Stop the strategies, cancel what is open, let the venue go."""
        for runner in tuple(self._runners):
            runner.strategy.running = False
            await self.unsubscribe(runner.strategy)
        self._closed = True
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.gather(opening, return_exceptions=True)
            await self._venue.close()
        if self._keeper is not None:
            self._keeper.cancel()

    async def _close_with_loop(self) -> None:
        """A loop that ends cancels what runs in it: then nobody else will close."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._opening is not None:
                await self.close()
            raise

    async def __aenter__(self) -> HFTExecutionEngine:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def now_ns(self) -> int:
        """The clock of the market: this machine's, or that of the simulation."""
        return self._venue.now_ns()

    # --- orders --------------------------------------------------------------------------------

    async def execute_order(self, symbol: str, side: str, order_type: str = "limit",
                            price: float | None = None, quantity: float = 0.0,
                            order_book: Mapping[str, Any] | None = None, *,
                            timeout_s: float | None = None) -> HFTExecution:
        """Place one order and wait for its end, or for ``timeout_s`` (``order_timeout_s``).

        A limit order that is not over by then is left resting: ``execution.resting`` is true, and
        the execution goes on to change. A market order takes what is within 1 % of the opposite
        touch; its ``price`` is for the caller's records. ``order_book`` is the book decided on: it
        gives the place in the queue and, in a backtest, is the market. A refusal of our guard or
        of the venue is no exception: see ``status`` and ``reason``. Raises ValueError for an order
        that cannot be, ConfigError for a symbol that is not traded, HftbotError if the venue
        cannot be reached.
        """
        check_order(side, order_type, price, quantity)
        if self._opening is None or not self._opening.done() \
                or self._loop is not asyncio.get_running_loop():
            await self.open()
        started_ns = mono_ns()
        market = self._market(symbol, order_book)
        await self._venue.freshen(market, order_book)
        working = self._prepared(symbol, side, order_type, price, quantity, market, started_ns)
        self._estimate(working, order_book)
        if not self._place(working):
            return working.execution
        timeout = self.order_timeout_s if timeout_s is None else seconds(timeout_s)
        if not await self._ended(working, timeout):
            working.execution.execution_time_ns = mono_ns() - started_ns
        return working.execution

    def _market(self, symbol: str, order_book: Mapping[str, Any] | None = None) -> Market:
        market = self._markets.get(symbol)
        if market is None:
            market, remark = self._venue.market(symbol, order_book)
            self._markets[symbol] = market
            if remark:
                self.say(remark)
        return market

    def _prepared(self, symbol: str, side: str, order_type: str, price: float | None,
                  quantity: float, market: Market, started_ns: int) -> Working:
        self.total_orders += 1
        execution = HFTExecution("", symbol, side)
        order = Working(execution, order_type, price or 0.0, quantity, market, started_ns)
        if self.enable_backtesting:
            order.began_ns = self._venue.now_ns()
        buys = side == "buy"
        order.touch = market.touch(1 if buys else 0)
        if order_type == "market":
            order.price = order.touch * (1 + MARKET_ALLOWANCE * (1 if buys else -1))
        return order

    def _estimate(self, working: Working, order_book: Mapping[str, Any] | None) -> None:
        """Put the order on the grid, and ask the queue model where it would stand."""
        market = working.market
        ticks, lots = on_grid(working, market.grid)
        grid = market.grid
        for name, asked, sent in (("price", working.price, grid.price(ticks)),
                                  ("quantity", working.quantity, grid.qty(lots))):
            if working.order_type == "limit" and not math.isclose(asked, sent, rel_tol=1e-12):
                working.execution.notes += (f"{name} {asked!r} is sent as {sent!r}: the venue's "
                                            f"steps of {grid.symbol}",)
        working.price, working.quantity = grid.price(ticks), grid.qty(lots)
        working.execution.price, working.execution.quantity = working.price, working.quantity
        if working.order_type == "limit":
            shown = market.order_book() if order_book is None else order_book
            working.queue_position = self.queue_manager.estimate_queue_position(working, shown)
            working.fill_probability = self.queue_manager.estimate_fill_probability(
                working, shown, self._flow.expected(market, working, shown, self.order_timeout_s))
            working.execution.fill_probability = working.fill_probability

    def _place(self, working: Working) -> bool:
        """Hand the order to the desk. False if the guard denies it."""
        market = working.market
        ticks, lots = on_grid(working, market.grid)
        tif = Tif.GTC if working.order_type == "limit" else Tif.IOC
        found = market.desk.place(market.index, SIDES.index(working.side), ticks, lots, tif)
        if found < 0:
            working.order_id = working.execution.order_id = f"DENIED_{self.total_orders}"
            self._finish(working, words.DENIED, explain(found))
            return False
        working.order_id = working.execution.order_id = name = order_name(found)
        self.active_orders[name] = working
        return True

    async def _ended(self, working: Working, timeout_s: float) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        working.waiters = (*working.waiters, future)
        try:
            return await self._venue.wait(future, timeout_s)
        finally:
            working.waiters = tuple(each for each in working.waiters if each is not future)

    async def cancel_order(self, order_id: str) -> bool:
        """Cancel one order. True once the venue says that it is cancelled."""
        working = self.active_orders.get(order_id)
        if working is None or working.market.desk.cancel(client_id_of(order_id)) < 0:
            return False
        ended = await self._ended(working, self.order_timeout_s)
        return ended and working.status in (words.CANCELLED, words.PARTLY_FILLED)

    async def cancel_all_orders(self, symbol: str | None = None) -> int:
        """Cancel every active order, or those of one symbol. Returns how many were cancelled."""
        wanted = None if symbol is None else self._market(symbol)
        asked = [order.order_id for order in self.active_orders.values()
                 if wanted is None or order.market is wanted]
        return sum(await asyncio.gather(*map(self.cancel_order, asked)))

    # --- what the venue says -------------------------------------------------------------------

    def on_order(self, event: Any) -> None:
        """An order of ours got further."""
        working = self.active_orders.get(order_name(event.client_id))
        if working is None:
            return
        if isinstance(event, OrderAcked):
            self._answered(working)
            working.status = words.OPEN
            working.execution.status = words.OPEN
        elif isinstance(event, OrderRejected):
            self._answered(working)
            self._finish(working, words.REJECTED, event.code)
        elif isinstance(event, OrderDone):
            self._answered(working)
            reason = "" if event.reason == "filled" else event.reason
            self._finish(working, words.status_of(event.state, working.lots > 0), reason)
        elif isinstance(event, OrderDoubt):
            working.status = working.execution.status = words.DOUBT
            working.execution.reason = event.reason

    def on_fill(self, fill: OrderFilled) -> None:
        """An order of ours traded."""
        working = self.active_orders.get(order_name(fill.client_id))
        if working is None:
            return
        self._answered(working)
        execution, grid = working.execution, working.market.grid
        if not working.lots:
            self.total_executions += 1
            execution.queue_wait_time_ns = max(0, self._venue.now_ns() - working.accepted_ns)
            self._remember(execution)
        working.lots += fill.lots
        working.tick_lots += fill.ticks * fill.lots
        execution.executed_quantity = working.filled_quantity = grid.qty(working.lots)
        # One division of whole numbers, so that a single price stays what it is.
        execution.executed_price = (working.tick_lots * grid.tick_units
                                    / (working.lots * 10**grid.price_precision))
        if working.touch:
            sign = 1 if execution.side == "buy" else -1
            execution.slippage = sign * (execution.executed_price - working.touch)
        fee = fill.fee_e10 / 1e10
        gain = self._gain(working.market)
        execution.fee += fee
        execution.pnl += gain
        self._fees += fee
        self._profit += gain

    def on_book(self, market: Market) -> None:
        """A book changed."""
        market.shown = None
        if self._runners:
            for runner in self._runners:
                runner.on_book(market)
            self._venue.wake()

    def on_trade(self, market: Market, trade: Trade) -> None:
        """Somebody traded."""
        self._flow.add(market, trade, self._venue.now_ns())
        if self._runners:
            for runner in self._runners:
                runner.on_trade(market, trade)
            self._venue.wake()

    def front_of(self, client_id: int) -> float | None:
        """The quantity before an order at its decision; None if it is not known."""
        working = self.active_orders.get(order_name(client_id))
        return None if working is None else working.queue_position

    def _gain(self, market: Market) -> float:
        """What the position realised since the last fill, in quote units."""
        realised = int(market.world.ledger.positions[market.index].realised)
        before = self._realised.get(id(market), 0)
        self._realised[id(market)] = realised
        return market.grid.worth(realised - before)

    def _answered(self, working: Working) -> None:
        """The venue's first word about it."""
        if working.latency_ns is None:
            if self.enable_backtesting:
                working.ack_ns = self._venue.now_ns()
            took_ns = mono_ns() - working.started_ns
            working.latency_ns = took_ns
            self._latency.add(took_ns)

    def _finish(self, working: Working, status: str, reason: str) -> None:
        execution = working.execution
        working.status = execution.status = status
        execution.reason = reason
        execution.execution_time_ns = mono_ns() - working.started_ns
        if self.enable_backtesting:
            execution.simulated_time_ns = self._venue.now_ns() - working.began_ns
        self._judged += 1
        self._filled += working.lots > 0
        if self.active_orders.pop(working.order_id, None) is not None:
            self._execution.add(execution.execution_time_ns)
            guessed = working.fill_probability
            if guessed is not None and guessed < 1.0 and status != words.REJECTED:
                self._calibration.add(guessed, status == words.FILLED)
        for future in working.waiters:
            if not future.done():
                future.set_result(True)
        self._venue.wake()

    # --- figures -------------------------------------------------------------------------------

    def _remember(self, execution: HFTExecution) -> None:
        self._history.append(execution)
        if len(self._history) > self.history_max:
            del self._history[0]

    @property
    def execution_history(self) -> list[HFTExecution]:
        """Orders that traded, oldest first; never more than ``history_max``."""
        return self._history

    @execution_history.setter
    def execution_history(self, executions: Iterable[HFTExecution]) -> None:
        kept = list(executions)
        self._history = kept[max(0, len(kept) - self.history_max):]

    def get_execution_history(self, limit: int = 100) -> list[HFTExecution]:
        """The last ``limit`` orders that traded, oldest first."""
        return self._history[-limit:] if limit > 0 else []

    def get_performance_stats(self) -> dict[str, Any]:
        """Orders, fills and latencies; ``latency`` is measured, from call to first answer.

        ``fill_rate`` is the share of orders that traded. ``advice`` is the handbook's where that
        is below 80 % of at least ten orders that are over; it is printed, too, once.
        """
        low = (self._judged >= ORDERS_JUDGED and self._filled < FILL_RATE_LOW * self._judged)
        if low and not self._advised:
            self._advised = True
            self.say(ADVICE)
        return {
            "total_orders": self.total_orders, "total_executions": self.total_executions,
            "active_orders": len(self.active_orders),
            "fill_rate": self.total_executions / self.total_orders if self.total_orders else 0.0,
            "latency": self._latency.content(), "execution": self._execution.content(),
            "profit": self._profit, "fees": self._fees,
            "calibration": self._calibration.content(),
            "remark": REMARK if self.enable_backtesting else "",
            "latency_model": self.latency_model, "queue_model": self.queue_manager.model_type,
            "notes": [note for note in self.notes if note != ADVICE],
            "advice": ADVICE if low else ""}

    def report(self) -> str:
        """The figures for a person, with the queue model's calibration."""
        return report_text(self.get_performance_stats())

    def say(self, text: str) -> None:
        """Tell the user, once: a warning of the logger hftbot.execution, and in ``notes``."""
        if text not in self.notes:
            self.notes.append(text)
            logger.warning(text)

    # --- strategies and data -------------------------------------------------------------------

    async def subscribe(self, strategy: HFTStrategy) -> None:
        """Tell a strategy of the markets from now on; its ``start`` does it."""
        await self.open()
        self._runners.append(Runner(strategy, self))
        self._venue.start()

    async def unsubscribe(self, strategy: HFTStrategy) -> None:
        """No longer."""
        for runner in [each for each in self._runners if each.strategy is strategy]:
            self._runners.remove(runner)
            await runner.close()

    async def strategy_failed(self, runner: Runner, error: Exception) -> None:
        """A handler raised: its strategy is stopped, and what is open is cancelled."""
        if runner in self._runners:
            self._runners.remove(runner)
        self.say(f"strategy {type(runner.strategy).__name__} stopped: a handler raised "
                 f"{type(error).__name__}: {error}")
        await self.cancel_all_orders()

    def busy_runners(self) -> int:
        """How many strategies are in a handler."""
        return sum(runner.busy for runner in self._runners)

    def strategies_run(self) -> bool:
        """True while a strategy wants to be told of the markets."""
        return any(runner.strategy.running for runner in self._runners)

    async def feed_order_book(self, symbol: str, order_book: Mapping[str, Any],
                              timestamp_ns: int = 0) -> None:
        """Backtest: the whole book is this one now, or at a moment of the simulation."""
        await self._simulated().feed_book(self._market(symbol, order_book), order_book,
                                          timestamp_ns)

    async def feed_trade(self, symbol: str, trade: Mapping[str, Any],
                         timestamp_ns: int = 0) -> None:
        """Backtest: somebody traded; price, quantity, and the side of the taker."""
        await self._simulated().feed_trade(self._market(symbol), trade, timestamp_ns)

    async def wait_for_end(self) -> None:
        """Backtest: return when the recording is over."""
        await self._simulated().played()

    def _simulated(self) -> Any:
        if not self.enable_backtesting:
            raise ConfigError("a live market feeds itself: only an engine with "
                              "enable_backtesting=True is fed")
        return self._venue
