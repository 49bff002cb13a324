"""The level3 endpoint: each order in its queue, the checksum over orders, the limits."""

import json
import random
import re
import zlib
from decimal import Decimal

import pytest
from exchange_client import VirtualExchange, acks, channel

from fastcore.sim.codes import GTC, IOC
from fastcore.sim.matcher import Matcher
from hftbot.exchange.kraken_text import ListingText
from hftbot.exchange.orders_view import OrdersView, crowd_name
from hftbot.exchange.settings import LISTINGS

BTC = LISTINGS["BTC/USD"]
NANO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
ORDER_ID = r"O[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{6}"


class OrdersCopy:
    """A client's book of orders, kept as the documentation says; queues are sorted by time."""

    def __init__(self, depth):
        self.depth = depth
        self.sides = ({}, {})

    def levels(self, side):
        prices = {order["limit_price"] for order in self.sides[side].values()}
        return sorted(prices, reverse=side == 0)

    def queue(self, side, price):
        return sorted((order for order in self.sides[side].values()
                       if order["limit_price"] == price), key=lambda order: order["timestamp"])

    def apply(self, row):
        for side, name in enumerate(("bids", "asks")):
            orders = self.sides[side]
            for event in row[name]:
                kind, order_id = event.get("event", "add"), event["order_id"]
                if kind == "delete":
                    del orders[order_id]
                else:
                    assert (kind == "modify") == (order_id in orders), event
                    orders[order_id] = event
            gone = set(self.levels(side)[self.depth:])
            for order_id in [o for o, order in orders.items() if order["limit_price"] in gone]:
                del orders[order_id]
        text = "".join(f"{value:.{digits}f}".replace(".", "").lstrip("0")
                       for side in (1, 0) for price in self.levels(side)[:10]
                       for order in self.queue(side, price)
                       for value, digits in ((price, 1), (order["order_qty"], 8)))
        assert zlib.crc32(text.encode()) == row["checksum"]


def parsed(frame):
    return json.loads(frame, parse_float=Decimal)["data"][0]


@pytest.mark.parametrize("depth", [10, 100])
def test_a_client_follows_every_order_of_a_busy_book(depth):
    rng, matcher = random.Random(depth), Matcher()
    view = OrdersView(ListingText(BTC), matcher, lambda number: crowd_name(0, number))
    live, copy, kinds = [], OrdersCopy(depth), set()
    for turn in range(800 if depth == 10 else 400):
        changes = []
        for _ in range(rng.randrange(1, 4)):
            price = 1_000 + rng.randrange(-60, 60)
            dice = rng.random()
            if dice < 0.6 or not live:
                side = int(price >= 1_000)
                order_id = matcher.place(0, side, price, rng.randrange(1, 9), GTC,
                                         display=rng.choice((0, 0, 1, 2)))
                if matcher.remaining:
                    live.append(order_id)
            elif dice < 0.75:
                matcher.cancel(live.pop(rng.randrange(len(live))))
            elif dice < 0.9:
                order_id = rng.choice(live)
                matcher.amend(order_id, rng.choice((price, 1_000)), rng.randrange(1, 9))
            else:
                matcher.place(0, rng.randrange(2), 0, rng.randrange(1, 20), IOC)
            changes += matcher.changes()
        if turn == 100:
            view.watch(depth, turn)
            copy.apply(parsed(view.snapshot(depth)))
            continue
        for frame in view.apply(changes, turn).values():
            row = parsed(frame)
            kinds |= {event["event"] for side in ("bids", "asks") for event in row[side]}
            copy.apply(row)
        if turn > 100:
            for side in (0, 1):
                shown = matcher.levels(side, depth)
                assert [int(price * 10) for price in copy.levels(side)] == [t for t, _ in shown]
                for ticks, _lots in shown:
                    queue = copy.queue(side, Decimal(ticks) / 10)
                    assert [(order["order_id"], int(order["order_qty"] * 10**8))
                            for order in queue] == [
                        (crowd_name(0, number), lots)
                        for number, lots in matcher.orders_at(side, ticks)]
    assert kinds == {"add", "modify", "delete"}


