"""The venue's moods: modes and maintenance, idle sockets, floods, too many visitors."""

import json

import pytest
from exchange_client import (
    START_US,
    VirtualExchange,
    acks,
    asked,
    channel,
    executions,
    placed,
    rfc,
)

from hftbot.exchange.door_limits import BAN_US, WINDOW_US, Doorman, SlidingCount
from hftbot.exchange.settings import Switches


@pytest.fixture
def venue():
    return VirtualExchange(symbols=("BTC/USD", "ETH/USD"))


def subscribe(name, *symbols, **params):
    extra = {"symbol": list(symbols)} if symbols else {}
    return {"method": "subscribe", "params": {"channel": name, **extra, **params}}


def administer(venue, name, body, kind="application/json", status=200):
    text = body if isinstance(body, str) else json.dumps(body)
    code, _, answer = venue.face.http("POST", f"/sim/{name}", {"Content-Type": kind},
                                      text.encode())
    assert code == status, answer
    return json.loads(answer)


def systems(messages):
    return [frame["data"][0]["system"] for frame in channel(messages, "status")]


@pytest.mark.parametrize("mode", ["post_only", "cancel_only", "maintenance"])
def test_a_mode_is_pushed_to_every_connection_and_stops_the_crowd(venue, mode):
    reader, trader = venue.connect(), venue.trader()
    reader.say(subscribe("book", "BTC/USD"))
    reader.say(subscribe("trade", "BTC/USD"))
    venue.run(0.5, reader, trader)
    assert administer(venue, "system", {"system": mode})["system"] == mode
    first, private = venue.run(0.05, reader, trader)
    assert systems(first) == systems(private) == [mode]
    quiet, _ = venue.run(4.0, reader, trader)
    assert {frame["channel"] for frame in quiet} == {"heartbeat"}
    assert json.loads(venue.face.http("GET", "/0/public/SystemStatus", {}, b"")[2])[
        "result"]["status"] == mode
    administer(venue, "system", {"system": "online"})
    after, _ = venue.run(1.0, reader, trader)
    assert systems(after) == ["online"]
    assert len(channel(after, "book")) > 20
    assert venue.face.markets[0].next_due_us() > venue.clock.us - 1_000_000


def test_post_only_mode_takes_what_rests(venue):
    trader = venue.trader()
    administer(venue, "system", {"system": "post_only"})
    venue.run(0.1, trader)
    trader.order(limit_price=50_000.0)
    trader.order(limit_price=50_000.0, post_only=True)
    [messages] = venue.run(0.1, trader)
    refused, taken = acks(messages, "add_order")
    assert refused["error"] == "EService:Market in post_only mode"
    assert taken["success"]


@pytest.mark.fault("V2")
def test_maintenance_takes_no_cancel_and_no_change(venue):
    trader = venue.trader()
    names = ["first", "second", "third"]
    kept = [placed(venue, trader, cl_ord_id=name)["order_id"] for name in names]
    administer(venue, "system", {"system": "maintenance"})
    for method, fields in (
            ("cancel_order", {"cl_ord_id": names}), ("cancel_order", {"order_id": kept[:1]}),
            ("batch_cancel", {"orders": kept}), ("cancel_all", {}),
            ("amend_order", {"order_id": kept[0], "limit_price": 50_001.0}),
            ("edit_order", {"order_id": kept[0], "symbol": "BTC/USD", "limit_price": 50_001.0})):
        answers, reports = asked(venue, trader, method, **fields)
        rows = answers if isinstance(answers, list) else [answers]
        assert len(rows) == len(fields.get("cl_ord_id", kept[:1]))
        assert {row["error"] for row in rows} == {"EService:Unavailable"}
        assert reports == []
    for name, fields in (("CancelAll", ""), ("CancelOrder", f"&txid={kept[0]}"),
                         ("CancelOrderBatch", f"&orders={','.join(kept)}"),
                         ("AmendOrder", f"&txid={kept[0]}&limit_price=50001")):
        assert venue.rest(name, fields)["error"] == ["EService:Unavailable"]
    assert list(venue.face.desk.orders) == kept
    administer(venue, "system", {"system": "cancel_only"})
    answer, reports = asked(venue, trader, "cancel_all")
    assert answer["result"] == {"count": 3}
    assert {row["exec_type"] for row in reports} == {"canceled"}


