"""One WebSocket connection to the venue: requests, acks, subscriptions, frames on their way."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from hftbot.exchange import subscriptions, trading
from hftbot.exchange.door_limits import SlidingCount
from hftbot.exchange.kraken_text import quoted
from hftbot.exchange.reports import ReportWishes
from hftbot.exchange.request_forms import check_form
from hftbot.exchange.requests import FRAME_BYTES_MAX, WRONG_HOST, Refused, parse
from hftbot.exchange.settings import PUBLIC_ANSWER_US

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

HEARTBEAT_US = 1_000_000
HEARTBEAT = '{"channel":"heartbeat"}'
INT64_MAX = (1 << 63) - 1
GOING_AWAY, POLICY_VIOLATION = 1001, 1008
EMPTY_US = 100_000
# Streams of one connection; each keeps its own order.
DATA, ACKS, REPORTS = 0, 1, 2


class Connection:
    """``on_text`` takes a frame, ``take`` gives the frames that are due."""

    def __init__(self, face: KrakenFace, kind: str, connection_id: int) -> None:
        self.face = face
        self.kind = kind
        self.connection_id = connection_id
        self.closed = False
        # The venue wants to end it, with this code: who holds the socket closes it.
        self.hung_up = False
        self.close_code = GOING_AWAY
        # (channel, symbol) to the depth of a book, the trigger of a ticker, else 1.
        self.subscriptions: dict[tuple[str, str], int] = {}
        self.sequences: dict[str, int] = {}
        # What its subscription to executions asked for.
        self.wishes = ReportWishes()
        self.tokens: list[str] = []
        self.heartbeats = False
        # Frames on their way: due time, order, text.
        self.out: list[tuple[int, int, str]] = []
        self.last_due = [0, 0, 0]
        self.last_arrival_us = 0
        self.last_engine_us = 0
        switches = face.settings.switches
        self.requests = (SlidingCount(switches.messages_per_s) if switches.messages_per_s
                         else None)
        self.strikes = 0
        # What the idle clock counts from.
        self.request_us = self.empty_us = face.now_us
        if switches.idle_close_s:
            self.face.later(face.now_us + switches.idle_close_s * 1_000_000, self.look_idle)
        self.data(face.operations.status_frame(connection_id), face.now_us)

    # Frames out.

    def send(self, text: str, written_us: int, stream: int) -> None:
        """Put a frame on its way; it arrives after the network's delay, in its stream's order."""
        face, last_due = self.face, self.last_due
        due = max(last_due[stream], written_us + face.network_us())
        last_due[stream] = due
        heappush(self.out, (due, next(face.order_of_actions), text))

    def data(self, text: str, written_us: int) -> None:
        """Send market data."""
        self.send(text, written_us, DATA)

    def sequenced(self, channel: str, kind: str, frames: Iterable[str], written_us: int) -> None:
        """Send private frames, each by its rows, if the channel is subscribed; numbers them."""
        if (channel, "") not in self.subscriptions:
            return
        face, out, last, number = self.face, self.out, self.last_due, self.sequences[channel]
        if not face.settings.switches.reports_before_ack:
            last[REPORTS] = max(last[REPORTS], last[ACKS])
        for rows in frames:
            number += 1
            last[REPORTS] = due = max(last[REPORTS], written_us + face.network_us())
            heappush(out, (due, next(face.order_of_actions), f'{{"channel":"{channel}","type":'
                           f'"{kind}","data":[{rows}],"sequence":{number}}}'))
        self.sequences[channel] = number

    def take(self) -> list[str]:
        """Frames that have arrived at the client by now, in order."""
        frames: list[str] = []
        out, now_us = self.out, self.face.now_us
        while out and out[0][0] <= now_us:
            frames.append(heappop(out)[2])
        if frames:
            self.face.counts["frames_out"] += len(frames)
        return frames

    def next_due_us(self) -> int | None:
        """When the next frame arrives, or None."""
        return self.out[0][0] if self.out else None

    # Acks.

    def ack(self, method: str, req_id: int | None, result: str, in_us: int, out_us: int,
            success: bool = True) -> None:
        """A positive answer; ``result`` is JSON."""
        stamps = self.face.stamps
        number = "" if req_id is None else f'"req_id":{req_id},'
        self.send(f'{{"method":"{method}",{number}"result":{result},'
                  f'"success":{"true" if success else "false"},'
                  f'"time_in":"{stamps.micro(in_us)}","time_out":"{stamps.micro(out_us)}"}}',
                  out_us, ACKS)

    def ack_plain(self, method: str, req_id: int | None, pair: str, in_us: int,
                  out_us: int) -> None:
        """A positive answer with a member of its own in place of ``result``."""
        stamps = self.face.stamps
        number = "" if req_id is None else f'"req_id":{req_id},'
        self.send(f'{{"method":"{method}",{pair},{number}"success":true,'
                  f'"time_in":"{stamps.micro(in_us)}","time_out":"{stamps.micro(out_us)}"}}',
                  out_us, ACKS)

    def refuse(self, error: str, method: str, req_id: int | None, in_us: int, out_us: int,
               symbol: str = "", channel: str = "") -> None:
        """A negative answer, keys in the venue's alphabetical order."""
        stamps = self.face.stamps
        number = "" if req_id is None else f'"req_id":{req_id},'
        named = f'"symbol":{quoted(symbol)},' if symbol else ""
        verb = f'"method":{quoted(method)},' if method else ""
        head = f'"channel":"{channel}",' if channel else ""
        state = '"status":"error",' if channel else ""
        self.send(f'{{{head}"error":{quoted(error)},{verb}{number}{state}"success":false,{named}'
                  f'"time_in":"{stamps.micro(in_us)}","time_out":"{stamps.micro(out_us)}"}}',
                  out_us, ACKS)

    # Frames in.

    def on_text(self, frame: str | bytes) -> None:
        """A text frame leaves the client now; the venue sees it after the network's delay."""
        if isinstance(frame, bytes):
            frame = frame.decode(errors="replace")
        self.on_its_way(frame)

    def on_binary(self) -> None:
        """A binary frame, which the venue does not speak."""
        self.on_its_way("")

    def on_its_way(self, frame: str) -> None:
        """The network delays a frame and keeps the order of a connection."""
        face = self.face
        face.counts["frames_in"] += 1
        sent_us = max(face.now_us, face.clock.now_us())
        arrival = max(self.last_arrival_us, sent_us + face.network_us())
        self.last_arrival_us = arrival
        face.later(arrival, partial(self.arrived, frame))

    def arrived(self, frame: str, now_us: int) -> None:
        """The venue reads a frame."""
        if self.closed:
            return
        self.request_us = now_us
        if self.requests is not None and not self.requests.pay(1, now_us):
            self.flooded(now_us)
            return
        message = None
        if len(frame) <= FRAME_BYTES_MAX:
            message = parse(frame)
        if message is None:
            self.refuse("Malformed request", "", None, now_us, now_us + PUBLIC_ANSWER_US)
            return
        req_id = message.get("req_id")
        method = message.get("method")
        if (req_id is not None and (isinstance(req_id, bool) or not isinstance(req_id, int)
                                   or abs(req_id) > INT64_MAX)) or not isinstance(method, str):
            self.refuse("Malformed request", "", None, now_us, now_us + PUBLIC_ANSWER_US)
            return
        params = message.get("params")
        try:
            if method == "ping":
                self.ping(req_id, "params" in message, now_us)
                return
            if not isinstance(params, dict):
                raise Refused("Malformed request")
            self.dispatch(method, req_id, params, now_us)
        except Refused as refusal:
            self.refuse(str(refusal), method, req_id, now_us, now_us + PUBLIC_ANSWER_US)

    def ping(self, req_id: int | None, has_params: bool, now_us: int) -> None:
        """Answer a ping."""
        if has_params:
            raise Refused("Unsupported field: 'params' for the given msg type: ping")
        stamps = self.face.stamps
        number = "" if req_id is None else f'"req_id":{req_id},'
        self.send(f'{{"method":"pong",{number}"time_in":"{stamps.micro(now_us)}",'
                  f'"time_out":"{stamps.micro(now_us + PUBLIC_ANSWER_US)}"}}',
                  now_us + PUBLIC_ANSWER_US, ACKS)

    def dispatch(self, method: str, req_id: int | None, params: dict[str, Any],
                 now_us: int) -> None:
        """Route a request to its handler."""
        if method in ("subscribe", "unsubscribe"):
            subscriptions.handle(self, method, req_id, params, now_us)
            return
        handler = trading.METHODS.get(method)
        if handler is None:
            raise Refused("Unsupported event")
        if self.kind != "private":
            raise Refused(WRONG_HOST["public"])
        check_form(method, params)
        self.check_token(params, now_us)
        at = now_us + self.face.engine_us()
        if self.face.settings.switches.requests_in_order:
            at = max(at, self.last_engine_us)
        self.last_engine_us = at
        self.face.later(at, partial(self.at_engine, handler, method, req_id, params, now_us))

    def check_token(self, params: dict[str, Any], now_us: int) -> str:
        """The request's token; raises Refused."""
        token = params.get("token")
        if not isinstance(token, str) or not token:
            raise Refused("Token(s) not found")
        if not self.face.gate.valid(token, now_us):
            raise Refused("ESession:Invalid session")
        return token

    def at_engine(self, handler: trading.Handler, method: str, req_id: int | None,
                  params: dict[str, Any], in_us: int, now_us: int) -> None:
        """The engine gets to a trading request."""
        try:
            handler(self, method, req_id, params, in_us, now_us)
        except Refused as refusal:
            self.refuse(str(refusal), method, req_id, in_us, now_us)

    def flooded(self, now_us: int) -> None:
        """Too many requests: this one is lost, and who goes on like that is thrown out."""
        switches = self.face.settings.switches
        self.strikes += 1
        if self.strikes > switches.messages_per_s:
            self.hang_up(POLICY_VIOLATION)
        elif switches.message_rate_error == "bare":
            self.send('{"Error":"Exceeded msg rate"}', now_us, ACKS)
        else:
            self.refuse("Exceeded msg rate", "", None, now_us, now_us + PUBLIC_ANSWER_US)

    # The connection's life.

    def hang_up(self, code: int) -> None:
        """The venue ends the connection."""
        self.hung_up, self.close_code = True, code

    def look_idle(self, now_us: int) -> None:
        """End a socket without subscriptions that is idle; look again when it could be."""
        if self.closed:
            return
        idle_us = self.face.settings.switches.idle_close_s * 1_000_000
        since_us = now_us
        if not self.subscriptions:
            # A ping keeps a public connection; a private one needs a subscription.
            since_us = max(self.request_us, self.empty_us) if self.kind == "public" \
                else self.empty_us
        if now_us - since_us >= idle_us:
            self.hang_up(GOING_AWAY)
        else:
            self.face.later(since_us + idle_us, self.look_idle)

    def beat(self, now_us: int) -> None:
        """Start the heartbeat grid with the first subscription."""
        if self.heartbeats:
            return
        self.heartbeats = True

        def tick(at_us: int) -> None:
            if self.closed or not self.subscriptions:
                self.heartbeats = False
                return
            self.data(HEARTBEAT, at_us)
            self.face.later(at_us + HEARTBEAT_US, tick)
        self.face.later(now_us + HEARTBEAT_US, tick)

    def enroll(self, key: tuple[str, str], value: int) -> None:
        """Subscribe: (channel, symbol), and a book's depth or a ticker's trigger, else 1."""
        self.subscriptions[key] = value
        self.face.feed.enroll(self, key, value)

    def leave(self, key: tuple[str, str]) -> None:
        """Unsubscribe what was subscribed."""
        self.face.feed.leave(self, key, self.subscriptions.pop(key))
        self.empty_us = self.face.now_us
        if not self.subscriptions and self.face.settings.switches.empty_socket == "close":
            def end(_now_us: int) -> None:
                if not self.subscriptions:
                    self.hang_up(GOING_AWAY)
            # A moment later, so that the answer still arrives.
            self.face.later(self.face.now_us + EMPTY_US, end)

    def close(self) -> None:
        """The client is gone; what is on its way is lost."""
        if self.closed:
            return
        self.closed = True
        self.out.clear()
        for key in list(self.subscriptions):
            self.leave(key)
        for token in self.tokens:
            self.face.gate.let_go(token)
        if self in self.face.connections:
            self.face.connections.remove(self)


def whole(value: Any) -> int | None:
    """A JSON integer, or None."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return int(value) if value == int(value) else None
