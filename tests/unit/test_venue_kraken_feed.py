"""venue.kraken.feed: routing, resubscription, modes; with small lanes and with the real ones."""

from __future__ import annotations

import itertools
import json
import zlib

import pytest

from fastcore.codec.kraken import KrakenDecoder
from fastcore.lane.lane import (
    EVENT_BAD,
    EVENT_BOOK,
    EVENT_COLD,
    EVENT_HEARTBEAT,
    EVENT_OTHER,
    EVENT_RESYNC,
    EVENT_SNAPSHOT,
    EVENT_TRADE,
    Lane,
)
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from hftbot.venue.kraken import rules
from hftbot.venue.kraken.feed import Feed
from hftbot.words import events as ev
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, VenueMode
from kraken_frames import BTC, ETH, FIXTURES, SECOND_NS, fixture_lines, needs_fixtures

STATUS = b'{"channel":"status","type":"update","data":[{"system":"%s","api_version":"v2"}]}'


class FakeDecoder:
    instrument = 0
    ts_us = 7
    trade_count = 0
    trades = ()


class FakeBook:
    """A touch, and when it was updated last."""

    def __init__(self):
        self.recv_ns = 0

    def best_bid(self):
        return 100

    def best_ask(self):
        return 102


class FakeLane:
    """Answers with the bits of its plan; keeps the Lane contract."""

    resync_reason = 1

    def __init__(self, decoder):
        self.decoder = decoder
        self.book = FakeBook()
        self.bits = []
        self.trust = BookTrust.EMPTY

    def on_frame(self, _view, _padding, _recv_ns):
        return self.bits.pop(0)

    apply = None

    def reset(self):
        before, self.trust = self.trust, BookTrust.EMPTY
        return before


class Fake:
    def __init__(self, quiet_ns=0):
        self.decoder = FakeDecoder()
        self.lanes = [FakeLane(self.decoder), FakeLane(self.decoder)]
        self.lanes[1].apply = lambda _recv_ns: self.lanes[1].bits.pop(0)
        self.feed = Feed((BTC, ETH), self.lanes, 10, quiet_ns)
        self.now_ns = 1000 * SECOND_NS

    def frame(self, bits, other=None, data=b""):
        self.lanes[0].bits.append(bits)
        if bits & EVENT_BOOK:
            self.lanes[0].book.recv_ns = self.now_ns
        if other is not None:
            self.decoder.instrument = 1
            self.lanes[1].bits.append(other)
            if other & EVENT_BOOK:
                self.lanes[1].book.recv_ns = self.now_ns
        return self.feed.on_frame(data, 0, self.now_ns)

    def cold(self, data):
        return self.frame(EVENT_COLD, data=data)

    def asked(self):
        return [(frame["method"], frame["params"]["symbol"])
                for frame in map(json.loads, self.feed.take_outbox())]


@pytest.fixture
def fake():
    return Fake()


RESUBSCRIBED = [("unsubscribe", ["ETH/USD"]), ("subscribe", ["ETH/USD"])]


