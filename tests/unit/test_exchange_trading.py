"""Editing, batches, icebergs, money sizes and lifetimes on the trading endpoint."""

from decimal import Decimal

import pytest
from exchange_client import (
    VirtualExchange,
    acks,
    asked,
    book_qty,
    channel,
    executions,
    matcher_step,
    placed,
    rfc,
    take,
)

from hftbot.exchange.settings import Switches

ORDER = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 50000.0}


@pytest.fixture
def venue():
    return VirtualExchange()


# edit_order


def test_edit_replaces_the_order_under_a_new_id(venue):
    trader = venue.trader()
    old = placed(venue, trader, order_userref=7)["order_id"]
    ack, rows = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD",
                      limit_price=40000.0, order_qty=0.02)
    new = ack["result"]["order_id"]
    assert ack["result"]["original_order_id"] == old != new
    assert [(row["exec_type"], row["order_id"]) for row in rows] == [
        ("canceled", old), ("pending_new", new), ("new", new)]
    assert (rows[1]["limit_price"], rows[1]["order_qty"], rows[1]["order_userref"]) == (
        40000, Decimal("0.02"), 7)
    assert venue.face.account.holds["USD"] == 800 * 10**10
    assert list(venue.face.desk.orders) == [new]


def test_edit_uses_the_old_orders_money(venue):
    trader = venue.trader()
    old = placed(venue, trader, order_qty=0.19)["order_id"]
    ack, _ = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD", order_qty=0.2)
    assert ack["success"]
    ack, rows = asked(venue, trader, "edit_order", order_id=ack["result"]["order_id"],
                      symbol="BTC/USD", order_qty=0.21)
    assert ack["error"] == "EOrder:Insufficient funds"
    assert not rows
    assert len(venue.face.desk.orders) == 1


@pytest.mark.parametrize(("fields", "error"), [
    ({"order_id": "OAAAAA-AAAAA-AAAAAA"}, "EOrder:Unknown order"),
    ({"symbol": "ETH/EUR"}, "EQuery:Unknown asset pair"),
    ({"limit_price": 50000.01}, "EOrder:Tick size check failed"),
    ({"order_qty": 0.00001}, "EOrder:Order minimum not met"),
    ({"limit_price": 66000.0, "post_only": True}, "EOrder:Post only order"),
    ({"display_qty": 0.001}, "EGeneral:Invalid arguments:display_qty"),
    ({"deadline": "2020-01-01T00:00:00.000Z"}, "EService:Deadline elapsed"),
    ({"cl_ord_id": "x"}, "Unsupported field: 'cl_ord_id' for the given msg type: edit order"),
    ({"reduce_only": True}, "EOrder:Reduce only:No position exists"),
])
def test_edit_refusals_leave_the_order_alone(venue, fields, error):
    trader = venue.trader()
    old = placed(venue, trader)["order_id"]
    ack, rows = asked(venue, trader, "edit_order",
                      **{"order_id": old, "symbol": "BTC/USD", **fields})
    assert (ack["success"], ack["error"]) == (False, error)
    assert not rows
    assert list(venue.face.desk.orders) == [old]
    assert venue.face.account.holds["USD"] == 500 * 10**10


@pytest.mark.parametrize("fields", [
    {"cl_ord_id": "named"},
    {"conditional": {"order_type": "limit", "limit_price": 60000}},
    {"order_type": "stop-loss-limit", "side": "buy", "triggers": {"price": 70000},
     "limit_price": 70000},
])
def test_edit_is_not_for_named_triggered_or_closing_orders(venue, fields):
    trader = venue.trader()
    old = placed(venue, trader, **fields)["order_id"]
    ack, _ = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD", order_qty=0.02)
    assert ack["error"] == "EOrder:Invalid order"
    assert list(venue.face.desk.orders) == [old]


