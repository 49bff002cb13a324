"""Requests on the private stream that wait for their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hftbot.words.events import (
    CancelRejected,
    Event,
    OrderAmended,
    OrderDone,
    OrderDoubt,
    OrderRejected,
)

ANSWER_NS = 5_000_000_000
KEEP_NS = 60_000_000_000
ADD = "add_order"
AMEND = "amend_order"
EDIT = "edit_order"
CANCEL = "cancel_order"
CANCEL_ALL = "cancel_all"
CANCEL_AFTER = "cancel_all_orders_after"
BATCH_ADD = "batch_add"
BATCH_CANCEL = "batch_cancel"
MAKERS = (ADD, BATCH_ADD, EDIT)
CANCELS = (CANCEL, BATCH_CANCEL)
NO_ANSWER = "no answer within 5 s"


@dataclass(slots=True)
class Call:
    """One request that was sent, about these orders.

    ``settled`` are those whose outcome needs no more asking, ``good`` those that were answered
    yes; ``refusals`` are the answers that name no order. ``validate``: it makes nothing.
    """

    what: str
    client_ids: tuple[int, ...]
    sent_ns: int
    validate: bool = False
    settled: frozenset[int] = frozenset()
    good: frozenset[int] = frozenset()
    refusals: tuple[str, ...] = ()

    @property
    def client_id(self) -> int:
        """The only order it is about, else 0."""
        return self.client_ids[0] if len(self.client_ids) == 1 else 0

    def waiting(self) -> list[int]:
        """The orders whose outcome is open."""
        return [client_id for client_id in self.client_ids if client_id not in self.settled]


class Calls:
    """All requests that wait, by (method, req_id), and by the orders that they are about."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], Call] = {}
        self._about: dict[int, list[Call]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def note(self, req_id: int, call: Call) -> None:
        """A request left."""
        key = call.what, req_id
        if key in self._calls:
            self._drop(key)
        self._calls[key] = call
        for client_id in call.client_ids:
            self._about.setdefault(client_id, []).append(call)

    def find(self, method: str, req_id: object) -> Call | None:
        """The request that an answer belongs to."""
        return self._calls.get((method, req_id)) if isinstance(req_id, int) else None

    def close(self, method: str, req_id: object) -> None:
        """All its answers are in."""
        if isinstance(req_id, int) and (method, req_id) in self._calls:
            self._drop((method, req_id))

    def _drop(self, key: tuple[str, int]) -> None:
        call = self._calls.pop(key)
        for client_id in call.client_ids:
            others = [other for other in self._about.get(client_id, ()) if other is not call]
            if others:
                self._about[client_id] = others
            else:
                self._about.pop(client_id, None)

    def lost(self, reason: str, now_us: int) -> list[Event]:
        """The connection is gone: what waits is in doubt."""
        found: list[Event] = []
        for call in self._calls.values():
            for client_id in call.waiting():
                if call.validate:
                    found.append(OrderRejected(client_id, reason, now_us))
                elif call.what == AMEND or call.what in MAKERS:
                    found.append(OrderDoubt(client_id, reason, now_us))
        self._calls.clear()
        self._about.clear()
        return found

    def overdue(self, now_ns: int, now_us: int, found: list[Event]) -> list[int]:
        """Orders whose add or amend has had no answer for 5 s, each once; cancels go to found."""
        doubtful = []
        for key, call in list(self._calls.items()):
            age_ns = now_ns - call.sent_ns
            if age_ns > ANSWER_NS:
                for client_id in call.waiting():
                    call.settled |= {client_id}
                    if call.validate:
                        found.append(OrderRejected(client_id, NO_ANSWER, now_us))
                    elif call.what in CANCELS:
                        found.append(CancelRejected(client_id, NO_ANSWER, now_us))
                    else:
                        doubtful.append(client_id)
            if age_ns > KEEP_NS:
                self._drop(key)
        return doubtful

    def settle(self, told: Iterable[Event], reported: Callable[[int], bool],
               touched: Iterable[int] | None = None) -> None:
        """A report about an order answers the question whether the request arrived.

        ``touched`` are the orders that the reports were about; None: any.
        """
        over = {event.client_id for event in told if isinstance(event, OrderDone)}
        amended = over | {event.client_id for event in told if isinstance(event, OrderAmended)}
        calls = self._calls.values() if touched is None else [
            call for client_id in touched for call in self._about.get(client_id, ())]
        for call in calls:
            if call.validate:
                continue
            for client_id in call.waiting():
                if call.what in MAKERS:
                    proved = reported(client_id)
                else:
                    proved = client_id in (amended if call.what == AMEND else over)
                if proved:
                    call.settled |= {client_id}
