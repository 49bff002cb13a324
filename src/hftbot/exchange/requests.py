"""Reads clients' requests: types, fields, grids. What is wrong is a Refused with Kraken's text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from fastcore.sim.codes import (
    CANCEL_BOTH,
    CANCEL_NEWEST,
    CANCEL_OLDEST,
    FOK,
    GTC,
    GTD,
    IOC,
)
from hftbot.exchange.settings import Listing

FRAME_BYTES_MAX = 1 << 20
# Beyond this the engine's words could overflow.
STEPS_MAX = 1 << 60
WRONG_HOST = {
    "public": "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
    "private": "Public market data subscriptions are unavailable on this endpoint. "
               "Try ws.kraken.com"}
TIFS = {"gtc": GTC, "ioc": IOC, "fok": FOK, "gtd": GTD}
STPS = {"cancel_newest": CANCEL_NEWEST, "cancel_oldest": CANCEL_OLDEST, "cancel_both": CANCEL_BOTH}
ADD_FIELDS = frozenset((
    "order_type", "side", "symbol", "order_qty", "limit_price", "limit_price_type", "time_in_force",
    "margin", "post_only", "reduce_only", "effective_time", "expire_time", "deadline", "cl_ord_id",
    "order_userref", "conditional", "display_qty", "fee_preference", "stp_type", "cash_order_qty",
    "validate", "sender_sub_id", "no_mpp", "triggers", "token"))
AMEND_FIELDS = frozenset((
    "order_id", "cl_ord_id", "order_qty", "limit_price", "limit_price_type", "display_qty",
    "trigger_price", "trigger_price_type", "post_only", "deadline", "symbol", "token"))
CLIENT_ID_FORMS = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[\x21-\x7e]{1,18}")
ARGUMENTS = "EGeneral:Invalid arguments:"


class Refused(Exception):
    """The venue answers no, with this text."""


@dataclass(slots=True)
class AddRequest:
    """A checked add_order. ``ticks`` 0 is a market order; times are wall-clock us, 0 if absent."""

    listing: Listing
    side: int
    ticks: int
    lots: int
    tif: int
    post_only: bool
    stp: int
    order_type: str
    cl_ord_id: str
    userref: int
    expire_us: int
    deadline_us: int
    validate: bool


def not_a_number(text: str) -> NoReturn:
    """JSON has no NaN and no infinity."""
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=not_a_number)


def parse(text: str) -> dict[str, Any] | None:
    """A frame as an object, or None if it is not one."""
    try:
        message = _DECODER.decode(text)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return message if isinstance(message, dict) else None


def known_fields(params: Mapping[str, Any], allowed: frozenset[str], what: str) -> None:
    """Refuse a field that the message type does not have."""
    for name in params:
        if name not in allowed:
            raise Refused(f"Unsupported field: '{name}' for the given msg type: {what}")


def number(params: Mapping[str, Any], name: str) -> Decimal | None:
    """A JSON number, exact; None if absent."""
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused(f"{name.capitalize()} field must be a number_float")
    exact = Decimal(value)
    if not exact.is_finite() or abs(exact.adjusted()) > 18:
        raise Refused(f"{ARGUMENTS}{name}")
    return exact


def text_field(params: Mapping[str, Any], name: str) -> str:
    """A string, empty if absent."""
    value = params.get(name, "")
    if not isinstance(value, str):
        raise Refused(f"{name.capitalize()} field must be a string")
    return value


def flag(params: Mapping[str, Any], name: str) -> bool:
    """A boolean, False if absent."""
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise Refused(f"{name.capitalize()} field must be a boolean")
    return value


def steps(value: Decimal, precision: int, step: int) -> int | None:
    """Whole steps of a grid, or None if the number is not on it."""
    units = value.scaleb(precision)
    whole = int(units)
    return whole // step if units == whole and whole % step == 0 else None


def wall_us(text: str, name: str) -> int:
    """Microseconds of an RFC 3339 time, 0 for an empty text."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(zoned.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{ARGUMENTS}{name}") from error


