"""DRY_RUN=1 on a live venue: everything up to the send, and a fence where the send would be.

The fence stands at the socket and at the HTTP client, below everything that could want to trade.
What may pass is listed; whatever is not listed is written down instead of being sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from hftbot.engine.recover import KIND_DRY, dry_payload
from hftbot.errors import VenueError
from hftbot.live.session import Session
from hftbot.venue.kraken import codec
from hftbot.wire import ws
from hftbot.words.ports import Http

REASON = "DRY_RUN=1: not sent"
METHODS = frozenset(("subscribe", "unsubscribe", "ping"))
# REST calls that change nothing on the account.
PATHS = frozenset(f"/0/private/{name}" for name in (
    "GetWebSocketsToken", "GetApiKeyInfo", "TradeVolume", "Balance", "BalanceEx", "OpenOrders",
    "ClosedOrders", "TradesHistory", "QueryOrders", "QueryTrades"))
PUBLIC = "/0/public/"
Divert = Callable[[dict[str, Any]], None]


class DryWire:
    """A connected socket through which no order, amend or cancel leaves.

    Everything else about it is the wire's own.
    """

    def __init__(self, wire: ws.WsWire, divert: Divert) -> None:
        self._wire = wire
        self._divert = divert

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Send what only asks or listens; hand over what would have changed the account."""
        content = bytes(frame)
        try:
            message = codec.parse(content)
        except VenueError:
            message = {"method": "unreadable"}
        method = message.get("method")
        # A name that is there twice may mean one thing to us and another to the venue.
        if isinstance(method, str) and method in METHODS and content.count(b'"method"') == 1:
            self._wire.send(frame)
        else:
            self._divert(without_token(message))

    def close(self, reason: str = "closed by us", *, abort: bool = False) -> None:
        """Close; ``abort`` does not wait for the peer."""
        self._wire.close(reason, abort=abort)


def fenced(connect: ws.Connect, divert: Divert) -> ws.Connect:
    """A way to connect whose wires are all DryWires."""
    async def dry_connect(url: str, on_frame: ws.OnFrame, on_close: ws.OnClose) -> Any:
        return DryWire(await connect(url, on_frame, on_close), divert)

    return dry_connect


class DryHttp:
    """An HTTP client that asks and never changes: other calls raise PermissionError unsent."""

    def __init__(self, http: Http, root: str) -> None:
        self._http = http
        self._root = root

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        """As of words.ports.Http."""
        path = url.removeprefix(self._root)
        if path not in PATHS and not (path.startswith(PUBLIC) and method == "GET"):
            _refuse(path)
        return await self._http.request(method, url, headers, body, deadline_s)


def _refuse(path: str) -> NoReturn:
    raise PermissionError(f"{REASON}: {path[:80]}")


def without_token(message: dict[str, Any]) -> dict[str, Any]:
    """The request as it may be kept: without the session's token."""
    params = message.get("params")
    if not isinstance(params, dict):
        return message
    return {**message, "params": {name: value for name, value in params.items()
                                  if name != "token"}}


class DryRun:
    """Writes down what a dry run would have sent, and answers for the venue.

    ``tell`` of ``attach`` gets one line for each request. The journal gets a DRY record beside the
    order's own; the strategy hears of a refusal with REASON, in the venue's form.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._tell: Callable[[str], None] = lambda text: None
        self._session: Session | None = None

    def attach(self, session: Session, tell: Callable[[str], None]) -> None:
        """The session whose orders these are; a refusal of ours is no failure of the venue."""
        self._session = session
        self._tell = tell
        told = session.engine.is_failure
        session.engine.is_failure = lambda code: code != REASON and told(code)

    def divert(self, message: dict[str, Any]) -> None:
        """A request that was not sent: journal, print, refuse."""
        session = self._session
        if session is None:
            raise PermissionError(f"{REASON}: nobody is there to write it down")
        self.requests += 1
        text = json.dumps(message, separators=(",", ":"))
        if session.world.journal.append(KIND_DRY, dry_payload(text)) < 0:
            session.world.guard.journal_failed("the journal refused a DRY record")
        self._tell(f"DRY {sentence(message)}")
        if isinstance(message.get("req_id"), int):
            asyncio.get_running_loop().call_soon(self._refuse, session, message)

    def _refuse(self, session: Session, message: dict[str, Any]) -> None:
        clock = session.world.clock
        stamp = datetime.fromtimestamp(clock.now_us() / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        answer = {"error": REASON, "method": message["method"], "req_id": message["req_id"],
                  "success": False, "time_in": stamp, "time_out": stamp}
        unmapped = session.gateway.unmapped
        session.private_frame(json.dumps(answer).encode(), 0, clock.mono_ns())
        # Our own words are none of the venue's errors.
        session.gateway.unmapped = unmapped


def sentence(message: dict[str, Any]) -> str:
    """One request on one line."""
    params = message.get("params")
    words = params if isinstance(params, dict) else {}
    if message.get("method") == "add_order":
        return (f"{words.get('side')} {words.get('order_qty')} {words.get('symbol')} at "
                f"{words.get('limit_price', 'the market')} {words.get('time_in_force', '')} "
                f"{'post-only ' if words.get('post_only') else ''}"
                f"({words.get('cl_ord_id', 'no name')}): not sent")
    shown = " ".join(f"{name}={value}" for name, value in words.items())
    return f"{message.get('method')} {shown}: not sent"[:400]
