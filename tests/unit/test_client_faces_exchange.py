"""Our client and our exchange, face to face without sockets: every request and every channel.

They were written from the same documents by different hands, and neither imports the other.
"""

from __future__ import annotations

import pytest
from exchange_client import VirtualExchange

from hftbot.venue.kraken import requests
from hftbot.venue.kraken.gateway import VALIDATED, Gateway
from hftbot.venue.kraken.terms import Price, Terms
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.secret import Secret
from kraken_frames import BTC, ETH

LOTS = 1_000_000


class Meeting:
    """A gateway whose wire is a connection of the exchange."""

    def __init__(self, **settings):
        self.venue = VirtualExchange(**settings)
        self.gateway = Gateway((BTC, ETH), self.venue.clock)
        self.token = Secret(self.venue.rest("GetWebSocketsToken")["result"]["token"])
        self.wire = self.venue.connect("private")
        self.number = 0
        self.told = []
        for frame in self.gateway.connected(self.token):
            self.wire.on_text(frame.decode())
        self.wait()
        assert self.gateway.ready
        self.told.clear()

    def wait(self, seconds=0.2):
        """Let time pass; returns the events of it."""
        self.venue.run(seconds)
        found = []
        for text in self.venue.empty(self.wire):
            found += self.gateway.on_frame(text.encode(), self.venue.clock.mono_ns())
        for frame in self.gateway.take_outbox():
            self.wire.on_text(frame.decode())
        self.told += found
        return found

    def ids(self, count):
        self.number += count
        return tuple(range(self.number - count + 1, self.number + 1))

    def send(self, method, frame, ids, validate=False):
        self.gateway.note_batch(ids[0] if ids else 999, ids, method,
                                self.venue.clock.mono_ns(), validate)
        self.wire.on_text(frame.decode())
        return self.wait()

    def add(self, validate=False, **options):
        """One order; returns (ClientId, the events until its answer)."""
        one, = self.ids(1)
        terms = order(**{"client_id": one, **options})
        frame = requests.add(terms, self.token, one, self.venue.clock.us + 5_000_000, validate)
        return one, self.send("add_order", frame, (one,), validate)

    def venue_id(self, client_id):
        return self.gateway.reports._reported[client_id]

    def touch(self):
        """(bid, ask) ticks of BTC/USD."""
        market = next(iter(self.venue.face.markets.values()))
        return market.matcher.best_bid(), market.matcher.best_ask()


def order(**options):
    asked = {"instrument": BTC, "side": Side.BUY, "lots": LOTS, "limit": Price(300_000)}
    return Terms(**{**asked, **options})


def kinds(found):
    return [type(event).__name__ for event in found]


def ends(found):
    return {event.client_id: event.state for event in found if isinstance(event, ev.OrderDone)}


def codes(found):
    return [event.code for event in found if hasattr(event, "code")]


@pytest.fixture
def meeting():
    return Meeting()


@pytest.mark.parametrize("options", [
    {}, {"post_only": True}, {"stp": "cancel_both"}, {"fee_preference": "base"},
    {"tif": Tif.GTD, "expire_us": 1_800_000_900_000_000}, {"side": Side.SELL, "lots": 10},
    {"order_type": "iceberg", "display_lots": 100_000},
    {"order_type": "stop-loss", "side": Side.BUY, "limit": None, "trigger": Price(1_500_000)},
    {"order_type": "stop-loss-limit", "trigger": Price(1_500_000), "limit": Price(1_500_100)},
    {"order_type": "take-profit", "limit": None, "trigger": Price(100_000)},
    {"order_type": "trailing-stop", "limit": None, "trigger": Price(50_000, "pct")}])
def test_every_kind_of_order_is_taken_and_cancelled(meeting, options):
    if options.get("side") == Side.SELL:
        meeting.add(tif=Tif.IOC, limit=Price(2_000_000), lots=LOTS)
        options = {**options, "lots": LOTS, "limit": Price(2_000_000)}
    one, found = meeting.add(**options)
    assert "OrderAcked" in kinds(found), codes(found)
    assert not ends(found)
    done = meeting.send("cancel_order", meeting.gateway.cancel_frame(one, one), (one,))
    assert ends(done) == {one: OrderState.CANCELED}
    assert meeting.gateway.statistics()["unmapped_errors"] == meeting.gateway.bad_frames == 0


