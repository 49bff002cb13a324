"""Keys, signatures, nonces, tokens; balances and fee rounding of the embedded exchange."""

from decimal import Decimal

import pytest
from exchange_client import VirtualExchange, acks

from hftbot.errors import ConfigError
from hftbot.exchange.accounts import new_account
from hftbot.exchange.api_keys import TOKEN_LIFE_US, api_sign
from hftbot.exchange.settings import LISTINGS, ExchangeSettings, Switches

BTC = LISTINGS["BTC/USD"]


def test_documented_signature():
    secret = ("kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1hu"
              "Xg==")
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert api_sign("/0/private/AddOrder", "1616492376594", body, secret) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==")


def test_wrong_key_signature_and_nonce():
    venue = VirtualExchange()
    assert venue.rest("Balance", key="other")["error"] == ["EAPI:Invalid key"]
    assert venue.rest("Balance", secret="AAAA")["error"] == ["EAPI:Invalid signature"]
    assert venue.rest("Balance", nonce=5)["error"] == []
    assert venue.rest("Balance", nonce=5)["error"] == ["EAPI:Invalid nonce"]
    assert venue.rest("Balance", nonce=4)["error"] == ["EAPI:Invalid nonce"]
    assert venue.rest("Balance", nonce="x")["error"] == ["EAPI:Invalid nonce"]
    assert venue.rest("Balance", nonce=6)["error"] == []
    assert venue.rest("Nothing")["error"] == ["EGeneral:Unknown method"]
    assert venue.rest("Balance", method="GET")["error"] == ["EGeneral:Unknown method"]


def test_too_many_at_once_are_told_when_to_come_back():
    venue = VirtualExchange(switches=Switches(rest_together=2))
    rest, path = venue.face.rest, "/0/private/Balance"
    with rest.under_way(path), rest.under_way("/0/public/Time"), rest.under_way(path):
        assert venue.rest("Balance", nonce=5)["error"] == []
        with rest.under_way(path):
            assert venue.rest("Balance", nonce=6) == {
                "error": [f"EService:Throttled: {venue.clock.us // 1_000_000 + 1}"]}
            assert venue.rest("Time", area="public")["error"] == []
        assert venue.rest("Balance", nonce=6)["error"] == []
    assert rest.together == 0


def test_a_json_body_is_read_too():
    venue = VirtualExchange()
    body = b'{"nonce":"77"}'
    gate = venue.face.gate
    headers = {"api-key": gate.api_key,
               "API-Sign": api_sign("/0/private/Balance", "77", body, gate.api_secret)}
    status, _, answer = venue.face.http("POST", "/0/private/Balance", headers, body)
    assert status == 200
    assert b'"ZUSD":"10000.0000"' in answer


def test_public_rest():
    venue = VirtualExchange()
    for path, part in (("/0/public/Time", b'"unixtime":1800000000'),
                       ("/0/public/SystemStatus", b'"status":"online"'),
                       ("/0/public/AssetPairs", b'"XXBTZUSD":{"altname":"XBTUSD"'),
                       ("/0/public/Depth?pair=BTC/USD&count=3", b'"asks":[["'),
                       ("/sim/status", b'"mode":"synthetic"')):
        status, _, answer = venue.face.http("GET", path, {}, b"")
        assert status == 200
        assert part in answer
    assert venue.face.http("GET", "/elsewhere", {}, b"")[0] == 404
    _, _, answer = venue.face.http("GET", "/0/public/Depth?pair=XBT/EUR", {}, b"")
    assert answer == b'{"error":["EQuery:Unknown asset pair"]}'


def test_a_token_lives_fifteen_minutes_or_as_long_as_its_connection():
    venue = VirtualExchange()
    trader = venue.trader()
    unused = venue.rest("GetWebSocketsToken")["result"]["token"]
    for market in venue.face.markets:
        market.next_us += 2 * TOKEN_LIFE_US
    venue.run(TOKEN_LIFE_US / 1_000_000 + 1)
    trader.order(limit_price=1000, order_qty=0.01)
    trader.order(limit_price=1000, order_qty=0.01, token=unused)
    [messages] = venue.run(0.1, trader)
    assert sorted(ack.get("error", "") for ack in acks(messages, "add_order")) == [
        "", "ESession:Invalid session"]
    trader.close()
    late = venue.connect("private")
    late.say({"method": "subscribe", "params": {"channel": "balances", "token": trader.token}})
    [messages] = venue.run(0.1, late)
    assert acks(messages)[0]["error"] == "ESession:Invalid session"


def test_trades_move_money_exactly():
    account = new_account({"USD": Decimal("1000"), "BTC": Decimal("0")}, "kraken")
    fee, base, quote = account.trade(BTC, 0, 265_999, 500_000, False)
    assert base.amount_e10 == 5 * 10**7
    assert quote.amount_e10 == -1_329_995_000_000
    assert fee == 5_320_000_000
    assert account.balances == {"USD": 10**13 - 1_329_995_000_000 - fee, "BTC": 5 * 10**7}
    account.trade(BTC, 1, 265_999, 500_000, False)
    assert account.balances == {"USD": 10**13 - 2 * fee, "BTC": 0}


def test_fee_is_rounded_half_up_to_the_ledgers_decimals():
    account = new_account({}, "kraken")
    account.taker_fee_e6 = 2600
    assert account.fee_e10(BTC, 1_329_995_000_000, False) == 3_458_000_000
    account.taker_fee_e6 = 1
    assert account.fee_e10(BTC, 50 * 10**10, False) == 1_000_000
    assert account.fee_e10(BTC, 49 * 10**10, False) == 0


@pytest.mark.parametrize("wrong", [
    *(pytest.param({"host": host}, marks=pytest.mark.fault("S5"))
      for host in ("0.0.0.0", "::", "", "192.168.1.2", "127.evil.example", "localhost.evil")),
    {"port": 70_000}, {"symbols": ("XBT/USD",)}, {"symbols": ()},
    {"fees": "cheap"}, {"pace": 0.0}, {"mode": "replay"}, {"balances": {"USD": Decimal(-1)}}])
def test_impossible_settings(wrong):
    with pytest.raises(ConfigError):
        ExchangeSettings(**wrong).check()
