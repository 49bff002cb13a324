"""Orders on the embedded exchange: reports, holds, refusals, what the account becomes."""

from decimal import Decimal

import pytest
from exchange_client import VirtualExchange, acks, channel, executions

from hftbot.exchange.settings import Switches


@pytest.fixture
def venue():
    return VirtualExchange()


def touch(venue):
    matcher = venue.face.markets[0].matcher
    return Decimal(matcher.best(0)) / 10, Decimal(matcher.best(1)) / 10


def script(messages):
    return [(row["exec_type"], row["order_status"]) for row in executions(messages)]


def test_ioc_that_fills_reports_every_step_and_moves_the_money(venue):
    trader = venue.trader()
    trader.order(limit_price=66000, time_in_force="ioc", cl_ord_id="hello")
    [messages] = venue.run(0.05, trader)
    [ack] = acks(messages, "add_order")
    assert ack["success"]
    assert ack["result"]["cl_ord_id"] == "hello"
    steps = script(messages)
    assert steps[0] == ("pending_new", "pending_new")
    assert steps[1] == ("new", "new")
    assert steps[-1] == ("filled", "filled")
    assert {kind for kind, _ in steps[2:-1]} == {"trade"}
    rows = executions(messages)
    assert {row["order_id"] for row in rows} == {ack["result"]["order_id"]}
    trades = [row for row in rows if row["exec_type"] == "trade"]
    assert sum(row["last_qty"] for row in trades) == Decimal("0.01")
    assert all(row["cost"] == row["last_qty"] * row["last_price"] for row in trades)
    assert all(row["liquidity_ind"] == "t" for row in trades)
    spent = sum(row["cost"] for row in trades)
    last = {row["asset"]: row["balance"] for message in channel(messages, "balances")
            for row in message["data"]}
    assert last == {"USD": 10_000 - spent, "BTC": Decimal("0.01")}
    assert {message["sequence"] for message in channel(messages, "executions")} == set(
        range(2, 2 + len(steps)))


def test_ioc_that_cannot_fill_is_canceled_with_nothing_done(venue):
    trader = venue.trader()
    trader.order(limit_price=50000, time_in_force="ioc")
    [messages] = venue.run(0.05, trader)
    assert [kind for kind, _ in script(messages)] == ["pending_new", "new", "canceled"]
    last = executions(messages)[-1]
    assert last["cum_qty"] == 0
    assert last["reason"] == last["cancel_reason"]
    assert venue.face.account.holds == {"USD": 0}


def test_a_resting_order_holds_money_until_it_is_canceled(venue):
    trader = venue.trader()
    trader.order(limit_price=50000.0, cl_ord_id="rest", order_qty=0.1)
    [messages] = venue.run(0.05, trader)
    assert [kind for kind, _ in script(messages)] == ["pending_new", "new"]
    extended = venue.rest("BalanceEx")["result"]["ZUSD"]
    assert Decimal(extended["hold_trade"]) == 5000
    trader.order(limit_price=50000.0, order_qty=0.11)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == "EOrder:Insufficient funds"
    trader.ask("cancel_order", cl_ord_id=["rest", "nobody"])
    [messages] = venue.run(0.05, trader)
    good, bad = sorted(acks(messages), key=lambda ack: not ack["success"])
    assert good["result"] == {"cl_ord_id": "rest"}
    assert bad["error"] == "EOrder:Unknown order"
    [row] = executions(messages)
    assert (row["exec_type"], row["reason"]) == ("canceled", "User requested")
    assert Decimal(venue.rest("BalanceEx")["result"]["ZUSD"]["hold_trade"]) == 0


def test_amend_keeps_the_order_and_changes_its_hold(venue):
    trader = venue.trader()
    trader.order(limit_price=50000.0, cl_ord_id="a", order_qty=0.1)
    venue.run(0.05, trader)
    trader.ask("amend_order", cl_ord_id="a", limit_price=40000.0, order_qty=0.05)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["result"]["cl_ord_id"] == "a"
    [row] = executions(messages)
    assert (row["exec_type"], row["amended"], row["limit_price"]) == ("amended", True, 40000)
    assert venue.face.account.holds["USD"] == 2000 * 10**10
    trader.ask("amend_order", cl_ord_id="a")
    [messages] = venue.run(0.05, trader)
    assert "No amendable parameters" in acks(messages)[0]["error"]


def test_cancel_all_counts_and_reports(venue):
    trader = venue.trader()
    for price in (40000.0, 41000.0):
        trader.order(limit_price=price)
    venue.run(0.05, trader)
    trader.ask("cancel_all")
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["result"] == {"count": 2}
    assert [kind for kind, _ in script(messages)] == ["canceled", "canceled"]
    trader.ask("cancel_all")
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["result"] == {"count": 0}


