"""REST's trading endpoints: orders in, and what became of them out."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hftbot.exchange.requests import ARGUMENTS, Refused
from hftbot.exchange.rest_form import Fields, decimal_of, flag_of, list_of, text_of, whole_of
from hftbot.exchange.rest_orders import Caller, call, order_params, rest_error
from hftbot.exchange.rest_words import asked_words, order_line
from hftbot.exchange.trading import engine_check

if TYPE_CHECKING:
    from hftbot.exchange.rest import Rest

BATCH_MIN, BATCH_MAX, CANCELS_MAX = 2, 15, 50
USERREF = re.compile(r"-?[0-9]{1,10}")


class RestTrading:
    """AddOrder and its kin. Each method takes the fields and returns the result."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.face = rest.face
        self.asker: Caller | None = None
        self.calls = {
            "AddOrder": self.add, "AddOrderBatch": self.add_batch, "AmendOrder": self.amend,
            "EditOrder": self.edit, "CancelOrder": self.cancel,
            "CancelOrderBatch": self.cancel_batch, "CancelAll": self.cancel_all,
            "CancelAllOrdersAfter": self.cancel_all_after}

    def add(self, fields: Fields) -> Any:
        """One order."""
        symbol = self.rest.pair(fields)
        params = order_params(fields, self.face.now_us, *self.anchor(symbol))
        validate = flag_of(fields, "validate")
        [answer] = call(self.caller(), "add_order",
                        {**params, "symbol": symbol, **({"validate": True} if validate else {})})
        told: dict[str, Any] = {"descr": asked_words(params, self.face.listings[symbol])}
        order_id = answer["result"].get("order_id")
        if order_id:
            told["txid"] = [order_id]
        return told

    def add_batch(self, fields: Fields) -> Any:
        """Two to fifteen orders of one pair; each has its own answer."""
        symbol = self.rest.pair(fields)
        rows = fields.get("orders")
        if not isinstance(rows, list) or not BATCH_MIN <= len(rows) <= BATCH_MAX:
            raise Refused(f"{ARGUMENTS}orders")
        orders = []
        for row in rows:
            if not isinstance(row, dict):
                raise Refused(f"{ARGUMENTS}orders")
            orders.append(order_params(row, self.face.now_us, *self.anchor(symbol)))
        params: dict[str, Any] = {"symbol": symbol, "orders": orders}
        if flag_of(fields, "validate"):
            params["validate"] = True
        deadline = text_of(fields, "deadline")
        if deadline:
            params["deadline"] = deadline
        [answer] = call(self.caller(), "batch_add", params)
        told = []
        for order, row in zip(orders, answer["result"], strict=True):
            if row.get("error"):
                told.append({"error": rest_error(str(row["error"]))})
                continue
            line: dict[str, Any] = {"descr": asked_words(order, self.face.listings[symbol])}
            if row.get("order_id"):
                line["txid"] = row["order_id"]
            told.append(line)
        return {"orders": told}

    def amend(self, fields: Fields) -> Any:
        """Change an order in place."""
        params: dict[str, Any] = {}
        for name, own in (("order_id", "txid"), ("cl_ord_id", "cl_ord_id"),
                          ("deadline", "deadline")):
            text = text_of(fields, own)
            if text:
                params[name] = text
        for name in ("order_qty", "limit_price", "display_qty", "trigger_price"):
            value = decimal_of(fields, name)
            if value is not None:
                params[name] = value
        if flag_of(fields, "post_only"):
            params["post_only"] = True
        try:
            [answer] = call(self.caller(), "amend_order", params)
        except Refused as refusal:
            # AmendOrder has the trading methods' own names for these fields.
            text = str(refusal).replace(f"{ARGUMENTS}volume", f"{ARGUMENTS}order_qty")
            raise Refused(text.replace(f"{ARGUMENTS}price", f"{ARGUMENTS}limit_price")
                          ) from refusal
        return {"amend_id": answer["result"]["amend_id"]}

    def edit(self, fields: Fields) -> Any:
        """Cancel an order and place another in its stead."""
        symbol = self.rest.pair(fields)
        order_id = text_of(fields, "txid")
        if USERREF.fullmatch(order_id):
            named = [order for order in self.face.desk.orders.values()
                     if order.userref == int(order_id) and not order.cl_ord_id]
            order_id = named[0].order_id if named else order_id
        params: dict[str, Any] = {"order_id": order_id, "symbol": symbol}
        for name, own in (("order_qty", "volume"), ("limit_price", "price"),
                          ("display_qty", "displayvol")):
            value = decimal_of(fields, own)
            if value is not None:
                params[name] = value
        if text_of(fields, "userref"):
            params["order_userref"] = whole_of(fields, "userref")
        flags = text_of(fields, "oflags").split(",")
        if "post" in flags:
            params["post_only"] = True
        if flag_of(fields, "validate"):
            params["validate"] = True
        if text_of(fields, "deadline"):
            params["deadline"] = text_of(fields, "deadline")
        [answer] = call(self.caller(), "edit_order", params)
        return self.edited(answer["result"], params, symbol)

    def edited(self, result: dict[str, Any], params: dict[str, Any], symbol: str) -> Any:
        """EditOrder's answer; a new order that is already over is described from the history."""
        text = self.face.texts[self.face.desk.index[symbol]]
        told: dict[str, Any] = {"status": "ok", "txid": result.get("order_id", ""),
                                "originaltxid": result.get("original_order_id",
                                                           params["order_id"])}
        order = self.rest.account.order(told["txid"] or told["originaltxid"])
        if order is not None:
            told |= {"volume": text.qty(order.lots), "price": text.price(order.ticks),
                     "orders_cancelled": 1 if told["txid"] else 0,
                     "descr": {"order": order_line(order, text)}}
        if "order_userref" in params:
            told["newuserref"] = params["order_userref"]
        return told

    def cancel(self, fields: Fields) -> Any:
        """Cancel by order id, by userref or by cl_ord_id."""
        txid, name = text_of(fields, "txid"), text_of(fields, "cl_ord_id")
        if bool(txid) == bool(name):
            raise Refused(f"{ARGUMENTS}txid")
        return {"count": self.canceled(txid, name)}

    def canceled(self, txid: str, name: str = "") -> int:
        """Cancel what one id names; how many that were. Raises Refused if it names nothing."""
        if name:
            params: dict[str, Any] = {"cl_ord_id": [name]}
        elif USERREF.fullmatch(txid):
            params = {"order_userref": [int(txid)]}
        else:
            params = {"order_id": [txid]}
        answers = call(self.caller(), "cancel_order", params)
        return sum(1 for answer in answers if answer.get("success"))

    def cancel_batch(self, fields: Fields) -> Any:
        """Cancel up to fifty orders; those that are not open are not counted."""
        orders = [text_of(row, "txid") if isinstance(row, dict) else str(row)
                  for row in list_of(fields, "orders")]
        names = [str(row) for row in list_of(fields, "cl_ord_ids")]
        if not 1 <= len(orders) + len(names) <= CANCELS_MAX:
            raise Refused(f"{ARGUMENTS}orders")
        if len(orders) + len(names) == 1:
            return {"count": self.canceled(*orders, *(("", names[0]) if names else ()))}
        params: dict[str, Any] = {}
        if orders:
            params["orders"] = orders
        if names:
            params["cl_ord_id"] = names
        [answer] = call(self.caller(), "batch_cancel", params)
        count = answer.get("orders_cancelled", answer.get("result", {}).get("count", 0))
        return {"count": count}

    def cancel_all(self, fields: Fields) -> Any:
        """Cancel everything."""
        engine_check(self.face)
        return {"count": self.face.cancel_everything(self.face.now_us)}

    def cancel_all_after(self, fields: Fields) -> Any:
        """The dead man's switch: restarted, or off with 0."""
        timeout = text_of(fields, "timeout")
        if not (timeout.isascii() and timeout.isdigit()) or len(timeout) > 9:
            raise Refused(f"{ARGUMENTS}timeout")
        try:
            current, trigger = self.face.dead_man.ask(int(timeout), self.face.now_us)
        except Refused as refusal:
            raise Refused(f"{ARGUMENTS}timeout") from refusal
        return {"currentTime": current, "triggerTime": trigger}

    def caller(self) -> Caller:
        """Who asks the trading methods for us."""
        if self.asker is None:
            self.asker = Caller(self.face)
        return self.asker

    def anchor(self, symbol: str) -> tuple[Decimal, Decimal]:
        """What distances are measured from, the last price, and the pair's price step."""
        text = self.face.texts[self.face.desk.index[symbol]]
        return self.rest.markets.last_price(symbol), Decimal(text.price(1))
