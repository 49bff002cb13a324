"""Kraken's REST: requests as bytes to send, answers as records. Sans-IO.

A builder returns a Call; ``Call.signed`` makes path, headers and body of a private one, with a
nonce that its caller takes as late as possible, and ``Call.target`` is the path of a public one,
to be fetched with GET. Each ``<name>_answer`` takes HTTP status and body, and raises the mapped
VenueReject, TransportError if the API was not reached, or BadFrame.

An order whose answer was lost, or is one of ``rules.outcome_unknown``, may exist: ask
``query_orders`` or ``open_orders`` for it, never send it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, rest_rows, rules
from hftbot.venue.kraken.rest_rows import (
    ApiKey,
    Balance,
    Pair,
    Placed,
    RestOrder,
    RestTrade,
    TradeVolume,
)
from hftbot.words.market import VenueMode
from hftbot.words.secret import Secret

PUBLIC = "/0/public/"
PRIVATE = "/0/private/"
BATCH_MIN = 2
BATCH_MAX = 15
CANCELS_MAX = 50
PAGE = 50
PLACING = frozenset((PRIVATE + "AddOrder", PRIVATE + "AddOrderBatch"))

Signed = tuple[str, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its path and its parameters in the order of the body."""

    path: str
    params: tuple[tuple[str, str], ...] = ()

    @property
    def private(self) -> bool:
        """True if it has to be signed and posted."""
        return self.path.startswith(PRIVATE)

    @property
    def places_orders(self) -> bool:
        """True if a lost answer leaves open whether orders exist: ask, never send again."""
        return self.path in PLACING

    @property
    def target(self) -> str:
        """Path and query of a public request."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    def signed(self, key: Secret, secret: Secret, nonce: int) -> Signed:
        """(path, headers, body) of a private request. Raises ConfigError for a bad secret."""
        return rules.private_request(self.path, dict(self.params), key, secret, nonce)


def _call(path: str, params: Mapping[str, object]) -> Call:
    """Parameters that are empty or None are left out; true and false are Kraken's words."""
    told = []
    for name, value in params.items():
        if isinstance(value, bool):
            value = "true" if value else ""
        if value is not None and str(value):
            told.append((name, str(value)))
    return Call(path, tuple(told))


# --- public --------------------------------------------------------------------------------------

def server_time() -> Call:
    """What the venue's clock says."""
    return Call(PUBLIC + "Time")


def server_time_answer(status: int, body: bytes) -> int:
    """Wall-clock microseconds, whole seconds."""
    return rest_rows.seconds_us(rules.answer_of(status, body), "unixtime")


def system_status() -> Call:
    """Which orders the venue accepts now."""
    return Call(PUBLIC + "SystemStatus")


def system_status_answer(status: int, body: bytes) -> tuple[VenueMode, int]:
    """(mode, since or as of when in wall-clock microseconds)."""
    result = rules.answer_of(status, body)
    return rules.mode_of(codec.text(result, "status")), codec.stamp_us(result)


def asset_pairs(pairs: Sequence[str] = ()) -> Call:
    """Grids and minimums of these pairs, or of all."""
    return _call(PUBLIC + "AssetPairs", {"pair": ",".join(pairs)})


def asset_pairs_answer(status: int, body: bytes) -> list[Pair]:
    """The pairs. One that cannot be read is left out, as in ``rules.instruments_from``."""
    found = []
    for name, row in rest_rows.named(rules.answer_of(status, body)):
        try:
            found.append(rest_rows.pair(name, row))
        except BadFrame:
            continue
    return found


# --- account -------------------------------------------------------------------------------------

def balance() -> Call:
    """What the account holds in all, holds of orders included."""
    return Call(PRIVATE + "Balance")


def balance_answer(status: int, body: bytes) -> dict[str, Decimal]:
    """Asset (ZUSD, XXBT, ATOM.S) to amount in units of the asset."""
    result = rules.answer_of(status, body)
    return {codec.text({"asset": asset}, "asset"): rest_rows.amount(result, asset)
            for asset in result}


