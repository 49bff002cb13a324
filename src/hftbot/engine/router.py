"""From an allowed intent to bytes on the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastcore.lane.desk import KIND_CANCEL
from fastcore.money.orders import FIELDS
from fastcore.money.throttle import POINT
from hftbot.engine import guard as guards
from hftbot.engine.breaker import CLOSED, Breaker
from hftbot.engine.guard import HALTED
from hftbot.engine.ledger import Ledger
from hftbot.errors import Disconnected
from hftbot.words.crash_points import pass_by, watches
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Clock
from hftbot.words.verdict import Verdict

NOT_READY = -int(Verdict.DENY_NOT_READY)
INVALID = -int(Verdict.DENY_INVALID)
BREAKER = -int(Verdict.DENY_BREAKER)
EXITS_ONLY = -int(Verdict.DENY_REDUCING)
DUPLICATE = -int(Verdict.DENY_DUPLICATE)
VENUE_RATE = -int(Verdict.DENY_VENUE_RATE)
CANCEL_PENDING_NS = 1_000_000_000
BATCH_MAX = 50
WISH_TICKS, POST_ONLY = FIELDS["wish_ticks"], FIELDS["post_only"]
Send = Callable[[memoryview], None]


class CancelBatches(NamedTuple):
    """How a venue cancels several orders with one message: 2 to BATCH_MAX of one instrument."""

    frame: Callable[[Sequence[int], int], bytes]
    sent: Callable[[int, Sequence[int], int], None]


class Router:
    """Routes orders of all strategies to one venue.

    While no wire is attached every request is denied with DENY_NOT_READY; a wire that refuses a
    frame is detached, and the request counts as never made. ``breaker`` lets only orders through
    that lower a position while it is open.
    """

    def __init__(self, clock: Clock, table: Any, desks: Sequence[Any], ledger: Ledger,
                 sent: Callable[[str, int, int], None], breaker: Breaker | None = None) -> None:
        self.clock = clock
        self.table = table
        self.desks = tuple(desks)
        self.ledger = ledger
        # One for all desks: the venue's own counter of what they send.
        self.counter = self.desks[0].counter
        self.orders_sent = 0
        self.amends_sent = 0
        self.cancels_sent = 0
        self._sent = sent
        self._send: Send | None = None
        self.breaker = breaker or Breaker()
        self._admit = False
        # None for a venue that cancels one by one.
        self.batches: CancelBatches | None = None
        # Whether orders may leave that do not lower a position: no outside TRADING_HOURS.
        self.entries = True
        # The door is open, the breaker closed, and it is time: one look on the hot path.
        self._clear = False
        self._cancel_ns: dict[int, int] = {}

    @property
    def attached(self) -> bool:
        """True while a wire is there to send on."""
        return self._send is not None

    def attach(self, send: Send) -> None:
        """Orders may leave through ``send``, once admit(True) was said."""
        self._send = send

    def detach(self) -> None:
        """The wire is gone, and with it what was asked on it."""
        self._send = None
        self.admit(False)
        self._cancel_ns.clear()

    def admit(self, on: bool) -> None:
        """Open or close the door for new orders and amends; cancels always pass."""
        self._admit = on
        self.breaker_moved()

    def breaker_moved(self) -> None:
        """The breaker may have opened or closed."""
        self._clear = self._admit and self.entries and self.breaker.state == CLOSED

    def allow_entries(self, on: bool) -> None:
        """Outside TRADING_HOURS only orders that lower a position leave."""
        self.entries = on
        self.breaker_moved()

    def place(self, strategy: int, instrument: int, side: int, ticks: int, lots: int, tif: int,
              post_only: bool, created_us: int, ttl_us: int) -> int:
        """Place one order. Returns its table handle, or a negative verdict."""
        send = self._send
        if not 0 <= instrument < len(self.desks):
            return INVALID
        if send is None or not self._clear:
            refusal = self._refusal(instrument, side, lots)
            if refusal or send is None:
                return refusal
        now_us = self.clock.now_us()
        now_ns = self.clock.mono_ns()
        desk = self.desks[instrument]
        if watches:
            pass_by("after_hold")
        handle: int = desk.place(strategy, side, ticks, lots, tif, post_only, created_us, ttl_us,
                                 now_us, now_ns)
        if handle < 0:
            return handle
        if watches:
            pass_by("after_journal_before_send")
        try:
            send(desk.frame())
        except Disconnected:
            desk.discard(handle, self.clock.now_us())
            self.detach()
            return NOT_READY
        if watches:
            pass_by("after_send_before_ack")
        self.orders_sent += 1
        client_id = self.table.client_id(handle)
        self._sent("add_order", client_id, now_ns)
        if not self._clear:
            self.breaker.tried(client_id)
        return handle

    def close_out(self, strategy: int, instrument: int, side: int, ticks: int, lots: int) -> int:
        """Place one IOC order that can only lower a position, even if nothing else may leave.

        A halt counts as REDUCING for this one order; every other rule of the guard holds. Returns
        its table handle, or a negative verdict.
        """
        if not 0 <= instrument < len(self.desks):
            return INVALID
        gate = self.desks[instrument].gate
        if not gate.reduces(side, lots):
            return INVALID
        account, state = gate.account, gate.account.state
        account.state = min(state, guards.REDUCING)
        self._clear = True
        try:
            return self.place(strategy, instrument, side, ticks, lots, int(Tif.IOC), False,
                              self.clock.now_us(), 0)
        finally:
            account.state = max(state, account.state)
            self.breaker_moved()

    def _refusal(self, instrument: int, side: int, lots: int) -> int:
        """Why an order may not leave now, as a negative verdict; 0 if it may."""
        if self._send is None or not self._admit:
            return NOT_READY
        if (self.entries and self.breaker.admits) or (
                self.desks[instrument].gate.reduces(side, lots)):
            return 0
        return BREAKER if self.entries else EXITS_ONLY

    def amend(self, handle: int, ticks: int, lots: int) -> int:
        """Change a working order in place. Returns 0 or a negative verdict."""
        send = self._send
        if send is None or not self._admit:
            return NOT_READY
        if not self._clear and lots > self.table.lots(handle):
            return BREAKER if self.entries else EXITS_ONLY
        desk = self.desks[self.table.instrument(handle)]
        now_ns = self.clock.mono_ns()
        verdict = int(desk.amend(handle, ticks, lots, self.clock.now_us(), now_ns))
        if verdict < 0:
            return verdict
        try:
            send(desk.frame())
        except Disconnected:
            desk.amend_rejected(handle, self.clock.now_us())
            self.detach()
            return NOT_READY
        self.amends_sent += 1
        self._sent("amend_order", self.table.client_id(handle), now_ns)
        return 0

    def cancel(self, handle: int, urgent: bool = False) -> int:
        """Cancel a working order. Returns 0 or a negative verdict.

        An ``urgent`` one is tried even if the venue's counter may refuse it.
        """
        send = self._send
        if send is None:
            return NOT_READY
        desk = self.desks[self.table.instrument(handle)]
        now_ns = self.clock.mono_ns()
        verdict = int(desk.cancel(handle, self.clock.now_us(), now_ns, urgent))
        if verdict < 0:
            return verdict
        try:
            send(desk.frame())
        except Disconnected:
            self.detach()
            return NOT_READY
        self.cancels_sent += 1
        self._cancel_ns[self.table.client_id(handle)] = now_ns
        self._sent("cancel_order", self.table.client_id(handle), now_ns)
        return 0

    def cancel_many(self, handles: Sequence[int]) -> int:
        """Cancel all of these, whatever the venue's counter says. Returns how many were asked.

        Two or more of one instrument leave together: one message instead of one each, for the same
        points, and the venue takes a batch that overshoots its counter.
        """
        table, asked = self.table, 0
        groups: dict[int, list[int]] = {}
        for handle in handles:
            if table.is_open(handle) and table.state(handle) != OrderState.NAMED:
                groups.setdefault(table.instrument(handle), []).append(handle)
        for instrument, group in groups.items():
            for at in range(0, len(group), BATCH_MAX):
                part = group[at:at + BATCH_MAX]
                if len(part) == 1 or self.batches is None:
                    asked += sum(self.cancel(handle, urgent=True) == 0 for handle in part)
                else:
                    asked += self._cancel_batch(instrument, part, self.batches)
        return asked

    def _cancel_batch(self, instrument: int, handles: list[int], batches: CancelBatches) -> int:
        """One message for all of them: journaled, counted, sent. Returns how many were asked."""
        send, table, desk = self._send, self.table, self.desks[instrument]
        now_ns, now_us = self.clock.mono_ns(), self.clock.now_us()
        if send is None or not desk.account.messages.take(1, now_ns, True):
            return 0
        request = int(table.next_request())
        client_ids = [int(table.client_id(handle)) for handle in handles]
        cost = 0
        for handle, client_id in zip(handles, client_ids, strict=True):
            cost += self.counter.cancel_cost(handle, now_ns)
            flags = (instrument + (table.side(handle) << 16) + (table.tif(handle) << 20)
                     + (table.strategy(handle) << 32))
            if desk.journal.append_words(KIND_CANCEL, client_id, flags, request, 0, 0, 0, now_us,
                                         0) < 0:
                # As for a single one: it goes out even if the journal refuses.
                desk.account.state = HALTED
        self.counter.spend(instrument, cost, request, now_ns)
        try:
            send(memoryview(batches.frame(client_ids, request)))
        except Disconnected:
            self.detach()
            return 0
        self.cancels_sent += len(handles)
        self._cancel_ns.update(dict.fromkeys(client_ids, now_ns))
        batches.sent(request, client_ids, now_ns)
        return len(handles)

    def replace(self, handle: int, ticks: int, lots: int, created_us: int, ttl_us: int) -> int:
        """Let a working order be ``lots`` at ``ticks``, the cheaper way that is legal.

        By amend, or by a cancel and a new order. Returns the handle of the order that is to work,
        or a negative verdict; a verdict of the new order means that the old one is being cancelled.
        """
        table = self.table
        now_ns = self.clock.mono_ns()
        if table.word(handle, WISH_TICKS) or self.cancel_pending(table.client_id(handle)):
            return DUPLICATE
        both = self.counter.cancel_cost(handle, now_ns) + POINT
        amendable = (table.state(handle) in (OrderState.LIVE, OrderState.PARTIAL)
                     and lots > table.filled_lots(handle))
        if amendable and self.counter.amend_cost(handle, now_ns) <= both:
            verdict = self.amend(handle, ticks, lots)
            return handle if verdict == 0 else verdict
        left = lots - table.filled_lots(handle)
        refusal = self._replace_refusal(handle, left, both, now_ns)
        if refusal < 0:
            return refusal
        verdict = self.cancel(handle)
        if verdict < 0:
            return verdict
        return self.place(table.strategy(handle), table.instrument(handle), table.side(handle),
                          ticks, left, table.tif(handle), bool(table.word(handle, POST_ONLY)),
                          created_us, ttl_us)

    def _replace_refusal(self, handle: int, left: int, cost: int, now_ns: int) -> int:
        """Why a cancel and a new order may not both leave now; 0 if they may."""
        table = self.table
        if left <= 0 or not table.is_open(handle):
            return INVALID
        instrument = table.instrument(handle)
        if self._send is None or not self._clear:
            refusal = self._refusal(instrument, table.side(handle), left)
            if refusal:
                return refusal
        if not self.counter.would_take(instrument, cost, now_ns):
            return VENUE_RATE
        return 0

    def cancel_pending(self, client_id: int) -> bool:
        """True if a cancel went out a moment ago: another would only cost a message."""
        sent_ns = self._cancel_ns.get(client_id)
        return sent_ns is not None and self.clock.mono_ns() - sent_ns < CANCEL_PENDING_NS

    def count_end(self, handle: int) -> None:
        """The venue cancelled it: if an amend was on its way, that was the cancel, and costs so."""
        if self.table.word(handle, WISH_TICKS):
            now_ns = self.clock.mono_ns()
            self.counter.spend(self.table.instrument(handle),
                               self.counter.cancel_cost(handle, now_ns), 0, now_ns)

    def forget(self, client_id: int) -> None:
        """The order is over."""
        self._cancel_ns.pop(client_id, None)
