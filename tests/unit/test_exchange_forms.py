"""What every request of the trading endpoint is held to: forms, costs, switches."""

from decimal import Decimal

import pytest
from exchange_client import (
    VirtualExchange,
    acks,
    asked,
    channel,
    executions,
    matcher_step,
    placed,
    rfc,
)

from hftbot.errors import ConfigError
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.requests import Refused
from hftbot.exchange.settings import Switches, switch_values, switched

ORDER = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 50000.0}


@pytest.fixture
def venue():
    return VirtualExchange()


@pytest.mark.parametrize(("method", "fields", "error"), [
    ("cancel_all", {"symbol": "BTC/USD"},
     "Unsupported field: 'symbol' for the given msg type: cancel all"),
    ("cancel_order", {"order_id": "x"}, "Order_id field must be a array"),
    ("cancel_order", {"order_id": [5]}, "Order_id field must be a string"),
    ("cancel_order", {"order_userref": ["5"]}, "Order_userref field must be a number_integer"),
    ("cancel_order", {}, "EGeneral:Invalid arguments:order_id"),
    ("cancel_all_orders_after", {"timeout": "60"}, "Invalid timeout argument"),
    ("amend_order", {"limit_price": "1", "order_id": "x"},
     "Limit_price field must be a number_float"),
    ("amend_order", {"order_id": "x", "cl_ord_id": "y", "order_qty": 1},
     "EGeneral:Invalid arguments:order_id"),
    ("amend_order", {"order_id": "x", "price": 1},
     "Unsupported field: 'price' for the given msg type: amend order"),
    ("batch_cancel", {"orders": [1, 2]}, "Orders field must be a string"),
    ("add_order", {**ORDER, "order_qty": True}, "Order_qty field must be a number_float"),
    ("add_order", {**ORDER, "post_only": 1}, "Post_only field must be a boolean"),
    ("add_order", {**ORDER, "triggers": []}, "Triggers field must be a object"),
    ("add_order", {**ORDER, "order_userref": 1.5},
     "Order_userref field must be a number_integer"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "no_mpp": True},
     "EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "margin": True},
     "EGeneral:Invalid arguments:margin"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "reduce_only": True},
     "EOrder:Reduce only:No position exists"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "order_type": "settle-position"},
     "EOrder:Unknown position"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "stp_type": "cancel_all"},
     "EGeneral:Invalid arguments:stp_type"),
    ("add_order", {**ORDER, "symbol": "BTC/USD", "cl_ord_id": "a", "order_userref": 1},
     "EGeneral:Invalid arguments:cl_ord_id"),
    ("get_rich", {}, "Unsupported event"),
])
def test_forms_are_checked_in_the_venues_words(venue, method, fields, error):
    trader = venue.trader()
    ack, rows = asked(venue, trader, method, **fields)
    assert (ack["success"], ack["error"], ack["req_id"]) == (False, error, 9)
    assert not rows


@pytest.mark.parametrize(("stp", "ends"), [
    ("cancel_newest", ["new"]), ("cancel_oldest", ["old"]), ("cancel_both", ["new", "old"])])
def test_self_trade_prevention_takes_out_whom_the_arriving_order_says(stp, ends):
    venue = VirtualExchange(balances={"USD": Decimal(10_000), "BTC": Decimal(1)})
    trader, matcher = venue.trader(), venue.face.markets[0].matcher
    ask = matcher.best(1) - 1
    trader.order(side="sell", limit_price=ask / 10, cl_ord_id="old")
    matcher_step(venue, trader)
    trader.order(side="buy", limit_price=ask / 10, cl_ord_id="new", stp_type=stp)
    [messages] = venue.run(0.003, trader)
    [more] = venue.run(0.003, trader)
    rows = [row for row in executions(messages + more) if row["exec_type"] == "canceled"]
    assert sorted(row["cl_ord_id"] for row in rows) == sorted(ends)
    assert {row["reason"] for row in rows} == {"Self trade prevention"}


def test_sub_accounts_may_trade_with_each_other():
    venue = VirtualExchange(balances={"USD": Decimal(10_000), "BTC": Decimal(1)}, fees="kraken")
    trader, matcher = venue.trader(), venue.face.markets[0].matcher
    ask = matcher.best(1) - 1
    trader.order(side="sell", limit_price=ask / 10, order_userref=1, sender_sub_id="desk-a")
    matcher_step(venue, trader)
    assert executions(trader.told)[0]["sender_sub_id"] == "desk-a"
    trader.order(side="buy", limit_price=ask / 10, order_userref=2, sender_sub_id="desk-b")
    [messages] = venue.run(0.003, trader)
    [more] = venue.run(0.003, trader)
    trades = [row for row in executions(messages + more) if row["exec_type"] == "trade"]
    assert sorted((row["side"], row["liquidity_ind"]) for row in trades) == [
        ("buy", "t"), ("sell", "m")]
    assert len({row["trade_id"] for row in trades}) == 1
    fees = sum(row["fees"][0]["qty"] for row in trades)
    balances = venue.face.account.balances
    assert Decimal(balances["USD"]) / 10**10 == 10_000 - fees
    assert balances["BTC"] == 10**10
    assert not any(venue.face.account.holds.values())


