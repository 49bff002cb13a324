"""Paper trading's market: the real venue's public stream, told to the embedded exchange.

It is read by the client's own rooms (every book verified by its checksum, a broken one asked for
anew) and told on level by level; nothing but subscriptions is ever sent to the venue.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fastcore.codec.kraken import KrakenDecoder
from fastcore.lane.lane import EVENT_BOOK, EVENT_TRADE, Lane
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from hftbot.app.access import Access, tls_context
from hftbot.errors import Timeout
from hftbot.exchange import server
from hftbot.exchange.followed_market import FollowedMarket
from hftbot.exchange.listings import Listing
from hftbot.exchange.settings import ExchangeSettings
from hftbot.live.clock import SystemClock
from hftbot.live.connect import discover
from hftbot.venue.kraken.feed import HOT, RARE, Feed
from hftbot.wire.link import Link
from hftbot.words.events import TrustChanged
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust
from hftbot.words.ports import Wire

# A deeper view than a strategy's: an order of ours may rest behind the first ten levels.
DEPTH = 100
WIDTH = 4096
READY_S = 20.0


class Follower:
    """Follows the books and trades of ``instruments``; see exchange.followed_market.Follower."""

    def __init__(self, url: str, access: Access, instruments: Sequence[Instrument],
                 warn: Callable[[str], None]) -> None:
        clock = SystemClock()
        decoder = KrakenDecoder()
        lanes = []
        for grid in instruments:
            decoder.add_symbol(grid.symbol.encode(), grid.price_precision, grid.qty_precision,
                               grid.tick_units, grid.lot_units)
            lanes.append(Lane(grid.index, decoder, OrderBook(grid.index, DEPTH, WIDTH),
                              KrakenChecksum(grid.tick_units, grid.lot_units), None, None))
        self.markets: Sequence[FollowedMarket] = [FollowedMarket(
            _listing(grid), DEPTH, clock.now_us) for grid in instruments]
        self._feed = Feed(instruments, lanes, DEPTH)
        self._warn = warn
        self._wire: Wire | None = None
        self._turn: Callable[[], None] = lambda: None
        self._ready = asyncio.Event()
        self._link = Link(url, random.SystemRandom(), on_open=self._up, on_frame=self._frame,
                          on_close=self._down, connect=access.connect())
        self._running = asyncio.ensure_future(self._link.run())

    async def ready(self) -> None:
        """Wait for every book. Raises Timeout, or what ended the link."""
        waiting = asyncio.ensure_future(self._ready.wait())
        done, _ = await asyncio.wait((waiting, self._running), timeout=READY_S,
                                     return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._running in done:
            self._running.result()
        if not self._ready.is_set():
            self.stop()
            raise Timeout(f"{self._link.url}: no book of every market within {READY_S:.0f} s")

    async def follow(self, turn: Callable[[], None]) -> None:
        """Until the link is given up, which raises."""
        self._turn = turn
        await self._running

    def stop(self) -> None:
        """Hang up."""
        self._link.stop()
        self._running.cancel()

    # The link's handlers.

    def _up(self, wire: Wire) -> None:
        self._wire = wire
        self._send(self._feed.connected())

    def _down(self, reason: str) -> None:
        self._wire = None
        self._feed.disconnected()
        self._warn(f"the followed market is lost: {reason}")
        self._rare()
        self._turn()

    def _frame(self, view: memoryview | bytes, padding: int, recv_ns: int) -> None:
        bits = self._feed.on_frame(view, padding, recv_ns)
        if bits & HOT:
            self._tell(self._feed.touched, bits)
        if bits & RARE:
            self._rare()
        if bits & HOT:
            self._turn()

    def _tell(self, index: int, bits: int) -> None:
        market, book = self.markets[index], self._feed.lanes[index].book
        if bits & EVENT_TRADE:
            for side, ticks, lots, _trade_id, _ts_us in self._feed.trades():
                market.trade(side, ticks, lots)
        if bits & EVENT_BOOK and book.trust == BookTrust.TRUSTED:
            market.show(book.levels(0, DEPTH), book.levels(1, DEPTH))
            if not self._ready.is_set() and self._feed.ready:
                self._ready.set()

    def _rare(self) -> None:
        for event in self._feed.take_events():
            if isinstance(event, TrustChanged):
                if event.trust != BookTrust.TRUSTED:
                    self.markets[event.instrument].lose()
                    self._warn(f"{self.markets[event.instrument].listing.symbol}: the followed "
                               f"book is {event.trust.name}: {event.reason}")
                elif self._feed.ready:
                    self._ready.set()
        self._send(self._feed.take_outbox())

    def _send(self, frames: Sequence[bytes]) -> None:
        if self._wire is not None:
            for frame in frames:
                self._wire.send(frame)


async def serve(url: str, ca_file: str, told: ExchangeSettings, **options: Any) -> int:
    """An exchange on the market of ``url``: exchange.server.serve, and a follower.

    Raises HftbotError, before it listens if no book can be had.
    """
    access = Access(tls_context(ca_file) if url.startswith("wss:") else None)
    instruments = await discover(url, access.connect(), told.symbols, 0, 0)
    found = Follower(url, access, instruments, _warn)
    try:
        await found.ready()
        grids = tuple(market.listing for market in found.markets)
        return await server.serve(replace(told, listings=grids).check(), follower=found, **options)
    finally:
        found.stop()


def _listing(grid: Instrument) -> Listing:
    return Listing(grid.symbol, grid.price_precision, grid.qty_precision, grid.tick_units,
                   grid.lot_units, grid.lots_min, grid.cost_min)


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
