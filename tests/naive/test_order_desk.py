"""The trading endpoint against an account kept from its own reports, by the documentation's rules.

A seeded client sends every kind of request. The twin knows only what the executions and balances
channels told it: which orders are open, what they hold, what was traded. After each request that
must be what the exchange itself has.
"""

import json
import random
from decimal import ROUND_CEILING, Decimal

import pytest

from hftbot.exchange.settings import Latency
from unit.exchange_client import VirtualExchange, acks

TAKER = Decimal("0.004")
TICK = Decimal("0.1")
ENDS = {"filled", "canceled", "expired"}
STEP = Decimal("0.0000000001")


def rounded_up(value):
    return value.quantize(STEP, ROUND_CEILING)


class Reported:
    """Orders and money as the two channels tell them."""

    def __init__(self, balances):
        self.balances = dict(balances)
        self.orders = {}
        self.ended = set()
        self.sequences = {"executions": 1, "balances": 1}
        self.trades = 0
        self.seen = set()

    def take(self, messages):
        for message in messages:
            name = message.get("channel")
            if name in self.sequences:
                self.sequences[name] += 1
                assert message["sequence"] == self.sequences[name]
            if name == "executions":
                for row in message["data"]:
                    self.report(row)
            elif name == "balances":
                for row in message["data"]:
                    self.move(row)

    def move(self, row):
        before = self.balances.get(row["asset"], 0)
        self.balances[row["asset"]] = before + row["amount"] - row["fee"]
        assert self.balances[row["asset"]] == row["balance"]

    def report(self, row):
        kind, order_id = row["exec_type"], row["order_id"]
        self.seen.add(kind)
        assert order_id not in self.ended, f"{kind} after the end"
        if kind == "pending_new":
            assert order_id not in self.orders
            self.orders[order_id] = {"filled": Decimal(0), "live": False, **row}
            return
        order = self.orders[order_id]
        if kind == "new":
            assert not order["live"]
            order["live"] = True
        elif kind == "trade":
            self.trades += 1
            order["filled"] += row["last_qty"]
            assert row["cum_qty"] == order["filled"] <= order["order_qty"]
            limit = order.get("limit_price")
            if limit is not None:
                better = row["last_price"] <= limit if row["side"] == "buy" else (
                    row["last_price"] >= limit)
                assert better, (row, order)
        elif kind in ("amended", "status"):
            order.update({name: row[name] for name in
                          ("order_qty", "limit_price", "triggers", "display_qty") if name in row})
        elif kind in ENDS:
            assert row["cum_qty"] == order["filled"]
            if kind == "filled":
                assert order["filled"] == order["order_qty"]
            del self.orders[order_id]
            self.ended.add(order_id)

    def held(self):
        """What the open orders promise, by asset."""
        found = {"USD": Decimal(0), "BTC": Decimal(0)}
        for order in self.orders.values():
            left = order["order_qty"] - order["filled"]
            in_base = order["fee_ccy_pref"] == "fcib"
            price = order.get("limit_price")
            if price is None:
                price = order["triggers"]["actual_price"]
            asset, amount = ("USD", left * price) if order["side"] == "buy" else ("BTC", left)
            if in_base == (asset == "BTC"):
                amount += rounded_up(amount * TAKER)
            found[asset] += amount
        return found


def requested(rng, mine, mid):
    """One request as (method, params)."""
    near = round(mid + rng.choice((-900, -40, -5, -1, 0, 1, 5, 40, 900)) * float(TICK), 1)
    order = {"side": rng.choice(("buy", "sell")), "order_qty": rng.choice((0.0005, 0.004, 0.02)),
             "order_type": "limit", "limit_price": near,
             "fee_preference": rng.choice(("base", "quote"))}
    if rng.random() < 0.3:
        order["post_only"] = True
    elif rng.random() < 0.5:
        order["time_in_force"] = rng.choice(("ioc", "fok", "gtc"))
    kind = rng.random()
    if kind < 0.12:
        shape = rng.choice(("stop-loss", "take-profit", "trailing-stop"))
        order["order_type"] = shape + rng.choice(("", "-limit"))
        for name in ("post_only", "time_in_force"):
            order.pop(name, None)
        if order["order_type"] == shape:
            del order["limit_price"]
        order["triggers"] = {"price": round(mid + rng.choice((-3, -1, 1, 3)), 1)}
        if shape == "trailing-stop":
            order["triggers"] = {"price": rng.choice((0.01, 0.1)), "price_type": "pct"}
            if "limit_price" in order:
                order["limit_price"] = rng.choice((-5, 0, 5))
    elif kind < 0.25:
        order.update(order_type="iceberg", display_qty=round(order["order_qty"] / 4, 8))
        order.pop("time_in_force", None)
    elif kind < 0.35:
        order["conditional"] = {"order_type": "limit", "limit_price": round(mid + 300, 1)}
    some = rng.choice(mine) if mine else "OAAAAA-AAAAAA-AAAAAA"
    pick = rng.random()
    if pick < 0.5:
        return "add_order", {**order, "symbol": "BTC/USD"}
    if pick < 0.6:
        plain = {**order, "order_type": "limit", "limit_price": near}
        for name in ("triggers", "display_qty", "conditional"):
            plain.pop(name, None)
        return "batch_add", {"symbol": "BTC/USD",
                             "orders": [plain] * rng.randrange(2, 5)}
    if pick < 0.75:
        return "amend_order", {"order_id": some, **rng.choice((
            {"limit_price": near}, {"order_qty": 0.003}, {"limit_price": near, "order_qty": 0.03},
            {"order_qty": 0.01, "display_qty": 0.002}, {"trigger_price": near}))}
    if pick < 0.87:
        return "edit_order", {"order_id": some, "symbol": "BTC/USD", **rng.choice((
            {"limit_price": near}, {"order_qty": 0.006}, {"order_qty": 0.0001}))}
    if pick < 0.95:
        return "cancel_order", {"order_id": [some]}
    return ("batch_cancel", {"orders": mine[:5]}) if len(mine) > 1 else ("cancel_all", {})


