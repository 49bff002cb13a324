"""venue.kraken.rest: requests byte by byte, answers as records, refusals by the error tree."""

from __future__ import annotations

import base64
import hashlib
import hmac
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest

from hftbot import errors
from hftbot.venue.kraken import codec, rest, rest_rows
from hftbot.words.market import Side, VenueMode
from hftbot.words.secret import Secret
from kraken_answers import ORDER, PAIR, READ, TRADE, answered
from kraken_frames import FIXTURES, needs_fixtures

KEY, SECRET = Secret("the-key"), Secret("c2VjcmV0")
def form(call, nonce=5):
    """The body of a signed call as a dict, after its signature was checked."""
    path, headers, body = call.signed(KEY, SECRET, nonce)
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    signature = hmac.new(b"secret", path.encode() + digest, hashlib.sha512).digest()
    assert headers["API-Sign"] == base64.b64encode(signature).decode()
    assert headers["API-Key"] == "the-key"
    told = dict(parse_qsl(body.decode(), strict_parsing=True))
    assert told.pop("nonce") == str(nonce)
    return told


@pytest.mark.parametrize(("call", "path", "told"), [
    (rest.balance(), "Balance", {}),
    (rest.extended_balance(), "BalanceEx", {}),
    (rest.api_key_info(), "GetApiKeyInfo", {}),
    (rest.trade_volume(("BTC/USD", "ETH/USD")), "TradeVolume", {"pair": "BTC/USD,ETH/USD"}),
    (rest.open_orders(), "OpenOrders", {}),
    (rest.open_orders(True, 0, "h1"), "OpenOrders",
     {"trades": "true", "userref": "0", "cl_ord_id": "h1"}),
    (rest.closed_orders(start_s=5, offset=50), "ClosedOrders", {"start": "5", "ofs": "50"}),
    (rest.query_orders(("OA", "OB"), trades=True), "QueryOrders",
     {"trades": "true", "txid": "OA,OB"}),
    (rest.trades_history("5", "TX", 50, ledgers=True), "TradesHistory",
     {"start": "5", "end": "TX", "ofs": "50", "ledgers": "true"}),
    (rest.add_order("XBTUSD", {"type": "buy", "ordertype": "limit"}, "2026-01-01T00:00:00.000Z",
                    validate=True), "AddOrder",
     {"pair": "XBTUSD", "type": "buy", "ordertype": "limit",
      "deadline": "2026-01-01T00:00:00.000Z", "validate": "true"}),
    (rest.add_order_batch("XBTUSD", ({"type": "buy", "close[price]": "9"}, {"type": "sell"})),
     "AddOrderBatch", {"pair": "XBTUSD", "orders[0][type]": "buy",
                       "orders[0][close][price]": "9", "orders[1][type]": "sell"}),
    (rest.cancel_order(venue_id="OA"), "CancelOrder", {"txid": "OA"}),
    (rest.cancel_order(userref=0), "CancelOrder", {"txid": "0"}),
    (rest.cancel_order(cl_ord_id="h1"), "CancelOrder", {"cl_ord_id": "h1"}),
    (rest.cancel_order_batch(("OA",), ("h1",)), "CancelOrderBatch",
     {"orders[0]": "OA", "cl_ord_ids[0]": "h1"}),
    (rest.cancel_all(), "CancelAll", {}),
    (rest.cancel_all_orders_after(0), "CancelAllOrdersAfter", {"timeout": "0"})])
def test_private_requests_say_what_was_asked_and_no_more(call, path, told):
    assert call.private
    assert call.path == "/0/private/" + path
    assert form(call) == told


@pytest.mark.parametrize(("call", "target"), [
    (rest.server_time(), "/0/public/Time"), (rest.system_status(), "/0/public/SystemStatus"),
    (rest.asset_pairs(), "/0/public/AssetPairs"),
    (rest.asset_pairs(("BTC/USD",)), "/0/public/AssetPairs?pair=BTC%2FUSD")])
def test_public_requests_need_no_key(call, target):
    assert not call.private
    assert call.target == target


@pytest.mark.parametrize("wrong", [
    lambda: rest.cancel_order(), lambda: rest.cancel_order("OA", "h1"),
    lambda: rest.cancel_order(venue_id="OA", userref=0), lambda: rest.query_orders(()),
    lambda: rest.query_orders(["O"] * 51), lambda: rest.cancel_order_batch(),
    lambda: rest.cancel_order_batch(["O"] * 51), lambda: rest.add_order_batch("P", [{}]),
    lambda: rest.add_order_batch("P", [{}] * 16), lambda: rest.cancel_all_orders_after(86400),
    lambda: rest.cancel_all_orders_after(-1)])
def test_what_the_venue_would_refuse_is_not_built(wrong):
    with pytest.raises(ValueError, match=r"\d|exactly one"):
        wrong()


