"""REST's way of ordering, said in the words of the trading methods of WebSocket v2.

The rules are the trading methods' own (trading.py): here only fields, names and answers change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hftbot.exchange import trading
from hftbot.exchange.connection import ACKS, Connection
from hftbot.exchange.kraken_text import Stamps
from hftbot.exchange.request_forms import check_form
from hftbot.exchange.requests import ARGUMENTS, Refused
from hftbot.exchange.rest_form import (
    Fields,
    decimal,
    decimal_of,
    flag_of,
    list_of,
    text_of,
    whole_of,
)

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

SECOND_US = 1_000_000
LIMITED = ("limit", "iceberg")
TRIGGERED = ("stop-loss", "take-profit", "trailing-stop")
# What a trading method calls a field, and what REST calls it.
REST_FIELDS = {
    "order_qty": "volume", "cash_order_qty": "volume", "limit_price": "price",
    "order_type": "ordertype", "side": "type", "symbol": "pair", "time_in_force": "timeinforce",
    "expire_time": "expiretm", "effective_time": "starttm", "order_userref": "userref",
    "stp_type": "stptype", "display_qty": "displayvol", "post_only": "oflags",
    "fee_preference": "oflags", "order_id": "txid", "conditional": "close", "triggers": "price"}
REST_ERRORS = {"price(s) not found": f"{ARGUMENTS}price",
               "Invalid timeout argument": f"{ARGUMENTS}timeout"}
FLAGS = frozenset(("post", "fcib", "fciq", "viqc", "nompp"))


class Caller(Connection):
    """Stands for REST at the trading methods: keeps the answers that they would send."""

    def __init__(self, face: KrakenFace) -> None:
        self.answers: list[dict[str, Any]] = []
        super().__init__(face, "private", 0)
        # No socket is behind it: nothing may look for its silence.
        self.closed = True

    def send(self, text: str, written_us: int, stream: int) -> None:
        """Take an answer; a REST client reads nothing else."""
        if stream == ACKS:
            self.answers.append(json.loads(text, parse_float=Decimal))


    def ask(self, method: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Do a trading method now; its answers. Raises Refused."""
        self.answers = []
        check_form(method, params)
        trading.METHODS[method](self, method, None, dict(params), self.face.now_us,
                                self.face.now_us)
        return self.answers


