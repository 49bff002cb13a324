"""A desk and a book for strategy tests: time, prices and answers are what the test says.

``ScriptedDesk`` answers each order by ``answers``, a list of words taken in turn (the last one
stays): "fill", "part" (half of it), "none", "reject", "deny", "doubt" (then silence until
``resolve``), "silent", "sudden" (a fill told before ``place`` returns), "busy" (refused, and the
same order may be tried again) and "rest" (acknowledged, then nothing until it is cancelled or
``resolve``). The desk itself raises AssertionError if a strategy breaks what every strategy here
must keep.
"""

from __future__ import annotations

from decimal import Decimal

from hftbot.words.events import OrderAcked, OrderDone, OrderDoubt, OrderFilled, OrderRejected
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, Side
from hftbot.words.order import OpenOrder, OrderState, Tif
from hftbot.words.verdict import Verdict

START_US = 1_700_000_000_000_000


def bitcoin(index: int = 0, *, taker_fee_e6: int = 0, maker_fee_e6: int = 0,
            lots_min: int = 5_000, cost_min: str = "0.5") -> Instrument:
    """BTC/USD as Kraken lists it: tick 0.1, lot 1e-8."""
    return Instrument(index, "kraken", f"BTC{index or ''}/USD", "BTC", "USD", 1, 8,
                      lots_min=lots_min, cost_min=Decimal(cost_min), maker_fee_e6=maker_fee_e6,
                      taker_fee_e6=taker_fee_e6)


class ScriptedBook:
    """Only the touch; ``levels`` is that touch."""

    def __init__(self, instrument: int = 0) -> None:
        self.instrument = instrument
        self.trust = int(BookTrust.EMPTY)
        self.ts_us = 0
        self.top = (0, 0, 0, 0)

    def set(self, bid: int, ask: int, bid_lots: int = 10**8, ask_lots: int = 10**8) -> None:
        """A trusted touch, with a stamp of its own."""
        self.ts_us += 1
        self.trust = int(BookTrust.TRUSTED)
        self.top = (bid, bid_lots, ask, ask_lots)

    def best_bid(self) -> int:
        return self.top[0]

    def best_bid_lots(self) -> int:
        return self.top[1]

    def best_ask(self) -> int:
        return self.top[2]

    def best_ask_lots(self) -> int:
        return self.top[3]

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        bid, bid_lots, ask, ask_lots = self.top
        return [(ask, ask_lots) if side else (bid, bid_lots)][:count]


