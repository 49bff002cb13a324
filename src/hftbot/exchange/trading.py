"""The trading methods of the private endpoint, done when the engine gets to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hftbot.exchange.kraken_text import quoted
from hftbot.exchange.market import Batch
from hftbot.exchange.reports import Order
from hftbot.exchange.requests import (
    ARGUMENTS,
    LIMIT_TYPES,
    AddRequest,
    Refused,
    add_request,
    deadline_of,
    display_lots,
    edit_request,
    flag,
    number,
    plain_request,
    price_ticks,
    qty_lots,
    term,
    text_field,
    trigger_term,
)
from hftbot.exchange.triggers import Term

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection
    from hftbot.exchange.face_kraken import KrakenFace

Params = dict[str, Any]
Handler = Callable[["Connection", str, "int | None", Params, int, int], None]
DOWN = "EService:Unavailable"
ORDER_ID = re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}")
BATCH_ADD, BATCH_CANCEL = (2, 15), (2, 50)


def echo(order: Order, by_name: bool) -> str:
    """The id form that the client used."""
    if by_name:
        return f'"cl_ord_id":{quoted(order.cl_ord_id)}'
    return f'"order_id":"{order.order_id}"'


def open_check(face: KrakenFace, symbol: str) -> str:
    """The mode that a pair's orders meet; refuses where no order may come or change."""
    mode = face.operations.mode_of(symbol)
    if mode == "cancel_only":
        raise Refused("EService:Market in cancel_only mode")
    if mode == "maintenance":
        raise Refused(DOWN)
    return mode


def engine_down(face: KrakenFace) -> bool:
    """Whether the engine is down for maintenance: then nothing can be canceled either."""
    return face.system == "maintenance"


def engine_check(face: KrakenFace) -> None:
    """Refuse a request that only an engine at work can do."""
    if engine_down(face):
        raise Refused(DOWN)


def mode_check(face: KrakenFace, symbol: str, post_only: bool, order_type: str) -> None:
    """Refuse an order that the engine's or the pair's mode does not take."""
    mode = open_check(face, symbol)
    if mode == "post_only" and not post_only:
        raise Refused("EService:Market in post_only mode")
    if order_type != "limit" and face.operations.pairs.get(symbol) == "limit_only":
        raise Refused("EService:Market in limit_only mode")


def short_deadline(face: KrakenFace, params: Params, in_us: int) -> None:
    """Refuse a deadline nearer than half a second, if the switches say so."""
    if "deadline" in params and face.settings.switches.deadline_short == "refused" and (
            in_us <= deadline_of(params, in_us) < in_us + 500_000):
        raise Refused(f"{ARGUMENTS}deadline")


def charge_known(face: KrakenFace, params: Params, now_us: int, cost: float = 1.0) -> None:
    """A request that fails its checks costs what it costs, if it names a pair."""
    symbol = params.get("symbol")
    if isinstance(symbol, str) and symbol in face.listings:
        face.desk.rates.charge(symbol, now_us, cost)


def checked_add(face: KrakenFace, params: Params, in_us: int) -> AddRequest:
    """An add_order as a request that the engine's mode takes; raises Refused."""
    request = (plain_request(params, face.listings, in_us)
               or add_request(params, face.listings, in_us))
    short_deadline(face, params, in_us)
    mode_check(face, request.listing.symbol, request.post_only, request.order_type)
    return request


def identity(order: Order | None, params: Params) -> str:
    """The result row of a new order: its id, empty if it was only validated, and its name."""
    order_id = "" if order is None else order.order_id
    own = ""
    if order is not None and order.cl_ord_id:
        own = f',"cl_ord_id":{quoted(order.cl_ord_id)}'
    elif order is not None and "order_userref" in params:
        own = f',"order_userref":{order.userref}'
    return f'{{"order_id":"{order_id}"{own}}}'


