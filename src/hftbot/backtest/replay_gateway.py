"""Orders between the live desks and the replayed exchange: requests leave, answers become events.

It stands where a venue's gateway stands. The router's frame is written as ever and read by nobody:
what leaves is taken from the order table.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from fastcore.money.orders import FIELDS
from hftbot.backtest import result as outcome
from hftbot.backtest.result import BacktestResult, SimFill
from hftbot.words import events as ev
from hftbot.words.events import E10
from hftbot.words.order import OrderState, Tif

WISH_TICKS, WISH_LOTS, POST_ONLY = FIELDS["wish_ticks"], FIELDS["wish_lots"], FIELDS["post_only"]
ADD, AMEND, CANCEL = "add_order", "amend_order", "cancel_order"
# Times in force and states of an order, as the replay numbers them.
GTC, GTX, FOK, IOC = range(4)
NEWS, REFUSED = 0, 6
NEW, EXPIRED, FILLED, CANCELED, PARTIAL = 1, 2, 3, 4, 5
TIFS = {int(Tif.GTC): GTC, int(Tif.IOC): IOC, int(Tif.FOK): FOK, int(Tif.GTD): GTC}
# What Kraken says for the same, so that engine and strategies react as they do there.
WOULD_TAKE = "EOrder:Post only order"
UNKNOWN_ORDER = "EOrder:Unknown order"
NOT_REACHED = "EService:Unavailable: the request never reached the exchange"
CODES = {10: "EOrder:Duplicate client order id", 12: UNKNOWN_ORDER,
         13: "EGeneral:Invalid arguments", 14: UNKNOWN_ORDER, 16: "EOrder:Orders limit exceeded"}
SECOND_US = 1_000_000
NEVER_NS = (1 << 63) - 1
FeeE10 = Callable[[int, int, int, bool], int]
"""What an execution costs in 1e-10 quote units: (instrument, ticks, lots, maker)."""


class Answer(NamedTuple):
    """One row of the replay's responses; times in ns, ``exec_lots`` 0 if nothing traded."""

    asset: int
    client_id: int
    request: int
    status: int
    ticks: int
    exec_ticks: int
    exec_lots: int
    leaves_lots: int
    maker: int
    exch_ns: int
    seen_ns: int


