"""The account's own fees, from the venue's two answers."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from hftbot.errors import Denied, VenueError
from hftbot.live.fees import account_fees
from hftbot.live.rest_client import RestClient
from hftbot.words.secret import Secret

PAIRS = {"XXBTZUSD": ("XBTUSD", "XBT/USD"), "SOLUSD": ("SOLUSD", "SOL/USD")}


class Venue:
    """Answers AssetPairs and TradeVolume; ``fees`` is pair to (maker, taker) in percent."""

    def __init__(self, fees, error=""):
        self.fees = fees
        self.error = error
        self.asked = []

    async def request(self, method, url, headers, body, deadline_s):
        self.asked.append((url, body.decode()))
        if url.endswith("/AssetPairs"):
            rows = {name: {"altname": altname, "wsname": wsname, "base": "X", "quote": "ZUSD",
                           "pair_decimals": 1, "lot_decimals": 8, "cost_decimals": 5,
                           "status": "online"} for name, (altname, wsname) in PAIRS.items()}
            return 200, json.dumps({"error": [], "result": rows}).encode()
        if self.error:
            return 200, json.dumps({"error": [self.error]}).encode()
        result = {"currency": "ZUSD", "volume": "0.0000",
                  "fees": {name: {"fee": taker} for name, (_, taker) in self.fees.items()},
                  "fees_maker": {name: {"fee": maker} for name, (maker, _) in self.fees.items()}}
        return 200, json.dumps({"error": [], "result": result}).encode()


def ask(venue, *symbols):
    """What the account pays for these symbols."""
    nonces = iter(range(1, 9))
    secret = Secret(base64.b64encode(b"s" * 64).decode())
    client = RestClient(venue, "http://venue", Secret("key"), secret, lambda: next(nonces))
    return asyncio.run(account_fees(client, symbols))


def test_fees_come_by_symbol_whatever_the_venue_calls_its_pairs():
    venue = Venue({"XXBTZUSD": ("0.2500", "0.4000"), "SOLUSD": ("-0.0100", "0.0800")})
    assert ask(venue, "SOL/USD", "BTC/USD") == {"BTC/USD": (2_500, 4_000), "SOL/USD": (-100, 800)}
    assert "pair=XBTUSD%2CSOLUSD" in venue.asked[1][1]


def test_only_the_symbols_of_the_run_are_asked_for():
    venue = Venue({"XXBTZUSD": ("0.0000", "0.0000")})
    assert ask(venue, "BTC/USD") == {"BTC/USD": (0, 0)}
    assert "SOL" not in venue.asked[1][1]


def test_a_fee_that_is_not_told_is_an_error_and_not_zero():
    with pytest.raises(VenueError, match="TradeVolume tells no fee of BTC/USD"):
        ask(Venue({"SOLUSD": ("0.1", "0.2")}), "BTC/USD", "SOL/USD")
    with pytest.raises(VenueError, match="no fee of DOGE/USD"):
        ask(Venue({"SOLUSD": ("0.1", "0.2")}), "DOGE/USD")


def test_a_key_without_the_right_to_ask_says_so():
    with pytest.raises(Denied, match="Permission denied"):
        ask(Venue({}, "EGeneral:Permission denied"), "BTC/USD")
