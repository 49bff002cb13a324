"""fuzz: mutated private and cold frames never raise, and leave no lie behind.

Every run is named by its seed. The canaries are targets with a defect: the same harness must
complain about them, or it proves nothing.
"""

from __future__ import annotations

import json
import random

import pytest

from fastcore.codec.kraken import KrakenDecoder
from fastcore.lane.lane import Lane
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from fuzz.counts import codec_seeds
from fuzz.mutations import bent, warped
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.feed import Feed
from hftbot.venue.kraken.gateway import Gateway
from hftbot.words import events as ev
from hftbot.words.order import CLIENT_ID_MAX
from kraken_frames import (
    BALANCES,
    BTC,
    EMPTY,
    ETH,
    TOKEN,
    ManualClock,
    Raw,
    answer,
    executions,
    fixture_lines,
    report,
    trade,
    working,
)

NAME = codec.client_id_text(77)
OWN = [
    EMPTY, BALANCES,
    executions(working(NAME), sequence=2), executions(report("new", cl_ord_id=NAME), sequence=3),
    executions(trade(NAME, "T1", "0.002", "0.002"), trade(NAME, "T2", "0.003", "0.005"),
               sequence=4),
    executions(report("filled", cl_ord_id=NAME, cum_qty=Raw("0.005")), sequence=5),
    executions(report("canceled", reason="Post only order"), sequence=6),
    executions(report("amended", limit_price=Raw("1e4"), order_qty=Raw("1e-3")), sequence=7),
    executions(working(NAME, exec_type="new"), working("x", "OX", symbol="ADX/USD"),
               trade(NAME, "T3", "1", "1"), sequence=1, kind="snapshot"),
    answer("add_order", 77, {"order_id": "OAAAAA-BBBBB-CCCCCC", "cl_ord_id": NAME}),
    answer("add_order", 77, error="EService:Unavailable"),
    answer("cancel_order", 78, error="EOrder:Unknown order"), answer("cancel_all", 5, {"count": 2}),
    answer("amend_order", 77, {"amend_id": "A"}),
    answer("edit_order", 79, {"order_id": "OC", "original_order_id": "OB"}),
    answer("cancel_order", 80, {"cl_ord_id": NAME}),
    answer("batch_cancel", 80, {"count": 2}),
    b'{"method":"batch_cancel","orders_cancelled":1,"req_id":80,"success":true}',
    b'{"method":"batch_add","req_id":80,"result":[{"order_id":"OD"},{"error":"EOrder:Insufficient '
    b'funds"}],"success":true,"time_in":"2024-05-19T19:23:21.134538Z"}',
    answer("cancel_all_orders_after", 81, {"currentTime": "2024-05-19T19:22:20Z",
                                           "triggerTime": "2024-05-19T19:22:25Z"}),
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":8.1,"bid_qty":1e-3,'
    b'"ask":8.2,"ask_qty":2,"last":8.1,"volume":3156.84782110,"vwap":8.15,"low":7,"high":9,'
    b'"change":-0.5,"change_pct":-0.51,"trades":2}]}',
    b'{"channel":"ohlc","type":"update","data":[{"symbol":"ETH/USD","open":3027.80,"high":3027.80,'
    b'"low":3026.13,"close":3026.13,"trades":9,"volume":13.3,"vwap":3027.01,"interval":1,'
    b'"interval_begin":"2024-05-17T11:12:00.000000000Z"}]}',
    answer("subscribe", 0, {"channel": "executions", "maxratecount": 180}),
    b'{"channel":"status","type":"update","data":[{"system":"online","connection_id":'
    b"18125794168470749634}]}",
    b'{"channel":"heartbeat"}', b'{"error":"Exceeded msg rate"}',
    b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD",'
    b'"base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,'
    b'"price_precision":1,"cost_min":0.5,"price_increment":0.1,"qty_min":5e-05}]}}',
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1.0,"qty":'
    b'1.0}],"asks":[],"checksum":1,"timestamp":"2026-08-16T23:37:05.723653Z"}]}',
]


def corpus():
    recorded = fixture_lines("ws_private/*.jsonl", "ws_trading/*.jsonl", "ws_errors/*.jsonl",
                             "docs_examples/executions_*.json", "docs_examples/balances_*.json",
                             "docs_examples/instrument_*.json")
    return OWN + recorded


def fuzz(make, seed, count):
    """Feed mutated frames to a fresh target now and then; returns nothing, or raises."""
    rng = random.Random(seed)
    frames = corpus()
    target = make()
    for number in range(count):
        if number % 500 == 0:
            target = make()
        frame = rng.choice(frames)
        for _ in range(rng.randrange(1, 4)):
            frame = rng.choice((bent, warped))(frame, rng)
        try:
            target(frame)
        except Exception as error:
            raise AssertionError(f"seed {seed}, frame {number}: {type(error).__name__}: {error}: "
                                 f"{frame[:400]!r}") from error


