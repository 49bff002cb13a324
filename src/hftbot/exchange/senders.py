"""A number for each sender_sub_id, as long as it has open orders."""

from __future__ import annotations

from collections.abc import Mapping

from hftbot.exchange.reports import Order

# The matcher's owner of the account's first orders; 0 is the crowd.
OWNER = 1
# So many names are kept before those without an open order are forgotten.
KEPT_MIN = 64


class Senders:
    """Whose orders must not trade with each other: those of one number.

    ``orders`` are the open ones by id. A name that comes back after all of its orders are over may
    have another number then, which nobody can tell.
    """

    def __init__(self, orders: Mapping[str, Order]) -> None:
        self.orders = orders
        self.numbers: dict[str, int] = {}
        self.last = OWNER - 1
        self.most = KEPT_MIN

    def number(self, sender: str) -> int:
        """The number of a sender_sub_id; an empty one counts like any other."""
        found = self.numbers.get(sender)
        if found is None:
            if len(self.numbers) >= self.most:
                self._forget()
            self.last += 1
            found = self.numbers[sender] = self.last
        return found

    def _forget(self) -> None:
        needed = {order.sender for order in self.orders.values()}
        self.numbers = {name: own for name, own in self.numbers.items() if name in needed}
        self.most = max(KEPT_MIN, 2 * len(self.numbers))
