"""The embedded exchange's dead man's switch, CancelAll and OpenOrders, on virtual time."""

from __future__ import annotations

import pytest
from exchange_client import START_US, VirtualExchange, acks, executions

REASON = "Cancel all orders after"


@pytest.fixture
def venue():
    return VirtualExchange()


@pytest.fixture
def trader(venue):
    trader = venue.trader()
    trader.order(limit_price=50000, cl_ord_id="one")
    trader.order(limit_price=50001, cl_ord_id="two", side="buy")
    venue.run(0.1, trader)
    return trader


def after(venue, timeout, **more):
    return venue.rest("CancelAllOrdersAfter", f"&timeout={timeout}", **more)


def ends(messages):
    return [(row["exec_type"], row["reason"]) for row in executions(messages)
            if row["exec_type"] == "canceled"]


@pytest.mark.fault("V9")
def test_rest_answer_is_as_documented_and_each_call_restarts_the_timer(venue, trader):
    told = after(venue, 60)
    assert told["error"] == []
    assert set(told["result"]) == {"currentTime", "triggerTime"}
    assert told["result"]["currentTime"] == venue.face.stamps.whole(venue.clock.us)
    assert told["result"]["triggerTime"] == venue.face.stamps.whole(venue.clock.us + 60_000_000)
    assert told["result"]["triggerTime"].endswith("Z")
    assert "." not in told["result"]["triggerTime"]
    for _ in range(3):
        venue.run(40, trader)
        after(venue, 60)
    assert len(venue.face.desk.orders) == 2
    [messages] = venue.run(59, trader)
    assert ends(messages) == []
    [messages] = venue.run(1.1, trader)
    assert ends(messages) == [("canceled", REASON)] * 2
    assert not venue.face.desk.orders


@pytest.mark.fault("V9")
def test_it_fires_without_any_connection_and_is_off_afterwards(venue, trader):
    after(venue, 5)
    trader.close()
    assert not venue.face.connections
    venue.run(4.9)
    assert len(venue.face.desk.orders) == 2
    venue.run(0.2)
    assert not venue.face.desk.orders
    assert venue.face.status()["dead_man_us"] == 0
    assert venue.face.status()["dead_man_fired"] == 1
    again = venue.trader()
    again.order(limit_price=50000)
    venue.run(100, again)
    assert len(venue.face.desk.orders) == 1


def test_zero_switches_it_off(venue, trader):
    after(venue, 5)
    assert after(venue, 0)["result"]["triggerTime"] == "0"
    venue.run(10, trader)
    assert len(venue.face.desk.orders) == 2
    assert venue.face.status()["dead_man_us"] == 0


@pytest.mark.parametrize("timeout", ["", "-1", "86400", "1.5", "x", "9" * 30])
def test_a_timeout_that_cannot_be_is_refused_and_changes_nothing(venue, trader, timeout):
    after(venue, 5)
    due_us = venue.face.status()["dead_man_us"]
    assert after(venue, timeout)["error"] == ["EGeneral:Invalid arguments:timeout"]
    assert venue.face.status()["dead_man_us"] == due_us


def test_websocket_and_rest_drive_the_same_switch(venue, trader):
    trader.ask("cancel_all_orders_after", timeout=60)
    [messages] = venue.run(1, trader)
    assert set(acks(messages)[0]["result"]) == {"currentTime", "triggerTime"}
    assert venue.face.status()["dead_man_us"] > START_US
    after(venue, 0)
    assert venue.face.status()["dead_man_us"] == 0
    for wrong in (-1, 86_400, True, "5", None, 1.5):
        trader.ask("cancel_all_orders_after", timeout=wrong)
    [messages] = venue.run(1, trader)
    assert [ack["error"] for ack in acks(messages)] == ["Invalid timeout argument"] * 6


@pytest.mark.fault("V9")
def test_due_in_maintenance_it_waits_until_the_engine_returns(venue, trader):
    after(venue, 5)
    venue.face.set_system("maintenance")
    venue.run(10, trader)
    assert len(venue.face.desk.orders) == 2
    assert venue.rest("CancelAll")["error"] == ["EService:Unavailable"]
    venue.face.set_system("online")
    assert not venue.face.desk.orders
    assert venue.face.status()["dead_man_us"] == 0


def test_it_outlives_the_exchange_process():
    first = VirtualExchange()
    trader = first.trader()
    trader.order(limit_price=50000)
    first.run(0.1, trader)
    after(first, 30)
    second = VirtualExchange(saved=first.face.saved(), start_us=first.clock.us + 10_000_000)
    assert len(second.face.desk.orders) == 1
    second.run(19)
    assert len(second.face.desk.orders) == 1
    second.run(2)
    assert not second.face.desk.orders


def test_open_orders_lists_what_is_open_as_documented(venue, trader):
    listed = venue.rest("OpenOrders")["result"]["open"]
    assert set(listed) == set(venue.face.desk.orders)
    row = next(row for row in listed.values() if row["cl_ord_id"] == "one")
    assert row["status"] == "open"
    assert row["vol"] == "0.01000000"
    assert row["vol_exec"] == "0.00000000"
    assert row["descr"] == {
        "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "50000.0", "price2": "0",
        "leverage": "none", "order": "buy 0.01000000 XBTUSD @ limit 50000.0", "close": ""}
    [only] = venue.rest("OpenOrders", "&cl_ord_id=two")["result"]["open"].values()
    assert only["cl_ord_id"] == "two"
    assert venue.rest("CancelAll")["result"] == {"count": 2}
    assert venue.rest("OpenOrders")["result"] == {"open": {}}


@pytest.mark.parametrize("name", ["CancelAllOrdersAfter", "CancelAll", "OpenOrders"])
def test_key_nonce_and_signature_are_checked(venue, trader, name):
    assert venue.rest(name, key="other")["error"] == ["EAPI:Invalid key"]
    assert venue.rest(name, secret="AAAA")["error"] == ["EAPI:Invalid signature"]
    assert venue.rest(name, nonce=5)["error"] == ["EAPI:Invalid nonce"]
    assert venue.rest(name, method="GET")["error"] == ["EGeneral:Unknown method"]
    assert len(venue.face.desk.orders) == 2
    assert venue.face.status()["dead_man_us"] == 0


def test_the_guardians_key_can_cancel_and_nothing_else(venue, trader):
    gate = venue.face.gate
    own = {"key": gate.guardian_key, "secret": gate.guardian_secret}
    for name in ("GetWebSocketsToken", "Balance", "BalanceEx"):
        assert venue.rest(name, **own)["error"] == ["EGeneral:Permission denied"]
    assert len(venue.rest("OpenOrders", **own)["result"]["open"]) == 2
    # Its nonces are its own: one far below the other key's is good, the same again is not.
    saved = venue.face.saved()["gate"]
    assert after(venue, 5, nonce=saved["guardian_nonce"] + 1, **own)["error"] == []
    assert after(venue, 5, nonce=saved["guardian_nonce"] + 1, **own)["error"] == [
        "EAPI:Invalid nonce"]
    assert venue.rest("CancelAll", **own)["result"] == {"count": 2}
    assert VirtualExchange(saved=venue.face.saved()).face.gate.guardian_key == gate.guardian_key
