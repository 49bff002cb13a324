"""Venue truth against ours: what to do about each of our orders after a snapshot."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from hftbot.words.events import OrderAcked, OrderAmended, OrderDone, OrderSeen, OrdersSeen
from hftbot.words.order import OrderState


@dataclass(slots=True)
class OrderFate:
    """An order that was open when we came, and what became of it.

    ``was`` is its state in the journal, None if no journal of ours names it. ``filled_lots`` were
    known before, ``found_lots`` were told now. ``listed``: the venue had it working. ``state`` is
    None until it is over.
    """

    client_id: int
    instrument: int
    side: int
    ticks: int
    lots: int
    filled_lots: int
    was: OrderState | None
    listed: bool = False
    found_lots: int = 0
    state: OrderState | None = None
    reason: str = ""


@dataclass(slots=True, frozen=True)
class PositionDiffered:
    """The venue's balance is not our position; ``adopted``: its word counts from now on."""

    instrument: int
    ours_lots: int
    venue_lots: int
    adopted: bool
    ts_us: int


@dataclass(slots=True, frozen=True)
class ExternalSeen:
    """An open order that is not ours by name. ``counted``: it is part of our exposure."""

    venue_id: str
    instrument: int
    side: int
    ticks: int
    lots: int
    counted: bool
    ts_us: int


@dataclass(slots=True)
class Reconciliation:
    """How a run found its account. ``run`` is 0 if no journal of the account was there.

    ``positions`` are (instrument, our lots, the venue's) before the last word on them.
    """

    run: int = 0
    clean: bool = False
    records: int = 0
    last_us: int = 0
    lost: tuple[str, ...] = ()
    fates: dict[int, OrderFate] = field(default_factory=dict)
    externals: list[ExternalSeen] = field(default_factory=list)
    differences: list[PositionDiffered] = field(default_factory=list)
    positions: list[tuple[int, int, int]] = field(default_factory=list)
    fills_found: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def history(self) -> bool:
        """True if there is anything to tell."""
        return bool(self.run or self.fates or self.externals or self.differences
                    or self.remarks)


@dataclass(slots=True)
class Difference:
    """Outcome of one comparison.

    ``leftovers`` are venue orders that no row of ours explains; ``ended`` events prove that an
    order of ours is over, ``proved`` events that it works and how; ``unproved`` ClientIds stay in
    doubt. Of the orders in ``missing`` the venue counts more fills than it told us.
    """

    leftovers: list[str] = field(default_factory=list)
    ended: list[OrderDone] = field(default_factory=list)
    proved: list[OrderAcked | OrderAmended] = field(default_factory=list)
    unproved: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True if both sides agree."""
        return not (self.leftovers or self.ended or self.proved or self.unproved or self.missing)


def compare(seen: OrdersSeen, table: Any, handles: Iterable[int], now_ns: int,
            deadline_ns: int, arrived: Container[int] = ()) -> Difference:
    """Compare the venue's working orders with our rows. Times are monotonic.

    An order of ours that the venue does not list is over only if its deadline has passed, counted
    from its naming, or if it is known to have ``arrived``: before that it may still be on its way.
    Fills are told before the snapshot, so filled lots are known.
    """
    difference = Difference()
    listed = {order.client_id: order for order in seen.orders}
    ours: set[int] = set()
    for handle in handles:
        client_id = table.client_id(handle)
        ours.add(client_id)
        order = listed.get(client_id)
        if order is not None:
            _listed(order, table, handle, difference)
        elif now_ns - table.created_ns(handle) <= deadline_ns and client_id not in arrived:
            difference.unproved.append(client_id)
        else:
            filled = table.filled_lots(handle)
            state = OrderState.FILLED if filled >= table.lots(handle) else OrderState.CANCELED
            difference.ended.append(OrderDone(client_id, state, filled,
                                              "not among the venue's open orders", seen.ts_us))
    difference.leftovers = [order.venue_id for order in seen.orders
                            if order.client_id not in ours]
    return difference


def _listed(order: OrderSeen, table: Any, handle: int, difference: Difference) -> None:
    """The venue lists an order of ours: that proves it, and its price and size."""
    row = table.get(handle)
    if row["state"] in (OrderState.SENT, OrderState.DOUBT):
        difference.proved.append(OrderAcked(order.client_id, order.venue_id, order.ts_us))
    doubtful_amend = row["state"] == OrderState.DOUBT and row["wish_ticks"]
    if doubtful_amend or (order.ticks, order.lots) != (row["ticks"], row["lots"]):
        difference.proved.append(OrderAmended(order.client_id, order.ticks, order.lots,
                                              order.ts_us))
    if order.filled_lots > row["filled"]:
        difference.missing.append(order.client_id)