def price_ticks(listing: Listing, price: Decimal) -> int:
    """A limit price in ticks."""
    if price <= 0:
        raise Refused("EOrder:Invalid price")
    ticks = steps(price, listing.price_precision, listing.tick_units)
    if ticks is None:
        raise Refused("EOrder:Tick size check failed")
    if ticks > STEPS_MAX:
        raise Refused("EOrder:Invalid price")
    return ticks


def qty_lots(listing: Listing, qty: Decimal) -> int:
    """An order size in lots."""
    lots = steps(qty, listing.qty_precision, listing.lot_units)
    if lots is None or lots > STEPS_MAX:
        raise Refused(f"{ARGUMENTS}order_qty")
    if lots < listing.lots_min:
        raise Refused("EOrder:Order minimum not met")
    return lots


def cost_check(listing: Listing, ticks: int, lots: int) -> None:
    """Refuse an order worth less than the pair's minimum."""
    minimum = int(listing.cost_min.scaleb(listing.value_exponent))
    if ticks * lots * listing.tick_units * listing.lot_units < minimum:
        raise Refused("EOrder:Cost minimum not met")


def client_id(params: Mapping[str, Any]) -> str:
    """A cl_ord_id in one of its three forms, empty if absent."""
    text = text_field(params, "cl_ord_id")
    if text and not CLIENT_ID_FORMS.fullmatch(text):
        raise Refused(f"{ARGUMENTS}cl_ord_id")
    return text


def deadline_of(params: Mapping[str, Any], now_us: int) -> int:
    """The deadline, by default five seconds from now."""
    deadline_us = wall_us(text_field(params, "deadline"), "deadline") or now_us + 5_000_000
    if deadline_us > now_us + 60_000_000:
        raise Refused(f"{ARGUMENTS}deadline")
    return deadline_us


def user_reference(params: Mapping[str, Any]) -> int:
    """order_userref, 0 if absent."""
    value = params.get("order_userref", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 31) <= value < 1 << 31:
        raise Refused(f"{ARGUMENTS}order_userref")
    return value


def add_request(params: Mapping[str, Any], listings: Mapping[str, Listing],
                now_us: int) -> AddRequest:
    """Check an add_order as far as it can be checked without the book and the account."""
    known_fields(params, ADD_FIELDS, "add order")
    listing = listings.get(text_field(params, "symbol"))
    if listing is None:
        raise Refused("EQuery:Unknown asset pair")
    order_type = text_field(params, "order_type")
    side = {"buy": 0, "sell": 1}.get(text_field(params, "side"))
    if order_type not in ("limit", "market"):
        raise Refused(f"{ARGUMENTS}order_type")
    if side is None:
        raise Refused(f"{ARGUMENTS}side")
    qty, price = number(params, "order_qty"), number(params, "limit_price")
    if qty is None:
        raise Refused(f"{ARGUMENTS}order_qty")
    tif = TIFS.get(text_field(params, "time_in_force") or "gtc")
    stp = STPS.get(text_field(params, "stp_type") or "cancel_newest")
    if tif is None or stp is None:
        raise Refused(f"{ARGUMENTS}{'time_in_force' if tif is None else 'stp_type'}")
    post_only = flag(params, "post_only")
    ticks = 0
    if order_type == "limit":
        if price is None:
            raise Refused("price(s) not found")
        ticks = price_ticks(listing, price)
    elif post_only or tif in (FOK, GTD):
        raise Refused(f"{ARGUMENTS}{'post_only' if post_only else 'time_in_force'}")
    lots = qty_lots(listing, qty)
    if ticks:
        cost_check(listing, ticks, lots)
    if post_only and tif in (IOC, FOK):
        raise Refused(f"{ARGUMENTS}post_only")
    expire_us = wall_us(text_field(params, "expire_time"), "expire_time")
    if (tif == GTD) != (expire_us > now_us):
        raise Refused(f"{ARGUMENTS}expire_time")
    name, userref = client_id(params), user_reference(params)
    if name and "order_userref" in params:
        raise Refused(f"{ARGUMENTS}cl_ord_id")
    return AddRequest(listing, side, ticks, lots, tif, post_only, stp, order_type, name, userref,
                      expire_us if tif == GTD else 0, deadline_of(params, now_us),
                      flag(params, "validate"))
