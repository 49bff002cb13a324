"""Kraken's private stream: what became of our orders, told as events.

Sans-IO: frames in through ``on_frame``, events out; frames to send wait in the outbox. Reports
about an order may come before, after or without the answer to the request that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, rules
from hftbot.venue.kraken.reports import Reports
from hftbot.words.events import (
    BalanceSeen,
    CancelRejected,
    Event,
    ModeChanged,
    OrderAcked,
    OrderAmended,
    OrderDone,
    OrderDoubt,
    OrderRejected,
    PrivateLost,
    PrivateReady,
    VenueError,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import VenueMode
from hftbot.words.ports import Clock
from hftbot.words.secret import Secret

ANSWER_NS = 5_000_000_000
KEEP_NS = 60_000_000_000
ADD = "add_order"
AMEND = "amend_order"
CANCEL = "cancel_order"
CANCEL_ALL = "cancel_all"
CHANNELS = ("executions", "balances")
NO_ANSWER = "no answer within 5 s"


@dataclass(slots=True)
class Call:
    """One request that was sent. ``answered`` means that its outcome needs no more asking."""

    client_id: int
    what: str
    sent_ns: int
    answered: bool = False


class Gateway:
    """Our orders and money over one private connection.

    Requests are found by (method, req_id), so an add and a cancel may carry the same req_id.
    """

    def __init__(self, instruments: Sequence[Instrument], clock: Clock) -> None:
        self.reports = Reports(instruments)
        self.ready = False
        self.rate_threshold = 0
        self.cancelled_all = -1
        self.frames = self.bad_frames = self.gaps = self.repeats = self.unmatched = 0
        self.contradictions = 0
        self._clock = clock
        self._token = Secret("")
        self._sequence = dict.fromkeys(CHANNELS, 0)
        self._snapshot_in = dict.fromkeys(CHANNELS, False)
        self._asked_ns = dict.fromkeys(CHANNELS, 0)
        self._calls: dict[tuple[str, int], Call] = {}
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
        for call in self._calls.values():
            if not call.answered and call.client_id and call.what in (ADD, AMEND):
                found.append(OrderDoubt(call.client_id, f"connection lost: {reason}", now_us))
        self._calls.clear()
        self._outbox.clear()
        self.ready = False
        for channel in CHANNELS:
            self._forget(channel)
        # What this link said of the market ends with it; the next one begins with its own word.
        found.append(ModeChanged(VenueMode.OPEN, now_us, private=True))
        return found

    def note_sent(self, req_id: int, client_id: int, what: str, now_ns: int) -> None:
        """A request left: ``what`` is its method, ``now_ns`` monotonic."""
        self._calls[what, req_id] = Call(client_id, what, now_ns)
        if what == ADD and client_id:
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
        doubtful = []
        for key, call in list(self._calls.items()):
            age_ns = now_ns - call.sent_ns
            if not call.answered and age_ns > ANSWER_NS:
                call.answered = True
                if call.what in (ADD, AMEND):
                    doubtful.append(call.client_id)
                elif call.what == CANCEL:
                    self._events.append(CancelRejected(call.client_id, NO_ANSWER,
                                                       self._clock.now_us()))
            if age_ns > KEEP_NS:
                del self._calls[key]
        for channel in CHANNELS:
            asked_ns = self._asked_ns[channel]
            if asked_ns and not self._snapshot_in[channel] and now_ns - asked_ns > ANSWER_NS:
                self._resubscribe(channel, now_ns)
        return doubtful

    def cancel_frame(self, client_id: int, req_id: int) -> bytes:
        """Cancel one of our orders by its ClientId."""
        return self._request(CANCEL, req_id, cl_ord_id=[codec.client_id_text(client_id)])

    def cancel_venue_frame(self, venue_id: str, req_id: int) -> bytes:
        """Cancel an order by the venue's id, for one that no ClientId of ours names."""
        return self._request(CANCEL, req_id, order_id=[venue_id])

    def cancel_all_frame(self, req_id: int) -> bytes:
        """Cancel every order of the account; ``cancelled_all`` holds the count once answered."""
        self.cancelled_all = -1
        return self._request(CANCEL_ALL, req_id)

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
                "contradictions": self.contradictions, **self.reports.statistics()}

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
            elif "method" in message or message.get("error") is not None:
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
            self._settle_calls(found)
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

    def _settle_calls(self, told: list[Event]) -> None:
        """A report about an order answers the question whether the request arrived."""
        over = {event.client_id for event in told if isinstance(event, OrderDone)}
        amended = over | {event.client_id for event in told if isinstance(event, OrderAmended)}
        for call in self._calls.values():
            if call.what == ADD:
                proved = self.reports.reported(call.client_id)
            else:
                proved = call.client_id in (amended if call.what == AMEND else over)
            call.answered = call.answered or proved

    # --- answers -------------------------------------------------------------------------------

    def _answer(self, message: dict[str, Any], now_ns: int, found: list[Event]) -> None:
        method = codec.text_or(message, "method")
        ts_us = codec.stamp_us(message, "time_out", self._clock.now_us())
        code = codec.text_or(message, "error")
        if not code and message.get("success") is False:
            code = "refused without a reason"
        if method in ("subscribe", "unsubscribe"):
            self._subscription(message, code, ts_us, found)
            return
        req_id = message.get("req_id")
        call = None
        if isinstance(req_id, int):
            call = self._calls.pop((method, req_id), None)
        if code:
            self._refused(method, call, code, ts_us, found)
        elif method == ADD:
            self._added(call, codec.inner(message, "result"), ts_us, found)
        elif method == CANCEL_ALL:
            self.cancelled_all = codec.integer(codec.inner(message, "result"), "count")
        elif method in (AMEND, CANCEL) and call is None:
            self.unmatched += 1

    def _added(self, call: Call | None, result: dict[str, Any], ts_us: int,
               found: list[Event]) -> None:
        venue_id = codec.text_or(result, "order_id")
        client_id = codec.client_id_parse(codec.text_or(result, "cl_ord_id"))
        if call is not None:
            client_id = call.client_id
        if not client_id:
            self.unmatched += 1
            return
        if venue_id:
            self.reports.named(venue_id, client_id)
        found.append(OrderAcked(client_id, venue_id, ts_us))

    def _refused(self, method: str, call: Call | None, code: str, ts_us: int,
                 found: list[Event]) -> None:
        if rules.token_refused(code) or call is None or not call.client_id:
            found.append(VenueError(code, ts_us))
        if call is None:
            self.unmatched += 1
        elif method == ADD and self.reports.reported(call.client_id):
            # The stream already told of this order: it lives, whatever the answer says.
            self.contradictions += 1
            found.append(VenueError(f"order {call.client_id} refused but reported: {code}", ts_us))
        elif method in (ADD, AMEND) and rules.outcome_unknown(code):
            found.append(OrderDoubt(call.client_id, code, ts_us))
        elif method == ADD:
            self.reports.dismiss(call.client_id)
            found.append(OrderRejected(call.client_id, code, ts_us,
                                       rules.may_retry(code)))
        elif method in (AMEND, CANCEL) and call.client_id:
            found.append(CancelRejected(call.client_id, code, ts_us, method == AMEND))

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
            return codec.subscribe(channel, snap_orders=True,
                                   snap_trades=self.reports.awaited(), token=token)
        return codec.subscribe(channel, snapshot=True, token=token)

    def _forget(self, channel: str) -> None:
        self._sequence[channel] = 0
        self._snapshot_in[channel] = False
        self._asked_ns[channel] = 0

    def _request(self, method: str, req_id: int, **params: Any) -> bytes:
        return codec.request(method, {**params, "token": self._token.reveal()}, req_id)


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
