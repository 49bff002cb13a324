"""REST of the embedded exchange in virtual time: orders, history, fees, counters, nonces."""

import json
from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest
from exchange_client import VirtualExchange, executions

from hftbot.config.fee_schedules import CRYPTO, NAMES, VOLUMES_USD, rates_e6
from hftbot.exchange.accounts import DAY_US, E10
from hftbot.exchange.history import plain
from hftbot.exchange.rest_form import form
from hftbot.exchange.settings import Switches

LIMIT = {"ordertype": "limit", "type": "buy", "pair": "XBTUSD", "volume": "0.01", "price": "40000"}
BTC_USD = 600_000


def ask(venue, name, _key="trader", **fields):
    """The result, or the error's text."""
    key = venue.face.gate.keys[_key]
    answer = venue.rest(name, "&" + urlencode(fields), key=key.key, secret=key.secret)
    return answer["result"] if not answer["error"] else answer["error"][0]


def public(venue, name, **fields):
    _, _, body = venue.face.http("GET", f"/0/public/{name}?{urlencode(fields)}", {}, b"")
    answer = json.loads(body)
    return answer["result"] if not answer["error"] else answer["error"][0]


@pytest.fixture
def venue():
    venue = VirtualExchange()
    venue.run(1.0)
    return venue


def test_an_order_by_rest_is_told_on_the_private_stream(venue):
    trader = venue.trader()
    told = ask(venue, "AddOrder", **LIMIT, cl_ord_id="mine", oflags="post")
    assert told["descr"] == {"order": "buy 0.01000000 XBTUSD @ limit 40000.0"}
    [messages] = venue.run(0.1, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["pending_new", "new"]
    assert executions(messages)[0]["order_id"] == told["txid"][0]
    assert ask(venue, "CancelOrder", cl_ord_id="mine") == {"count": 1}
    [messages] = venue.run(0.1, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["canceled"]


def test_every_name_of_a_pair_is_understood(venue):
    for name in ("XBTUSD", "XXBTZUSD", "XBT/USD", "BTC/USD", "BTCUSD", "xbtusd"):
        assert "descr" in ask(venue, "AddOrder", **{**LIMIT, "pair": name}, validate="true")
        assert len(public(venue, "Depth", pair=name, count=1)) == 1
    assert ask(venue, "AddOrder", **{**LIMIT, "pair": "NOUSD"}) == "EQuery:Unknown asset pair"
    assert list(public(venue, "Depth", pair="XBTUSD")) == ["XXBTZUSD"]
    assert list(public(venue, "Depth", pair="XBT/USD")) == ["XBT/USD"]


@pytest.mark.parametrize(("change", "error"), [
    ({"ordertype": "guess"}, "EGeneral:Invalid arguments:ordertype"),
    ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
    ({"volume": "much"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "1e99"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
    ({"volume": "0.001", "price": "1"}, "EOrder:Cost minimum not met"),
    ({"price": ""}, "EGeneral:Invalid arguments:price"),
    ({"price": "NaN"}, "EGeneral:Invalid arguments:price"),
    ({"price": "40000.05"}, "EOrder:Tick size check failed"),
    ({"price": "-1000000"}, "EOrder:Invalid price"),
    ({"volume": "1"}, "EOrder:Insufficient funds"),
    ({"oflags": "post,ghost"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "viqc"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "post", "price": "90000", "volume": "0.001"}, "EOrder:Post only order"),
    ({"timeinforce": "SOON"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"expiretm": "yesterday"}, "EGeneral:Invalid arguments:expiretm"),
    ({"expiretm": "1"}, "EGeneral:Invalid arguments:expiretm"),
    ({"stptype": "cancel_newest"}, "EGeneral:Invalid arguments:stptype"),
    ({"leverage": "2:1"}, "EGeneral:Invalid arguments:leverage"),
    ({"userref": "x"}, "EGeneral:Invalid arguments:userref"),
    ({"userref": "1", "cl_ord_id": "a"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"validate": "maybe"}, "EGeneral:Invalid arguments:validate"),
    ({"deadline": "noon"}, "EGeneral:Invalid arguments:deadline")])
def test_a_wrong_order_is_refused_in_rests_words(venue, change, error):
    assert ask(venue, "AddOrder", **{**LIMIT, **change}) == error
    assert not venue.face.desk.orders


def test_flags_and_times_reach_the_order(venue):
    ask(venue, "AddOrder", **LIMIT, oflags="post,fciq", timeinforce="GTD", expiretm="+60",
        userref="-5", stptype="cancel-oldest")
    [order] = venue.face.desk.orders.values()
    assert order.post_only
    assert order.userref == -5
    assert 59_000_000 < order.expire_us - venue.face.now_us <= 60_000_000
    [row] = ask(venue, "OpenOrders", userref="-5")["open"].values()
    assert row["oflags"] == "fciq,post"
    assert row["expiretm"] == order.expire_us / 1e6
    assert ask(venue, "OpenOrders", userref="5") == {"open": {}}
    # A plus that was not escaped means the same.
    ask(venue, "AddOrder", **LIMIT, expiretm=" 60")
    assert len(venue.face.desk.orders) == 2


def test_amend_and_its_refusals(venue):
    [txid] = ask(venue, "AddOrder", **LIMIT)["txid"]
    assert "amend_id" in ask(venue, "AmendOrder", txid=txid, limit_price="41000", order_qty="0.02")
    order = venue.face.desk.orders[txid]
    assert (order.ticks, order.lots) == (410_000, 2_000_000)
    assert ask(venue, "AmendOrder", txid=txid, limit_price="41000.05") == (
        "EOrder:Tick size check failed")
    assert "No amendable parameters" in ask(venue, "AmendOrder", txid=txid)
    assert ask(venue, "AmendOrder", txid="OABCDE-ABCDE-ABCDEF", limit_price="1") == (
        "EOrder:Unknown order")
    assert ask(venue, "AmendOrder", limit_price="1") == "EGeneral:Invalid arguments:txid"
    assert ask(venue, "AmendOrder", txid=txid, limit_price="90000", post_only="true") == (
        "EOrder:Post only order")


def test_what_amends_made_of_an_order(venue):
    [txid] = ask(venue, "AddOrder", **LIMIT)["txid"]
    alone = ask(venue, "OrderAmends", order_id=txid)
    assert alone["count"] == 1
    ask(venue, "AmendOrder", txid=txid, limit_price="39000")
    venue.clock.us += 1_000_000
    ask(venue, "AmendOrder", txid=txid, order_qty="0.02", post_only="true")
    told = ask(venue, "OrderAmends", order_id=txid)
    assert told["amends"][0] == alone["amends"][0]
    assert [(row["amend_type"], row["limit_price"], row["order_qty"], row["post_only"])
            for row in told["amends"]] == [
        ("original", "40000.0", "0.01000000", False), ("user", "39000.0", "0.01000000", False),
        ("user", "39000.0", "0.02000000", True)]
    assert len({row["amend_id"] for row in told["amends"]}) == told["count"] == 3
    assert told["amends"][2]["timestamp"] - told["amends"][1]["timestamp"] >= 10**9
    ask(venue, "CancelOrder", txid=txid)
    saved = json.loads(json.dumps(venue.face.saved()))
    later = VirtualExchange(saved=saved)
    later.nonce += 1_000
    later.face.remember(saved, [plain(row) for row in venue.face.desk.history.rows()])
    assert ask(later, "OrderAmends", order_id=txid) == told
    for wrong, error in (("", "EGeneral:Invalid arguments:order_id"),
                         ("7", "EOrder:Invalid order"), ("O" + "A" * 5 + "-AAAAA-AAAAAA",
                                                         "EOrder:Unknown order")):
        assert ask(later, "OrderAmends", order_id=wrong) == error


def test_cancel_by_every_name(venue):
    [txid] = ask(venue, "AddOrder", **LIMIT)["txid"]
    for _ in range(2):
        ask(venue, "AddOrder", **LIMIT, userref="7")
    assert ask(venue, "CancelOrder", txid=txid) == {"count": 1}
    assert ask(venue, "CancelOrder", txid="7") == {"count": 2}
    assert ask(venue, "CancelOrder", txid=txid) == "EOrder:Unknown order"
    assert ask(venue, "CancelOrder") == "EGeneral:Invalid arguments:txid"
    ask(venue, "AddOrder", **LIMIT, cl_ord_id="one")
    assert ask(venue, "CancelOrderBatch", cl_ord_ids="one") == {"count": 1}
    [txid] = ask(venue, "AddOrder", **LIMIT)["txid"]
    assert ask(venue, "CancelOrderBatch", orders=txid) == {"count": 1}
    assert ask(venue, "CancelOrderBatch") == "EGeneral:Invalid arguments:orders"
    ask(venue, "AddOrder", **LIMIT)
    assert ask(venue, "CancelAll") == {"count": 1}
    assert ask(venue, "CancelAllOrdersAfter", timeout="x") == "EGeneral:Invalid arguments:timeout"
    venue.face.set_system("cancel_only")
    assert ask(venue, "AddOrder", **LIMIT) == "EService:Market in cancel_only mode"


def test_a_batch_answers_each_order():
    venue = VirtualExchange()
    venue.run(0.5)
    rows = {f"orders[{i}][{name}]": value for i, price in enumerate(("40000", "39000", "1000000"))
            for name, value in {**LIMIT, "price": price, "type": "buy"}.items() if name != "pair"}
    rows["orders[1][cl_ord_id]"] = "mine"
    told = ask(venue, "AddOrderBatch", pair="XBTUSD", **rows)["orders"]
    assert [sorted(row) for row in told] == [["descr", "txid"], ["descr", "txid"], ["error"]]
    assert told[2]["error"] == "EOrder:Insufficient funds"
    assert venue.face.desk.named["mine"].order_id == told[1]["txid"]
    rows["orders[2][price]"] = "40000.05"
    assert ask(venue, "AddOrderBatch", pair="XBTUSD", **rows) == "EOrder:Tick size check failed"
    assert ask(venue, "AddOrderBatch", pair="XBTUSD", orders="x") == (
        "EGeneral:Invalid arguments:orders")
    ids = [row["txid"] for row in told[:2]]
    assert ask(venue, "CancelOrderBatch", orders=",".join([*ids, ids[0]])) == {"count": 2}


def test_an_edit_is_another_order(venue):
    [txid] = ask(venue, "AddOrder", **LIMIT, userref="3")["txid"]
    told = ask(venue, "EditOrder", txid=txid, pair="XBTUSD", price="41000", volume="0.02")
    assert (told["originaltxid"], told["volume"], told["price"]) == (txid, "0.02000000", "41000.0")
    assert told["descr"] == {"order": "buy 0.02000000 XBTUSD @ limit 41000.0"}
    assert list(venue.face.desk.orders) == [told["txid"]]
    assert ask(venue, "EditOrder", txid=txid, pair="XBTUSD", price="1") == "EOrder:Unknown order"
    by_ref = ask(venue, "EditOrder", txid="3", pair="XBTUSD", price="42000", validate="true")
    assert (by_ref["txid"], by_ref["orders_cancelled"]) == ("", 0)
    assert list(venue.face.desk.orders) == [told["txid"]]


@pytest.mark.parametrize(("fields", "line", "price", "stop"), [
    ({"ordertype": "stop-loss", "price": "70000"}, "stop loss 70000.0", "70000.0", "70000.0"),
    ({"ordertype": "stop-loss", "price": "#5000"}, "stop loss +5000.0", "+5000.0", None),
    ({"ordertype": "take-profit", "price": "#1%"}, "take profit -1.0000%", "-1.0000%", None),
    ({"ordertype": "stop-loss-limit", "price": "70000", "price2": "#1%"},
     "stop loss 70000.0 -> limit 70700.0", "70000.0", "70000.0"),
    ({"ordertype": "take-profit-limit", "price": "50000", "price2": "+10"},
     "take profit 50000.0 -> limit 50010.0", "50000.0", "50000.0"),
    ({"ordertype": "trailing-stop", "price": "+1%"}, "trailing stop +1.0000%", "+1.0000%", None),
    ({"ordertype": "trailing-stop-limit", "price": "+100", "price2": "+5"},
     "trailing stop +100.0 -> limit +5.0", "+100.0", None)])
def test_orders_that_wait_for_a_price(venue, fields, line, price, stop):
    told = ask(venue, "AddOrder", **{**LIMIT, **fields})
    assert told["descr"]["order"] == f"buy 0.01000000 XBTUSD @ {line}"
    [row] = ask(venue, "OpenOrders")["open"].values()
    assert row["descr"]["order"] == told["descr"]["order"]
    assert row["descr"]["price"] == price
    assert (row["status"], row["trigger"]) == ("open", "last")
    if stop:
        assert row["stopprice"] == stop


def test_a_limit_may_be_a_distance_from_the_last_price(venue):
    last = Decimal(public(venue, "Trades", pair="XBTUSD")["XXBTZUSD"][-1][0])
    for text, wanted in (("-5000", last - 5000), ("#5000", last - 5000),
                         ("-10%", last * Decimal("0.9"))):
        told = ask(venue, "AddOrder", **{**LIMIT, "price": text, "oflags": "post"})
        price = Decimal(told["descr"]["order"].rpartition(" ")[2])
        assert abs(price - wanted) <= Decimal("0.05")


def test_flags_of_money_and_orders_by_cost(venue):
    ask(venue, "AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="100",
        oflags="viqc")
    [row] = ask(venue, "ClosedOrders")["closed"].values()
    assert Decimal(row["cost"]) == pytest.approx(Decimal(100), rel=Decimal("0.001"))
    assert row["oflags"] == "fciq,viqc"
    assert row["descr"]["order"] == "buy 100.0000000000 XBTUSD @ market"
    ask(venue, "AddOrder", **LIMIT, oflags="fcib,post", starttm="+60")
    [row] = ask(venue, "OpenOrders")["open"].values()
    assert (row["oflags"], row["status"]) == ("fcib,post", "pending")
    assert row["starttm"] > row["opentm"]


def test_repeated_wrong_keys_lock_the_door_if_that_is_switched_on():
    venue = VirtualExchange(switches=Switches(lockout_after=3))
    for _ in range(2):
        assert venue.rest("Balance", secret="AAAA")["error"] == ["EAPI:Invalid signature"]
    assert "ZUSD" in ask(venue, "Balance")
    for _ in range(3):
        assert venue.rest("Balance", key="other")["error"] == ["EAPI:Invalid key"]
    assert ask(venue, "Balance") == "EGeneral:Temporary lockout"
    for market in venue.face.markets:
        market.next_us += 2_000_000_000
    venue.run(900.1)
    assert "ZUSD" in ask(venue, "Balance")


def test_closed_orders_are_found_by_page_name_and_time(venue):
    for number in range(60):
        ask(venue, "AddOrder", **LIMIT, userref=str(number % 2))
        ask(venue, "CancelAll")
        venue.run(0.01)
    first = ask(venue, "ClosedOrders")
    assert (len(first["closed"]), first["count"]) == (50, 60)
    second = ask(venue, "ClosedOrders", ofs="50")["closed"]
    assert len(second) == 10
    assert not second.keys() & first["closed"].keys()
    assert ask(venue, "ClosedOrders", userref="1")["count"] == 30
    newest = next(iter(first["closed"].values()))
    assert newest["closetm"] == max(row["closetm"] for row in first["closed"].values())
    assert "count" not in ask(venue, "ClosedOrders", without_count="true")
    middle = list(first["closed"])[9]
    for start in (middle, str(first["closed"][middle]["closetm"])):
        assert ask(venue, "ClosedOrders", start=start, closetime="close")["count"] == 9
    assert ask(venue, "ClosedOrders", start="soon") == "EGeneral:Invalid arguments:start"
    assert ask(venue, "ClosedOrders", ofs="-1") == "EGeneral:Invalid arguments:ofs"
    assert list(ask(venue, "QueryOrders", txid=f"{middle},OABCDE-ABCDE-ABCDEF")) == [middle]
    assert ask(venue, "QueryOrders", txid="7") == "EOrder:Invalid order"


def test_executions_ledger_and_balances_agree():
    venue = VirtualExchange(fees="kraken")
    venue.run(1.0)
    ask(venue, "AddOrder", **{**LIMIT, "ordertype": "market"})
    history = ask(venue, "TradesHistory", ledgers="true")
    bought = sum(Decimal(trade["vol"]) for trade in history["trades"].values())
    cost = sum(Decimal(trade["cost"]) + Decimal(trade["fee"])
               for trade in history["trades"].values())
    assert bought == Decimal("0.01")
    assert all(trade["maker"] is False for trade in history["trades"].values())
    rows = ask(venue, "Ledgers", asset="ZUSD")["ledger"]
    assert set(rows) <= {name for trade in history["trades"].values() for name in trade["ledgers"]}
    balance = Decimal(next(iter(rows.values()))["balance"])
    assert abs(balance - (10_000 - cost)) < Decimal("0.0001")
    assert Decimal(ask(venue, "Balance")["ZUSD"]) == balance
    assert ask(venue, "QueryLedgers", id=next(iter(rows))) == {
        next(iter(rows)): next(iter(rows.values()))}
    one = next(iter(history["trades"]))
    assert list(ask(venue, "QueryTrades", txid=one)) == [one]
    assert ask(venue, "TradesHistory", type="closed position")["count"] == 0
    assert ask(venue, "Ledgers", asset="NOPE") == "EQuery:Unknown asset"
    worth = Decimal(ask(venue, "TradeBalance")["eb"])
    middle = venue.face.markets[0].mid_ticks()
    assert abs(worth - (balance + Decimal(middle) / 10 * bought)) < Decimal("0.001")


def test_history_outlives_a_run_and_fees_follow_the_volume(venue):
    ask(venue, "AddOrder", **{**LIMIT, "ordertype": "market"})
    saved = json.loads(json.dumps(venue.face.saved()))
    rows = [plain(row) for row in venue.face.desk.history.rows()]
    later = VirtualExchange(saved=saved)
    later.nonce += 1_000
    later.face.remember(saved, json.loads(json.dumps(rows)))
    assert later.face.account.volumes_e10 == venue.face.account.volumes_e10
    assert ask(later, "ClosedOrders") == ask(venue, "ClosedOrders")
    assert ask(later, "TradesHistory", ledgers="1") == ask(venue, "TradesHistory", ledgers="1")
    assert ask(later, "Ledgers") == ask(venue, "Ledgers")
    other = VirtualExchange(saved=saved, symbols=("ETH/USD",))
    other.nonce += 1_000
    other.face.remember(saved, rows)
    assert ask(other, "ClosedOrders")["count"] == 0
    assert ask(other, "TradesHistory")["count"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_fee_schedule_by_name(name):
    venue = VirtualExchange(fees=name)
    told = ask(venue, "TradeVolume", pair="XBTUSD")
    maker, taker = (Decimal(told[side]["XXBTZUSD"]["fee"]) * 10_000
                    for side in ("fees_maker", "fees"))
    assert (maker, taker) == rates_e6(name, "BTC/USD")
    assert Decimal(told["volume"]) == VOLUMES_USD[name]
    account = venue.face.account
    assert (account.maker_fee_e6, account.taker_fee_e6) == (maker, taker)


def test_a_tier_is_reached_and_lost_by_the_volume_of_thirty_days():
    venue = VirtualExchange(fees="kraken")
    account, listing = venue.face.account, venue.face.listings["BTC/USD"]
    account.traded("USD", 9_999 * E10)
    assert account.rates_e6(listing) == CRYPTO[0][1:]
    account.traded("USD", 1 * E10)
    assert account.rates_e6(listing) == CRYPTO[1][1:]
    row = ask(venue, "TradeVolume", pair="XXBTZUSD")["fees"]["XXBTZUSD"]
    assert (row["fee"], row["nextfee"], row["nextvolume"]) == ("0.3500", "0.2400", "50000.0000")
    start_us = venue.face.now_us
    account.clock = lambda: start_us + 30 * DAY_US
    assert account.rates_e6(listing) == CRYPTO[0][1:]
    account.traded("USD", 0)
    assert account.volumes_e10 == {account.clock() // DAY_US: 0}
    assert ask(venue, "TradeVolume", pair="NOPE") == "EQuery:Unknown asset pair"
    assert ask(venue, "TradeVolume")["fees"] is None


def test_asset_pairs_tells_the_schedule_if_it_is_switched_on():
    full = VirtualExchange(fees="kraken", switches=Switches(asset_pairs_fees="schedule"))
    row = public(full, "AssetPairs", pair="XBTUSD")["XXBTZUSD"]
    assert row["fees"][:2] == [[0, 0.4], [10_000, 0.35]]
    assert row["fees_maker"][-1] == [10_000_000, 0.0]
    assert public(VirtualExchange(fees="kraken"), "AssetPairs")["XXBTZUSD"]["fees"] == []
    assert public(full, "AssetPairs", info="x") == "EGeneral:Invalid arguments:info"
    assert public(full, "AssetPairs", pair="NOPE") == "EQuery:Unknown asset pair"
    assert public(full, "Assets", asset="NOPE") == "EQuery:Unknown asset"


def test_the_rest_counter_refuses_and_decays():
    venue = VirtualExchange(rate_tier="starter")
    assert [ask(venue, "Balance") for _ in range(16)][15] == "EAPI:Rate limit exceeded"
    # Another key has its own counter, and orders have none here.
    assert "ZUSD" in ask(venue, "Balance", _key="reader")
    assert "txid" in ask(venue, "AddOrder", **LIMIT)
    venue.run(3.1)
    assert "ZUSD" in ask(venue, "Balance")
    assert ask(venue, "Balance") == "EAPI:Rate limit exceeded"
    venue.run(13.0)
    assert ask(venue, "Ledgers")["count"] == 0
    assert ask(venue, "Ledgers") == "EAPI:Rate limit exceeded"


@pytest.mark.parametrize(("key", "allowed", "denied"), [
    ("guardian", ("OpenOrders", "CancelAll"),
     ("Balance", "AddOrder", "GetWebSocketsToken", "TradesHistory")),
    ("reader", ("Balance", "OpenOrders", "ClosedOrders", "Ledgers", "TradeVolume"),
     ("AddOrder", "AmendOrder", "CancelAll", "CancelOrder", "GetWebSocketsToken")),
    ("trader", ("CancelAll", "GetWebSocketsToken"), ("WithdrawMethods", "WithdrawStatus")),
    ("withdrawer", ("WithdrawMethods", "WithdrawStatus", "Balance"), ())])
def test_keys_have_rights(venue, key, allowed, denied):
    for name in denied:
        assert ask(venue, name, _key=key, **LIMIT) == "EGeneral:Permission denied"
    for name in allowed:
        assert not isinstance(ask(venue, name, _key=key), str)
    told = ask(venue, "GetApiKeyInfo", _key=key)
    assert set(told["permissions"]) == venue.face.gate.keys[key].rights
    assert ("withdraw-funds" in told["permissions"]) == (key == "withdrawer")
    assert told["iban"] == ask(venue, "GetApiKeyInfo", _key="trader")["iban"] != ""
    assert told["iban"] != VirtualExchange(seed=2).face.gate.iban


def test_each_keys_nonces_outlive_a_run(venue):
    ask(venue, "Balance", _key="reader")
    ask(venue, "Balance")
    again = VirtualExchange(saved=json.loads(json.dumps(venue.face.saved())))
    for name in ("trader", "reader"):
        key = again.face.gate.keys[name]
        assert key.last_nonce == venue.face.gate.keys[name].last_nonce > 0
        assert again.rest("Balance", nonce=key.last_nonce, key=key.key, secret=key.secret)[
            "error"] == ["EAPI:Invalid nonce"]


def test_a_nonce_window_forgives_requests_that_overtake_each_other():
    venue = VirtualExchange(switches=Switches(nonce_window=10))
    assert [venue.rest("Balance", nonce=nonce)["error"] for nonce in (100, 95, 91)] == [[]] * 3
    for spent in (100, 95, 91, 90, 1):
        assert venue.rest("Balance", nonce=spent)["error"] == ["EAPI:Invalid nonce"]
    assert venue.rest("GetApiKeyInfo", nonce=110)["result"]["nonce_window"] == "10"
    assert venue.rest("Balance", nonce=99)["error"] == ["EAPI:Invalid nonce"]
    again = VirtualExchange(saved=venue.face.saved(), switches=Switches(nonce_window=10))
    assert again.rest("Balance", nonce=105)["error"] == ["EAPI:Invalid nonce"]
    assert again.rest("Balance", nonce=111)["error"] == []


def test_public_trades_are_the_ones_that_were_made(venue):
    told = public(venue, "Trades", pair="XBTUSD")
    rows = told["XXBTZUSD"]
    assert [row[6] for row in rows] == list(range(1, len(rows) + 1))
    assert {row[3] for row in rows} <= {"b", "s"}
    assert rows[0][0].endswith("0000")
    assert public(venue, "Trades", pair="XBTUSD", since=told["last"])["XXBTZUSD"] == []
    venue.run(0.5)
    fresh = public(venue, "Trades", pair="XBTUSD", since=told["last"])["XXBTZUSD"]
    assert fresh[0][6] == len(rows) + 1
    assert len(public(venue, "Trades", pair="XBTUSD", count=2)["XXBTZUSD"]) == 2
    assert public(venue, "Trades", pair="XBTUSD", count=0) == "EGeneral:Invalid arguments:count"


def test_ticker_candles_and_spread_agree_with_the_trades(venue):
    rows = public(venue, "Trades", pair="XBTUSD")["XXBTZUSD"]
    row = public(venue, "Ticker", pair="XBTUSD")["XXBTZUSD"]
    assert row["c"] == rows[-1][:2]
    assert row["t"] == [len(rows), len(rows)]
    assert Decimal(row["v"][1]) == sum(Decimal(trade[1]) for trade in rows)
    assert row["h"][0] == max(trade[0] for trade in rows)
    assert row["l"][0] == min(trade[0] for trade in rows)
    assert row["o"] == rows[0][0]
    quote = public(venue, "Spread", pair="XBTUSD")["XXBTZUSD"][-1]
    assert (quote[1], quote[2]) == (row["b"][0], row["a"][0])
    assert list(public(venue, "Ticker")) == ["XXBTZUSD"]
    [candle] = public(venue, "OHLC", pair="XBTUSD")["XXBTZUSD"]
    assert candle[7] == len(rows)
    assert Decimal(candle[4]) == Decimal(rows[-1][0])
    venue.run(61.0)
    told = public(venue, "OHLC", pair="XBTUSD")
    assert [row[0] - candle[0] for row in told["XXBTZUSD"]] == [0, 60]
    assert told["last"] == candle[0]
    assert len(public(venue, "OHLC", pair="XBTUSD", since=told["last"])["XXBTZUSD"]) == 1
    assert public(venue, "OHLC", pair="XBTUSD", interval=2) == (
        "EGeneral:Invalid arguments:interval")
    assert public(venue, "Ticker", pair="NOPE") == "EQuery:Unknown asset pair"


def test_forms_are_read_flat_nested_and_as_json():
    nested = "close[price]=1&close[ordertype]=limit&orders[0][type]=buy&orders[1][type]=sell"
    assert form(nested.encode()) == {"close": {"price": "1", "ordertype": "limit"},
                                     "orders": [{"type": "buy"}, {"type": "sell"}]}
    assert form(quote(nested, safe="=&").encode()) == form(nested.encode())
    assert form(b"orders=A&orders=B") == {"orders": ["A", "B"]}
    assert form(b'{"volume":0.10,"orders":["A"]}') == {"volume": Decimal("0.10"), "orders": ["A"]}
    for broken in (b"{", b"\xff", b"[1]", b"", b'{"a":NaN}'):
        assert form(broken) == {} or broken == b"[1]"
    assert form(b"a" + b"[b]" * 8 + b"=1")
    assert form(b"a" + b"[b]" * 5_000 + b"=1") == {}
