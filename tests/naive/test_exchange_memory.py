"""The exchange forgets what cannot happen any more, against a twin that forgets nothing.

A seeded client places orders that end or begin weeks ahead, under ever new names, and takes them
back; it restarts the dead man's switch as often. Every frame it gets must be the twin's, byte for
byte, and what the exchange remembers must not grow with what the client has sent.
"""

import json
import random
from decimal import Decimal

import pytest

from hftbot.exchange import face_kraken, senders
from unit.exchange_client import VirtualExchange, rfc

FOR_EVER = 1 << 60
FEW = 8
OPEN_MAX = 12


def wish(rng, ids, seconds, mid):
    """One request as (method, params)."""
    pick = rng.random()
    if ids and (pick < 0.3 or len(ids) > OPEN_MAX):
        return "cancel_order", {"order_id": [rng.choice(ids)]}
    if pick < 0.36:
        return "cancel_all_orders_after", {"timeout": rng.choice((0, 1, 60, 86_399))}
    if pick < 0.4:
        return "cancel_all", {}
    order = {"order_type": "limit", "side": rng.choice(("buy", "sell")), "symbol": "BTC/USD",
             "order_qty": rng.choice((0.001, 0.5)),
             "limit_price": round(mid + rng.randrange(-60, 61) / 10, 1),
             "sender_sub_id": f"desk-{int(seconds * 20) // rng.choice((1, 400))}",
             "stp_type": rng.choice(("cancel_newest", "cancel_oldest", "cancel_both"))}
    if rng.random() < 0.7:
        order.update(time_in_force="gtd",
                     expire_time=rfc(seconds + rng.choice((0.5, 1.5, 86_400, 2_000_000))))
    if rng.random() < 0.2:
        order["effective_time"] = rfc(seconds + rng.choice((0.2, 0.4)))
    elif rng.random() < 0.2:
        order.update(limit_price=round(mid * 0.8, 1), side="buy")
    return "add_order", order


def play(seed, requests):
    """Everything that the trader heard, and the most that was ever needed and remembered."""
    rng = random.Random(seed)
    venue = VirtualExchange(seed=seed, balances={"USD": Decimal(10**6), "BTC": Decimal(10)})
    trader = venue.trader()
    face, heard, most = venue.face, [], {"needed": 0, "actions": 0, "names": 0}
    begin_us = venue.clock.us
    for _ in range(requests):
        seconds = (venue.clock.us - begin_us) / 1e6 + 0.02
        method, params = wish(rng, list(face.desk.orders), seconds,
                              face.markets[0].mid_ticks() / 10)
        trader.ask(method, **params)
        venue.run(0.05)
        heard += venue.empty(trader)
        needed = sum(row[3] is None or row[3]() for row in face.actions)
        most["needed"] = max(most["needed"], needed)
        most["actions"] = max(most["actions"], len(face.actions))
        most["names"] = max(most["names"], len(face.desk.senders.numbers))
    return heard, most


@pytest.mark.parametrize("seed", range(3))
def test_forgetting_changes_no_frame(monkeypatch, seed):
    monkeypatch.setattr(face_kraken, "ACTIONS_MIN", FOR_EVER)
    monkeypatch.setattr(senders, "KEPT_MIN", FOR_EVER)
    naive, remembered = play(seed, 400)
    monkeypatch.setattr(face_kraken, "ACTIONS_MIN", FEW)
    monkeypatch.setattr(senders, "KEPT_MIN", FEW)
    heard, most = play(seed, 400)
    assert heard == naive
    kinds = {row["exec_type"] for text in heard if '"executions"' in text
             for row in json.loads(text).get("data", ())}
    assert kinds >= {"new", "trade", "canceled", "expired"}
    assert any("Self trade prevention" in text for text in heard)
    assert remembered["actions"] > 70 < remembered["names"]
    assert most["actions"] <= max(FEW, 2 * (most["needed"] + 1))
    assert most["names"] <= 2 * (OPEN_MAX + 2) + FEW


def test_a_month_ahead_taken_back_leaves_nothing():
    venue = VirtualExchange()
    trader = venue.trader()
    for number in range(1_500):
        trader.order(limit_price=10_000.0, time_in_force="gtd", expire_time=rfc(2_000_000 - number),
                     sender_sub_id=f"desk-{number}")
        trader.ask("cancel_all_orders_after", timeout=80_000)
        trader.ask("cancel_all")
        if number % 50 == 49:
            venue.run(0.05)
    venue.run(0.05)
    assert venue.face.desk.counts["orders"] == 1_500
    assert not venue.face.desk.orders
    assert len(venue.face.actions) <= face_kraken.ACTIONS_MIN + 1
    assert len(venue.face.desk.senders.numbers) <= senders.KEPT_MIN
