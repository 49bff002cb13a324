"""The venue of a backtest: our own book on a simulated clock, behind the same guard.

Time moves only while somebody waits for an order, or while a strategy runs on a recording: then
the next thing that happens is done, be it an order's arrival, an answer, a row of the recording or
a wait's end.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from hftbot.config.fee_schedules import rates_e6
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.execution.market import Listener, Market, door_settings, plain_name
from hftbot.execution.simulated_book import Match, uncross
from hftbot.execution.simulated_side import (
    Side,
    SimulatedClock,
    SimulatedNotes,
    grid_of,
    shown_levels,
    steps_of,
)
from hftbot.live.clock import SystemClock
from hftbot.words.events import E10, CancelRejected, OrderAcked, OrderDone, OrderFilled
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust
from hftbot.words.order import OrderState

TIMER_NS = 50_000_000
TURNS, TURNS_MAX, STEPS = 4, 1_000, 256
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
Row = tuple[int, int, int, int, int]
Planned = list[Any]  # when in ns, in which order at the same moment, and what; None: no longer


class SimulatedVenue:
    """Markets that exist in this process only; see the module.

    ``models`` gives the latency simulator and the queue model of now: both may be replaced while
    it runs. ``recording`` is a file of market events for its one symbol; other symbols live from
    the order books that the caller gives.
    """

    def __init__(self, listener: Listener, models: Any, given: Mapping[str, Any],
                 weaker: Mapping[str, str], recording: Any = None) -> None:
        self.listener = listener
        self.models = models
        self.notes = SimulatedNotes()
        self.settings: Settings = door_settings(given, weaker, ("BTC/USD",))
        self.clock = SimulatedClock(SystemClock().now_us() * 1000)
        self.sides: dict[str, Side] = {}
        self.busy: Callable[[], int] = lambda: 0
        self.running: Callable[[], bool] = lambda: False
        self.finished = asyncio.Event()
        self._heap: list[Planned] = []
        self._sequence = self._fills = self._waiting = 0
        self._woke = False
        self._pump: asyncio.Task[None] | None = None
        self._rows: Iterator[Row] = iter(())
        self._row: Row | None = None
        self._recorded: Side | None = None
        self._seen_ns = 0
        self._timer_ns = 0
        if recording is not None:
            self._play(recording)

    def _play(self, recording: Any) -> None:
        from hftbot.backtest.data import open_events
        file = open_events(recording)
        self._recorded = self._add(file.symbol, file.tick_size, file.lot_size)
        self._rows = file.events()
        self._row = next(self._rows, None)
        if self._row is not None:
            self.clock.ns = self._row[0]

    async def open(self) -> None:
        """Nothing has to be started."""

    async def close(self) -> None:
        """Forget everything."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for side in self.sides.values():
            side.close()
        self._rows, self._row = iter(()), None

    def now_ns(self) -> int:
        """The clock that an order's wait is measured on."""
        return self.clock.ns

    # --- markets -------------------------------------------------------------------------------

    def market(self, symbol: str, order_book: Mapping[str, Any] | None = None
               ) -> tuple[Market, str]:
        """The market of any symbol: it exists from now on, with steps as fine as its first book's.

        Raises ConfigError for no name.
        """
        letters = plain_name(symbol)
        if not letters.isalnum():
            raise ConfigError(f"symbol {symbol[:40]!r} is no name of a market")
        side = self.sides.get(letters) or self._add(symbol, *grid_of(order_book))
        return side.market, ""

    def _add(self, symbol: str, tick_size: Decimal, lot_size: Decimal) -> Side:
        maker_e6, taker_e6 = rates_e6(self.settings.fees, symbol)
        base, _, quote = symbol.partition("/")
        price_precision, tick_units = steps_of(tick_size)
        qty_precision, lot_units = steps_of(lot_size)
        grid = Instrument(0, "simulated", symbol, base, quote or "USD", price_precision,
                          qty_precision, tick_units, lot_units, 1, Decimal(0), maker_e6, taker_e6)
        side = Side(self, grid, len(self.sides) + 1)
        self.sides[plain_name(symbol)] = side
        return side

    async def freshen(self, market: Market, order_book: Mapping[str, Any] | None) -> None:
        """Show the market this book; without one, play the recording until there is one.

        Raises ConfigError if the market is not known at all.
        """
        side = self.sides[plain_name(market.symbol)]
        if order_book is not None:
            self.show(side, order_book)
        elif market.book.trust != BookTrust.TRUSTED:
            while side is self._recorded and market.book.trust != BookTrust.TRUSTED:
                if not self._step():
                    break
            if market.book.trust != BookTrust.TRUSTED:
                raise ConfigError(
                    f"{market.symbol}: this backtest knows no book of it yet: give order_book=, "
                    "call engine.feed_order_book, or create_hft_engine(data=...)")
        side.world.link_seen(self.clock.ns)
        side.world.refresh_limits()

    async def feed_book(self, market: Market, order_book: Mapping[str, Any], at_ns: int) -> None:
        """The caller's market moved."""
        self.show(self._own(market), order_book, at_ns)
        await self._fed()

    async def feed_trade(self, market: Market, trade: Mapping[str, Any], at_ns: int) -> None:
        """Somebody traded in the caller's market. Raises ConfigError for what is no trade."""
        grid = market.grid
        try:
            taker = ("buy", "sell").index(trade["side"])
            ticks = round(float(trade["price"]) / grid.tick_size)
            lots = round(float(trade["quantity"]) / grid.lot_size)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ConfigError(f"trade {trade!r}: give price, quantity and the taker's side, buy "
                              "or sell") from None
        if ticks <= 0 or lots <= 0:
            raise ConfigError(f"trade {trade!r}: price and quantity are above 0")
        self.trade(self._own(market), taker, ticks, lots, at_ns)
        await self._fed()

    async def played(self) -> None:
        """Return when the recording is over. Raises ConfigError without one."""
        if self._recorded is None:
            raise ConfigError("there is no recording: create_hft_engine(data=...) names one")
        await self.finished.wait()

    def _own(self, market: Market) -> Side:
        side = self.sides[plain_name(market.symbol)]
        if side is self._recorded:
            raise ConfigError(f"{market.symbol} is played from a recording: nobody else feeds it")
        return side

    async def _fed(self) -> None:
        """Answers arrive, and strategies act on what they were told."""
        while not self._waiting and self._next() is not None:
            self._step()
        await self._settle()

    def show(self, side: Side, order_book: Mapping[str, Any], at_ns: int = 0) -> None:
        """The exchange's book and the world's are this one now. Raises ValueError, ConfigError."""
        shown = shown_levels(order_book, side.market.grid)
        self._arrive_at(at_ns)
        self._executed(side, side.exchange.show(self.models.queue_manager, shown))
        book = side.market.book
        if side is not self._recorded:
            book.clear()
            for number, levels in shown.items():
                for ticks, lots in levels.items():
                    book.update(number, ticks, lots)
            self._changed(side, EVENT_BOOK | EVENT_TOP)

    def trade(self, side: Side, taker: int, ticks: int, lots: int, at_ns: int = 0) -> None:
        """Somebody traded in a market that is not a recording."""
        self._arrive_at(at_ns)
        self._executed(side, side.exchange.trade(self.models.queue_manager, taker, ticks, lots))
        self._see_trade(side, taker, ticks, lots, self.clock.ns)

    def _arrive_at(self, at_ns: int) -> None:
        """Do what happens before that moment, then be there; a moment that is over is now."""
        while (planned := self._next()) is not None and planned[0] <= at_ns:
            self._step()
        self.clock.ns = max(self.clock.ns, at_ns)

    def _next(self) -> Planned | None:
        """What is planned first, without what nobody waits for any more."""
        while self._heap and self._heap[0][2] is None:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def _changed(self, side: Side, bits: int) -> None:
        book = side.market.book
        both = book.has_bid() and book.has_ask() and not book.crossed()
        book.trust = int(BookTrust.TRUSTED if both else BookTrust.SUSPECT)
        side.market.shown = None
        side.world.link_seen(self.clock.ns)
        side.world.engine.on_market(0, bits, (), self.clock.ns)

    def _see_trade(self, side: Side, taker: int, ticks: int, lots: int, at_ns: int) -> None:
        side.world.engine.on_market(0, EVENT_TRADE, ((taker, ticks, lots, 0, at_ns // 1000),),
                                    self.clock.ns)

    # --- time ----------------------------------------------------------------------------------

    async def wait(self, future: asyncio.Future[bool], timeout_s: float) -> bool:
        """Let time pass until the future is true, or for so many seconds of the simulation."""
        def give_up() -> None:
            self._resolve(future, False)

        planned = self.at(self.clock.ns + round(timeout_s * 1e9), give_up)
        self._waiting += 1
        self.start()
        try:
            return await future
        finally:
            planned[2] = None
            self._waiting -= 1

    def start(self) -> None:
        """Let time pass while somebody waits or runs."""
        if self._pump is None or self._pump.done():
            self._pump = asyncio.ensure_future(self._run())

    def _resolve(self, future: asyncio.Future[bool], ended: bool) -> None:
        if not future.done():
            future.set_result(ended)
            self._woke = True

    def wake(self) -> None:
        """Somebody heard something: let them act before time goes on."""
        self._woke = True

    def at(self, at_ns: int, call: Callable[[], None]) -> Planned:
        """Do something at a moment of the simulation; in the order of asking at the same one."""
        self._sequence += 1
        planned: Planned = [at_ns, self._sequence, call]
        heapq.heappush(self._heap, planned)
        return planned

    async def _run(self) -> None:
        steps = 0
        while self._waiting or self.running():
            self._woke = False
            if not self._step():
                break
            steps += 1
            if self._woke or steps % STEPS == 0:
                await self._settle()
        if self._row is None:
            self.finished.set()

    async def _settle(self) -> None:
        """Whoever was woken acts now: time stands still until they wait again."""
        for turn in range(TURNS_MAX):
            await asyncio.sleep(0)
            if turn >= TURNS and self.busy() <= self._waiting:
                break

    def _step(self) -> bool:
        """Do the next thing that happens. False if nothing is left."""
        row, planned = self._row, self._next()
        if row is not None and (planned is None or row[0] < planned[0]):
            self.clock.ns = max(self.clock.ns, row[0])
            self._row = next(self._rows, None)
            self._on_row(row)
        elif planned is not None:
            heapq.heappop(self._heap)
            self.clock.ns = max(self.clock.ns, planned[0])
            planned[2]()
        else:
            return False
        if self.clock.ns >= self._timer_ns:
            self._timer_ns = self.clock.ns + TIMER_NS
            for side in self.sides.values():
                side.world.engine.on_timer()
        return True

    # --- the recording -------------------------------------------------------------------------

    def _on_row(self, row: Row) -> None:
        """A row at the exchange; the world sees it a feed latency later, in the same order."""
        side = self._recorded
        assert side is not None
        at_ns, kind, number, ticks, lots = row
        model = self.models.queue_manager
        if kind in (DEPTH, SNAPSHOT):
            self._executed(side, side.exchange.depth(model, number, ticks, lots))
        elif kind == TRADE:
            self._executed(side, side.exchange.trade(model, number, ticks, lots))
        elif kind == CLEAR:
            side.exchange.clear(model, number, ticks)
        self._seen_ns = max(self._seen_ns, at_ns + self.models.latency_sim.get_feed_latency_ns())
        self.at(self._seen_ns, lambda: self._see(side, row))

    def _see(self, side: Side, row: Row) -> None:
        at_ns, kind, number, ticks, lots = row
        if kind == TRADE:
            self._see_trade(side, number, ticks, lots, at_ns)
            return
        book = side.market.book
        before = book.best_bid(), book.best_ask()
        if kind == CLEAR:
            for level, _ in book.levels(number, 1 << 20):
                if ticks and ((number == 0 and level < ticks) or (number == 1 and level > ticks)):
                    break
                book.update(number, level, 0)
        else:
            book.update(number, ticks, lots)
            if lots:
                uncross(book, number, ticks)
        moved = before != (book.best_bid(), book.best_ask())
        self._changed(side, EVENT_BOOK | EVENT_TOP if moved else EVENT_BOOK)

    # --- orders --------------------------------------------------------------------------------

    def leave(self, side: Side, client_id: int, what: str) -> None:
        """Something left for the exchange; it arrives after the order's latency."""
        if what == "add_order":
            self._arrives(lambda: self._place(side, client_id))
        elif what == "cancel_order":
            self._arrives(lambda: self._cancel(side, client_id))

    def _arrives(self, call: Callable[[], None]) -> None:
        self.at(self.clock.ns + self.models.latency_sim.get_order_latency_ns(), call)

    def _place(self, side: Side, client_id: int) -> None:
        table = side.world.table
        front = self.listener.front_of(client_id)
        handle = table.find(client_id)
        number, ticks, lots = table.side(handle), table.ticks(handle), table.lots(handle)
        if front is None:
            front = side.market.grid.qty(side.exchange.levels.lots_at(number, ticks))
        matches, rests = side.exchange.place(client_id, number, ticks, lots, table.tif(handle),
                                             front)
        now_us = self.clock.now_us()
        events: list[Any] = [OrderAcked(client_id, str(client_id), now_us)]
        events += [self._fill(side, match) for match in matches]
        filled = sum(match.lots for match in matches)
        if not rests and filled < lots:
            events.append(OrderDone(client_id, OrderState.CANCELED, filled,
                                    "nothing more within its price", now_us))
        self._answer(side, events)

    def _cancel(self, side: Side, client_id: int) -> None:
        now_us = self.clock.now_us()
        if side.exchange.cancel(client_id):
            table = side.world.table
            filled = table.filled_lots(table.find(client_id))
            self._answer(side, [OrderDone(client_id, OrderState.CANCELED, filled, "cancelled",
                                          now_us)])
        else:
            self._answer(side, [CancelRejected(client_id, "it is over", now_us)])

    def _executed(self, side: Side, matches: Sequence[Match]) -> None:
        """Resting orders of ours traded."""
        if matches:
            self._answer(side, [self._fill(side, match) for match in matches])

    def _fill(self, side: Side, match: Match) -> OrderFilled:
        self._fills += 1
        grid = side.market.grid
        rate_e6 = grid.maker_fee_e6 if match.maker else grid.taker_fee_e6
        unit = match.ticks * match.lots * grid.tick_units * grid.lot_units * E10
        fee_e10 = unit * rate_e6 // (10**grid.value_exponent * 10**6)
        return OrderFilled(match.client_id, str(match.client_id), f"S{self._fills}", 0, match.side,
                           match.ticks, match.lots, fee_e10, match.maker, self.clock.now_us())

    def _answer(self, side: Side, events: Sequence[Any]) -> None:
        """What the exchange says arrives after the feed's latency."""
        latency_ns = self.models.latency_sim.get_feed_latency_ns()
        self.at(self.clock.ns + latency_ns, lambda: side.tell(events))
