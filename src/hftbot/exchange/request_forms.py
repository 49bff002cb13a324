"""The fields of each trading method and their JSON types: what is refused before the engine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hftbot.exchange.requests import Refused

# JSON types in the venue's words.
NUMBER, INTEGER, TEXT, FLAG = "number_float", "number_integer", "string", "boolean"
OBJECT, LIST = "object", "array"
# The dead man's switch has its own words for a wrong timeout, a missing token too.
ANYTHING = ""

Form = Mapping[str, str]
_TYPES: dict[str, tuple[type, ...]] = {
    NUMBER: (int, Decimal), INTEGER: (int,), TEXT: (str,), FLAG: (bool,), OBJECT: (dict,),
    LIST: (list,)}

_ORDER: dict[str, str] = {
    "order_type": TEXT, "side": TEXT, "order_qty": NUMBER, "limit_price": NUMBER,
    "limit_price_type": TEXT, "time_in_force": TEXT, "margin": FLAG, "post_only": FLAG,
    "reduce_only": FLAG, "effective_time": TEXT, "expire_time": TEXT, "cl_ord_id": TEXT,
    "order_userref": INTEGER, "conditional": OBJECT, "display_qty": NUMBER,
    "fee_preference": TEXT, "stp_type": TEXT, "cash_order_qty": NUMBER, "sender_sub_id": TEXT,
    "no_mpp": FLAG, "triggers": OBJECT, "trigger": TEXT, "stop_price": NUMBER}
_COMMON_ADD = {"symbol": TEXT, "deadline": TEXT, "validate": FLAG, "token": ANYTHING}

FORMS: dict[str, Form] = {
    "add_order": {**_ORDER, **_COMMON_ADD},
    "amend_order": {
        "order_id": TEXT, "cl_ord_id": TEXT, "order_qty": NUMBER, "limit_price": NUMBER,
        "limit_price_type": TEXT, "display_qty": NUMBER, "trigger_price": NUMBER,
        "trigger_price_type": TEXT, "post_only": FLAG, "deadline": TEXT, "symbol": TEXT,
        "token": ANYTHING},
    "edit_order": {
        "order_id": TEXT, "symbol": TEXT, "order_qty": NUMBER, "limit_price": NUMBER,
        "display_qty": NUMBER, "order_userref": INTEGER, "post_only": FLAG, "reduce_only": FLAG,
        "fee_preference": TEXT, "triggers": OBJECT, "deadline": TEXT, "validate": FLAG,
        "no_mpp": FLAG, "token": ANYTHING},
    "cancel_order": {"order_id": LIST, "cl_ord_id": LIST, "order_userref": LIST,
                     "token": ANYTHING},
    "cancel_all": {"token": ANYTHING},
    "cancel_all_orders_after": {"timeout": ANYTHING, "token": ANYTHING},
    "batch_add": {**_COMMON_ADD, "orders": LIST},
    "batch_cancel": {"orders": LIST, "cl_ord_id": LIST, "token": ANYTHING},
}
_INSIDE: dict[str, Form] = {
    "triggers": {"reference": TEXT, "price": NUMBER, "price_type": TEXT},
    "conditional": {"order_type": TEXT, "limit_price": NUMBER, "limit_price_type": TEXT,
                    "trigger_price": NUMBER, "trigger_price_type": TEXT, "stop_price": NUMBER}}
# By method and field the types that need no closer look: bool is an int only to isinstance.
_PLAIN: dict[str, dict[str, frozenset[type]]] = {
    method: {name: frozenset(_TYPES.get(kind, (str,))) for name, kind in form.items()
             if kind not in (OBJECT, LIST)}
    for method, form in FORMS.items()}
_NO_TYPES: frozenset[type] = frozenset()
# Methods as refusals name them.
_WORDS = {method: method.replace("_", " ") for method in FORMS}
# What the elements of a list are.
_ELEMENTS = {"order_id": TEXT, "cl_ord_id": TEXT, "order_userref": INTEGER}


def check_form(method: str, params: Mapping[str, Any]) -> None:
    """Refuse a field that the method does not have, or one of another JSON type."""
    plain = _PLAIN[method]
    for name, value in params.items():
        if type(value) not in plain.get(name, _NO_TYPES):
            break
    else:
        return
    what = _WORDS[method]
    _check(params, FORMS[method], what)
    if method == "add_order":
        return
    for name in _ELEMENTS.keys() & params.keys():
        if FORMS[method][name] == LIST:
            for element in params[name]:
                _typed(name, element, _ELEMENTS[name])
    for element in params.get("orders", ()):
        if method == "batch_add":
            _typed("orders", element, OBJECT)
            _check(element, _ORDER, what)
        else:
            _typed("orders", element, TEXT)


def _check(fields: Mapping[str, Any], form: Form, what: str) -> None:
    for name, value in fields.items():
        kind = form.get(name)
        if kind is None:
            raise Refused(f"Unsupported field: '{name}' for the given msg type: {what}")
        if kind:
            _typed(name, value, kind)
        if kind == OBJECT:
            _check(value, _INSIDE[name], what)


def _typed(name: str, value: Any, kind: str) -> None:
    fits = isinstance(value, _TYPES[kind]) and (kind == FLAG or not isinstance(value, bool))
    if not fits:
        raise Refused(f"{name.capitalize()} field must be a {kind}")
