"""Liveness is the connection's: a market in which nothing happens is alive while its link beats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hftbot.words.market import BookTrust, Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from world.ring import Ring, run_ring


class Patient(Strategy):
    """Notes when books change, and places one order long after the last one did."""

    name = "patient"

    def __init__(self, after_s: float) -> None:
        self.after_us = round(after_s * 1e6)
        self.books = 0
        self.start_us = self.verdict = 0
        self.state = -1

    def on_book(self, book: Any) -> None:
        self.books += 1

    def on_order(self, event: Any) -> None:
        for order in self.desk.open_orders():
            self.state = order.state

    def on_timer(self, now_us: int) -> None:
        self.start_us = self.start_us or now_us
        if not self.verdict and now_us - self.start_us >= self.after_us:
            self.verdict = self.desk.place(0, Side.BUY, self.desk.book(0).best_bid() - 100, 10_000,
                                           Tif.GTC)


def dead_calm(ring: Ring) -> None:
    """Nobody quotes, nobody trades."""
    for market in ring.venue.face.markets:
        market.character = replace(market.character, maker_rate=1e-6, informed_rate=1e-7,
                                   noise_rate=1e-7)


@pytest.mark.law(6)
def test_liveness_a_calm_market_stays_tradable_while_its_link_beats() -> None:
    """Five minutes without one trade; heartbeats and the answers to our questions are enough."""
    strategy = Patient(300.0)
    ring = run_ring(3, 310.0, strategy=strategy, script=dead_calm)
    assert strategy.verdict > 0
    assert strategy.state == OrderState.LIVE
    assert strategy.books < 30
    assert ring.world.engine.books[0].trust == BookTrust.TRUSTED
    assert "DENY_STALE_BOOK" not in ring.world.engine.rows.denials
    assert ring.session.open_at_exit == 0