class ReplayGateway:
    """Tells the replay which orders leave, and the engine what became of them.

    ``assets`` are the replay's numbers of the instruments, in their order. A cancel or amend of an
    order whose last request has no answer yet leaves with that answer. A GTD order is taken back
    by a cancel that leaves when its time is over. ``result`` hears of every order and fill.
    """

    def __init__(self, replay: Any, table: Any, desks: Sequence[Any], assets: Sequence[int],
                 fee_e10: FeeE10, result: BacktestResult) -> None:
        self.waited = 0
        self.end_ns = NEVER_NS  # when the next GTD order ends
        self.result = result
        # Called with the number of each request that was answered, and when; see limits.
        self.on_answer: Callable[[int, int], None] = lambda request, now_ns: None
        self._replay = replay
        self._table = table
        self._desks = tuple(desks)
        self._assets = tuple(assets)
        self._fee_e10 = fee_e10
        # ClientId to what was asked last and has no answer: (method, number of the request).
        self._asked: dict[int, tuple[str, int]] = {}
        self._later: dict[int, list[tuple[str, int]]] = {}
        self._ends: list[tuple[int, int]] = []
        self._expiring: set[int] = set()
        self._events: list[ev.Event] = []
        self._fills = 0

    # --- out -----------------------------------------------------------------------------------

    def note_sent(self, request: int, client_id: int, what: str, now_ns: int) -> None:
        """A request of ours leaves now; ``what`` is the venue's word for it."""
        if client_id in self._asked and what != ADD:
            self.waited += 1
            self._later.setdefault(client_id, []).append((what, request))
        else:
            self._send(request, client_id, what, now_ns)

    def _send(self, request: int, client_id: int, what: str, now_ns: int) -> None:
        handle = self._table.find(client_id)
        index = self._table.instrument(handle)
        asset = self._assets[index]
        if what == ADD:
            code = self._submit(asset, index, handle, client_id, now_ns)
        elif what == CANCEL:
            code = self._replay.cancel(asset, client_id)
            self.result.orders.asked(index, client_id, now_ns)
        else:
            lots = self._table.word(handle, WISH_LOTS) - self._table.filled_lots(handle)
            ticks = self._table.word(handle, WISH_TICKS)
            front = self._front(asset, self._table.side(handle), ticks)
            code = self._replay.modify(asset, client_id, ticks, lots)
            self.result.orders.asked(index, client_id, now_ns, lots, *front)
        if code == 0:
            self._asked[client_id] = (what, request)
        else:
            self._refuse(index, client_id, what,
                         CODES.get(code, f"the replay answers {code}"), now_ns // 1000)

    def _submit(self, asset: int, index: int, handle: int, client_id: int, now_ns: int) -> int:
        table = self._table
        tif = GTX if table.word(handle, POST_ONLY) else TIFS[table.tif(handle)]
        if table.tif(handle) == Tif.GTD:
            end_us = self._desks[index].text.expire_us
            if end_us > 0:
                heapq.heappush(self._ends, (-(-end_us // SECOND_US) * SECOND_US, client_id))
                self.end_ns = self._ends[0][0] * 1000
        side, ticks, lots = table.side(handle), table.ticks(handle), table.lots(handle)
        front = self._front(asset, side, ticks) if tif in (GTC, GTX) else (-1, 0)
        self.result.orders.sent(index, client_id, lots, now_ns, *front)
        return int(self._replay.submit(asset, client_id, side, ticks, lots, tif))

    def _front(self, asset: int, side: int, ticks: int) -> tuple[int, int]:
        """Lots seen at a price, and its ticks behind the best; -1 and 0 if it would not rest."""
        replay = self._replay
        if (ticks - replay.best(asset, 1 - side)) * (1 - 2 * side) >= 0:
            return -1, 0
        return (replay.lots_at(asset, side, ticks),
                (replay.best(asset, side) - ticks) * (1 - 2 * side))

    def end_due(self, now_ns: int) -> None:
        """Take back the GTD orders whose time is over."""
        while self.end_ns <= now_ns:
            client_id = heapq.heappop(self._ends)[1]
            self.end_ns = self._ends[0][0] * 1000 if self._ends else NEVER_NS
            handle = self._table.find(client_id)
            if handle >= 0 and self._table.is_open(handle):
                self._expiring.add(client_id)
                self.note_sent(0, client_id, CANCEL, now_ns)

    # --- in ------------------------------------------------------------------------------------

    def take(self, now_ns: int) -> Iterator[ev.Event]:
        """What the exchange answered up to now, as a venue's gateway tells it, one by one.

        Each event has to be applied before the next one is asked for.
        """
        yield from self._told()
        touched = set()
        for row in self._replay.responses():
            answer = Answer(*row)
            touched.add(answer.asset)
            handle = self._table.find(answer.client_id)
            if handle < 0:
                continue
            self._heard(answer, handle, now_ns)
            yield from self._told()
            self._go_on(answer.client_id, handle, now_ns)
        for asset in touched:
            self._replay.drop_inactive(asset)

    def _told(self) -> list[ev.Event]:
        taken, self._events = self._events, []
        return taken

    def _heard(self, answer: Answer, handle: int, now_ns: int) -> None:
        client_id = answer.client_id
        index, ts_us = self._table.instrument(handle), answer.exch_ns // 1000
        asked = self._asked.get(client_id, ("", 0))[0]
        # A resting order that trades is news; whatever else comes answers what was asked.
        news = answer.request == NEWS
        if not news and asked:
            self.on_answer(self._asked.pop(client_id)[1], now_ns)
            if answer.exch_ns > 0:
                self.result.orders.answered(index, client_id, answer.exch_ns, answer.seen_ns)
        if answer.request == REFUSED:
            self._refuse(index, client_id, asked, UNKNOWN_ORDER if answer.exch_ns > 0
                         else NOT_REACHED, answer.seen_ns // 1000)
            return
        if asked == ADD and answer.status != EXPIRED:
            self._events.append(ev.OrderAcked(client_id, str(client_id), ts_us))
        filled = self._table.filled_lots(handle)
        if answer.exec_lots > 0:
            filled += answer.exec_lots
            self._fill(answer, handle, index)
        if asked == AMEND and not news and answer.status in (NEW, PARTIAL):
            self._events.append(ev.OrderAmended(client_id, answer.ticks,
                                                filled + answer.leaves_lots, ts_us))
        if answer.status in (CANCELED, EXPIRED, FILLED):
            self._over(answer, handle, index, filled, asked == ADD)

    def _over(self, answer: Answer, handle: int, index: int, filled: int, fresh: bool) -> None:
        """Nothing more can happen to it; of a full one the last fill tells the engine."""
        client_id, ts_us = answer.client_id, answer.exch_ns // 1000
        if answer.status == FILLED:
            how = outcome.FILLED
        elif answer.status == CANCELED:
            expired = client_id in self._expiring
            how = outcome.EXPIRED if expired else outcome.CANCELED
            self._events.append(ev.OrderDone(
                client_id, OrderState.EXPIRED if expired else OrderState.CANCELED, filled,
                "expired" if expired else "canceled", ts_us))
        elif fresh and self._table.word(handle, POST_ONLY):
            how = outcome.REJECTED
            self._count_refusal(WOULD_TAKE)
            self._events.append(ev.OrderDone(client_id, OrderState.REJECTED, 0, WOULD_TAKE, ts_us))
        else:
            how = outcome.EXPIRED
            self._events.append(ev.OrderDone(client_id, OrderState.CANCELED, filled,
                                             "nothing more to trade with", ts_us))
        self._expiring.discard(client_id)
        self.result.orders.ended(index, client_id, how)

    def _fill(self, answer: Answer, handle: int, index: int) -> None:
        self._fills += 1
        side = self._table.side(handle)
        maker = bool(answer.maker)
        fee_e10 = self._fee_e10(index, answer.exec_ticks, answer.exec_lots, maker)
        self.result.add_fill(SimFill(
            index, answer.client_id, side, answer.exec_ticks, answer.exec_lots, maker,
            self.result.assets[index].in_money(fee_e10 / E10, answer.exec_ticks),
            answer.exch_ns, answer.seen_ns))
        self._events.append(ev.OrderFilled(
            answer.client_id, str(answer.client_id), f"B{self._fills}", index, side,
            answer.exec_ticks, answer.exec_lots, fee_e10, maker, answer.exch_ns // 1000))

    def _refuse(self, index: int, client_id: int, what: str, code: str, ts_us: int) -> None:
        self._count_refusal(code)
        if what == ADD:
            self._events.append(ev.OrderRejected(client_id, code, ts_us))
            self.result.orders.ended(index, client_id, outcome.REJECTED)
        else:
            self._events.append(ev.CancelRejected(client_id, code, ts_us, what == AMEND))

    def _count_refusal(self, code: str) -> None:
        self.result.refused[code] = self.result.refused.get(code, 0) + 1

    def _go_on(self, client_id: int, handle: int, now_ns: int) -> None:
        """What waited for this answer leaves now, unless the order is over."""
        waiting = self._later.get(client_id)
        if not waiting or client_id in self._asked:
            return
        if not self._table.is_open(handle):
            del self._later[client_id]
            return
        what, request = waiting.pop(0)
        if not waiting:
            del self._later[client_id]
        self._send(request, client_id, what, now_ns)