def test_a_pair_in_limit_only_mode_takes_limit_orders_only(venue):
    trader = venue.trader()
    venue.face.operations.pairs["BTC/USD"] = "limit_only"
    placed(venue, trader, limit_price=50000)
    for fields in ({"order_type": "market"}, {"order_type": "iceberg", "limit_price": 50000,
                                              "display_qty": 0.005}):
        trader.order(**fields)
        [messages] = venue.run(0.05, trader)
        assert acks(messages)[0]["error"] == "EService:Market in limit_only mode"


@pytest.mark.parametrize("status", ["partially_filled", "filled"])
def test_the_status_of_the_last_trade_is_a_switch(status):
    venue = VirtualExchange(switches=Switches(last_trade_status=status))
    trader = venue.trader()
    trader.order(limit_price=66000, time_in_force="ioc", order_qty=0.001)
    [messages] = venue.run(0.05, trader)
    last, end = executions(messages)[-2:]
    assert (last["exec_type"], last["order_status"]) == ("trade", status)
    assert (end["exec_type"], end["order_status"]) == ("filled", "filled")


@pytest.mark.parametrize("prefix", ["EGeneral:Invalid arguments", "EOrder"])
def test_an_amend_that_changes_nothing_is_refused(prefix):
    venue = VirtualExchange(switches=Switches(no_op_prefix=prefix))
    trader = venue.trader()
    placed(venue, trader, limit_price=50000, cl_ord_id="a")
    for fields in ({}, {"limit_price": 50000.0}, {"order_qty": 0.01, "limit_price": 50000.0},
                   {"post_only": True}):
        ack, rows = asked(venue, trader, "amend_order", cl_ord_id="a", **fields)
        assert (ack["error"], rows) == (f"{prefix}:No amendable parameters", [])


def test_a_scheduled_order_is_pending_in_the_snapshot(venue):
    trader = venue.trader()
    placed(venue, trader, limit_price=50000, cl_ord_id="later", effective_time=rfc(60))
    placed(venue, trader, limit_price=50000, cl_ord_id="now")
    placed(venue, trader, order_type="stop-loss-limit", limit_price=70000, cl_ord_id="stop",
           triggers={"price": 69000})
    again = venue.connect("private")
    again.say({"method": "subscribe", "params": {"channel": "executions", "token": trader.token}})
    [messages] = venue.run(0.05, again)
    [snapshot] = channel(messages, "executions")
    assert [(row["cl_ord_id"], row["order_status"]) for row in snapshot["data"]] == [
        ("later", "pending_new"), ("now", "new"), ("stop", "new")]
    assert snapshot["data"][2]["triggers"]["status"] == "untriggered"


def test_the_rate_counter_is_told_with_the_reports_if_asked():
    for form in ("ratecount", "rate_count"):
        venue = VirtualExchange(rate_tier="starter", switches=Switches(ratecounter_field=form))
        trader = venue.trader(ratecounter=True)
        for count in range(1, 4):
            trader.order(limit_price=50000)
            [messages] = venue.run(0.05, trader)
            assert {row[form] for row in executions(messages)} == {count}
        trader.ask("cancel_all")
        [messages] = venue.run(0.05, trader)
        assert all(form in row for row in executions(messages))
    venue = VirtualExchange()
    trader = venue.trader()
    trader.order(limit_price=50000)
    [messages] = venue.run(0.05, trader)
    assert not any("ratecount" in row for row in executions(messages))


