"""What must hold before an order may leave: each has a name, and is refused by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from hftbot.errors import Disconnected, PreconditionError, Timeout
from hftbot.live.preconditions import Finding, Found, Inspector, clock_offset, key_findings
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken.rest_rows import ApiKey
from hftbot.words.secret import Secret

NOW_US = 1_780_000_000_000_000
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades",
          "close-trades", "create-ws-token"]
PAIR = {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD",
        "pair_decimals": 1, "lot_decimals": 8, "cost_decimals": 5, "tick_size": "0.1",
        "ordermin": "0.00005", "costmin": "0.5", "fees": [], "fees_maker": []}
FEES = {"currency": "ZUSD", "volume": "12.5", "fees": {"XXBTZUSD": {"fee": "0.4000"}},
        "fees_maker": {"XXBTZUSD": {"fee": "0.2500"}}}


class Clock:
    """Ours; the venue's is ``off_us`` behind it."""

    def __init__(self, off_us: int = 0) -> None:
        self.off_us = off_us
        self.now = NOW_US

    def now_us(self) -> int:
        self.now += 1_000
        return self.now

    def mono_ns(self) -> int:
        return self.now * 1000


class Venue:
    """Answers what a test says, over REST and over a WebSocket that only knows pings."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.result: dict[str, Any] = {
            "SystemStatus": {"status": "online", "timestamp": "2026-05-28T20:26:40Z"},
            "GetApiKeyInfo": {"api_key_name": "bot", "permissions": RIGHTS, "valid_until": "0"},
            "AssetPairs": {"XXBTZUSD": PAIR}, "TradeVolume": FEES}
        self.asked: list[str] = []
        self.pong: Callable[[int], bytes | None] = self.told

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        name = url.rpartition("/")[2].partition("?")[0]
        self.asked.append(name)
        result = self.result[name]
        if isinstance(result, list):
            result = result.pop(0)
        if isinstance(result, Exception):
            raise result
        if isinstance(result, str):
            return 200, json.dumps({"error": [result]}).encode()
        return 200, json.dumps({"error": [], "result": result}).encode()

    def told(self, number: int) -> bytes | None:
        us = self.clock.now - self.clock.off_us
        return (f'{{"method":"pong","req_id":{number},"time_in":"2026-05-28T20:26:40.'
                f'{us - NOW_US:06d}Z"}}').encode() if 0 <= us - NOW_US < 10**6 else (
            f'{{"method":"pong","time_in":"2026-05-28T20:26:{40 + (us - NOW_US) // 10**6:02d}.'
            f'{(us - NOW_US) % 10**6:06d}Z"}}').encode()

    async def connect(self, url: str, on_frame: Any, on_close: Any) -> Any:
        venue = self

        class Wire:
            def send(self, frame: bytes) -> None:
                answer = venue.pong(json.loads(frame)["req_id"])
                if answer is not None:
                    on_frame(memoryview(answer), 0, 0)

            def close(self, reason: str = "") -> None:
                on_close(reason)
        return Wire()


def look(venue: Venue, symbols: tuple[str, ...] = ("BTC/USD",), guardian: bool = False,
         dry: bool = False) -> Found:
    async def found() -> Found:
        nonces = iter(range(1, 1000))
        client = RestClient(venue, "https://venue", Secret("key"), Secret("c2VjcmV0"),
                            lambda: next(nonces))
        return await Inspector(client, client if guardian else None, venue.connect,
                               "wss://venue/v2", venue.clock, symbols, 5_000_000, dry).look()
    return asyncio.run(found())


def refusal(found: Found) -> str:
    with pytest.raises(PreconditionError) as caught:
        found.refuse()
    assert caught.value.exit_code == 7
    return str(caught.value)


def test_preconditions_that_all_hold() -> None:
    venue = Venue(Clock())
    found = look(venue)
    found.refuse()
    assert [each.name for each in found.findings] == ["venue", "clock", "permissions",
                                                      "withdraw right", "fees"]
    assert found.fees_e6 == {"BTC/USD": (2500, 4000)}
    assert set(venue.asked) == {"SystemStatus", "GetApiKeyInfo", "AssetPairs", "TradeVolume"}


@pytest.mark.parametrize(("name", "result", "expected"), [
    ("SystemStatus", Disconnected("gone"), "venue: cannot be asked: gone"),
    ("GetApiKeyInfo", "EAPI:Invalid key",
     "permissions: the key's rights are not known: EAPI:Invalid key"),
    ("GetApiKeyInfo", "EGeneral:Unknown method", "permissions: the key's rights are not known"),
    ("GetApiKeyInfo", {"permissions": "all"}, "permissions: the key's rights are not known"),
    ("GetApiKeyInfo", {"permissions": RIGHTS[:-1]}, "permissions: the key lacks create-ws-token"),
    ("GetApiKeyInfo", {"permissions": []}, "permissions: the key lacks query-funds, "),
    ("GetApiKeyInfo", {"permissions": [*RIGHTS, "withdraw-funds"]},
     "withdraw right: the key may withdraw-funds"),
    ("GetApiKeyInfo", {"permissions": [*RIGHTS, "earn-withdraw"]},
     "withdraw right: the key may earn-withdraw"),
    ("GetApiKeyInfo", {"permissions": RIGHTS, "valid_until": "1"},
     "permissions: the key has expired"),
    ("TradeVolume", "EGeneral:Permission denied", "fees: the account's fees are not known"),
    ("TradeVolume", {"currency": "ZUSD", "volume": "0"}, "fees: the venue tells none for BTC/USD"),
    ("AssetPairs", {}, "fees: the venue tells none for BTC/USD"),
])
def test_precondition_that_does_not_hold_is_named(name: str, result: Any, expected: str) -> None:
    venue = Venue(Clock())
    venue.result[name] = result
    assert expected in refusal(look(venue))


def test_preconditions_missing_are_named_all_at_once() -> None:
    venue = Venue(Clock(off_us=-700_000))
    venue.result["GetApiKeyInfo"] = {"permissions": ["withdraw-funds"]}
    venue.result["TradeVolume"] = "EAPI:Rate limit exceeded"
    text = refusal(look(venue))
    for name in ("clock: ", "permissions: ", "withdraw right: ", "fees: "):
        assert text.count(name) == 1


def test_precondition_of_the_guardians_own_key() -> None:
    venue = Venue(Clock())
    venue.result["GetApiKeyInfo"] = {"permissions": ["query-open-trades"]}
    text = refusal(look(venue, guardian=True))
    assert "guardian's permissions: the key lacks close-trades" in text


@pytest.mark.parametrize(("bots", "guardians", "expected"), [
    ("AA01", "AA01", True), ("AA01", "AA02", False), ("", "AA02", None), ("AA01", "", None)])
def test_a_guardian_of_another_account_is_none(bots: str, guardians: str,
                                               expected: bool | None) -> None:
    venue = Venue(Clock())
    venue.result["GetApiKeyInfo"] = [
        {"permissions": RIGHTS, **({"iban": iban} if iban else {})} for iban in (bots, guardians)]
    found = look(venue, guardian=True)
    said = [each.ok for each in found.findings if each.name == "guardian's account"]
    assert said == ([] if expected is None else [expected])
    assert found.iban == bots
    if expected is False:
        assert "guardian's account: not the bot's" in refusal(found)


def test_dry_run_does_not_begin_over_orders_that_it_would_have_to_cancel() -> None:
    """Those of an earlier run are known by their names; others are none of ours."""
    descr = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "1", "price2": "0"}
    row = {"status": "open", "opentm": 1.5, "vol": "1", "vol_exec": "0", "cost": "0", "fee": "0",
           "price": "0", "descr": descr, "misc": "", "oflags": ""}
    venue = Venue(Clock())
    venue.result["OpenOrders"] = {"open": {"O1": {**row, "cl_ord_id": "theirs"}}}
    look(venue, dry=True).refuse()
    venue.result["OpenOrders"]["open"]["O2"] = {**row, "cl_ord_id": "h2rrxsirzsx"}
    look(venue).refuse()
    text = refusal(look(venue, dry=True))
    assert "open orders: 1 of an earlier run are open, and a dry run cancels nothing" in text
    assert "hftbot cancel-all --live" in text
    venue.result["OpenOrders"] = "EGeneral:Permission denied"
    assert "open orders: are not known" in refusal(look(venue, dry=True))


@pytest.mark.parametrize(("off_us", "fine"), [
    (0, True), (499_000, True), (-499_000, True), (502_000, False), (-502_000, False),
    (3_000_000, False)])
def test_clock_that_is_off_by_more_than_half_a_second(off_us: int, fine: bool) -> None:
    found = look(Venue(Clock(off_us)))
    clock, = [each for each in found.findings if each.name == "clock"]
    assert clock.ok is fine
    assert f"{off_us / 1000:+.1f} ms"[:3] in clock.found
    if not fine:
        assert "clock: " in refusal(found)


def test_clock_of_a_venue_that_says_nothing_or_nonsense(monkeypatch: Any) -> None:
    monkeypatch.setattr("hftbot.live.preconditions.PING_S", 0.01)
    venue = Venue(Clock())
    venue.pong = lambda number: None
    with pytest.raises(Timeout, match="no pong within"):
        asyncio.run(clock_offset("wss://venue/v2", venue.connect, venue.clock))
    assert "clock: the venue's time is not known" in refusal(look(venue))
    venue.pong = lambda number: b'{"method":"pong","time_in":"yesterday"}'
    assert "clock: the venue's time is not known" in refusal(look(venue))


def test_rights_are_findings_even_if_all_is_well() -> None:
    key = ApiKey("bot", frozenset(RIGHTS), 0, 2_000_000_000)
    findings = list(key_findings("permissions", key, RIGHTS, 1_700_000_000))
    assert [(each.name, each.ok) for each in findings] == [("permissions", True),
                                                           ("withdraw right", True)]
    assert Found(tuple(findings), {}).refuse() is None
    assert refusal(Found((Finding("x", False, "y", "z"),), {})).endswith("x: y (z)")
