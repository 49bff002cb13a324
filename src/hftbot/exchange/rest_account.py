"""REST's view of the account: money, orders, executions, ledger, fees, the key itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hftbot.config.fee_schedules import FeeTier, schedule_of, tier_at
from hftbot.exchange.api_keys import ApiKey
from hftbot.exchange.history import (
    Amendment,
    ClosedOrder,
    Execution,
    LedgerRow,
    original,
    seconds,
)
from hftbot.exchange.reports import SIDES, Order, fee_text
from hftbot.exchange.requests import ARGUMENTS, Refused
from hftbot.exchange.rest_form import Fields, flag_of, list_of, text_of, whole_of
from hftbot.exchange.rest_names import altname, amount, asset_key, pair_key
from hftbot.exchange.rest_words import close_line, order_line, trigger_words

if TYPE_CHECKING:
    from hftbot.exchange.rest import Rest

PAGE, QUERIES_MAX = 50, 50
# What every trade without margin has for its position.
NO_POSITION = "TKH2SE-M7IF5-CFI7LT"
ORDER_ID, TIME = re.compile(r"O[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{6}"), re.compile(r"[0-9.]{1,20}")


class RestAccount:
    """The private half that only looks. Each method takes the fields and returns the result."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.face = rest.face
        self.history = rest.face.desk.history
        # The key of the request at hand.
        self.key: ApiKey | None = None
        self.calls: dict[str, Callable[[Fields], Any]] = {
            "GetWebSocketsToken": self.token, "GetApiKeyInfo": self.key_info,
            "Balance": self.balance, "BalanceEx": self.balance_extended,
            "TradeBalance": self.trade_balance, "TradeVolume": self.trade_volume,
            "OpenOrders": self.open_orders, "ClosedOrders": self.closed_orders,
            "QueryOrders": self.query_orders, "OrderAmends": self.order_amends,
            "TradesHistory": self.trades_history,
            "QueryTrades": self.query_trades, "OpenPositions": lambda fields: {},
            "Ledgers": self.ledgers, "QueryLedgers": self.query_ledgers,
            "WithdrawMethods": lambda fields: [], "WithdrawStatus": lambda fields: []}

    # The key.

    def token(self, fields: Fields) -> Any:
        """A WebSocket token."""
        return {"token": self.face.gate.issue(self.face.now_us), "expires": 900}

    def key_info(self, fields: Fields) -> Any:
        """What the key of this request may do."""
        key = self.key
        assert key is not None
        made = str(key.created_us // 1_000_000)
        return {"api_key_name": key.name, "api_key": key.key, "nonce": str(key.last_nonce),
                "nonce_window": str(self.face.gate.nonce_window),
                "permissions": sorted(key.rights), "iban": self.face.gate.iban,
                "valid_until": "0",
                "query_from": "0", "query_to": "0", "created_time": made, "modified_time": made,
                "ip_allowlist": [],
                "last_used": str(key.last_used_us // 1_000_000)}

    # Money.

    def balance(self, fields: Fields) -> Any:
        """Totals, holds not taken off."""
        return {asset_key(asset): amount(asset, e10)
                for asset, e10 in self.face.account.balances.items()}

    def balance_extended(self, fields: Fields) -> Any:
        """Totals and holds."""
        account = self.face.account
        return {asset_key(asset): {"balance": amount(asset, e10),
                                   "hold_trade": amount(asset, account.holds.get(asset, 0))}
                for asset, e10 in account.balances.items()}

    def trade_balance(self, fields: Fields) -> Any:
        """The account's worth in US dollars; nothing is borrowed."""
        asset = text_of(fields, "asset")
        if asset and self.rest.names.assets.get(asset.upper()) != "USD":
            raise Refused("EQuery:Unknown asset")
        worth = sum(e10 * self.face.worth(name) // 10**10
                    for name, e10 in self.face.account.balances.items())
        total, none = amount("USD", worth), amount("USD", 0)
        return {"eb": total, "tb": total, "m": none, "uv": none, "n": none, "c": none, "v": none,
                "e": total, "mf": total}

    def trade_volume(self, fields: Fields) -> Any:
        """30-day volume and the fees of the pairs that were asked for."""
        told: dict[str, Any] = {"currency": "ZUSD",
                                "volume": f"{self.face.account.volume_usd():.4f}",
                                "fees": None, "fees_maker": None}
        symbols = [self.rest.symbol(str(name)) for name in list_of(fields, "pair")]
        if symbols:
            told["fees"] = {pair_key(symbol): self.fee_row(symbol, lambda tier: tier.taker_e6)
                            for symbol in symbols}
            told["fees_maker"] = {
                pair_key(symbol): self.fee_row(symbol, lambda tier: tier.maker_e6)
                for symbol in symbols}
        return told

    def fee_row(self, symbol: str, rate: Callable[[FeeTier], int]) -> dict[str, Any]:
        """One pair's fee now, the limits of its schedule, and what comes next."""
        schedule = schedule_of(self.face.settings.fees, symbol)
        tier = tier_at(schedule, self.face.account.volume_usd())
        later = [row for row in schedule if row.volume_usd > tier.volume_usd]
        return {"fee": percent(rate(tier)), "minfee": percent(min(map(rate, schedule))),
                "maxfee": percent(max(map(rate, schedule))),
                "nextfee": percent(rate(later[0])) if later else None,
                "nextvolume": f"{later[0].volume_usd}.0000" if later else None,
                "tiervolume": f"{tier.volume_usd}.0000"}

    # Orders.

    def open_orders(self, fields: Fields) -> Any:
        """What rests or works, by order id."""
        wanted, trades = named(fields), flag_of(fields, "trades")
        return {"open": {order.order_id: self.order_row(order, trades)
                         for order in self.face.desk.orders.values() if wanted(order)}}

    def closed_orders(self, fields: Fields) -> Any:
        """What is over, newest first, fifty at a time."""
        wanted, trades, stamps = named(fields), flag_of(fields, "trades"), self.face.stamps
        times = text_of(fields, "closetime") or "both"
        if times not in ("open", "close", "both"):
            raise Refused(f"{ARGUMENTS}closetime")
        within = self.span(fields)
        rows = [row for row in reversed(self.history.closed.values())
                if wanted(row.order) and (
                    (times != "open" and within(row.stamp))
                    or (times != "close" and within(stamps.micro(row.order.created_us))))]
        told: dict[str, Any] = {"closed": {
            row.order.order_id: self.closed_row(row, trades) for row in page(rows, fields)}}
        return counted(told, len(rows), fields)

    def query_orders(self, fields: Fields) -> Any:
        """Orders by id, open or over; those that nobody knows are left out."""
        wanted, trades = named(fields), flag_of(fields, "trades")
        names = self.ids(fields, "txid", ORDER_ID)
        told: dict[str, Any] = {}
        for name in names:
            order, closed = self.face.desk.orders.get(name), self.history.closed.get(name)
            if order is not None and wanted(order):
                told[name] = self.order_row(order, trades)
            elif closed is not None and wanted(closed.order):
                told[name] = self.closed_row(closed, trades)
        return told

    def order_amends(self, fields: Fields) -> Any:
        """What an order was when it came, and what each amend made of it."""
        order_id = text_of(fields, "order_id")
        if not ORDER_ID.fullmatch(order_id):
            raise Refused("EOrder:Invalid order" if order_id else f"{ARGUMENTS}order_id")
        order = self.order(order_id)
        if order is None:
            raise Refused("EOrder:Unknown order")
        rows = self.history.amendments_of(order_id) or [original(order)]
        return {"amends": [self.amend_row(row) for row in rows], "count": len(rows)}

    def amend_row(self, row: Amendment) -> dict[str, Any]:
        """One amendment in REST's form; its time is in nanoseconds."""
        text = self.face.texts[self.face.desk.index[row.symbol]]
        told: dict[str, Any] = {
            "amend_id": row.amend_id, "amend_type": row.amend_type,
            "order_qty": text.qty(row.lots), "remaining_qty": text.qty(row.left_lots),
            "post_only": row.post_only, "timestamp": row.at_us * 1_000}
        for name, ticks in (("limit_price", row.ticks), ("trigger_price", row.trigger_ticks)):
            if ticks:
                told[name] = text.price(ticks)
        if row.display_lots:
            told["display_qty"] = text.qty(row.display_lots)
        return told

    def order(self, order_id: str) -> Order | None:
        """An order, open or over."""
        order = self.face.desk.orders.get(order_id)
        closed = self.history.closed.get(order_id)
        return order or (closed.order if closed else None)

    def order_row(self, order: Order, trades: bool, status: str = "") -> dict[str, Any]:
        """One order in REST's form: numbers are strings, times are seconds."""
        text = self.face.texts[self.face.desk.index[order.symbol]]
        price, price2 = text.price(order.ticks) if order.ticks else "0", "0"
        trigger = order.trigger
        if trigger is not None:
            price, end = trigger_words(trigger, text)
            price2 = end or "0"
        fired = trigger is not None and trigger.fired_us > 0
        own: dict[str, Any] = ({"cl_ord_id": order.cl_ord_id} if order.cl_ord_id
                               else {"userref": order.userref})
        waiting = not status and order.effective_us > self.face.now_us
        flags = ["fcib" if order.base_fee else "fciq"]
        flags += ["post"] * order.post_only + ["viqc"] * (order.cash_e10 > 0)
        row: dict[str, Any] = {
            "refid": order.parent_id or None, **own,
            "status": status or ("pending" if waiting else "open"),
            "opentm": order.created_us / 1e6, "starttm": unix(order.effective_us),
            "expiretm": unix(order.expire_us),
            "descr": {"pair": altname(order.symbol), "type": SIDES[order.side],
                      "ordertype": order.order_type, "price": price, "price2": price2,
                      "leverage": "none", "order": order_line(order, text),
                      "close": close_line(order.close, text) if order.close else ""},
            "vol": text.qty(order.lots), "vol_exec": text.qty(order.filled_lots),
            "cost": text.cost(order.filled_tick_lots),
            "fee": fee_text(order.fee_e10, text.listing.quote),
            "price": text.average(order.filled_tick_lots, order.filled_lots),
            "stopprice": text.price(trigger.ticks if trigger is not None else 0),
            "limitprice": text.price(order.ticks if fired else 0),
            "misc": ",".join(["stopped"] * fired + ["amended"] * order.amended),
            "oflags": ",".join(flags)}
        if trigger is not None:
            row["trigger"] = "last"
        if trades:
            row["trades"] = self.history.executions_of(order.order_id)
        return row

    def closed_row(self, row: ClosedOrder, trades: bool) -> dict[str, Any]:
        """An order that is over: why, and since when."""
        return {**self.order_row(row.order, trades, row.status), "reason": row.reason or None,
                "closetm": seconds(row.stamp)}

    # Executions.

    def trades_history(self, fields: Fields) -> Any:
        """Executions, newest first, fifty at a time."""
        kind = text_of(fields, "type") or "all"
        within = self.span(fields)
        rows = [row for row in reversed(self.history.executions.values())
                if within(row.stamp)] if kind in ("all", "no position") else []
        ledgers = flag_of(fields, "ledgers")
        told: dict[str, Any] = {"trades": {row.exec_id: self.execution_row(row, ledgers)
                                           for row in page(rows, fields)}}
        return counted(told, len(rows), fields)

    def query_trades(self, fields: Fields) -> Any:
        """Executions by id."""
        known = self.history.executions
        return {name: self.execution_row(known[name], flag_of(fields, "ledgers"))
                for name in self.ids(fields, "txid") if name in known}

    def execution_row(self, row: Execution, ledgers: bool) -> dict[str, Any]:
        """One execution in REST's form."""
        text = self.face.texts[self.face.desk.index[row.symbol]]
        told: dict[str, Any] = {
            "ordertxid": row.order_id, "postxid": NO_POSITION, "pair": pair_key(row.symbol),
            "time": seconds(row.stamp), "type": SIDES[row.side], "ordertype": row.order_type,
            "price": text.price(row.ticks), "cost": text.cost(row.ticks * row.lots),
            "fee": fee_text(row.fee_e10, text.listing.quote), "vol": text.qty(row.lots),
            "margin": text.price(0), "leverage": "0", "misc": "", "trade_id": row.trade_id,
            "maker": row.maker}
        if ledgers:
            told["ledgers"] = list(row.ledger_ids)
        return told

    # Ledger.

    def ledgers(self, fields: Fields) -> Any:
        """Ledger rows, newest first, fifty at a time."""
        names = self.rest.names.assets
        wanted = list_of(fields, "asset")
        assets = {names.get(str(name).upper()) for name in wanted if name != "all"}
        if None in assets:
            raise Refused("EQuery:Unknown asset")
        kind = text_of(fields, "type") or "all"
        within = self.span(fields)
        rows = [row for row in reversed(self.history.ledger.values())
                if (not assets or row.asset in assets) and within(row.stamp)
                ] if kind in ("all", "trade") else []
        told: dict[str, Any] = {"ledger": {row.ledger_id: ledger_row(row)
                                           for row in page(rows, fields)}}
        return counted(told, len(rows), fields)

    def query_ledgers(self, fields: Fields) -> Any:
        """Ledger rows by id."""
        known = self.history.ledger
        return {name: ledger_row(known[name]) for name in self.ids(fields, "id") if name in known}

    # Fields.

    def ids(self, fields: Fields, name: str, form: re.Pattern[str] | None = None) -> list[str]:
        """Ids between commas; Refused if there are none, too many, or some are not ids."""
        found = [str(part).strip() for part in list_of(fields, name)]
        if not 1 <= len(found) <= QUERIES_MAX:
            raise Refused(f"{ARGUMENTS}{name}")
        if form is not None and not all(form.fullmatch(part) for part in found):
            raise Refused("EOrder:Invalid order")
        return found

    def span(self, fields: Fields) -> Callable[[str], bool]:
        """Whether a time is after ``start`` and not after ``end``: seconds, or ids known here."""
        start, end = text_of(fields, "start"), text_of(fields, "end")
        if not start and not end:
            return lambda stamp: True
        after = self.moment(start, "start") if start else 0.0
        until = self.moment(end, "end") if end else math.inf
        return lambda stamp: after < seconds(stamp) <= until

    def moment(self, text: str, name: str) -> float:
        """A time in seconds, by number or by id."""
        for table in (self.history.closed, self.history.executions, self.history.ledger):
            row = table.get(text)
            if row is not None:
                return seconds(row.stamp)
        if not TIME.fullmatch(text) or text.count(".") > 1 or text == ".":
            raise Refused(f"{ARGUMENTS}{name}")
        return float(Decimal(text))


def named(fields: Fields) -> Callable[[Order], bool]:
    """Whether an order has the userref or cl_ord_id that was asked for."""
    name = text_of(fields, "cl_ord_id")
    userref = whole_of(fields, "userref") if text_of(fields, "userref") else None

    def wanted(order: Order) -> bool:
        return ((not name or order.cl_ord_id == name)
                and (userref is None or (order.userref == userref and not order.cl_ord_id)))
    return wanted


def page(rows: list[Any], fields: Fields) -> list[Any]:
    """Fifty rows from ``ofs`` on."""
    first = whole_of(fields, "ofs")
    if first < 0:
        raise Refused(f"{ARGUMENTS}ofs")
    return rows[first:first + PAGE]


def counted(told: dict[str, Any], count: int, fields: Fields) -> dict[str, Any]:
    """Add how many there are in all, unless the client does not want to know."""
    return told if flag_of(fields, "without_count") else {**told, "count": count}


def unix(us: int) -> float:
    """Seconds since the epoch, 0 for no time."""
    return us / 1e6 if us else 0


def percent(rate_e6: int) -> str:
    """A fee in percent with four decimals."""
    return f"{rate_e6 // 10_000}.{rate_e6 % 10_000:04d}"


def ledger_row(row: LedgerRow) -> dict[str, Any]:
    """One ledger row in REST's form."""
    return {"aclass": "currency", "amount": amount(row.asset, row.amount_e10),
            "asset": asset_key(row.asset), "balance": amount(row.asset, row.balance_e10),
            "fee": amount(row.asset, row.fee_e10), "refid": row.ref_id,
            "time": seconds(row.stamp), "type": "trade", "subtype": ""}