def call(caller: Caller, method: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Do a trading method now; its answers. Raises Refused in REST's words if there is one no."""
    try:
        answers = caller.ask(method, params)
    except Refused as refusal:
        raise Refused(rest_error(str(refusal))) from refusal
    if len(answers) == 1 and not answers[0].get("success") and "result" not in answers[0]:
        raise Refused(rest_error(str(answers[0].get("error", ""))))
    return answers


def rest_error(text: str) -> str:
    """A trading method's refusal with REST's field names."""
    if text in REST_ERRORS:
        return REST_ERRORS[text]
    if text.startswith(ARGUMENTS):
        name = text.removeprefix(ARGUMENTS)
        return ARGUMENTS + REST_FIELDS.get(name, name)
    if not text.startswith("E") or ":" not in text.split(" ")[0]:
        name = text.split(" ")[0].lower()
        return ARGUMENTS + REST_FIELDS.get(name, text)
    return text


def order_params(fields: Fields, now_us: int, last: Decimal, tick: Decimal) -> dict[str, Any]:
    """An order of AddOrder or AddOrderBatch as add_order's params, without the symbol.

    ``last`` is the last traded price, ``tick`` the pair's price step. Raises Refused for what REST
    alone can get wrong.
    """
    kind, side = text_of(fields, "ordertype"), text_of(fields, "type")
    params: dict[str, Any] = {"order_type": kind, "side": side}
    qty = decimal_of(fields, "volume")
    if qty is None:
        raise Refused(f"{ARGUMENTS}volume")
    params["order_qty"] = qty
    put_flags(params, fields, side)
    put_prices(params, fields, kind, side, last, tick)
    put_times(params, fields, now_us)
    put_names(params, fields)
    stp = text_of(fields, "stptype")
    if stp:
        if "_" in stp:
            raise Refused(f"{ARGUMENTS}stptype")
        params["stp_type"] = stp.replace("-", "_")
    shown = decimal_of(fields, "displayvol")
    if shown is not None:
        params["display_qty"] = shown
    leverage = text_of(fields, "leverage")
    if leverage not in ("", "none", "0", "0:1", "1", "1:1"):
        raise Refused(f"{ARGUMENTS}leverage")
    if flag_of(fields, "reduce_only"):
        params["reduce_only"] = True
    close = fields.get("close")
    if isinstance(close, dict) and close:
        params["conditional"] = conditional(close)
    return params


def put_flags(params: dict[str, Any], fields: Fields, side: str) -> None:
    """What the comma list ``oflags`` says."""
    named = [str(flag) for flag in list_of(fields, "oflags")]
    for flag in named:
        if flag not in FLAGS:
            raise Refused(f"{ARGUMENTS}oflags")
    if "post" in named:
        params["post_only"] = True
    if "fcib" in named or "fciq" in named:
        if "fcib" in named and "fciq" in named:
            raise Refused(f"{ARGUMENTS}oflags")
        params["fee_preference"] = "base" if "fcib" in named else "quote"
    if "viqc" in named:
        if params["order_type"] != "market" or side != "buy":
            raise Refused(f"{ARGUMENTS}oflags")
        params["cash_order_qty"] = params.pop("order_qty")


def put_prices(params: dict[str, Any], fields: Fields, kind: str, side: str,
               last: Decimal, tick: Decimal) -> None:
    """``price`` and ``price2``: a limit, or a trigger and the limit behind it.

    A limit by distance is meant from the last price, behind a trigger from the trigger's price.
    """
    first, second = text_of(fields, "price"), text_of(fields, "price2")
    if first in ("", "0"):
        first = ""
    if second in ("", "0"):
        second = ""
    if kind in LIMITED:
        if first:
            params["limit_price"] = resolved(*offset(first, "price", kind, side), last, tick)
        return
    if not kind.startswith(TRIGGERED):
        return
    if not first:
        raise Refused(f"{ARGUMENTS}price")
    price, price_type = offset(first, "price", kind, side)
    params["triggers"] = {"reference": text_of(fields, "trigger") or "last", "price": price,
                          "price_type": price_type}
    if not kind.endswith("-limit"):
        return
    if not second:
        raise Refused(f"{ARGUMENTS}price2")
    limit, limit_type = offset(second, "price2", kind, side)
    if kind == "trailing-stop-limit":
        params["limit_price"], params["limit_price_type"] = limit, limit_type
        return
    params["limit_price"] = resolved(limit, limit_type, resolved(price, price_type, last, tick),
                                     tick)


def resolved(value: Decimal, price_type: str, anchor: Decimal, tick: Decimal) -> Decimal:
    """A price as it stands, or one by its distance from the anchor, on the nearest tick."""
    if price_type == "static":
        return value
    exact = anchor + (value if price_type == "quote" else anchor * value / 100)
    return (exact / tick).to_integral_value() * tick


def offset(text: str, name: str, kind: str, side: str) -> tuple[Decimal, str]:
    """A price, or a distance (``+5``, ``-5``, ``#5``, each with or without %), and which it is.

    A trailing stop's distance has no sign; ``#`` takes the sign that the order type implies.
    """
    percent = text.endswith("%")
    sign, digits = text[:1], text.rstrip("%")
    relative = sign in ("+", "-", "#") or percent
    value = decimal(digits.lstrip("#"), name)
    if not relative:
        return value, "static"
    if kind.startswith("trailing-stop"):
        value = abs(value) if name == "price" else value
    elif sign == "#":
        below = (side == "sell") == kind.startswith("stop-loss")
        value = -value if below else value
    return value, "pct" if percent else "quote"


def put_times(params: dict[str, Any], fields: Fields, now_us: int) -> None:
    """How long the order may live, from when, and until when it may wait to be matched."""
    tif = text_of(fields, "timeinforce").lower()
    expires_us = moment_us(fields, "expiretm", now_us)
    starts_us = moment_us(fields, "starttm", now_us)
    stamps = Stamps()
    if expires_us:
        tif = tif or "gtd"
        params["expire_time"] = stamps.micro(expires_us)
    if starts_us:
        params["effective_time"] = stamps.micro(starts_us)
    if tif:
        params["time_in_force"] = tif
    deadline = text_of(fields, "deadline")
    if deadline:
        params["deadline"] = deadline


def moment_us(fields: Fields, name: str, now_us: int) -> int:
    """``+<n>`` seconds from now, a Unix time, or 0."""
    text = text_of(fields, name).strip()
    # A plus that was not escaped arrives as a space.
    relative = text.startswith("+") or text_of(fields, name).startswith(" ")
    digits = text.lstrip("+")
    if not digits or digits == "0":
        return 0
    if not digits.isascii() or not digits.isdigit() or len(digits) > 11:
        raise Refused(f"{ARGUMENTS}{name}")
    return int(digits) * SECOND_US + (now_us if relative else 0)


def put_names(params: dict[str, Any], fields: Fields) -> None:
    """The client's own names of the order."""
    if "userref" in fields and text_of(fields, "userref"):
        params["order_userref"] = whole_of(fields, "userref")
    name = text_of(fields, "cl_ord_id")
    if name:
        params["cl_ord_id"] = name


def conditional(close: Mapping[str, Any]) -> dict[str, Any]:
    """The order that is to follow the fill, as add_order's ``conditional``."""
    kind = text_of(close, "ordertype")
    told: dict[str, Any] = {"order_type": kind}
    names = (("limit_price", "limit_price_type"), ("", "")) if kind in LIMITED else (
        ("trigger_price", "trigger_price_type"), ("limit_price", "limit_price_type"))
    for field, (price_name, type_name) in zip(("price", "price2"), names, strict=True):
        text = text_of(close, field)
        if not text or not price_name:
            continue
        value, price_type = offset(text, f"close[{field}]", kind, "sell")
        told[price_name] = value
        if price_type != "static":
            told[type_name] = price_type
    return told
