"""venue.kraken.terms and requests: every option as the venue's field, every illegal one refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from hftbot.venue.kraken import codec, requests
from hftbot.venue.kraken.terms import Close, Price, Terms
from hftbot.words.market import Side
from hftbot.words.order import Tif
from kraken_frames import BTC, ETH, NOW_US, TOKEN, fixture_lines, needs_fixtures

PLAIN = {"instrument": BTC, "side": Side.BUY, "lots": 500000, "limit": Price(500001)}
STOP = {"order_type": "stop-loss", "limit": None, "trigger": Price(490000)}


def terms(**changes):
    return Terms(**{**PLAIN, **changes})


def params(frame):
    told = json.loads(frame, parse_float=str)
    assert told["params"].pop("token") == "token-of-the-test"
    return told["params"]


@pytest.mark.parametrize(("changes", "ws", "rest"), [
    ({}, {"order_type": "limit", "side": "buy", "order_qty": "0.00500000",
          "limit_price": "50000.1", "time_in_force": "gtc"},
     {"ordertype": "limit", "type": "buy", "volume": "0.00500000", "price": "50000.1"}),
    ({"side": Side.SELL, "tif": Tif.FOK}, {"side": "sell", "time_in_force": "fok"},
     {"type": "sell", "timeinforce": "FOK"}),
    ({"tif": Tif.IOC}, {"time_in_force": "ioc"}, {"timeinforce": "IOC"}),
    ({"tif": Tif.GTD, "expire_us": NOW_US}, {"time_in_force": "gtd",
                                             "expire_time": "2026-05-28T20:26:40Z"},
     {"timeinforce": "GTD", "expiretm": "1780000000"}),
    ({"effective_us": NOW_US}, {"effective_time": "2026-05-28T20:26:40Z"},
     {"starttm": "1780000000"}),
    ({"post_only": True, "fee_preference": "base"}, {"post_only": True, "fee_preference": "base"},
     {"oflags": "post,fcib"}),
    ({"fee_preference": "quote"}, {"fee_preference": "quote"}, {"oflags": "fciq"}),
    ({"stp": "cancel_both"}, {"stp_type": "cancel_both"}, {"stptype": "cancel-both"}),
    ({"client_id": 77}, {"cl_ord_id": "h25"}, {"cl_ord_id": "h25"}),
    ({"userref": -5}, {"order_userref": -5}, {"userref": "-5"}),
    ({"reduce_only": True}, {"reduce_only": True}, {"reduce_only": "true"}),
    ({"order_type": "iceberg", "display_lots": 50000}, {"display_qty": "0.00050000"},
     {"displayvol": "0.00050000"}),
    (STOP, {"order_type": "stop-loss",
            "triggers": {"reference": "last", "price": "49000.0", "price_type": "static"}},
     {"ordertype": "stop-loss", "price": "49000.0"}),
    ({**STOP, "order_type": "take-profit-limit", "limit": Price(500001), "reference": "index"},
     {"limit_price": "50000.1",
      "triggers": {"reference": "index", "price": "49000.0", "price_type": "static"}},
     {"price": "49000.0", "price2": "50000.1", "trigger": "index"}),
    ({**STOP, "order_type": "trailing-stop", "trigger": Price(10_000, "pct")},
     {"triggers": {"reference": "last", "price": "1.0000", "price_type": "pct"}},
     {"price": "+1.0000%"}),
    ({**STOP, "order_type": "trailing-stop-limit", "trigger": Price(500, "quote"),
      "limit": Price(-20, "quote")},
     {"limit_price": "-2.0", "limit_price_type": "quote",
      "triggers": {"reference": "last", "price": "50.0", "price_type": "quote"}},
     {"price": "+50.0", "price2": "-2.0"}),
    ({"close": Close("stop-loss-limit", Price(480000), Price(485000))},
     {"conditional": {"order_type": "stop-loss-limit", "limit_price": "48000.0",
                      "trigger_price": "48500.0"}},
     {"close[ordertype]": "stop-loss-limit", "close[price]": "48500.0",
      "close[price2]": "48000.0"}),
    ({"close": Close("trailing-stop", None, Price(10_000, "pct"))},
     {"conditional": {"order_type": "trailing-stop", "trigger_price": "1.0000",
                      "trigger_price_type": "pct"}}, {"close[price]": "+1.0000%"})])
def test_each_option_is_a_field_of_both_protocols(changes, ws, rest):
    asked = terms(**changes)
    told = params(requests.add(asked, TOKEN, 9))
    assert told.pop("symbol") == "BTC/USD"
    assert {name: told[name] for name in ws} == ws
    assert {name: asked.rest_params()[name] for name in rest} == rest
    changed = {name for name in told if told[name] != params(
        requests.add(terms(), TOKEN, 9)).get(name)}
    assert changed - {"order_type"} <= set(ws), "nothing is sent that was not asked for"


def test_a_market_order_by_cash_and_the_fields_that_only_the_stream_has():
    asked = terms(order_type="market", limit=None, lots=0, cash=Decimal("25.50"), sender="desk")
    assert params(requests.add(asked, TOKEN, 9)) == {
        "symbol": "BTC/USD", "order_type": "market", "side": "buy", "cash_order_qty": "25.50",
        "sender_sub_id": "desk"}
    told = params(requests.add(terms(margin=True), TOKEN, 9))
    assert told["margin"] is True
    for only in (asked, terms(sender="desk"), terms(margin=True)):
        with pytest.raises(ValueError, match="WebSocket"):
            only.rest_params()


def test_prices_and_sizes_keep_their_digits():
    """A JSON number at the pair's full precision, which no float has touched."""
    frame = requests.add(terms(lots=1, limit=Price(100)), TOKEN, 9, deadline_us=NOW_US + 1500)
    assert b'"order_qty":0.00000001,"limit_price":10.0,' in frame
    assert b'"deadline":"2026-05-28T20:26:40.001Z"' in frame
    big = requests.add(terms(lots=10**17 + 1, limit=Price(10**15 + 1)), TOKEN, 9)
    assert b'"order_qty":1000000000.00000001,"limit_price":100000000000000.1' in big


