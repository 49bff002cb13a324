"""One order on the real path that is not meant to trade: how long place, amend and cancel take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hftbot.words.events import CancelRejected, OrderAcked, OrderAmended, OrderDone, OrderRejected
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from hftbot.words.verdict import explain

STEPS = ("place", "amend", "cancel")
STEP_US = 10_000_000
# How deep in the book it rests: a share of the collar, at most 5 %.
DEEP_SHARE_PCT = 80
DEEP_BPS_MAX = 500


class LiveTest(Strategy):
    """Buys the venue's minimum far below the market, post-only, moves it a tick and cancels it.

    ``ended`` is called with a reason when there is nothing more to do. Latencies are microseconds
    from our call to the venue's word about it.
    """

    name = "livetest"

    def __init__(self, collar_bps: int) -> None:
        self.ended: Callable[[str], None] = lambda reason: None
        self.latency_us: dict[str, float] = {}
        self.order = ""
        self.failure = ""
        self._bps = max(1, min(DEEP_BPS_MAX, collar_bps * DEEP_SHARE_PCT // 100))
        self._client_id = 0
        self._ticks = self._lots = 0
        self._step = -1
        self._asked_ns = self._asked_us = 0
        self._over = False

    @property
    def passed(self) -> bool:
        """True if all three steps were answered as they should be."""
        return not self.failure and len(self.latency_us) == len(STEPS)

    def on_book(self, book: Any) -> None:
        """The first trusted book: place."""
        if self._step >= 0 or self._over or not book.has_bid():
            return
        grid = self.desk.instruments()[book.instrument]
        bid = book.best_bid()
        self._ticks = max(1, bid - bid * self._bps // 10_000)
        self._lots = minimum_lots(grid, self._ticks)
        self.order = (f"BUY {grid.qty_text(self._lots)} {grid.symbol} at "
                      f"{grid.price_text(self._ticks)}, {self._bps / 100:g} % below the market, "
                      "post-only")
        self._begin(0)
        self._client_id = self.desk.place(book.instrument, Side.BUY, self._ticks, self._lots,
                                          Tif.GTC, post_only=True)
        if self._client_id < 0:
            self._fail(f"our own guard denied it: {explain(self._client_id)}")

    def on_order(self, event: Any) -> None:
        """The venue's word about our order."""
        if event.client_id != self._client_id or self._over:
            return
        kind = type(event)
        if kind is OrderRejected:
            self._fail(f"the venue refused it: {event.code}")
        elif kind is CancelRejected:
            self._fail(f"{STEPS[self._step]} refused: {event.code}")
        elif kind is OrderAcked and self._step == 0:
            self._answered()
            self._begin(1)
            self._ask(self.desk.amend(self._client_id, self._ticks - 1, self._lots))
        elif kind is OrderAmended and self._step == 1:
            self._answered()
            self._begin(2)
            self._ask(self.desk.cancel(self._client_id))
        elif kind is OrderDone:
            self._done(event)

    def on_fill(self, fill: Any) -> None:
        """It was not meant to trade."""
        self._fail("the order traded: the market fell that far; `hftbot flatten` closes it")

    def on_timer(self, now_us: int) -> None:
        """A step that nobody answers."""
        if self._step >= 0 and not self._over and now_us - self._asked_us > STEP_US:
            self._fail(f"{STEPS[self._step]} was not answered within {STEP_US / 1e6:g} s")

    def statistics(self) -> dict[str, Any]:
        """The order, each latency, and why it failed if it did."""
        return {"order": self.order, "failure": self.failure,
                "latency_us": {name: round(value, 1) for name, value in self.latency_us.items()}}

    def lines(self) -> list[str]:
        """The report for people."""
        told = [f"Live test  {self.order or 'no order: no trusted book was seen'}"]
        told += [f"           {name:<8}{self.latency_us[name] / 1000:9.3f} ms"
                 for name in STEPS if name in self.latency_us]
        told.append("           passed: placed, amended and cancelled" if self.passed else
                    f"           FAILED: {self.failure or 'it was ended before it was done'}")
        return told

    def _begin(self, step: int) -> None:
        self._step = step
        self._asked_ns, self._asked_us = self.desk.mono_ns(), self.desk.now_us()

    def _ask(self, verdict: int) -> None:
        if verdict < 0:
            self._fail(f"{STEPS[self._step]} was not sent: {explain(verdict)}")

    def _answered(self) -> None:
        self.latency_us[STEPS[self._step]] = (self.desk.mono_ns() - self._asked_ns) / 1000

    def _done(self, event: OrderDone) -> None:
        if self._step == 2 and event.state == OrderState.CANCELED:
            self._answered()
            self._over = True
            self.ended("the live test is done")
        else:
            self._fail(f"the order ended too early: {OrderState(event.state).name} {event.reason}")

    def _fail(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self.failure = reason
            self.ended(f"the live test failed: {reason}")


def minimum_lots(grid: Instrument, ticks: int) -> int:
    """The fewest lots that the venue takes at this price."""
    worth = grid.value(ticks, 1)
    return max(grid.lots_min, math.ceil(float(grid.cost_min) / worth) if worth else grid.lots_min)