def test_edit_of_a_partly_filled_order_asks_for_the_rest(venue):
    trader, matcher = venue.trader(), venue.face.markets[0].matcher
    bid = matcher.best(0) + 1
    old = placed(venue, trader, limit_price=bid / 10, order_qty=0.02)["order_id"]
    order = venue.face.desk.orders[old]
    matcher.place(0, 1, bid, 500_000, 1)
    from hftbot.exchange.market import Batch
    batch = Batch()
    batch.take(matcher)
    venue.face.desk.book(0, batch, venue.clock.us)
    venue.face.publish(0, batch, venue.clock.us)
    filled = order.filled_lots
    assert 0 < filled < order.lots
    ack, _ = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD",
                   order_qty=filled / 1e8, limit_price=40000.0)
    assert ack["error"] == "EOrder:Invalid order"
    ack, rows = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD",
                      order_qty=0.03, limit_price=40000.0)
    assert ack["success"], ack
    fresh = venue.face.desk.orders[ack["result"]["order_id"]]
    assert (fresh.lots, fresh.filled_lots) == (3_000_000 - filled, 0)
    assert rows[0]["cum_qty"] == Decimal(filled) / 10**8


def test_validate_changes_nothing(venue):
    trader = venue.trader()
    trader.order(limit_price=50000.0, validate=True)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["result"] == {"order_id": ""}
    old = placed(venue, trader)["order_id"]
    ack, rows = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD",
                      order_qty=0.02, validate=True)
    assert ack["result"] == {"order_id": "", "original_order_id": old}
    assert not rows
    ack, rows = asked(venue, trader, "batch_add", symbol="BTC/USD", validate=True,
                      orders=[ORDER, ORDER])
    assert ack["result"] == [{"order_id": ""}, {"order_id": ""}]
    assert not rows
    assert list(venue.face.desk.orders) == [old]
    trader.order(limit_price=50000.0, order_qty=1, validate=True)
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == "EOrder:Insufficient funds"


# Batches.


def test_batch_add_answers_in_the_order_of_the_request(venue):
    trader = venue.trader()
    ack, rows = asked(venue, trader, "batch_add", symbol="BTC/USD", orders=[
        {**ORDER, "order_userref": 1}, {**ORDER, "limit_price": 40000, "cl_ord_id": "second"},
        {**ORDER, "limit_price": 66000, "time_in_force": "ioc"}])
    first, second, third = ack["result"]
    assert first["order_userref"] == 1
    assert second["cl_ord_id"] == "second"
    assert [row["order_id"] for row in rows if row["exec_type"] == "pending_new"] == [
        first["order_id"], second["order_id"], third["order_id"]]
    assert rows[-1]["exec_type"] == "filled"
    assert venue.face.account.holds["USD"] == 900 * 10**10


@pytest.mark.parametrize(("orders", "error"), [
    ([ORDER], "EGeneral:Invalid arguments:orders"),
    ([ORDER] * 16, "EGeneral:Invalid arguments:orders"),
    ([ORDER, {**ORDER, "limit_price": 1.11}], "EOrder:Tick size check failed"),
    ([ORDER, {**ORDER, "symbol": "BTC/USD"}],
     "Unsupported field: 'symbol' for the given msg type: batch add"),
    ([ORDER, {**ORDER, "limit_price": "1"}], "Limit_price field must be a number_float"),
    ([ORDER, "x"], "Orders field must be a object"),
    ([{**ORDER, "cl_ord_id": "a"}, {**ORDER, "cl_ord_id": "a"}],
     "EGeneral:Invalid arguments:cl_ord_id"),
])
def test_a_batch_with_one_wrong_order_is_refused_whole(venue, orders, error):
    trader = venue.trader()
    ack, rows = asked(venue, trader, "batch_add", symbol="BTC/USD", orders=orders)
    assert (ack["success"], ack["error"]) == (False, error)
    assert not rows
    assert not venue.face.desk.orders


@pytest.mark.parametrize("form", ["success", "failure"])
def test_a_batch_order_without_money_is_refused_alone(form):
    venue = VirtualExchange(switches=Switches(batch_add_partly=form))
    trader = venue.trader()
    ack, rows = asked(venue, trader, "batch_add", symbol="BTC/USD", orders=[
        {**ORDER, "order_qty": 0.15}, {**ORDER, "order_qty": 0.15}, ORDER])
    good, bad, small = ack["result"]
    assert ack["success"] is (form == "success")
    assert bad == {"error": "EOrder:Insufficient funds"}
    assert {row["order_id"] for row in rows} == {good["order_id"], small["order_id"]}