@pytest.mark.parametrize(("fields", "error"), [
    ({"limit_price": 50000.05}, "EOrder:Tick size check failed"),
    ({"limit_price": -1}, "EOrder:Invalid price"),
    ({"order_qty": 0.00001, "limit_price": 50000}, "EOrder:Order minimum not met"),
    ({"order_qty": 0.00005, "limit_price": 5000}, "EOrder:Cost minimum not met"),
    ({"order_qty": 1, "limit_price": 50000}, "EOrder:Insufficient funds"),
    ({"side": "sell", "limit_price": 70000}, "EOrder:Insufficient funds"),
    ({"symbol": "XBT/USD", "limit_price": 50000}, "EQuery:Unknown asset pair"),
    ({"limit_price": "50000"}, "Limit_price field must be a number_float"),
    ({}, "price(s) not found"),
    ({"price": 5, "limit_price": 50000},
     "Unsupported field: 'price' for the given msg type: add order"),
    ({"limit_price": 50000, "cl_ord_id": "much-longer-than-18-characters"},
     "EGeneral:Invalid arguments:cl_ord_id"),
    ({"limit_price": 50000, "deadline": "2020-01-01T00:00:00.000Z"},
     "EService:Deadline elapsed"),
    ({"limit_price": 66000, "post_only": True}, "EOrder:Post only order"),
    ({"limit_price": 50000, "token": "wrong"}, "ESession:Invalid session"),
    ({"limit_price": 50000, "token": ""}, "Token(s) not found"),
    ({"limit_price": 50000, "time_in_force": "day"}, "EGeneral:Invalid arguments:time_in_force"),
    ({"limit_price": 50000, "time_in_force": "gtd"}, "EGeneral:Invalid arguments:expire_time"),
])
def test_refusals_are_the_venues_words(venue, fields, error):
    trader = venue.trader()
    trader.order(**fields)
    [messages] = venue.run(0.05, trader)
    [ack] = acks(messages)
    assert (ack["success"], ack["error"], ack["method"], ack["req_id"]) == (
        False, error, "add_order", 1)
    assert not executions(messages)


def test_a_name_is_unique_among_open_orders_only(venue):
    trader = venue.trader()
    for price in (40000.0, 41000.0):
        trader.order(limit_price=price, cl_ord_id="same")
    [messages] = venue.run(0.05, trader)
    assert [ack["success"] for ack in acks(messages)] == [True, False]
    trader.ask("cancel_all")
    trader.order(limit_price=40000.0, cl_ord_id="same")
    [messages] = venue.run(0.05, trader)
    assert acks(messages, "add_order")[0]["success"]


@pytest.mark.parametrize("form", ["ack", "cancel"])
def test_post_only_is_refused_in_the_form_of_the_switch(form):
    venue = VirtualExchange(switches=Switches(post_only_reject=form))
    trader = venue.trader()
    trader.order(limit_price=66000, post_only=True)
    [messages] = venue.run(0.05, trader)
    [ack] = acks(messages)
    if form == "ack":
        assert ack["error"] == "EOrder:Post only order"
        assert not executions(messages)
    else:
        assert ack["success"]
        assert executions(messages)[-1]["reason"] == "Post only order"


def test_market_and_fok(venue):
    trader = venue.trader()
    trader.order(order_type="market", order_qty=0.02)
    [messages] = venue.run(0.05, trader)
    assert script(messages)[-1][0] == "filled"
    trader.order(order_type="limit", limit_price=66000, order_qty=0.1, time_in_force="fok")
    [messages] = venue.run(0.05, trader)
    assert script(messages)[-1][0] == "filled"
    trader.order(limit_price=1000, time_in_force="fok")
    [messages] = venue.run(0.05, trader)
    assert script(messages)[-1][0] == "canceled"


def test_gtd_expires(venue):
    trader = venue.trader()
    trader.order(limit_price=50000, time_in_force="gtd", expire_time="2027-01-15T08:00:02Z")
    [messages] = venue.run(1.0, trader)
    assert [kind for kind, _ in script(messages)] == ["pending_new", "new"]
    [messages] = venue.run(1.5, trader)
    assert script(messages) == [("expired", "expired")]


def test_fees_are_charged_and_rounded_to_the_quotes_decimals():
    venue = VirtualExchange(fees="kraken")
    trader = venue.trader()
    trader.order(limit_price=66000, time_in_force="ioc")
    [messages] = venue.run(0.05, trader)
    trades = [row for row in executions(messages) if row["exec_type"] == "trade"]
    for row in trades:
        [fee] = row["fees"]
        assert fee["asset"] == "USD"
        assert fee["qty"] == (row["cost"] * Decimal("0.004")).quantize(Decimal("0.0001"),
                                                                      "ROUND_HALF_UP")
    spent = sum(row["cost"] + row["fees"][0]["qty"] for row in trades)
    assert Decimal(venue.rest("Balance")["result"]["ZUSD"]) == 10_000 - spent


