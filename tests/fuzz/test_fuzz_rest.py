"""REST requests that are signed well and say anything: each is answered, no order escapes."""

import json
import random
from urllib.parse import urlencode

import pytest

from fuzz.counts import long_seeds
from unit.exchange_client import VirtualExchange, sign

ID = "OABCDE-ABCDE-ABCDEF"
VALUES = ("", "0", "-1", "1", "0.01", "40000", "40000.5", "1e5", "1e400", "NaN", "Infinity", "x",
          "\0", "\u0662", "9" * 30, "+5", "-5", "#5", "+1%", "#1%", "%", "+", "+60", "true",
          "maybe", "XBTUSD", "BTC/USD", "all", "post", "post,viqc", "GTC", "IOC", "FOK", "GTD",
          "buy", "sell", "limit", "market", "stop-loss-limit", "trailing-stop", "iceberg", ID,
          f"{ID},{ID}", "mine", "2099-01-01T00:00:00Z", "[]", "[1]", "{}", "'", "_1_0")
PLACES = ("pair", "type", "ordertype", "volume", "price", "price2", "oflags", "timeinforce",
          "expiretm", "starttm", "deadline", "userref", "cl_ord_id", "validate", "stptype",
          "displayvol", "leverage", "reduce_only", "close[ordertype]", "close[price]", "txid",
          "order_qty", "limit_price", "orders", "orders[0][volume]", "cl_ord_ids", "start", "end",
          "ofs", "trades", "ledgers", "asset", "id", "count", "since", "timeout", "info",
          "closetime", "without_count")
GOOD = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01", "price": "40000"}


def nested(rng, deep=0):
    """A JSON value that may be anything."""
    kind = rng.randrange(6 if deep < 3 else 3)
    if kind < 3:
        return rng.choice((*VALUES, None, True, 1.5, -3, 10**30))
    if kind == 3:
        return [nested(rng, deep + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(PLACES): nested(rng, deep + 1) for _ in range(rng.randrange(5))}


def ask(venue, rng, name):
    """One request with a good signature; fails if the answer is not Kraken's envelope."""
    fields = dict(GOOD) if rng.randrange(3) else {}
    for _ in range(rng.randrange(4)):
        fields[rng.choice(PLACES)] = rng.choice(VALUES)
    venue.nonce += 1
    nonce = str(venue.nonce)
    if rng.randrange(4) == 0:
        whole = {**fields, **{rng.choice(PLACES): nested(rng) for _ in range(3)}, "nonce": nonce}
        if rng.randrange(2):
            whole["orders"] = [nested(rng, 1), dict(GOOD), nested(rng, 1)][:rng.randrange(4)]
        body = json.dumps(whole)
    else:
        body = urlencode({**fields, "nonce": nonce})
    key = venue.face.gate.keys["withdrawer"]
    path = f"/0/private/{name}"
    headers = {"API-Key": key.key, "API-Sign": sign(path, nonce, body, key.secret)}
    status, _, answer = venue.face.http("POST", path, headers, body.encode())
    told = json.loads(answer)
    assert status == 200
    if told["error"]:
        assert "result" not in told, body
        [error] = told["error"]
        assert error.startswith("E"), (body, error)
        assert ":" in error, (body, error)
    query = urlencode({rng.choice(PLACES): rng.choice(VALUES) for _ in range(3)})
    public = rng.choice(list(venue.face.rest.markets.calls))
    status, _, answer = venue.face.http("GET", f"/0/public/{public}?{query}", {}, b"")
    assert status == 200
    assert set(json.loads(answer)) <= {"error", "result"}


@pytest.mark.parametrize("seed", range(2))
def test_anything_signed_is_answered(seed):
    storm(seed, 1_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", long_seeds(50, 10))
def test_much_that_is_signed_is_answered(seed):
    storm(seed, 4_000)


def storm(seed, count):
    """That many private requests and as many public ones; afterwards all is as it should be."""
    venue, rng = VirtualExchange(seed=seed, fees="kraken"), random.Random(seed)
    venue.run(0.5)
    names = [*venue.face.rest.private, *["AddOrder", "AddOrderBatch", "AmendOrder"] * 5]
    for _ in range(count):
        ask(venue, rng, rng.choice(names))
    account = venue.face.account
    assert all(e10 >= 0 for e10 in account.balances.values())
    venue.rest("CancelAll")
    venue.run(1.0)
    assert not venue.face.desk.orders
    assert not any(account.holds.values())
    honest = venue.rest("AddOrder", "&" + urlencode(GOOD))
    assert honest["error"] == []
