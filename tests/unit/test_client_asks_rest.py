"""Our REST requests to our exchange, without sockets: every call, and refusals by the tree."""

from __future__ import annotations

from decimal import Decimal

import pytest
from exchange_client import VirtualExchange

from hftbot import errors
from hftbot.venue.kraken import cancels, rest
from hftbot.venue.kraken.terms import Price, Terms
from hftbot.words.market import Side, VenueMode
from hftbot.words.order import Tif
from hftbot.words.secret import Secret
from kraken_frames import BTC

LOTS = 1_000_000


class Asker:
    """Signs and sends a call, and reads its answer."""

    def __init__(self, **settings):
        self.venue = VirtualExchange(**settings)
        self.key = Secret(self.venue.face.gate.api_key)
        self.secret = Secret(self.venue.face.gate.api_secret)
        self.nonce = self.venue.clock.us * 1000

    def __call__(self, call, read):
        if not call.private:
            status, _, body = self.venue.face.http("GET", call.target, {}, b"")
            return read(status, body if isinstance(body, bytes) else body.encode())
        self.nonce += 1
        path, headers, body = call.signed(self.key, self.secret, self.nonce)
        status, _, answer = self.venue.face.http("POST", path, headers, body)
        return read(status, answer if isinstance(answer, bytes) else answer.encode())

    def place(self, **options):
        placed = self(rest.add_order("XBTUSD", order(**options).rest_params()),
                      rest.add_order_answer)
        self.venue.run(0.2)
        return placed


def order(**options):
    asked = {"instrument": BTC, "side": Side.BUY, "lots": LOTS, "limit": Price(300_000)}
    return Terms(**{**asked, **options})


@pytest.fixture
def ask():
    return Asker()


def test_what_needs_no_key(ask):
    assert abs(ask(rest.server_time(), rest.server_time_answer) - ask.venue.clock.us) < 2_000_000
    assert ask(rest.system_status(), rest.system_status_answer)[0] == VenueMode.OPEN
    pairs = {pair.symbol: pair for pair in ask(rest.asset_pairs(), rest.asset_pairs_answer)}
    assert (pairs["BTC/USD"].price_precision, pairs["BTC/USD"].altname) == (1, "XBTUSD")
    one, = ask(rest.asset_pairs(("BTC/USD",)), rest.asset_pairs_answer)
    assert (one.symbol, one.tick_size) == ("BTC/USD", pairs["BTC/USD"].tick_size)


def test_an_orders_life(ask):
    placed = ask.place(client_id=7, post_only=True)
    venue_id, = placed.venue_ids
    assert "XBTUSD @ limit 30000.0" in placed.description
    seen, = ask(rest.open_orders(), rest.open_orders_answer)
    assert (seen.venue_id, seen.client_id, seen.side, seen.working) == (venue_id, 7, Side.BUY, True)
    assert (seen.price, seen.volume) == (Decimal(30000), Decimal("0.01"))
    held, = [row for row in ask(rest.extended_balance(), rest.extended_balance_answer)
             if row.asset in ("ZUSD", "USD")]
    assert held.held >= 300
    assert ask(rest.cancel_order(cl_ord_id="h7"), rest.cancel_answer) == 1
    ask.venue.run(0.2)
    assert ask(rest.open_orders(), rest.open_orders_answer) == []
    gone, = ask(rest.query_orders((venue_id,)), rest.query_orders_answer)
    assert (gone.status, gone.executed) == ("canceled", 0)
    assert venue_id in {row.venue_id for row in ask(rest.closed_orders(),
                                                    rest.closed_orders_answer)}
    with pytest.raises(errors.VenueReject, match="Unknown order"):
        ask(rest.cancel_order(venue_id), rest.cancel_answer)


def test_trades_balances_and_fees(ask):
    before = ask(rest.balance(), rest.balance_answer)
    placed = ask.place(tif=Tif.IOC, limit=Price(2_000_000))
    trades, count = ask(rest.trades_history(), rest.trades_history_answer)
    assert count == len(trades) > 0
    assert {trade.venue_id for trade in trades} == set(placed.venue_ids)
    assert sum(trade.volume for trade in trades) == Decimal("0.01")
    after = ask(rest.balance(), rest.balance_answer)
    paid = sum(trade.cost + trade.fee for trade in trades)
    usd = next(asset for asset in before if asset in ("ZUSD", "USD"))
    assert abs(before[usd] - after[usd] - paid) < Decimal("0.01")
    fees = ask(rest.trade_volume(("BTC/USD",)), rest.trade_volume_answer)
    assert len(fees.fees) == 1
    assert fees.volume >= 0


def test_batches_validation_and_cancel_all(ask):
    asked = [order(client_id=number).rest_params() for number in (1, 2, 3)]
    rows = ask(rest.add_order_batch("XBTUSD", asked), rest.add_order_batch_answer)
    ask.venue.run(0.2)
    assert [len(row.venue_ids) for row in rows] == [1, 1, 1]
    only = ask(rest.add_order("XBTUSD", order().rest_params(), validate=True),
               rest.add_order_answer)
    assert only.venue_ids == ()
    assert ask(rest.cancel_order_batch(cl_ord_ids=("h1", "h2")), rest.cancel_answer) == 2
    ask.venue.run(0.2)
    assert ask(rest.cancel_all(), rest.cancel_answer) == 1
    assert ask(rest.cancel_all_orders_after(60), cancels.after_response) != "0"
    assert ask(rest.cancel_all_orders_after(0), cancels.after_response) == "0"


@pytest.mark.parametrize(("options", "error", "words"), [
    ({"lots": 10**12}, errors.NoFunds, "Insufficient funds"),
    ({"lots": 1}, errors.VenueReject, "Order minimum"),
    ({"post_only": True, "limit": Price(2_000_000)}, errors.PostOnlyWouldTake, "Post only")])
def test_refusals_of_orders(ask, options, error, words):
    with pytest.raises(error, match=words):
        ask.place(**options)


def test_refusals_of_the_key(ask):
    ask(rest.balance(), rest.balance_answer)
    ask.nonce -= 1
    with pytest.raises(errors.BadNonce):
        ask(rest.balance(), rest.balance_answer)
    ask.secret = Secret("d3Jvbmc=")
    ask.nonce = ask.venue.clock.us * 2000
    with pytest.raises(errors.Denied, match="signature"):
        ask(rest.balance(), rest.balance_answer)
    ask.key = Secret("another")
    with pytest.raises(errors.Denied, match="key"):
        ask(rest.balance(), rest.balance_answer)
