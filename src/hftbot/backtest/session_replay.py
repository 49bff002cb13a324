"""The orders of a recorded run once more, at the same moments, in the replayed market."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hftbot.backtest.session_market import Trace
from hftbot.backtest.session_orders import (
    ADD,
    AMEND,
    Request,
    SessionOrder,
    requests_in_order,
)
from hftbot.words.order import Tif

WAKE_RESPONSE, END = 8, 1 << 30
FAR_NS = (1 << 62) - 1
GTC, GTX, FOK, IOC = range(4)
NEWS, REFUSED = 0, 6
EXPIRED, FILLED, CANCELED = 2, 3, 4
PENDING = 11
_TIFS = {int(Tif.GTC): GTC, int(Tif.GTD): GTC, int(Tif.IOC): IOC, int(Tif.FOK): FOK}
RESTED, WOULD_TAKE, NOT_REACHED = "rested", "would take", "not reached"


@dataclass(frozen=True, slots=True)
class SimExecution:
    """One fill of the replay; ``exch_ns`` when it happened, ``seen_ns`` when it was known."""

    ticks: int
    lots: int
    maker: bool
    exch_ns: int
    seen_ns: int


@dataclass(slots=True)
class SimOrder:
    """What the replay made of an order. ``arrived_ns`` and ``ended_ns`` are 0 if it never did."""

    executions: list[SimExecution] = field(default_factory=list)
    arrived_ns: int = 0
    ended_ns: int = 0
    end: str = ""

    @property
    def filled_lots(self) -> int:
        """What of it traded."""
        return sum(execution.lots for execution in self.executions)


def latency_rows(orders: Sequence[SessionOrder], arrivals: Mapping[int, int], back_ns: int
                 ) -> tuple[list[int], list[int], list[int]]:
    """When each request was sent, reached the venue and was answered, for OrderLatency.

    ``arrivals`` are those that the recording shows, by the moment at which the request was sent
    (see SessionMarket.arrivals). Of others the venue's moment is not known: the answer is taken to
    have travelled as long as market data does, ``back_ns``, and the rest of the time to be the way
    there and the venue's work. Empty lists if no request was ever answered.
    """
    sent: list[int] = []
    reached: list[int] = []
    answered: list[int] = []
    for request, _order in requests_in_order(orders):
        if request.answered_ns <= request.at_ns:
            continue
        back = min(max(0, back_ns), request.answered_ns - request.at_ns)
        # Just before the row that shows it, so that it does not queue behind itself.
        there_ns = arrivals.get(request.at_ns, request.answered_ns - back + 1) - 1
        here_ns = request.answered_ns
        if reached:
            there_ns, here_ns = max(there_ns, reached[-1]), max(here_ns, answered[-1])
        sent.append(request.at_ns)
        reached.append(there_ns)
        answered.append(max(here_ns, there_ns))
    return sent, reached, answered


def traces_of(orders: Sequence[SessionOrder]) -> list[Trace]:
    """What the recorded book may show of the requests that let an order rest."""
    return [Trace(request.at_ns, request.answered_ns, order.side, request.ticks,
                  request.open_lots)
            for request, order in requests_in_order(orders)
            if request.ticks and request.answered_ns and order.tif not in (Tif.IOC, Tif.FOK)]


class SessionReplay:
    """Sends a run's requests through a Replay and collects what became of them.

    ``replay`` is a fastcore.sim.replay.Replay that has the run's market as ``asset``. A request
    about an order whose last request has no answer yet leaves with that answer.
    """

    def __init__(self, replay: Any, asset: int) -> None:
        self.replay = replay
        self.asset = asset
        self.orders: dict[int, SimOrder] = {}
        self.refused = 0
        self._pending: set[int] = set()
        self._waiting: dict[int, deque[tuple[Request, SessionOrder]]] = {}
        self._sources: dict[int, SessionOrder] = {}

    def run(self, orders: Sequence[SessionOrder]) -> dict[int, SimOrder]:
        """Replay to the end of the data; the orders by their ClientId."""
        for request, order in requests_in_order(orders):
            self._advance(request.at_ns)
            if request.what == ADD:
                self.orders[order.client_id] = SimOrder()
                self._sources[order.client_id] = order
            if order.client_id in self._pending:
                self._waiting.setdefault(order.client_id, deque()).append((request, order))
            else:
                self._send(request, order)
        self._advance(FAR_NS)
        return self.orders

    def _advance(self, until_ns: int) -> None:
        while self.replay.now_ns < until_ns:
            bits = self.replay.step(until_ns, WAKE_RESPONSE)
            self._hear()
            if bits == 0 or bits & END:
                return

    def _send(self, request: Request, order: SessionOrder) -> None:
        replay, client_id = self.replay, order.client_id
        if request.what == ADD:
            tif = GTX if order.post_only else _TIFS.get(order.tif, GTC)
            code = replay.submit(self.asset, client_id, order.side, request.ticks, request.lots,
                                 tif)
        elif request.what == AMEND:
            left = request.lots - self.orders[client_id].filled_lots
            code = replay.modify(self.asset, client_id, request.ticks, left) if left > 0 else 0
            if left <= 0:
                return
        else:
            code = replay.cancel(self.asset, client_id)
        if code == 0:
            self._pending.add(client_id)
        elif code == PENDING:
            self._waiting.setdefault(client_id, deque()).append((request, order))
        else:
            # It ended in the replay before the run asked this about it.
            self.refused += 1

    def _hear(self) -> None:
        for (_asset, client_id, request, status, _ticks, exec_ticks, exec_lots, _leaves, maker,
             exch_ns, seen_ns) in self.replay.responses():
            order = self.orders.get(client_id)
            if order is None:
                continue
            if exec_lots > 0:
                order.executions.append(SimExecution(exec_ticks, exec_lots, bool(maker), exch_ns,
                                                     seen_ns))
            if request != NEWS:
                self._pending.discard(client_id)
                if request != REFUSED:
                    order.arrived_ns = order.arrived_ns or exch_ns
            if status in (EXPIRED, FILLED, CANCELED) and not order.ended_ns:
                order.ended_ns = exch_ns
                order.end = self._end(client_id, order, status)
            elif request == REFUSED and not order.arrived_ns:
                order.end = NOT_REACHED
            self._go_on(client_id)
        self.replay.drop_inactive(self.asset)

    def _end(self, client_id: int, order: SimOrder, status: int) -> str:
        if status == EXPIRED and self._sources[client_id].post_only and not order.executions:
            return WOULD_TAKE
        return {EXPIRED: "expired", FILLED: "filled", CANCELED: "canceled"}[status]

    def _go_on(self, client_id: int) -> None:
        """What waited for this answer leaves now, unless the order is over."""
        waiting = self._waiting.get(client_id)
        if waiting and client_id not in self._pending:
            if self.orders[client_id].ended_ns:
                waiting.clear()
                return
            self._send(*waiting.popleft())