def test_a_deep_window_fills_up_again():
    matcher, copy = Matcher(), OrdersCopy(10)
    view = OrdersView(ListingText(BTC), matcher, lambda number: crowd_name(0, number))
    ids = [matcher.place(0, 0, 1_000 - k // 2, 5, GTC) for k in range(60)]
    view.watch(10, 0)
    copy.apply(parsed(view.snapshot(10)))
    assert [len(side) for side in copy.sides] == [20, 0]
    for gone in (ids[4], ids[5], ids[0]):
        matcher.cancel(gone)
        for frame in view.apply(matcher.changes(), 1).values():
            copy.apply(parsed(frame))
    assert copy.levels(0) == [Decimal(ticks) / 10 for ticks in
                              (1_000, 999, 997, 996, 995, 994, 993, 992, 991, 990)]
    assert len(copy.sides[0]) == 19


def test_a_hidden_order_shows_one_slice_and_queues_again():
    matcher, copy = Matcher(), OrdersCopy(10)
    view = OrdersView(ListingText(BTC), matcher, lambda number: crowd_name(0, number))
    hidden = crowd_name(0, matcher.place(0, 0, 1_000, 50, GTC, display=20))
    other = crowd_name(0, matcher.place(0, 0, 1_000, 7, GTC))
    view.watch(10, 0)
    copy.apply(parsed(view.snapshot(10)))

    def queue():
        return [(order["order_id"], int(order["order_qty"] * 10**8))
                for order in copy.queue(0, Decimal(100))]
    assert queue() == [(hidden, 20), (other, 7)]
    for lots, expected in ((5, [(hidden, 15), (other, 7)]), (15, [(other, 7), (hidden, 20)])):
        matcher.place(0, 1, 0, lots, IOC)
        for frame in view.apply(matcher.changes(), lots).values():
            copy.apply(parsed(frame))
        assert queue() == expected


def test_names_of_the_crowd_are_kraken_shaped_and_never_the_same():
    numbers = [generation << 20 | slot for generation in range(1, 40) for slot in range(50)]
    names = {crowd_name(index, number) for index in (0, 1, 49) for number in numbers}
    names |= {crowd_name(0, -number) for number in numbers}
    assert len(names) == 4 * len(numbers)
    assert all(re.fullmatch(ORDER_ID, name) for name in names)


@pytest.fixture
def venue():
    return VirtualExchange(symbols=("BTC/USD", "ETH/USD"))


def ask(venue, *symbols, method="subscribe", **params):
    token = venue.rest("GetWebSocketsToken")["result"]["token"]
    return {"method": method, "req_id": 3, "params": {
        "channel": "level3", "symbol": list(symbols), "token": token, **params}}


def test_level3_of_a_market_with_our_own_order_in_it(venue):
    trader, client = venue.trader(), venue.connect("level3")
    client.say(ask(venue, "BTC/USD", "ETH/USD"))
    [messages] = venue.run(1.0, client)
    assert messages[0]["channel"] == "status"
    ack = acks(messages)[0]
    assert ack["result"] == {"channel": "level3", "depth": 10, "snapshot": True,
                             "symbol": "BTC/USD"}
    copy = OrdersCopy(10)
    frames = channel(messages, "level3")
    assert {frame["type"] for frame in frames[:2]} == {"snapshot"}
    assert list(frames[0]["data"][0]) == ["symbol", "checksum", "bids", "asks", "timestamp"]
    assert list(frames[2]["data"][0]) == ["checksum", "timestamp", "symbol", "bids", "asks"]
    best = venue.face.markets[0].matcher.best(0)
    trader.order(limit_price=float(best / 10), order_qty=0.05, post_only=True)
    more, told = venue.run(0.1, client, trader)
    frames += channel(more, "level3")
    for frame in frames:
        [row] = frame["data"]
        if row["symbol"] == "BTC/USD":
            copy.apply(row)
    rows = [event for frame in frames for side in ("bids", "asks")
            for event in frame["data"][0][side]]
    assert all(re.fullmatch(NANO, row["timestamp"]) for row in rows)
    mine = acks(told)[-1]["result"]["order_id"]
    assert [row["event"] for row in rows if row["order_id"] == mine][:1] == ["add"]
    assert [list(row) for row in rows if row["order_id"] == mine][:1] == [
        ["event", "order_id", "limit_price", "order_qty", "timestamp"]]


def test_level3_needs_its_endpoint_and_a_token(venue):
    public, private, level3 = (venue.connect(kind) for kind in ("public", "private", "level3"))
    for client in (public, private):
        client.say(ask(venue, "BTC/USD"))
    level3.say({"method": "subscribe", "params": {"channel": "level3", "symbol": ["BTC/USD"]}})
    level3.say(ask(venue, "BTC/USD", token="wrong"))
    level3.say({"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"]}})
    level3.say({"method": "subscribe", "params": {"channel": "executions", "token": "x"}})
    level3.say({"method": "cancel_all", "params": {"token": "x"}})
    found = [[answer["error"] for answer in acks(part)]
             for part in venue.run(0.1, public, private, level3)]
    trading = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
    assert found == [[trading],
                     ["Level 3 data is unavailable on this endpoint. Try ws-l3.kraken.com"],
                     ["Token(s) not found", "ESession:Invalid session",
                      "Public market data subscriptions are unavailable on this endpoint. "
                      "Try ws.kraken.com", trading, trading]]


def test_level3_depths_duplicates_and_the_end(venue):
    client = venue.connect("level3")
    for message in (ask(venue, "BTC/USD", depth=25), ask(venue, "XBT/USD"), ask(venue, "BTC/USD"),
                    ask(venue, "BTC/USD", depth=100),
                    ask(venue, "BTC/USD", depth=10, method="unsubscribe")):
        client.say(message)
        venue.run(0.02)
    [messages] = venue.run(0.1, client)
    assert [answer.get("error", answer.get("method")) for answer in acks(messages)] == [
        "Subscription depth not supported", "Currency pair not supported XBT/USD", "subscribe",
        "Already subscribed", "unsubscribe"]
    assert venue.face.feed.orders[0].depths == {}
    [messages] = venue.run(1.0, client)
    assert not channel(messages, "level3")


def test_level3_subscriptions_cost_by_depth_and_come_back_after_a_second(venue):
    client = venue.connect("level3")
    token = venue.rest("GetWebSocketsToken")["result"]["token"]

    def turn(depth):
        for method in ("subscribe", "unsubscribe"):
            client.say({"method": method, "params": {
                "channel": "level3", "symbol": ["BTC/USD"], "depth": depth, "token": token}})
        [messages] = venue.run(0.02, client)
        return [answer.get("error", "") for answer in acks(messages)]
    assert [turn(1000), turn(1000)] == [["", ""], ["", ""]]
    assert turn(10) == ["Exceeded msg rate", "Subscription Not Found"]
    venue.run(1.0, client)
    assert turn(10) == ["", ""]
