"""Orders beside the book: those that wait for a price or a time, and closing orders to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hftbot.exchange import reports
from hftbot.exchange.market import Batch
from hftbot.exchange.reports import Order
from hftbot.exchange.triggers import Close

if TYPE_CHECKING:
    from hftbot.exchange.order_desk import OrderDesk


class Waiting:
    """Watches the last price of each pair for the desk."""

    def __init__(self, desk: OrderDesk) -> None:
        self.desk = desk
        # By pair: orders by id, oldest first.
        self.orders: list[dict[str, Order]] = [{} for _ in desk.markets]
        self.last_ticks = [0 for _ in desk.markets]
        # Fills that their order's template answers: order, its template, lots.
        self.closings: list[list[tuple[Order, Close, int]]] = [[] for _ in desk.markets]

    def reference(self, index: int) -> int:
        """The last price of a pair, before its first trade the middle of its book."""
        return self.last_ticks[index] or self.desk.markets[index].mid_ticks()

    def put(self, index: int, order: Order, now_us: int) -> Batch:
        """Let a live order wait for its trigger, or fire it if the price is there already."""
        assert order.trigger is not None
        last = self.reference(index)
        self.orders[index][order.order_id] = order
        if order.trigger.reached(order.side, last):
            return self.fire(index, order, last, now_us)
        return Batch()

    def drop(self, index: int, order: Order) -> None:
        """The order is gone."""
        self.orders[index].pop(order.order_id, None)

    def follow(self, index: int, batch: Batch, now_us: int) -> None:
        """What trades of a pair set off: triggers move and fire, closing orders come.

        Everything that happens is added to the batch, whose trades may set off more.
        """
        done = 0
        while done < len(batch.trades) or self.closings[index]:
            closings, self.closings[index] = self.closings[index], []
            for order, close, lots in closings:
                self.close(index, order, close, lots, batch, now_us)
            while done < len(batch.trades):
                ticks = batch.trades[done][1]
                done += 1
                self.last_ticks[index] = ticks
                for order in list(self.orders[index].values()):
                    if order.order_id in self.orders[index]:
                        self.look(index, order, ticks, batch, now_us)

    def look(self, index: int, order: Order, last: int, batch: Batch, now_us: int) -> None:
        """One waiting order sees a trade."""
        trigger = order.trigger
        assert trigger is not None
        if trigger.move(order.side, last):
            order.ticks = trigger.limit_ticks
            self.desk.hold_anew(index, order)
            self.desk.say(order, "status", reports.moved(
                order, self.desk.texts[index], self.desk.stamps.micro(now_us)))
        if trigger.reached(order.side, last):
            merge(batch, self.fire(index, order, last, now_us))

    def fire(self, index: int, order: Order, last: int, now_us: int) -> Batch:
        """The price is there: the order goes to the book, if its money is."""
        desk, trigger = self.desk, order.trigger
        assert trigger is not None
        self.drop(index, order)
        trigger.fired_us, trigger.fired_ticks = now_us, last
        order.ticks = trigger.limit_ticks
        stamp = desk.stamps.micro(now_us)
        desk.say(order, "status", reports.moved(order, desk.texts[index], stamp))
        asset, amount = desk.worst_case(index, order.side, order.ticks, order.open_lots,
                                        order.base_fee)
        own = order.hold_e10 if order.hold_asset == asset else 0
        if amount - own > desk.account.available(asset):
            desk.end(index, order, "canceled", desk.switches.funds_reason, stamp)
            return Batch()
        desk.hold(order, asset, amount)
        return desk.enter(index, order, now_us, told=True)

    def close(self, index: int, parent: Order, close: Close, lots: int, batch: Batch,
              now_us: int) -> None:
        """A fill of an order makes its closing order: as large, on the other side."""
        desk, side = self.desk, 1 - parent.side
        trigger = close.trigger_of()
        if trigger is not None:
            trigger.start(side, self.reference(index))
        limit = close.limit.amount if trigger is None and close.limit is not None else 0
        order = Order("", parent.symbol, side, trigger.limit_ticks if trigger else limit, lots, 0,
                      False, parent.stp, close.order_type, "", parent.userref, now_us,
                      touched_us=now_us, base_fee=parent.base_fee, trigger=trigger,
                      parent_id=parent.order_id)
        asset, amount = desk.need(index, order)
        merge(batch, desk.accept(index, order, asset, amount, now_us))

    def expire(self, index: int, now_us: int) -> None:
        """End what is due and never came to the book."""
        text = self.desk.stamps.micro(now_us)
        for order in list(self.desk.orders.values()):
            if order.expire_us and order.expire_us <= now_us and order.matcher_id == 0 and (
                    self.desk.index[order.symbol] == index):
                self.desk.end(index, order, "expired", "", text)


def merge(batch: Batch, more: Batch) -> None:
    """Add what another call did, as later."""
    batch.changes += more.changes
    batch.fills += more.fills
    batch.cancels += more.cancels
    batch.prints += more.prints
    batch.trades += more.trades