def test_own_orders_do_not_trade_with_each_other(venue):
    venue = VirtualExchange(balances={"USD": Decimal(10_000), "BTC": Decimal(1)})
    trader = venue.trader()
    _bid, ask = touch(venue)
    trader.order(limit_price=float(ask) + 50, order_qty=0.001, side="sell", cl_ord_id="mine")
    venue.run(0.01, trader)
    trader.order(limit_price=66000, order_qty=0.15, side="buy", req_id=2)
    [messages] = venue.run(0.03, trader)
    ends = [row for row in executions(messages) if row["exec_type"] == "canceled"]
    sold = [row for row in executions(messages)
            if row["exec_type"] == "trade" and row["side"] == "sell"]
    assert not sold
    assert all(row["reason"] == "Self trade prevention" for row in ends)


def test_dead_mans_switch_cancels_after_its_time(venue):
    trader = venue.trader()
    trader.order(limit_price=50000)
    trader.ask("cancel_all_orders_after", timeout=2)
    [messages] = venue.run(1.0, trader)
    assert acks(messages, "cancel_all_orders_after")[0]["result"]["triggerTime"].endswith("Z")
    [messages] = venue.run(1.5, trader)
    assert script(messages) == [("canceled", "canceled")]
    trader.ask("cancel_all_orders_after", timeout=0)
    [messages] = venue.run(0.1, trader)
    assert acks(messages)[0]["result"]["triggerTime"] == "0"


def test_reports_may_come_before_the_ack_and_after_it():
    orders = set()
    for seed in range(12):
        venue = VirtualExchange(seed=seed)
        trader = venue.trader()
        trader.order(limit_price=50000)
        [messages] = venue.run(0.05, trader)
        first = next(message for message in messages
                     if message.get("channel") == "executions" or "success" in message)
        orders.add("ack" if "success" in first else "report")
    assert orders == {"ack", "report"}


def test_rate_counter_refuses_a_burst_and_recovers():
    venue = VirtualExchange(rate_tier="starter")
    trader = venue.trader()
    for _ in range(70):
        trader.order(limit_price=1000, time_in_force="ioc", order_qty=0.001)
    [messages] = venue.run(0.5, trader)
    errors = [ack["error"] for ack in acks(messages) if not ack["success"]]
    assert errors == ["EOrder:Rate limit exceeded"] * len(errors)
    assert 9 <= len(errors) <= 10
    venue.run(15)
    trader.order(limit_price=1000, time_in_force="ioc", order_qty=0.001)
    [messages] = venue.run(0.1, trader)
    assert acks(messages)[0]["success"]


def test_engine_modes(venue):
    trader = venue.trader()
    for mode, error in (("post_only", "EService:Market in post_only mode"),
                        ("cancel_only", "EService:Market in cancel_only mode"),
                        ("maintenance", "EService:Unavailable")):
        venue.face.set_system(mode)
        trader.order(limit_price=50000)
        [messages] = venue.run(0.1, trader)
        assert channel(messages, "status")[0]["data"][0]["system"] == mode
        assert acks(messages)[0]["error"] == error


def test_the_next_run_goes_on_where_this_one_ended(venue):
    trader = venue.trader()
    trader.order(limit_price=66000, time_in_force="ioc")
    trader.order(limit_price=50000.0, cl_ord_id="kept", order_qty=0.02)
    venue.run(2.0, trader)
    saved = venue.face.saved()
    again = VirtualExchange(saved=saved, start_us=venue.clock.us + 60_000_000)
    assert again.face.account.balances == venue.face.account.balances
    assert again.face.account.holds["USD"] == 1000 * 10**10
    assert abs(again.face.markets[0].mid_ticks() - saved["last_ticks"]["BTC/USD"]) < 50
    assert again.face.gate.api_key == venue.face.gate.api_key
    again.nonce = 5
    assert again.rest("Balance")["error"] == ["EAPI:Invalid nonce"]
    again.nonce = again.clock.us
    token = again.rest("GetWebSocketsToken")["result"]["token"]
    trader = again.connect("private")
    trader.say({"method": "subscribe", "params": {"channel": "executions", "token": token}})
    [messages] = again.run(0.05, trader)
    [row] = executions(messages)
    assert (row["cl_ord_id"], row["order_qty"], row["symbol"], row["order_status"]) == (
        "kept", Decimal("0.02"), "BTC/USD", "new")
    trader.say({"method": "cancel_all", "params": {"token": token}})
    [messages] = again.run(0.05, trader)
    assert acks(messages)[0]["result"]["count"] == 1