def add_order(connection: Connection, method: str, req_id: int | None, params: Params,
              in_us: int, now_us: int) -> None:
    """A new order."""
    face = connection.face
    try:
        request = checked_add(face, params, in_us)
    except Refused:
        charge_known(face, params, now_us)
        raise
    order, batch = face.desk.add(request, now_us)
    if order is None:
        connection.ack(method, req_id, identity(order, params), in_us, now_us)
        return
    # The ack is written a moment after the engine's reports, so that either may come first.
    delay = face.engine_us() // 4
    connection.ack(method, req_id, identity(order, params), in_us, now_us + delay)
    published(face, order, batch, now_us)


def published(face: KrakenFace, order: Order, batch: Batch, now_us: int) -> None:
    """Tell everybody what an order did, and look again when it ends."""
    index = face.desk.index[order.symbol]
    if batch.changes or batch.trades or face.desk.waiting.closings[index]:
        face.publish(index, batch, now_us)
    face.tell(now_us + face.engine_us() // 4)
    if order.expire_us and order.order_id in face.desk.orders:
        face.expire_later(order)


def batch_add(connection: Connection, method: str, req_id: int | None, params: Params,
              in_us: int, now_us: int) -> None:
    """Several orders of one pair; all refused if one is wrong in itself."""
    face, desk = connection.face, connection.face.desk
    rows = params.get("orders")
    if not isinstance(rows, list) or not BATCH_ADD[0] <= len(rows) <= BATCH_ADD[1]:
        raise Refused(f"{ARGUMENTS}orders")
    shared: Params = {name: params[name] for name in ("symbol", "deadline", "validate")
                      if name in params}
    try:
        wanted = [checked_add(face, {**row, **shared}, in_us) for row in rows]
        names = [request.cl_ord_id for request in wanted if request.cl_ord_id]
        if len(set(names)) < len(names) or any(name in desk.named for name in names):
            raise Refused(f"{ARGUMENTS}cl_ord_id")
    except Refused:
        charge_known(face, params, now_us, len(rows) / 2)
        raise
    desk.rates.add_batch(wanted[0].listing.symbol, now_us, len(rows))
    found, errors = [], 0
    for row, request in zip(rows, wanted, strict=True):
        try:
            order, batch = desk.add(request, now_us, counted=True)
        except Refused as refusal:
            errors += 1
            found.append(f'{{"error":{quoted(str(refusal))}}}')
            continue
        found.append(identity(order, row))
        if order is not None:
            published(face, order, batch, now_us)
    success = not errors or face.settings.switches.batch_add_partly == "success"
    connection.ack(method, req_id, f'[{",".join(found)}]', in_us,
                   now_us + face.engine_us() // 4, success)


def find(connection: Connection, params: Params) -> tuple[Order, bool]:
    """The order that order_id or cl_ord_id names, and whether the latter was used."""
    desk = connection.face.desk
    order_id, name = params.get("order_id"), params.get("cl_ord_id")
    if (order_id is None) == (name is None):
        raise Refused(f"{ARGUMENTS}order_id")
    order = desk.orders.get(str(order_id)) if name is None else desk.named.get(str(name))
    if order is None:
        raise Refused("EOrder:Unknown order")
    return order, name is not None


def new_terms(params: Params, order: Order, face: KrakenFace) -> tuple[Term | None, Term | None]:
    """New trigger price and limit of an order that waits for its trigger; None: as it was."""
    listing = face.listings[order.symbol]
    price, limit = number(params, "trigger_price"), number(params, "limit_price")
    stop = None if price is None else trigger_term(
        listing, order.order_type, price, text_field(params, "trigger_price_type") or "static",
        "trigger_price_type")
    if limit is None:
        return stop, None
    trailing = order.order_type == "trailing-stop-limit"
    kind = text_field(params, "limit_price_type") or ("quote" if trailing else "static")
    if order.order_type not in LIMIT_TYPES or (kind != "static" and not trailing):
        raise Refused(f"{ARGUMENTS}limit_price")
    return stop, term(listing, limit, kind, "limit_price_type")


def nothing_to_amend(face: KrakenFace) -> Refused:
    """What an amend is told that names nothing, or nothing new."""
    return Refused(f"{face.settings.switches.no_op_prefix}:No amendable parameters")


def amend_order(connection: Connection, method: str, req_id: int | None, params: Params,
                in_us: int, now_us: int) -> None:
    """Change price or size in place."""
    face = connection.face
    post_only = flag(params, "post_only")
    if now_us > deadline_of(params, in_us):
        raise Refused("EService:Deadline elapsed")
    short_deadline(face, params, in_us)
    order, by_name = find(connection, params)
    try:
        if not {"order_qty", "limit_price", "display_qty", "trigger_price"} & params.keys():
            raise nothing_to_amend(face)
        mode = open_check(face, order.symbol)
        if params.get("symbol", order.symbol) != order.symbol:
            raise Refused(f"{ARGUMENTS}symbol")
        listing = face.listings[order.symbol]
        qty, price = number(params, "order_qty"), number(params, "limit_price")
        shown = number(params, "display_qty")
        lots = order.lots if qty is None else qty_lots(listing, qty)
        stop, limit = None, None
        ticks, display = order.ticks, 0
        if order.waits:
            stop, limit = new_terms(params, order, face)
        elif "trigger_price" in params or text_field(params, "limit_price_type") not in (
                "", "static"):
            raise Refused(f"{ARGUMENTS}trigger_price")
        elif price is not None:
            ticks = price_ticks(listing, price)
        if mode == "post_only" and face.desk.would_trade(order, ticks):
            raise Refused("EService:Market in post_only mode")
        if shown is not None and order.order_type != "iceberg":
            raise Refused(f"{ARGUMENTS}display_qty")
        if shown is not None and lots > order.filled_lots:
            display = display_lots(listing, shown, lots - order.filled_lots)
        if (lots, ticks) == (order.lots, order.ticks) and stop is None and limit is None and (
                display in (0, order.display_lots)):
            raise nothing_to_amend(face)
    except Refused:
        face.desk.rates.charge(order.symbol, now_us, 1.0)
        raise
    named = echo(order, by_name)
    amend_id, batch = face.desk.amend(order, ticks, lots, post_only, now_us, display, stop, limit)
    connection.ack(method, req_id, f'{{"amend_id":"{amend_id}",{named}}}', in_us, now_us)
    face.publish(face.desk.index[order.symbol], batch, now_us)
    face.tell(now_us + face.engine_us() // 4)


def edit_order(connection: Connection, method: str, req_id: int | None, params: Params,
               in_us: int, now_us: int) -> None:
    """Replace an order by a changed one with another id."""
    face = connection.face
    if text_field(params, "symbol") not in face.listings:
        raise Refused("EQuery:Unknown asset pair")
    order_id = text_field(params, "order_id")
    if not order_id:
        raise Refused(f"{ARGUMENTS}order_id")
    order = face.desk.orders.get(order_id)
    if order is None:
        raise Refused("EOrder:Unknown order")
    try:
        if params["symbol"] != order.symbol:
            raise Refused(f"{ARGUMENTS}symbol")
        short_deadline(face, params, in_us)
        wanted = edit_request(params, face.listings[order.symbol], order.lots,
                              order.display_lots > 0, in_us)
        post_only = order.post_only if wanted.post_only is None else wanted.post_only
        mode_check(face, order.symbol, post_only, order.order_type)
    except Refused:
        face.desk.rates.charge(order.symbol, now_us, 1.0)
        raise
    fresh, batch = face.desk.edit(order, wanted, now_us)
    new_id = "" if fresh is None else fresh.order_id
    delay = face.engine_us() // 4
    connection.ack(method, req_id,
                   f'{{"order_id":"{new_id}","original_order_id":"{order_id}"}}', in_us,
                   now_us + delay)
    published(face, fresh or order, batch, now_us)


def by_key(connection: Connection, key: str, name: Any) -> list[Order | None]:
    """Open orders that an id of one form names; [None] if there is none."""
    desk = connection.face.desk
    if key == "order_userref":
        found: list[Order | None] = [order for order in desk.orders.values()
                                     if order.userref == name and not order.cl_ord_id]
        return found or [None]
    return [(desk.orders if key == "order_id" else desk.named).get(str(name))]


def missing(connection: Connection, key: str, name: Any) -> str:
    """What a cancel of an order that is not open is told."""
    strict = connection.face.settings.switches.malformed_id == "invalid"
    if strict and key == "order_id" and not ORDER_ID.fullmatch(str(name)):
        return "EOrder:Invalid order"
    return "EOrder:Unknown order"


def cancel_order(connection: Connection, method: str, req_id: int | None, params: Params,
                 in_us: int, now_us: int) -> None:
    """Cancel orders by name; one answer for each."""
    face, desk = connection.face, connection.face.desk
    wanted = [(key, name, order) for key in ("order_id", "cl_ord_id", "order_userref")
              for name in params.get(key, []) for order in by_key(connection, key, name)]
    if not wanted:
        raise Refused(f"{ARGUMENTS}order_id")
    for key, name, order in wanted:
        if order is None or order.order_id not in desk.orders or engine_down(face):
            why = DOWN if engine_down(face) else missing(connection, key, name)
            connection.refuse(why, method, req_id, in_us, now_us)
            continue
        batch = desk.cancel(order, now_us)
        connection.ack(method, req_id, f"{{{echo(order, key == 'cl_ord_id')}}}", in_us, now_us)
        face.publish(desk.index[order.symbol], batch, now_us)
    face.tell(now_us + face.engine_us() // 4)


def batch_cancel(connection: Connection, method: str, req_id: int | None, params: Params,
                 in_us: int, now_us: int) -> None:
    """Cancel orders by id, userref (as text) or name; one answer that counts them."""
    face, desk = connection.face, connection.face.desk
    engine_check(face)
    names, own = params.get("orders", []), params.get("cl_ord_id", [])
    if not BATCH_CANCEL[0] <= len(names) + len(own) <= BATCH_CANCEL[1]:
        raise Refused(f"{ARGUMENTS}orders")
    wanted: list[Order | None] = []
    for name in map(str, names):
        userref = name.lstrip("-").isdecimal() and len(name) <= 11
        wanted += (by_key(connection, "order_userref", int(name)) if userref
                   else by_key(connection, "order_id", name))
    for name in own:
        wanted += by_key(connection, "cl_ord_id", name)
    canceled = 0
    for order in wanted:
        if order is None or order.order_id not in desk.orders:
            continue
        canceled += 1
        face.publish(desk.index[order.symbol], desk.cancel(order, now_us), now_us)
    if face.settings.switches.batch_cancel_answer == "recorded":
        connection.ack_plain(method, req_id, f'"orders_cancelled":{canceled}', in_us, now_us)
    else:
        connection.ack(method, req_id, f'{{"count":{canceled}}}', in_us, now_us)
    face.tell(now_us + face.engine_us() // 4)


def cancel_all(connection: Connection, method: str, req_id: int | None, params: Params,
               in_us: int, now_us: int) -> None:
    """Cancel everything."""
    engine_check(connection.face)
    canceled = connection.face.cancel_everything(now_us)
    connection.ack(method, req_id, f'{{"count":{canceled}}}', in_us, now_us)


def cancel_all_orders_after(connection: Connection, method: str, req_id: int | None,
                            params: Params, in_us: int, now_us: int) -> None:
    """The dead man's switch: account-wide, restarted by each call, off after it fired."""
    timeout = params.get("timeout")
    if isinstance(timeout, bool) or not isinstance(timeout, int):
        raise Refused("Invalid timeout argument")
    current, trigger = connection.face.dead_man.ask(timeout, now_us)
    connection.ack(method, req_id, f'{{"currentTime":"{current}","triggerTime":"{trigger}"}}',
                   in_us, now_us)


METHODS: dict[str, Handler] = {
    "add_order": add_order, "amend_order": amend_order, "edit_order": edit_order,
    "cancel_order": cancel_order, "cancel_all": cancel_all, "batch_add": batch_add,
    "batch_cancel": batch_cancel, "cancel_all_orders_after": cancel_all_orders_after}