def test_orders_that_trade_at_once(meeting):
    for options in ({"tif": Tif.IOC, "limit": Price(2_000_000)},
                    {"tif": Tif.FOK, "limit": Price(2_000_000)},
                    {"order_type": "market", "limit": None}):
        one, found = meeting.add(**options)
        assert ends(found) == {one: OrderState.FILLED}, codes(found)
        assert sum(event.lots for event in found if isinstance(event, ev.OrderFilled)) == LOTS
    one, found = meeting.add(tif=Tif.FOK, limit=Price(2_000_000), lots=LOTS * 10_000)
    assert not [event for event in found if isinstance(event, ev.OrderFilled)]
    assert ends(found) or "OrderRejected" in kinds(found)


def test_an_order_that_is_only_validated(meeting):
    _, found = meeting.add(validate=True)
    assert [event.reason for event in found] == [VALIDATED]
    _, found = meeting.add(validate=True, lots=10**12)
    assert kinds(found) == ["OrderRejected"]
    assert meeting.gateway.overdue(meeting.venue.clock.mono_ns() + 9 * 10**9) == []


def test_a_batch_and_both_ways_to_cancel_it(meeting):
    ids = meeting.ids(3)
    frame = requests.batch_add([order(client_id=one, limit=Price(300_000 + one)) for one in ids],
                               meeting.token, ids[0])
    found = meeting.send("batch_add", frame, ids)
    assert {event.client_id for event in found if isinstance(event, ev.OrderAcked)} == set(ids)
    frame = requests.batch_cancel(meeting.token, ids[0], ids[:2])
    assert ends(meeting.send("batch_cancel", frame, ids[:2])) == dict.fromkeys(
        ids[:2], OrderState.CANCELED)
    more = meeting.ids(2)
    frame = requests.batch_add([order(client_id=more[0]), order(client_id=more[1], lots=10**11)],
                               meeting.token, more[0])
    found = meeting.send("batch_add", frame, more)
    assert [event.client_id for event in found if isinstance(event, ev.OrderRejected)] == [more[1]]
    frame = requests.cancel(meeting.token, ids[2], (ids[2], *more))
    found = meeting.send("cancel_order", frame, (ids[2], *more))
    assert ends(found) == dict.fromkeys((ids[2], more[0]), OrderState.CANCELED)
    assert [event.client_id for event in found if isinstance(event, ev.CancelRejected)] == [more[1]]


def test_amend_and_edit(meeting):
    one, _ = meeting.add()
    frame = requests.amend(BTC, meeting.token, one, client_id=one, lots=2 * LOTS,
                           limit=Price(310_000))
    amended, = [event for event in meeting.send("amend_order", frame, (one,))
                if isinstance(event, ev.OrderAmended)]
    assert (amended.ticks, amended.lots) == (310_000, 2 * LOTS)
    two, found = meeting.add(client_id=0, userref=5)
    unnamed, = {event.venue_id for event in found if isinstance(event, ev.OrderAcked)}
    new, = meeting.ids(1)
    frame = requests.edit(unnamed, order(limit=Price(320_000)), meeting.token, new)
    found = meeting.send("edit_order", frame, (new,))
    named = {event.client_id: event.venue_id for event in found
             if isinstance(event, ev.OrderAcked)}
    assert named[new] != unnamed
    assert ends(found) == {two: OrderState.CANCELED}
    assert ends(meeting.send("cancel_order", requests.cancel(
        meeting.token, new, venue_ids=(named[new],)), (new,))) == {new: OrderState.CANCELED}


def test_the_switch_and_cancel_all(meeting):
    one, _ = meeting.add()
    meeting.send("cancel_all_orders_after", meeting.gateway.switch_frame(2, 999), ())
    assert meeting.gateway.switch.endswith("Z")
    assert ends(meeting.wait(3)) == {one: OrderState.CANCELED}
    meeting.send("cancel_all_orders_after", meeting.gateway.switch_frame(0, 999), ())
    assert meeting.gateway.switch == "0"
    two, _ = meeting.add()
    found = meeting.send("cancel_all", meeting.gateway.cancel_all_frame(999), ())
    assert meeting.gateway.cancelled_all == 1
    assert ends(found) == {two: OrderState.CANCELED}


@pytest.mark.parametrize(("options", "error"), [
    ({"lots": 1}, "EOrder:Order minimum not met"), ({"lots": 10**11}, "EOrder:Insufficient funds"),
    ({"post_only": True, "limit": Price(2_000_000)}, "EOrder:Post only order")])
def test_refusals_have_the_documented_words(meeting, options, error):
    _, found = meeting.add(**options)
    said = codes(found) + [event.reason for event in found if isinstance(event, ev.OrderDone)]
    assert said == [error]
    assert meeting.gateway.statistics()["unmapped_errors"] == 0
    assert not meeting.gateway.reports._expected
