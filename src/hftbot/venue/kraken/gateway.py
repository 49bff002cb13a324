"""Kraken's private stream: what became of our orders, told as events.

Sans-IO: frames in through ``on_frame``, events out; frames to send wait in the outbox. Reports
about an order may come before, after or without the answer to the request that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, refusals, requests, rules
from hftbot.venue.kraken.calls import (
    ADD,
    AMEND,
    ANSWER_NS,
    BATCH_ADD,
    BATCH_CANCEL,
    CANCEL,
    CANCEL_AFTER,
    CANCEL_ALL,
    EDIT,
    MAKERS,
    NO_ANSWER,
    Call,
    Calls,
)
from hftbot.venue.kraken.reports import Reports
from hftbot.words.events import (
    BalanceSeen,
    CancelRejected,
    Event,
    ModeChanged,
    OrderAcked,
    OrderDone,
    OrderDoubt,
    OrderRejected,
    PrivateLost,
    PrivateReady,
    VenueError,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import VenueMode
from hftbot.words.order import OrderState
from hftbot.words.ports import Clock
from hftbot.words.secret import Secret

__all__ = ["CHANNELS", "NO_ANSWER", "Gateway"]

CHANNELS = ("executions", "balances")
VALIDATED = "validated only"
# What floods are answered with has been seen in capitals.
ERROR_KEYS = ("error", "Error")


class Gateway:
    """Our orders and money over one private connection.

    Requests are found by (method, req_id), so an add and a cancel may carry the same req_id.
    """

    def __init__(self, instruments: Sequence[Instrument], clock: Clock) -> None:
        self.reports = Reports(instruments)
        self.ready = False
        self.rate_threshold = 0
        self.cancelled_all = -1
        self.switch = ""
        self.unmapped = 0
        self.frames = self.bad_frames = self.gaps = self.repeats = self.unmatched = 0
        self.contradictions = 0
        # Called with the number of each request of ours that was answered, and when (mono ns).
        self.on_answer: Callable[[int, int], None] = lambda req_id, now_ns: None
        self._clock = clock
        self._token = Secret("")
        self._sequence = dict.fromkeys(CHANNELS, 0)
        self._snapshot_in = dict.fromkeys(CHANNELS, False)
        self._asked_ns = dict.fromkeys(CHANNELS, 0)
        self._calls = Calls()
        self._outbox: list[bytes] = []
        self._events: list[Event] = []

    def connected(self, token: Secret) -> list[bytes]:
        """The subscriptions to send on a new connection, with its token.

        After a loss the last 50 fills are asked for too; only fills of orders that we knew to be
        open before are told again, and the ledger drops those it has.
        """
        self._token = token
        for channel in CHANNELS:
            self._forget(channel)
            self._asked_ns[channel] = self._clock.mono_ns()
        return [self._subscribe(channel) for channel in CHANNELS]

    def disconnected(self, reason: str) -> list[Event]:
        """The connection is gone. Every order without an answer is in doubt."""
        now_us = self._clock.now_us()
        found: list[Event] = [PrivateLost(reason, now_us)]
        found += self._calls.lost(f"connection lost: {reason}", now_us)
        self._outbox.clear()
        self.ready = False
        for channel in CHANNELS:
            self._forget(channel)
        # What this link said of the market ends with it; the next one begins with its own word.
        found.append(ModeChanged(VenueMode.OPEN, now_us, private=True))
        return found

    def note_sent(self, req_id: int, client_id: int, what: str, now_ns: int,
                  validate: bool = False) -> None:
        """A request left: ``what`` is its method, ``now_ns`` monotonic.

        Of an edit, the ClientId is the new order's. With ``validate`` the answer ends the order.
        """
        self._calls.note(req_id, Call(what, (client_id,) if client_id else (), now_ns, validate))
        if client_id and what in MAKERS and not validate:
            self.reports.expect(client_id)

    def note_batch(self, req_id: int, client_ids: Sequence[int], what: str, now_ns: int,
                   validate: bool = False) -> None:
        """A request about several orders left; they are in the order of the request."""
        self._calls.note(req_id, Call(what, tuple(client_ids), now_ns, validate))
        if what in MAKERS and not validate:
            for client_id in client_ids:
                self.reports.expect(client_id)

    def expect(self, client_id: int) -> None:
        """An order of an earlier run may still be working: fills of it that we missed are told."""
        self.reports.expect(client_id)

    def adopt(self, venue_id: str, client_id: int) -> None:
        """An order that is not ours by name is told under this ClientId from now on."""
        self.reports.adopt(venue_id, client_id)

    def overdue(self, now_ns: int) -> list[int]:
        """ClientIds of orders whose add or amend has had no answer for 5 s: they are in doubt.

        Each is named once. Cancels without an answer become CancelRejected in ``take_events``;
        a subscription without an answer is asked again.
        """
        doubtful = self._calls.overdue(now_ns, self._clock.now_us(), self._events)
        for channel in CHANNELS:
            asked_ns = self._asked_ns[channel]
            if asked_ns and not self._snapshot_in[channel] and now_ns - asked_ns > ANSWER_NS:
                self._resubscribe(channel, now_ns)
        return doubtful

    @property
    def token(self) -> Secret:
        """The connection's token, for the builders in ``requests``."""
        return self._token

    def cancel_frame(self, client_id: int, req_id: int) -> bytes:
        """Cancel one of our orders by its ClientId."""
        return requests.cancel(self._token, req_id, client_ids=(client_id,))

    def cancel_venue_frame(self, venue_id: str, req_id: int) -> bytes:
        """Cancel an order by the venue's id, for one that no ClientId of ours names."""
        return requests.cancel(self._token, req_id, venue_ids=(venue_id,))

    def cancel_all_frame(self, req_id: int) -> bytes:
        """Cancel every order of the account; ``cancelled_all`` holds the count once answered."""
        self.cancelled_all = -1
        return requests.cancel_all(self._token, req_id)

    def switch_frame(self, timeout_s: int, req_id: int) -> bytes:
        """Restart the dead man's switch (0: off); ``switch`` is then when it fires, ``0`` if off.

        Raises ValueError beyond a day.
        """
        self.switch = ""
        return requests.cancel_all_after(timeout_s, self._token, req_id)

    def ask_again(self, now_ns: int) -> None:
        """Ask the venue for its list of our orders: OrdersSeen follows. Sight is kept meanwhile."""
        if self._snapshot_in["executions"]:
            self._resubscribe("executions", now_ns)

    def take_outbox(self) -> list[bytes]:
        """Frames that have to be sent now."""
        taken, self._outbox = self._outbox, []
        return taken

    def take_events(self) -> list[Event]:
        """Events that came from the passing of time (see ``overdue``)."""
        taken, self._events = self._events, []
        return taken

    def statistics(self) -> dict[str, int]:
        """Counters for the summary."""
        return {"frames": self.frames, "bad_frames": self.bad_frames, "gaps": self.gaps,
                "repeats": self.repeats, "unmatched_answers": self.unmatched,
                "contradictions": self.contradictions, "unmapped_errors": self.unmapped,
                **self.reports.statistics()}

    def on_frame(self, data: bytes | memoryview, recv_ns: int) -> list[Event]:
        """One text frame; never raises. Returns its events, oldest first.

        A frame that cannot be read may have been a fill: the stream counts as broken and is
        subscribed afresh.
        """
        self.frames += 1
        found: list[Event] = []
        try:
            message = codec.parse(data)
        except BadFrame as error:
            self._unreadable("executions", str(error), recv_ns, found)
            return found
        channel = message.get("channel")
        try:
            if channel == "status":
                found += [ModeChanged(rules.mode_of(codec.text(row, "system")),
                                      self._clock.now_us(), private=True)
                          for row in codec.rows(message)]
            elif channel in CHANNELS and "method" not in message:
                self._report(str(channel), message, recv_ns, found)
            elif "method" in message or any(message.get(key) is not None for key in ERROR_KEYS):
                self._answer(message, recv_ns, found)
        except BadFrame as error:
            self._unreadable(channel if channel in CHANNELS else "", str(error), recv_ns, found)
        return found

    # --- reports -------------------------------------------------------------------------------

    def _report(self, channel: str, message: dict[str, Any], now_ns: int,
                found: list[Event]) -> None:
        snapshot = message.get("type") == "snapshot"
        if not self._in_sequence(channel, codec.integer(message, "sequence"), snapshot, now_ns,
                                 found):
            return
        ts_us = self._clock.now_us()
        if channel == "balances":
            for row in codec.rows(message):
                _balance(row, snapshot, ts_us, found)
        elif snapshot:
            self.reports.snapshot(message, ts_us, found)
        else:
            self.reports.update(message, ts_us, found)
        if channel == "executions":
            self._calls.settle(found, self.reports.reported,
                               None if snapshot else self.reports.touched)
        if snapshot:
            self._snapshot_in[channel] = True
            if not self.ready and all(self._snapshot_in.values()):
                self.ready = True
                found.append(PrivateReady(ts_us))

    def _in_sequence(self, channel: str, sequence: int, snapshot: bool, now_ns: int,
                     found: list[Event]) -> bool:
        """Track the sequence. False if the frame is a repeat and must be dropped."""
        last = self._sequence[channel]
        if not snapshot and last:
            if sequence <= last:
                self.repeats += 1
                return False
            if sequence > last + 1:
                self.gaps += 1
                self._broke(channel, f"{channel}: sequence {sequence} follows {last}", now_ns,
                            found)
        self._sequence[channel] = sequence
        return True

    # --- answers -------------------------------------------------------------------------------

    def _answer(self, message: dict[str, Any], now_ns: int, found: list[Event]) -> None:
        method = codec.text_or(message, "method")
        ts_us = self._answered_us(message)
        code = codec.text_or(message, "error") or codec.text_or(message, "Error")
        if code and not refusals.row_of(code):
            self.unmapped += 1
        if not code and message.get("success") is False:
            code = "refused without a reason"
        if method in ("subscribe", "unsubscribe"):
            self._subscription(message, code, ts_us, found)
            return
        call = self._calls.find(method, message.get("req_id"))
        if call is not None:
            self.on_answer(message["req_id"], now_ns)
        if method == CANCEL:
            self._cancelled(call, message, code, ts_us, found)
            return
        self._calls.close(method, message.get("req_id"))
        rows = message.get("result")
        if method == BATCH_ADD and isinstance(rows, list):
            self._batch_added(call, message, ts_us, found)
        elif code:
            self._refused(method, call, code, ts_us, found)
        elif method in (ADD, EDIT):
            self._added(call, codec.inner(message, "result"), ts_us, found)
        elif method == CANCEL_ALL:
            self.cancelled_all = codec.integer(codec.inner(message, "result"), "count")
        elif method == CANCEL_AFTER:
            self.switch = codec.text(codec.inner(message, "result"), "triggerTime")
        elif method == BATCH_CANCEL:
            self._batch_cancelled(call, message)
        elif method == BATCH_ADD:
            raise BadFrame("the answer to a batch has no rows")
        elif method == AMEND and call is None:
            self.unmatched += 1

    def _answered_us(self, message: dict[str, Any]) -> int:
        """When the venue answered; an odd stamp must not cost us the answer."""
        now_us = self._clock.now_us()
        try:
            return codec.stamp_us(message, "time_out", now_us)
        except BadFrame:
            return now_us

    def _added(self, call: Call | None, result: dict[str, Any], ts_us: int,
               found: list[Event]) -> None:
        venue_id = codec.text_or(result, "order_id")
        client_id = codec.client_id_parse(codec.text_or(result, "cl_ord_id"))
        if call is not None:
            client_id = call.client_id
        if not client_id:
            self.unmatched += 1
            return
        if call is not None and call.validate:
            found.append(OrderDone(client_id, OrderState.CANCELED, 0, VALIDATED, ts_us))
            return
        if venue_id and call is not None and call.what == EDIT:
            self.reports.adopt(venue_id, client_id)
        elif venue_id:
            self.reports.named(venue_id, client_id)
        found.append(OrderAcked(client_id, venue_id, ts_us))

    def _batch_added(self, call: Call | None, message: dict[str, Any], ts_us: int,
                     found: list[Event]) -> None:
        """One row an order, in the order of the request; a row may be a refusal."""
        rows = list(codec.rows(message, "result"))
        if call is None:
            self.unmatched += 1
            return
        for client_id, row in zip(call.client_ids, rows, strict=False):
            one = Call(ADD, (client_id,), call.sent_ns, call.validate)
            if row.get("error") is not None:
                self._refused(ADD, one, codec.text(row, "error"), ts_us, found)
            else:
                self._added(one, row, ts_us, found)
        for client_id in call.client_ids[len(rows):]:
            found.append(OrderDoubt(client_id, "the batch's answer has no row for it", ts_us))

    def _refused(self, method: str, call: Call | None, code: str, ts_us: int,
                 found: list[Event]) -> None:
        if rules.token_refused(code) or call is None or not call.client_ids:
            found.append(VenueError(code, ts_us))
        if call is None:
            self.unmatched += 1
            return
        for client_id in call.client_ids:
            if method in MAKERS:
                self._not_added(call, client_id, code, ts_us, found)
            elif method == AMEND and rules.outcome_unknown(code):
                found.append(OrderDoubt(client_id, code, ts_us))
            elif method in (AMEND, CANCEL, BATCH_CANCEL):
                found.append(CancelRejected(client_id, code, ts_us, method == AMEND))

    def _not_added(self, call: Call, client_id: int, code: str, ts_us: int,
                   found: list[Event]) -> None:
        if self.reports.reported(client_id) and not call.validate:
            # The stream already told of this order: it lives, whatever the answer says.
            self.contradictions += 1
            found.append(VenueError(f"order {client_id} refused but reported: {code}", ts_us))
        elif rules.outcome_unknown(code) and not call.validate:
            found.append(OrderDoubt(client_id, code, ts_us))
        else:
            self.reports.dismiss(client_id)
            found.append(OrderRejected(client_id, code, ts_us, rules.may_retry(code)))

    def _cancelled(self, call: Call | None, message: dict[str, Any], code: str, ts_us: int,
                   found: list[Event]) -> None:
        """One answer comes for each order of a cancel; a refusal does not say for which."""
        if call is None or not call.client_ids:
            self._calls.close(CANCEL, message.get("req_id"))
            if code:
                self._refused(CANCEL, call, code, ts_us, found)
            else:
                self.unmatched += call is None
            return
        if code:
            call.refusals += (code,)
        else:
            result = codec.inner(message, "result")
            named = codec.client_id_parse(codec.text_or(result, "cl_ord_id"))
            named = named or self.reports.client_of(codec.text_or(result, "order_id"))
            call.good |= {named if named in call.client_ids else call.client_id}
            call.settled |= call.good
        if len(call.good) + len(call.refusals) < len(call.client_ids):
            return
        self._calls.close(CANCEL, message.get("req_id"))
        refused = [client_id for client_id in call.client_ids if client_id not in call.good]
        for client_id, reason in zip(refused, call.refusals, strict=False):
            one = Call(CANCEL, (client_id,), call.sent_ns)
            self._refused(CANCEL, one, reason, ts_us, found)

    def _batch_cancelled(self, call: Call | None, message: dict[str, Any]) -> None:
        """Both shapes of the count. If it is short, the stream tells of those that were cancelled;
        the others count as not answered.
        """
        where = message if message.get("orders_cancelled") is not None \
            else codec.inner(message, "result")
        key = "orders_cancelled" if where is message else "count"
        count = codec.integer(where, key)
        if call is None:
            self.unmatched += 1
        elif count < len(call.client_ids):
            self._calls.note(codec.integer(message, "req_id"), call)

    def _subscription(self, message: dict[str, Any], code: str, ts_us: int,
                      found: list[Event]) -> None:
        result = message.get("result")
        named = codec.text_or(result if isinstance(result, dict) else message, "channel")
        if not code:
            if named == "executions" and isinstance(result, dict) and "maxratecount" in result:
                self.rate_threshold = codec.integer(result, "maxratecount")
            return
        if code.startswith(("Already subscribed", "Subscription Not Found")):
            return
        found.append(VenueError(code, ts_us))
        if named != "balances" and self.ready:
            self.ready = False
            found.append(PrivateLost(code, ts_us))

    # --- breakage ------------------------------------------------------------------------------

    def _unreadable(self, channel: str, reason: str, now_ns: int, found: list[Event]) -> None:
        self.bad_frames += 1
        found.append(VenueError(f"unreadable frame: {reason}"[:codec.TEXT_MAX],
                                self._clock.now_us()))
        if channel:
            self._broke(channel, f"unreadable frame: {reason}"[:codec.TEXT_MAX], now_ns, found)

    def _broke(self, channel: str, reason: str, now_ns: int, found: list[Event]) -> None:
        """A message is missing: subscribe afresh, once until the new snapshot is in."""
        if not self._snapshot_in[channel]:
            return
        if self.ready:
            self.ready = False
            found.append(PrivateLost(reason, self._clock.now_us()))
        self._resubscribe(channel, now_ns)

    def _resubscribe(self, channel: str, now_ns: int) -> None:
        self._snapshot_in[channel] = False
        self._asked_ns[channel] = now_ns
        self._outbox += [codec.subscribe(channel, undo=True, token=self._token.reveal()),
                         self._subscribe(channel)]

    def _subscribe(self, channel: str) -> bytes:
        token = self._token.reveal()
        if channel == "executions":
            return codec.subscribe(channel, snap_orders=True, ratecounter=True,
                                   snap_trades=self.reports.awaited(), token=token)
        return codec.subscribe(channel, snapshot=True, token=token)

    def _forget(self, channel: str) -> None:
        self._sequence[channel] = 0
        self._snapshot_in[channel] = False
        self._asked_ns[channel] = 0


def _balance(row: codec.Row, snapshot: bool, ts_us: int, found: list[Event]) -> None:
    """A balance row. Only the spot wallet counts: what is staked cannot be traded."""
    asset = codec.text(row, "asset")
    if snapshot and row.get("wallets"):
        for wallet in codec.rows(row, "wallets"):
            if wallet.get("type") == "spot" and wallet.get("id") == "main":
                found.append(BalanceSeen(asset, codec.e10(wallet, "balance"), ts_us))
        return
    if row.get("wallet_type", "spot") == "spot" and row.get("wallet_id", "main") == "main":
        found.append(BalanceSeen(asset, codec.e10(row, "balance"),
                                 codec.stamp_us(row, default_us=ts_us)))
