"""One instrument's hot half, outbound: a wish becomes a named, journaled order text.

Journal rows are eight words. ORDER: ClientId, flags, ticks, lots, created_us, now_us, deadline_us,
request. FILL: ClientId, flags, ticks, lots, fee_e10, fill_key, now_us, 0. All others: ClientId,
flags, two to four words of their own, now_us, 0: DONE state, filled lots; AMEND and AMENDED ticks,
lots; CANCEL request; ADOPT ticks, lots, filled lots, 0, now_us, created_us. Flags: instrument, and
from bit 16 the side, 20 the tif, 24 post-only, 32 the strategy. AMEND_REFUSED and DISCARD have no
words of their own. Without an order (ClientId 0): POSITION lots, cost, realised, fees_e10, now_us,
opened_us, and its instrument in the flags; SEEN four fill keys; STATE hash of the money state, UTC
day, its first profit in e10, last order counter, now_us, mark (1 first of a run, 2 clean end).

A row is appended before what it tells is done, so that the rows before it give the state in which
it is appended (engine/recover.py); an order that is only NAMED does not count as part of it.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

if cython.compiled:
    from cython.cimports.fastcore.money.orders import (
        CANCELED,
        DOUBT,
        EXPIRED,
        FILLED,
        FULL,
        HELD,
        LIVE,
        LOTS,
        NAMED,
        PARTIAL,
        POST_ONLY,
        REJECTED,
        ROW_BITS,
        SENT,
        SIDE,
        TICKS,
        WISH_HELD,
        WISH_LOTS,
        WISH_TICKS,
    )
    from cython.cimports.fastcore.money.risk import (
        DENY_DUPLICATE,
        DENY_GROSS,
        DENY_INVALID,
        DENY_JOURNAL,
        DENY_MESSAGE_RATE,
        DENY_OPEN_ORDERS,
        DENY_TABLE_FULL,
        DENY_VENUE_RATE,
        HALTED,
    )
    from cython.cimports.fastcore.money.throttle import ADD_COST, TradingCounter
    from cython.cimports.fastcore.probe.clock import mono_ns
else:
    from fastcore.money.orders import (
        CANCELED,
        DOUBT,
        EXPIRED,
        FILLED,
        FULL,
        HELD,
        LIVE,
        LOTS,
        NAMED,
        PARTIAL,
        POST_ONLY,
        REJECTED,
        ROW_BITS,
        SENT,
        SIDE,
        TICKS,
        WISH_HELD,
        WISH_LOTS,
        WISH_TICKS,
    )
    from fastcore.money.risk import (
        DENY_DUPLICATE,
        DENY_GROSS,
        DENY_INVALID,
        DENY_JOURNAL,
        DENY_MESSAGE_RATE,
        DENY_OPEN_ORDERS,
        DENY_TABLE_FULL,
        DENY_VENUE_RATE,
        HALTED,
    )
    from fastcore.money.throttle import ADD_COST, TradingCounter
    from fastcore.probe.clock import mono_ns

    (ROW_ORDER, ROW_FILL, ROW_DONE, ROW_ACK, ROW_CANCEL, ROW_AMEND, ROW_DOUBT, ROW_AMENDED,
     ROW_ADOPT, ROW_POSITION, ROW_AMEND_REFUSED, ROW_DISCARD, ROW_STATE,
     ROW_SEEN) = range(1, 15)
    RISK_CHECK, RELEASED, NOT_JOURNALED = 2, -1, 3

KIND_ORDER, KIND_FILL, KIND_DONE, KIND_ACK = ROW_ORDER, ROW_FILL, ROW_DONE, ROW_ACK
KIND_CANCEL, KIND_AMEND, KIND_DOUBT = ROW_CANCEL, ROW_AMEND, ROW_DOUBT
KIND_AMENDED, KIND_ADOPT, KIND_POSITION = ROW_AMENDED, ROW_ADOPT, ROW_POSITION
KIND_AMEND_REFUSED, KIND_DISCARD = ROW_AMEND_REFUSED, ROW_DISCARD
KIND_STATE, KIND_SEEN = ROW_STATE, ROW_SEEN


class LaneDesk:
    """Places, changes and follows the orders of one instrument.

    What goes to the venue answers with a handle or 0, or the negative mask of the verdict; the
    frame is then in ``frame()`` until the next call. What comes from the venue answers as the
    order table does (0 or positive: legal); 3 means that it was applied although the journal
    refused it. A journal that refuses halts the account. ``now_us`` is the world's wall clock.
    Each order, amend and cancel takes a place of ``account.messages`` and, if the venue counts
    transactions itself, its cost of ``counter`` (one for all desks; without it, no limit).
    """

    def __init__(self, instrument, table, gate, account, position, book, text, journal,
                 counter=None, trackers=None) -> None:
        for part in (table, gate, account, position, book, text, journal):
            if part is None:
                raise ValueError("only counter and trackers may be None")
        if gate.account is not account or gate.position is not position:
            raise ValueError("the gate guards another account or position")
        self.instrument = instrument
        self.table = table
        self.gate = gate
        self.account = account
        self.position = position
        self.book = book
        self.text = text
        self.journal = journal
        self.counter = counter or TradingCounter(instrument + 1, table.capacity, 0, 0, 0, 0)
        self.trackers = trackers
        self.deadline_us = 5_000_000
        self.request = 0
        self.framed = False
        self.placed = 0
        self.denied = 0

    def set_run(self, run: int) -> None:
        """Set the run number of the ClientIds. Raises ValueError beyond 16 bits."""
        if self.table.set_run(run) < 0:
            raise ValueError(f"run must be 0..65535, not {run}")

    def frame(self) -> memoryview:
        """The bytes to send after a call that was allowed; empty if there are none."""
        return self.text.frame() if self.framed else memoryview(b"")

    def place(self, strategy: int, side: int, ticks: int, lots: int, tif: int, post_only: bool,
              created_us: int, ttl_us: int, now_us: int, now_ns: int) -> int:
        """Ask the guard, then hold, name, write and journal an order. Returns its handle.

        Negative: the mask of the rules that denied it, and nothing has changed. ``now_ns`` is
        monotonic. A GTD order ends by itself ``ttl_us`` after ``created_us``.
        """
        self.framed = False
        started_ns = mono_ns() if self.trackers is not None else 0
        mask = self.gate.check(self.book, side, ticks, lots, tif, post_only, now_us, now_ns,
                               created_us, ttl_us, strategy)
        if not self.counter.admits(self.instrument, now_ns):
            mask |= self._venue_rules(ADD_COST, now_ns, self.gate.reduces(side, lots))
            if self.counter.full(self.instrument):
                mask |= DENY_OPEN_ORDERS
        if self.trackers is not None:
            self.trackers.record(RISK_CHECK, mono_ns() - started_ns)
        if mask != 0:
            self.denied += 1
            return -mask
        self.text.expire_us = 0
        if 0 < ttl_us < self.text.deadline_max - created_us:
            self.text.expire_us = created_us + ttl_us
        return self._name_and_send(strategy, side, ticks, lots, tif, post_only, created_us,
                                   now_us, now_ns)

    def amend(self, handle: int, ticks: int, lots: int, now_us: int, now_ns: int) -> int:
        """Ask for a new price and whole size (filled lots included) of a working order.

        Both the old and the new are held until the venue answers. Returns 0 or a negative mask.
        """
        self.framed = False
        open_lots = self.table.open_lots(handle)
        side = self.table.side(handle)
        if ((self.table.state(handle) != LIVE and self.table.state(handle) != PARTIAL)
                or lots <= self.table.filled_lots(handle) or ticks <= 0):
            return -DENY_INVALID
        if self.table.word(handle, WISH_TICKS) != 0:
            return -DENY_DUPLICATE
        extra = lots - self.table.filled_lots(handle) - open_lots
        if extra < 0:
            extra = 0
        mask = self.gate.check_amend(self.book, side, ticks, lots, extra,
                                     self.table.word(handle, POST_ONLY) != 0, now_ns,
                                     self.table.strategy(handle))
        cost = self.counter.amend_cost(handle, now_ns)
        mask |= self._venue_rules(cost, now_ns, False)
        if mask != 0:
            self.denied += 1
            return -mask
        if self.text.amend_order(self.table.client_id(handle), ticks, lots,
                                 self.table.word(handle, POST_ONLY) != 0,
                                 now_us + self.deadline_us if self.deadline_us > 0 else 0,
                                 self.table.request + 1) < 0:
            return -DENY_INVALID
        if self.gate.hold_more(side, ticks, extra) < 0:
            return -DENY_GROSS
        if self._note(ROW_AMEND, handle, ticks, lots, 0, 0, now_us) < 0:
            self.gate.release_more(side, ticks, extra)
            return -DENY_JOURNAL
        self.table.wish(handle, ticks, lots, extra)
        self.request = self.table.next_request()
        self._spend(cost, now_ns)
        self.counter.moving(handle)
        self.framed = True
        return 0

    def cancel(self, handle: int, now_us: int, now_ns: int, urgent: bool = False) -> int:
        """Ask the venue to cancel an order. Returns 0 or a negative mask.

        Cancels may use what is reserved, and go out even if the journal refuses. An ``urgent`` one
        is tried although the venue's counter may refuse it.
        """
        self.framed = False
        if not self.table.is_open(handle) or self.table.state(handle) == NAMED:
            return -DENY_INVALID
        cost = self.counter.cancel_cost(handle, now_ns)
        if not urgent and self._venue_rules(cost, now_ns, True) != 0:
            return -DENY_VENUE_RATE
        if not self.account.messages.would_take(1, now_ns, True):
            return -DENY_MESSAGE_RATE
        if self.text.cancel_order(self.table.client_id(handle), self.table.request + 1) < 0:
            return -DENY_INVALID
        self.request = self.table.next_request()
        self._spend(cost, now_ns)
        self._note(ROW_CANCEL, handle, self.request, 0, 0, 0, now_us)
        self.framed = True
        return 0

    def acked(self, handle: int, now_us: int = 0) -> int:
        """The venue accepted it."""
        state = self.table.state(handle)
        if state == SENT or state == DOUBT:
            self._note(ROW_ACK, handle, 0, 0, 0, 0, now_us)
        return self.table.acked(handle)

    def rejected(self, handle: int, now_us: int = 0) -> int:
        """The venue refused it: it does not exist."""
        return self.done(handle, REJECTED, now_us)

    def fill(self, handle: int, ticks: int, lots: int, fee_e10: int, fill_key: int = 0,
             now_us: int = 0) -> int:
        """It traded: journal, then position, table and guard. Fills of done orders count too.

        ``fill_key`` is 64 bits of the venue's fill id, for the journal; telling a fill that was
        seen before is the caller's work. Negative: impossible, nothing has changed.
        """
        if self.table.state(handle) <= NAMED or ticks <= 0 or lots <= 0:
            return -1
        side = self.table.side(handle)
        journaled = self._note(ROW_FILL, handle, ticks, lots, fee_e10, fill_key, now_us)
        if self._apply(self.table.strategy(handle), side, ticks, lots, fee_e10) < 0:
            return -1
        code = self.table.filled(handle, lots)
        held = self.table.word(handle, HELD)
        if held > 0:
            if lots < held:
                self.gate.filled(side, self.table.ticks(handle), lots)
                self.table.set_word(handle, HELD, held - lots)
            else:
                self.gate.filled(side, self.table.ticks(handle), held)
                self.table.set_word(handle, HELD, 0)
        self._settle(handle)
        self.gate.revalue()
        return NOT_JOURNALED if journaled < 0 else code

    def stray_fill(self, client_id: int, side: int, ticks: int, lots: int, fee_e10: int,
                   fill_key: int = 0, now_us: int = 0) -> int:
        """A fill of an order that the table no longer has: journal and position.

        Negative: impossible, nothing has changed.
        """
        journaled = self.journal.append_words(
            ROW_FILL, client_id, self.instrument + (side << 16), ticks, lots, fee_e10, fill_key,
            now_us, 0)
        if journaled < 0:
            self.account.state = HALTED
        if self._apply(client_id >> 48, side, ticks, lots, fee_e10) < 0:
            return -1
        self.gate.revalue()
        return NOT_JOURNALED if journaled < 0 else 0

    def done(self, handle: int, state: int, now_us: int = 0) -> int:
        """Nothing more can happen to it; ``state`` is FILLED, CANCELED, REJECTED or EXPIRED."""
        if self.table.state(handle) > NAMED and self.table.is_open(handle) \
                and FULL <= state <= EXPIRED:
            self._note(ROW_DONE, handle, state, self.table.filled_lots(handle), 0, 0, now_us)
        code = self.table.done(handle, state)
        if code == 0:
            self._settle(handle)
        return code

    def doubt(self, handle: int, now_us: int = 0) -> int:
        """Sent, outcome not known: everything stays held."""
        if self.table.is_open(handle) and self.table.state(handle) != DOUBT:
            self._note(ROW_DOUBT, handle, 0, 0, 0, 0, now_us)
        return self.table.doubt(handle)

    def amended(self, handle: int, ticks: int, lots: int, now_us: int = 0) -> int:
        """The venue changed it: ``lots`` is the new whole size."""
        side = self.table.side(handle)
        held = self.table.word(handle, HELD)
        if not self.table.is_open(handle) or self.table.state(handle) == NAMED:
            return -1
        if ticks <= 0 or lots <= 0:
            return -1
        self._note(ROW_AMENDED, handle, ticks, lots, 0, 0, now_us)
        self._unwish(handle)
        self.gate.release_more(side, self.table.ticks(handle), held)
        code = self.table.amended(handle, ticks, lots)
        open_lots = self.table.open_lots(handle)
        if self.gate.hold_more(side, self.table.ticks(handle), open_lots) < 0:
            open_lots = 0
            self.gate.hold_more(side, self.table.ticks(handle), 0)
        self.table.set_word(handle, HELD, open_lots)
        return code

    def amend_rejected(self, handle: int, now_us: int = 0) -> int:
        """The venue refused the amend; the order stays as it was."""
        if self.table.word(handle, WISH_TICKS) == 0:
            return -1
        self._note(ROW_AMEND_REFUSED, handle, 0, 0, 0, 0, now_us)
        self._unwish(handle)
        self.table.unwish(handle)
        self.counter.stayed(handle)
        self._settle(handle)
        return 0

    def discard(self, handle: int, now_us: int = 0) -> int:
        """Take an order back whose frame was never sent."""
        if self.table.state(handle) > NAMED and self.table.is_open(handle):
            self._note(ROW_DISCARD, handle, 0, 0, 0, 0, now_us)
        return self.retire(handle)

    def retire(self, handle: int) -> int:
        """End an order and free its row without a record: for what is never recovered."""
        self.table.done(handle, EXPIRED)
        self._settle(handle)
        return self.table.free(handle)

    def adopt(self, client_id: int, side: int, ticks: int, lots: int, filled_lots: int,
              tif: int, now_us: int, now_ns: int, post_only: bool = False,
              created_us: int = 0) -> int:
        """Enter an order that exists already. Its state is LIVE or PARTIAL.

        ``now_ns`` counts as the moment of its naming, and so does ``created_us``, if it is known.
        Returns its handle, or a negative mask; no rule can deny what exists.
        """
        if side < 0 or side > 1 or ticks <= 0 or filled_lots < 0 or lots <= filled_lots:
            return -DENY_INVALID
        if created_us == 0:
            created_us = now_us
        handle = self.table.name(client_id, self.instrument, client_id >> 48, side, ticks, lots,
                                 tif, created_us, now_ns)
        if handle < 0:
            return -DENY_TABLE_FULL
        if self.gate.hold(side, ticks, lots - filled_lots, now_ns) < 0:
            self.table.done(handle, REJECTED)
            self.table.free(handle)
            return -DENY_GROSS
        flags = self.instrument + (side << 16) + (tif << 20) + ((client_id >> 48) << 32)
        if post_only:
            flags += 1 << 24
        if self.journal.append_words(ROW_ADOPT, client_id, flags, ticks, lots, filled_lots, 0,
                                     now_us, created_us) < 0:
            self.account.state = HALTED
        self.table.set_word(handle, POST_ONLY, 1 if post_only else 0)
        self.table.set_word(handle, HELD, lots - filled_lots)
        self.counter.opened(self.instrument, handle)
        self.table.sent(handle)
        self.table.acked(handle)
        if filled_lots > 0:
            self.table.filled(handle, filled_lots)
        return handle

    def adopt_wish(self, handle: int, ticks: int, lots: int, now_us: int) -> int:
        """An amend of an adopted order was on its way: hold both. Returns 0 or a negative mask."""
        if self.table.word(handle, WISH_TICKS) != 0 or ticks <= 0 or lots <= 0:
            return -DENY_INVALID
        if self.table.state(handle) != LIVE and self.table.state(handle) != PARTIAL:
            return -DENY_INVALID
        extra = lots - self.table.filled_lots(handle) - self.table.open_lots(handle)
        if extra < 0:
            extra = 0
        if self.gate.hold_more(self.table.side(handle), ticks, extra) < 0:
            return -DENY_GROSS
        self._note(ROW_AMEND, handle, ticks, lots, 0, 0, now_us)
        self.table.wish(handle, ticks, lots, extra)
        return 0

    def adopt_position(self, lots: int, cost: int, now_us: int, opened_us: int) -> int:
        """The position becomes ``lots`` at ``cost`` tick-lots without a fill.

        Returns 0, or -1 if the signs differ or an amount is beyond 2**61: nothing has changed.
        """
        if self.journal.append_words(
                ROW_POSITION, 0, self.instrument, lots, cost, self.position.realised,
                self.position.fees_e10, now_us, opened_us) < 0:
            self.account.state = HALTED
        code = self.position.adopt(lots, cost)
        self.gate.revalue()
        return code

    def _name_and_send(self, strategy, side, ticks, lots, tif, post_only, created_us, now_us,
                       now_ns):
        client_id = self.table.next_client_id(strategy)
        handle = self.table.name(client_id, self.instrument, strategy, side, ticks, lots, tif,
                                 created_us, now_ns)
        if handle < 0:
            self.denied += 1
            return -DENY_TABLE_FULL
        if self.gate.hold(side, ticks, lots, now_ns) < 0:
            self.denied += 1
            self.table.done(handle, REJECTED)
            self.table.free(handle)
            return -DENY_GROSS
        self.table.rows[(handle << ROW_BITS) + HELD] = lots
        self.counter.opened(self.instrument, handle)
        flags = self.instrument + (side << 16) + (tif << 20) + (strategy << 32)
        if post_only:
            flags += 1 << 24
            self.table.set_word(handle, POST_ONLY, 1)
        deadline = now_us + self.deadline_us if self.deadline_us > 0 else 0
        self.request = self.table.next_request()
        if self.text.add_order(side, ticks, lots, tif, post_only, client_id, deadline,
                               self.request) < 0:
            return self._undo(handle, DENY_INVALID)
        if self.journal.append_words(ROW_ORDER, client_id, flags, ticks, lots, created_us, now_us,
                                     deadline, self.request) < 0:
            self.account.state = HALTED
            return self._undo(handle, DENY_JOURNAL)
        self._spend(ADD_COST, now_ns)
        self.table.sent(handle)
        self.framed = True
        self.placed += 1
        return handle

    def _spend(self, cost, now_ns):
        # The budgets were asked at this moment already, and remember it.
        self.account.messages.spend(1)
        self.counter.spend(self.instrument, cost, self.request, now_ns)

    def _venue_rules(self, cost, now_ns, reserved):
        if self.counter.would_take(self.instrument, cost, now_ns, reserved):
            return 0
        return DENY_VENUE_RATE

    def _undo(self, handle, reason):
        self.denied += 1
        self.table.done(handle, CANCELED)
        self._settle(handle)
        self.table.free(handle)
        return -reason

    def _settle(self, handle):
        # Once, when the order is over: whatever it still holds goes back.
        at = handle << ROW_BITS
        if self.table.is_open(handle) or self.table.rows[at + HELD] == RELEASED:
            return
        self._unwish(handle)
        self.gate.release(self.table.rows[at + SIDE], self.table.rows[at + TICKS],
                          self.table.rows[at + HELD])
        self.table.rows[at + HELD] = RELEASED
        self.counter.closed(self.instrument)
        if self.table.rows[at + FILLED] == 0:
            self.gate.forget(self.table.rows[at + SIDE], self.table.rows[at + TICKS],
                             self.table.rows[at + LOTS])

    def _unwish(self, handle):
        at = handle << ROW_BITS
        if self.table.rows[at + WISH_TICKS] != 0:
            self.gate.release_more(self.table.rows[at + SIDE], self.table.rows[at + WISH_TICKS],
                                   self.table.rows[at + WISH_HELD])
            self.table.rows[at + WISH_TICKS] = 0
            self.table.rows[at + WISH_LOTS] = 0
            self.table.rows[at + WISH_HELD] = 0

    def _apply(self, strategy, side, ticks, lots, fee_e10):
        before = self.position.lots if self.position.lots >= 0 else -self.position.lots
        if self.position.apply(side, ticks, lots, fee_e10) < 0:
            return -1
        after = self.position.lots if self.position.lots >= 0 else -self.position.lots
        self.gate.note_fill(strategy, after > before)
        return 0

    def _note(self, kind, handle, w2, w3, w4, w5, now_us):
        if self.journal.append_words(
                kind, self.table.client_id(handle),
                self.instrument + (self.table.side(handle) << 16)
                + (self.table.tif(handle) << 20) + (self.table.strategy(handle) << 32),
                w2, w3, w4, w5, now_us, 0) < 0:
            self.account.state = HALTED
            return -1
        return 0