@pytest.mark.parametrize(("changes", "words"), [
    ({"order_type": "stop"}, "one of limit, market"), ({"limit": None}, "limit needs limit price"),
    ({"order_type": "market"}, "market takes no limit price"),
    ({"order_type": "stop-loss"}, "takes no limit"),
    ({"trigger": Price(5)}, "limit takes no trigger"),
    ({**STOP, "trigger": None}, "stop-loss needs trigger price"),
    ({**STOP, "trigger": Price(0)}, "at least one tick"),
    ({**STOP, "trigger": Price(1, "percent")}, "its kind is one of"),
    ({**STOP, "order_type": "trailing-stop"}, "takes a distance"),
    ({**STOP, "reference": "mark"}, "last or index"),
    ({"limit": Price(0)}, "at least one tick"), ({"limit": Price(5, "pct")}, "only a trailing"),
    ({"lots": 0}, "at least 1"), ({"lots": -1}, "at least 1"), ({"tif": 9}, "one of Tif"),
    ({"order_type": "market", "limit": None, "tif": Tif.IOC}, "are for limit orders"),
    ({**STOP, "tif": Tif.FOK}, "are for limit orders"),
    ({"tif": Tif.GTD}, "needs an expiry"), ({"expire_us": NOW_US}, "needs an expiry"),
    ({"post_only": True, "tif": Tif.IOC}, "may rest"), ({**STOP, "post_only": True}, "may rest"),
    ({"order_type": "iceberg"}, "iceberg needs shown size"),
    ({"display_lots": 5}, "limit takes no shown size"),
    ({"order_type": "iceberg", "display_lots": 33333}, "between a 15th"),
    ({"order_type": "iceberg", "display_lots": 500001}, "between a 15th"),
    ({"client_id": 5, "userref": 5}, "a ClientId or a userref"),
    ({"userref": 1 << 31}, "signed 32-bit"), ({"client_id": -1}, "or 0 for none"),
    ({"stp": "both"}, "one of cancel_newest"), ({"fee_preference": "usd"}, "base or quote"),
    ({"sender": "x" * 37}, "at most 36"), ({"sender": "a\nb"}, "printable"),
    ({"cash": Decimal(5)}, "for a market order to buy"),
    ({"order_type": "market", "limit": None, "lots": 0, "cash": Decimal(0)}, "positive amount"),
    ({"order_type": "market", "limit": None, "lots": 0, "cash": Decimal(5), "side": Side.SELL},
     "to buy"), ({"close": Close("market")}, "its order_type is one of"),
    ({"close": Close("limit")}, "its limit does not fit"),
    ({"close": Close("limit", Price(5), Price(5))}, "its trigger does not fit"),
    ({"close": Close("limit", Price(5)), "client_id": 5}, "use a userref")])
def test_what_the_venue_would_refuse_says_field_value_and_rule(changes, words):
    for build in (lambda: requests.add(terms(**changes), TOKEN, 9),
                  lambda: terms(**changes).rest_params()):
        with pytest.raises(ValueError, match=words) as error:
            build()
        assert " = " in str(error.value)