def test_orders():
    for key, read in (("open", rest.open_orders_answer), ("closed", rest.closed_orders_answer)):
        (order,) = read(200, answered({key: {"OA": ORDER}, "count": 1}))
        assert (order.venue_id, order.client_id, order.userref) == ("OA", 99, 7)
        assert (order.pair, order.side, order.order_type) == ("XBTUSD", Side.BUY, "limit")
        assert (order.price, order.volume) == (Decimal(30010), Decimal("1.25"))
        assert (order.executed, order.cost) == (Decimal("0.375"), Decimal("11253.7"))
        assert order.opened_us == 1721519777553314
        assert order.flags == {"post", "fciq"}
        assert order.trades == ("TCCCTY-WE2O6-P3NB37",)
        assert order.working
    done = {**ORDER, "status": "canceled", "cl_ord_id": None, "closetm": 1721519778, "oflags": "",
            "reason": "User requested", "descr": {**ORDER["descr"], "price": "+1.0000%"}}
    (order,) = rest.query_orders_answer(200, answered({"OB": done}))
    assert not order.working
    assert (order.price, order.client_id, order.flags) == (None, 0, frozenset())
    assert (order.closed_us, order.reason) == (1721519778000000, "User requested")


def test_trades():
    trades, count = rest.trades_history_answer(200, answered({"count": 396,
                                                              "trades": {"TA": TRADE}}))
    assert count == 396
    (trade,) = trades
    assert (trade.exec_id, trade.venue_id, trade.side) == ("TA", "OQCLML-BW3P3-BUCMWZ", Side.SELL)
    assert trade.ts_us == 1700237532169032, "digits beyond microseconds are cut, not refused"
    assert (trade.price * trade.volume, trade.maker) == (trade.cost, True)
    assert rest.trades_history_answer(200, answered({"trades": {}})) == ([], -1)


def test_balances():
    held = rest.balance_answer(200, answered({"ZUSD": "22.6354", "ATOM.S": "0.00000000"}))
    assert held == {"ZUSD": Decimal("22.6354"), "ATOM.S": Decimal(0)}
    (row,) = rest.extended_balance_answer(200, answered({"ZUSD": {
        "balance": "100.5", "hold_trade": "25", "credit": "10", "credit_used": "4"}}))
    assert (row.asset, row.total, row.free) == ("ZUSD", Decimal("100.5"), Decimal("81.5"))


def test_fees_of_the_account():
    answer = {"currency": "ZUSD", "volume": "294.0219",
              "fees": {"XXBTZUSD": {"fee": "0.2600", "nextfee": None}},
              "fees_maker": {"XXBTZUSD": {"fee": "-0.0025"}}}
    seen = rest.trade_volume_answer(200, answered(answer))
    assert (seen.currency, seen.volume) == ("ZUSD", Decimal("294.0219"))
    assert seen.fees == (rest_rows.PairFees("XXBTZUSD", -25, 2600),)
    del answer["fees_maker"]
    assert rest.trade_volume_answer(200, answered(answer)).fees[0].maker_fee_e6 == 2600
    assert rest.trade_volume_answer(200, answered({**answer, "fees": None})).fees == ()


def test_pairs_and_their_three_names():
    broken = {**PAIR, "pair_decimals": "one"}
    (pair,) = rest.asset_pairs_answer(200, answered({"XXBTZUSD": PAIR, "ODD": broken}))
    assert (pair.name, pair.altname, pair.symbol) == ("XXBTZUSD", "XBTUSD", "BTC/USD")
    assert (pair.tick_size, pair.qty_min) == (Decimal("0.1"), Decimal("0.00005"))
    assert pair.taker_fees == ((0, 4000), (10000, 3500))
    assert pair.maker_fees == ()
    old = {key: value for key, value in PAIR.items() if key != "tick_size"}
    (pair,) = rest.asset_pairs_answer(200, answered({"XXBTZUSD": old}))
    assert pair.tick_size == Decimal("0.1")
    assert rest_rows.symbol_of("XDG/XBT") == "DOGE/BTC"


@pytest.mark.parametrize("spoiled", [
    {"pair_decimals": 10**30}, {"lot_decimals": -1}, {"cost_decimals": 19}, {"tick_size": "x"},
    {"fees": 5}, {"fees": [[0]]}, {"fees": [[0, "0.123456"]]}, {"fees": [["x", 1]]}])
def test_a_pair_that_cannot_be_read_is_left_out(spoiled):
    bare = {key: value for key, value in PAIR.items() if key != "tick_size"}
    body = answered({"ODD": {**bare, **spoiled}, "XXBTZUSD": PAIR})
    assert [pair.name for pair in rest.asset_pairs_answer(200, body)] == ["XXBTZUSD"]


def test_all_pairs_together_are_larger_than_a_frame():
    many = {f"P{number:05}": PAIR for number in range(4000)}
    body = answered(many)
    assert len(body) > codec.FRAME_BYTES_MAX
    assert len(rest.asset_pairs_answer(200, body)) == 4000