def honest(event):
    """An event that could be true: whole numbers in range, printable texts."""
    if isinstance(event, ev.OrdersSeen):
        for order in event.orders:
            honest(order)
        return
    for name in event.__slots__:
        value = getattr(event, name)
        assert not isinstance(value, float), name
        if name in ("ticks", "lots", "filled_lots", "filled", "ts_us"):
            assert 0 <= value < 2**63, name
        elif name == "client_id":
            assert 0 <= value <= CLIENT_ID_MAX
        elif isinstance(value, str):
            assert value.isprintable(), name
            assert len(value) <= 400, name
    if isinstance(event, ev.OrderFilled):
        assert event.ticks > 0
        assert event.lots > 0
        assert event.fill_id
        assert event.instrument in (0, 1)


def gateway_target(kind=Gateway):
    clock = ManualClock()
    gateway = kind((BTC, ETH), clock)
    gateway.connected(TOKEN)
    for frame in (EMPTY, BALANCES):
        gateway.on_frame(frame, clock.ns)

    def take(frame):
        clock.ns += 1_000_000
        gateway.note_sent(77, 77, "add_order", clock.ns)
        gateway.note_sent(78, 77, "cancel_order", clock.ns)
        gateway.note_sent(79, 76, "edit_order", clock.ns)
        for method in ("batch_add", "batch_cancel", "cancel_order"):
            gateway.note_batch(80, (77, 75), method, clock.ns)
        bad = gateway.bad_frames
        found = gateway.on_frame(memoryview(frame), clock.ns)
        for event in found:
            honest(event)
        if gateway.bad_frames > bad:
            assert any(isinstance(event, ev.VenueError) for event in found)
        gateway.overdue(clock.ns)
        for event in gateway.take_events():
            honest(event)
        for sent in gateway.take_outbox():
            assert json.loads(sent)["params"]["token"] == "token-of-the-test"
    return take


def feed_target():
    decoder = KrakenDecoder()
    lanes = []
    for one in (BTC, ETH):
        decoder.add_symbol(one.symbol.encode(), one.price_precision, one.qty_precision, 1, 1)
        lanes.append(Lane(one.index, decoder, OrderBook(one.index, 10, 4096),
                          KrakenChecksum(1, 1)))
    feed = Feed((BTC, ETH), lanes)
    now_ns = 0

    def take(frame):
        nonlocal now_ns
        now_ns += 50_000_000
        feed.on_frame(frame, 0, now_ns)
        for event in feed.take_events():
            honest(event)
        for sent in feed.take_outbox():
            json.loads(sent)
    return take


@pytest.mark.fault("W9")
@pytest.mark.parametrize("seed", range(4))
def test_the_gateway_survives(seed):
    fuzz(gateway_target, seed, 3_000)


@pytest.mark.fault("W9")
@pytest.mark.parametrize("seed", range(4))
def test_the_feed_survives(seed):
    fuzz(feed_target, seed, 3_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", codec_seeds(100, 25_000))
def test_both_survive_for_longer(seed):
    fuzz(gateway_target, seed, 25_000)
    fuzz(feed_target, seed, 25_000)


def test_a_clean_reconnect_restores_the_gateway_after_any_damage():
    rng = random.Random(5)
    clock = ManualClock()
    gateway = Gateway((BTC, ETH), clock)
    gateway.connected(TOKEN)
    for _ in range(2_000):
        gateway.on_frame(warped(rng.choice(OWN), rng), clock.ns)
    gateway.disconnected("enough")
    gateway.connected(TOKEN)
    for frame in (EMPTY, BALANCES):
        found = gateway.on_frame(frame, clock.ns)
    assert isinstance(found[-1], ev.PrivateReady)
    acked, = gateway.on_frame(executions(working(NAME), sequence=2), clock.ns)
    assert acked.client_id == 77


class Trusting(Gateway):
    """Canary: believes that every report has an order_id."""

    def on_frame(self, data, recv_ns):
        found = super().on_frame(data, recv_ns)
        if b'"executions"' in bytes(data):
            try:
                message = json.loads(bytes(data))
            except (ValueError, RecursionError):
                return found
            for row in message["data"]:
                row["order_id"].lower()
        return found


class Careless(Gateway):
    """Canary: reports a price that went through a float."""

    def on_frame(self, data, recv_ns):
        return [ev.OrderAmended(event.client_id, float(event.ticks), event.lots, event.ts_us)
                if isinstance(event, ev.OrderAmended | ev.OrderFilled) else event
                for event in super().on_frame(data, recv_ns)]


@pytest.mark.parametrize("defective", [Trusting, Careless])
def test_the_canaries_are_caught(defective):
    with pytest.raises(AssertionError, match="seed 0, frame"):
        fuzz(lambda: gateway_target(defective), 0, 3_000)