def opened(seed, balances, **again):
    """A venue without delays, and a trader on it."""
    venue = VirtualExchange(seed=seed, fees="kraken", balances=balances,
                            latency=Latency(0, 0, 0, 0), **again)
    # What is traded does not count, so that the fee stays what it is.
    venue.face.account.worth = lambda asset: 0
    market = venue.face.markets[0]
    # The crowd waits until the trader listens: what he did not hear his twin cannot know.
    market.next_due_us = lambda: None
    venue.face.market_ahead = None
    trader = venue.trader()
    del market.next_due_us
    venue.face.market_ahead = None
    return venue, trader


def play(seed, requests, restart_every=1_000):
    """Send so many requests; every so often the venue starts anew from what it saved."""
    rng = random.Random(seed)
    balances = {"USD": Decimal(3_000), "BTC": Decimal("0.05")}
    venue, trader = opened(seed, balances)
    twin = Reported(balances)
    for number in range(1, requests + 1):
        if number % restart_every == 0:
            twin.take(venue.run(0.01, trader)[0])
            saved = json.loads(json.dumps(venue.face.saved()))
            venue, trader = opened(seed, balances, saved=saved, start_us=venue.clock.us)
            twin.sequences = dict.fromkeys(twin.sequences, 1)
            check(venue, twin, f"seed {seed}: after a restart")
        mid = venue.face.markets[0].mid_ticks() / 10
        method, params = requested(rng, list(twin.orders), mid)
        trader.ask(method, **params)
        [messages] = venue.run(0.05, trader)
        assert acks(messages, method), f"no answer to {method}"
        twin.take(messages)
        check(venue, twin, f"seed {seed}: {method} {params}")
    trader.ask("cancel_all")
    [messages] = venue.run(0.05, trader)
    twin.take(messages)
    check(venue, twin, "after cancel_all")
    assert not twin.orders
    assert all(amount == 0 for amount in venue.face.account.holds.values())
    return twin


def check(venue, twin, what):
    desk, account = venue.face.desk, venue.face.account
    assert desk.orders.keys() == twin.orders.keys(), what
    for asset, amount in twin.held().items():
        held = Decimal(account.holds.get(asset, 0)) * STEP
        assert held == amount, f"{what}: {asset} held {held}, by the reports {amount}"
        total = Decimal(account.balances[asset]) * STEP
        assert total == twin.balances[asset], f"{what}: {asset} {total} {twin.balances[asset]}"
        assert total >= held, f"{what}: {asset} {total} does not cover {held}"
    resting = {order.matcher_id for order in desk.orders.values() if order.matcher_id}
    matcher = venue.face.markets[0].matcher
    for order in desk.orders.values():
        assert matcher.leaves_of(order.matcher_id) == (order.open_lots if order.matcher_id else 0)
        if order.display_lots and order.matcher_id:
            assert matcher.visible_of(order.matcher_id) == order.shown_lots, what
    assert {key[1] for key in desk.matched} == resting, what


@pytest.mark.parametrize("seed", range(12))
def test_the_exchange_has_what_its_reports_say(seed):
    twin = play(seed, 60)
    assert len(twin.ended) > 10


@pytest.mark.parametrize("seed", range(20, 26))
def test_what_the_reports_said_is_there_after_a_restart(seed):
    play(seed, 60, restart_every=15)


EVERY_KIND = {"pending_new", "new", "trade", "amended", "status", "iceberg_refill", "filled",
              "canceled"}


def test_the_seeds_reach_every_kind_of_report():
    seen, trades = set(), 0
    for seed in range(100, 140):
        twin = play(seed, 60)
        seen |= twin.seen
        trades += twin.trades
        if seen == EVERY_KIND and trades > 60:
            return
    raise AssertionError(f"{trades} trades, never seen: {EVERY_KIND - seen}")
