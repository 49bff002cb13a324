"""Kraken's REST paths, as far as the embedded exchange serves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from hftbot.exchange.accounts import form
from hftbot.exchange.kraken_text import fixed, money
from hftbot.exchange.maintenance import BadWish, administer
from hftbot.exchange.reports import SIDES, Order, fee_text
from hftbot.exchange.requests import Refused, parse

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

Answer = tuple[int, dict[str, str], bytes]
LEGACY = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
SHORT = {"BTC": "XBT"}


class Rest:
    """Answers one request at a time."""

    def __init__(self, face: KrakenFace) -> None:
        self.face = face
        self.public: dict[str, Callable[[dict[str, str]], Any]] = {
            "Time": self.time, "SystemStatus": self.system_status,
            "AssetPairs": self.asset_pairs, "Depth": self.depth}
        self.private: dict[str, Callable[[dict[str, str]], Any]] = {
            "GetWebSocketsToken": self.token, "Balance": self.balance,
            "BalanceEx": self.balance_extended, "CancelAll": self.cancel_all,
            "CancelAllOrdersAfter": self.cancel_all_after, "OpenOrders": self.open_orders}

    def answer(self, method: str, target: str, headers: Mapping[str, str],
               body: bytes) -> Answer:
        """Status, headers and body of a request; errors are in the envelope, status 200."""
        try:
            parts = urlsplit(target)
        except ValueError:
            return 404, {"Content-Type": "text/plain"}, b"404 page not found"
        if parts.path == "/sim/status" and method == "GET":
            return self.plain(self.face.status())
        if parts.path.startswith("/sim/") and method == "POST":
            return self.administer(parts.path[5:], headers, body)
        pieces = parts.path.split("/")
        if len(pieces) != 4 or pieces[:2] != ["", "0"]:
            return 404, {"Content-Type": "text/plain"}, b"404 page not found"
        area, name = pieces[2], pieces[3]
        if area == "public" and name in self.public:
            if method != "GET" and method != "POST":
                return self.error("EGeneral:Unknown method")
            fields = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            return self.result(self.public[name](fields | form(body)))
        if area == "private" and name in self.private:
            if method != "POST":
                return self.error("EGeneral:Unknown method")
            refusal = self.face.gate.refuse(parts.path, headers, body)
            if refusal:
                return self.error(refusal)
            return self.result(self.private[name](form(body)))
        return self.error("EGeneral:Unknown method")

    def administer(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What an administrator of the exchange wishes: modes, maintenance. JSON both ways.

        A page in a browser cannot send that content type here without being asked first.
        """
        kinds = [value for key, value in headers.items() if key.lower() == "content-type"]
        wish = parse(body.decode(errors="replace"))
        if wish is None or not kinds or not kinds[0].startswith("application/json"):
            return self.plain({"error": "POST a JSON object as application/json"}, 400)
        try:
            return self.plain(administer(self.face, name, wish))
        except BadWish as refusal:
            return self.plain({"error": str(refusal)}, 400)

    def plain(self, document: Any, status: int = 200) -> Answer:
        """A JSON answer."""
        return (status, {"Content-Type": "application/json"},
                json.dumps(document, separators=(",", ":")).encode())

    def result(self, result: Any) -> Answer:
        """The envelope of success; a string starting with E is an error."""
        if isinstance(result, str):
            return self.error(result)
        return self.plain({"error": [], "result": result})

    def error(self, text: str) -> Answer:
        """The envelope of failure."""
        return self.plain({"error": [text]})

    # Public.

    def time(self, fields: dict[str, str]) -> Any:
        """The venue's clock."""
        second = self.face.now_us // 1_000_000
        text = datetime.fromtimestamp(second, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")
        return {"unixtime": second, "rfc1123": text}

    def system_status(self, fields: dict[str, str]) -> Any:
        """The engine's mode."""
        return {"status": self.face.system, "timestamp": self.face.stamps.whole(self.face.now_us)}

    def asset_pairs(self, fields: dict[str, str]) -> Any:
        """Reference data in REST's form; fees are empty, as on the real venue."""
        rows = {}
        for listing in self.face.listings.values():
            base, quote = listing.base, listing.quote
            short = SHORT.get(base, base) + quote
            name = LEGACY.get(base, base) + LEGACY.get(quote, quote)
            if fields.get("pair", listing.symbol) != listing.symbol:
                continue
            rows[listing.symbol if "pair" in fields else name] = {
                "altname": short, "wsname": f"{SHORT.get(base, base)}/{quote}",
                "aclass_base": "currency", "base": LEGACY.get(base, base),
                "aclass_quote": "currency", "quote": LEGACY.get(quote, quote), "lot": "unit",
                "cost_decimals": 5, "pair_decimals": listing.price_precision,
                "lot_decimals": listing.qty_precision, "lot_multiplier": 1, "leverage_buy": [],
                "leverage_sell": [], "fees": [], "fees_maker": [], "fee_volume_currency": "ZUSD",
                "margin_call": 80, "margin_stop": 40,
                "ordermin": fixed(listing.lots_min * listing.lot_units, listing.qty_precision),
                "costmin": str(listing.cost_min),
                "tick_size": fixed(listing.tick_units, listing.price_precision),
                "status": "online"}
        return rows

    def depth(self, fields: dict[str, str]) -> Any:
        """A snapshot of a book."""
        symbol = fields.get("pair", "")
        index = self.face.desk.index.get(symbol)
        if index is None:
            return "EQuery:Unknown asset pair"
        wanted = fields.get("count", "100")
        if not wanted.isdigit() or not 1 <= int(wanted) <= 500:
            return "EGeneral:Invalid arguments:count"
        view, text = self.face.views[index], self.face.texts[index]
        second = self.face.now_us // 1_000_000
        sides = {name: [[text.price(key * side.sign), text.qty(side.lots[key]), second]
                        for key in side.keys[:int(wanted)]]
                 for name, side in (("asks", view.sides[1]), ("bids", view.sides[0]))}
        return {symbol: sides}

    # Private.

    def token(self, fields: dict[str, str]) -> Any:
        """A WebSocket token."""
        return {"token": self.face.gate.issue(self.face.now_us), "expires": 900}

    def balance(self, fields: dict[str, str]) -> Any:
        """Totals, holds not taken off."""
        return {LEGACY.get(asset, asset): money(amount)
                for asset, amount in self.face.account.balances.items()}

    def balance_extended(self, fields: dict[str, str]) -> Any:
        """Totals and holds."""
        account = self.face.account
        return {LEGACY.get(asset, asset): {"balance": money(amount),
                                           "hold_trade": money(account.holds.get(asset, 0))}
                for asset, amount in account.balances.items()}

    def cancel_all(self, fields: dict[str, str]) -> Any:
        """Cancel everything."""
        if self.face.system == "maintenance":
            return "EService:Unavailable"
        return {"count": self.face.cancel_everything(self.face.now_us)}

    def cancel_all_after(self, fields: dict[str, str]) -> Any:
        """The dead man's switch: restarted, or off with 0."""
        timeout = fields.get("timeout", "")
        if not (timeout.isascii() and timeout.isdigit()) or len(timeout) > 9:
            return "EGeneral:Invalid arguments:timeout"
        try:
            current, trigger = self.face.dead_man.ask(int(timeout), self.face.now_us)
        except Refused:
            return "EGeneral:Invalid arguments:timeout"
        return {"currentTime": current, "triggerTime": trigger}

    def open_orders(self, fields: dict[str, str]) -> Any:
        """What rests or works, by order id."""
        name = fields.get("cl_ord_id", "")
        return {"open": {order.order_id: self.open_order(order)
                         for order in self.face.desk.orders.values()
                         if not name or order.cl_ord_id == name}}

    def open_order(self, order: Order) -> dict[str, Any]:
        """One open order in REST's form: numbers are strings, times are seconds."""
        text = self.face.texts[self.face.desk.index[order.symbol]]
        base, _, quote = order.symbol.partition("/")
        pair = SHORT.get(base, base) + quote
        kind, price = order.order_type, text.price(order.ticks)
        line = f"{SIDES[order.side]} {text.qty(order.lots)} {pair} @ {kind} {price}"
        own: dict[str, Any] = ({"cl_ord_id": order.cl_ord_id} if order.cl_ord_id
                               else {"userref": order.userref})
        return {"refid": None, **own, "status": "open", "opentm": order.created_us / 1e6,
                "starttm": 0, "expiretm": order.expire_us / 1e6,
                "descr": {"pair": pair, "type": SIDES[order.side], "ordertype": kind,
                          "price": price, "price2": "0", "leverage": "none", "order": line,
                          "close": ""},
                "vol": text.qty(order.lots), "vol_exec": text.qty(order.filled_lots),
                "cost": text.cost(order.filled_tick_lots),
                "fee": fee_text(order.fee_e10, quote),
                "price": text.average(order.filled_tick_lots, order.filled_lots),
                "stopprice": text.price(0), "limitprice": text.price(0), "misc": "",
                "oflags": "fciq,post" if order.post_only else "fciq"}
