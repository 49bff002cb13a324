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
    SLICES_MAX,
)
from hftbot.exchange.settings import Listing
from hftbot.exchange.triggers import PERCENT_DIGITS, Close, Term, Trigger, shape_of

# A subscription to every pair of the venue is 20 kB; a list of a megabyte would hold up everybody.
FRAME_BYTES_MAX = 1 << 17
# Beyond this the engine's words could overflow.
STEPS_MAX = 1 << 60
WRONG_HOST = {
    "public": "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
    "private": "Public market data subscriptions are unavailable on this endpoint. "
               "Try ws.kraken.com"}
TIFS = {"gtc": GTC, "ioc": IOC, "fok": FOK, "gtd": GTD}
STPS = {"cancel_newest": CANCEL_NEWEST, "cancel_oldest": CANCEL_OLDEST, "cancel_both": CANCEL_BOTH}
SIDES = {"buy": 0, "sell": 1}
LIMIT_TYPES = frozenset(("limit", "iceberg", "stop-loss-limit", "take-profit-limit",
                         "trailing-stop-limit"))
TRIGGER_TYPES = frozenset(("stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit",
                           "trailing-stop", "trailing-stop-limit"))
CLOSE_TYPES = TRIGGER_TYPES | {"limit"}
ORDER_TYPES = LIMIT_TYPES | TRIGGER_TYPES | {"market"}
# A GTD order lives a month at most, an iceberg shows a fifteenth at least.
EXPIRE_US_MAX = 31 * 86_400_000_000
CLIENT_ID_FORMS = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[\x21-\x7e]{1,18}")
ARGUMENTS = "EGeneral:Invalid arguments:"
# The fields of an order that nothing is unusual about.
PLAIN_FIELDS = frozenset(("order_type", "side", "symbol", "order_qty", "limit_price",
                          "time_in_force", "post_only", "cl_ord_id", "deadline", "token"))
DEADLINE_US = 5_000_000


class Refused(Exception):
    """The venue answers no, with this text."""


@dataclass(slots=True)
class AddRequest:
    """A checked add_order. ``ticks`` 0 is a market order; times are wall-clock us, 0 if absent.

    With ``cash_e10`` the engine works out the lots; with ``trigger`` it works out the ticks.
    """

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
    # Lots that an iceberg shows at a time, 0 shows all.
    display_lots: int = 0
    # Whether the fee is to be paid in the base asset; None leaves it to the venue.
    base_fee: bool | None = None
    trigger: Trigger | None = None
    close: Close | None = None
    # Money to spend, in 1e-10 of the quote asset, instead of lots.
    cash_e10: int = 0
    effective_us: int = 0
    sender: str = ""


@dataclass(slots=True)
class EditRequest:
    """A checked edit_order; None and 0 keep what the order has."""

    ticks: int
    lots: int
    display_lots: int
    userref: int | None
    post_only: bool | None
    base_fee: bool | None
    deadline_us: int
    validate: bool


def not_a_number(text: str) -> NoReturn:
    """JSON has no NaN and no infinity."""
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=not_a_number)
_NUMBERS = (int, Decimal)


def parse(text: str) -> dict[str, Any] | None:
    """A frame as an object, or None if it is not one."""
    try:
        # What is an object and nothing else needs no look for white space around it.
        message, end = _DECODER.raw_decode(text) if text.startswith("{") else (None, -1)
        if end != len(text):
            message = _DECODER.decode(text)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return message if isinstance(message, dict) else None


def number(params: Mapping[str, Any], name: str) -> Decimal | None:
    """A JSON number, exact; None if absent."""
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
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
    if ticks * lots * listing.tick_units * listing.lot_units < listing.value_min:
        raise Refused("EOrder:Cost minimum not met")


def client_id(params: Mapping[str, Any]) -> str:
    """A cl_ord_id in one of its three forms, empty if absent."""
    text = text_field(params, "cl_ord_id")
    if text and not CLIENT_ID_FORMS.fullmatch(text):
        raise Refused(f"{ARGUMENTS}cl_ord_id")
    return text