@pytest.mark.parametrize(("form", "member"), [
    ("recorded", {"orders_cancelled": 3}), ("documented", {"result": {"count": 3}})])
def test_batch_cancel_takes_every_id_form_and_has_two_answers(form, member):
    venue = VirtualExchange(switches=Switches(batch_cancel_answer=form))
    trader = venue.trader()
    first = placed(venue, trader)["order_id"]
    placed(venue, trader, order_userref=12)
    placed(venue, trader, cl_ord_id="mine")
    keep = placed(venue, trader, order_userref=13)["order_id"]
    ack, rows = asked(venue, trader, "batch_cancel", orders=[first, "12", "OAAAAA-AAAAA-AAAAAA"],
                      cl_ord_id=["mine", "nobody"])
    assert member.items() <= ack.items()
    assert [row["exec_type"] for row in rows] == ["canceled"] * 3
    assert list(venue.face.desk.orders) == [keep]
    for names in ([first], [first] * 51):
        ack, _ = asked(venue, trader, "batch_cancel", orders=names)
        assert ack["error"] == "EGeneral:Invalid arguments:orders"


def test_cancel_answers_once_for_each_order_by_every_id_form(venue):
    trader = venue.trader()
    ids = [placed(venue, trader)["order_id"], placed(venue, trader, cl_ord_id="a")["order_id"],
           *(placed(venue, trader, order_userref=5)["order_id"] for _ in range(2))]
    found, rows = asked(venue, trader, "cancel_order", order_id=[ids[0], "x"], cl_ord_id=["a"],
                        order_userref=[5, 6])
    assert [ack.get("result", ack.get("error")) for ack in found] == [
        {"order_id": ids[0]}, "EOrder:Invalid order", {"cl_ord_id": "a"},
        {"order_id": ids[2]}, {"order_id": ids[3]}, "EOrder:Unknown order"]
    assert {ack["req_id"] for ack in found} == {9}
    assert {row["order_id"] for row in rows} == set(ids)
    gone, _ = asked(venue, trader, "cancel_order", order_id=[ids[0]])
    assert gone["error"] == "EOrder:Unknown order"


# Icebergs.


def test_an_iceberg_shows_its_display_and_refills(venue):
    trader, matcher = venue.trader(), venue.face.markets[0].matcher
    bid = matcher.best(0) + 1
    trader.order(order_type="iceberg", limit_price=bid / 10, order_qty=0.03, display_qty=0.01)
    matcher_step(venue, trader)
    assert book_qty(venue, bid) == 1_000_000
    [messages] = [trader.told]
    [pending] = [row for row in executions(messages) if row["exec_type"] == "pending_new"]
    assert (pending["order_type"], pending["display_qty"], pending["order_qty"]) == (
        "iceberg", Decimal("0.01"), Decimal("0.03"))
    take(venue, 1, bid, 1_500_000)
    [messages] = venue.run(0.01, trader)
    kinds = [row["exec_type"] for row in executions(messages)]
    assert kinds[:3] == ["trade", "iceberg_refill", "trade"]
    refill = executions(messages)[1]
    assert (refill["display_qty_remain"], refill["cum_qty"]) == (
        Decimal("0.01"), Decimal("0.01"))


@pytest.mark.parametrize(("fields", "error"), [
    ({}, "EGeneral:Invalid arguments:display_qty"),
    ({"display_qty": 0.0006}, "EGeneral:Invalid arguments:display_qty"),
    ({"display_qty": 0.011}, "EGeneral:Invalid arguments:display_qty"),
    ({"display_qty": 0}, "EGeneral:Invalid arguments:display_qty"),
    ({"display_qty": 0.005, "time_in_force": "ioc"}, "EGeneral:Invalid arguments:time_in_force"),
    ({"display_qty": 0.005, "order_type": "limit"}, "EGeneral:Invalid arguments:display_qty"),
    ({"display_qty": "0.005"}, "Display_qty field must be a number_float"),
])
def test_iceberg_refusals(venue, fields, error):
    trader = venue.trader()
    trader.order(**{"order_type": "iceberg", "limit_price": 50000.0, **fields})
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == error


