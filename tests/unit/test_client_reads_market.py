"""Our feed on our exchange's channels, without sockets: every depth, tickers, candles, level 3."""

from __future__ import annotations

import pytest
from exchange_client import VirtualExchange

from fastcore.codec.kraken import KrakenDecoder
from fastcore.lane.lane import EVENT_BAD, EVENT_RESYNC, Lane
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from hftbot.venue.kraken.feed import DEPTHS, Feed
from hftbot.venue.kraken.level3 import DEPTHS as LEVEL3_DEPTHS
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.venue.kraken.summaries import Summaries
from hftbot.words.market import BookTrust
from hftbot.words.secret import Secret
from kraken_frames import BTC, ETH

GRIDS = (BTC, ETH)


class Reader:
    """A feed whose wire is a public connection of the exchange."""

    def __init__(self, venue, depth=10, **summaries):
        self.venue = venue
        decoder = KrakenDecoder()
        self.lanes = []
        for grid in GRIDS:
            decoder.add_symbol(grid.symbol.encode(), grid.price_precision, grid.qty_precision,
                               grid.tick_units, grid.lot_units)
            self.lanes.append(Lane(grid.index, decoder,
                                   OrderBook(grid.index, depth, 65_536 if depth > 100 else 4_096),
                                   KrakenChecksum(grid.tick_units, grid.lot_units)))
        self.feed = Feed(GRIDS, self.lanes, depth, summaries=Summaries(GRIDS, **summaries))
        self.wire = venue.connect("public")
        for frame in self.feed.connected():
            self.wire.on_text(frame.decode())
        self.trades = 0

    def read(self):
        for text in self.venue.empty(self.wire):
            bits = self.feed.on_frame(text.encode(), 0, self.venue.clock.mono_ns())
            assert not bits & (EVENT_BAD | EVENT_RESYNC), text
            self.trades += len(list(self.feed.trades()))
        assert self.feed.take_outbox() == []


@pytest.mark.parametrize("depth", DEPTHS)
def test_books_of_every_depth_verify(depth):
    venue = VirtualExchange(symbols=("BTC/USD", "ETH/USD"))
    reader = Reader(venue, depth)
    for _ in range(20):
        venue.run(0.25)
        reader.read()
    assert reader.feed.ready
    assert reader.trades
    for lane in reader.lanes:
        assert lane.book.trust == BookTrust.TRUSTED
        assert lane.book_frames > 10
        assert len(lane.book.levels(0, depth)) <= depth
    counted = reader.feed.statistics()
    assert not any(counted[name] for name in counted if name != "frames"), counted


@pytest.mark.parametrize("trigger", ["trades", "bbo"])
def test_tickers_and_candles_tell_what_the_book_and_the_trades_do(trigger):
    venue = VirtualExchange(symbols=("BTC/USD", "ETH/USD"))
    reader = Reader(venue, trigger=trigger, interval_min=1)
    for _ in range(65):
        venue.run(1)
        reader.read()
    seen = reader.feed.summaries
    for grid, lane in zip(GRIDS, reader.lanes, strict=True):
        ticker, candles = seen.tickers[grid.index], seen.candles[grid.index]
        if trigger == "bbo":
            assert (ticker.bid_ticks, ticker.ask_ticks) == (lane.book.best_bid(),
                                                            lane.book.best_ask())
        assert ticker.low_ticks <= ticker.last_ticks <= ticker.high_ticks
        assert seen.closed(grid.index)
        for candle in candles:
            assert candle.low_ticks <= candle.open_ticks <= candle.high_ticks
            assert candle.low_ticks <= candle.close_ticks <= candle.high_ticks
        begins = [candle.begin_us for candle in candles]
        assert begins == sorted(set(begins))
    assert seen.stale == 0


@pytest.mark.parametrize("depth", LEVEL3_DEPTHS)
def test_level_3_adds_up_to_the_book(depth):
    venue = VirtualExchange(symbols=("BTC/USD", "ETH/USD"))
    reader = Reader(venue)
    feed = Level3Feed(GRIDS[:1] if depth == 1000 else GRIDS, depth)
    wire = venue.connect("level3")
    token = Secret(venue.rest("GetWebSocketsToken")["result"]["token"])
    for frame in feed.connected(token):
        wire.on_text(frame.decode())
    compared = agreed = 0
    for _ in range(40):
        venue.run(0.25)
        reader.read()
        for text in venue.empty(wire):
            feed.on_frame(text.encode(), venue.clock.mono_ns())
        for book, lane in zip(feed.books, reader.lanes, strict=False):
            assert book.trust == BookTrust.TRUSTED, feed.take_events()
            for side in (0, 1):
                compared += 1
                agreed += book.levels(side, 10) == lane.book.levels(side, 10)
    assert agreed > 0.9 * compared, "a few differ by a frame that is still on its way"
    assert feed.statistics()["bad_frames"] == feed.statistics()["resyncs"] == 0
