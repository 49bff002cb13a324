"""What is over: closed orders, executions, ledger rows and amendments, newest last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from hftbot.exchange.accounts import Movement
from hftbot.exchange.reports import Order, restored

# So many of each kind are kept.
KEPT = 10_000


def seconds(stamp: str) -> float:
    """Seconds since the epoch of an RFC 3339 time, as REST writes times."""
    return datetime.fromisoformat(stamp).timestamp()


@dataclass(slots=True)
class ClosedOrder:
    """An order that is over. ``status`` is closed, canceled or expired."""

    order: Order
    status: str
    reason: str
    stamp: str


@dataclass(slots=True)
class Execution:
    """One execution of an order; money in 1e-10 units of the quote asset."""

    exec_id: str
    order_id: str
    symbol: str
    side: int
    order_type: str
    ticks: int
    lots: int
    fee_e10: int
    maker: bool
    trade_id: int
    stamp: str
    ledger_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class LedgerRow:
    """One movement of one asset; ``ref_id`` is the execution that caused it."""

    ledger_id: str
    ref_id: str
    asset: str
    amount_e10: int
    fee_e10: int
    balance_e10: int
    stamp: str


@dataclass(slots=True)
class Amendment:
    """The terms of an order from ``at_us`` on; ``amend_type`` is original or user.

    ``left_lots`` is what was not executed then.
    """

    amend_id: str
    amend_type: str
    order_id: str
    symbol: str
    lots: int
    left_lots: int
    ticks: int
    display_lots: int
    trigger_ticks: int
    post_only: bool
    at_us: int


def terms(order: Order, amend_id: str, amend_type: str, left_lots: int, post_only: bool,
          at_us: int) -> Amendment:
    """The terms that an order has now."""
    return Amendment(amend_id, amend_type, order.order_id, order.symbol, order.lots, left_lots,
                     order.ticks, order.display_lots,
                     order.trigger.ticks if order.trigger is not None else 0, post_only, at_us)


def original(order: Order) -> Amendment:
    """The terms of an order that has not been amended."""
    return terms(order, f"T{order.order_id[1:]}", "original", order.lots, order.post_only,
                 order.created_us)


Row = ClosedOrder | Execution | LedgerRow | Amendment


class History:
    """Takes notes for the order desk; REST reads them. The oldest are forgotten."""

    def __init__(self) -> None:
        # Ordered dicts, for they find their oldest row at once; a dict would look for it.
        self.closed: OrderedDict[str, ClosedOrder] = OrderedDict()
        self.executions: OrderedDict[str, Execution] = OrderedDict()
        self.ledger: OrderedDict[str, LedgerRow] = OrderedDict()
        self.amendments: OrderedDict[str, Amendment] = OrderedDict()
        # Ids of an order's executions and amendments, oldest first.
        self.by_order: dict[str, list[str]] = {}
        self.amended: dict[str, list[str]] = {}
        # Written down since the last save.
        self.fresh: list[Row] = []

    def filled(self, order: Order, exec_id: str, trade_id: int, ticks: int, lots: int,
               fee_e10: int, maker: bool, stamp: str) -> None:
        """An execution of one of our orders."""
        self.keep(Execution(exec_id, order.order_id, order.symbol, order.side, order.order_type,
                            ticks, lots, fee_e10, maker, trade_id, stamp))

    def booked(self, movement: Movement, ledger_id: str, ref_id: str, stamp: str) -> None:
        """A ledger row of the execution ``ref_id``."""
        self.keep(LedgerRow(ledger_id, ref_id, movement.asset, movement.amount_e10,
                            movement.fee_e10, movement.balance_e10, stamp))

    def ended(self, order: Order, exec_type: str, reason: str, stamp: str) -> None:
        """The order is over: filled, canceled or expired."""
        status = "closed" if exec_type == "filled" else exec_type
        self.keep(ClosedOrder(order, status, reason, stamp))

    def keep(self, row: Row) -> None:
        """Remember a row."""
        self.fresh.append(row)
        if len(self.fresh) > 2 * KEPT:
            del self.fresh[:KEPT]
        self.enter(row)

    def enter(self, row: Row) -> None:
        """Put a row where it belongs."""
        if isinstance(row, ClosedOrder):
            bounded(self.closed, row.order.order_id, row)
        elif isinstance(row, Execution):
            self.by_order.setdefault(row.order_id, []).append(row.exec_id)
            oldest = bounded(self.executions, row.exec_id, row)
            if oldest is not None:
                forget(self.by_order, oldest.order_id, oldest.exec_id)
        elif isinstance(row, Amendment):
            self.amended.setdefault(row.order_id, []).append(row.amend_id)
            oldest = bounded(self.amendments, row.amend_id, row)
            if oldest is not None:
                forget(self.amended, oldest.order_id, oldest.amend_id)
        else:
            bounded(self.ledger, row.ledger_id, row)
            execution = self.executions.get(row.ref_id)
            if execution is not None:
                execution.ledger_ids.append(row.ledger_id)

    def executions_of(self, order_id: str) -> list[str]:
        """Ids of an order's executions, oldest first."""
        return list(self.by_order.get(order_id, ()))

    def amendments_of(self, order_id: str) -> list[Amendment]:
        """What an order was, oldest first; empty if it was never amended."""
        return [self.amendments[name] for name in self.amended.get(order_id, ())]

    # Between runs.

    def rows(self) -> list[Row]:
        """Everything, oldest first of each kind; ``plain`` makes data of a row."""
        return [*self.closed.values(), *self.executions.values(), *self.ledger.values(),
                *self.amendments.values()]

    def drain(self) -> list[Row]:
        """What was written down since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def restore(self, rows: Iterable[Mapping[str, Any]], symbols: Container[str]) -> None:
        """Take in what an earlier run wrote down; what other symbols than these did is left out.

        Raises KeyError or TypeError for data that is not ours.
        """
        for row in rows:
            told = dict(row)
            kind = told.pop("kind")
            if kind == "order":
                order = restored(told.pop("order"))
                if order.symbol in symbols:
                    self.enter(ClosedOrder(order, **told))
            elif kind == "ledger":
                self.enter(LedgerRow(**told))
            elif told["symbol"] in symbols:
                self.enter(Amendment(**told) if kind == "amendment"
                           else Execution(**{**told, "ledger_ids": []}))


def forget(by_order: dict[str, list[str]], order_id: str, name: str) -> None:
    """Take an id from its order's list."""
    left = by_order[order_id]
    left.remove(name)
    if not left:
        del by_order[order_id]


def bounded(table: OrderedDict[str, Any], name: str, row: Any) -> Any:
    """Add a row; the oldest makes room and is returned."""
    table[name] = row
    return table.popitem(last=False)[1] if len(table) > KEPT else None


def plain(row: Row) -> dict[str, Any]:
    """A row as plain data with its kind."""
    if isinstance(row, ClosedOrder):
        return {"kind": "order", "order": row.order.saved(), "status": row.status,
                "reason": row.reason, "stamp": row.stamp}
    kind = {Execution: "execution", LedgerRow: "ledger", Amendment: "amendment"}[type(row)]
    return {"kind": kind, **{each.name: getattr(row, each.name) for each in fields(row)}}