def test_placed():
    one = rest.add_order_answer(200, answered({"txid": ["OA"], "descr": {"order": "buy 1 XBTUSD"}}))
    assert (one.venue_ids, one.description, one.error) == (("OA",), "buy 1 XBTUSD", "")
    assert rest.add_order_answer(200, answered({"descr": {"order": "buy"}})).venue_ids == ()
    rows = rest.add_order_batch_answer(200, answered({"orders": [
        {"txid": "OA", "descr": {"order": "buy"}}, {"error": "EOrder:Insufficient funds"}]}))
    assert [row.venue_ids for row in rows] == [("OA",), ()]
    assert rows[1].error == "EOrder:Insufficient funds"
    assert rest.cancel_answer(200, answered({"count": 3})) == 3


def test_the_rights_of_a_key():
    key = rest.api_key_info_answer(200, answered({
        "api_key_name": "bot", "permissions": ["query-funds", "withdraw-funds"],
        "nonce_window": "15", "valid_until": "0"}))
    assert key.permissions == {"query-funds", "withdraw-funds"}
    assert (key.name, key.nonce_window, key.valid_until_s) == ("bot", 15, 0)
    assert not rest.api_key_info_answer(200, answered({"permissions": []})).permissions


def test_time_and_mode():
    assert rest.server_time_answer(200, answered({"unixtime": 1762820224})) == 1762820224000000
    mode, ts_us = rest.system_status_answer(200, answered(
        {"status": "post_only", "timestamp": "2025-11-11T00:17:10Z"}))
    assert (mode, ts_us) == (VenueMode.POST_ONLY, 1762820230000000)


def test_the_token_and_that_its_request_is_signed():
    path, headers, body = rest.websockets_token().signed(KEY, SECRET, 1616492376594)
    assert path == "/0/private/GetWebSocketsToken"
    assert body == b"nonce=1616492376594"
    assert len(headers["API-Sign"]) == 88
    assert headers["User-Agent"]
    token = rest.websockets_token_answer(200, answered({"token": "abc", "expires": 900}))
    assert token.reveal() == "abc"
    for result in ({}, {"token": ""}, {"token": 5}):
        with pytest.raises(errors.BadFrame):
            rest.websockets_token_answer(200, answered(result))


def test_a_warning_is_not_an_error():
    body = b'{"error":["WGeneral:be careful"],"result":{"token":"abc"}}'
    assert rest.websockets_token_answer(200, body).reveal() == "abc"


@pytest.mark.parametrize(("status", "body", "error"), [
    (200, b'{"error":["EAPI:Invalid key"]}', errors.Denied),
    (200, b'{"error":[1]}', errors.VenueReject), (404, b"", errors.VenueReject),
    (401, b"", errors.Denied),
    (200, b'{"error":["EAPI:Invalid nonce"]}', errors.BadNonce),
    (200, b'{"error":["EAPI:Rate limit exceeded"]}', errors.RateLimited),
    (200, b'{"error":["EGeneral:Permission denied"]}', errors.Denied),
    (200, b'{"error":["EOrder:Insufficient funds"]}', errors.NoFunds),
    (502, b"<html>bad gateway</html>", errors.TransportError), (429, b"", errors.RateLimited),
    (200, b"<html>", errors.BadFrame), (200, b'{"error":[]}', errors.BadFrame),
    (200, b'{"error":[],"result":[]}', errors.BadFrame)])
def test_refusals_come_as_their_class(status, body, error):
    for read in (rest.balance_answer, rest.open_orders_answer, rest.trade_volume_answer,
                 rest.add_order_answer, rest.cancel_answer, rest.asset_pairs_answer):
        with pytest.raises(error):
            read(status, body)


@pytest.mark.parametrize("spoiled", [
    {"vol": "NaN"}, {"vol": "1e999"}, {"vol": None}, {"vol": True}, {"vol": [1]}, {"vol": "１"},
    {"opentm": "yesterday"}, {"opentm": -1}, {"opentm": 1e300}, {"descr": None},
    {"descr": {"pair": "XBTUSD", "type": "hold", "ordertype": "limit", "price": "0"}},
    {"status": 5}, {"userref": "x"}, {"trades": "TA"}, {"trades": [5]}, {"cl_ord_id": {}}])
def test_an_order_that_cannot_be_read_is_a_bad_frame(spoiled):
    with pytest.raises(errors.BadFrame):
        rest.open_orders_answer(200, answered({"open": {"OA": {**ORDER, **spoiled}}}))


@needs_fixtures
@pytest.mark.parametrize("name", READ)
def test_recorded_answers_are_read(name):
    files = [path for glob in READ[name] for path in (FIXTURES / "rest").glob(glob)]
    assert len(files) >= len(READ[name])
    for path in files:
        body = path.read_bytes()
        found = getattr(rest, name + "_answer")(200, body[body.index(b"{"):])
        assert found or found == 0, path.name