class ScriptedDesk:
    """words.ports.Desk over scripted books. ``run`` moves time and lets answers arrive."""

    def __init__(self, *instruments: Instrument, answers: tuple[str, ...] = ("fill",),
                 delay_us: int = 1_000, allow_short: bool = False) -> None:
        self.listed = instruments
        self.books = {one.index: ScriptedBook(one.index) for one in instruments}
        self.held = dict.fromkeys(self.books, 0)
        self.answers = list(answers)
        self.delay_us = delay_us
        self.allow_short = allow_short
        self.clock_us = START_US
        self.next_id = 0
        self.open: dict[int, OpenOrder] = {}
        self.waiting: list[tuple[int, int, OpenOrder, str]] = []
        self.placed: list[OpenOrder] = []
        self.reasons: list[str] = []
        self.placed_us: list[int] = []
        self.cancelled: list[int] = []
        self.most_open = 0
        self.denied = 0
        self.strategy = None

    def start(self, strategy):
        """Begin trading with it."""
        self.strategy = strategy
        strategy.on_start(self)
        return strategy

    def show(self, bid: int, ask: int, bid_lots: int = 10**8, ask_lots: int = 10**8,
             index: int = 0) -> None:
        """A new touch, told to the strategy."""
        self.books[index].set(bid, ask, bid_lots, ask_lots)
        self.strategy.on_book(self.books[index])

    def run(self, span_us: int, timers: bool = True) -> None:
        """Let time pass; due answers arrive in order, then the timer runs once."""
        until_us = self.clock_us + span_us
        while self.waiting and self.waiting[0][0] <= until_us:
            due_us, _, order, answer = self.waiting.pop(0)
            self.clock_us = max(self.clock_us, due_us)
            self.answer(order, answer)
        self.clock_us = until_us
        if timers:
            self.strategy.on_timer(self.clock_us)

    def resolve(self, client_id: int, answer: str) -> None:
        """End a silent or doubtful order."""
        self.answer(self.open[client_id], answer)

    # -- words.ports.Desk

    def place(self, instrument, side, ticks, lots, tif=Tif.IOC, *, post_only=False, ttl_us=0,
              reason=""):
        """See words.ports.Desk."""
        self.check(instrument, side, ticks, lots, tif, post_only)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "deny":
            self.denied += 1
            return -int(Verdict.DENY_MESSAGE_RATE)
        if answer == "large":
            self.denied += 1
            return -int(Verdict.DENY_ORDER_VALUE)
        client_id = self.next_id
        self.next_id += 1
        order = OpenOrder(client_id, instrument, side, ticks, lots, 0, OrderState.SENT, Tif(tif),
                          self.clock_us)
        self.open[client_id] = order
        self.placed.append(order)
        self.reasons.append(reason)
        self.placed_us.append(self.clock_us)
        self.most_open = max(self.most_open, len(self.open))
        if answer == "sudden":
            self.answer(order, "fill")
        elif answer == "doubt":
            self.waiting.append((self.clock_us + self.delay_us, client_id, order, "doubt"))
        elif answer != "silent":
            self.waiting.append((self.clock_us + self.delay_us, client_id, order, answer))
        return client_id

    def cancel(self, client_id):
        """See words.ports.Desk."""
        if client_id not in self.open:
            return -1
        if client_id not in self.cancelled:
            self.cancelled.append(client_id)
            self.waiting.append((self.clock_us + self.delay_us, client_id, self.open[client_id],
                                 "none"))
        return 0

    def check(self, instrument: int, side: int, ticks: int, lots: int, tif: int,
              post_only: bool) -> None:
        """What every strategy here must keep, whatever happens."""
        bid, _, ask, _ = self.books[instrument].top
        if post_only:
            assert tif == Tif.GTC
            assert ticks < ask if side == Side.BUY else ticks > bid, "would take"
        else:
            assert tif == Tif.IOC
        assert ticks > 0
        assert lots >= self.listed[instrument].lots_min
        same = [order for order in self.open.values()
                if order.instrument == instrument and order.side == side]
        assert not same, "a second order of the same kind in flight"
        if not self.allow_short and side == Side.SELL:
            assert lots <= self.held[instrument], "sells more than it holds"

    def position_lots(self, instrument):
        """See words.ports.Desk."""
        return self.held[instrument]

    def position_cost(self, instrument):
        """See words.ports.Desk: a desk that does not know what a position cost."""
        return 0

    def position_opened_us(self, instrument):
        """See words.ports.Desk."""
        return 0

    def open_orders(self):
        """See words.ports.Desk."""
        return list(self.open.values())

    def instruments(self):
        """See words.ports.Desk."""
        return self.listed

    def book(self, instrument):
        """See words.ports.Desk."""
        return self.books[instrument]

    def now_us(self):
        """See words.ports.Desk."""
        return self.clock_us

    def mono_ns(self):
        """See words.ports.Desk."""
        return (self.clock_us - START_US) * 1_000

    # -- the venue's side

    def answer(self, order: OpenOrder, answer: str) -> None:
        now_us = self.clock_us
        tell = self.strategy.on_order
        if order.client_id not in self.open:
            return
        if answer == "doubt":
            tell(OrderDoubt(order.client_id, "no answer", now_us))
            return
        if answer == "rest":
            tell(OrderAcked(order.client_id, "V", now_us))
            return
        self.open.pop(order.client_id)
        if answer == "busy":
            tell(OrderRejected(order.client_id, "EOrder:Rate limit exceeded", now_us, True))
            return
        if answer == "reject":
            tell(OrderRejected(order.client_id, "EOrder:Insufficient funds", now_us))
            return
        tell(OrderAcked(order.client_id, "V", now_us))
        lots = {"fill": order.lots, "part": (order.lots + 1) // 2, "none": 0}[answer]
        lots = self.match(order, lots)
        state = OrderState.FILLED if lots == order.lots else OrderState.CANCELED
        tell(OrderDone(order.client_id, state, lots, "", now_us))

    def match(self, order: OpenOrder, lots: int) -> int:
        """Fill at the touch if the limit reaches it; returns the lots filled.

        An order that rests fills at its own price.
        """
        bid, _, ask, _ = self.books[order.instrument].top
        if order.tif == Tif.GTC:
            bid = ask = order.ticks
        reaches = order.ticks >= ask if order.side == Side.BUY else order.ticks <= bid
        if not reaches or lots == 0:
            return 0
        self.held[order.instrument] += lots if order.side == Side.BUY else -lots
        self.strategy.on_fill(OrderFilled(
            order.client_id, "V", f"F{order.client_id}", order.instrument, order.side,
            ask if order.side == Side.BUY else bid, lots, 0, False, self.clock_us))
        return lots
