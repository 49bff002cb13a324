"""Orders in flight: who waits for what, how many at once, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hftbot.words.order import Tif
from hftbot.words.ports import Desk
from hftbot.words.verdict import explain

NO_ORDER = -1
BACKOFF_US = 20_000


class Execution:
    """One attempt to enter or to leave: its order in flight, and those that came before it.

    ``began_ns`` is when the signal was seen or the exit decided, ``sent_ns`` and ``sent_us`` when
    the order in flight left. ``client_id`` is NO_ORDER between two orders; the next one may leave
    from ``retry_us`` on. ``open_lots`` is what the order in flight may still trade.
    """

    __slots__ = ("attempts", "began_ns", "cancel_us", "client_id", "direction", "doubt", "entry",
                 "late", "market", "open_lots", "retry_us", "sent_ns", "sent_us", "ticks")

    def __init__(self, market: Any, entry: bool, direction: int, began_ns: int) -> None:
        self.market = market
        self.entry = entry
        self.direction = direction
        self.began_ns = began_ns
        self.client_id = NO_ORDER
        self.attempts = 0
        self.open_lots = self.ticks = 0
        self.retry_us = self.cancel_us = 0
        self.sent_ns = self.sent_us = 0
        self.doubt = self.late = False


class Executions:
    """Every order that can still trade, by its ClientId.

    At most ``entries_max`` entries and ``orders_max`` orders are in flight. An order that is not
    over after ``deadline_us`` is late: it keeps its place among the entries, but an exit does not
    wait behind it. ``late``, ``retries`` and ``most`` (orders at once) are counted.
    """

    def __init__(self, entries_max: int, orders_max: int, deadline_us: int) -> None:
        self.entries_max = entries_max
        self.orders_max = orders_max
        self.deadline_ns = deadline_us * 1000
        self.placing = False
        self.entries = 0
        self.late = self.retries = self.most = 0
        self.last_denial = ""
        self._orders: dict[int, Execution] = {}
        # Orders that were over before ``place`` returned, and the lots that they traded.
        self._early: set[int] = set()

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Execution]:
        return iter(tuple(self._orders.values()))

    def clear(self) -> None:
        """Nothing is in flight."""
        self._orders.clear()
        self.entries = 0

    def admits_entry(self) -> bool:
        """Whether an entry may begin."""
        return self.entries < self.entries_max and len(self._orders) < self.orders_max

    def admits_exit(self) -> bool:
        """Whether one more order may leave; those that are late or in doubt do not count."""
        waiting = sum(1 for one in self._orders.values() if not (one.late or one.doubt))
        return waiting < self.orders_max

    def find(self, client_id: int) -> Execution | None:
        """Whose order that is, if it can still trade."""
        return self._orders.get(client_id)

    def place(self, desk: Desk, execution: Execution, side: int, ticks: int, lots: int, *,
              rests: bool, ttl_us: int, reason: str) -> int:
        """Send the next order of an execution: an IOC, or a post-only one that rests.

        Returns its ClientId, or the negative verdict. An answer that comes before the desk
        returns is not lost: ``execution.client_id`` is NO_ORDER then.
        """
        self.placing = True
        self._early.clear()
        execution.sent_ns, execution.sent_us = desk.mono_ns(), desk.now_us()
        try:
            client_id = desk.place(execution.market.instrument.index, side, ticks, lots,
                                   Tif.GTC if rests else Tif.IOC, post_only=rests, ttl_us=ttl_us,
                                   reason=reason)
        finally:
            self.placing = False
        if client_id < 0:
            self.last_denial = explain(client_id)
            return client_id
        self.retries += execution.attempts > 0
        execution.attempts += 1
        if client_id not in self._early:
            execution.client_id, execution.ticks = client_id, ticks
            execution.open_lots = lots
            execution.doubt = execution.late = False
            self._orders[client_id] = execution
            self.most = max(self.most, len(self._orders))
        return client_id

    def filled(self, client_id: int, lots: int) -> bool:
        """Count a fill; True if nothing more can happen to the order."""
        execution = self._orders.get(client_id)
        if execution is None:
            return False
        execution.open_lots -= lots
        return execution.open_lots <= 0

    def over(self, client_id: int) -> Execution | None:
        """Nothing more can happen to an order; whose it was, if that was not known yet."""
        execution = self._orders.pop(client_id, None)
        if execution is None:
            if self.placing:
                self._early.add(client_id)
            return None
        execution.client_id = NO_ORDER
        return execution

    def in_time(self, execution: Execution, now_ns: int) -> bool:
        """Whether the deadline of an execution leaves room for another order."""
        return now_ns - execution.began_ns < self.deadline_ns

    def mark_late(self, now_ns: int) -> None:
        """Find the orders that are past their deadline."""
        for execution in self._orders.values():
            if not execution.late and execution.cancel_us == 0 \
                    and now_ns - execution.sent_ns >= self.deadline_ns:
                execution.late = True
                self.late += 1


def backoff_us(attempts: int) -> int:
    """How long to wait before the next order of an entry: 20, 40, 80 ms and so on."""
    return BACKOFF_US << max(0, attempts - 1)
