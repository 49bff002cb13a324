"""The engine's side of the client's orders: checks, holds, matching, reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
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
from hftbot.exchange import reports
from hftbot.exchange.accounts import Account
from hftbot.exchange.history import History
from hftbot.exchange.kraken_text import ListingText, Stamps
from hftbot.exchange.market import Batch, Market, Row
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.reports import Order
from hftbot.exchange.requests import AddRequest, Refused, cost_check
from hftbot.exchange.settings import Switches
from hftbot.words.ports import Rng

OWNER = 1
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
USER_REQUESTED = "User requested"


class Identifiers:
    """Kraken-shaped ids: a counter, scrambled, so that they look like ids and never repeat."""

    def __init__(self, rng: Rng, count: int = 0) -> None:
        self.rng = rng
        self.count = count

    def next(self, kind: str) -> str:
        """``OXXXXX-XXXXX-XXXXXX`` for kind O."""
        self.count += 1
        value = self.count
        tail = []
        for _ in range(6):
            tail.append(ALPHABET[value & 31])
            value >>= 5
        salt = [ALPHABET[self.rng.randrange(0, 32)] for _ in range(10)]
        return f"{kind}{''.join(salt[:5])}-{''.join(salt[5:])}-{''.join(reversed(tail))}"


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
        self.ids = ids
        self.stamps = stamps
        self.rates = rates
        self.index = {market.listing.symbol: i for i, market in enumerate(markets)}
        self.orders: dict[str, Order] = {}
        self.named: dict[str, Order] = {}
        self.matched: dict[tuple[int, int], Order] = {}
        self.reports: list[str] = []
        self.ledger: list[str] = []
        self.recent_trades: deque[str] = deque(maxlen=50)
        self.history = History()
        self.trade_ids = [1 for _ in markets]
        self.counts = {"orders": 0, "refused": 0, "fills": 0}

    def drain(self) -> tuple[list[str], list[str]]:
        """Executions reports and ledger rows since the last call."""
        out = (self.reports, self.ledger)
        self.reports, self.ledger = [], []
        return out

    # What clients ask.

    def add(self, request: AddRequest, now_us: int) -> tuple[Order | None, Batch]:
        """Check and match a new order; raises Refused. None if it was only to be validated."""
        index = self.index[request.listing.symbol]
        market = self.markets[index]
        self.rates.add(request.listing.symbol, now_us, self.open_count(request.listing.symbol))
        if now_us > request.deadline_us:
            raise Refused("EService:Deadline elapsed")
        if request.cl_ord_id and request.cl_ord_id in self.named:
            raise Refused("EGeneral:Invalid arguments:cl_ord_id")
        crossing = market.matcher.crosses(request.side, request.ticks)
        if request.post_only and crossing and self.switches.post_only_reject == "ack":
            raise Refused("EOrder:Post only order")
        asset, amount = self.worst_case(index, request.side, request.ticks, request.lots)
        if amount > self.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        if request.tif == FOK and self.switches.fok_reject == "ack" and market.matcher.fillable(
                OWNER, request.side, request.ticks, request.lots, request.stp) < request.lots:
            raise Refused("EOrder:Invalid order")
        if request.validate:
            return None, Batch()
        order = Order(self.ids.next("O"), request.listing.symbol, request.side, request.ticks,
                      request.lots, IOC if request.ticks == 0 else request.tif, request.post_only,
                      request.stp, request.order_type, request.cl_ord_id, request.userref, now_us,
                      request.expire_us, touched_us=now_us)
        self.counts["orders"] += 1
        self.remember(order)
        self.hold(order, asset, amount)
        return order, self.enter(index, order, now_us)

    def enter(self, index: int, order: Order, now_us: int) -> Batch:
        """Hand a checked order to the matcher and report what became of it."""
        market, text = self.markets[index], self.texts[index]
        stamp = self.stamps.micro(now_us)
        self.reports.append(reports.full(order, text, "pending_new", "pending_new", stamp))
        batch = Batch()
        matcher = market.matcher
        order.matcher_id = matcher.place(OWNER, order.side, order.ticks, order.lots, order.tif,
                                         int(order.post_only), order.stp, order.expire_us)
        if order.matcher_id < 0:
            reason = ("Post only order" if order.matcher_id == WOULD_TAKE
                      else "Engine is full" if order.matcher_id == FULL else "Invalid order")
            order.matcher_id = 0
            self.end(index, order, "canceled", reason, stamp)
            return batch
        if matcher.state == RESTING or self.switches.new_before_ioc:
            self.reports.append(reports.live(order, stamp))
        self.matched[index, order.matcher_id] = order
        self.after_match(index, order, batch, now_us)
        return batch

    def after_match(self, index: int, order: Order, batch: Batch, now_us: int) -> None:
        """Book the fills of the matcher's last call; end the order if it is done."""
        matcher = self.markets[index].matcher
        state, reason = matcher.state, matcher.reason
        batch.take(matcher)
        self.book(index, batch, now_us)
        stamp = self.stamps.micro(now_us)
        if state == FILLED and order.order_id in self.orders:
            self.end(index, order, "filled", "", stamp)
        elif state == CANCELED:
            self.end(index, order, "canceled", self.reason_text(reason), stamp)

    def amend(self, order: Order, ticks: int, lots: int, post_only: bool,
              now_us: int) -> Batch:
        """Change an order in place; raises Refused. ``lots`` is the new total size."""
        index = self.index[order.symbol]
        market = self.markets[index]
        self.rates.amend(order.symbol, now_us, order.touched_us)
        open_lots = lots - order.filled_lots
        if open_lots <= 0:
            return self.cancel(order, now_us)
        cost_check(market.listing, ticks, lots)
        asset, amount = self.worst_case(index, order.side, ticks, open_lots)
        if amount - order.hold_e10 > self.account.available(asset):
            raise Refused("EOrder:Insufficient funds")
        if post_only and ticks != order.ticks and market.matcher.crosses(order.side, ticks):
            raise Refused("EOrder:Post only order")
        if market.matcher.amend(order.matcher_id, ticks, open_lots, 0, order.stp) < 0:
            raise Refused("EOrder:Unknown order")
        self.hold(order, asset, amount)
        order.ticks, order.lots, order.touched_us = ticks, lots, now_us
        stamp = self.stamps.micro(now_us)
        self.reports.append(reports.amended(order, self.texts[index], stamp))
        batch = Batch()
        self.after_match(index, order, batch, now_us)
        return batch

    def cancel(self, order: Order, now_us: int, reason: str = USER_REQUESTED) -> Batch:
        """Take an order off the book."""
        index = self.index[order.symbol]
        batch = Batch()
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
        return batch

    # What the market does to them.

    def book(self, index: int, batch: Batch, now_us: int) -> None:
        """Book our part of a batch: fills of ours, orders of ours that the engine took out."""
        stamp = self.stamps.micro(now_us)
        public = self.markets[index].fills_are_public
        for row in batch.fills:
            if row[1] == OWNER:
                self.fill(index, row, row[0], 1 - row[4], True, stamp)
            if row[3] == OWNER:
                self.fill(index, row, row[2], row[4], False, stamp)
            if public:
                self.publish_trade(index, batch, row[4], row[5], row[6])
        for side, ticks, lots in batch.prints:
            self.publish_trade(index, batch, side, ticks, lots)
        for order_id, owner, reason, _left in batch.cancels:
            order = self.matched.get((index, order_id))
            if owner == OWNER and order is not None:
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
        fee, base, quote = self.account.trade(listing, side, ticks, lots, maker)
        order.filled_lots += lots
        order.filled_tick_lots += ticks * lots
        order.fee_e10 += fee
        self.counts["fills"] += 1
        exec_id = self.ids.next("T")
        text = reports.trade(order, self.texts[index], exec_id, self.trade_ids[index], ticks, lots,
                             fee, maker, stamp)
        self.reports.append(text)
        self.recent_trades.append(text)
        self.history.filled(order, exec_id, self.trade_ids[index], ticks, lots, fee, maker, stamp)
        for movement in (base, quote):
            ledger_id = self.ids.next("L")
            self.ledger.append(reports.ledger_row(movement, ledger_id, exec_id, stamp))
            self.history.booked(movement, ledger_id, exec_id, stamp)
        left = order.open_lots
        self.hold(order, *self.account.needed(listing, order.side,
                                              (order.ticks or ticks) * left, left))
        if maker and left == 0:
            self.end(index, order, "filled", "", stamp)

    def end(self, index: int, order: Order, exec_type: str, reason: str, stamp: str) -> None:
        """No more can happen to the order: report, release, forget."""
        self.reports.append(reports.ended(order, self.texts[index], exec_type, reason, stamp))
        self.hold(order, order.hold_asset, 0)
        self.history.ended(order, exec_type, reason, stamp)
        self.orders.pop(order.order_id, None)
        self.matched.pop((index, order.matcher_id), None)
        if order.cl_ord_id and self.named.get(order.cl_ord_id) is order:
            del self.named[order.cl_ord_id]

    # Bookkeeping.

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

    def worst_case(self, index: int, side: int, ticks: int, lots: int) -> tuple[str, int]:
        """Asset and amount an order may cost; a market order is priced against the book."""
        market = self.markets[index]
        if ticks or side == 1:
            return self.account.needed(market.listing, side, ticks * lots, lots)
        left, tick_lots = lots, 0
        for level_ticks, level_lots in market.matcher.levels(1, 1_000):
            part = min(left, level_lots)
            tick_lots += level_ticks * part
            left -= part
            if left == 0:
                break
        return self.account.needed(market.listing, side, tick_lots, lots - left)

    def open_count(self, symbol: str) -> int:
        """Open orders of a pair."""
        return sum(1 for order in self.orders.values() if order.symbol == symbol)

    def reason_text(self, reason: int) -> str:
        """Text of an engine's cancellation; the wording is a switch."""
        return {REASON_IOC: self.switches.ioc_reason, REASON_FOK: self.switches.fok_reason,
                REASON_SELF_TRADE: self.switches.self_trade_reason}.get(reason, "Engine is full")

    def snapshot(self, now_us: int) -> list[str]:
        """Rows of the executions snapshot: the open orders."""
        rows = []
        for order in self.orders.values():
            status = "partially_filled" if order.filled_lots else "new"
            rows.append(reports.full(order, self.texts[self.index[order.symbol]], "new", status,
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
        self.recent_trades.extend(saved["recent_trades"])
        for symbol, count in saved["trade_ids"].items():
            if symbol in self.index:
                self.trade_ids[self.index[symbol]] = int(count)
        for row in saved["orders"]:
            order = Order(**row)
            index = self.index.get(order.symbol, -1)
            if index < 0 or order.open_lots <= 0 or (
                    saved["grids"][order.symbol] != self.markets[index].listing.grid):
                # The pair is not listed any more, or its ticks and lots mean something else.
                continue
            matcher = self.markets[index].matcher
            order.matcher_id = matcher.place(
                OWNER, order.side, order.ticks, order.open_lots,
                GTD if order.expire_us else GTC, 0, order.stp, order.expire_us)
            if order.matcher_id < 0:
                continue
            asset, amount = order.hold_asset, order.hold_e10
            order.hold_asset = ""
            self.matched[index, order.matcher_id] = order
            self.remember(order)
            self.hold(order, asset, amount)
            self.after_match(index, order, Batch(), now_us)
