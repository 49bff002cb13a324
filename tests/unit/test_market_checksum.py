"""Kraken's checksum: the documented example and a recorded stream."""

import os
import pathlib

import pytest

from twins import BOTH, both

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
STREAM = SHARED / "fixtures/kraken/book_stream/btcusd_20230830_from_v1_pp5.ndjson"
ROOMS = [pytest.param(*modules, id=name) for name, *modules in zip(
    BOTH, both("fastcore.market.book"), both("fastcore.market.checksum"),
    both("fastcore.codec.kraken"),
    strict=True)]

ASKS = [(452852, 100000), (452864, 154571953), (452866, 154571109), (452896, 154560911),
        (452902, 15890660), (452918, 154553491), (452947, 4454749), (452961, 35380000),
        (452975, 9945542), (452995, 18772827)]
BIDS = [(452835, 10000000), (452834, 154582015), (452821, 10000000), (452810, 10000000),
        (452803, 154592586), (452790, 7990000), (452776, 3310103), (452775, 30000000),
        (452773, 154602737), (452766, 15445238)]


@pytest.mark.parametrize(("book_room", "room", "codec"), ROOMS)
def test_documented_example(book_room, room, codec):
    book = book_room.OrderBook()
    for side, levels in ((0, BIDS), (1, ASKS)):
        for ticks, lots in levels:
            book.update(side, ticks, lots)
    checksum = room.KrakenChecksum()
    assert checksum.compute(book) == 3310070434
    book.update(1, 452852, 100001)
    assert checksum.compute(book) != 3310070434
    book.update(1, 452852, 100000)
    assert checksum.compute(book) == 3310070434


@pytest.mark.parametrize(("book_room", "room", "codec"), ROOMS)
def test_one_checksum_serves_many_books(book_room, room, codec):
    checksum = room.KrakenChecksum()
    books = [book_room.OrderBook() for _ in range(2)]
    for book, lots in zip(books, (5, 6), strict=True):
        book.update(0, 10, lots)
    answers = [checksum.compute(book) for book in (*books, *books)]
    assert answers[:2] == answers[2:]
    assert answers[0] != answers[1]
    books[0].clear()
    assert checksum.compute(books[0]) == 0


@pytest.mark.parametrize("units", [(0, 1), (1, -1)])
@pytest.mark.parametrize(("book_room", "room", "codec"), ROOMS)
def test_impossible_units_are_refused(book_room, room, codec, units):
    with pytest.raises(ValueError, match="positive"):
        room.KrakenChecksum(*units)


@pytest.mark.skipif(not STREAM.exists(), reason=f"no recorded stream at {STREAM}")
@pytest.mark.parametrize(("book_room", "room", "codec"), ROOMS)
def test_every_checksum_of_a_recorded_stream(book_room, room, codec):
    decoder = codec.KrakenDecoder()
    decoder.add_symbol(b"BTC/USD", 5, 8, 10000, 1)
    book = book_room.OrderBook(depth=10)
    checksum = room.KrakenChecksum(10000, 1)
    updates = 0
    for frame in STREAM.read_bytes().splitlines():
        kind = decoder.decode(frame, 0)
        if kind == codec.KIND_HEARTBEAT:
            continue
        assert kind in (codec.KIND_BOOK_UPDATE, codec.KIND_BOOK_SNAPSHOT)
        words = iter(decoder.levels[:3 * decoder.level_count])
        for side, ticks, lots in zip(words, words, words, strict=True):
            assert book.update(side, ticks, lots) >= 0
        book.truncate()
        assert checksum.compute(book) == decoder.checksum
        updates += kind == codec.KIND_BOOK_UPDATE
    assert updates == 979
    assert not book.crossed()
