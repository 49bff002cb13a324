"""Fills that the venue counted at the end of an order and has not told us of."""

from __future__ import annotations

from typing import Any

FILL_LATE_NS = 10_000_000_000
FILL_WAIT_NS = 1_000_000_000


class LateFills:
    """Orders that ended with more filled than their fills say; times are monotonic."""

    def __init__(self, table: Any) -> None:
        self._table = table
        # ClientId to the lots that its end counted and the moment after which we halt.
        self._short: dict[int, tuple[int, int]] = {}

    def __contains__(self, client_id: int) -> bool:
        return client_id in self._short

    def add(self, client_id: int, filled_lots: int, now_ns: int) -> None:
        """An order ended with so many lots filled, more than we know of."""
        self._short[client_id] = (filled_lots, now_ns + FILL_LATE_NS)

    def are_due(self, now_ns: int) -> bool:
        """True if some of them should have been told by now."""
        return any(end_ns - now_ns < FILL_LATE_NS - FILL_WAIT_NS
                   for _, end_ns in self._short.values())

    def check(self, now_ns: int) -> str:
        """Forget the orders whose fills came; why to halt if one did not come in time."""
        reason = ""
        for client_id, (filled_lots, end_ns) in list(self._short.items()):
            told_lots = self._table.filled_lots(self._table.find(client_id))
            if told_lots < filled_lots and now_ns <= end_ns:
                continue
            del self._short[client_id]
            if told_lots < filled_lots:
                reason = reason or (f"order {client_id}: the venue counts {filled_lots} lots "
                                    f"filled, we were told of {told_lots}")
        return reason
