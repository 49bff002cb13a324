"""Public channels of the embedded exchange: acks, books with refills and checksums, trades."""

import json
import random
import re
from decimal import Decimal

import pytest
from exchange_client import BookCopy, VirtualExchange, acks, channel
from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.exchange.book_view import BookView
from hftbot.exchange.kraken_text import ListingText
from hftbot.exchange.settings import LISTINGS

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@pytest.fixture
def venue():
    return VirtualExchange(symbols=("BTC/USD", "ETH/USD"))


def subscribe(name, *symbols, **params):
    extra = {"symbol": list(symbols)} if symbols else {}
    return {"method": "subscribe", "params": {"channel": name, **extra, **params}, "req_id": 7}


def test_status_is_pushed_on_connect_and_nothing_else(venue):
    client = venue.connect()
    [messages] = venue.run(3.0, client)
    [status] = messages
    assert list(status) == ["channel", "type", "data"]
    assert status["data"][0]["system"] == "online"
    assert isinstance(status["data"][0]["connection_id"], int)


def test_one_ack_for_each_symbol_with_the_venues_key_order(venue):
    client = venue.connect()
    client.say(subscribe("book", "BTC/USD", "XBT/USD", "ETH/USD", depth=25))
    [messages] = venue.run(0.2, client)
    first, wrong, last = acks(messages)
    assert list(first) == ["method", "req_id", "result", "success", "time_in", "time_out"]
    assert first["result"] == {"channel": "book", "depth": 25, "snapshot": True,
                               "symbol": "BTC/USD"}
    assert list(wrong) == ["error", "method", "req_id", "success", "symbol", "time_in", "time_out"]
    assert wrong["error"] == "Currency pair not supported XBT/USD"
    assert last["result"]["symbol"] == "ETH/USD"
    assert first["time_in"] == last["time_in"]
    assert re.fullmatch(STAMP, first["time_out"])


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_every_update_has_the_right_checksum_and_keeps_the_window_full(venue, depth):
    client = venue.connect()
    client.say(subscribe("book", "BTC/USD", "ETH/USD", depth=depth))
    copies = {symbol: BookCopy(symbol, depth) for symbol in ("BTC/USD", "ETH/USD")}
    [messages] = venue.run(6.0, client)
    frames = channel(messages, "book")
    assert [frame["type"] for frame in frames[:2]] == ["snapshot", "snapshot"]
    for frame in frames:
        [row] = frame["data"]
        assert list(row) == ["symbol", "bids", "asks", "checksum", "timestamp"]
        copies[row["symbol"]].apply(row)
    assert len(frames) > 200
    for book in copies.values():
        if depth == 10:
            assert [len(side) for side in book.sides] == [depth, depth]
        assert max(book.sides[0]) < min(book.sides[1])


changes = st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40), st.integers(0, 3)),
                            min_size=1, max_size=6), max_size=40)


@settings(max_examples=120, deadline=None)
@given(changes)
def test_a_client_that_truncates_sees_the_servers_window(events):
    view = BookView(ListingText(LISTINGS["BTC/USD"]))
    view.watch(10)
    copy = BookCopy("BTC/USD", 10)
    for batch in events:
        moved = [(side, 100 + (ticks if side else -ticks), lots) for side, ticks, lots in batch]
        for frame in view.apply(moved, 0, "-").values():
            copy.apply(json.loads(frame, parse_float=Decimal)["data"][0])
        for side in (0, 1):
            shown = view.sides[side]
            assert [int(price * 10) for price in copy.best_first(side)] == [
                key * shown.sign for key in shown.keys[:10]]
            assert [int(copy.sides[side][price] * 10**8) for price in copy.best_first(side)] == [
                shown.lots[key] for key in shown.keys[:10]]