def test_the_subscriptions(fake):
    params = [json.loads(frame)["params"] for frame in fake.feed.connected()]
    assert params == [
        {"channel": "instrument", "snapshot": True},
        {"channel": "book", "symbol": ["BTC/USD", "ETH/USD"], "depth": 10, "snapshot": True},
        {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"], "snapshot": False}]


def test_instruments_and_lanes_must_line_up(fake):
    with pytest.raises(ValueError, match="lane"):
        Feed((BTC,), fake.lanes)
    with pytest.raises(ValueError, match="order"):
        Feed((ETH, BTC), fake.lanes)


def test_hot_frames_reach_their_lane(fake):
    assert fake.frame(EVENT_BOOK) == EVENT_BOOK
    assert fake.feed.touched == 0
    assert fake.frame(EVENT_OTHER, EVENT_BOOK) == EVENT_BOOK
    assert fake.feed.touched == 1
    assert fake.frame(EVENT_HEARTBEAT) == EVENT_HEARTBEAT
    assert fake.feed.touched == 1
    assert fake.feed.last_seen_ns == fake.now_ns


def test_it_is_ready_with_a_mode_and_all_snapshots(fake):
    assert not fake.feed.ready
    fake.cold(STATUS % b"online")
    fake.frame(EVENT_SNAPSHOT | EVENT_BOOK)
    assert not fake.feed.ready
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT | EVENT_BOOK)
    assert fake.feed.ready
    assert fake.feed.take_events() == [
        ev.ModeChanged(VenueMode.OPEN, 7), ev.TrustChanged(0, BookTrust.TRUSTED,
                                                           "snapshot verified", 7),
        ev.TrustChanged(1, BookTrust.TRUSTED, "snapshot verified", 7)]
    fake.feed.disconnected()
    assert not fake.feed.ready


@pytest.mark.fault("B1")
def test_a_suspect_book_is_asked_again_alone(fake):
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
    fake.feed.take_events()
    fake.frame(EVENT_OTHER, EVENT_RESYNC)
    assert fake.feed.take_events() == [ev.TrustChanged(1, BookTrust.SUSPECT,
                                                       "checksum mismatch", 7)]
    assert fake.asked() == RESUBSCRIBED
    fake.frame(EVENT_OTHER, EVENT_RESYNC)
    assert fake.asked() == []
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
    assert fake.feed.resyncs == 1


def test_repeated_failures_are_asked_ever_more_slowly(fake):
    fake.frame(EVENT_SNAPSHOT)
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
    asked_at = []
    for _ in range(3000):
        fake.frame(EVENT_OTHER, EVENT_RESYNC)
        fake.frame(EVENT_HEARTBEAT)
        if fake.asked():
            asked_at.append(fake.now_ns // SECOND_NS - 1000)
            fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
        fake.now_ns += SECOND_NS // 10
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert asked_at[0] == 0
    assert gaps[:4] == [1, 2, 4, 8]
    assert max(gaps) <= 31


def test_a_snapshot_that_stays_away_is_asked_again(fake):
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
    fake.frame(EVENT_OTHER, EVENT_RESYNC)
    fake.frame(EVENT_SNAPSHOT)
    assert fake.asked() == RESUBSCRIBED
    fake.now_ns += 5 * SECOND_NS
    fake.frame(EVENT_HEARTBEAT)
    assert fake.asked() == []
    fake.now_ns += 1
    fake.frame(EVENT_HEARTBEAT)
    assert fake.asked() == RESUBSCRIBED


@pytest.mark.fault("V2")
@pytest.mark.parametrize(("system", "mode"), [
    (b"post_only", VenueMode.POST_ONLY), (b"cancel_only", VenueMode.CANCEL_ONLY),
    (b"maintenance", VenueMode.DOWN), (b"surprise", VenueMode.DOWN)])
def test_modes_are_told_when_they_change(fake, system, mode):
    fake.cold(STATUS % b"online")
    fake.feed.take_events()
    fake.cold(STATUS % system)
    fake.cold(STATUS % system)
    assert fake.feed.take_events() == [ev.ModeChanged(mode, 7)]


def pair_frame(status="online", increment="0.1"):
    return (f'{{"channel":"instrument","type":"update","data":{{"assets":[],"pairs":[{{"symbol":'
            f'"BTC/USD","base":"BTC","quote":"USD","status":"{status}","qty_precision":8,'
            f'"qty_increment":1e-08,"price_precision":1,"cost_min":0.5,"price_increment":'
            f'{increment},"qty_min":5e-05}},{{"symbol":"ADX/USD"}}]}}}}').encode()


@pytest.mark.fault("V2")
def test_the_strictest_of_system_and_pairs_counts(fake):
    fake.cold(pair_frame("post_only"))
    assert fake.feed.take_events() == []
    fake.cold(STATUS % b"online")
    fake.cold(pair_frame("cancel_only"))
    fake.cold(STATUS % b"post_only")
    fake.cold(pair_frame())
    assert [event.mode for event in fake.feed.take_events()] == [
        VenueMode.POST_ONLY, VenueMode.CANCEL_ONLY, VenueMode.POST_ONLY]


@pytest.mark.fault("B5")
def test_a_changed_grid_stops_the_venue(fake):
    fake.cold(STATUS % b"online")
    fake.feed.take_events()
    fake.cold(pair_frame(increment="0.5"))
    error, mode = fake.feed.take_events()
    assert "BTC/USD" in error.code
    assert mode.mode == VenueMode.DOWN


def test_refused_subscriptions_are_told_and_harmless_ones_are_not(fake):
    fake.cold(b'{"error":"Subscription depth not supported","method":"subscribe","success":false,'
              b'"symbol":"BTC/USD","time_out":"2026-09-25T17:48:54.701062Z"}')
    fake.cold(b'{"error":"Already subscribed","method":"subscribe","success":false}')
    fake.cold(b'{"error":"Subscription Not Found","method":"subscribe","success":false}')
    fake.cold(b'{"Error":"Exceeded msg rate"}')
    assert fake.feed.take_events() == [
        ev.VenueError("Subscription depth not supported (BTC/USD)", 1790358534701062),
        ev.VenueError("Exceeded msg rate", 7)]


def test_unknown_messages_are_counted(fake):
    for data in (b'{"channel":"weather"}', b"{}", b'{"channel":"level3","data":[]}'):
        fake.cold(data)
    fake.cold(b'{"method":"pong","req_id":1}')
    assert fake.feed.statistics()["unknown_messages"] == 3


@pytest.mark.fault("W9")
def test_ten_bad_frames_within_a_minute_resync_all(fake):
    fake.frame(EVENT_SNAPSHOT)
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT)
    fake.feed.take_events()
    for _ in range(9):
        fake.now_ns += 7 * SECOND_NS
        fake.frame(EVENT_BAD, data=b"{")
    assert fake.asked() == []
    for _ in range(9):
        fake.frame(EVENT_BAD, data=b"{")
    assert len(fake.asked()) == 4
    assert [type(event) for event in fake.feed.take_events()] == [
        ev.VenueError, ev.TrustChanged, ev.TrustChanged]
    assert fake.feed.bad_frames == 18


@pytest.mark.fault("W9")
def test_cold_frames_that_are_wrong_are_counted(fake):
    for data in (b"[]", STATUS % b"\xff", b'{"channel":"status","data":1}',
                 b'{"channel":"instrument"}', b'{"error":1}'):
        fake.cold(data)
    assert fake.feed.bad_frames == 5


@pytest.mark.fault("W9")
def test_the_proxys_restart_is_told(fake):
    fake.frame(EVENT_BAD, data=memoryview(b"CloudFlare WebSocket proxy restarting"))
    assert fake.feed.take_events() == [ev.VenueError(rules.PROXY_RESTART, 7)]


def test_trade_gaps_are_counted(fake):
    for ids in ((5, 6), (7,), (9,), (9,), (8, 10)):
        fake.decoder.trades = [word for trade_id in ids for word in (0, 1, 2, trade_id, 3)]
        fake.decoder.trade_count = len(ids)
        fake.frame(EVENT_TRADE)
    assert fake.feed.trade_gaps == 1
    assert list(fake.feed.trades()) == [(0, 1, 2, 8, 3), (0, 1, 2, 10, 3)]


# --- with the real lanes -------------------------------------------------------------------------


def real_feed(*instruments):
    decoder = KrakenDecoder()
    lanes = []
    for one in instruments:
        decoder.add_symbol(one.symbol.encode(), one.price_precision, one.qty_precision,
                           one.tick_units, one.lot_units)
        lanes.append(Lane(one.index, decoder, OrderBook(one.index, 10, 4096),
                          KrakenChecksum(one.tick_units, one.lot_units)))
    return Feed(instruments, lanes)


def level(price, qty):
    return f'{{"price":{price},"qty":{qty}}}'


def book(kind, bids, asks, checksum, symbol="ETH/USD"):
    return (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":'
            f'[{",".join(level(*row) for row in bids)}],"asks":'
            f'[{",".join(level(*row) for row in asks)}],"checksum":{checksum},'
            f'"timestamp":"2026-08-16T23:37:05.723653Z"}}]}}').encode()


def crc(bids, asks):
    digits = "".join(number.replace(".", "").lstrip("0")
                     for row in (*asks, *bids) for number in row)
    return zlib.crc32(digits.encode())


BIDS, ASKS = [("2000.10", "1.00000000")], [("2000.50", "0.25000000")]


def test_a_real_lane_gets_the_books_of_the_second_symbol():
    feed = real_feed(BTC, ETH)
    feed.on_frame(STATUS % b"online", 0, 1)
    feed.on_frame(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 0, 2)
    assert feed.touched == 1
    assert feed.lanes[1].book.best_bid() == 200010
    assert feed.lanes[1].book.best_ask_lots() == 25_000_000
    events = feed.take_events()
    assert events[0].mode == VenueMode.OPEN
    assert events[1] == ev.TrustChanged(1, BookTrust.TRUSTED, "snapshot verified",
                                        1786923425723653)
    feed.on_frame(book("update", [("2000.20", "1.00000000")], [], 1), 0, 3)
    assert feed.lanes[1].book.trust == BookTrust.SUSPECT
    suspect, = feed.take_events()
    assert suspect.reason == "checksum mismatch"
    assert [json.loads(frame)["method"] for frame in feed.take_outbox()] == ["unsubscribe",
                                                                             "subscribe"]
    feed.on_frame(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 0, 4)
    assert feed.lanes[1].book.trust == BookTrust.TRUSTED
    feed.disconnected()
    assert feed.lanes[1].book.trust == BookTrust.EMPTY


def test_a_number_beyond_the_precision_makes_that_book_suspect():
    feed = real_feed(BTC, ETH)
    feed.on_frame(book("snapshot", BIDS, ASKS, crc(BIDS, ASKS)), 0, 1)
    feed.take_events()
    assert feed.on_frame(book("update", [("2000.123", "1.00000000")], [], 1), 0, 2) & EVENT_BAD
    suspect, = feed.take_events()
    assert (suspect.instrument, suspect.trust) == (1, BookTrust.SUSPECT)
    assert feed.lanes[1].book.trust != BookTrust.TRUSTED
    assert len(feed.take_outbox()) == 2
    assert feed.bad_frames == 1
    feed.on_frame(book("update", BIDS, [], crc(BIDS, ASKS)), 0, 3)
    assert feed.lanes[1].book.trust != BookTrust.TRUSTED


def test_real_trades_come_out_as_words():
    feed = real_feed(BTC, ETH)
    frame = (b'{"channel":"trade","type":"update","data":[{"symbol":"ETH/USD","side":"sell",'
             b'"price":2000.50,"qty":0.00044780,"ord_type":"limit","trade_id":109116693,'
             b'"timestamp":"2026-09-25T17:48:26.844359Z"}]}')
    assert feed.on_frame(frame, 0, 1) & EVENT_TRADE
    assert list(feed.trades()) == [(1, 200050, 44780, 109116693, 1790358506844359)]
    assert feed.touched == 1


@needs_fixtures
def test_the_recorded_book_stream_verifies_every_checksum():
    recorded = Instrument(0, "kraken", "BTC/USD", "BTC", "USD", price_precision=5,
                          qty_precision=8)
    feed = real_feed(recorded)
    lines = (FIXTURES / "book_stream" / "btcusd_20230830_from_v1_pp5.ndjson").read_bytes()
    books = 0
    for number, line in enumerate(lines.splitlines()):
        bits = feed.on_frame(line, 0, number)
        assert not bits & (EVENT_RESYNC | EVENT_BAD), line
        books += bool(bits & EVENT_BOOK)
    assert books == 980
    assert feed.statistics()["bad_frames"] == 0


@needs_fixtures
def test_recorded_cold_frames_are_read_without_a_complaint():
    for line in fixture_lines("ws_public/asyncrs_admin.jsonl", "ws_public/asyncrs_pong.jsonl",
                              "ws_public/asyncrs_subscribe_acks.jsonl", "ws_errors/*.jsonl",
                              "ws_public/asyncrs_instrument_*.jsonl", "docs_examples/*_0*.json"):
        feed = real_feed(BTC, ETH)
        bits = feed.on_frame(line, 0, 1)
        if bits & EVENT_COLD:
            assert feed.bad_frames == 0, line


def synced(quiet_ns=0):
    """Both books verified, nothing waiting."""
    fake = Fake(quiet_ns)
    fake.frame(EVENT_SNAPSHOT | EVENT_BOOK)
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT | EVENT_BOOK)
    fake.feed.take_events()
    return fake