def deadline_of(params: Mapping[str, Any], now_us: int) -> int:
    """The deadline, by default five seconds from now."""
    deadline_us = wall_us(text_field(params, "deadline"), "deadline") or now_us + DEADLINE_US
    if deadline_us > now_us + 60_000_000:
        raise Refused(f"{ARGUMENTS}deadline")
    return deadline_us


def user_reference(params: Mapping[str, Any]) -> int:
    """order_userref, 0 if absent."""
    value = params.get("order_userref", 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("Order_userref field must be a number_integer")
    if not -(1 << 31) <= value < 1 << 31:
        raise Refused(f"{ARGUMENTS}order_userref")
    return value


def term(listing: Listing, value: Decimal, kind: str, name: str) -> Term:
    """A price by its kind: on the grid if it is money, to a millionth if it is a percentage."""
    if kind == "static":
        return Term(kind, price_ticks(listing, value))
    if kind == "quote":
        ticks = steps(value, listing.price_precision, listing.tick_units)
        if ticks is None:
            raise Refused("EOrder:Tick size check failed")
        if abs(ticks) > STEPS_MAX:
            raise Refused("EOrder:Invalid price")
        return Term(kind, ticks)
    whole = steps(value, PERCENT_DIGITS, 1)
    if kind != "pct" or whole is None or abs(value) > 100:
        raise Refused(f"{ARGUMENTS}{name}")
    return Term(kind, whole)


def trigger_term(listing: Listing, order_type: str, price: Decimal | None, kind: str,
                 name: str) -> Term:
    """What triggers an order: for trailing stops a positive distance from the peak."""
    if price is None:
        raise Refused("price(s) not found")
    trailing = shape_of(order_type) == "trailing-stop"
    if trailing and kind not in ("pct", "quote"):
        raise Refused(f"{ARGUMENTS}{name}")
    if trailing and price <= 0:
        raise Refused("EOrder:Invalid price")
    return term(listing, price, kind, name)


def limit_term(params: Mapping[str, Any], listing: Listing, order_type: str) -> Term | None:
    """The limit price of a type that has one; a trailing stop's is a distance from its trigger."""
    price, kind = number(params, "limit_price"), text_field(params, "limit_price_type")
    trailing = order_type == "trailing-stop-limit"
    if order_type not in LIMIT_TYPES:
        if price is not None or kind:
            raise Refused(f"{ARGUMENTS}limit_price{'' if price is not None else '_type'}")
        return None
    if kind and not trailing and kind != "static":
        raise Refused(f"{ARGUMENTS}limit_price_type")
    if price is None:
        raise Refused("price(s) not found")
    return term(listing, price, kind or ("quote" if trailing else "static"), "limit_price_type")


def trigger_of(params: Mapping[str, Any], listing: Listing, order_type: str,
               limit: Term | None) -> Trigger | None:
    """The ``triggers`` of an order, or their deprecated forms; None for a type without."""
    fields = params.get("triggers")
    old = [name for name in ("stop_price", "trigger") if name in params]
    if ((old or fields is not None) and order_type not in TRIGGER_TYPES) or (old and fields):
        raise Refused(f"{ARGUMENTS}{old[0] if old else 'triggers'}")
    if order_type not in TRIGGER_TYPES:
        return None
    if "stop_price" in params:
        fields = {"price": params["stop_price"], "reference": params.get("trigger", "last")}
    if not isinstance(fields, dict):
        raise Refused("price(s) not found")
    reference = text_field(fields, "reference") or "last"
    if reference == "index":
        raise Refused(f"{ARGUMENTS}Index unavailable")
    if reference != "last":
        raise Refused(f"{ARGUMENTS}triggers")
    price = trigger_term(listing, order_type, number(fields, "price"),
                         text_field(fields, "price_type") or "static", "triggers")
    return Trigger(shape_of(order_type), price, limit)


def close_of(params: Mapping[str, Any], listing: Listing) -> Close | None:
    """The template of closing orders, None if there is none."""
    fields = params.get("conditional")
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise Refused("Conditional field must be a object")
    order_type = text_field(fields, "order_type")
    if order_type not in CLOSE_TYPES:
        raise Refused(f"{ARGUMENTS}conditional")
    limit, wanted = limit_term(fields, listing, order_type), None
    if order_type in TRIGGER_TYPES:
        key = "trigger_price" if "trigger_price" in fields else "stop_price"
        kind = text_field(fields, "trigger_price_type") or "static"
        wanted = trigger_term(listing, order_type, number(fields, key), kind, "conditional")
    elif "trigger_price" in fields or "stop_price" in fields:
        raise Refused(f"{ARGUMENTS}conditional")
    return Close(order_type, limit, wanted)


def size_of(params: Mapping[str, Any], listing: Listing, order_type: str,
            side: int) -> tuple[int, int]:
    """Lots, or money in 1e-10 of the quote asset if the order says what it wants to spend."""
    qty, cash = number(params, "order_qty"), number(params, "cash_order_qty")
    if cash is None:
        if qty is None:
            raise Refused(f"{ARGUMENTS}order_qty")
        return qty_lots(listing, qty), 0
    amount = steps(cash, 10, 1)
    if qty is not None or order_type != "market" or side == 1 or amount is None or (
            not 0 < amount < STEPS_MAX):
        raise Refused(f"{ARGUMENTS}cash_order_qty")
    if cash < listing.cost_min:
        raise Refused("EOrder:Cost minimum not met")
    return 0, amount


def display_of(params: Mapping[str, Any], listing: Listing, order_type: str, lots: int) -> int:
    """Lots that an iceberg shows at a time, 0 for another type."""
    shown = number(params, "display_qty")
    if (shown is None) == (order_type == "iceberg"):
        raise Refused(f"{ARGUMENTS}display_qty")
    return display_lots(listing, shown, lots) if shown is not None else 0


def display_lots(listing: Listing, shown: Decimal, lots: int) -> int:
    """A display size: a fifteenth of the order at least, the whole of it at most."""
    display = steps(shown, listing.qty_precision, listing.lot_units)
    if display is None or not (lots - 1) // SLICES_MAX < display <= lots:
        raise Refused(f"{ARGUMENTS}display_qty")
    return display


def fee_preference(params: Mapping[str, Any]) -> bool | None:
    """True for the base asset, False for the quote asset, None if the client does not say."""
    word = text_field(params, "fee_preference")
    if word not in ("", "base", "quote"):
        raise Refused(f"{ARGUMENTS}fee_preference")
    return word == "base" if word else None


def lifetime_of(params: Mapping[str, Any], order_type: str, now_us: int) -> tuple[int, int, int]:
    """Time in force, and when a GTD order ends and a scheduled one begins (0: neither)."""
    tif = TIFS.get(text_field(params, "time_in_force") or "gtc")
    if tif is None or (tif == FOK and order_type != "limit") or (
            tif == GTD and order_type == "market") or (
            order_type == "iceberg" and tif in (IOC, FOK)):
        raise Refused(f"{ARGUMENTS}time_in_force")
    begin_us = wall_us(text_field(params, "effective_time"), "effective_time")
    if begin_us and not now_us < begin_us <= now_us + EXPIRE_US_MAX:
        raise Refused(f"{ARGUMENTS}effective_time")
    expire_us = wall_us(text_field(params, "expire_time"), "expire_time")
    if (tif == GTD) != (expire_us > now_us) or expire_us > now_us + EXPIRE_US_MAX or (
            expire_us and expire_us <= begin_us):
        raise Refused(f"{ARGUMENTS}expire_time")
    return tif, expire_us if tif == GTD else 0, begin_us


def flags_check(params: Mapping[str, Any], order_type: str) -> None:
    """Refuse what a spot account without margin cannot have."""
    if order_type == "settle-position":
        raise Refused("EOrder:Unknown position")
    if flag(params, "margin"):
        raise Refused(f"{ARGUMENTS}margin")
    if flag(params, "reduce_only"):
        raise Refused("EOrder:Reduce only:No position exists")
    if "no_mpp" in params and order_type != "market":
        raise Refused(f"{ARGUMENTS}no_mpp order option is only available when ordertype = market")


def names_of(params: Mapping[str, Any]) -> tuple[str, int, str]:
    """cl_ord_id, order_userref and sender_sub_id."""
    name, userref = client_id(params), user_reference(params)
    if name and ("order_userref" in params or params.get("conditional") is not None):
        raise Refused(f"{ARGUMENTS}cl_ord_id")
    sender = text_field(params, "sender_sub_id")
    if sender and not CLIENT_ID_FORMS.fullmatch(sender):
        raise Refused(f"{ARGUMENTS}sender_sub_id")
    return name, userref, sender


def plain_request(params: Mapping[str, Any], listings: Mapping[str, Listing],
                  now_us: int) -> AddRequest | None:
    """What ``add_request`` returns, in a fraction of the time, for limit orders as most are.

    None for any other order, and for one that is refused before its price is looked at. The form
    of the fields has been checked.
    """
    word = params.get("time_in_force", "gtc")
    if not params.keys() <= PLAIN_FIELDS or params.get("order_type") != "limit" or (
            word not in ("gtc", "ioc")):
        return None
    listing, side = listings.get(params.get("symbol", "")), SIDES.get(params.get("side", ""))
    post_only, name = params.get("post_only", False), params.get("cl_ord_id", "")
    if listing is None or side is None or (post_only and word == "ioc") or (
            name and not CLIENT_ID_FORMS.fullmatch(name)):
        return None
    # In this order they are refused.
    price = number(params, "limit_price")
    if price is None:
        return None
    ticks, qty = price_ticks(listing, price), number(params, "order_qty")
    if qty is None:
        return None
    lots = qty_lots(listing, qty)
    cost_check(listing, ticks, lots)
    end_us = deadline_of(params, now_us) if "deadline" in params else now_us + DEADLINE_US
    return AddRequest(listing, side, ticks, lots, TIFS[word], post_only, CANCEL_NEWEST, "limit",
                      name, 0, 0, end_us, False)


def add_request(params: Mapping[str, Any], listings: Mapping[str, Listing],
                now_us: int) -> AddRequest:
    """Check an add_order as far as it can be checked without the book and the account.

    ``now_us`` is when the venue received it: its deadline counts from there.
    """
    listing = listings.get(text_field(params, "symbol"))
    if listing is None:
        raise Refused("EQuery:Unknown asset pair")
    order_type = text_field(params, "order_type")
    flags_check(params, order_type)
    side = SIDES.get(text_field(params, "side"))
    if order_type not in ORDER_TYPES:
        raise Refused(f"{ARGUMENTS}order_type")
    if side is None:
        raise Refused(f"{ARGUMENTS}side")
    stp = STPS.get(text_field(params, "stp_type") or "cancel_newest")
    if stp is None:
        raise Refused(f"{ARGUMENTS}stp_type")
    tif, expire_us, begin_us = lifetime_of(params, order_type, now_us)
    post_only = flag(params, "post_only")
    if post_only and (order_type not in LIMIT_TYPES or tif in (IOC, FOK)):
        raise Refused(f"{ARGUMENTS}post_only")
    limit = limit_term(params, listing, order_type)
    trigger = trigger_of(params, listing, order_type, limit)
    ticks = limit.amount if limit is not None and limit.kind == "static" else 0
    lots, cash = size_of(params, listing, order_type, side)
    if ticks:
        cost_check(listing, ticks, lots)
    display = display_of(params, listing, order_type, lots)
    name, userref, sender = names_of(params)
    return AddRequest(listing, side, ticks, lots, tif, post_only, stp, order_type, name, userref,
                      expire_us, deadline_of(params, now_us), flag(params, "validate"), display,
                      fee_preference(params), trigger, close_of(params, listing), cash, begin_us,
                      sender)


def edit_request(params: Mapping[str, Any], listing: Listing, lots: int, iceberg: bool,
                 now_us: int) -> EditRequest:
    """Check an edit_order of an order of so many lots."""
    qty, price = number(params, "order_qty"), number(params, "limit_price")
    shown = number(params, "display_qty")
    if "triggers" in params:
        raise Refused(f"{ARGUMENTS}triggers")
    flags_check(params, "market")
    wanted = lots if qty is None else qty_lots(listing, qty)
    if shown is not None and not iceberg:
        raise Refused(f"{ARGUMENTS}display_qty")
    return EditRequest(
        0 if price is None else price_ticks(listing, price), wanted,
        0 if shown is None else display_lots(listing, shown, wanted),
        user_reference(params) if "order_userref" in params else None,
        flag(params, "post_only") if "post_only" in params else None, fee_preference(params),
        deadline_of(params, now_us), flag(params, "validate"))
