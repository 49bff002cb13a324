"""Every recorded or documented frame of Kraken becomes an event, a record or a mapped error.

Files are taken as they lie there: one that no reader here claims fails the test.
"""

from __future__ import annotations

import json
import pathlib

import pytest

from fastcore.codec.kraken import KrakenDecoder
from fastcore.lane.lane import (
    EVENT_BAD,
    EVENT_BOOK,
    EVENT_HEARTBEAT,
    EVENT_RESYNC,
    EVENT_SNAPSHOT,
    EVENT_TRADE,
    Lane,
)
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from hftbot.venue.kraken import cancels, codec, refusals, rest, rules
from hftbot.venue.kraken.feed import Feed
from hftbot.venue.kraken.gateway import Gateway
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.venue.kraken.summaries import Summaries
from hftbot.words import events as ev
from hftbot.words.instrument import Instrument
from kraken_frames import BALANCES, EMPTY, FIXTURES, TOKEN, ManualClock, executions, working

PRECISIONS = {"BTC/USD": (1, 8), "ETH/USD": (2, 8), "ALGO/USD": (5, 8), "MATIC/USD": (4, 8),
              "ADX/USD": (5, 8), "USDC/USD": (4, 8)}
METHODS = ("subscribe", "unsubscribe", "ping", "add_order", "amend_order", "edit_order",
           "cancel_order", "cancel_all", "cancel_all_orders_after", "batch_add", "batch_cancel")
ANSWERS = {
    "server_time": rest.server_time_answer, "system_status": rest.system_status_answer,
    "ServerTime": rest.server_time_answer, "SystemStatus": rest.system_status_answer,
    "asset_pairs": rest.asset_pairs_answer, "assetpairs": rest.asset_pairs_answer,
    "GetSymbols": rest.asset_pairs_answer, "account_balance": rest.balance_answer,
    "GetBalances": rest.balance_answer, "extended_balance": rest.extended_balance_answer,
    "GetAvailableBalances": rest.extended_balance_answer,
    "trade_volume": rest.trade_volume_answer, "GetTradeVolume": rest.trade_volume_answer,
    "GetApiKeyInfo": rest.api_key_info_answer, "websockets_token": rest.websockets_token_answer,
    "open_orders": rest.open_orders_answer, "GetOpenOrders": rest.open_orders_answer,
    "closed_orders": rest.closed_orders_answer, "GetClosedOrders": rest.closed_orders_answer,
    "query_order_info": rest.query_orders_answer, "GetOrders": rest.query_orders_answer,
    "trades_history": rest.trades_history_answer, "GetUserTrades": rest.trades_history_answer,
    "add_order_batch": rest.add_order_batch_answer, "PlaceMultiple": rest.add_order_batch_answer,
    "add_order": rest.add_order_answer, "PlaceOrder": rest.add_order_answer,
    "cancel_all_orders_after": cancels.after_response,
    "CancelAllOrdersAfter": cancels.after_response, "cancel_": rest.cancel_answer,
    "Cancel": rest.cancel_answer}
# Endpoints that nothing here asks: their answers only have to be answers.
UNASKED = ("asset_info", "export_report", "amend_order", "edit_order", "EditOrder", "ledgers",
           "Ledger", "ohlc", "Klines", "open_positions", "OpenPositions", "order_book",
           "OrderBook", "orderbook", "query_trades", "UserTradeDetails", "TradeHistory",
           "recent_", "RecentSpread", "ticker", "Ticker", "trade_balance", "TradeBalance",
           "trades.json", "GetAssets")


def files():
    return sorted(path for path in FIXTURES.rglob("*") if path.suffix in (
        ".json", ".jsonl", ".ndjson", ".txt")) if FIXTURES.is_dir() else []


def grid(symbol, price_precision=None):
    price, qty = PRECISIONS[symbol]
    base, _, quote = symbol.partition("/")
    return Instrument(0, "kraken", symbol, base, quote, price_precision or price, qty)


def feed_of(instrument):
    decoder = KrakenDecoder()
    decoder.add_symbol(instrument.symbol.encode(), instrument.price_precision,
                       instrument.qty_precision)
    lane = Lane(0, decoder, OrderBook(0, 10, 4096), KrakenChecksum())
    feed = Feed((instrument,), (lane,), summaries=Summaries((instrument,), "trades", 5))
    feed.connected()
    return feed, decoder


def market(message, line):
    """A frame of a public channel, and what the feed makes of it."""
    channel = message["channel"]
    rows = message["data"] if isinstance(message.get("data"), list) else [{}]
    for symbol in dict.fromkeys(row.get("symbol", "BTC/USD") for row in rows):
        feed, decoder = feed_of(grid(symbol))
        if channel == "ohlc":  # rows of other symbols are passed over
            line = json.dumps({**json.loads(line), "data": [
                row for row in json.loads(line)["data"] if row["symbol"] == symbol]}).encode()
        bits = feed.on_frame(line, 0, 1)
        assert not bits & EVENT_BAD
        assert feed.bad_frames == feed.unknown == 0
        if channel == "book":
            assert decoder.level_count
            assert bits & (EVENT_SNAPSHOT | EVENT_RESYNC) or message["type"] == "update"
        elif channel == "trade":
            assert bits & EVENT_TRADE
            assert list(feed.trades())
        elif channel == "ticker":
            assert feed.summaries.tickers[0]
        elif channel == "ohlc":
            assert feed.summaries.candles[0]
        elif channel == "status":
            assert [type(event) for event in feed.take_events()] == [ev.ModeChanged]
        elif channel == "instrument":
            assert len(rules.instruments_from(message)) == len(message["data"]["pairs"])
        else:
            assert channel == "heartbeat"
            assert bits & EVENT_HEARTBEAT


