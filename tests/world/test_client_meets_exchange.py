"""Our client's own requests of every kind, on the exchange: accepted, reported, and understood.

Client and exchange are written apart, each by its reading of the reference. What the client holds
for legal the exchange must not refuse for its form, and what the exchange says the client must
read without a gap, a bad frame or an answer that fits nothing.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from hftbot.exchange.settings import Latency
from hftbot.venue.kraken import requests
from hftbot.venue.kraken.gateway import Gateway
from hftbot.venue.kraken.terms import CLOSES, LIMITED, TRAILING, TRIGGERED, Close, Price, Terms
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.secret import Secret
from kraken_frames import BTC
from unit.exchange_client import VirtualExchange

# What a legal request may meet: money, prices, the state of the order.
ECONOMY = ("EOrder:Insufficient funds", "EOrder:Post only order", "EOrder:Unknown order",
           "EOrder:Cost minimum not met", "EOrder:Invalid order",
           "EGeneral:Invalid arguments:cl_ord_id", "EGeneral:Invalid arguments:display_qty",
           "EGeneral:Invalid arguments:trigger_price", "EGeneral:Invalid arguments:limit_price",
           "EGeneral:Invalid arguments:No amendable parameters")


class Desk:
    """The client's gateway on one end, the exchange's connection on the other."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.venue = VirtualExchange(
            seed=seed, fees="kraken", latency=Latency(300, 100, 200, 100),
            balances={"USD": Decimal(50_000), "BTC": Decimal(1)})
        self.gateway = Gateway((BTC,), self.venue.clock)
        self.line = self.venue.connect("private")
        token = self.venue.rest("GetWebSocketsToken")["result"]["token"]
        self.number = 100
        self.errors: list[str] = []
        self.kinds: dict[str, int] = {}
        for frame in self.gateway.connected(Secret(token)):
            self.line.say(frame.decode())
        self.pass_time(0.05)
        assert self.gateway.ready

    def pass_time(self, seconds: float) -> None:
        self.venue.run(0.0)
        end_us = self.venue.clock.us + int(seconds * 1e6)
        while self.venue.clock.us < end_us:
            due_us = self.venue.face.next_due_us()
            self.venue.clock.us = min(end_us, max(due_us or end_us, self.venue.clock.us + 1))
            self.venue.face.advance(self.venue.clock.us)
            for text in self.line.take():
                message = json.loads(text)
                if message.get("success") is False:
                    self.errors.append(message["error"])
                for event in self.gateway.on_frame(text.encode(), self.venue.clock.mono_ns()):
                    name = type(event).__name__
                    self.kinds[name] = self.kinds.get(name, 0) + 1
        for frame in self.gateway.take_outbox():
            self.line.say(frame.decode())

    def send(self, build: Any, *rest: Any, ids: tuple[int, ...] = (), what: str = "",
             **named: Any) -> None:
        self.number += 1
        if what:
            self.gateway.note_batch(self.number, ids, what, self.venue.clock.mono_ns(),
                                    named.get("validate", False))
        self.line.say(build(*rest, self.gateway.token, self.number, **named).decode())

    # What a client may wish.

    def price(self, *away: int) -> int:
        return max(1, self.venue.face.markets[0].mid_ticks() + self.rng.choice(away))

    def terms(self, client_id: int = 0) -> Terms:
        rng = self.rng
        order_type = rng.choice(("limit", "limit", "market", "iceberg", *TRIGGERED))
        told: dict[str, Any] = {
            "instrument": BTC, "side": rng.choice((Side.BUY, Side.SELL)),
            "lots": rng.choice((10_000, 50_000, 200_000)), "order_type": order_type,
            "fee_preference": rng.choice(("", "base", "quote")), "client_id": client_id,
            "stp": rng.choice(("", "cancel_newest", "cancel_oldest", "cancel_both")),
            "sender": rng.choice(("", "", "desk-a"))}
        if order_type in LIMITED:
            told["limit"] = Price(self.price(-3_000, -20, 20, 3_000))
        if order_type in TRIGGERED:
            told["trigger"] = Price(self.price(-500, -5, 5, 500))
            if rng.random() < 0.3:
                told["trigger"] = Price(rng.choice((-20_000, -300, 300, 20_000)), "pct")
        if order_type in TRAILING:
            told["trigger"] = rng.choice((Price(5_000, "pct"), Price(40, "quote")))
            if order_type == "trailing-stop-limit":
                told["limit"] = Price(rng.choice((-10, 0, 10)), "quote")
        if order_type == "iceberg":
            told["display_lots"] = told["lots"] // 5
        if order_type == "market" and told["side"] == Side.BUY and rng.random() < 0.5:
            told["lots"], told["cash"] = 0, Decimal("25.50")
        if order_type == "limit":
            told["tif"] = rng.choice((Tif.GTC, Tif.GTC, Tif.IOC, Tif.FOK, Tif.GTD))
            told["post_only"] = told["tif"] in (Tif.GTC, Tif.GTD) and rng.random() < 0.3
            if told["tif"] == Tif.GTD:
                told["expire_us"] = (self.venue.clock.us // 10**6 + 3) * 10**6
        if order_type not in ("market", "iceberg") and rng.random() < 0.1:
            told["effective_us"] = (self.venue.clock.us // 10**6 + 2) * 10**6
        if not client_id and rng.random() < 0.3:
            kind = rng.choice([each for each in CLOSES if each not in TRAILING])
            told["close"] = Close(kind, Price(self.price(900)) if kind in LIMITED else None,
                                  Price(self.price(-900)) if kind in TRIGGERED else None)
        return Terms(**told)

    def turn(self, number: int) -> None:
        rng, token = self.rng, self.gateway.token
        named = list(self.venue.face.desk.orders.values())
        some = rng.choice(named).order_id if named else "OAAAAA-AAAAA-AAAAAA"
        deadline_us = self.venue.clock.us + 2_000_000
        pick = rng.randrange(12)
        if pick < 5:
            client_id = number if rng.random() < 0.6 else 0
            self.send(lambda *rest, **told: requests.add(self.terms(client_id), *rest, **told),
                      ids=(client_id,) if client_id else (), what="add_order",
                      deadline_us=deadline_us, validate=rng.random() < 0.1)
        elif pick == 5:
            ids = tuple(1_000 * number + k for k in range(rng.randrange(2, 6)))
            orders = [self.terms(client_id) for client_id in ids]
            self.send(lambda *rest, **told: requests.batch_add(orders, *rest, **told), ids=ids,
                      what="batch_add", deadline_us=deadline_us)
        elif pick < 8:
            self.number += 1
            self.gateway.note_sent(self.number, 0, "amend_order", self.venue.clock.mono_ns())
            self.line.say(requests.amend(BTC, token, self.number, venue_id=some, **rng.choice((
                {"limit": Price(self.price(-100, 100))}, {"lots": 150_000},
                {"lots": 150_000, "display_lots": 20_000}))).decode())
        elif pick == 8:
            plain = Terms(instrument=BTC, side=Side.BUY, lots=60_000,
                          limit=Price(self.price(-100, -10)), post_only=True)
            self.send(lambda *rest: requests.edit(some, plain, *rest), what="edit_order")
        elif pick == 9:
            self.send(requests.cancel, what="cancel_order", venue_ids=[some],
                      userrefs=[77])
        elif pick == 10 and len(named) > 1:
            self.send(requests.batch_cancel, what="batch_cancel",
                      venue_ids=[order.order_id for order in named[:3]], userrefs=[5])
        else:
            self.send(requests.cancel_all_after, 60 * rng.randrange(2))


@pytest.mark.parametrize("seed", range(8))
def test_every_request_is_understood_and_every_report_is_read(seed: int) -> None:
    desk = Desk(seed)
    for number in range(1, 61):
        desk.turn(number)
        desk.pass_time(0.3)
    desk.send(requests.cancel_all)
    desk.pass_time(0.2)
    told = desk.gateway.statistics()
    assert [error for error in desk.errors if error not in ECONOMY] == []
    for name in ("bad_frames", "gaps", "contradictions", "unmapped_errors"):
        assert told[name] == 0, f"{name}: {told}"
    assert not desk.venue.face.desk.orders
    assert {"OrderAcked", "OrderFilled", "OrderDone", "BalanceSeen"} <= desk.kinds.keys()


def test_a_request_of_a_form_that_nobody_knows_is_refused() -> None:
    desk = Desk(1)
    good = requests.add(Terms(instrument=BTC, side=Side.BUY, lots=10_000, limit=Price(500_000)),
                        desk.gateway.token, 7)
    desk.line.say(good.decode().replace("limit_price", "limit_cost"))
    desk.pass_time(0.1)
    assert desk.errors == ["Unsupported field: 'limit_cost' for the given msg type: add order"]
