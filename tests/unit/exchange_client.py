"""A client of the embedded exchange in virtual time: its own book and its own checksum."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pathlib
import random
import zlib
from datetime import UTC, datetime
from decimal import Decimal

from hftbot.exchange.face_kraken import KrakenFace
from hftbot.exchange.market import Batch
from hftbot.exchange.settings import LISTINGS, ExchangeSettings

START_US = 1_800_000_000_000_000
PRECISIONS = {symbol: (listing.price_precision, listing.qty_precision)
              for symbol, listing in LISTINGS.items()}


class VirtualClock:
    def __init__(self, us=START_US):
        self.us = us

    def now_us(self):
        return self.us

    def mono_ns(self):
        return self.us * 1_000


def sign(path, nonce, body, secret):
    digest = path.encode() + hashlib.sha256((nonce + body).encode()).digest()
    mac = hmac.new(base64.b64decode(secret), digest, hashlib.sha512).digest()
    return base64.b64encode(mac).decode()


class BookCopy:
    """A client's book, kept as the documentation says."""

    def __init__(self, symbol, depth):
        self.depth = depth
        self.precisions = PRECISIONS[symbol]
        self.sides = ({}, {})

    def digits(self, value, precision):
        return f"{value:.{precision}f}".replace(".", "").lstrip("0")

    def best_first(self, side):
        return sorted(self.sides[side], reverse=side == 0)

    def apply(self, row):
        for side, name in enumerate(("bids", "asks")):
            for level in row[name]:
                self.sides[side].pop(level["price"], None)
                if level["qty"]:
                    self.sides[side][level["price"]] = level["qty"]
            for price in self.best_first(side)[self.depth:]:
                del self.sides[side][price]
        price_digits, qty_digits = self.precisions
        text = "".join(self.digits(price, price_digits) + self.digits(qty, qty_digits)
                       for side in (1, 0)
                       for price, qty in ((p, self.sides[side][p])
                                          for p in self.best_first(side)[:10]))
        assert zlib.crc32(text.encode()) == row["checksum"]


class VirtualExchange:
    """A face and clients' connections, driven by hand."""

    def __init__(self, saved=None, events=None, **settings):
        self.clock = VirtualClock(settings.pop("start_us", START_US))
        self.settings = ExchangeSettings(state_dir=pathlib.Path("/nonexistent"), **settings)
        seed = self.settings.seed
        self.face = KrakenFace(self.settings.check(), self.clock, random.Random(seed), saved,
                               events, random.Random(seed + 1))
        self.nonce = self.clock.us

    def connect(self, kind="public"):
        connection = self.face.connect(kind)
        connection.say = lambda message: connection.on_text(
            message if isinstance(message, str | bytes) else json.dumps(message))
        connection.inbox = []
        return connection

    def run(self, seconds, *connections):
        """Let time pass; what arrives is appended to each connection's inbox, parsed."""
        end = self.clock.us + int(seconds * 1_000_000)
        while True:
            due = self.face.next_due_us()
            self.clock.us = end if due is None or due > end else max(due, self.clock.us)
            self.face.advance(self.clock.us)
            for connection in self.face.connections:
                connection.inbox += connection.take()
            if self.clock.us >= end and (due is None or due > end):
                break
        return [[json.loads(text, parse_float=Decimal) for text in self.empty(connection)]
                for connection in connections]

    def empty(self, connection):
        texts, connection.inbox = connection.inbox, []
        return texts

    def rest(self, name, fields="", method="POST", area="private", key=None, secret=None,
             nonce=None):
        gate = self.face.gate
        self.nonce += 1
        number = str(self.nonce if nonce is None else nonce)
        path = f"/0/{area}/{name}"
        body = f"nonce={number}{fields}"
        headers = {"API-Key": key or gate.api_key,
                   "API-Sign": sign(path, number, body, secret or gate.api_secret)}
        status, _, answer = self.face.http(method, path, headers, body.encode())
        assert status == 200
        return json.loads(answer)

    def trader(self, **params):
        """A private connection subscribed to executions and balances, and its token."""
        token = self.rest("GetWebSocketsToken")["result"]["token"]
        connection = self.connect("private")
        for channel in ("executions", "balances"):
            connection.say({"method": "subscribe",
                            "params": {"channel": channel, "token": token, **params}})
        self.run(0.02, connection)
        connection.token = token
        connection.order = lambda **fields: connection.say(
            {"method": "add_order", "req_id": fields.pop("req_id", 1), "params": {
                "order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01,
                "token": token, **fields}})
        connection.ask = lambda method, **fields: connection.say(
            {"method": method, "req_id": 9, "params": {"token": token, **fields}})
        return connection


def channel(messages, name):
    return [message for message in messages if message.get("channel") == name]


def executions(messages):
    return [row for message in channel(messages, "executions") for row in message["data"]]


def acks(messages, method=None):
    return [message for message in messages
            if "success" in message and method in (None, message.get("method"))]


def rfc(seconds):
    moment = datetime.fromtimestamp(START_US / 1e6 + seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def placed(venue, trader, **fields):
    """Place an order; its ack's result."""
    trader.order(**{"limit_price": 50000.0, **fields})
    [messages] = venue.run(0.05, trader)
    [ack] = acks(messages, "add_order")
    assert ack["success"], ack
    return ack["result"]


def asked(venue, trader, method, **fields):
    """The answer to a request, and the reports that came with it."""
    trader.ask(method, **fields)
    [messages] = venue.run(0.05, trader)
    found = acks(messages, method)
    return found[0] if len(found) == 1 else found, executions(messages)


def book_qty(venue, ticks, side=0):
    matcher = venue.face.markets[0].matcher
    return matcher.lots_at(side, ticks)


def matcher_step(venue, trader):
    """Let the order reach the engine and no further market event spoil the book."""
    trader.told = []
    while not venue.face.desk.orders:
        [messages] = venue.run(0.0005, trader)
        trader.told += messages
    [messages] = venue.run(0.01, trader)
    trader.told += messages


def take(venue, side, ticks, lots):
    """Somebody of the crowd takes; told as a market event would be."""
    matcher = venue.face.markets[0].matcher
    matcher.place(0, side, ticks, lots, 1)
    batch = Batch()
    batch.take(matcher)
    venue.face.desk.book(0, batch, venue.clock.us)
    venue.face.publish(0, batch, venue.clock.us)
    venue.face.tell(venue.clock.us)