def test_number_tokens_keep_trailing_zeros(venue):
    client = venue.connect()
    client.say(subscribe("book", "BTC/USD"))
    end = venue.clock.us + 500_000
    while venue.clock.us < end:
        venue.clock.us = venue.face.next_due_us()
        venue.face.advance(venue.clock.us)
        for text in client.take():
            for price, qty in re.findall(r'"price":([^,]+),"qty":([^}]+)\}', text):
                assert re.fullmatch(r"\d+\.\d", price)
                assert re.fullmatch(r"\d+\.\d{8}", qty)


def test_trade_ids_have_no_gap_and_the_snapshot_is_the_past(venue):
    client = venue.connect()
    client.say(subscribe("trade", "BTC/USD"))
    [messages] = venue.run(5.0, client)
    ids = [row["trade_id"] for frame in channel(messages, "trade") for row in frame["data"]]
    assert len(ids) > 10
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    late = venue.connect()
    late.say(subscribe("trade", "BTC/USD", snapshot=True))
    [messages] = venue.run(0.1, late)
    frame = channel(messages, "trade")[0]
    assert frame["type"] == "snapshot"
    assert len(frame["data"]) == min(50, ids[-1])


def test_heartbeats_start_with_the_first_subscription_and_keep_a_grid(venue):
    client = venue.connect()
    client.say(subscribe("instrument"))
    [messages] = venue.run(5.5, client)
    assert len(channel(messages, "heartbeat")) == 5
    assert {tuple(beat) for beat in channel(messages, "heartbeat")} == {("channel",)}


def test_instrument_snapshot(venue):
    client = venue.connect()
    client.say(subscribe("instrument"))
    [messages] = venue.run(0.1, client)
    assert acks(messages)[0]["result"]["warnings"] == [
        "tick_size is deprecated, use price_increment"]
    [frame] = channel(messages, "instrument")
    pair = frame["data"]["pairs"][0]
    assert (pair["symbol"], pair["price_precision"], pair["qty_precision"]) == ("BTC/USD", 1, 8)
    assert float(pair["price_increment"]) == 0.1
    assert float(pair["qty_increment"]) == 1e-8
    assert float(pair["qty_min"]) == 0.00005
    assert {asset["id"] for asset in frame["data"]["assets"]} == {"BTC", "ETH", "USD"}


@pytest.mark.parametrize(("message", "error"), [
    (subscribe("book", "BTC/USD", depth=11), "Subscription depth not supported"),
    (subscribe("nonsense", "BTC/USD"), "Subscription name invalid"),
    (subscribe("book"), "Symbol(s) not found"),
    (subscribe("status"), "Symbol(s) not found"),
    (subscribe("executions"), "Private data and trading are unavailable on this endpoint. "
                              "Try ws-auth.kraken.com"),
    ({"method": "add_order", "params": {}}, "Private data and trading are unavailable on this "
                                            "endpoint. Try ws-auth.kraken.com"),
    ({"method": "dance", "params": {}}, "Unsupported event"),
    ({"method": "ping", "params": {}},
     "Unsupported field: 'params' for the given msg type: ping"),
    ({"method": "unsubscribe", "params": {"channel": "book", "symbol": ["BTC/USD"]}},
     "Subscription Not Found"),
    ("{", "Malformed request"), ("[]", "Malformed request"), ("", "Malformed request"),
    (b"\xff\x01", "Malformed request"), ("[" * 100_000, "Malformed request"),
    ('{"method":"ping","req_id":1.5}', "Malformed request"),
    ('{"method":7}', "Malformed request"), ('{"method":"ping","req_id":NaN}', "Malformed request"),
    (" " * (1 << 20) + "{}", "Malformed request"),
    ({"method": "subscribe", "params": []}, "Malformed request"),
])
def test_refused_requests_leave_the_connection_open(venue, message, error):
    client = venue.connect()
    client.say(message)
    client.say({"method": "ping", "req_id": 5})
    [messages] = venue.run(0.1, client)
    refusal, pong = messages[1:]
    assert (refusal["error"], refusal["success"]) == (error, False)
    assert list(pong) == ["method", "req_id", "time_in", "time_out"]
    assert (pong["method"], pong["req_id"]) == ("pong", 5)


