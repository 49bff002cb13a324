"""Orders of the client and the texts that tell about them: executions reports, ledger rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from operator import attrgetter
from typing import Any, NamedTuple

from hftbot.exchange.accounts import FEE_DECIMALS, Movement
from hftbot.exchange.kraken_text import ListingText, Stamps, fixed, money, quoted
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.triggers import Close, Trigger, restored_close, restored_trigger

TIF_NAMES = ("GTC", "IOC", "FOK", "GTD")
SIDES = ("buy", "sell")
STAMPS = Stamps()
# What a subscription with order_status false is told: orders that open and close, and trades.
OPEN_AND_CLOSE = frozenset(("new", "trade", "filled", "canceled", "expired"))


class Report(NamedTuple):
    """One row of the executions channel: its exec_type, its pair, its JSON text."""

    kind: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class ReportWishes:
    """What a subscription to executions asked for; ``counter_field`` is empty without a counter."""

    every_status: bool = True
    counter_field: str = ""

    def texts(self, found: Sequence[Report], rates: RateCounter, now_us: int) -> list[str]:
        """The rows that this subscription sees, as it sees them."""
        seen = [report for report in found if self.every_status or report.kind in OPEN_AND_CLOSE]
        if not self.counter_field:
            return [report.text for report in seen]
        return [f'{report.text[:-1]},"{self.counter_field}":'
                f'{ceil(rates.value(report.symbol, now_us))}}}' for report in seen]


@dataclass(slots=True)
class Order:
    """One order of the client. Amounts in ticks, lots and 1e-10 units of the quote asset."""

    order_id: str
    symbol: str
    side: int
    ticks: int
    lots: int
    tif: int
    post_only: bool
    stp: int
    order_type: str
    cl_ord_id: str
    userref: int
    created_us: int
    expire_us: int = 0
    filled_lots: int = 0
    filled_tick_lots: int = 0
    fee_e10: int = 0
    hold_asset: str = ""
    hold_e10: int = 0
    # The matcher's id while the order rests or is being matched.
    matcher_id: int = 0
    # Last change of price or size, for the rate counter.
    touched_us: int = 0
    # Lots that an iceberg shows at a time, and shows now; 0 shows all.
    display_lots: int = 0
    shown_lots: int = 0
    base_fee: bool = False
    # Until it fires the order waits beside the book; until ``effective_us`` too.
    trigger: Trigger | None = None
    close: Close | None = None
    cash_e10: int = 0
    effective_us: int = 0
    sender: str = ""
    # The order whose fill made this one.
    parent_id: str = ""
    amended: bool = False

    @property
    def open_lots(self) -> int:
        """Lots not filled yet."""
        return self.lots - self.filled_lots

    @property
    def waits(self) -> bool:
        """Whether it has a trigger that has not fired."""
        return self.trigger is not None and self.trigger.fired_us == 0

    def saved(self) -> dict[str, Any]:
        """As plain data, without what is as usual; ``restored`` brings it back."""
        row = {name: value for (name, usual), value in zip(_FIELDS, _VALUES(self), strict=True)
               if value != usual}
        for name in ("trigger", "close"):
            if name in row:
                row[name] = asdict(row[name])
        return row


# Names of the fields, and their defaults (of those that have none, one that no value is).
_FIELDS = tuple((each.name, each.default) for each in fields(Order))
_VALUES = attrgetter(*(name for name, _usual in _FIELDS))


def restored(saved: Mapping[str, Any]) -> Order:
    """An order that ``saved`` wrote."""
    return Order(**{**saved, "trigger": restored_trigger(saved.get("trigger")),
                    "close": restored_close(saved.get("close"))})


def name_pair(order: Order) -> str:
    """The client's own name of an order, as reports carry it."""
    if order.cl_ord_id:
        return f'"cl_ord_id":{quoted(order.cl_ord_id)}'
    return f'"order_userref":{order.userref}'