def gateway_of(first, symbol="ADX/USD"):
    """A gateway that knows the order with the venue's id ``first``."""
    clock = ManualClock()
    gateway = Gateway([grid(name) for name in PRECISIONS], clock)
    gateway.connected(TOKEN)
    gateway.on_frame(EMPTY, 1)
    gateway.on_frame(BALANCES, 1)
    if first:
        gateway.adopt(first, 7)
        gateway.on_frame(executions(working("", first, symbol=symbol, price="0.9", qty="5"),
                                    sequence=2), 1)
    return gateway


def private(message, line):
    """Reports are of an order that is ours, so each is an event."""
    snapshot = message["type"] == "snapshot"
    row = message["data"][0]
    if message["channel"] == "balances":
        gateway, kinds = gateway_of(""), {ev.BalanceSeen}
    else:
        gateway = gateway_of(row["order_id"], row.get("symbol", "ADX/USD"))
        kinds = {ev.OrderAcked, ev.OrderFilled, ev.OrderAmended, ev.OrderDone}
    if not snapshot:
        gateway._sequence[message["channel"]] = message["sequence"] - 1
    found = gateway.on_frame(line, 1)
    assert found
    assert {type(event) for event in found} <= kinds
    assert gateway.bad_frames == gateway.gaps == 0


def answer(message, line):
    """An answer: read by both streams' readers; an error is one of the table."""
    method = message["method"]
    gateway = gateway_of("")
    ids = (5, 6) if method.startswith("batch") else (5,)
    if method not in ("subscribe", "unsubscribe", "pong"):
        gateway.note_batch(message["req_id"], () if method == "ping" else ids, method, 1)
    found = gateway.on_frame(line, 1)
    feed, _ = feed_of(grid("BTC/USD"))
    assert not feed.on_frame(line, 0, 1) & EVENT_BAD
    assert gateway.bad_frames == gateway.unmatched == gateway.unmapped == 0
    assert feed.bad_frames == feed.unmapped == 0
    if message.get("success") is False:
        code = message["error"]
        assert refusals.row_of(code)
        assert code in {event.code for event in found if hasattr(event, "code")}
        assert feed.take_events()
    else:
        assert method in (*METHODS, "pong")
        assert method not in ("add_order", "edit_order", "batch_add") or all(
            isinstance(event, ev.OrderAcked) for event in found)


def level3(message, line):
    row, = message["data"]
    feed = Level3Feed([grid(row["symbol"])])
    feed.connected(TOKEN)
    feed.on_frame(line, 1)
    event = feed.take_events()
    if message["type"] == "snapshot":  # the recordings are shortened
        assert "the venue says" in event[0].reason
    assert feed.bad_frames == 0


def frame(line):
    message = codec.parse(line)
    channel = message.get("channel")
    if "params" in message or (message.get("method") == "ping" and "success" not in message):
        assert message["method"] in METHODS
    elif "method" in message:
        answer(message, line)
    elif channel in ("executions", "balances"):
        private(message, line)
    elif channel == "level3":
        level3(message, line)
    else:
        market(message, line)


def rest_body(path):
    body = path.read_bytes()
    body = body[body.index(b"{"):]
    if path.name.endswith("errors.jsonl"):
        for line in body.splitlines():
            code, = codec.parse(line)["error"]
            with pytest.raises(refusals.error_for(code)):
                rest.balance_answer(200, line)
            assert refusals.row_of(code)
        return
    asked = [read for name, read in ANSWERS.items() if name in path.name]
    if any(name in path.name for name in UNASKED):
        assert codec.parse(body)["error"] == []
        return
    assert asked, f"no reader claims {path.name}"
    found = asked[0](200, body)
    assert found or found == 0


def stream(path):
    """The whole recording, one book: every checksum of the venue holds."""
    feed, _ = feed_of(grid("BTC/USD", price_precision=5))
    books = 0
    for number, line in enumerate(path.read_bytes().splitlines()):
        bits = feed.on_frame(line, 0, number)
        assert not bits & (EVENT_BAD | EVENT_RESYNC)
        books += bool(bits & EVENT_BOOK)
    assert books == 980


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="shared fixtures are absent")
def test_all_folders_are_there():
    folders = {path.parent.name for path in files()}
    assert folders == {"book_stream", "docs_examples", "rest", "ws_errors", "ws_private",
                       "ws_public", "ws_trading"}
    assert len(files()) > 120


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="shared fixtures are absent")
@pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_frame_is_read(path: pathlib.Path):
    if path.parent.name == "rest":
        rest_body(path)
    elif path.parent.name == "book_stream":
        stream(path)
    elif path.name.startswith("instrument_pair_row"):
        row = codec.parse(path.read_bytes())
        message = {"channel": "instrument", "data": {"pairs": [row]}}
        assert rules.instruments_from(message)[0].tick_units == 1
    else:
        lines = [path.read_bytes()] if path.suffix == ".json" else path.read_bytes().splitlines()
        for line in lines:
            if line.strip():
                frame(line)