def test_batches():
    frame = requests.batch_add([terms(client_id=1), terms(side=Side.SELL, client_id=2)], TOKEN, 7,
                               deadline_us=NOW_US, validate=True)
    told = params(frame)
    assert [order["cl_ord_id"] for order in told["orders"]] == ["h1", "h2"]
    assert all("symbol" not in order for order in told["orders"])
    assert (told["symbol"], told["validate"]) == ("BTC/USD", True)
    assert told["deadline"] == "2026-05-28T20:26:40.000Z"
    told = params(requests.batch_cancel(TOKEN, 7, (1, 2), ("OA",), (5,)))
    assert told == {"orders": ["OA", "5"], "cl_ord_id": ["h1", "h2"]}
    told = params(requests.cancel(TOKEN, 7, (1,), ("OA",), (5,)))
    assert told == {"order_id": ["OA"], "cl_ord_id": ["h1"], "order_userref": [5]}


@pytest.mark.parametrize("wrong", [
    lambda: requests.batch_add([terms()], TOKEN, 7),
    lambda: requests.batch_add([terms()] * 16, TOKEN, 7),
    lambda: requests.batch_add([terms(), terms(instrument=ETH)], TOKEN, 7),
    lambda: requests.batch_cancel(TOKEN, 7, (1,)), lambda: requests.cancel(TOKEN, 7),
    lambda: requests.batch_cancel(TOKEN, 7, range(1, 52)),
    lambda: requests.cancel_all_after(86400, TOKEN, 7),
    lambda: requests.cancel_all_after(-1, TOKEN, 7),
    lambda: requests.amend(BTC, TOKEN, 7, client_id=5),
    lambda: requests.amend(BTC, TOKEN, 7, lots=5),
    lambda: requests.amend(BTC, TOKEN, 7, client_id=5, venue_id="OA", lots=5),
    lambda: requests.edit("OA", terms(client_id=5), TOKEN, 7),
    lambda: requests.edit("OA", terms(stp="cancel_both", tif=Tif.IOC), TOKEN, 7)])
def test_requests_that_cannot_be_are_not_built(wrong):
    with pytest.raises(ValueError, match=r"takes|batch is of one|amend changes|named by|cannot"):
        wrong()


def test_amend_edit_switch_and_ping():
    told = params(requests.amend(BTC, TOKEN, 7, client_id=5, lots=3, limit=Price(7),
                                 display_lots=2, post_only=True, deadline_us=NOW_US))
    assert told == {"cl_ord_id": "h5", "order_qty": "0.00000003", "display_qty": "0.00000002",
                    "limit_price": "0.7", "post_only": True,
                    "deadline": "2026-05-28T20:26:40.000Z"}
    told = params(requests.amend(BTC, TOKEN, 7, venue_id="OA", trigger=Price(50, "pct")))
    assert told == {"order_id": "OA", "trigger_price": "0.0050", "trigger_price_type": "pct",
                    "post_only": False}
    told = params(requests.edit("OA", terms(userref=5, post_only=True), TOKEN, 7, validate=True))
    assert told == {"order_id": "OA", "symbol": "BTC/USD", "order_qty": "0.00500000",
                    "limit_price": "50000.1", "order_userref": 5, "post_only": True,
                    "validate": True}
    assert params(requests.cancel_all_after(60, TOKEN, 7)) == {"timeout": 60}
    assert params(requests.cancel_all(TOKEN, 7)) == {}
    assert requests.ping(7) == b'{"method":"ping","req_id":7}'


FIELDS = {"add_order": "order_type limit_price limit_price_type triggers side order_qty symbol "
          "time_in_force margin post_only reduce_only effective_time expire_time deadline "
          "cl_ord_id order_userref conditional display_qty fee_preference stp_type "
          "cash_order_qty validate sender_sub_id token"}


@needs_fixtures
def test_recorded_requests_hold_only_fields_that_we_can_write():
    known = set(FIELDS["add_order"].split())
    seen = set()
    for line in fixture_lines("ws_trading/asyncrs_requests.jsonl", "docs_examples/add_order_*.json",
                              "docs_examples/batch_add_*.json", "docs_examples/edit_order_*.json"):
        message = codec.parse(line)
        asked = message.get("params", {})
        for order in (asked, *asked.get("orders", ())):
            if message["method"] in ("add_order", "batch_add"):
                seen |= set(order) - {"orders"}
    assert seen
    assert seen <= known