def test_private_endpoint_refuses_public_channels(venue):
    client = venue.connect("private")
    client.say(subscribe("book", "BTC/USD"))
    client.say(subscribe("executions", token="wrong"))
    [messages] = venue.run(0.1, client)
    public, session = acks(messages)
    assert public["error"].endswith("Try ws.kraken.com")
    assert (session["channel"], session["error"], session["status"]) == (
        "executions", "ESession:Invalid session", "error")


def test_subscribing_twice_and_unsubscribing(venue):
    client = venue.connect()
    client.say(subscribe("book", "BTC/USD"))
    client.say(subscribe("book", "BTC/USD"))
    [messages] = venue.run(0.1, client)
    assert acks(messages)[1]["error"] == "Already subscribed"
    client.say({"method": "unsubscribe", "params": {"channel": "book", "symbol": ["BTC/USD"],
                                                    "depth": 25}})
    client.say({"method": "unsubscribe", "params": {"channel": "book", "symbol": ["BTC/USD"],
                                                    "depth": 10}})
    [messages] = venue.run(0.1, client)
    assert [ack["success"] for ack in acks(messages)] == [False, True]
    [messages] = venue.run(1.0, client)
    assert not channel(messages, "book")
    assert venue.face.views[0].depths == {}


def test_a_seed_repeats_a_run():
    def trace(seed):
        venue = VirtualExchange(seed=seed)
        client = venue.connect()
        client.say(subscribe("book", "BTC/USD"))
        trader = venue.trader()
        trader.order(limit_price=66000, time_in_force="ioc")
        return [str(part) for part in venue.run(2.0, client, trader)]
    assert trace(3) == trace(3)
    assert trace(3) != trace(4)


def test_garbage_never_stops_the_face(venue):
    rng = random.Random(5)
    trader = venue.trader()
    valid = [subscribe("book", "BTC/USD"), subscribe("executions", token=trader.token),
             {"method": "add_order", "req_id": 1, "params": {
                 "order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01,
                 "limit_price": 60000.0, "cl_ord_id": "a", "token": trader.token}},
             {"method": "amend_order", "params": {"cl_ord_id": "a", "order_qty": 0.02,
                                                  "token": trader.token}},
             {"method": "cancel_order", "params": {"cl_ord_id": ["a"], "token": trader.token}},
             {"method": "cancel_all_orders_after", "params": {"timeout": 1,
                                                              "token": trader.token}}]
    strange = [None, [], {}, "", "x", -1, 0, 1 << 70, True, 1e300, [[]], {"a": {}}, "\ud800"]
    client = venue.connect()
    for _ in range(400):
        message = json.loads(json.dumps(rng.choice(valid)))
        place = message["params"] if rng.random() < 0.8 else message
        place[rng.choice(list(place))] = rng.choice(strange)
        text = json.dumps(message)
        if rng.random() < 0.3:
            at = rng.randrange(len(text))
            text = text[:at] + chr(rng.randrange(1, 300)) + text[at + rng.randrange(3):]
        rng.choice((trader, client)).say(text)
    venue.run(1.5, trader, client)
    client.say({"method": "ping"})
    assert any(message.get("method") == "pong" for message in venue.run(0.1, client)[0])


def test_private_requests_that_come_at_once_are_done_in_their_order(venue):
    client = venue.connect("private")
    token = venue.rest("GetWebSocketsToken")["result"]["token"]
    wishes = {"channel": "executions", "token": token}
    for method in ("subscribe", "subscribe", "unsubscribe", "unsubscribe", "subscribe"):
        client.say({"method": method, "params": wishes})
    [messages] = venue.run(0.1, client)
    assert [answer.get("error", "") for answer in acks(messages)] == [
        "", "Already subscribed", "", "Subscription Not Found", ""]
    assert [frame["sequence"] for frame in messages
            if frame.get("channel") == "executions"] == [1, 1]
    assert list(client.subscriptions) == [("executions", "")]
    client.close()
    assert venue.face.gate.kept == {}
