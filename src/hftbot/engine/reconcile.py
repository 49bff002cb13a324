"""Venue truth against ours: what to do about each of our orders after a snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hftbot.words.events import OrderDone, OrdersSeen
from hftbot.words.order import OrderState


@dataclass(slots=True)
class Difference:
    """Outcome of one comparison.

    ``leftovers`` are venue orders that no row of ours explains; ``ended`` events prove that an
    order of ours is over; ``unproved`` ClientIds stay in doubt.
    """

    leftovers: list[str] = field(default_factory=list)
    ended: list[OrderDone] = field(default_factory=list)
    unproved: list[int] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True if both sides agree."""
        return not (self.leftovers or self.ended or self.unproved)


def compare(seen: OrdersSeen, table: Any, handles: Iterable[int], now_us: int,
            deadline_us: int) -> Difference:
    """Compare the venue's working orders with our rows.

    An order of ours that the venue does not list is over only if its deadline has passed: before
    that it may still be on its way. Fills are told before the snapshot, so filled lots are known.
    """
    difference = Difference()
    listed = {order.client_id for order in seen.orders}
    ours: set[int] = set()
    for handle in handles:
        client_id = table.client_id(handle)
        ours.add(client_id)
        if client_id in listed:
            continue
        if now_us - table.created_us(handle) <= deadline_us:
            difference.unproved.append(client_id)
            continue
        filled = table.filled_lots(handle)
        state = OrderState.FILLED if filled >= table.lots(handle) else OrderState.CANCELED
        difference.ended.append(OrderDone(client_id, state, filled,
                                          "not among the venue's open orders", seen.ts_us))
    difference.leftovers = [order.venue_id for order in seen.orders
                            if order.client_id not in ours]
    return difference
