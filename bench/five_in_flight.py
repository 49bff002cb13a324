"""A strategy for benches: five IOC orders in flight at any time, timed from signal to final state.

It uses the scalper's own queue, executions and figures; each book is a signal.
"""

from __future__ import annotations

from hftbot import Side, Strategy
from hftbot.strategy.execution import Execution, Executions
from hftbot.strategy.scalper_statistics import ScalperStatistics
from hftbot.strategy.signal_queue import Signal, SignalQueue
from hftbot.words.events import OrderDone, OrderRejected

IN_FLIGHT = 5
HELD_USD_MAX = 400.0
ORDER_USD = 20.0


class Place:
    """What an execution needs to know of its market."""

    def __init__(self, instrument):
        self.instrument = instrument


class FiveInFlight(Strategy):
    """Buys until it holds enough, then sells it all, five orders at a time."""

    name = "five_in_flight"

    def on_start(self, desk):
        super().on_start(desk)
        self.place = Place(desk.instruments()[0])
        self.queue = SignalQueue()
        self.flight = Executions(IN_FLIGHT, IN_FLIGHT, 500_000)
        self.figures = ScalperStatistics([self.place.instrument.symbol])
        self.side = Side.BUY
        self.full = 0
        self.rejected = 0

    def on_book(self, book):
        now_us = self.desk.now_us()
        self.queue.put(Signal(book.instrument, 1, 1, now_us + 200_000, self.desk.mono_ns()))
        self.serve(now_us)

    def serve(self, now_us):
        signal = self.queue.take(now_us, lambda one: True)
        if signal is None:
            return
        grid, desk = self.place.instrument, self.desk
        book = desk.book(signal.instrument)
        held = desk.position_lots(grid.index)
        value = grid.value(book.best_bid(), held)
        if not len(self.flight):
            if value > HELD_USD_MAX:
                self.side = Side.SELL
            elif value < ORDER_USD * IN_FLIGHT:
                self.side = Side.BUY
        buys = self.side == Side.BUY
        ticks = book.best_ask() if buys else book.best_bid()
        lots = max(grid.lots_min, grid.lots_below(ORDER_USD / grid.price(ticks)))
        while len(self.flight) < IN_FLIGHT and (buys or held >= lots):
            execution = Execution(self.place, True, 1, signal.seen_ns)
            if self.flight.place(desk, execution, self.side, ticks, lots, rests=False,
                                 ttl_us=0, reason="bench") < 0:
                return
            held -= lots
            self.full += len(self.flight) == IN_FLIGHT

    def on_order(self, event):
        if isinstance(event, OrderRejected):
            self.rejected += 1
            self.flight.over(event.client_id)
        elif isinstance(event, OrderDone):
            execution = self.flight.over(event.client_id)
            if execution is not None:
                now_ns = self.desk.mono_ns()
                self.figures.executed(True, now_ns - execution.began_ns,
                                      now_ns - execution.sent_ns)

    def statistics(self):
        return {"entry": self.figures.entry_times.content(),
                "order": self.figures.order_times.content(), "full": self.full,
                "most": self.flight.most, "rejected": self.rejected}