def extended_balance() -> Call:
    """What the account holds, and how much of it open orders bind."""
    return Call(PRIVATE + "BalanceEx")


def extended_balance_answer(status: int, body: bytes) -> list[Balance]:
    """One row an asset."""
    return [Balance(asset, rest_rows.amount(row, "balance"), rest_rows.amount(row, "hold_trade"),
                    rest_rows.amount_or(row, "credit"), rest_rows.amount_or(row, "credit_used"))
            for asset, row in rest_rows.named(rules.answer_of(status, body))]


def trade_volume(pairs: Sequence[str] = ()) -> Call:
    """The account's 30-day volume, and its own fees of these pairs (symbols or REST names)."""
    return _call(PRIVATE + "TradeVolume", {"pair": ",".join(pairs)})


def trade_volume_answer(status: int, body: bytes) -> TradeVolume:
    """Volume and fees; Kraken names the pairs by their REST names (XXBTZUSD)."""
    return rest_rows.trade_volume(rules.answer_of(status, body))


def api_key_info() -> Call:
    """What the key that signs this may do."""
    return Call(PRIVATE + "GetApiKeyInfo")


def api_key_info_answer(status: int, body: bytes) -> ApiKey:
    """Name and rights of the key."""
    return rest_rows.api_key(rules.answer_of(status, body))


def websockets_token() -> Call:
    """A token for the private stream."""
    return Call(PRIVATE + "GetWebSocketsToken")


def websockets_token_answer(status: int, body: bytes) -> Secret:
    """The token: it must be used within 15 minutes."""
    token = codec.text(rules.answer_of(status, body), "token")
    if not token:
        raise BadFrame("the token is empty")
    return Secret(token)


# --- orders and trades of the account ------------------------------------------------------------

def open_orders(trades: bool = False, userref: int | None = None, cl_ord_id: str = "") -> Call:
    """Every working order; ``trades`` adds the ids of their executions."""
    return _call(PRIVATE + "OpenOrders",
                 {"trades": trades, "userref": userref, "cl_ord_id": cl_ord_id})


def open_orders_answer(status: int, body: bytes) -> list[RestOrder]:
    """The working orders."""
    return _orders(status, body, "open")


def closed_orders(start_s: int = 0, end_s: int = 0, offset: int = 0, trades: bool = False,
                  userref: int | None = None, cl_ord_id: str = "") -> Call:
    """A page of orders that are done, newest first; ``offset`` skips that many."""
    return _call(PRIVATE + "ClosedOrders",
                 {"trades": trades, "userref": userref, "cl_ord_id": cl_ord_id,
                  "start": start_s or None, "end": end_s or None, "ofs": offset or None})


def closed_orders_answer(status: int, body: bytes) -> list[RestOrder]:
    """The orders of this page."""
    return _orders(status, body, "closed")


def query_orders(venue_ids: Sequence[str], trades: bool = False) -> Call:
    """These orders, working or done, by the venue's ids. Raises ValueError for none or > 50."""
    if not 0 < len(venue_ids) <= PAGE:
        raise ValueError(f"QueryOrders asks for 1 to {PAGE} orders, not {len(venue_ids)}")
    return _call(PRIVATE + "QueryOrders", {"trades": trades, "txid": ",".join(venue_ids)})


def query_orders_answer(status: int, body: bytes) -> list[RestOrder]:
    """The orders that the venue knows."""
    return _orders(status, body, "")


def trades_history(start: str = "", end: str = "", offset: int = 0,
                   ledgers: bool = False) -> Call:
    """A page of 50 executions, newest first. ``start`` and ``end`` are seconds or trade ids."""
    return _call(PRIVATE + "TradesHistory",
                 {"start": start, "end": end, "ofs": offset or None, "ledgers": ledgers})


