"""Kraken's level 3 against a whole order book written the slow way: Decimal texts, sorted lists."""

from __future__ import annotations

import json
import random

import pytest

from hftbot.errors import BadFrame, ChecksumMismatch
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.level3 import Level3Book, Level3Feed
from hftbot.words import events as ev
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust
from kraken_frames import (
    BTC,
    ETH,
    SECOND_NS,
    TOKEN,
    fixture_lines,
    needs_fixtures,
)
from level3_market import SlowVenue, update

COARSE = Instrument(index=0, venue="kraken", symbol="X/Y", base="X", quote="Y", price_precision=4,
                    qty_precision=3, tick_units=5, lot_units=25)


def apply(book, frame):
    message = codec.parse(frame)
    for row in codec.rows(message):
        book.apply(row, message["type"] == "snapshot")


@pytest.mark.parametrize("seed", range(12))
def test_every_order_stands_where_the_venue_has_it(seed):
    rng = random.Random(seed)
    grid, depth = rng.choice((BTC, COARSE)), rng.choice((3, 10, 100))
    venue = SlowVenue(grid, depth, rng)
    for _ in range(30):
        venue.happen()
    book = Level3Book(grid, depth)
    apply(book, venue.snapshot())
    for _ in range(250):
        frame = venue.happen()
        if frame:
            apply(book, frame)
        for side in (0, 1):
            expected = venue.queue(side)
            assert book.levels(side, depth + 5) == [
                (ticks, sum(order["lots"] for order in orders)) for ticks, orders in expected]
            for ticks, orders in expected:
                assert [o.venue_id for o in book.queue(side, ticks)] == [o["name"] for o in orders]
        assert book.trust == BookTrust.TRUSTED
    ahead = 0
    for order in venue.queue(1)[0][1]:
        assert book.ahead_lots(order["name"]) == ahead
        ahead += order["lots"]
    assert book.ahead_lots("OFOREIGN") == -1
    assert len(book._places) == len(venue.visible()), "what left the window is forgotten"


def scene(symbols=(BTC, ETH)):
    feed = Level3Feed(symbols)
    feed.connected(TOKEN)
    venues = [SlowVenue(grid, 10, random.Random(grid.index)) for grid in symbols]
    for venue in venues:
        for _ in range(40):
            venue.happen()
        feed.on_frame(venue.snapshot(), 0)
    return feed, venues


def requests(feed):
    return [(json.loads(frame)["method"], json.loads(frame)["params"]["symbol"])
            for frame in feed.take_outbox()]


def test_the_subscription_and_its_limits():
    first, = Level3Feed((BTC, ETH), 100).connected(TOKEN)
    assert json.loads(first) == {"method": "subscribe", "params": {
        "channel": "level3", "symbol": ["BTC/USD", "ETH/USD"], "depth": 100, "snapshot": True,
        "token": "token-of-the-test"}}
    with pytest.raises(ValueError, match="10, 100, 1000 levels, not 25"):
        Level3Feed((BTC,), 25)
    with pytest.raises(ValueError, match="3 symbols at depth 1000 costs 300"):
        Level3Feed((BTC,) * 3, 1000)


def test_a_book_that_missed_an_update_is_subscribed_afresh_alone():
    feed, (btc, eth) = scene()
    assert [event.trust for event in feed.take_events()] == [BookTrust.TRUSTED] * 2
    update(btc)  # lost on the way
    assert not feed.on_frame(update(btc), SECOND_NS)
    assert requests(feed) == [("unsubscribe", ["BTC/USD"]), ("subscribe", ["BTC/USD"])]
    event, = feed.take_events()
    assert (event.instrument, event.trust) == (0, BookTrust.SUSPECT)
    assert feed.on_frame(update(eth), SECOND_NS), "the other book goes on"
    assert not feed.on_frame(update(btc), SECOND_NS), "updates before the snapshot are ignored"
    assert feed.on_frame(btc.snapshot(), SECOND_NS)
    assert feed.books[0].trust == BookTrust.TRUSTED
    assert feed.on_frame(update(btc), SECOND_NS)
    assert requests(feed) == []
    assert feed.statistics() == {"frames": 7, "bad_frames": 0, "resyncs": 1}
    feed.disconnected()
    assert [book.trust for book in feed.books] == [BookTrust.EMPTY] * 2
    assert [book.levels(0, 5) for book in feed.books] == [[], []]


def test_a_frame_that_cannot_be_read_shows_in_the_next_checksum():
    feed, (btc, _) = scene()
    assert not feed.on_frame(update(btc)[:-9], SECOND_NS)
    assert feed.bad_frames == 1
    feed.on_frame(update(btc), SECOND_NS)
    assert requests(feed) == [("unsubscribe", ["BTC/USD"]), ("subscribe", ["BTC/USD"])]


@pytest.mark.parametrize("change", [
    (b'"event":"', b'"event":"un'), (b'"order_qty":', b'"order_qty":-'),
    (b'"limit_price":', b'"limit_price":0.0000001,"x":'), (b'Z"', b'"'),
    (b'"order_id":"O', b'"order_id":5,"x":"O'), (b'"checksum":', b'"checksum":"",":":')])
def test_a_row_that_cannot_be_makes_its_book_suspect(change):
    venue = SlowVenue(BTC, 10, random.Random(5))
    for _ in range(40):
        venue.happen()
    book = Level3Book(BTC, 10)
    apply(book, venue.snapshot())
    frame = update(venue)
    with pytest.raises((BadFrame, ChecksumMismatch)):
        apply(book, frame.replace(*change))
    assert book.trust == BookTrust.SUSPECT


def test_answers():
    feed = Level3Feed((BTC,))
    feed.connected(TOKEN)
    feed.on_frame(b'{"error":"Already subscribed","method":"subscribe","success":false}', 0)
    assert feed.take_events() == []
    feed.on_frame(b'{"error":"ESession:Invalid session","method":"subscribe","success":false}', 0)
    assert feed.take_events() == [ev.VenueError("ESession:Invalid session", 0)]
    assert not feed.on_frame(b'{"channel":"heartbeat"}', 0)
    assert feed.bad_frames == 0


@needs_fixtures
def test_recorded_frames_are_read():
    """The recordings are shortened, so that only their checksums fail."""
    matic = Instrument(index=0, venue="kraken", symbol="MATIC/USD", base="MATIC", quote="USD",
                       price_precision=4, qty_precision=8)
    frames = fixture_lines("ws_public/asyncrs_level3_excerpt.jsonl", "docs_examples/level3_0*.json")
    books = 0
    for frame in frames:
        if b'"data"' not in frame:
            continue
        for row in codec.rows(codec.parse(frame)):
            book = Level3Book(matic if b"MATIC" in frame else BTC, 10)
            with pytest.raises(ChecksumMismatch):
                book.apply(row, b'"snapshot"' in frame)
            assert book.levels(0, 9) or book.levels(1, 9)
            books += 1
    assert books == 4