def test_amending_an_icebergs_display(venue):
    trader = venue.trader()
    placed(venue, trader, order_type="iceberg", cl_ord_id="i", order_qty=0.03, display_qty=0.01)
    assert book_qty(venue, 500_000) == 1_000_000
    ack, [row] = asked(venue, trader, "amend_order", cl_ord_id="i", display_qty=0.004)
    assert ack["success"]
    assert row["display_qty"] == Decimal("0.004")
    assert book_qty(venue, 500_000) == 400_000
    ack, _ = asked(venue, trader, "amend_order", cl_ord_id="i", display_qty=0.0019)
    assert ack["error"] == "EGeneral:Invalid arguments:display_qty"
    ack, _ = asked(venue, trader, "amend_order", cl_ord_id="i", order_qty=0.1)
    assert ack["error"] == "EOrder:Invalid order"
    asked(venue, trader, "amend_order", cl_ord_id="i", order_qty=0.1, display_qty=0.02)
    assert book_qty(venue, 500_000) == 2_000_000
    ack, _ = asked(venue, trader, "cancel_order", cl_ord_id=["i"])
    assert book_qty(venue, 500_000) == 0


# Sizes in money, fees, lifetimes.


def test_a_market_order_by_cash_spends_no_more_than_that():
    venue = VirtualExchange(fees="kraken")
    trader = venue.trader()
    trader.say({"method": "add_order", "req_id": 3, "params": {
        "order_type": "market", "side": "buy", "symbol": "BTC/USD", "cash_order_qty": 1000.5,
        "token": trader.token}})
    [messages] = venue.run(0.05, trader)
    rows = executions(messages)
    assert rows[0]["cash_order_qty"] == Decimal("1000.5")
    assert rows[-1]["exec_type"] == "filled"
    spent = sum(row["cost"] for row in rows if row["exec_type"] == "trade")
    assert Decimal("1000.4") < spent <= Decimal("1000.5")


@pytest.mark.parametrize(("fields", "error"), [
    ({"cash_order_qty": 100, "order_qty": 0.01}, "EGeneral:Invalid arguments:cash_order_qty"),
    ({"cash_order_qty": 100, "side": "sell"}, "EGeneral:Invalid arguments:cash_order_qty"),
    ({"cash_order_qty": "100"}, "Cash_order_qty field must be a number_float"),
    ({"cash_order_qty": 0.4}, "EOrder:Cost minimum not met"),
    ({"cash_order_qty": 1}, "EOrder:Order minimum not met"),
    ({"cash_order_qty": 20000}, "EOrder:Insufficient funds"),
    ({"cash_order_qty": -5}, "EGeneral:Invalid arguments:cash_order_qty"),
    ({"cash_order_qty": 100, "limit_price": 5}, "EGeneral:Invalid arguments:limit_price"),
])
def test_cash_refusals(venue, fields, error):
    trader = venue.trader()
    trader.say({"method": "add_order", "req_id": 3, "params": {
        "order_type": "market", "side": "buy", "symbol": "BTC/USD", "token": trader.token,
        **fields}})
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == error


def test_a_fee_in_the_base_asset_comes_out_of_it():
    venue = VirtualExchange(fees="kraken")
    trader = venue.trader()
    trader.order(limit_price=66000, time_in_force="ioc", fee_preference="base")
    [messages] = venue.run(0.05, trader)
    rows = executions(messages)
    assert rows[0]["fee_ccy_pref"] == "fcib"
    trades = [row for row in rows if row["exec_type"] == "trade"]
    paid = Decimal(0)
    for row in trades:
        [fee] = row["fees"]
        assert fee["asset"] == "BTC"
        assert fee["qty"] == row["last_qty"] * Decimal("0.004")
        paid += fee["qty"]
    last = {row["asset"]: row["balance"] for message in channel(messages, "balances")
            for row in message["data"]}
    assert last["BTC"] == Decimal("0.01") - paid
    assert last["USD"] == 10_000 - sum(row["cost"] for row in trades)
    assert venue.face.account.holds["USD"] == 0


