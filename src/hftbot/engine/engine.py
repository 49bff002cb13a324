"""The turn: a market frame or a private event comes in, strategies speak, orders leave.

Rooms in order: lane (decoded and applied before we are called) -> strategy -> desk -> router
-> lane desk (guard, journal, text) -> wire; and back: event -> ledger -> table -> strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from fastcore.probe.clock import mono_ns
from fastcore.probe.trackers import INTENT_GENERATION, LOOP_ITERATION
from hftbot.engine.desk import OrderBookkeeping, StrategyDesk
from hftbot.engine.guard import HALTED, REDUCING, STATE_NAMES, Guard
from hftbot.engine.hours import HoursDoor, TradingHours
from hftbot.engine.late_fills import LateFills
from hftbot.engine.ledger import Ledger, fill_key
from hftbot.engine.refusals import Refusals
from hftbot.engine.router import Router
from hftbot.errors import HftbotError
from hftbot.words import crash_points
from hftbot.words import events as ev
from hftbot.words.market import BookTrust, Trade, VenueMode
from hftbot.words.order import OrderState, client_id_parts
from hftbot.words.ports import Clock, Notes, Observer, Strategy, Views

TRUSTED = int(BookTrust.TRUSTED)
OVERFILLED = 2
CANCEL_AGAIN_NS = 5_000_000_000
POSTPONED_NS_MAX = 10_000_000


class Engine:
    """One engine for every world: it knows no socket, no thread and no real clock."""

    def __init__(self, clock: Clock, lanes: Sequence[Any], desks: Sequence[Any],
                 rows: OrderBookkeeping, guard: Guard, router: Router, ledger: Ledger,
                 notes: Notes, trackers: Any, ttl_us: int = 0) -> None:
        self.clock = clock
        self.lanes = tuple(lanes)
        self.desks = tuple(desks)
        self.books = tuple(lane.book for lane in lanes)
        self._observe = tuple(desk.gate.observe for desk in desks)
        self.rows = rows
        self.table = rows.table
        self.guard = guard
        self.router = router
        self.ledger = ledger
        self.notes = notes
        self.trackers = trackers
        self.ttl_us = ttl_us
        self.observers: list[Observer] = []
        self.voices: list[tuple[Strategy, StrategyDesk]] = []
        self.trading = False
        self.rejects = 0
        self.doubts = 0
        self.external_fills = 0
        self.disabled: list[str] = []
        # Whether an order that the venue refused with these words counts as its failure.
        self.is_failure: Callable[[str], bool] = lambda code: True
        self.forbids: Callable[[str], bool] = lambda code: False
        self.views: Views | None = None
        self.blind = True
        self.refusals = Refusals(lambda text: self.notes.warn(text))
        self.hours = HoursDoor(TradingHours(), router, rows,
                               lambda text: self.notes.warn(text))
        # Accounted (law 8): each change of a trusted book woke the strategies, was superseded by
        # a newer one before they were woken, or waits in _postponed.
        self.wakes = self.wakes_skipped = 0
        self._postponed: dict[int, int] = {}
        self._trade = Trade()
        self._marks = [(0, 0)] * len(self.books)
        self._cancel_again_ns = 0
        self.late = LateFills(self.table)
        self._stopped: set[int] = set()
        self._handlers: dict[type, Callable[[Any], None]] = {
            ev.OrderAcked: self._acked, ev.OrderRejected: self._rejected,
            ev.OrderFilled: self._filled, ev.OrderAmended: self._amended,
            ev.OrderDone: self._done, ev.OrderDoubt: self._doubt,
            ev.CancelRejected: self._cancel_rejected, ev.BalanceSeen: self._balance,
            ev.ModeChanged: self._mode, ev.TrustChanged: self._trust,
            ev.VenueError: self._venue_error,
        }

    def add(self, strategy: Strategy) -> StrategyDesk:
        """Give a strategy its desk. Call before start()."""
        desk = StrategyDesk(len(self.voices) + 1, self.clock, self.router, self.rows,
                            self.ledger.instruments, self.books, self.trackers, self.ttl_us)
        desk.views = self.views
        self.voices.append((strategy, desk))
        return desk

    @property
    def mute(self) -> bool:
        """True if there were strategies and all of them are disabled."""
        return bool(self.voices) and not any(desk.enabled for _, desk in self.voices)

    def start(self) -> None:
        """Trading begins: strategies are told and the door opens.

        Raises HftbotError if a strategy refuses its configuration.
        """
        self.trading = True
        self.guard.check_holdings(self.ledger)
        self.router.admit(self.guard.state != HALTED)
        self.hours.tick(self.clock.now_us())
        for strategy, desk in self.voices:
            try:
                strategy.on_start(desk)
            except HftbotError:
                # A strategy that refuses its own configuration refuses the run.
                raise
            except Exception as error:
                self._disable(strategy, desk, "on_start", error)

    def stop(self) -> None:
        """No new orders from here on; strategies are told."""
        if not self.trading:
            return
        self.trading = False
        self.router.admit(False)
        for strategy, desk in self.voices:
            self._speak(strategy, desk, strategy.on_stop)

    def on_market(self, index: int, bits: int, trades: Iterable[tuple[int, ...]],
                  recv_ns: int, more: bool = False) -> None:
        """One hot frame was applied to a lane: wake the strategies.

        ``more``: newer frames are already here, so a book may wait for them; trades never do.
        """
        book = self.books[index]
        if bits & EVENT_TOP:
            self._observe[index](book.best_bid(), book.best_ask(), recv_ns)
        if self.trading:
            if bits & EVENT_BOOK and book.trust == TRUSTED:
                if more:
                    self._postpone(index, recv_ns)
                else:
                    self._wake(index)
            if bits & EVENT_TRADE:
                self._tell_trades(index, trades)
        if self._postponed and not more:
            self.catch_up()
        self.trackers.record_since(LOOP_ITERATION, recv_ns)

    def _postpone(self, index: int, recv_ns: int) -> None:
        """Let a book wait for the newer frames behind it, but not for ever."""
        if index not in self._postponed:
            self._postponed[index] = recv_ns
        elif recv_ns - self._postponed[index] > POSTPONED_NS_MAX:
            self._wake(index)
        else:
            self.wakes_skipped += 1

    def catch_up(self) -> None:
        """Nothing newer is here: wake the strategies for the books that waited."""
        while self._postponed:
            index, _ = self._postponed.popitem()
            if self.trading and self.books[index].trust == TRUSTED:
                self._wake(index)
            else:
                self.wakes_skipped += 1

    def _wake(self, index: int) -> None:
        book = self.books[index]
        self.wakes += 1
        if index in self._postponed:
            del self._postponed[index]
            self.wakes_skipped += 1
        for strategy, desk in self.voices:
            if not desk.enabled:
                continue
            desk.placing_ns = 0
            start_ns = mono_ns()
            # What _speak does, on the hottest path without its call.
            try:
                strategy.on_book(book)
            except Exception as error:
                self._disable(strategy, desk, "on_book", error)
            self.trackers.record_since(INTENT_GENERATION, start_ns + desk.placing_ns)

    def _tell_trades(self, index: int, trades: Iterable[tuple[int, ...]]) -> None:
        trade = self._trade
        for side, ticks, lots, trade_id, ts_us in trades:
            trade.instrument = index
            trade.side, trade.ticks, trade.lots = side, ticks, lots
            trade.trade_id, trade.ts_us = trade_id, ts_us
            for strategy, desk in self.voices:
                self._speak(strategy, desk, strategy.on_trade, trade)

    def on_events(self, events: Iterable[Any]) -> None:
        """Private events, in the order the venue told them."""
        for event in events:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)

    def on_timer(self) -> None:
        """LOOP_INTERVAL_MS passed: strategies, loss limit, freed rows."""
        start_ns = mono_ns()
        now_us = self.clock.now_us()
        self.rows.sweep(now_us)
        self.guard.check_journal()
        profit = self.profit_net()
        if self.marked:
            self.guard.check_loss(profit, now_us)
        self.hours.tick(now_us)
        self.refusals.tick(self.clock.mono_ns())
        if late := self.late.check(self.clock.mono_ns()):
            self.guard.halt(late)
        self._check_venue()
        self._check_rows()
        self._cancel_of_disabled()
        if self.trading and self.guard.state != HALTED:
            for strategy, desk in self.voices:
                self._speak(strategy, desk, strategy.on_timer, now_us)
        self.trackers.record_since(LOOP_ITERATION, start_ns)

    def profit_net(self) -> float:
        """Realised plus unrealised at mid minus fees, in quote units.

        While a book is empty its last mid counts: a lost link neither makes nor loses money.
        """
        total = -self.ledger.fees()
        for index, book in enumerate(self.books):
            if book.has_bid() and book.has_ask():
                self._marks[index] = (book.best_bid(), book.best_ask())
            bid, ask = self._marks[index]
            if bid or not self.ledger.position_lots(index):
                total += self.ledger.profit(index, bid, ask)
        return total

    @property
    def marked(self) -> bool:
        """True if every position that is held has had a price in this run."""
        return all(bid or not self.ledger.position_lots(index)
                   for index, (bid, _) in enumerate(self._marks))

    def open_client_ids(self) -> list[int]:
        """ClientIds of all orders that are not done."""
        return [self.table.client_id(handle) for handle in self.rows.open_handles()]

    def cancel_everything(self) -> int:
        """Ask the venue to cancel every order that is not done. Returns how many were asked."""
        return self.router.cancel_many(self.rows.open_handles())

    def _cancel_of_disabled(self) -> None:
        """A cancel may be lost or find no wire: those of disabled strategies are repeated."""
        now_ns = self.clock.mono_ns()
        if self.disabled and now_ns >= self._cancel_again_ns:
            self._cancel_again_ns = now_ns + CANCEL_AGAIN_NS
            for _, desk in self.voices:
                if not desk.enabled:
                    desk.cancel_all()

    def _check_venue(self) -> None:
        """The breaker's time, and the limits on a venue that is slow or out of sight."""
        now_ns = self.clock.mono_ns()
        if self.router.breaker.tick(now_ns):
            self.router.breaker_moved()
            self.notes.warn("breaker TRIAL: the next order is tried")
        if not self.trading:
            return
        handles = self.rows.open_handles()
        at_stake = bool(handles) or any(position.lots for position in self.ledger.positions)
        oldest_ns = max((now_ns - self.table.created_ns(handle) for handle in handles
                         if self.table.state(handle) == OrderState.SENT), default=0)
        self.guard.check_venue(self.blind, at_stake, oldest_ns, now_ns)

    def _check_rows(self) -> None:
        """A strategy that only ever added to a position is stopped until a human allows it."""
        account = self.guard.account
        for strategy, desk in self.voices:
            if account.is_disabled(desk.strategy) and desk.strategy not in self._stopped:
                self._stopped.add(desk.strategy)
                self.guard.keep(f"strategy {strategy.name}: more than {account.fills_in_row_max} "
                                "fills in a row that each added to the position")

    def _failed(self, client_id: int, reason: str) -> None:
        breaker = self.router.breaker
        if breaker.failed(client_id, reason, self.clock.mono_ns()):
            self.notes.error(f"breaker OPEN for {breaker.cooldown_ns / 1e9:g} s, exits only: "
                             f"{breaker.failures} failures in a row, the last: {reason}")
        self.router.breaker_moved()

    def _answered(self, client_id: int, handle: int) -> None:
        """The venue took an order."""
        self.router.counter.confirmed(handle, self.clock.mono_ns())
        if self.table.state(handle) == OrderState.SENT:
            self.guard.latency.answered(self.clock.mono_ns() - self.table.created_ns(handle))
        if self.router.breaker.succeeded(client_id):
            self.router.breaker_moved()
            self.notes.warn("breaker CLOSED: the venue took an order")

    def on_guard_state(self, state: int, reason: str) -> None:
        """The guard became stricter."""
        self.notes.error(f"guard {STATE_NAMES[state]}: {reason}")
        if state == HALTED:
            self.router.admit(False)
            self.cancel_everything()

    def _speak(self, strategy: Strategy, desk: StrategyDesk, handler: Callable[..., None],
               *what: Any) -> None:
        """Run one handler; a strategy that raises is disabled and its orders are cancelled."""
        if not desk.enabled:
            return
        try:
            handler(*what)
        except Exception as error:
            self._disable(strategy, desk, handler.__name__, error)

    def _disable(self, strategy: Strategy, desk: StrategyDesk, where: str,
                 error: Exception) -> None:
        desk.enabled = False
        self.disabled.append(strategy.name)
        self.notes.error(f"strategy {strategy.name} disabled: {where} raised "
                         f"{type(error).__name__}: {error}")
        desk.cancel_all()

    def _tell_order(self, event: Any, handle: int) -> None:
        owner = self.table.strategy(handle)
        if 0 < owner <= len(self.voices) and self._made_here(event.client_id):
            strategy, desk = self.voices[owner - 1]
            self._speak(strategy, desk, strategy.on_order, event)

    def _acked(self, event: ev.OrderAcked) -> None:
        handle = self.table.find(event.client_id)
        if handle < 0 or self.table.state(handle) >= OrderState.FILLED:
            return
        self._answered(event.client_id, handle)
        crash_points.pass_by("after_ack_before_apply")
        self.desks[self.table.instrument(handle)].acked(handle, self.clock.now_us())
        self._tell_order(event, handle)

    def _rejected(self, event: ev.OrderRejected) -> None:
        handle = self.table.find(event.client_id)
        self.rejects += 1
        self.refusals.add(event.client_id, event.code, self.clock.mono_ns())
        self._forbidden(event.code)
        if handle < 0 or self.table.state(handle) >= OrderState.FILLED:
            return
        if self.is_failure(event.code):
            self._failed(event.client_id, event.code)
        else:
            self.router.breaker.untried(event.client_id)
        self.desks[self.table.instrument(handle)].rejected(handle, self.clock.now_us())
        self._finish(handle, event, OrderState.REJECTED, event.code)

    def _filled(self, event: ev.OrderFilled) -> None:
        if self.ledger.seen(event.fill_id):
            return
        if self.ledger.leave_others and not client_id_parts(event.client_id).strategy:
            self.external_fills += 1
            self.ledger.put_aside(event)
            self.guard.refresh_funds(self.ledger)
            return
        handle = self.table.find(event.client_id) if event.client_id else -1
        desk = self.desks[event.instrument]
        now_us = self.clock.now_us()
        if handle >= 0:
            self._answered(event.client_id, handle)
            self.external_fills += self.table.strategy(handle) == 0
            code = desk.fill(handle, event.ticks, event.lots, event.fee_e10,
                             fill_key(event.fill_id), now_us)
        else:
            self.external_fills += not self._made_here(event.client_id)
            code = desk.stray_fill(event.client_id, event.side, event.ticks, event.lots,
                                   event.fee_e10, fill_key(event.fill_id), now_us)
        crash_points.pass_by("after_fill_journal_before_apply")
        if code < 0:
            self.guard.halt(f"impossible fill {event.fill_id}: {event.lots} lots at "
                            f"{event.ticks} ticks")
            return
        if code == OVERFILLED:
            self.guard.raise_to(REDUCING, f"fill {event.fill_id} is more than order "
                                f"{event.client_id} asked for")
        fill = self.ledger.book(event, now_us)
        book = self.books[event.instrument]
        grid = self.ledger.instruments[event.instrument]
        for observer in self.observers:
            observer.on_fill(fill, grid, book.best_bid(), book.best_ask())
        self._tell_fill(event)
        if handle >= 0:
            self._finish_if_full(handle, event.client_id, event.ts_us)

    def _finish_if_full(self, handle: int, client_id: int, ts_us: int) -> None:
        """The last fill is proof: the venue's own word for the end may come later or never."""
        if self.table.state(handle) == OrderState.FILLED:
            self._finish(handle, ev.OrderDone(client_id, OrderState.FILLED,
                                              self.table.filled_lots(handle), "filled", ts_us),
                         OrderState.FILLED, "filled")

    def _made_here(self, client_id: int) -> bool:
        return client_id > 0 and client_id_parts(client_id).run == self.table.run

    def _tell_fill(self, event: ev.OrderFilled) -> None:
        """Whoever made the order is told, even if its row is free by now."""
        owner = client_id_parts(event.client_id).strategy
        if self._made_here(event.client_id) and 0 < owner <= len(self.voices):
            strategy, desk = self.voices[owner - 1]
            self._speak(strategy, desk, strategy.on_fill, event)

    def _amended(self, event: ev.OrderAmended) -> None:
        handle = self.table.find(event.client_id)
        if handle < 0:
            return
        desk = self.desks[self.table.instrument(handle)]
        desk.amended(handle, event.ticks, event.lots, self.clock.now_us())
        self.router.counter.moved(handle, self.clock.mono_ns())
        self._tell_order(event, handle)
        self._finish_if_full(handle, event.client_id, event.ts_us)

    def _done(self, event: ev.OrderDone) -> None:
        handle = self.table.find(event.client_id)
        if handle < 0 or self.table.state(handle) >= OrderState.FILLED:
            return
        lots = event.filled_lots
        if event.state == OrderState.FILLED:
            lots = max(lots, self.table.lots(handle))
        # Of an earlier run's order the balance tells what is missing, at the start.
        if lots > self.table.filled_lots(handle) and self._made_here(event.client_id):
            self.late.add(event.client_id, lots, self.clock.mono_ns())
        if event.state != OrderState.REJECTED:
            self._answered(event.client_id, handle)
        desk = self.desks[self.table.instrument(handle)]
        if event.state == OrderState.CANCELED:
            self.router.count_end(handle)
        desk.done(handle, int(event.state), self.clock.now_us())
        self._finish(handle, event, event.state, event.reason)

    def _finish(self, handle: int, event: Any, state: OrderState, reason: str) -> None:
        if not self.rows.finished(handle, self.clock.now_us()):
            return
        self.router.forget(event.client_id)
        for observer in self.observers:
            observer.on_done(event.client_id, state, reason, event.ts_us)
        self._tell_order(event, handle)

    def _doubt(self, event: ev.OrderDoubt) -> None:
        handle = self.table.find(event.client_id)
        if handle < 0 or self.table.state(handle) >= OrderState.DOUBT:
            return
        self.doubts += 1
        self._failed(event.client_id, event.reason)
        self.notes.warn(f"order {event.client_id} in doubt: {event.reason}")
        self.desks[self.table.instrument(handle)].doubt(handle, self.clock.now_us())
        self._tell_order(event, handle)

    def _cancel_rejected(self, event: ev.CancelRejected) -> None:
        self.notes.info(f"cancel or amend of order {event.client_id} refused: {event.code}")
        self._forbidden(event.code)
        handle = self.table.find(event.client_id)
        if handle >= 0:
            if event.amend:
                self.desks[self.table.instrument(handle)].amend_rejected(
                    handle, self.clock.now_us())
            self._tell_order(event, handle)
            self._finish_if_full(handle, event.client_id, event.ts_us)

    def _balance(self, event: ev.BalanceSeen) -> None:
        self.ledger.balances_e10[event.asset] = event.amount_e10
        self.guard.refresh_funds(self.ledger)

    def _mode(self, event: ev.ModeChanged) -> None:
        before = self.guard.mode
        self.guard.set_mode(event.mode, event.private)
        if self.guard.mode != before:
            self.notes.warn(f"venue mode is now {VenueMode(self.guard.mode).name}")

    def _trust(self, event: ev.TrustChanged) -> None:
        symbol = self.ledger.instruments[event.instrument].symbol
        say = self.notes.info if event.trust == BookTrust.TRUSTED else self.notes.warn
        say(f"{symbol}: book is {event.trust.name}: {event.reason}")

    def _venue_error(self, event: ev.VenueError) -> None:
        self.notes.warn(f"venue says: {event.code}")
        self._forbidden(event.code)

    def _forbidden(self, code: str) -> None:
        """A key or an account that the venue refuses gets no better by asking again."""
        if self.forbids(code):
            self.guard.halt(f"the venue refuses this key or account: {code}")
