"""Closes positions by orders that never rest, and says what of it the venue confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from hftbot.engine.guard import HALTED
from hftbot.live.world import World
from hftbot.words.market import Side
from hftbot.words.order import OPERATOR
from hftbot.words.verdict import explain

CLOSE_S = 30.0
SETTLE_S = 5.0
AGAIN_S = 0.1
BPS_FIRST = 5
INTENT = "exit flatten"
Wait = Callable[[Callable[[], bool], float], Awaitable[bool]]


@dataclass(slots=True)
class Closing:
    """How closing one market went. Lots; ``proved``: the venue's own word agrees.

    ``left_lots`` below the venue's minimum are ``dust``: no order can sell them. ``reason`` says
    why more than that is left.
    """

    symbol: str
    held_lots: int
    left_lots: int = 0
    orders: int = 0
    dust: bool = False
    proved: bool = False
    reason: str = ""

    @property
    def flat(self) -> bool:
        """True if nothing that can be sold is left, and the venue says so too."""
        return self.proved and (not self.left_lots or self.dust)


class Flattener:
    """Sells what is held (buys back what is short), market by market, inside the price collar.

    Each order is an IOC at the touch plus an allowance that doubles with every attempt and ends at
    COLLAR_BPS. Works while halted too: ``Router.close_out`` lets exits through, nothing else.
    ``wait`` waits until a condition holds or a time is over; ``hurried``: give up now.
    """

    def __init__(self, world: World, wait: Wait,
                 hurried: Callable[[], bool] = lambda: False) -> None:
        self.world = world
        self._wait = wait
        self._hurried = hurried
        self._lock = asyncio.Lock()

    async def close(self, indexes: Iterable[int], deadline_s: float = CLOSE_S) -> list[Closing]:
        """Close these markets; entries there stay denied until the next start."""
        async with self._lock:
            return [await self._close(index, deadline_s) for index in indexes]

    async def _close(self, index: int, deadline_s: float) -> Closing:
        world, grid = self.world, self.world.instruments[index]
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        world.guard.close(index)
        closing = Closing(grid.symbol, world.ledger.position_lots(index))
        while loop.time() < end_s and not self._hurried():
            self._cancel(index)
            if not await self._wait(lambda: not self._open(index), min(1.0, end_s - loop.time())):
                closing.reason = "an order there is not over"
                continue
            if not await self._agrees(index, min(SETTLE_S, max(AGAIN_S, end_s - loop.time()))):
                closing.reason = ("not touched: the venue's balance is not what we hold, and no "
                                  "fill explains it")
                break
            lots = world.ledger.position_lots(index)
            closing.dust = self._is_dust(index, lots)
            if not lots or closing.dust:
                closing.reason = ""
                closing.proved = not world.engine.blind
                break
            closing.reason = self._place(index, lots, closing.orders)
            if closing.reason:
                await self._wait(lambda: False, AGAIN_S)
            else:
                closing.orders += 1
                closing.reason = "the market took too little of it in time"
        closing.left_lots = world.ledger.position_lots(index)
        self._say(closing, index)
        return closing

    def _place(self, index: int, lots: int, attempt: int) -> str:
        """Send one order; why it could not be sent, or nothing."""
        world = self.world
        book, gate = world.engine.books[index], world.gates[index]
        side = Side.SELL if lots > 0 else Side.BUY
        if not (book.has_bid() and book.has_ask()):
            return "the book is empty"
        bps = min(gate.collar_bps, BPS_FIRST << min(attempt, 16))
        if side == Side.SELL:
            touch = book.best_bid()
            ticks = max(1, touch - touch * bps // 10_000)
        else:
            touch = book.best_ask()
            ticks = touch + touch * bps // 10_000
        most = min(abs(lots), gate.order_value_max // max(1, ticks))
        if 0 < abs(lots) - most < gate.lots_min:
            # What would be left could not be sold: the last two orders share it.
            most -= gate.lots_min
        if not gate.reduces(int(side), most):
            return "another order on the account binds it"
        handle = world.router.close_out(OPERATOR, index, int(side), ticks, most)
        if handle < 0:
            return explain(handle)
        world.engine.rows.reasons[world.table.client_id(handle)] = INTENT
        return ""

    def _open(self, index: int) -> list[int]:
        engine = self.world.engine
        return [handle for handle in engine.rows.open_handles()
                if engine.table.instrument(handle) == index]

    def _cancel(self, index: int) -> None:
        engine = self.world.engine
        for handle in self._open(index):
            if not engine.router.cancel_pending(engine.table.client_id(handle)):
                engine.router.cancel(handle, urgent=True)

    async def _agrees(self, index: int, deadline_s: float) -> bool:
        """The venue's balance is what we hold; it may be told a moment after the fill."""
        return await self._wait(
            lambda: all(row[0] != index for row in self.world.position_differences()), deadline_s)

    def _is_dust(self, index: int, lots: int) -> bool:
        """Less than the venue takes in one order."""
        if not lots:
            return False
        gate, book = self.world.gates[index], self.world.engine.books[index]
        price = book.best_bid() if book.has_bid() else 0
        return bool(abs(lots) < gate.lots_min or (price and abs(lots) * price < gate.value_min))

    def _say(self, closing: Closing, index: int) -> None:
        text = sentence(closing, self.world.instruments[index].qty_text)
        if closing.flat:
            self.world.notes.info(text)
        else:
            self.world.notes.error(text)


