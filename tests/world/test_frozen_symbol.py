"""One symbol's book stops while its connection is well: that symbol alone is suspended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hftbot.words.market import BookTrust, Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import Ring
from world.tamper import Tamper, play

FROZEN_S = 5.0
BTC, ETH = 0, 1
# Seeds' trades come several a second; without any the quiet book is asked about.
FOUND_S, ASKED_S = 5.0, 40.0


class Steady(Strategy):
    """Tries a small order on each symbol in turn, several times a second."""

    name = "steady"

    def on_timer(self, now_us: int) -> None:
        for index in (BTC, ETH):
            book = self.desk.book(index)
            if book.has_bid() and book.has_ask():
                lots = 10_000 if index == BTC else 300_000
                self.desk.place(index, Side.BUY, book.best_bid() - 300, lots, Tif.IOC)


def frozen(seconds: float, seed: int, snapshots: bool, trades: bool) -> tuple[Ring, list[Any]]:
    """A run whose ETH/USD book gets no updates after a while; each order with its time."""
    orders: list[tuple[float, int]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        def market(frame: bytes) -> list[bytes]:
            if ring.venue.loop.time() < FROZEN_S or b'"ETH/USD"' not in frame:
                return [frame]
            message = json.loads(frame)
            channel, kind = message.get("channel"), message.get("type")
            lost = channel == "book" and (kind == "update" or not snapshots)
            return [] if lost or (channel == "trade" and not trades) else [frame]
        tamper.market = market
        sent = ring.world.router._sent

        def noted(what: str, client_id: int, now_ns: int) -> None:
            if what == "add_order":
                handle = ring.world.table.find(client_id)
                orders.append((ring.venue.loop.time(), ring.world.table.instrument(handle)))
            sent(what, client_id, now_ns)
        ring.world.router._sent = noted
    ring, _ = play(seconds, Steady(), plan, seed, bot={"symbols": ("BTC/USD", "ETH/USD"),
                                                       "loop_interval_us": 200_000})
    return ring, orders


def count(orders: list[Any], index: int, start_s: float, end_s: float = 1e9) -> int:
    return sum(1 for at_s, found in orders if found == index and start_s <= at_s < end_s)


@pytest.mark.fault("W4")
@pytest.mark.law(6)
@pytest.mark.parametrize("seed", range(1, 21))
def test_frozen_symbol_is_suspended_by_its_own_trades_and_the_other_goes_on(seed: int) -> None:
    ring, orders = frozen(12.0, seed, snapshots=False, trades=True)
    assert count(orders, ETH, 0.0, FROZEN_S) > 0
    assert count(orders, ETH, FROZEN_S + FOUND_S) == 0
    assert ring.world.engine.books[ETH].trust != BookTrust.TRUSTED
    assert ring.world.feed.contradictions == 1
    # The other: one each 200 ms, before and after.
    assert count(orders, BTC, FROZEN_S + FOUND_S) >= 8
    assert not any("BTC/USD: book is SUSPECT" in line for line in ring.notes.lines)


@pytest.mark.fault("W4")
def test_frozen_symbol_that_sends_snapshots_is_found_again_and_again() -> None:
    """A venue that answers the new subscription with a snapshot, and then freezes again."""
    ring, _ = frozen(60.0, 1, snapshots=True, trades=True)
    assert ring.world.feed.contradictions >= 3
    assert ring.world.feed.resyncs >= 3


@pytest.mark.fault("W4")
def test_frozen_symbol_without_trades_is_found_by_asking() -> None:
    ring, orders = frozen(50.0, 1, snapshots=False, trades=False)
    assert ring.world.feed.contradictions == 0
    assert ring.world.feed.probes >= 1
    assert count(orders, ETH, FROZEN_S + ASKED_S) == 0
    assert count(orders, BTC, FROZEN_S + ASKED_S) > 0


@pytest.mark.parametrize("seed", range(1, 4))
def test_healthy_symbols_are_never_suspected(seed: int) -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        pass
    ring, _ = play(40.0, Steady(), plan, seed, bot={"symbols": ("BTC/USD", "ETH/USD")})
    assert ring.world.feed.contradictions == 0
    assert ring.world.feed.resyncs == 0
