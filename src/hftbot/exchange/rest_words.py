"""Orders in one line, as REST's ``descr`` tells them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hftbot.exchange.kraken_text import ListingText, fixed
from hftbot.exchange.reports import SIDES, Order
from hftbot.exchange.rest_names import altname
from hftbot.exchange.settings import Listing
from hftbot.exchange.triggers import PERCENT_DIGITS, Close, Term, Trigger

SPOKEN = {"stop-loss": "stop loss", "take-profit": "take profit", "trailing-stop": "trailing stop"}


def asked_words(params: dict[str, Any], listing: Listing) -> dict[str, str]:
    """``descr`` of an order that was asked for, by add_order's params."""
    digits = listing.price_precision
    qty = params.get("order_qty", params.get("cash_order_qty", Decimal(0)))
    limit, triggers = params.get("limit_price"), params.get("triggers")
    stop = None
    if triggers:
        stop = distance(triggers["price"], triggers["price_type"], digits)
    end = None
    if limit is not None:
        end = distance(limit, params.get("limit_price_type", "static"), digits)
    told = {"order": line(params["side"], f"{qty:.{listing.qty_precision}f}", listing.symbol,
                          params["order_type"], stop, end)}
    close = params.get("conditional")
    if close:
        stop, end = (distance(close[name], close.get(f"{name}_type", "static"), digits)
                     if name in close else None for name in ("trigger_price", "limit_price"))
        told["close"] = f"close position @ {prices(close['order_type'], stop, end)}"
    return told


def order_line(order: Order, text: ListingText) -> str:
    """What an order is now, in one line."""
    qty = (fixed(order.cash_e10, 10) if order.cash_e10 else text.qty(order.lots))
    stop, end = None, text.price(order.ticks) if order.ticks else None
    if order.trigger is not None:
        stop, end = trigger_words(order.trigger, text)
    return line(SIDES[order.side], qty, order.symbol, order.order_type, stop, end)


def close_line(close: Close, text: ListingText) -> str:
    """The order that is to follow a fill."""
    stop = term_words(close.trigger, text) if close.trigger is not None else None
    end = term_words(close.limit, text) if close.limit is not None else None
    return f"close position @ {prices(close.order_type, stop, end)}"


def trigger_words(trigger: Trigger, text: ListingText) -> tuple[str, str | None]:
    """The price that an order waits for, and the limit behind it."""
    limit = trigger.limit
    return term_words(trigger.price, text), None if limit is None else term_words(limit, text)


def term_words(term: Term, text: ListingText) -> str:
    """A price or a distance as the client named it."""
    if term.kind == "pct":
        return distance(Decimal(term.amount).scaleb(-PERCENT_DIGITS), "pct", 4)
    value = Decimal(text.price(term.amount))
    return distance(value, term.kind, text.listing.price_precision)


def line(side: str, qty: str, symbol: str, kind: str, stop: str | None, end: str | None) -> str:
    """``buy 1.25000000 XBTUSD @ limit 27500.0``."""
    return f"{side} {qty} {altname(symbol)} @ {prices(kind, stop, end)}"


def prices(kind: str, stop: str | None, end: str | None) -> str:
    """``market``, ``limit 27500.0`` or ``stop loss 22000.0 -> limit 21000.0``."""
    if stop is None:
        return "market" if end is None else f"limit {end}"
    spoken = SPOKEN.get(kind.removesuffix("-limit"), kind)
    return f"{spoken} {stop}" if end is None else f"{spoken} {stop} -> limit {end}"


def distance(value: Decimal, price_type: str, digits: int) -> str:
    """``26500.0``, ``+5.0`` or ``+1.0000%``."""
    if price_type == "pct":
        return f"{value:+.4f}%"
    return f"{value:+.{digits}f}" if price_type == "quote" else f"{value:.{digits}f}"