def sentence(closing: Closing, qty_text: Callable[[int], str]) -> str:
    """What became of one market, for people."""
    held = qty_text(closing.held_lots)
    orders = f"{closing.orders} IOC order{'' if closing.orders == 1 else 's'}"
    if closing.flat and not closing.held_lots:
        return f"{closing.symbol}: nothing was held"
    if closing.flat:
        if closing.left_lots == closing.held_lots:
            return f"{closing.symbol}: {held} is held, less than the venue's minimum"
        rest = (f"; {qty_text(closing.left_lots)} is left, less than the venue's minimum"
                if closing.left_lots else "")
        how = orders if closing.orders else "an order that was already out"
        return f"{closing.symbol}: {held} closed by {how}, the venue's balance agrees{rest}"
    why = closing.reason or "the venue could not be asked"
    return f"{closing.symbol}: NOT closed, {qty_text(closing.left_lots)} of {held} is left: {why}"


class Leaving:
    """What happens to positions at the end of a run: ON_STOP, or ON_HALT after a halt.

    ``wish`` gives the word that holds now; a human's `flatten` is stronger than both settings.
    """

    def __init__(self, flattener: Flattener, on_stop: str, on_halt: str) -> None:
        self.flattener = flattener
        self.on_stop = on_stop
        self.on_halt = on_halt
        self.only: frozenset[str] = frozenset()
        self.closings: list[Closing] = []
        self.failed = ""

    @property
    def flat(self) -> bool:
        """True if all that had to be closed is, and the venue said so."""
        return not self.failed and all(closing.flat for closing in self.closings)

    def lines(self) -> tuple[str, ...]:
        """What became of each position, for the summary."""
        grids = {grid.symbol: grid for grid in self.flattener.world.instruments}
        return tuple(sentence(closing, grids[closing.symbol].qty_text)
                     for closing in self.closings)

    @property
    def wish(self) -> str:
        """hold or flatten, as the guard stands now."""
        halted = self.flattener.world.guard.state == HALTED
        return self.on_halt if halted else self.on_stop

    async def __call__(self) -> None:
        """All orders are cancelled: close what has to be closed."""
        world = self.flattener.world
        if self.wish != "flatten":
            return
        wanted = [grid.index for grid in world.instruments
                  if (not self.only or grid.symbol in self.only)
                  and world.ledger.position_lots(grid.index)]
        try:
            self.closings = await self.flattener.close(wanted)
        except Exception as error:
            # What comes after, the proof that no order is open, must not be lost with it.
            self.failed = f"{type(error).__name__}: {error}"
            world.notes.error(f"closing positions failed: {self.failed}")