def trades_history_answer(status: int, body: bytes) -> tuple[list[RestTrade], int]:
    """(executions of this page, how many there are in all; -1 if it was not counted)."""
    result = rules.answer_of(status, body)
    count = codec.integer(result, "count") if result.get("count") is not None else -1
    return [rest_rows.trade(exec_id, row) for exec_id, row in rest_rows.named(result, "trades")], \
        count


def _orders(status: int, body: bytes, key: str) -> list[RestOrder]:
    return [rest_rows.order(venue_id, row)
            for venue_id, row in rest_rows.named(rules.answer_of(status, body), key)]


# --- orders --------------------------------------------------------------------------------------

def add_order(pair: str, order: Mapping[str, str], deadline: str = "",
              validate: bool = False) -> Call:
    """One order. ``order`` holds Kraken's own fields, as ``Terms.rest_params`` writes them.

    ``deadline`` is RFC 3339 text, 2 to 60 s from now: the engine refuses the order after it.
    """
    return _call(PRIVATE + "AddOrder",
                 {"pair": pair, **order, "deadline": deadline, "validate": validate})


def add_order_answer(status: int, body: bytes) -> Placed:
    """The order's id and what it was understood to be."""
    return rest_rows.placed(rules.answer_of(status, body))


def add_order_batch(pair: str, orders: Sequence[Mapping[str, str]], deadline: str = "",
                    validate: bool = False) -> Call:
    """2 to 15 orders of one pair. Raises ValueError for another count."""
    if not BATCH_MIN <= len(orders) <= BATCH_MAX:
        raise ValueError(f"a batch holds {BATCH_MIN} to {BATCH_MAX} orders, not {len(orders)}")
    told: dict[str, object] = {"pair": pair}
    for index, order in enumerate(orders):
        for name, value in order.items():
            head, bracket, rest = name.partition("[")
            told[f"orders[{index}][{head}]{bracket}{rest}"] = value
    return _call(PRIVATE + "AddOrderBatch",
                 {**told, "deadline": deadline, "validate": validate})


def add_order_batch_answer(status: int, body: bytes) -> list[Placed]:
    """One row an order, in the order of the request; each may be refused on its own."""
    result = rules.answer_of(status, body)
    return [rest_rows.placed(row) for row in codec.rows(result, "orders")]


def cancel_order(venue_id: str = "", cl_ord_id: str = "", userref: int | None = None) -> Call:
    """Cancel by exactly one of the ids. Raises ValueError for none or two."""
    if (venue_id != "") + (cl_ord_id != "") + (userref is not None) != 1:
        raise ValueError("a cancel names its order by exactly one id")
    return _call(PRIVATE + "CancelOrder",
                 {"txid": venue_id or userref, "cl_ord_id": cl_ord_id})


def cancel_order_batch(venue_ids: Iterable[str] = (), cl_ord_ids: Iterable[str] = ()) -> Call:
    """Cancel up to 50 orders. Raises ValueError for none or more."""
    told: dict[str, object] = {}
    for name, ids in (("orders", venue_ids), ("cl_ord_ids", cl_ord_ids)):
        for index, entry in enumerate(ids):
            told[f"{name}[{index}]"] = entry
    if not 0 < len(told) <= CANCELS_MAX:
        raise ValueError(f"a batch cancels 1 to {CANCELS_MAX} orders, not {len(told)}")
    return _call(PRIVATE + "CancelOrderBatch", told)


def cancel_all() -> Call:
    """Cancel every order of the account."""
    return Call(PRIVATE + "CancelAll")


def cancel_all_orders_after(timeout_s: int) -> Call:
    """Restart the dead man's switch, or with 0 switch it off. Raises ValueError beyond a day."""
    if not 0 <= timeout_s < 86400:
        raise ValueError(f"the switch takes 0 to 86399 s, not {timeout_s}")
    return Call(PRIVATE + "CancelAllOrdersAfter", (("timeout", str(timeout_s)),))


def cancel_answer(status: int, body: bytes) -> int:
    """How many orders were cancelled: the answer to all three ways to cancel."""
    return codec.integer(rules.answer_of(status, body), "count")