def test_order_status_false_tells_of_openings_and_ends_only(venue):
    trader = venue.trader(order_status=False)
    trader.order(limit_price=50000, cl_ord_id="a")
    [messages] = venue.run(0.05, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["new"]
    asked(venue, trader, "amend_order", cl_ord_id="a", limit_price=49000)
    [messages] = venue.run(0.05, trader)
    assert not executions(messages)
    _, rows = asked(venue, trader, "cancel_order", cl_ord_id=["a"])
    assert [row["exec_type"] for row in rows] == ["canceled"]
    sequences = [message["sequence"] for message in channel(messages, "executions")]
    assert sequences == sorted(sequences)


@pytest.mark.parametrize(("cost", "left"), [("pair", 4.0), ("orders", 27.0)])
def test_what_requests_cost(cost, left):
    venue = VirtualExchange(rate_tier="pro", switches=Switches(cancel_all_cost=cost))
    trader, rates = venue.trader(), venue.face.desk.rates
    rates.decay = 0.0
    placed(venue, trader)
    asked(venue, trader, "batch_add", symbol="BTC/USD",
          orders=[{**ORDER, "limit_price": price} for price in (40000, 41000)])
    trader.order(limit_price=50000.05)
    venue.run(0.05, trader)
    assert rates.value("BTC/USD", venue.clock.us) == 3.0
    trader.order(limit_price="50000")
    venue.run(0.05, trader)
    assert rates.value("BTC/USD", venue.clock.us) == 3.0
    asked(venue, trader, "cancel_all")
    assert rates.value("BTC/USD", venue.clock.us) == left


def test_an_edit_costs_by_age():
    venue = VirtualExchange(rate_tier="pro")
    trader, rates = venue.trader(), venue.face.desk.rates
    rates.decay = 0.0
    old = placed(venue, trader)["order_id"]
    for wait, cost in ((0.0, 7.0), (6.0, 6.0), (11.0, 5.0), (20.0, 3.0), (50.0, 2.0), (95.0, 1.0)):
        venue.run(wait, trader)
        before = rates.value("BTC/USD", venue.clock.us)
        ack, _ = asked(venue, trader, "edit_order", order_id=old, symbol="BTC/USD",
                       order_qty=0.01)
        old = ack["result"]["order_id"]
        assert rates.value("BTC/USD", venue.clock.us) - before == cost


# The switches themselves.


def test_switches_are_chosen_by_name():
    assert switched([]) == Switches()
    chosen = switched(["post_only_reject=cancel", "new_before_ioc=false", "ioc_reason=No fill",
                       "reports_before_ack=true"])
    assert (chosen.post_only_reject, chosen.new_before_ioc, chosen.ioc_reason) == (
        "cancel", False, "No fill")
    for name, words in switch_values().items():
        for word in words:
            assert str(getattr(switched([f"{name}={word}"]), name)).lower() == word.lower()


@pytest.mark.parametrize("text", ["", "x", "post_only_reject", "post_only_reject=maybe",
                                  "new_before_ioc=1", "ioc_reason=", "ioc_reason=a\nb",
                                  "ioc_reason=" + "x" * 101])
def test_a_wrong_switch_is_refused_with_what_there_is(text):
    with pytest.raises(ConfigError, match="--switch"):
        switched([text])


@pytest.mark.parametrize(("age_s", "amend", "edit", "cancel"), [
    (0, 4, 7, 8), (4.999999, 4, 7, 8), (5, 3, 6, 6), (9.999999, 3, 6, 6), (10, 2, 5, 5),
    (14.999999, 2, 5, 5), (15, 1, 3, 4), (44.999999, 1, 3, 4), (45, 1, 2, 2),
    (89.999999, 1, 2, 2), (90, 1, 1, 1), (299.999999, 1, 1, 1), (300, 1, 1, 0)])
def test_costs_by_the_age_of_the_order(age_s, amend, edit, cancel):
    now_us, symbol = 10**15, "BTC/USD"
    touched_us = now_us - round(age_s * 1_000_000)
    for name, cost in (("amend", amend), ("edit", edit), ("cancel", cancel)):
        rates = RateCounter("starter")
        getattr(rates, name)(symbol, now_us, touched_us)
        assert rates.value(symbol, now_us) == cost
        assert rates.value(symbol, now_us + 1_000_000) == max(0, cost - 1)
    rates = RateCounter("starter")
    rates.add_batch(symbol, now_us, 15)
    assert rates.value(symbol, now_us) == 7.5


def test_a_counter_at_its_threshold_is_not_over_it_and_cancels_are_never_refused():
    rates = RateCounter("starter")
    for _ in range(60):
        rates.add("BTC/USD", 5, 0)
    with pytest.raises(Refused, match="EOrder:Rate limit exceeded"):
        rates.add("BTC/USD", 5, 0)
    rates.cancel("BTC/USD", 5, 5)
    assert rates.value("BTC/USD", 5) == 69
    rates.add("ETH/USD", 5, 59)
    with pytest.raises(Refused, match="EOrder:Orders limit exceeded"):
        rates.add("ETH/USD", 5, 60)
    free = RateCounter("off")
    for _ in range(500):
        free.add("BTC/USD", 5, 500)
