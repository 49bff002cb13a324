"""MAX_ORDERS_PER_MIN on the wire: never more in any minute, whatever a strategy tries."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from hftbot.words.verdict import Verdict
from world.ring import Ring, run_ring

RATE = 100
RESERVE = 25
MINUTE_NS = 60_000_000_000
COUNTED = ("add_order", "amend_order", "cancel_order", "cancel_all", "batch_add", "batch_cancel")
ROOMY = {"max_orders_per_min": RATE, "kraken_tier": "off", "same_order_window_us": 0,
         "open_orders_max": 200,
         "order_value_usd_max": Decimal(10**5), "position_usd_max": Decimal(10**6),
         "gross_usd_max": Decimal(10**6)}


class Tap:
    """Notes each message that leaves on the trading link, and when."""

    def __init__(self, ring: Ring) -> None:
        self.sent: list[tuple[int, str]] = []
        trace = ring.venue.trace

        def note(way: str, frame: bytes) -> None:
            method = json.loads(frame).get("method") if way == "out" else None
            if method in COUNTED:
                self.sent.append((ring.venue.clock.mono_ns(), method))
            trace(way, frame)

        ring.venue.trace = note  # type: ignore[method-assign]

    def most(self, *methods: str, before_ns: int = 1 << 62) -> int:
        """The largest number of such messages in any minute."""
        times = [at for at, method in self.sent if method in methods and at < before_ns]
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= MINUTE_NS:
                first += 1
            most = max(most, last - first + 1)
        return most


class Frantic(Strategy):
    """Places, moves and cancels on everything that it hears, several times over."""

    name = "frantic"

    def __init__(self, until_s: float = 1e9) -> None:
        self.until_us = round(until_s * 1e6)
        self.start_us = 0
        self.tried = 0

    def on_book(self, book: Any) -> None:
        self.rage()

    def on_timer(self, now_us: int) -> None:
        self.rage()

    def on_order(self, event: Any) -> None:
        self.rage()

    def rage(self) -> None:
        now_us = self.desk.now_us()
        self.start_us = self.start_us or now_us
        book = self.desk.book(0)
        if now_us - self.start_us > self.until_us or not book.has_bid():
            return
        self.tried += 1
        self.desk.place(0, Side.BUY, book.best_bid() - 100 - self.tried % 50, 10_000, Tif.GTC)
        for order in self.desk.open_orders()[:3]:
            if self.tried % 3 == 0:
                self.desk.amend(order.client_id, order.ticks - 1, order.lots)
            else:
                self.desk.cancel(order.client_id)


class Hoarder(Strategy):
    """Places until it is refused; then cancels all that it has, one by one, until refused."""

    name = "hoarder"

    def __init__(self) -> None:
        self.placed: list[int] = []
        self.refusal = 0
        self.cancels: list[int] = []

    def on_book(self, book: Any) -> None:
        if not self.refusal:
            found = self.desk.place(0, Side.BUY, book.best_bid() - 100 - len(self.placed), 10_000,
                                    Tif.GTC)
            if found < 0:
                self.refusal = found
            else:
                self.placed.append(found)
        elif not self.cancels and all(order.state == OrderState.LIVE
                                      for order in self.desk.open_orders()):
            self.cancels = [self.desk.cancel(client_id) for client_id in self.placed]


def tapped(seconds: float, strategy: Strategy, seed: int = 1, **bot: Any) -> tuple[Ring, Tap]:
    kept: list[Tap] = []
    ring = run_ring(seed, seconds, strategy=strategy, bot={**ROOMY, **bot},
                    script=lambda ring: kept.append(Tap(ring)))
    return ring, kept[0]


@pytest.mark.law(5)
@pytest.mark.parametrize(("seed", "rate"), [(1, RATE), (2, RATE), (3, 7)])
def test_rate_frantic_strategy_never_passes_it_in_any_minute(seed: int, rate: int) -> None:
    """Three minutes of trading; a stop may insist on its cancels, and leaves nothing open."""
    strategy = Frantic()
    ring, tap = tapped(190.0, strategy, seed, max_orders_per_min=rate)
    # 190 s after the start; the first seconds went to connecting.
    assert tap.most(*COUNTED, before_ns=190_000_000_000) == rate
    assert ring.session.open_at_exit == 0
    assert 0 < tap.most("add_order", "amend_order") <= rate - max(1, rate // 4)
    # It is used fully, minute after minute, and tried far beyond.
    assert len(tap.sent) >= 3 * rate
    assert strategy.tried > 10 * len(tap.sent)
    assert len(tap.sent) >= ring.world.account.messages.taken
    assert ring.world.engine.rows.denials["DENY_MESSAGE_RATE"] > 1000


def test_rate_cancels_keep_their_share_when_orders_are_refused() -> None:
    strategy = Hoarder()
    ring, tap = tapped(30.0, strategy)
    denied = -int(Verdict.DENY_MESSAGE_RATE)
    assert len(strategy.placed) == RATE - RESERVE
    assert strategy.refusal == denied
    assert strategy.cancels == [0] * RESERVE + [denied] * (RATE - 2 * RESERVE)
    assert tap.most(*COUNTED, before_ns=30_000_000_000) == RATE
    assert ring.session.open_at_exit == 0
