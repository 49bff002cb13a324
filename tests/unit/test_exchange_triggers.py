"""Orders that wait for a price: stops, targets, trailing stops, closing orders."""

import json
from decimal import Decimal

import pytest
from exchange_client import (
    VirtualExchange,
    acks,
    asked,
    book_qty,
    executions,
    placed,
    rfc,
    take,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.exchange.market import Batch
from hftbot.exchange.settings import Switches
from hftbot.exchange.triggers import PERCENT_E6, Term, Trigger

MONEY = {"USD": Decimal(10_000), "BTC": Decimal(1)}


@pytest.fixture
def venue():
    return quiet()


def quiet(**settings):
    """A venue with an empty book and no crowd: a price moves when the test says so."""
    venue = VirtualExchange(**{"balances": MONEY, **settings})
    market = venue.face.markets[0]
    market.next_due_us = lambda: None
    venue.face.market_ahead = None
    for side in (0, 1):
        market.matcher.place(0, side, 0, 10**15, 1)
        venue.face.publish(0, Batch(changes=market.matcher.changes()), venue.clock.us)
    return venue


def trade_at(venue, ticks, lots=1_000):
    """A trade of the crowd at this price, told to everybody, whatever else the book holds."""
    matcher = venue.face.markets[0].matcher
    batch = Batch()
    for side in (0, 1):
        while (best := matcher.best(side)) and (best >= ticks if side == 0 else best <= ticks):
            matcher.place(0, 1 - side, best, matcher.lots_at(side, best), 1)
            for row in matcher.changes():
                batch.changes.append(row)
            if matcher.cancel_count or any(row[1] == 1 for row in matcher.fills()):
                raise AssertionError("an order of ours stands in the way")
    matcher.place(0, 0, ticks, lots)
    batch.changes += matcher.changes()
    take(venue, 1, ticks, lots)
    venue.face.publish(0, batch, venue.clock.us)


def rows_of(venue, trader):
    [messages] = venue.run(0.01, trader)
    return executions(messages)


def kinds(rows):
    return [row["exec_type"] for row in rows]


def offer(venue, side, ticks, lots):
    """Somebody rests there."""
    matcher = venue.face.markets[0].matcher
    assert matcher.place(0, side, ticks, lots) > 0
    venue.face.publish(0, Batch(changes=matcher.changes()), venue.clock.us)


# One trigger of each shape; the market stands at 60000.0 (600000 ticks).


@pytest.mark.parametrize(("order_type", "side", "price", "quiet_at", "fires_at"), [
    ("stop-loss", "sell", 59000, 590_001, 590_000), ("stop-loss", "sell", 59000, 600_500, 589_000),
    ("stop-loss", "buy", 61000, 609_999, 610_000), ("stop-loss", "buy", 61000, 599_000, 611_000),
    ("take-profit", "sell", 61000, 609_999, 610_000),
    ("take-profit", "buy", 59000, 590_001, 590_000)])
def test_a_market_trigger_fires_when_the_last_price_comes_to_it(order_type, side, price, quiet_at,
                                                                fires_at):
    venue = quiet()
    trader = venue.trader()
    trader.say({"method": "add_order", "req_id": 1, "params": {
        "order_type": order_type, "side": side, "symbol": "BTC/USD", "order_qty": 0.001,
        "triggers": {"price": price}, "token": trader.token}})
    [messages] = venue.run(0.05, trader)
    assert acks(messages, "add_order")[0]["success"], messages
    pending, live = executions(messages)
    assert (pending["exec_type"], live["exec_type"]) == ("pending_new", "new")
    assert pending["triggers"] == {
        "reference": "last", "price": price, "price_type": "static", "actual_price": price,
        "status": "untriggered"}
    assert (pending["stop_price"], pending["trigger"]) == (price, "last")
    assert "limit_price" not in pending
    trade_at(venue, quiet_at)
    assert rows_of(venue, trader) == []
    offer(venue, 0, fires_at - 100, 10_000_000)
    offer(venue, 1, fires_at + 100, 10_000_000)
    trade_at(venue, fires_at)
    rows = rows_of(venue, trader)
    assert kinds(rows)[0] == "status"
    assert kinds(rows)[-1] == "filled"
    assert set(kinds(rows)[1:-1]) == {"trade"}
    assert rows[0]["triggers"]["status"] == "triggered"
    assert rows[0]["triggers"]["last_price"] * 10 == fires_at
    assert all(value == 0 for value in venue.face.account.holds.values())


@pytest.mark.parametrize("order_type", ["stop-loss-limit", "take-profit-limit"])
def test_a_limit_behind_a_trigger_comes_to_the_book_when_it_fires(venue, order_type):
    trader = venue.trader()
    stop = 59000 if order_type == "stop-loss-limit" else 61000
    limit = 62000.0
    placed(venue, trader, order_type=order_type, side="sell", triggers={"price": stop},
           limit_price=limit, cl_ord_id="s")
    assert book_qty(venue, 620_000, 1) == 0
    assert venue.face.account.holds["BTC"] == 10**8
    trade_at(venue, stop * 10)
    rows = rows_of(venue, trader)
    assert kinds(rows) == ["status"]
    assert rows[0]["cl_ord_id"] == "s"
    assert book_qty(venue, 620_000, 1) == 1_000_000
    ack, rows = asked(venue, trader, "amend_order", cl_ord_id="s", limit_price=63000)
    assert ack["success"]
    assert book_qty(venue, 630_000, 1) == 1_000_000
    _, rows = asked(venue, trader, "cancel_order", cl_ord_id=["s"])
    assert kinds(rows) == ["canceled"]
    assert venue.face.account.holds["BTC"] == 0


@pytest.mark.parametrize(("price", "price_type", "at"), [
    (-2.5, "pct", 585_000), (-1500, "quote", 585_000), (58500, "static", 585_000)])
def test_a_relative_trigger_is_fixed_when_the_order_comes(venue, price, price_type, at):
    trader = venue.trader()
    trade_at(venue, 600_000)
    trader.say({"method": "add_order", "req_id": 1, "params": {
        "order_type": "stop-loss", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.001,
        "triggers": {"price": price, "price_type": price_type, "reference": "last"},
        "token": trader.token}})
    pending = rows_of(venue, trader)[0]
    assert pending["triggers"]["price"] == Decimal(str(price))
    assert pending["triggers"]["actual_price"] * 10 == at
    trade_at(venue, 640_000)
    trade_at(venue, at + 1)
    assert rows_of(venue, trader) == []
    offer(venue, 0, at - 50, 10_000_000)
    trade_at(venue, at)
    assert kinds(rows_of(venue, trader))[-1] == "filled"


def test_a_trailing_stop_follows_the_peak_and_fires_on_the_way_back(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    trader.say({"method": "add_order", "req_id": 1, "params": {
        "order_type": "trailing-stop", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.001,
        "triggers": {"price": 1.0, "price_type": "pct"}, "token": trader.token}})
    pending = rows_of(venue, trader)[0]
    assert (pending["triggers"]["peak_price"], pending["triggers"]["actual_price"]) == (
        60000, 59400)
    seen = []
    for ticks in (601_000, 600_500, 610_000, 604_000):
        trade_at(venue, ticks)
        seen += [row["triggers"]["actual_price"] for row in rows_of(venue, trader)]
    assert seen == [Decimal("59499.0"), Decimal("60390.0")]
    offer(venue, 0, 603_000, 10_000_000)
    trade_at(venue, 603_900)
    rows = rows_of(venue, trader)
    assert kinds(rows)[-1] == "filled"
    assert rows[0]["triggers"]["peak_price"] == 61000


def test_a_trailing_stop_limit_carries_its_limit_along(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    placed(venue, trader, order_type="trailing-stop-limit", side="buy", order_qty=0.01,
           triggers={"price": 500, "price_type": "quote"}, limit_price=20)
    [order] = venue.face.desk.orders.values()
    assert (order.trigger.ticks, order.ticks) == (605_000, 605_200)
    assert venue.face.account.holds["USD"] == 605_200 * 10**7 // 10 * 10
    trade_at(venue, 590_000)
    assert (order.trigger.ticks, order.ticks) == (595_000, 595_200)
    assert venue.face.account.holds["USD"] == 595_200 * 10**7
    trade_at(venue, 595_000)
    assert order.trigger.fired_ticks == 595_000
    assert book_qty(venue, 595_200) == 1_000_000
    rows = rows_of(venue, trader)
    assert [row["limit_price"] for row in rows if row["exec_type"] == "status"] == [
        Decimal("59520.0"), Decimal("59520.0")]


def test_a_trigger_that_is_reached_already_fires_at_once(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    offer(venue, 0, 599_990, 10_000_000)
    trader.say({"method": "add_order", "req_id": 1, "params": {
        "order_type": "stop-loss", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.001,
        "triggers": {"price": 60500}, "token": trader.token}})
    assert kinds(rows_of(venue, trader)) == ["pending_new", "new", "status", "trade", "filled"]


def test_one_trigger_may_set_off_another(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    for price in (59000, 58900):
        trader.say({"method": "add_order", "req_id": 1, "params": {
            "order_type": "stop-loss", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.001,
            "triggers": {"price": price}, "token": trader.token}})
    rows_of(venue, trader)
    offer(venue, 0, 588_000, 100_000)
    offer(venue, 0, 587_000, 100_000)
    trade_at(venue, 590_000)
    rows = rows_of(venue, trader)
    assert kinds(rows) == ["status", "trade", "filled"] * 2
    assert [row["last_price"] for row in rows if row["exec_type"] == "trade"] == [58800, 58700]


@pytest.mark.parametrize("form", ["placed", "triggered"])
def test_when_a_waiting_order_holds_its_money_is_a_switch(form):
    venue = quiet(switches=Switches(trigger_hold=form))
    trader = venue.trader()
    trade_at(venue, 600_000)
    placed(venue, trader, order_type="stop-loss-limit", side="sell", order_qty=0.6,
           triggers={"price": 59000}, limit_price=62000.0)
    assert venue.face.account.holds.get("BTC", 0) == (6 * 10**9 if form == "placed" else 0)
    trader.order(side="sell", limit_price=65000, order_qty=0.6)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0].get("error") == (
        "EOrder:Insufficient funds" if form == "placed" else None)
    trade_at(venue, 590_000)
    rows = rows_of(venue, trader)
    if form == "placed":
        assert kinds(rows) == ["status"]
    else:
        assert kinds(rows) == ["status", "canceled"]
        assert rows[-1]["reason"] == "Insufficient funds"


def test_amending_a_trigger(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    placed(venue, trader, order_type="stop-loss-limit", side="buy", cl_ord_id="t",
           triggers={"price": 61000}, limit_price=62000.0)
    assert venue.face.account.holds["USD"] == 620 * 10**10
    ack, [row] = asked(venue, trader, "amend_order", cl_ord_id="t", trigger_price=1.0,
                       trigger_price_type="pct", limit_price=61000, order_qty=0.02)
    assert ack["success"]
    assert (row["triggers"]["actual_price"], row["limit_price"], row["order_qty"]) == (
        60600, 61000, Decimal("0.02"))
    assert venue.face.account.holds["USD"] == 1220 * 10**10
    for fields, error in (({"order_qty": 1}, "EOrder:Insufficient funds"),
                          ({"trigger_price": 60600.05}, "EOrder:Tick size check failed"),
                          ({"display_qty": 0.001}, "EGeneral:Invalid arguments:display_qty")):
        ack, rows = asked(venue, trader, "amend_order", cl_ord_id="t", **fields)
        assert (ack["error"], rows) == (error, [])
    _, rows = asked(venue, trader, "amend_order", cl_ord_id="t", trigger_price=60000)
    assert kinds(rows) == ["amended", "status"]
    assert book_qty(venue, 610_000) == 2_000_000
    placed(venue, trader, cl_ord_id="plain")
    ack, _ = asked(venue, trader, "amend_order", cl_ord_id="plain", trigger_price=1000)
    assert ack["error"] == "EGeneral:Invalid arguments:trigger_price"


def test_a_gtd_trigger_expires_without_having_fired(venue):
    trader = venue.trader()
    placed(venue, trader, order_type="stop-loss-limit", side="sell", triggers={"price": 50000},
           limit_price=49000.0, time_in_force="gtd", expire_time=rfc(1))
    [messages] = venue.run(1.5, trader)
    assert kinds(executions(messages)) == ["expired"]
    assert venue.face.account.holds["BTC"] == 0
    assert not venue.face.desk.waiting.orders[0]


def test_triggers_wait_while_the_engine_takes_no_orders(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    placed(venue, trader, order_type="stop-loss-limit", side="sell", triggers={"price": 59000},
           limit_price=62000.0)
    venue.face.set_system("cancel_only")
    trade_at(venue, 589_000)
    assert rows_of(venue, trader) == []
    venue.face.set_system("online")
    trade_at(venue, 589_000)
    assert kinds(rows_of(venue, trader)) == ["status"]


@pytest.mark.parametrize(("fields", "error"), [
    ({"triggers": {}}, "price(s) not found"),
    ({}, "price(s) not found"),
    ({"triggers": {"price": "59000"}}, "Price field must be a number_float"),
    ({"triggers": {"price": 59000, "reference": "index"}},
     "EGeneral:Invalid arguments:Index unavailable"),
    ({"triggers": {"price": 59000, "reference": "mark"}}, "EGeneral:Invalid arguments:triggers"),
    ({"triggers": {"price": 59000, "price_type": "ticks"}}, "EGeneral:Invalid arguments:triggers"),
    ({"triggers": {"price": 59000.05}}, "EOrder:Tick size check failed"),
    ({"triggers": {"price": -59000}}, "EOrder:Invalid price"),
    ({"triggers": {"price": 101, "price_type": "pct"}}, "EGeneral:Invalid arguments:triggers"),
    ({"triggers": {"price": 59000, "size": 1}},
     "Unsupported field: 'size' for the given msg type: add order"),
    ({"order_type": "trailing-stop", "triggers": {"price": 500}},
     "EGeneral:Invalid arguments:triggers"),
    ({"order_type": "trailing-stop", "triggers": {"price": -1, "price_type": "pct"}},
     "EOrder:Invalid price"),
    ({"order_type": "stop-loss-limit", "triggers": {"price": 59000}}, "price(s) not found"),
    ({"order_type": "stop-loss-limit", "triggers": {"price": 59000}, "limit_price": 5,
      "limit_price_type": "pct"}, "EGeneral:Invalid arguments:limit_price_type"),
    ({"triggers": {"price": 59000}, "limit_price": 59000},
     "EGeneral:Invalid arguments:limit_price"),
    ({"triggers": {"price": 59000}, "post_only": True}, "EGeneral:Invalid arguments:post_only"),
    ({"triggers": {"price": 59000}, "time_in_force": "fok"},
     "EGeneral:Invalid arguments:time_in_force"),
    ({"triggers": {"price": 59000}, "stop_price": 59000},
     "EGeneral:Invalid arguments:stop_price"),
    ({"order_type": "market", "triggers": {"price": 59000}},
     "EGeneral:Invalid arguments:triggers"),
])
def test_trigger_refusals(venue, fields, error):
    trader = venue.trader()
    ack, rows = asked(venue, trader, "add_order", **{
        "order_type": "stop-loss", "side": "sell", "symbol": "BTC/USD", "order_qty": 0.001,
        **fields})
    assert (ack["success"], ack["error"], rows) == (False, error, [])


def test_the_deprecated_trigger_fields_mean_the_same(venue):
    trader = venue.trader()
    ack, rows = asked(venue, trader, "add_order", order_type="stop-loss", side="sell",
                      symbol="BTC/USD", order_qty=0.001, stop_price=59000, trigger="last")
    assert ack["success"]
    assert rows[0]["triggers"]["actual_price"] == 59000


# Closing orders.


def test_each_fill_makes_its_own_closing_order(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    offer(venue, 1, 600_100, 400_000)
    offer(venue, 1, 600_200, 600_000)
    parent = placed(venue, trader, limit_price=60020.0, conditional={
        "order_type": "stop-loss-limit", "trigger_price": 59000, "limit_price": 58900})["order_id"]
    closing = list(venue.face.desk.orders.values())
    assert [(o.side, o.lots, o.parent_id, o.order_type, o.trigger.ticks, o.ticks)
            for o in closing] == [
        (1, lots, parent, "stop-loss-limit", 590_000, 589_000) for lots in (400_000, 600_000)]
    assert venue.face.account.holds["BTC"] == 10**8


def test_a_closing_order_is_reported_with_its_parent(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    offer(venue, 1, 600_100, 1_000_000)
    ack, rows = asked(venue, trader, "add_order", symbol="BTC/USD", order_type="limit",
                      side="buy", order_qty=0.01, limit_price=60010,
                      conditional={"order_type": "limit", "limit_price": 61000})
    assert rows[0]["contingent"] == {"order_type": "limit", "limit_price": 61000,
                                     "limit_price_type": "static"}
    assert kinds(rows) == ["pending_new", "new", "trade", "filled", "pending_new", "new"]
    child = rows[4]
    assert (child["ord_ref_id"], child["side"], child["order_qty"], child["limit_price"]) == (
        ack["result"]["order_id"], "sell", Decimal("0.01"), 61000)
    assert book_qty(venue, 610_000, 1) == 1_000_000


@pytest.mark.parametrize(("fields", "error"), [
    ({"conditional": {"order_type": "market"}}, "EGeneral:Invalid arguments:conditional"),
    ({"conditional": {"order_type": "limit"}}, "price(s) not found"),
    ({"conditional": {"order_type": "stop-loss"}}, "price(s) not found"),
    ({"conditional": {"order_type": "limit", "limit_price": 61000, "trigger_price": 1}},
     "EGeneral:Invalid arguments:conditional"),
    ({"conditional": {"order_type": "limit", "limit_price": 61000}, "cl_ord_id": "a"},
     "EGeneral:Invalid arguments:cl_ord_id"),
    ({"conditional": {"order_type": "limit", "limit_price": "61000"}},
     "Limit_price field must be a number_float"),
])
def test_closing_template_refusals(venue, fields, error):
    trader = venue.trader()
    trader.order(limit_price=50000, **fields)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == error


def test_an_order_with_a_template_cannot_be_amended(venue):
    trader = venue.trader()
    order_id = placed(venue, trader, conditional={
        "order_type": "limit", "limit_price": 61000})["order_id"]
    ack, _ = asked(venue, trader, "amend_order", order_id=order_id, limit_price=40000)
    assert ack["error"] == "EOrder:Invalid order"


# Between runs.


def test_waiting_scheduled_hidden_and_closing_orders_survive_a_restart(venue):
    trader = venue.trader()
    trade_at(venue, 600_000)
    placed(venue, trader, order_type="trailing-stop-limit", side="sell", cl_ord_id="trail",
           triggers={"price": 5, "price_type": "pct"}, limit_price=-10)
    placed(venue, trader, effective_time=rfc(200), cl_ord_id="later")
    placed(venue, trader, order_type="iceberg", order_qty=0.03, display_qty=0.01,
           cl_ord_id="hidden")
    placed(venue, trader, limit_price=40000.0, conditional={
        "order_type": "take-profit", "trigger_price": 2, "trigger_price_type": "pct"})
    before = venue.face.desk.saved()["orders"]
    saved = json.loads(json.dumps(venue.face.saved()))
    again = VirtualExchange(saved=saved, balances=MONEY, start_us=venue.clock.us + 60_000_000)
    after = again.face.desk.saved()["orders"]
    for rows in (before, after):
        for row in rows:
            row.pop("matcher_id", 0)
    assert sorted(after, key=lambda row: row["order_id"]) == sorted(
        before, key=lambda row: row["order_id"])
    assert again.face.account.holds == venue.face.account.holds
    desk = again.face.desk
    assert [order.cl_ord_id for order in desk.waiting.orders[0].values()] == ["trail"]
    assert again.face.markets[0].matcher.lots_at(0, 500_000) == 1_000_000
    again.run(200)
    assert again.face.desk.named["later"].matcher_id or "later" not in again.face.desk.named


# The trigger's own arithmetic.


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.integers(1_000, 10_000), min_size=1, max_size=30), st.integers(0, 1),
       st.sampled_from(["pct", "quote"]), st.integers(1, 900))
def test_a_trailing_stop_equals_its_definition(prices, side, kind, amount):
    term = Term(kind, amount * 100_000 if kind == "pct" else amount)
    trigger = Trigger("trailing-stop", term)
    trigger.start(side, prices[0])
    for i, last in enumerate(prices):
        seen = prices[:i + 1]
        trigger.move(side, last)
        peak = max(seen) if side == 1 else min(seen)
        away = amount if kind == "quote" else amount * 100_000 * peak // PERCENT_E6
        stop = max(1, peak - away) if side == 1 else peak + away
        assert (trigger.peak_ticks, trigger.ticks) == (peak, stop)
        fires = last <= stop if side == 1 else last >= stop
        assert trigger.reached(side, last) == fires
