"""The engine's side of the client's orders: checks, holds, matching, reports."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastcore.sim.codes import (
    CANCELED,
    FILLED,
    FOK,
    FULL,
    GTC,
    GTD,
    IOC,
    REASON_EXPIRED,
    REASON_FOK,
    REASON_IOC,
    REASON_SELF_TRADE,
    RESTING,
    WOULD_TAKE,
)
from hftbot.exchange import order_changes, reports
from hftbot.exchange.accounts import Account
from hftbot.exchange.history import History
from hftbot.exchange.kraken_text import ListingText, Stamps
from hftbot.exchange.market import Batch, Market, Row
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.reports import Order, Report
from hftbot.exchange.requests import AddRequest, EditRequest, Refused, cost_check
from hftbot.exchange.senders import OWNER, Senders
from hftbot.exchange.settings import Switches
from hftbot.exchange.triggers import Term
from hftbot.exchange.waiting import Waiting
from hftbot.words.ports import Rng

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PAIRS = tuple(one + other for one in ALPHABET for other in ALPHABET)
USER_REQUESTED = "User requested"


class Identifiers:
    """Kraken-shaped ids: a counter, scrambled, so that they look like ids and never repeat."""

    def __init__(self, rng: Rng, count: int = 0) -> None:
        self.rng = rng
        self.count = count

    def next(self, kind: str) -> str:
        """``OXXXXX-XXXXX-XXXXXX`` for kind O."""
        self.count += 1
        value, bits = self.count, self.rng.getrandbits(50)
        pairs, fifth, sixth = PAIRS, *PAIRS[bits >> 20 & 1023]
        return (f"{kind}{pairs[bits & 1023]}{pairs[bits >> 10 & 1023]}{fifth}-"
                f"{sixth}{pairs[bits >> 30 & 1023]}{pairs[bits >> 40]}-"
                f"{pairs[value >> 20 & 1023]}{pairs[value >> 10 & 1023]}{pairs[value & 1023]}")


class OrderDesk:
    """Adds, amends and cancels the client's orders; books their fills.

    After each call ``reports`` and ``ledger`` hold the texts to publish, in order; ``drain`` takes
    them. Market batches are returned, for the public channels.
    """

    def __init__(self, account: Account, markets: Sequence[Market],
                 texts: Sequence[ListingText], switches: Switches, ids: Identifiers,
                 stamps: Stamps, rates: RateCounter) -> None:
        self.account = account
        self.markets = markets
        self.texts = texts
        self.switches = switches
        self.reason_texts = {REASON_IOC: switches.ioc_reason, REASON_FOK: switches.fok_reason,
                             REASON_SELF_TRADE: switches.self_trade_reason}
        self.ids = ids
        self.stamps = stamps
        self.rates = rates
        self.index = {market.listing.symbol: i for i, market in enumerate(markets)}
        self.orders: dict[str, Order] = {}
        self.named: dict[str, Order] = {}
        self.matched: dict[tuple[int, int], Order] = {}
        self.reports: list[Report] = []
        self.ledger: list[str] = []
        self.recent_trades: deque[str] = deque(maxlen=50)
        self.history = History()
        self.trade_ids = [1 for _ in markets]
        self.counts = {"orders": 0, "refused": 0, "fills": 0}
        self.waiting = Waiting(self)
        self.senders = Senders(self.orders)
        # Told of an order that is to be started at its effective_us.
        self.on_scheduled: Callable[[Order], None] = lambda order: None

    def drain(self) -> tuple[list[Report], list[str]]:
        """Executions reports and ledger rows since the last call."""
        out = (self.reports, self.ledger)
        self.reports, self.ledger = [], []
        return out

    # What clients ask.

    def add(self, request: AddRequest, now_us: int,
            counted: bool = False) -> tuple[Order | None, Batch]:
        """Check and match a new order; raises Refused. None if it was only to be validated.

        ``counted``: a batch has paid for it already.
        """
        symbol = request.listing.symbol
        index = self.index[symbol]
        open_orders = self.open_count(symbol) if self.rates.active else 0
        if not counted:
            self.rates.add(symbol, now_us, open_orders)
        else:
            self.rates.room(open_orders)
        order = self.drafted(index, request, now_us)
        asset, amount = self.need(index, order)
        if amount > self.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        if not order.waits and not order.effective_us:
            self.entry_check(index, order)
        if request.validate:
            return None, Batch()
        return order, self.accept(index, order, asset, amount, now_us)

    def drafted(self, index: int, request: AddRequest, now_us: int) -> Order:
        """The order that a request asks for, not yet named; raises Refused."""
        if now_us > request.deadline_us:
            raise Refused("EService:Deadline elapsed")
        if request.cl_ord_id and request.cl_ord_id in self.named:
            raise Refused("EGeneral:Invalid arguments:cl_ord_id")
        base_fee = request.base_fee
        if base_fee is None:
            base_fee = self.switches.fee_default == "documented" and request.side == 1
        lots = request.lots or self.lots_for(index, request.cash_e10)
        ticks, trigger = request.ticks, request.trigger
        if trigger is not None:
            trigger.start(request.side, self.waiting.reference(index))
            ticks = trigger.limit_ticks
            cost_check(request.listing, ticks or trigger.ticks, lots)
        market = ticks == 0 and trigger is None
        return Order("", request.listing.symbol, request.side, ticks, lots,
                     IOC if market else request.tif, request.post_only, request.stp,
                     request.order_type, request.cl_ord_id, request.userref, now_us,
                     request.expire_us, touched_us=now_us, display_lots=request.display_lots,
                     base_fee=base_fee, trigger=trigger, close=request.close,
                     cash_e10=request.cash_e10, effective_us=request.effective_us,
                     sender=request.sender)

    def entry_check(self, index: int, order: Order) -> None:
        """Refuse an order that the engine would only cancel again, where the switches say so."""
        matcher = self.markets[index].matcher
        if order.post_only and self.switches.post_only_reject == "ack" and matcher.crosses(
                order.side, order.ticks):
            raise Refused("EOrder:Post only order")
        if order.tif == FOK and self.switches.fok_reject == "ack" and matcher.fillable(
                self.senders.number(order.sender), order.side, order.ticks, order.lots,
                order.stp) < order.lots:
            raise Refused("EOrder:Invalid order")

    def would_trade(self, order: Order, ticks: int) -> bool:
        """Whether an order would take at this price, or might because it waits for its trigger."""
        matcher = self.markets[self.index[order.symbol]].matcher
        return order.waits or bool(matcher.crosses(order.side, ticks))

    def accept(self, index: int, order: Order, asset: str, amount: int, now_us: int) -> Batch:
        """Name an order, hold its money, and start it unless its time is to come."""
        order.order_id = self.ids.next("O")
        self.counts["orders"] += 1
        self.remember(order)
        stamp = self.stamps.micro(now_us)
        self.say(order, "pending_new",
                 reports.full(order, self.texts[index], "pending_new", "pending_new", stamp))
        if not order.waits or self.switches.trigger_hold == "placed":
            if amount > self.account.available(asset):
                self.end(index, order, "canceled", self.switches.funds_reason, stamp)
                return Batch()
            self.hold(order, asset, amount)
        if order.effective_us > now_us:
            self.on_scheduled(order)
            return Batch()
        return self.start(index, order, now_us)

    def start(self, index: int, order: Order, now_us: int) -> Batch:
        """An order whose time has come goes to the book, or begins to watch for its trigger."""
        if not order.waits:
            return self.enter(index, order, now_us)
        self.say(order, "new", reports.live(order, self.stamps.micro(now_us)))
        return self.waiting.put(index, order, now_us)

    def enter(self, index: int, order: Order, now_us: int, told: bool = False) -> Batch:
        """Hand a checked order to the matcher and report what became of it.

        ``told``: clients know already that it is live.
        """
        matcher = self.markets[index].matcher
        stamp = self.stamps.micro(now_us)
        batch = Batch()
        tif = IOC if order.ticks == 0 else order.tif
        order.matcher_id = matcher.place(
            self.senders.number(order.sender), order.side, order.ticks, order.open_lots, tif,
            int(order.post_only), order.stp, order.expire_us, order.display_lots)
        if order.matcher_id < 0:
            reason = ("Post only order" if order.matcher_id == WOULD_TAKE
                      else "Engine is full" if order.matcher_id == FULL else "Invalid order")
            order.matcher_id = 0
            self.end(index, order, "canceled", reason, stamp)
            return batch
        if not told and (matcher.state == RESTING or self.switches.new_before_ioc):
            self.say(order, "new", reports.live(order, stamp))
        self.matched[index, order.matcher_id] = order
        order.shown_lots = order.display_lots and min(order.display_lots, matcher.remaining)
        self.after_match(index, order, batch, now_us)
        return batch

    def after_match(self, index: int, order: Order, batch: Batch, now_us: int) -> None:
        """Book the fills of the matcher's last call; end the order if it is done."""
        matcher = self.markets[index].matcher
        state, reason = matcher.state, matcher.reason
        batch.take(matcher)
        if batch.fills or batch.prints or batch.cancels:
            self.book(index, batch, now_us)
        stamp = self.stamps.micro(now_us)
        if state == FILLED and order.order_id in self.orders:
            self.end(index, order, "filled", "", stamp)
        elif state == CANCELED:
            self.end(index, order, "canceled", self.reason_text(reason), stamp)

    def amend(self, order: Order, ticks: int, lots: int, post_only: bool, now_us: int,
              display: int = 0, stop: Term | None = None,
              limit: Term | None = None) -> tuple[str, Batch]:
        """Change an order in place, and name the change; raises Refused. ``lots`` is the new size.

        ``display`` 0 keeps an iceberg's; ``stop`` and ``limit`` are the new trigger price and
        limit of an order that waits for its trigger, None keeps them.
        """
        return order_changes.amend(self, order, ticks, lots, post_only, now_us, display, stop,
                                   limit)

    def edit(self, order: Order, wanted: EditRequest, now_us: int) -> tuple[Order | None, Batch]:
        """Replace an order by a changed one under a new id; raises Refused, and then it stays.

        The new order's size is what of the wanted size is not executed yet. None if the edit was
        only to be validated.
        """
        return order_changes.edit(self, order, wanted, now_us)

    def cancel(self, order: Order, now_us: int, reason: str = USER_REQUESTED,
               charged: bool = True) -> Batch:
        """Take an order off the book. ``charged``: the rate counter is told."""
        index = self.index[order.symbol]
        batch = Batch()
        if charged:
            self.rates.cancel(order.symbol, now_us, order.touched_us)
        matcher = self.markets[index].matcher
        if matcher.cancel(order.matcher_id) == 0:
            batch.take(matcher)
        self.end(index, order, "canceled", reason, self.stamps.micro(now_us))
        return batch

    def expire(self, index: int, now_us: int) -> Batch:
        """Take GTD orders out that are due."""
        batch = Batch()
        matcher = self.markets[index].matcher
        if matcher.expire(now_us):
            batch.take(matcher)
            self.book(index, batch, now_us)
        self.waiting.expire(index, now_us)
        return batch

    # What the market does to them.

    def book(self, index: int, batch: Batch, now_us: int) -> None:
        """Book our part of a batch: fills of ours, orders of ours that the engine took out."""
        stamp = self.stamps.micro(now_us)
        public = self.markets[index].fills_are_public
        for row in batch.fills:
            if row[1] >= OWNER:
                self.fill(index, row, row[0], 1 - row[4], True, stamp)
            if row[3] >= OWNER:
                self.fill(index, row, row[2], row[4], False, stamp)
            if public:
                self.publish_trade(index, batch, row[4], row[5], row[6])
        for side, ticks, lots in batch.prints:
            self.publish_trade(index, batch, side, ticks, lots)
        for order_id, owner, reason, _left in batch.cancels:
            order = self.matched.get((index, order_id))
            if owner >= OWNER and order is not None:
                kind = "expired" if reason == REASON_EXPIRED else "canceled"
                why = "" if kind == "expired" else self.reason_text(reason)
                self.end(index, order, kind, why, stamp)

    def publish_trade(self, index: int, batch: Batch, side: int, ticks: int, lots: int) -> None:
        """Number a trade that everybody sees."""
        batch.trades.append((side, ticks, lots, self.trade_ids[index]))
        self.trade_ids[index] += 1

    def fill(self, index: int, row: Row, matcher_id: int, side: int, maker: bool,
             stamp: str) -> None:
        """One execution of one of our orders."""
        order = self.matched.get((index, matcher_id))
        if order is None:
            return
        listing, ticks, lots = self.markets[index].listing, row[5], row[6]
        fee, base, quote = self.account.trade(listing, side, ticks, lots, maker, order.base_fee)
        order.filled_lots += lots
        order.filled_tick_lots += ticks * lots
        order.fee_e10 += fee
        self.counts["fills"] += 1
        exec_id = self.ids.next("T")
        done = self.switches.last_trade_status == "filled" and order.open_lots == 0
        text = reports.trade(order, self.texts[index], exec_id, self.trade_ids[index], ticks, lots,
                             fee, maker, stamp, base.fee_e10,
                             "filled" if done else "partially_filled")
        self.say(order, "trade", text)
        self.recent_trades.append(text)
        self.history.filled(order, exec_id, self.trade_ids[index], ticks, lots, fee, maker, stamp)
        for movement in (base, quote):
            ledger_id = self.ids.next("L")
            self.ledger.append(reports.ledger_row(movement, ledger_id, exec_id, stamp))
            self.history.booked(movement, ledger_id, exec_id, stamp)
        left = order.open_lots
        self.hold(order, *self.account.needed(
            listing, order.side, (order.ticks or ticks) * left, left, order.base_fee))
        if order.close is not None:
            self.waiting.closings[index].append((order, order.close, lots))
        if maker and left == 0:
            self.end(index, order, "filled", "", stamp)
        elif maker and order.display_lots:
            order.shown_lots -= lots
            if order.shown_lots <= 0:
                order.shown_lots = min(order.display_lots, left)
                self.say(order, "iceberg_refill",
                         reports.refilled(order, self.texts[index], stamp))

    def end(self, index: int, order: Order, exec_type: str, reason: str, stamp: str) -> None:
        """No more can happen to the order: report, release, forget."""
        self.say(order, exec_type,
                 reports.ended(order, self.texts[index], exec_type, reason, stamp))
        self.hold(order, order.hold_asset, 0)
        self.history.ended(order, exec_type, reason, stamp)
        self.waiting.drop(index, order)
        self.orders.pop(order.order_id, None)
        self.matched.pop((index, order.matcher_id), None)
        if order.cl_ord_id and self.named.get(order.cl_ord_id) is order:
            del self.named[order.cl_ord_id]

    # Bookkeeping.

    def say(self, order: Order, kind: str, text: str) -> None:
        """Put a row on the executions channel."""
        self.reports.append(Report(kind, order.symbol, text))

    def remember(self, order: Order) -> None:
        """The order is open from now on."""
        self.orders[order.order_id] = order
        if order.cl_ord_id:
            self.named[order.cl_ord_id] = order

    def hold(self, order: Order, asset: str, amount_e10: int) -> None:
        """Replace what the order promises."""
        if order.hold_asset:
            self.account.hold(order.hold_asset, -order.hold_e10)
        order.hold_asset, order.hold_e10 = asset, amount_e10
        if asset:
            self.account.hold(asset, amount_e10)

    def hold_anew(self, index: int, order: Order) -> None:
        """Hold for an order that waits what it needs now, as far as the account has it."""
        if order.hold_asset:
            asset, amount = self.need(index, order)
            self.hold(order, asset, min(amount, order.hold_e10 + max(
                0, self.account.available(asset))))

    def need(self, index: int, order: Order) -> tuple[str, int]:
        """Asset and amount an order may cost; one that waits is priced where it would fire."""
        ticks = order.ticks
        if order.trigger is not None and order.waits:
            ticks = ticks or order.trigger.ticks
        return self.worst_case(index, order.side, ticks, order.open_lots, order.base_fee)

    def worst_case(self, index: int, side: int, ticks: int, lots: int,
                   base_fee: bool = False) -> tuple[str, int]:
        """Asset and amount an order may cost; a market order is priced against the book."""
        market = self.markets[index]
        if ticks or side == 1:
            return self.account.needed(market.listing, side, ticks * lots, lots, base_fee)
        left, tick_lots = lots, 0
        for level_ticks, level_lots in market.matcher.levels(1, 1_000):
            part = min(left, level_lots)
            tick_lots += level_ticks * part
            left -= part
            if left == 0:
                break
        return self.account.needed(market.listing, side, tick_lots, lots - left, base_fee)

    def lots_for(self, index: int, cash_e10: int) -> int:
        """Lots that so much of the quote asset buys from the book now; raises Refused."""
        market, lots = self.markets[index], 0
        for level_ticks, level_lots in market.matcher.levels(1, 1_000):
            price_e10 = self.account.value_e10(market.listing, level_ticks)
            part = min(level_lots, cash_e10 // price_e10)
            lots += part
            cash_e10 -= part * price_e10
            if part < level_lots:
                break
        if lots < market.listing.lots_min:
            raise Refused("EOrder:Order minimum not met")
        return lots

    def open_count(self, symbol: str) -> int:
        """Open orders of a pair."""
        return sum(1 for order in self.orders.values() if order.symbol == symbol)

    def reason_text(self, reason: int) -> str:
        """Text of an engine's cancellation; the wording is a switch."""
        return self.reason_texts.get(reason, "Engine is full")

    def snapshot(self, now_us: int) -> list[str]:
        """Rows of the executions snapshot: the open orders."""
        rows = []
        for order in self.orders.values():
            index = self.index[order.symbol]
            status = "partially_filled" if order.filled_lots else "new"
            if not order.matcher_id and order.order_id not in self.waiting.orders[index]:
                status = "pending_new"
            kind = "pending_new" if status == "pending_new" else "new"
            rows.append(reports.full(order, self.texts[index], kind, status,
                                     self.stamps.micro(order.created_us)))
        return rows

    # Between runs.

    def saved(self) -> dict[str, Any]:
        """Open orders and trades as plain data."""
        return {"grids": {market.listing.symbol: market.listing.grid for market in self.markets},
                "orders": [order.saved() for order in self.orders.values()],
                "recent_trades": list(self.recent_trades), "ids": self.ids.count,
                "trade_ids": {market.listing.symbol: self.trade_ids[i]
                              for i, market in enumerate(self.markets)}}

    def restore(self, saved: Mapping[str, Any], now_us: int) -> None:
        """Bring open orders back onto the books; one that the market has passed trades at once."""
        self.ids.count = int(saved["ids"])
        moved = {symbol for symbol, index in self.index.items()
                 if saved["grids"].get(symbol, self.markets[index].listing.grid)
                 != self.markets[index].listing.grid}
        # On another grid their prices and sizes cannot be told any more.
        self.recent_trades.extend(text for text in saved["recent_trades"] if not moved
                                  or json.loads(text)["symbol"] not in moved)
        for symbol, count in saved["trade_ids"].items():
            if symbol in self.index:
                self.trade_ids[self.index[symbol]] = int(count)
        for row in saved["orders"]:
            order = reports.restored(row)
            index = self.index.get(order.symbol, -1)
            if index < 0 or order.open_lots <= 0 or (
                    saved["grids"][order.symbol] != self.markets[index].listing.grid):
                # The pair is not listed any more, or its ticks and lots mean something else.
                continue
            if order.waits or order.effective_us > now_us:
                self.restore_waiting(index, order, now_us)
                continue
            matcher = self.markets[index].matcher
            order.matcher_id = matcher.place(
                self.senders.number(order.sender), order.side, order.ticks, order.open_lots,
                GTD if order.expire_us else GTC, 0, order.stp, order.expire_us,
                order.display_lots)
            if order.matcher_id < 0:
                continue
            order.shown_lots = min(order.display_lots, order.open_lots)
            asset, amount = order.hold_asset, order.hold_e10
            order.hold_asset = ""
            self.matched[index, order.matcher_id] = order
            self.remember(order)
            self.hold(order, asset, amount)
            self.after_match(index, order, Batch(), now_us)

    def restore_waiting(self, index: int, order: Order, now_us: int) -> None:
        """Bring back an order that had not come to the book."""
        asset, amount = order.hold_asset, order.hold_e10
        order.hold_asset = ""
        self.remember(order)
        self.hold(order, asset, amount)
        if order.effective_us > now_us:
            self.on_scheduled(order)
        else:
            self.waiting.orders[index][order.order_id] = order