@pytest.mark.fault("V2")
def test_post_only_mode_takes_no_amend_that_would_trade(venue):
    trader = venue.trader()
    placed(venue, trader, cl_ord_id="mine")
    trader.order(order_type="stop-loss", side="buy", cl_ord_id="stop", order_qty=0.001,
                 triggers={"price": 70_000.0})
    venue.run(0.1, trader)
    administer(venue, "system", {"system": "post_only"})
    for name, change in (("mine", {"limit_price": 90_000.0}), ("stop", {"trigger_price": 1.0})):
        answer, reports = asked(venue, trader, "amend_order", cl_ord_id=name, **change)
        assert answer["error"] == "EService:Market in post_only mode"
        assert reports == []
    answer, _ = asked(venue, trader, "amend_order", cl_ord_id="mine", limit_price=50_001.0)
    assert answer["success"]


def test_a_scheduled_order_waits_for_the_engine(venue):
    trader = venue.trader()
    trader.order(limit_price=90_000.0, order_qty=0.001, effective_time=rfc(3.0))
    venue.run(0.1, trader)
    administer(venue, "system", {"system": "maintenance"})
    [messages] = venue.run(5.0, trader)
    assert executions(messages) == []
    administer(venue, "system", {"system": "online"})
    [messages] = venue.run(1.5, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["new", "trade", "filled"]


def test_announced_maintenance_comes_and_goes_by_itself(venue):
    client = venue.connect()
    venue.run(0.1, client)
    told = administer(venue, "maintenance", {"in_s": 5, "for_s": 10, "post_only_s": 3})
    assert told["upcoming_maintenance"] == [{"in_s": 5.0, "for_s": 10.0}]
    [messages] = venue.run(30.0, client)
    frames = channel(messages, "status")
    assert systems(messages) == ["online", "maintenance", "post_only", "online"]
    assert [len(frame["data"][0]["upcoming_maintenance"]) for frame in frames] == [1, 1, 0, 0]
    assert set(frames[0]["data"][0]["upcoming_maintenance"][0]) == {"start", "end"}


def test_one_pair_can_be_closed_alone(venue):
    reader, trader = venue.connect(), venue.trader()
    reader.say(subscribe("instrument"))
    venue.run(0.1, reader)
    told = administer(venue, "pair", {"symbol": "BTC/USD", "status": "cancel_only"})
    assert told["pairs"] == {"BTC/USD": "cancel_only"}
    trader.order(limit_price=50_000.0)
    trader.order(symbol="ETH/USD", limit_price=2_000.0, order_qty=0.1)
    public, private = venue.run(0.1, reader, trader)
    [frame] = channel(public, "instrument")
    assert frame["type"] == "update"
    assert frame["data"]["assets"] == []
    assert [(row["symbol"], row["status"]) for row in frame["data"]["pairs"]] == [
        ("BTC/USD", "cancel_only")]
    first, second = acks(private, "add_order")
    assert first["error"] == "EService:Market in cancel_only mode"
    assert second["success"]
    late = venue.connect()
    late.say(subscribe("instrument"))
    [messages] = venue.run(0.1, late)
    assert [row["status"] for row in channel(messages, "instrument")[0]["data"]["pairs"]] == [
        "cancel_only", "online"]


@pytest.mark.parametrize(("name", "body", "said"), [
    ("system", {"system": "asleep"}, "system \"asleep\" is not one of online, post_only"),
    ("system", {}, "is not one of"), ("pair", {"symbol": "X", "status": "online"}, "symbol"),
    ("pair", {"symbol": "BTC/USD", "status": 3}, "status"), ("dance", {}, "there are maintenance"),
    ("maintenance", {"for_s": 0}, "for_s \"0\" is not a whole number of seconds from 1"),
    ("maintenance", {"for_s": True}, "for_s"), ("maintenance", {"in_s": -1, "for_s": 1}, "in_s"),
    ("system", "[]", "POST a JSON object"), ("system", "{", "POST a JSON object")])
def test_wishes_that_cannot_be(venue, name, body, said):
    assert said in administer(venue, name, body, status=400)["error"]
    assert venue.face.system == "online"


def test_a_form_of_a_browser_is_no_wish(venue):
    administer(venue, "system", {"system": "maintenance"}, kind="text/plain", status=400)
    assert venue.face.system == "online"


def test_the_status_is_repeated_if_the_switch_says_so():
    venue = VirtualExchange(switches=Switches(status_every_s=5))
    client = venue.connect()
    [messages] = venue.run(16.0, client)
    assert systems(messages) == ["online"] * 4


def test_idle_sockets_are_closed_and_pings_keep_public_ones_only(venue):
    silent, pinging, reading = (venue.connect() for _ in range(3))
    private = venue.connect("private")
    reading.say(subscribe("book", "BTC/USD"))
    for _ in range(11):
        for client in (pinging, private):
            client.say({"method": "ping"})
        venue.run(10.0)
    assert (silent.hung_up, silent.close_code) == (True, 1001)
    assert private.hung_up, "a private connection needs a subscription"
    assert not pinging.hung_up
    assert not reading.hung_up


def test_a_private_socket_lives_on_its_subscription_and_dies_a_minute_after_it(venue):
    trader = venue.trader()
    venue.run(130.0)
    assert not trader.hung_up
    for name in ("executions", "balances"):
        trader.say({"method": "unsubscribe", "params": {"channel": name, "token": trader.token}})
    venue.run(58.0)
    assert not trader.hung_up
    venue.run(3.0)
    assert trader.hung_up


def test_an_empty_socket_can_be_closed_at_once():
    venue = VirtualExchange(switches=Switches(empty_socket="close"))
    client = venue.connect()
    client.say(subscribe("trade", "BTC/USD"))
    venue.run(1.0, client)
    client.say({"method": "unsubscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}})
    [messages] = venue.run(0.2, client)
    assert acks(messages)[-1]["success"]
    assert client.hung_up


@pytest.mark.parametrize("form", ["bare", "answer"])
def test_a_flood_is_refused_and_then_thrown_out(form):
    venue = VirtualExchange(switches=Switches(messages_per_s=5, message_rate_error=form))
    client = venue.connect()
    for _ in range(7):
        client.say({"method": "ping"})
    [messages] = venue.run(0.1, client)
    assert len([m for m in messages if m.get("method") == "pong"]) == 5
    if form == "bare":
        assert messages.count({"Error": "Exceeded msg rate"}) == 2
    else:
        assert [answer["error"] for answer in acks(messages)] == ["Exceeded msg rate"] * 2
    venue.run(1.0, client)
    client.say({"method": "ping"})
    [messages] = venue.run(0.1, client)
    assert [m.get("method") for m in messages] == ["pong"]
    assert not client.hung_up
    for _ in range(12):
        client.say({"method": "ping"})
    venue.run(0.1)
    assert (client.hung_up, client.close_code) == (True, 1008)


def test_the_book_at_two_depths_is_a_switch():
    def answers(**switches):
        venue = VirtualExchange(switches=Switches(**switches))
        client = venue.connect()
        for depth in (10, 100, 10):
            client.say(subscribe("book", "BTC/USD", depth=depth))
        [messages] = venue.run(1.0, client)
        shown = {len(frame["data"][0]["bids"]) for frame in channel(messages, "book")
                 if frame["type"] == "snapshot"}
        return [answer.get("error") for answer in acks(messages)], len(shown)
    assert answers() == ([None, "Already subscribed", "Already subscribed"], 1)
    assert answers(two_depths=True) == ([None, None, "Already subscribed"], 2)


def test_visitors_are_counted_and_a_greedy_one_is_banned():
    doorman, now_us = Doorman(), START_US
    assert [doorman.admit(now_us + k) for k in range(150)] == [True] * 150
    assert not doorman.admit(now_us + WINDOW_US - 1)
    assert not doorman.admit(now_us + WINDOW_US - 1 + BAN_US - 1)
    assert doorman.admit(now_us + WINDOW_US - 1 + BAN_US)
    steady = Doorman()
    assert all(steady.admit(now_us + k * WINDOW_US // 150) for k in range(600))
    assert all(Doorman(0).admit(now_us) for _ in range(500))


def test_a_sliding_second():
    count = SlidingCount(10)
    assert [count.pay(4, us) for us in (0, 1, 2, 999_999, 1_000_000)] == [
        True, True, False, False, True]


def test_orders_of_a_closed_pair_can_be_canceled(venue):
    trader = venue.trader()
    trader.order(limit_price=50_000.0, cl_ord_id="one")
    venue.run(0.1, trader)
    administer(venue, "pair", {"symbol": "BTC/USD", "status": "cancel_only"})
    trader.ask("amend_order", cl_ord_id="one", limit_price=50_001.0)
    trader.ask("cancel_order", cl_ord_id=["one"])
    [messages] = venue.run(0.1, trader)
    assert acks(messages, "amend_order")[0]["error"] == "EService:Market in cancel_only mode"
    assert acks(messages, "cancel_order")[0]["success"]
    assert executions(messages)[-1]["exec_type"] == "canceled"
