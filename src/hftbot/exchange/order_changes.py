"""Amending an order in place, and editing it: the old one goes, a changed one comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hftbot.exchange import reports
from hftbot.exchange.history import original, terms
from hftbot.exchange.market import Batch
from hftbot.exchange.reports import Order
from hftbot.exchange.requests import EditRequest, Refused, cost_check
from hftbot.exchange.triggers import Term
from hftbot.exchange.waiting import merge

if TYPE_CHECKING:
    from hftbot.exchange.order_desk import OrderDesk


def amend(desk: OrderDesk, order: Order, ticks: int, lots: int, post_only: bool, now_us: int,
          display: int, stop: Term | None, limit: Term | None) -> tuple[str, Batch]:
    """``OrderDesk.amend``: the change, and what the history knows of it."""
    before = None if order.amended else original(order)
    filled_lots = order.filled_lots
    batch = change(desk, order, ticks, lots, post_only, now_us, display, stop, limit)
    amend_id = desk.ids.next("T")
    if before is not None:
        desk.history.keep(before)
    desk.history.keep(terms(order, amend_id, "user", max(0, order.lots - filled_lots), post_only,
                            now_us))
    return amend_id, batch


def change(desk: OrderDesk, order: Order, ticks: int, lots: int, post_only: bool, now_us: int,
           display: int, stop: Term | None, limit: Term | None) -> Batch:
    """Change price and size, wherever the order is."""
    index = desk.index[order.symbol]
    market = desk.markets[index]
    desk.rates.amend(order.symbol, now_us, order.touched_us)
    open_lots = lots - order.filled_lots
    if open_lots <= 0:
        order.lots = order.filled_lots
        return desk.cancel(order, now_us)
    if order.close is not None or (not order.matcher_id and not order.waits):
        raise Refused("EOrder:Invalid order")
    if order.waits:
        return amend_waiting(desk, index, order, lots, stop, limit, now_us)
    cost_check(market.listing, ticks, lots)
    asset, amount = desk.worst_case(index, order.side, ticks, open_lots, order.base_fee)
    if amount - order.hold_e10 > desk.account.available(asset):
        raise Refused("EOrder:Insufficient funds")
    if post_only and ticks != order.ticks and market.matcher.crosses(order.side, ticks):
        raise Refused("EOrder:Post only order")
    in_place = ticks == order.ticks and open_lots <= order.open_lots
    if market.matcher.amend(order.matcher_id, ticks, open_lots, 0, order.stp, display) < 0:
        raise Refused("EOrder:Invalid order" if display or order.display_lots
                      else "EOrder:Unknown order")
    desk.hold(order, asset, amount)
    order.ticks, order.lots, order.touched_us = ticks, lots, now_us
    order.display_lots, order.amended = display or order.display_lots, True
    if order.display_lots:
        shown = min(order.display_lots, market.matcher.remaining)
        order.shown_lots = min(order.shown_lots, shown) if in_place else shown
    say_amended(desk, index, order, now_us)
    batch = Batch()
    desk.after_match(index, order, batch, now_us)
    return batch


def amend_waiting(desk: OrderDesk, index: int, order: Order, lots: int, stop: Term | None,
                  limit: Term | None, now_us: int) -> Batch:
    """Change an order that has not fired; it may fire by that."""
    assert order.trigger is not None
    trigger = replace(order.trigger, price=stop or order.trigger.price,
                      limit=limit or order.trigger.limit)
    if stop is not None:
        trigger.place(order.side, desk.waiting.reference(index))
    changed = replace(order, trigger=trigger, lots=lots, ticks=trigger.limit_ticks)
    cost_check(desk.markets[index].listing, changed.ticks or trigger.ticks, lots)
    asset, amount = desk.need(index, changed)
    if order.hold_asset:
        own = order.hold_e10 if order.hold_asset == asset else 0
        if amount - own > desk.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        desk.hold(order, asset, amount)
    order.trigger, order.lots, order.ticks = trigger, lots, changed.ticks
    order.touched_us, order.amended = now_us, True
    say_amended(desk, index, order, now_us)
    if order.effective_us > now_us:
        return Batch()
    return desk.waiting.put(index, order, now_us)


def say_amended(desk: OrderDesk, index: int, order: Order, now_us: int) -> None:
    """Report the new price and size."""
    desk.say(order, "amended",
             reports.amended(order, desk.texts[index], desk.stamps.micro(now_us)))


def edit(desk: OrderDesk, order: Order, wanted: EditRequest,
         now_us: int) -> tuple[Order | None, Batch]:
    """``OrderDesk.edit``."""
    index = desk.index[order.symbol]
    desk.rates.edit(order.symbol, now_us, order.touched_us)
    if now_us > wanted.deadline_us:
        raise Refused("EService:Deadline elapsed")
    left = (wanted.lots or order.lots) - order.filled_lots
    if order.cl_ord_id or order.trigger is not None or order.close is not None or (
            left <= 0 or not order.matcher_id):
        raise Refused("EOrder:Invalid order")
    fresh = replace(
        order, order_id="", ticks=wanted.ticks or order.ticks, lots=left, filled_lots=0,
        filled_tick_lots=0, fee_e10=0, hold_asset="", hold_e10=0, matcher_id=0,
        created_us=now_us, touched_us=now_us, amended=False,
        display_lots=min(wanted.display_lots or order.display_lots, left),
        post_only=order.post_only if wanted.post_only is None else wanted.post_only,
        userref=order.userref if wanted.userref is None else wanted.userref,
        base_fee=order.base_fee if wanted.base_fee is None else wanted.base_fee)
    cost_check(desk.markets[index].listing, fresh.ticks, left)
    asset, amount = desk.need(index, fresh)
    own = order.hold_e10 if order.hold_asset == asset else 0
    if amount - own > desk.account.available(asset):
        raise Refused("EOrder:Insufficient funds")
    desk.entry_check(index, fresh)
    if wanted.validate:
        return None, Batch()
    batch = desk.cancel(order, now_us, desk.switches.edit_reason, charged=False)
    merge(batch, desk.accept(index, fresh, asset, amount, now_us))
    return fresh, batch