def fee_text(order_fee_e10: int, quote: str) -> str:
    """A fee with the quote asset's ledger decimals."""
    decimals = FEE_DECIMALS.get(quote, 8)
    return fixed(order_fee_e10 // int(10 ** (10 - decimals)), decimals)


def totals(order: Order, text: ListingText) -> str:
    """What has been filled so far."""
    if not order.filled_lots:
        return text.unfilled
    return (f'"cum_qty":{text.qty(order.filled_lots)},'
            f'"cum_cost":{text.cost(order.filled_tick_lots)},'
            f'"fee_usd_equiv":{fee_text(order.fee_e10, text.listing.quote)},'
            f'"avg_price":{text.average(order.filled_tick_lots, order.filled_lots)}')


def terms(order: Order, text: ListingText) -> str:
    """What the order was told beside side, price and size."""
    if not (order.display_lots or order.close or order.effective_us or order.expire_us
            or order.sender or order.parent_id or order.amended):
        return ""
    pieces = []
    if order.display_lots:
        pieces.append(f'"display_qty":{text.qty(order.display_lots)},')
    if order.close is not None:
        pieces.append(f'"contingent":{order.close.json(text)},')
    for name, at_us in (("effective_time", order.effective_us), ("expire_time", order.expire_us)):
        if at_us:
            pieces.append(f'"{name}":"{STAMPS.micro(at_us)}",')
    if order.sender:
        pieces.append(f'"sender_sub_id":{quoted(order.sender)},')
    if order.parent_id:
        pieces.append(f'"ord_ref_id":"{order.parent_id}",')
    if order.amended:
        pieces.append('"amended":true,')
    return "".join(pieces)


def prices(order: Order, text: ListingText) -> str:
    """Limit and trigger of an order, the trigger's deprecated forms too."""
    trigger = order.trigger
    if trigger is None:
        limit = (f'"limit_price_type":"static","limit_price":{text.price(order.ticks)},'
                 if order.ticks else "")
        return f'{limit}"stop_price":{text.price(0)},'
    kind, limit = "", ""
    if trigger.limit is not None:
        kind = f'"limit_price_type":"{trigger.limit.kind}",'
        limit = f'"limit_price":{text.price(order.ticks)},'
    return (f'{kind}"triggers":{trigger.json(text, STAMPS.micro)},'
            f'"stop_price":{text.price(trigger.ticks)},{limit}"trigger":"last",')


def full(order: Order, text: ListingText, exec_type: str, status: str, stamp: str) -> str:
    """The long report: pending_new, and rows of the snapshot."""
    so_far = totals(order, text) if exec_type != "pending_new" else text.unspent
    post_only = '"post_only":true,' if order.post_only else ""
    size = (f'"cash_order_qty":{money(order.cash_e10)}' if order.cash_e10
            else f'"order_qty":{text.qty(order.lots)}')
    return (f'{{"order_id":"{order.order_id}","symbol":{text.symbol},{size},{so_far},'
            f'"time_in_force":"{TIF_NAMES[order.tif]}","exec_type":"{exec_type}",'
            f'"side":"{SIDES[order.side]}","order_type":"{order.order_type}",{name_pair(order)},'
            f'{prices(order, text)}{terms(order, text)}"order_status":"{status}",'
            f'"fee_ccy_pref":"{"fcib" if order.base_fee else "fciq"}",{post_only}'
            f'"timestamp":"{stamp}"}}')


def live(order: Order, stamp: str) -> str:
    """The order is on the book."""
    post_only = '"post_only":true,' if order.post_only else ""
    return (f'{{"timestamp":"{stamp}","order_status":"new","exec_type":"new",{post_only}'
            f'{name_pair(order)},"order_id":"{order.order_id}"}}')


def moved(order: Order, text: ListingText, stamp: str) -> str:
    """The trigger of an order has another price, or has fired."""
    assert order.trigger is not None
    limit = f'"limit_price":{text.price(order.ticks)},' if order.trigger.limit is not None else ""
    return (f'{{"timestamp":"{stamp}","order_status":"new","exec_type":"status",{limit}'
            f'"triggers":{order.trigger.json(text, STAMPS.micro)},'
            f'{name_pair(order)},"order_id":"{order.order_id}"}}')


def refilled(order: Order, text: ListingText, stamp: str) -> str:
    """An iceberg shows its next part."""
    return (f'{{"timestamp":"{stamp}","order_status":"partially_filled",'
            f'"exec_type":"iceberg_refill","cum_qty":{text.qty(order.filled_lots)},'
            f'"display_qty":{text.qty(order.display_lots)},'
            f'"display_qty_remain":{text.qty(order.shown_lots)},'
            f'{name_pair(order)},"order_id":"{order.order_id}"}}')


def trade(order: Order, text: ListingText, exec_id: str, trade_id: int, ticks: int, lots: int,
          fee_e10: int, maker: bool, stamp: str, base_fee_e10: int = 0,
          status: str = "partially_filled") -> str:
    """A fill; the order's totals already include it. ``fee_e10`` is the fee's quote value."""
    quote = text.listing.quote
    fee = (f'{{"asset":{quoted(text.listing.base)},"qty":{money(base_fee_e10)}}}' if order.base_fee
           else f'{{"asset":{quoted(quote)},"qty":{fee_text(fee_e10, quote)}}}')
    return (f'{{"order_id":"{order.order_id}",{name_pair(order)},"exec_id":"{exec_id}",'
            f'"exec_type":"trade","trade_id":{trade_id},"symbol":{text.symbol},'
            f'"side":"{SIDES[order.side]}","last_qty":{text.qty(lots)},'
            f'"last_price":{text.price(ticks)},"liquidity_ind":"{"m" if maker else "t"}",'
            f'"cost":{text.cost(ticks * lots)},"order_type":"{order.order_type}",'
            f'"timestamp":"{stamp}","order_status":"{status}",'
            f'"cum_qty":{text.qty(order.filled_lots)},'
            f'"cum_cost":{text.cost(order.filled_tick_lots)},'
            f'"avg_price":{text.average(order.filled_tick_lots, order.filled_lots)},'
            f'"fee_usd_equiv":{fee_text(fee_e10, quote)},'
            f'"fees":[{fee}]}}')


def ended(order: Order, text: ListingText, exec_type: str, reason: str, stamp: str) -> str:
    """filled, canceled or expired: no more will happen."""
    why = f'"cancel_reason":{quoted(reason)},"reason":{quoted(reason)},' if reason else ""
    post_only = '"post_only":true,' if order.post_only else ""
    return (f'{{"timestamp":"{stamp}","order_status":"{exec_type}","exec_type":"{exec_type}",'
            f'{totals(order, text)},{post_only}{name_pair(order)},{why}'
            f'"order_id":"{order.order_id}"}}')


def amended(order: Order, text: ListingText, stamp: str) -> str:
    """The client changed price or size."""
    status = "partially_filled" if order.filled_lots else "new"
    trigger, rest = order.trigger, ""
    if order.display_lots:
        rest = f'"display_qty":{text.qty(order.display_lots)},'
    if trigger is None:
        rest += f'"limit_price":{text.price(order.ticks)},"limit_price_type":"static",'
    else:
        if trigger.limit is not None:
            rest += (f'"limit_price":{text.price(order.ticks)},'
                     f'"limit_price_type":"{trigger.limit.kind}",')
        rest += f'"triggers":{trigger.json(text, STAMPS.micro)},'
    return (f'{{"timestamp":"{stamp}","exec_type":"amended","order_status":"{status}",'
            f'"cum_qty":{text.qty(order.filled_lots)},"reason":"User requested","amended":true,'
            f'"order_qty":{text.qty(order.lots)},{rest}{name_pair(order)},'
            f'"order_id":"{order.order_id}"}}')


def ledger_row(row: Movement, ledger_id: str, ref_id: str, stamp: str) -> str:
    """One balances update."""
    return (f'{{"ledger_id":"{ledger_id}","ref_id":"{ref_id}","timestamp":"{stamp}",'
            f'"type":"trade","asset":{quoted(row.asset)},"asset_class":"currency",'
            f'"category":"trade","wallet_type":"spot","wallet_id":"main",'
            f'"amount":{money(row.amount_e10)},"fee":{money(row.fee_e10)},'
            f'"balance":{money(row.balance_e10)}}}')


def balance_row(asset: str, balance_e10: int) -> str:
    """One asset of the balances snapshot."""
    amount = money(balance_e10)
    return (f'{{"asset":{quoted(asset)},"asset_class":"currency","balance":{amount},'
            f'"wallets":[{{"type":"spot","id":"main","balance":{amount}}}]}}')