@pytest.mark.parametrize(("form", "currency"), [("quote", "fciq"), ("documented", "fcib")])
def test_the_fee_of_a_sell_without_preference_is_a_switch(form, currency):
    venue = VirtualExchange(fees="kraken", switches=Switches(fee_default=form),
                            balances={"USD": Decimal(100), "BTC": Decimal("0.01")})
    trader = venue.trader()
    trader.order(side="sell", limit_price=80000, order_qty=0.005)
    [messages] = venue.run(0.05, trader)
    assert executions(messages)[0]["fee_ccy_pref"] == currency
    held = Decimal(venue.face.account.holds["BTC"]) / 10**10
    assert held == (Decimal("0.005") if form == "quote" else Decimal("0.00502"))


@pytest.mark.parametrize(("form", "told"), [("cancel", None), ("ack", "EOrder:Invalid order")])
def test_a_fok_that_cannot_be_filled_by_the_switch(form, told):
    venue = VirtualExchange(switches=Switches(fok_reject=form))
    trader = venue.trader()
    trader.order(limit_price=50000, time_in_force="fok")
    [messages] = venue.run(0.05, trader)
    [ack] = acks(messages)
    assert ack.get("error") == told
    if told is None:
        last = executions(messages)[-1]
        assert (last["exec_type"], last["cum_qty"]) == ("canceled", 0)
    trader.order(order_type="market", time_in_force="fok")
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0]["error"] == "EGeneral:Invalid arguments:time_in_force"


def test_gtd_says_when_and_expires_then(venue):
    trader = venue.trader()
    trader.order(limit_price=50000, time_in_force="gtd", expire_time=rfc(2))
    [messages] = venue.run(1.0, trader)
    pending = executions(messages)[0]
    assert (pending["time_in_force"], pending["expire_time"]) == ("GTD", rfc(2))
    [messages] = venue.run(1.5, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["expired"]
    assert venue.face.account.holds["USD"] == 0
    for when in (rfc(-5), rfc(40 * 86_400), "tomorrow"):
        trader.order(limit_price=50000, time_in_force="gtd", expire_time=when)
        [messages] = venue.run(0.05, trader)
        assert acks(messages)[0]["error"] == "EGeneral:Invalid arguments:expire_time"


def test_a_scheduled_order_comes_to_the_book_at_its_time(venue):
    trader = venue.trader()
    trader.order(limit_price=50000, effective_time=rfc(2), order_userref=4)
    [messages] = venue.run(1.0, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["pending_new"]
    assert book_qty(venue, 500_000) == 0
    assert venue.face.account.holds["USD"] == 500 * 10**10
    [messages] = venue.run(1.5, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["new"]
    assert book_qty(venue, 500_000) == 1_000_000
    trader.order(limit_price=50000, effective_time=rfc(5), order_userref=4)
    venue.run(0.05, trader)
    found, rows = asked(venue, trader, "cancel_order", order_userref=[4])
    assert all(ack["success"] for ack in found)
    assert len(rows) == 2
    [messages] = venue.run(4.0, trader)
    assert not executions(messages)


@pytest.mark.parametrize(("form", "told"), [
    ("missed", None), ("refused", "EGeneral:Invalid arguments:deadline")])
def test_a_deadline_nearer_than_half_a_second(form, told):
    venue = VirtualExchange(switches=Switches(deadline_short=form))
    trader = venue.trader()
    trader.order(limit_price=50000, deadline=rfc(0.2))
    [messages] = venue.run(0.05, trader)
    assert acks(messages)[0].get("error") == told
    for when, error in ((rfc(-1), "EService:Deadline elapsed"),
                        (rfc(90), "EGeneral:Invalid arguments:deadline")):
        trader.order(limit_price=50000, deadline=when)
        [messages] = venue.run(0.05, trader)
        assert acks(messages)[0]["error"] == error


def test_amend_below_what_is_filled_cancels_the_rest(venue):
    trader, matcher = venue.trader(), venue.face.markets[0].matcher
    bid = matcher.best(0) + 1
    trader.order(limit_price=bid / 10, order_qty=0.03, cl_ord_id="a")
    matcher_step(venue, trader)
    take(venue, 1, bid, 1_500_000)
    ack, rows = asked(venue, trader, "amend_order", cl_ord_id="a", order_qty=0.01)
    assert ack["success"]
    assert rows[-1]["exec_type"] == "canceled"
    assert venue.face.account.holds["USD"] == 0
