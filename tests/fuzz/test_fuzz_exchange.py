"""Hostile clients of the embedded exchange: the judge never falls over.

Whatever comes in at its HTTP and WebSocket faces, in virtual time and through real sockets, is
answered or closed; afterwards an honest client is served as before, and no money went missing.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import random

import aiohttp
import pytest

from fuzz.counts import long_seeds
from fuzz.mutations import bent, warped
from hftbot.exchange.connection import Connection
from hftbot.exchange.server import running
from hftbot.exchange.settings import ExchangeSettings, Switches
from unit.exchange_client import VirtualExchange, acks, executions, sign

WAIT_S = 30.0
ORDER = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001,
         "limit_price": 1000.0, "time_in_force": "gtc"}
REQUESTS = [
    {"method": "ping", "req_id": 1}, {"method": "ping"},
    *({"method": method, "req_id": 5, "params": params} for method, params in (
        ("subscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": 10, "snapshot": True}),
        ("subscribe", {"channel": "trade", "symbol": ["BTC/USD"]}),
        ("subscribe", {"channel": "instrument", "include_tokenized_assets": False}),
        ("subscribe", {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo"}),
        ("subscribe", {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 5}),
        ("subscribe", {"channel": "level3", "symbol": ["BTC/USD"], "depth": 100}),
        ("unsubscribe", {"channel": "level3", "symbol": ["BTC/USD"], "depth": 100}),
        ("unsubscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}),
        ("subscribe", {"channel": "executions", "snap_orders": True, "snap_trades": True}),
        ("unsubscribe", {"channel": "balances"}),
        ("add_order", {**ORDER, "cl_ord_id": "mine", "post_only": True}),
        ("add_order", {**ORDER, "side": "sell", "limit_price": 10**6}),
        ("add_order", {**ORDER, "order_type": "market", "cash_order_qty": 10.0}),
        ("add_order", {**ORDER, "time_in_force": "gtd", "expire_time": "2099-01-01T00:00:00Z"}),
        ("amend_order", {"cl_ord_id": "mine", "limit_price": 1001.0, "order_qty": 0.002}),
        ("cancel_order", {"cl_ord_id": ["mine"]}), ("cancel_order", {"order_id": ["OABCDE"]}),
        ("cancel_all", {}), ("batch_add", {"symbol": "BTC/USD", "orders": [ORDER, ORDER]}),
        ("add_order", {**ORDER, "order_type": "iceberg", "display_qty": 0.0005}),
        ("add_order", {**ORDER, "order_type": "trailing-stop-limit", "limit_price": 1.0,
                       "triggers": {"price": 1.5, "price_type": "pct", "reference": "last"}}),
        ("add_order", {**ORDER, "order_type": "take-profit-limit", "effective_time":
                       "2027-01-15T08:00:05Z", "triggers": {"price": 1001.0}}),
        ("add_order", {**ORDER, "limit_price": 70000.0, "fee_preference": "base", "conditional": {
            "order_type": "stop-loss", "trigger_price": -1.0, "trigger_price_type": "pct"}}),
        ("amend_order", {"cl_ord_id": "mine", "trigger_price": 1.0, "display_qty": 0.001}),
        ("edit_order", {"order_id": "OABCDE-ABCDE-ABCDEF", "symbol": "BTC/USD", "order_qty": 1}),
        ("batch_cancel", {"orders": ["OABCDE-ABCDE-ABCDEF", "7"], "cl_ord_id": ["mine"]}),
        ("cancel_order", {"order_userref": [0, 7]})))]
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "get", "", "\u00e9")
TARGETS = ("/0/public/Time", "/0/public/SystemStatus", "/0/public/AssetPairs?pair=XBTUSD",
           "/0/public/Depth?pair=XBTUSD&count=3", "/0/private/GetWebSocketsToken",
           "/0/private/Balance", "/0/private/BalanceEx", "/0/private/CancelAll", "/sim/status",
           "/sim/pair", "/sim/maintenance",
           "/", "", "//[", "/0/public/Time?pair=%ff%00", "/0/private/../public/Time",
           "http://[::1/x", "/0//Time", "/0/public/Depth?count=9" + "9" * 400)


class Hostile:
    """One exchange and the connections that are turned against it; ``send`` is one request."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.exchange = VirtualExchange(seed=seed)
        self.trader = self.exchange.trader()
        self.lines = [self.exchange.connect("public"), self.trader,
                      self.exchange.connect("level3")]

    def send(self) -> str:
        """Send something spoiled; what was sent. Fails if nothing comes back."""
        return self.ask() if self.rng.randrange(4) == 0 else self.say()

    def say(self) -> str:
        """A frame on one of the sockets."""
        rng = self.rng
        message = rng.choice(REQUESTS)
        # Most requests go where they belong; the others are refused early.
        home = {"book": 0, "trade": 0, "instrument": 0, "ticker": 0, "ohlc": 0, "level3": 2}.get(
            message.get("params", {}).get("channel", ""), 1)
        line = self.lines[home] if rng.randrange(4) else rng.choice(self.lines)
        if "params" in message and rng.randrange(8):
            message = {**message, "params": {**message["params"], "token": self.trader.token}}
        frame = json.dumps(message).encode()
        for _ in range(rng.randrange(3)):
            frame = rng.choice((bent, warped))(frame, rng)
        if rng.randrange(50) == 0:
            frame = b""
            line.on_binary()
        else:
            line.say(frame if rng.randrange(2) else frame.decode(errors="surrogateescape"))
        told: list[dict] = []
        for _ in range(100):
            told, = self.exchange.run(0.01, line)
            if line.closed or any("success" in each or each.get("method") == "pong"
                                  for each in told):
                return repr(frame[:300])
        raise AssertionError(f"no answer to {frame[:300]!r}: {told!r}")

    def ask(self) -> str:
        """A REST request, signed now and then."""
        rng = self.rng
        method, target = rng.choice(METHODS[:2] if rng.randrange(3) else METHODS), (
            rng.choice(TARGETS))
        self.exchange.nonce += 1
        number = str(self.exchange.nonce)
        body = f"nonce={number}&asset=XBT".encode()
        if rng.randrange(3) == 0:
            body = rng.choice((bent, warped))(b'{"nonce":1,"pair":["XBTUSD"]}', rng)
        gate = self.exchange.face.gate
        headers = {"API-Key": gate.api_key,
                   "API-Sign": sign(target, number, body.decode(errors="replace"),
                                    gate.api_secret)}
        if rng.randrange(4) == 0:
            headers[rng.choice(list(headers))] = rng.choice(("", "\udcff", "x" * 70_000, "\0"))
        if rng.randrange(5) == 0:
            target = bent(target.encode(), rng).decode(errors="surrogateescape")
        status, _headers, answer = self.exchange.face.http(method, target, headers, body)
        assert 200 <= status < 600
        if status == 200:
            json.loads(answer)
        return f"{method} {target[:200]!r} {body[:200]!r}"

    def check(self) -> None:
        """An honest client is served, and every balance is covered."""
        account = self.exchange.face.account
        assert all(amount >= 0 for amount in account.balances.values()), account.balances
        assert all(amount >= 0 for amount in account.holds.values()), account.holds
        self.exchange.rest("CancelAll")
        honest = self.exchange.trader()
        honest.order(limit_price=1000.0, cl_ord_id="honest")
        told, = self.exchange.run(1.0, honest)
        assert any(row.get("cl_ord_id") == "honest" and row["exec_type"] == "new"
                   for row in executions(told))
        assert acks(told, "add_order")[0]["success"]
        self.exchange.rest("CancelAll")
        self.exchange.run(1.0)
        assert not any(account.holds.values()), account.holds
        honest.close()


