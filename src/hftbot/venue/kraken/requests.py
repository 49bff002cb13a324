"""Kraken's trading requests as frames. Pure: token and req_id are given, nothing is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hftbot.venue.kraken import calls, codec
from hftbot.venue.kraken.terms import LIMIT, STATIC, Price, Terms
from hftbot.words.instrument import Instrument
from hftbot.words.secret import Secret

BATCH_MIN = 2
BATCH_MAX = 15
CANCELS_MAX = 50
SWITCH_S_MAX = 86_399
# What edit_order takes of an order's fields.
EDITABLE = frozenset(("order_qty", "limit_price", "display_qty", "order_userref", "post_only",
                      "reduce_only", "fee_preference", "triggers"))


def add(terms: Terms, token: Secret, req_id: int, deadline_us: int = 0,
        validate: bool = False) -> bytes:
    """add_order. ``deadline_us`` is 0.5 to 60 s from now, wall clock; 0 leaves it to the venue.

    Raises ValueError as ``Terms.check``.
    """
    params = {"symbol": terms.instrument.symbol, **terms.ws_params()}
    return _request(calls.ADD, params, token, req_id, deadline_us, validate)


def batch_add(orders: Sequence[Terms], token: Secret, req_id: int, deadline_us: int = 0,
              validate: bool = False) -> bytes:
    """batch_add: 2 to 15 orders of one symbol. Raises ValueError for others, and as ``add``."""
    _counted(len(orders), BATCH_MIN, BATCH_MAX, "batch_add")
    symbols = {terms.instrument.symbol for terms in orders}
    if len(symbols) != 1:
        raise ValueError(f"a batch is of one symbol, not of {', '.join(sorted(symbols))}")
    params = {"symbol": symbols.pop(), "orders": [terms.ws_params() for terms in orders]}
    return _request(calls.BATCH_ADD, params, token, req_id, deadline_us, validate)


def amend(grid: Instrument, token: Secret, req_id: int, *, client_id: int = 0, venue_id: str = "",
          lots: int = 0, limit: Price | None = None, display_lots: int = 0,
          trigger: Price | None = None, post_only: bool = False, deadline_us: int = 0) -> bytes:
    """amend_order: what is given changes, the rest stays. Raises ValueError if nothing is given."""
    params = _one_id(client_id, venue_id)
    if lots:
        params["order_qty"] = codec.Number(grid.qty_text(lots))
    if display_lots:
        params["display_qty"] = codec.Number(grid.qty_text(display_lots))
    for name, price in (("limit_price", limit), ("trigger_price", trigger)):
        if price is not None:
            params[name] = codec.Number(price.text(grid))
            if price.kind != STATIC:
                params[name + "_type"] = price.kind
    if len(params) == 1:
        raise ValueError("an amend changes the size, the shown size, the limit or the trigger")
    params["post_only"] = post_only
    return _request(calls.AMEND, params, token, req_id, deadline_us)


def edit(venue_id: str, terms: Terms, token: Secret, req_id: int, deadline_us: int = 0,
         validate: bool = False) -> bytes:
    """edit_order: cancels the order and places another, which gets an id of its own.

    Kraken refuses it for orders that have a cl_ord_id: amend those. Raises ValueError for terms
    that cannot be edited.
    """
    told = terms.ws_params()
    given = set(told) - {"order_type", "side"}
    if terms.order_type == LIMIT and told["time_in_force"] == "gtc":
        given.discard("time_in_force")
    if given - EDITABLE:
        raise ValueError(f"edit_order cannot change {', '.join(sorted(given - EDITABLE))}")
    params = {"order_id": venue_id, "symbol": terms.instrument.symbol,
              **{name: told[name] for name in told if name in EDITABLE}}
    return _request(calls.EDIT, params, token, req_id, deadline_us, validate)


def cancel(token: Secret, req_id: int, client_ids: Sequence[int] = (),
           venue_ids: Sequence[str] = (), userrefs: Sequence[int] = ()) -> bytes:
    """cancel_order by any ids: one answer comes for each order. Raises ValueError for none."""
    params: dict[str, Any] = {}
    if venue_ids:
        params["order_id"] = list(venue_ids)
    if client_ids:
        params["cl_ord_id"] = [codec.client_id_text(client_id) for client_id in client_ids]
    if userrefs:
        params["order_userref"] = list(userrefs)
    _counted(len(venue_ids) + len(client_ids) + len(userrefs), 1, CANCELS_MAX, "cancel_order")
    return _request(calls.CANCEL, params, token, req_id)


def batch_cancel(token: Secret, req_id: int, client_ids: Sequence[int] = (),
                 venue_ids: Sequence[str] = (), userrefs: Sequence[int] = ()) -> bytes:
    """batch_cancel of 2 to 50 orders by any ids: one answer with a count. Raises ValueError."""
    _counted(len(venue_ids) + len(client_ids) + len(userrefs), BATCH_MIN, CANCELS_MAX,
             "batch_cancel")
    params: dict[str, Any] = {}
    if venue_ids or userrefs:
        params["orders"] = [*venue_ids, *map(str, userrefs)]
    if client_ids:
        params["cl_ord_id"] = [codec.client_id_text(client_id) for client_id in client_ids]
    return _request(calls.BATCH_CANCEL, params, token, req_id)


def cancel_all(token: Secret, req_id: int) -> bytes:
    """cancel_all: every order of the account."""
    return _request(calls.CANCEL_ALL, {}, token, req_id)


def cancel_all_after(timeout_s: int, token: Secret, req_id: int) -> bytes:
    """cancel_all_orders_after: restart the dead man's switch; 0 switches it off. ValueError."""
    _counted(timeout_s, 0, SWITCH_S_MAX, "cancel_all_orders_after")
    return _request(calls.CANCEL_AFTER, {"timeout": timeout_s}, token, req_id)


def ping(req_id: int) -> bytes:
    """ping: the venue answers pong with the same req_id."""
    return codec.request("ping", None, req_id)


def _counted(count: int, least: int, most: int, what: str) -> None:
    if not least <= count <= most:
        raise ValueError(f"{what} takes {least} to {most}, not {count}")


def _one_id(client_id: int, venue_id: str) -> dict[str, Any]:
    if (client_id != 0) == (venue_id != ""):
        raise ValueError("an order is named by its ClientId or by the venue's id")
    return {"cl_ord_id": codec.client_id_text(client_id)} if client_id else {"order_id": venue_id}


def _request(method: str, params: dict[str, Any], token: Secret, req_id: int,
             deadline_us: int = 0, validate: bool = False) -> bytes:
    if deadline_us:
        params["deadline"] = codec.stamp(deadline_us, 3)
    if validate:
        params["validate"] = True
    return codec.request(method, {**params, "token": token.reveal()}, req_id)
