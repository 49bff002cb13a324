"""What Kraken's words mean: modes, grids, answers; its refusals are in the next file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from hftbot.errors import (
    BadFrame,
    Denied,
    NoFunds,
    PostOnlyWouldTake,
    RateLimited,
    TransportError,
    VenueReject,
)
from hftbot.venue.kraken import codec, sign
from hftbot.venue.kraken.refusals import error_for, forbids, outcome_unknown, token_refused
from hftbot.words.instrument import Instrument
from hftbot.words.market import VenueMode
from hftbot.words.secret import Secret

__all__ = ["PairRow", "answer_of", "error_for", "forbids", "instrument_from_row",
           "instruments_from", "is_failure", "may_retry", "mode_of", "outcome_unknown",
           "pair_mode_of", "private_request", "token_refused"]

VENUE = "kraken"
PRECISION_MAX = 15
# AssetPairs of all pairs is larger than any frame of the stream.
ANSWER_BYTES_MAX = 16 << 20

POST_ONLY_REASON = "Post only order"
POST_ONLY = "EOrder:" + POST_ONLY_REASON
PROXY_RESTART = "CloudFlare WebSocket proxy restarting"
# A refusal of an order for its price, its funds or the market's mode is no failure of the venue.
_OUR_PRICE = ("EOrder:Invalid price", "EOrder:Tick size check failed")
_MODE = "EService:Market in "
_SYSTEM = {"online": VenueMode.OPEN, "post_only": VenueMode.POST_ONLY,
           "cancel_only": VenueMode.CANCEL_ONLY, "maintenance": VenueMode.DOWN}
_PAIR = {"online": VenueMode.OPEN, "limit_only": VenueMode.OPEN,
         "post_only": VenueMode.POST_ONLY, "cancel_only": VenueMode.CANCEL_ONLY,
         "reduce_only": VenueMode.CANCEL_ONLY}


def is_failure(code: str) -> bool:
    """True if an order refused like this counts for the circuit breaker.

    Its price, insufficient funds, a market that is in another mode and an old token do not.
    """
    known = error_for(code)
    return not (issubclass(known, (NoFunds, PostOnlyWouldTake)) or code.startswith(_OUR_PRICE)
                or code.startswith(_MODE) or token_refused(code))


def may_retry(code: str) -> bool:
    """True if the same order may be taken a moment later: the venue was busy or too slow."""
    return error_for(code).remedy == "retry" and not code.startswith(_MODE)


def mode_of(system: str) -> VenueMode:
    """The mode in a status frame; a word not documented counts as DOWN."""
    return _SYSTEM.get(system, VenueMode.DOWN)


def pair_mode_of(status: str) -> VenueMode:
    """What one pair accepts; a word not documented counts as DOWN."""
    return _PAIR.get(status, VenueMode.DOWN)


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair of the instrument channel, numbers exact.

    ``tick_units`` and ``lot_units`` are increments in units of the precisions; ``qty_min_units``
    too; ``cost_min`` in quote units.
    """

    symbol: str
    base: str
    quote: str
    status: str
    price_precision: int
    qty_precision: int
    tick_units: int
    lot_units: int
    qty_min_units: int
    cost_min: Decimal


def instruments_from(message: dict[str, Any]) -> list[PairRow]:
    """The pairs of an instrument snapshot or update. Raises BadFrame.

    A row that cannot be read is left out: the snapshot lists 1,400 pairs and one odd pair must
    not hide the others; a symbol that is wanted and missing is refused by the session.
    """
    if message.get("channel") != "instrument":
        raise BadFrame("not an instrument message")
    found = []
    for row in codec.rows(codec.inner(message, "data"), "pairs"):
        try:
            found.append(_pair(row))
        except BadFrame:
            continue
    return found


def _pair(row: codec.Row) -> PairRow:
    price_precision = codec.integer(row, "price_precision")
    qty_precision = codec.integer(row, "qty_precision")
    if not (0 <= price_precision <= PRECISION_MAX and 0 <= qty_precision <= PRECISION_MAX):
        raise BadFrame("precision out of range")
    increment = "price_increment" if row.get("price_increment") is not None else "tick_size"
    tick_units = codec.number(row, increment, price_precision)
    lot_units = codec.number(row, "qty_increment", qty_precision)
    qty_min_units = codec.number(row, "qty_min", qty_precision)
    cost_min = Decimal(codec.number(row, "cost_min", PRECISION_MAX, codec.AMOUNT_MAX))
    if tick_units < 1 or lot_units < 1 or qty_min_units < 0 or cost_min < 0:
        raise BadFrame("increment or minimum out of range")
    return PairRow(
        symbol=codec.text(row, "symbol"), base=codec.text(row, "base"),
        quote=codec.text(row, "quote"), status=codec.text_or(row, "status", "online"),
        price_precision=price_precision, qty_precision=qty_precision, tick_units=tick_units,
        lot_units=lot_units, qty_min_units=qty_min_units,
        cost_min=cost_min.scaleb(-PRECISION_MAX).normalize())


def instrument_from_row(row: PairRow, index: int, maker_fee_e6: int = 0,
                        taker_fee_e6: int = 0) -> Instrument:
    """The Instrument of one pair. Fees are millionths of the traded value."""
    return Instrument(
        index=index, venue=VENUE, symbol=row.symbol, base=row.base, quote=row.quote,
        price_precision=row.price_precision, qty_precision=row.qty_precision,
        tick_units=row.tick_units, lot_units=row.lot_units,
        lots_min=max(1, math.ceil(row.qty_min_units / row.lot_units)),
        cost_min=row.cost_min, maker_fee_e6=maker_fee_e6, taker_fee_e6=taker_fee_e6)


def private_request(path: str, params: dict[str, str], key: Secret, secret: Secret,
                    nonce: int) -> tuple[str, dict[str, str], bytes]:
    """(path, headers, body) of one signed REST request."""
    body = urlencode({"nonce": str(nonce), **params}).encode()
    headers = {"API-Key": key.reveal(),
               "API-Sign": sign.api_sign(path, nonce, body, secret),
               "Content-Type": "application/x-www-form-urlencoded",
               "User-Agent": "hftbot"}
    return path, headers, body


def answer_of(status: int, body: bytes) -> dict[str, Any]:
    """The result in a REST answer. Raises the mapped VenueReject, TransportError, BadFrame."""
    if status == 429:
        raise RateLimited("HTTP 429: too many requests")
    if status in (401, 403):
        raise Denied(f"HTTP {status}: the key is not accepted")
    if status >= 500:
        raise TransportError(f"HTTP {status}: the request did not reach the API")
    if status != 200:
        raise VenueReject(f"HTTP {status}")
    message = codec.parse(body, ANSWER_BYTES_MAX)
    errors = message.get("error")
    if not isinstance(errors, list):
        raise BadFrame("the answer has no error list")
    for code in errors:
        if isinstance(code, str) and code.startswith("W"):
            continue
        shown = code[:codec.TEXT_MAX] if isinstance(code, str) else repr(code)[:80]
        raise error_for(shown)(shown)
    return codec.inner(message, "result")