def fuzz(make: type[Hostile], seed: int, count: int) -> None:
    """Send that many requests; raises AssertionError that names the first bad one."""
    target = make(seed)
    sent = ""
    for number in range(count):
        try:
            sent = target.send()
            if number % 500 == 499 or number == count - 1:
                target.check()
        except Exception as error:
            raise AssertionError(f"seed {seed}, request {number}: {type(error).__name__}: {error}"
                                 f" (last whole one: {sent})") from error


@pytest.mark.parametrize("seed", range(3))
def test_hostile_requests_are_answered(seed: int) -> None:
    fuzz(Hostile, seed, 3_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", long_seeds(100, 10))
def test_many_hostile_requests_are_answered(seed: int) -> None:
    fuzz(Hostile, seed, 5_000)


class Deaf(Hostile):
    """Canary: the exchange forgets to answer some frames."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for line in self.lines:
            heard = line.on_text
            line.on_text = lambda frame, heard=heard: (
                None if b"post_only" in (frame if isinstance(frame, bytes) else b"")
                else heard(frame))


class Brittle(Hostile):
    """Canary: the exchange believes that every frame is an object."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        for line in self.lines:
            self.trust(line)

    def trust(self, line: Connection) -> None:
        """Parse before anything else."""
        heard = line.on_text
        line.on_text = lambda frame: (json.loads(frame)["method"], heard(frame))


class Generous(Hostile):
    """Canary: an answer costs money."""

    def ask(self) -> str:
        self.exchange.face.account.balances["USD"] -= 10**14
        return super().ask()


@pytest.mark.parametrize(("canary", "said"), [
    (Deaf, "no answer"), (Brittle, "request"), (Generous, "request")])
def test_the_canaries_are_caught(canary: type[Hostile], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        fuzz(canary, 0, 1_000)


# --- through sockets ----------------------------------------------------------------------------

HEADS = (b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
         b"POST /0/private/Balance HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nnonce=1&a",
         b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /sim/status HTTP/1.0\r\n\r\n",
         b"POST /0/public/Depth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"5\r\nhello\r\n0\r\n\r\n")


def spoiled(rng: random.Random) -> bytes:
    """The beginning of a connection, and rubbish behind it."""
    head = rng.choice(HEADS)
    if rng.randrange(2):
        head = bent(head, rng)
    return head + rng.randbytes(rng.randrange(60)) if rng.randrange(2) else head


async def attack(seed: int, count: int, folder: pathlib.Path) -> None:
    """Raw connections, one after another; each is answered or closed."""
    rng = random.Random(seed)
    # Without the limit on connection attempts: the honest client comes from the same address.
    settings = ExchangeSettings(
        state_dir=folder, switches=Switches(connections_per_10_min=0))
    async with running(settings) as server:
        for _ in range(count):
            sent = spoiled(rng)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            writer.write_eof()
            try:
                await asyncio.wait_for(reader.read(), WAIT_S)
            except ConnectionError:
                pass
            except TimeoutError:
                raise AssertionError(f"seed {seed}: neither answered nor closed: {sent!r}"
                                     ) from None
            finally:
                writer.close()
            assert server.failure is None
        async with aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{server.port}"
            async with client.get(url + "/0/public/Time") as answer:
                assert (await answer.json())["error"] == []
            async with client.ws_connect(url + "/v2") as socket:
                await socket.send_json({"method": "ping", "req_id": 3})
                while (await asyncio.wait_for(socket.receive_json(), WAIT_S)).get("req_id") != 3:
                    continue


def test_raw_rubbish_on_the_port_is_answered_or_closed(tmp_path: pathlib.Path) -> None:
    asyncio.run(attack(1, 200, tmp_path))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", long_seeds(100, 4))
def test_much_raw_rubbish_on_the_port_is_answered_or_closed(seed: int, tmp_path: pathlib.Path
                                                            ) -> None:
    asyncio.run(attack(seed, 2_000, tmp_path))