def trade(fake, ticks):
    """One trade of ETH/USD."""
    fake.decoder.trades, fake.decoder.trade_count = (0, ticks, 5, 0, 1), 1
    fake.frame(EVENT_OTHER, EVENT_TRADE)


def beat(fake, seconds):
    """So much time, with a heartbeat each second."""
    for _ in range(seconds):
        fake.now_ns += SECOND_NS
        fake.frame(EVENT_HEARTBEAT)


def lost(fake):
    return [(event.instrument, event.trust) for event in fake.feed.take_events()
            if isinstance(event, ev.TrustChanged)]


@pytest.mark.fault("W4")
@pytest.mark.parametrize("ticks", [99, 103])
def test_trade_outside_a_book_that_does_not_follow_makes_it_alone_suspect(ticks):
    fake = synced()
    trade(fake, ticks)
    beat(fake, 2)
    assert lost(fake) == []
    beat(fake, 1)
    assert lost(fake) == [(1, BookTrust.SUSPECT)]
    assert fake.asked() == RESUBSCRIBED
    assert fake.feed.contradictions == 1


@pytest.mark.fault("W4")
@pytest.mark.parametrize("ticks", [100, 101, 102])
def test_trade_at_the_touch_is_no_contradiction(ticks):
    fake = synced()
    trade(fake, ticks)
    beat(fake, 10)
    assert lost(fake) == []


