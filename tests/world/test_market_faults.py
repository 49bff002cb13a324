"""Bot and exchange on virtual time, on a market link that spoils frames and falls silent."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hftbot.words.market import BookTrust, Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import Ring
from world.tamper import LOTS, Tamper, Trader, method, play, wrong


def trusts(ring: Ring, seen: list[tuple[int, ...]], every_s: float = 0.001) -> None:
    """Sample the trust of all books."""
    now = tuple(int(book.trust) for book in ring.world.engine.books)
    if not seen or seen[-1] != now:
        seen.append(now)
    ring.venue.loop.call_later(every_s, trusts, ring, seen)


@pytest.mark.fault("B1")
def test_fault_flipped_digit_makes_only_that_book_suspect() -> None:
    """Suspect, subscribed afresh, trusted again; no order of that symbol meanwhile."""
    seen: list[tuple[int, ...]] = []
    flipped = [3]
    orders: list[tuple[int, int]] = []

    class Both(Trader):
        def on_book(self, book: Any) -> None:
            assert book.trust == BookTrust.TRUSTED
            orders.append((book.instrument, int(book.trust)))

    def plan(ring: Ring, tamper: Tamper) -> None:
        def market(frame: bytes) -> list[bytes]:
            if (flipped[0] and ring.world.engine.trading and b'"book","type":"update"' in frame
                    and b'"BTC/USD"' in frame):
                flipped[0] -= 1
                return [re.sub(rb'("qty":0\.\d*?)([1-8])', lambda m: m[1] + b"9", frame, count=1)]
            return [frame]
        tamper.market = market
        trusts(ring, seen)
    ring, _ = play(12.0, Both(), plan, bot={"symbols": ("BTC/USD", "ETH/USD")})
    assert flipped[0] == 0
    assert (1, 2) in seen
    assert not [pair for pair in seen[seen.index((2, 2)):] if pair[1] != 2]
    assert seen[-1] == (2, 2)
    assert ring.world.feed.resyncs >= 1
    assert any("BTC/USD: book is SUSPECT: checksum" in line for line in ring.notes.lines)
    assert not any("ETH/USD: book is SUSPECT" in line for line in ring.notes.lines)


@pytest.mark.fault("B1")
@pytest.mark.law(6)
def test_fault_no_order_leaves_while_the_book_is_suspect() -> None:
    class Eager(Strategy):
        name = "eager"

        def on_timer(self, now_us: int) -> None:
            book = self.desk.book(0)
            if book.has_bid():
                self.desk.place(0, Side.BUY, book.best_bid() - 500, LOTS, Tif.IOC)

    def plan(ring: Ring, tamper: Tamper) -> None:
        def market(frame: bytes) -> list[bytes]:
            spoil = 3.0 < ring.venue.loop.time() < 6.0 and b'"channel":"book"' in frame
            return [re.sub(rb'"checksum":\d+', b'"checksum":1', frame)] if spoil else [frame]

        def outbound(frame: bytes) -> list[bytes]:
            if method(frame) == "add_order":
                assert ring.world.engine.books[0].trust == BookTrust.TRUSTED
                times.append(ring.venue.loop.time())
            return [frame]
        tamper.market, tamper.outbound = market, outbound
    times: list[float] = []
    ring, tamper = play(10.0, Eager(), plan)
    assert ring.world.engine.rows.denials["DENY_UNTRUSTED_BOOK"] > 10
    assert [t for t in times if t < 3.0]
    assert [t for t in times if t > 7.5]
    assert not [t for t in times if 3.3 < t < 6.0]
    assert wrong(ring, tamper) == []


@pytest.mark.fault("W3")
@pytest.mark.law(6)
def test_fault_silent_market_link_denies_within_its_limit() -> None:
    class Eager(Strategy):
        name = "eager"

        def on_timer(self, now_us: int) -> None:
            book = self.desk.book(0)
            verdict = self.desk.place(0, Side.BUY, book.best_bid() - 500, LOTS, Tif.IOC)
            allowed.append((now_us, verdict > 0))

    allowed: list[tuple[int, bool]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.market = lambda frame: [] if 3.0 < ring.venue.loop.time() < 6.0 else [frame]
    ring, tamper = play(7.5, Eager(), plan, bot={"book_silence_us": 1_000_000})
    quiet = [(now_us - ring.venue.clock.epoch_us) / 1e6 for now_us, good in allowed if not good]
    assert 3.9 < quiet[0] < 4.1
    assert max(quiet) < 6.6
    assert ring.world.engine.rows.denials["DENY_STALE_BOOK"] > 10
    assert wrong(ring, tamper) == []
