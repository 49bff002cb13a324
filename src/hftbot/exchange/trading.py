"""The trading methods of the private endpoint, done when the engine gets to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hftbot.exchange.kraken_text import quoted
from hftbot.exchange.reports import Order
from hftbot.exchange.requests import (
    AMEND_FIELDS,
    ARGUMENTS,
    Refused,
    add_request,
    deadline_of,
    flag,
    known_fields,
    number,
    price_ticks,
    qty_lots,
)

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection

Params = dict[str, Any]
Handler = Callable[["Connection", str, "int | None", Params, int, int], None]
NO_ORDERS = ("maintenance", "cancel_only")


def echo(order: Order, by_name: bool) -> str:
    """The id form that the client used."""
    if by_name:
        return f'"cl_ord_id":{quoted(order.cl_ord_id)}'
    return f'"order_id":"{order.order_id}"'


def add_order(connection: Connection, method: str, req_id: int | None, params: Params,
              in_us: int, now_us: int) -> None:
    """A new order."""
    face = connection.face
    request = add_request(params, face.listings, now_us)
    mode = face.operations.mode_of(request.listing.symbol)
    if mode in NO_ORDERS:
        raise Refused("EService:Market in cancel_only mode" if mode == "cancel_only"
                      else "EService:Unavailable")
    if mode == "post_only" and not request.post_only:
        raise Refused("EService:Market in post_only mode")
    order, batch = face.desk.add(request, now_us)
    if order is None:
        connection.ack(method, req_id, '{"order_id":""}', in_us, now_us)
        return
    own = (f',"cl_ord_id":{quoted(order.cl_ord_id)}' if order.cl_ord_id
           else f',"order_userref":{order.userref}' if "order_userref" in params else "")
    # The ack is written a moment after the engine's reports, so that either may come first.
    delay = face.engine_us() // 4
    connection.ack(method, req_id, f'{{"order_id":"{order.order_id}"{own}}}', in_us,
                   now_us + delay)
    index = face.desk.index[order.symbol]
    face.publish(index, batch, now_us)
    face.tell(now_us + face.engine_us() // 4)
    if order.expire_us and order.order_id in face.desk.orders:
        face.expire_later(index, order.expire_us)


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


def amend_order(connection: Connection, method: str, req_id: int | None, params: Params,
                in_us: int, now_us: int) -> None:
    """Change price or size in place."""
    face = connection.face
    known_fields(params, AMEND_FIELDS, "amend order")
    qty, price = number(params, "order_qty"), number(params, "limit_price")
    post_only = flag(params, "post_only")
    if now_us > deadline_of(params, in_us):
        raise Refused("EService:Deadline elapsed")
    order, by_name = find(connection, params)
    if qty is None and price is None:
        raise Refused("EGeneral:Invalid arguments:No amendable parameters")
    if face.operations.mode_of(order.symbol) in NO_ORDERS:
        raise Refused("EService:Market in cancel_only mode")
    listing = face.listings[order.symbol]
    lots = order.lots if qty is None else qty_lots(listing, qty)
    ticks = order.ticks if price is None else price_ticks(listing, price)
    named = echo(order, by_name)
    batch = face.desk.amend(order, ticks, lots, post_only, now_us)
    connection.ack(method, req_id,
                   f'{{"amend_id":"{face.desk.ids.next("T")}",{named}}}', in_us, now_us)
    face.publish(face.desk.index[order.symbol], batch, now_us)
    face.tell(now_us + face.engine_us() // 4)


def cancel_order(connection: Connection, method: str, req_id: int | None, params: Params,
                 in_us: int, now_us: int) -> None:
    """Cancel orders by name; one answer for each."""
    face = connection.face
    desk = face.desk
    wanted: list[tuple[str, Order | None]] = []
    for key in ("order_id", "cl_ord_id", "order_userref"):
        names = params.get(key, [])
        if not isinstance(names, list):
            raise Refused(f"{ARGUMENTS}{key}")
        for name in names:
            if key == "order_userref":
                same = [order for order in desk.orders.values()
                        if order.userref == name and not order.cl_ord_id]
                wanted += [(key, order) for order in same] or [(key, None)]
            else:
                table = desk.orders if key == "order_id" else desk.named
                wanted.append((key, table.get(str(name))))
    if not wanted:
        raise Refused(f"{ARGUMENTS}order_id")
    for key, order in wanted:
        if order is None or order.order_id not in desk.orders:
            connection.refuse("EOrder:Unknown order", method, req_id, in_us, now_us)
            continue
        batch = desk.cancel(order, now_us)
        connection.ack(method, req_id, f"{{{echo(order, key == 'cl_ord_id')}}}", in_us, now_us)
        face.publish(desk.index[order.symbol], batch, now_us)
    face.tell(now_us + face.engine_us() // 4)


def cancel_all(connection: Connection, method: str, req_id: int | None, params: Params,
               in_us: int, now_us: int) -> None:
    """Cancel everything."""
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
    "add_order": add_order, "amend_order": amend_order, "cancel_order": cancel_order,
    "cancel_all": cancel_all, "cancel_all_orders_after": cancel_all_orders_after}
