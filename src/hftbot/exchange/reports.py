"""Orders of the client and the texts that tell about them: executions reports, ledger rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hftbot.exchange.accounts import FEE_DECIMALS, Movement
from hftbot.exchange.kraken_text import ListingText, fixed, money, quoted

TIF_NAMES = ("GTC", "IOC", "FOK", "GTD")
SIDES = ("buy", "sell")


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

    @property
    def open_lots(self) -> int:
        """Lots not filled yet."""
        return self.lots - self.filled_lots

    def saved(self) -> dict[str, Any]:
        """As plain data; ``Order(**saved)`` brings it back."""
        return asdict(self)


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
    return (f'"cum_qty":{text.qty(order.filled_lots)},'
            f'"cum_cost":{text.cost(order.filled_tick_lots)},'
            f'"fee_usd_equiv":{fee_text(order.fee_e10, text.listing.quote)},'
            f'"avg_price":{text.average(order.filled_tick_lots, order.filled_lots)}')


def full(order: Order, text: ListingText, exec_type: str, status: str, stamp: str) -> str:
    """The long report: pending_new, and rows of the snapshot."""
    limit = (f'"limit_price_type":"static","limit_price":{text.price(order.ticks)},'
             if order.ticks else "")
    so_far = f'{totals(order, text)},' if exec_type != "pending_new" else (
        f'"cum_cost":{text.cost(0)},"fee_usd_equiv":{fee_text(0, text.listing.quote)},')
    post_only = '"post_only":true,' if order.post_only else ""
    return (f'{{"order_id":"{order.order_id}","symbol":{text.symbol},'
            f'"order_qty":{text.qty(order.lots)},{so_far}'
            f'"time_in_force":"{TIF_NAMES[order.tif]}","exec_type":"{exec_type}",'
            f'"side":"{SIDES[order.side]}","order_type":"{order.order_type}",{name_pair(order)},'
            f'{limit}"stop_price":{text.price(0)},"order_status":"{status}",'
            f'"fee_ccy_pref":"fciq",{post_only}"timestamp":"{stamp}"}}')


def live(order: Order, stamp: str) -> str:
    """The order is on the book."""
    post_only = '"post_only":true,' if order.post_only else ""
    return (f'{{"timestamp":"{stamp}","order_status":"new","exec_type":"new",{post_only}'
            f'{name_pair(order)},"order_id":"{order.order_id}"}}')


def trade(order: Order, text: ListingText, exec_id: str, trade_id: int, ticks: int, lots: int,
          fee_e10: int, maker: bool, stamp: str) -> str:
    """A fill; the order's totals already include it."""
    quote = text.listing.quote
    return (f'{{"order_id":"{order.order_id}",{name_pair(order)},"exec_id":"{exec_id}",'
            f'"exec_type":"trade","trade_id":{trade_id},"symbol":{text.symbol},'
            f'"side":"{SIDES[order.side]}","last_qty":{text.qty(lots)},'
            f'"last_price":{text.price(ticks)},"liquidity_ind":"{"m" if maker else "t"}",'
            f'"cost":{text.cost(ticks * lots)},"order_type":"{order.order_type}",'
            f'"timestamp":"{stamp}","order_status":"partially_filled",'
            f'"cum_qty":{text.qty(order.filled_lots)},'
            f'"cum_cost":{text.cost(order.filled_tick_lots)},'
            f'"avg_price":{text.average(order.filled_tick_lots, order.filled_lots)},'
            f'"fee_usd_equiv":{fee_text(fee_e10, quote)},'
            f'"fees":[{{"asset":{quoted(quote)},"qty":{fee_text(fee_e10, quote)}}}]}}')


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
    return (f'{{"timestamp":"{stamp}","exec_type":"amended","order_status":"{status}",'
            f'"cum_qty":{text.qty(order.filled_lots)},"reason":"User requested","amended":true,'
            f'"order_qty":{text.qty(order.lots)},"limit_price":{text.price(order.ticks)},'
            f'"limit_price_type":"static",{name_pair(order)},"order_id":"{order.order_id}"}}')


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
