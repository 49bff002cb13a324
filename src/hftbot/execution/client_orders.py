"""Orders through a ccxt object: sent once, followed by asking, told as the engine's events.

An order whose request failed without a clear no is in doubt: it is looked for by its client id
among the venue's open and closed orders, and is never sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hftbot.execution.client_markets import Client, explained, unsure
from hftbot.live.world import World
from hftbot.words.events import (
    E10,
    BalanceSeen,
    CancelRejected,
    OrderAcked,
    OrderDone,
    OrderDoubt,
    OrderFilled,
    OrderRejected,
)
from hftbot.words.instrument import Instrument
from hftbot.words.order import OrderState, Tif

ASK_S, ASK_S_MAX = 0.02, 1.0
LOOKS_MAX = 10
TRADES_LOOKS = 3
ENDS = {"closed": OrderState.FILLED, "canceled": OrderState.CANCELED,
        "cancelled": OrderState.CANCELED, "expired": OrderState.EXPIRED,
        "rejected": OrderState.REJECTED}


class Followed:
    """One order at the venue, as far as it was told."""

    __slots__ = ("changed", "client_id", "filled_lots", "grid", "seen", "side", "venue_id")

    def __init__(self, client_id: int, grid: Instrument, side: int) -> None:
        self.client_id = client_id
        self.grid = grid
        self.side = side
        self.venue_id = ""
        self.filled_lots = 0
        self.seen: set[str] = set()
        # Set when there is a reason to ask at once.
        self.changed = asyncio.Event()


class ClientOrders:
    """What leaves the router, and what becomes of it."""

    def __init__(self, client: Client, world: World, say: Callable[[str], None],
                 traded: Callable[[], None]) -> None:
        self._client = client
        self._world = world
        self._say = say
        self._traded = traded
        self._followed: dict[int, Followed] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note_sent(self, request: int, client_id: int, what: str, now_ns: int) -> None:
        """The guard let it pass and the journal has it: now it leaves."""
        if what == "add_order":
            table = self._world.table
            handle = table.find(client_id)
            grid = self._world.instruments[table.instrument(handle)]
            order = Followed(client_id, grid, table.side(handle))
            self._followed[client_id] = order
            self._begin(self._submit(order, table.ticks(handle), table.lots(handle),
                                     table.tif(handle)))
        elif what == "cancel_order" and client_id in self._followed:
            self._begin(self._cancel(self._followed[client_id]))

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            self._world.guard.halt(f"an order could not be followed: {type(error).__name__}: "
                                   f"{error}", sticky=False)

    async def close(self) -> None:
        """Follow nothing any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tell(self, *events: Any) -> None:
        self._world.engine.on_events(events)

    def _now_us(self) -> int:
        return self._world.clock.now_us()

    # --- out -----------------------------------------------------------------------------------

    async def _submit(self, order: Followed, ticks: int, lots: int, tif: int) -> None:
        grid = order.grid
        params = {"clientOrderId": str(order.client_id)}
        if tif == Tif.IOC:
            params["timeInForce"] = "IOC"
        try:
            row = await self._client.call(
                "create_order", grid.symbol, "limit", "sell" if order.side else "buy",
                float(grid.qty_text(lots)), float(grid.price_text(ticks)), params)
        except Exception as error:
            text = str(explained(error, "create_order"))
            if not unsure(error):
                self._followed.pop(order.client_id, None)
                self._tell(OrderRejected(order.client_id, text, self._now_us()))
                return
            self._tell(OrderDoubt(order.client_id, text, self._now_us()))
            row = await self._look_for(order)
            if row is None:
                self._say(f"order {order.client_id} stays in doubt: the venue lists no such order "
                          "of ours; look there before anything else is traded")
                return
        order.venue_id = str(row["id"])
        self._tell(OrderAcked(order.client_id, order.venue_id, self._now_us()))
        await self._follow(order)

    async def _look_for(self, order: Followed) -> Mapping[str, Any] | None:
        """The order under our client id, once the venue lists it."""
        wait_s = ASK_S
        for _ in range(LOOKS_MAX):
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, ASK_S_MAX)
            for method in ("fetch_open_orders", "fetch_closed_orders"):
                try:
                    rows = await self._client.call(method, order.grid.symbol)
                except Exception as error:
                    self._world.notes.warn(str(explained(error, method)))
                    continue
                for row in rows:
                    if str(row.get("clientOrderId")) == str(order.client_id):
                        found: Mapping[str, Any] = row
                        return found
        return None

    async def _cancel(self, order: Followed) -> None:
        while not order.venue_id and order.client_id in self._followed:
            await asyncio.sleep(ASK_S)
        if order.client_id not in self._followed:
            return
        try:
            await self._client.call("cancel_order", order.venue_id, order.grid.symbol)
        except Exception as error:
            self._tell(CancelRejected(order.client_id, str(explained(error, "cancel_order")),
                                      self._now_us()))
        order.changed.set()

    # --- back ----------------------------------------------------------------------------------

    async def _follow(self, order: Followed) -> None:
        """Ask for the order until it is over."""
        wait_s = 0.0
        while True:
            try:
                await asyncio.wait_for(order.changed.wait(), wait_s)
            except TimeoutError:
                wait_s = min(max(ASK_S, 2 * wait_s), ASK_S_MAX)
            else:
                wait_s = ASK_S
            order.changed.clear()
            try:
                row = await self._client.call("fetch_order", order.venue_id, order.grid.symbol)
                if await self._advance(order, row):
                    return
            except Exception as error:
                # What became of it is asked again: nothing is concluded from a lost answer.
                if not unsure(error):
                    self._world.notes.warn(str(explained(error, "fetch_order")))
                wait_s = ASK_S_MAX

    async def _advance(self, order: Followed, row: Mapping[str, Any]) -> bool:
        """Tell what is new in the venue's answer. True if the order is over."""
        grid = order.grid
        filled = round(float(row.get("filled") or 0) / grid.lot_size)
        if filled > order.filled_lots:
            await self._tell_fills(order, row, filled)
        state = ENDS.get(str(row.get("status")))
        if state is None:
            return False
        asked = round(float(row.get("amount") or 0) / grid.lot_size)
        if state == OrderState.FILLED and filled < asked:
            state = OrderState.CANCELED
        self._followed.pop(order.client_id, None)
        self._tell(OrderDone(order.client_id, state, filled, str(row.get("status")),
                             self._now_us()))
        if filled:
            self._traded()
        return True

    async def _tell_fills(self, order: Followed, row: Mapping[str, Any], filled: int) -> None:
        """The trades of an order; what the venue does not itemise is told at the mean price."""
        for look in range(TRADES_LOOKS):
            trades = row.get("trades") or await self._trades(order)
            for trade in trades:
                self._tell_trade(order, trade)
            if order.filled_lots >= filled:
                return
            await asyncio.sleep(ASK_S * (look + 1))
            row = {}
        rest = filled - order.filled_lots
        mean = float(row.get("average") or row.get("price") or 0) or self._limit(order)
        self._apply(order, f"{order.venue_id}:{filled}", mean, rest, 0.0, False)

    async def _trades(self, order: Followed) -> list[Mapping[str, Any]]:
        trades = await self._client.call("fetch_my_trades", order.grid.symbol)
        return [trade for trade in trades if str(trade.get("order")) == order.venue_id]

    def _tell_trade(self, order: Followed, trade: Mapping[str, Any]) -> None:
        name = str(trade.get("id"))
        if name in order.seen or not isinstance(trade, Mapping) or not trade.get("price"):
            return
        order.seen.add(name)
        lots = round(float(trade["amount"]) / order.grid.lot_size)
        fee = trade.get("fee") or {}
        cost = float(fee.get("cost") or 0)
        if fee.get("currency") == order.grid.base:
            cost *= float(trade["price"])
        self._apply(order, f"{order.grid.symbol}:{name}", float(trade["price"]), lots, cost,
                    trade.get("takerOrMaker") == "maker")

    def _apply(self, order: Followed, fill_id: str, price: float, lots: int, fee: float,
               maker: bool) -> None:
        grid = order.grid
        order.filled_lots += lots
        self._move_balances(grid, -1 if order.side else 1, grid.qty(lots), price, fee)
        self._tell(OrderFilled(order.client_id, order.venue_id, fill_id, grid.index, order.side,
                               round(price / grid.tick_size), lots, round(fee * E10), maker,
                               self._now_us()))

    def _move_balances(self, grid: Instrument, sign: int, amount: float, price: float,
                       fee: float) -> None:
        """What the fill changed on the account, until the venue tells its balances."""
        known = self._world.ledger.balances_e10
        paid = sign * amount * price + fee
        for asset, moved in ((grid.base, sign * amount), (grid.quote, -paid)):
            if asset in known:
                self._tell(BalanceSeen(asset, known[asset] + round(moved * E10), self._now_us()))

    def _limit(self, order: Followed) -> float:
        table = self._world.table
        return order.grid.price(table.ticks(table.find(order.client_id)))