def test_book_that_follows_its_trade_is_trusted():
    fake = synced()
    trade(fake, 103)
    fake.now_ns += 2 * SECOND_NS
    fake.frame(EVENT_OTHER, EVENT_BOOK)
    beat(fake, 10)
    assert lost(fake) == []


@pytest.mark.fault("W4")
def test_three_trades_long_after_the_last_update_are_a_contradiction():
    """Two may have met hidden size, which trades without a change of the book."""
    for trades, found in ((2, []), (3, [(1, BookTrust.SUSPECT)])):
        fake = synced()
        fake.now_ns += SECOND_NS + 1
        for _ in range(trades):
            trade(fake, 102)
        beat(fake, 3)
        assert lost(fake) == found


@pytest.mark.fault("W4")
def test_quiet_book_is_asked_for_afresh_and_stays_trusted():
    fake = synced(quiet_ns=30 * SECOND_NS)
    beat(fake, 30)
    assert fake.asked() == []
    beat(fake, 1)
    assert sorted(fake.asked()) == sorted([*RESUBSCRIBED, ("unsubscribe", ["BTC/USD"]),
                                           ("subscribe", ["BTC/USD"])])
    fake.frame(EVENT_SNAPSHOT | EVENT_BOOK)
    fake.frame(EVENT_OTHER, EVENT_SNAPSHOT | EVENT_BOOK)
    assert lost(fake) == []
    assert fake.feed.probes == 2
    beat(fake, 30)
    assert fake.asked() == []


@pytest.mark.fault("W4")
def test_quiet_book_whose_question_is_not_answered_is_suspect():
    fake = synced(quiet_ns=30 * SECOND_NS)
    for _ in range(36):
        beat(fake, 1)
        fake.frame(EVENT_BOOK)
    assert lost(fake) == []
    beat(fake, 1)
    assert lost(fake) == [(1, BookTrust.SUSPECT)]
