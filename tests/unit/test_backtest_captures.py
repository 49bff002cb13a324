"""Raw captures of the four venues as rows: books followed, trades, gaps, what makes no sense."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import zlib
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest.data import CLEAR, DEPTH, SNAPSHOT, TRADE, open_events, open_rows
from hftbot.backtest.dialect import LevelBook
from hftbot.backtest.event_rows import BUY_FLAG
from hftbot.errors import DataError

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
FIXTURES = SHARED / "fixtures"
needs_shared = pytest.mark.skipif(not FIXTURES.exists(), reason="recorded data is not here")
BEGIN_NS = 1_700_000_000_000_000_000


def capture(folder, *messages, name="capture.gz", first=0):
    """Path of a capture: one message every millisecond, received half a millisecond later."""
    path = folder / name
    lines = [b"%d %s\n" % (BEGIN_NS + 500_000 + (first + at) * 1_000_000,
                           message if isinstance(message, bytes) else json.dumps(message).encode())
             for at, message in enumerate(messages)]
    text = b"".join(lines)
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return path


def plainly(found):
    """(kind, side, price, size) of every row seen here."""
    return [(int(row["ev"]) & 0xFF, 0 if int(row["ev"]) & BUY_FLAG else 1, row["px"], row["qty"])
            for row in found.array if int(row["ev"]) & (1 << 30)]


# -- Kraken

def stamp(at):
    """A time of Kraken's, ``at`` milliseconds after the beginning."""
    return f"2023-11-14T22:13:{20 + at // 1000:02d}.{at % 1000:03d}000Z"


def crc(bids, asks):
    """The checksum of a book on a grid of 0.1 and 0.0001."""
    best = sorted(asks.items())[:10] + sorted(bids.items(), reverse=True)[:10]
    text = "".join(str(round(price * 10)) + str(round(size * 10_000)) for price, size in best)
    return zlib.crc32(text.encode())


def kraken_book(kind, bids, asks, at, told=None, symbol="BTC/USD"):
    """One frame of the book channel."""
    row = {"symbol": symbol, "timestamp": stamp(at),
           "bids": [{"price": price, "qty": size} for price, size in bids],
           "asks": [{"price": price, "qty": size} for price, size in asks]}
    if told is not None:
        row["checksum"] = told
    return {"channel": "book", "type": kind, "data": [row]}


def kraken_trade(at, number, side="buy", kind="update"):
    """One frame of the trade channel."""
    return {"channel": "trade", "type": kind, "data": [
        {"symbol": "BTC/USD", "side": side, "price": 100.2, "qty": 0.5, "ord_type": "market",
         "trade_id": number, "timestamp": stamp(at)}]}


INSTRUMENT = {"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": [
    {"symbol": "BTC/USD", "price_precision": 1, "qty_precision": 4, "price_increment": 0.1,
     "qty_increment": 0.0001}]}}
ETH_BOOK = kraken_book("snapshot", [(50.0, 1.0)], [(51.0, 1.0)], 3, symbol="ETH/USD")
ACK = {"method": "subscribe", "success": True, "time_in": "x", "time_out": "y",
       "result": {"channel": "book", "symbol": "BTC/USD", "depth": 10, "snapshot": True}}


def test_kraken_books_are_followed_and_their_checksums_compared(tmp_path):
    bids, asks = {100.0: 1.0, 99.9: 2.5}, {100.2: 0.5, 100.3: 3.0}
    after = {**bids, 99.8: 4.0}
    found = open_rows(capture(
        tmp_path, {"channel": "status", "type": "update", "data": [{}]}, INSTRUMENT, ACK,
        kraken_trade(0, 5, kind="snapshot"),
        kraken_book("snapshot", bids.items(), asks.items(), 4, crc(bids, asks)),
        kraken_book("update", [(99.8, 4.0)], [], 5, crc(after, asks)),
        kraken_trade(6, 9), kraken_trade(7, 10, "sell"), {"channel": "heartbeat"}))
    assert plainly(found)[2:] == [
        (SNAPSHOT, 0, 100.0, 1.0), (SNAPSHOT, 0, 99.9, 2.5), (SNAPSHOT, 1, 100.2, 0.5),
        (SNAPSHOT, 1, 100.3, 3.0), (DEPTH, 0, 99.8, 4.0), (TRADE, 0, 100.2, 0.5),
        (TRADE, 1, 100.2, 0.5)]
    assert [row[0] for row in plainly(found)[:2]] == [CLEAR, CLEAR]
    assert (found.symbol, found.format) == ("BTC/USD", "kraken v2 capture")
    assert (found.tick_size, found.lot_size) == (Decimal("0.1"), Decimal("0.0001"))
    assert found.notes == ("2 books compared with what the venue told, all equal",)
    assert found.array["exch_ts"][-1] == BEGIN_NS + 7_000_000
    assert found.array["local_ts"][-1] == BEGIN_NS + 7_500_000


def test_kraken_gaps_and_wrong_books_are_told_with_their_line(tmp_path):
    bids, asks = {100.0: 1.0}, {100.2: 0.5}
    found = open_rows(capture(
        tmp_path, INSTRUMENT, kraken_book("snapshot", bids.items(), asks.items(), 1,
                                          crc(bids, asks)),
        kraken_trade(2, 5), kraken_trade(3, 8),
        kraken_book("update", [(100.0, 7.0)], [], 4, 12345)))
    assert "1 gaps: messages are missing (first at" in found.notes[0]
    assert "line 4)" in found.notes[0]
    assert "1 of 2 books compared differ" in found.notes[1]
    assert "line 5)" in found.notes[1]


def test_kraken_levels_below_the_subscribed_depth_are_cut(tmp_path):
    bids = [(100.0 - at / 10, 1.0) for at in range(10)]
    asks = [(101.0 + at / 10, 1.0) for at in range(10)]
    found = open_rows(capture(
        tmp_path, kraken_book("snapshot", bids, asks, 0),
        kraken_book("update", [(100.5, 2.0), (98.0, 5.0)], [], 1)))
    assert plainly(found)[22:] == [(DEPTH, 0, 100.5, 2.0), (DEPTH, 0, 98.0, 5.0),
                                   (DEPTH, 0, 99.1, 0.0), (DEPTH, 0, 98.0, 0.0)]


def test_a_second_snapshot_gives_only_what_changed(tmp_path):
    found = open_rows(capture(
        tmp_path, kraken_book("snapshot", [(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0)], 0),
        kraken_book("snapshot", [(100.0, 1.0), (98.0, 2.0)], [(101.0, 3.0)], 1)))
    assert plainly(found)[5:] == [(DEPTH, 0, 99.0, 0.0), (DEPTH, 0, 98.0, 2.0),
                                  (DEPTH, 1, 101.0, 3.0)]


def test_two_markets_need_a_choice(tmp_path):
    path = capture(tmp_path, kraken_book("snapshot", [(100.0, 1.0)], [(101.0, 1.0)], 0),
                   kraken_book("snapshot", [(50.0, 1.0)], [(51.0, 1.0)], 1, symbol="ETH/USD"))
    with pytest.raises(DataError, match="line 2: holds more than one market, BTC/USD and ETH/USD"):
        open_rows(path)
    found = open_rows(path, symbol="ETH/USD")
    assert [row[2] for row in plainly(found)[2:]] == [50.0, 51.0]
    with pytest.raises(DataError, match=r"no book .* for XRP/USD \(markets seen: BTC/USD, ETH/US"):
        open_rows(path, symbol="XRP/USD")
    assert open_rows(path, if_several="ETH/USD").symbol == "ETH/USD"
    alone = capture(tmp_path, GOOD_BOOK, name="alone.gz")
    assert open_rows(alone, if_several="ETH/USD").symbol == "BTC/USD"


def test_the_exchange_replays_any_capture_in_whole_steps(tmp_path):
    path = capture(
        tmp_path, INSTRUMENT, kraken_book("snapshot", [(100.0, 1.0)], [(100.2, 0.5)], 0),
        kraken_trade(1, 5), kraken_book("update", [(100.0, 0.0)], [], 2), ETH_BOOK)
    with pytest.raises(DataError, match="holds more than one market"):
        open_events(path)
    found = open_events(path, symbol="BTC/USD")
    assert [row[1:] for row in found.events()] == [
        (CLEAR, 0, 0, 0), (CLEAR, 1, 0, 0), (SNAPSHOT, 0, 1_000, 10_000),
        (SNAPSHOT, 1, 1_002, 5_000), (TRADE, 0, 1_002, 5_000), (DEPTH, 0, 1_000, 0)]
    assert found.span_ns == 3_500_000
    assert [row[3] for row in open_events(path, symbol="ETH/USD").events()][2:] == [50, 51]


@needs_shared
def test_a_real_kraken_stream_agrees_with_all_its_checksums(tmp_path):
    stream = (FIXTURES / "kraken" / "book_stream" / "btcusd_20230830_from_v1_pp5.ndjson")
    pair = {"symbol": "BTC/USD", "price_precision": 5, "qty_precision": 8,
            "price_increment": "0.00001", "qty_increment": "0.00000001"}
    frames = [json.dumps({"channel": "instrument", "type": "snapshot",
                          "data": {"pairs": [pair]}}).encode(),
              *stream.read_bytes().splitlines()]
    found = open_rows(capture(tmp_path, *frames))
    compared = int(found.notes[0].split()[0])
    assert compared > 500
    assert "all equal" in found.notes[0]
    assert any("every receive time" in note for note in found.notes) is False


# -- Hyperliquid

def hyper_book(bids, asks, at, coin="BTC"):
    """One l2Book message."""
    return {"channel": "l2Book", "data": {"coin": coin, "time": BEGIN_NS // 10**6 + at, "levels": [
        [{"px": str(price), "sz": str(size), "n": 1} for price, size in side]
        for side in (bids, asks)]}}


def hyper_trade(at, tid, side="B"):
    """One trade of a trades message."""
    return {"coin": "BTC", "side": side, "px": "100.2", "sz": "0.5", "tid": tid, "hash": "0x0",
            "time": BEGIN_NS // 10**6 + at, "users": ["0x1", "0x2"]}


def test_hyperliquid_books_become_differences_and_trades_come_once(tmp_path):
    found = open_rows(capture(
        tmp_path, {"channel": "subscriptionResponse", "data": {}},
        hyper_book([(100.0, 1.0), (99.0, 2.0)], [(101.0, 1.0)], 1),
        {"channel": "trades", "data": [hyper_trade(-5, 1), hyper_trade(2, 2)]},
        {"channel": "trades", "data": [hyper_trade(2, 2), hyper_trade(3, 3, "A")]},
        hyper_book([(100.0, 1.0), (98.0, 2.0)], [(101.0, 4.0)], 4)))
    assert plainly(found)[2:] == [
        (SNAPSHOT, 0, 100.0, 1.0), (SNAPSHOT, 0, 99.0, 2.0), (SNAPSHOT, 1, 101.0, 1.0),
        (TRADE, 0, 100.2, 0.5), (TRADE, 1, 100.2, 0.5), (DEPTH, 0, 99.0, 0.0),
        (DEPTH, 0, 98.0, 2.0), (DEPTH, 1, 101.0, 4.0)]
    assert (found.symbol, found.format) == ("BTC", "hyperliquid capture")


@needs_shared
def test_a_real_hyperliquid_capture_opens():
    found = open_rows(SHARED / "data" / "hftbacktest_examples" / "hyperliquid_btcusd_20250126.gz")
    assert (found.symbol, found.tick_size, found.lot_size) == (
        "BTC", Decimal("1"), Decimal("0.00001"))
    trades = [row for row in plainly(found) if row[0] == TRADE]
    assert len(trades) > 20
    assert (found.last_ns - found.first_ns) // 10**9 in range(24, 28)


LEVELS = st.dictionaries(st.integers(1, 12), st.integers(1, 4), max_size=8)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=8))
def test_differences_of_books_lead_to_the_books(books):
    """Applied one after the other to a plain dictionary, the rows give each book in turn."""
    follower, seen = LevelBook(), ({}, {})
    for bids, asks in books:
        for kind, side, price, size in follower.replaced(bids.items(), asks.items()):
            if kind == CLEAR:
                seen[side].clear()
            elif size:
                seen[side][price] = size
            else:
                del seen[side][price]
        assert seen == (bids, asks)
        assert (follower.best(0), follower.best(1)) == (max(bids, default=None),
                                                        min(asks, default=None))


# -- Polymarket

def poly(kind, at, **rest):
    """One event of the market channel."""
    return {"event_type": kind, "market": "0xabc", "asset_id": "77",
            "timestamp": str(BEGIN_NS // 10**6 + at), **rest}


def poly_book(bids, asks, at):
    """One whole book."""
    return poly("book", at, bids=[{"price": price, "size": size} for price, size in bids],
                asks=[{"price": price, "size": size} for price, size in asks])


def poly_change(at, *changes, best=("0.49", "0.52")):
    """A price_change in the shape since September 2025."""
    return {"event_type": "price_change", "market": "0xabc",
            "timestamp": str(BEGIN_NS // 10**6 + at), "price_changes": [
                {"asset_id": asset, "price": price, "size": size, "side": side, "hash": "h",
                 "best_bid": best[0], "best_ask": best[1]} for asset, price, size, side in changes]}


def test_polymarket_events_of_one_token(tmp_path):
    found = open_rows(capture(
        tmp_path, [poly_book([("0.48", "10")], [("0.52", "5")], 0)],
        poly_change(1, ("77", "0.49", "3", "BUY"), ("88", "0.51", "3", "SELL")),
        poly("price_change", 2, price="0.53", size="8", side="SELL", hash="h"),
        poly("last_trade_price", 3, price="0.52", size="2.5", side="BUY", fee_rate_bps="0"),
        poly("tick_size_change", 3, old_tick_size="0.01", new_tick_size="0.001"),
        poly_change(4, ("77", "0.48", "0", "BUY"), best=("0.47", "0.52"))), symbol="77")
    assert plainly(found)[2:] == [
        (SNAPSHOT, 0, 0.48, 10.0), (SNAPSHOT, 1, 0.52, 5.0), (DEPTH, 0, 0.49, 3.0),
        (DEPTH, 1, 0.53, 8.0), (TRADE, 0, 0.52, 2.5), (DEPTH, 0, 0.48, 0.0)]
    assert (found.symbol, found.tick_size) == ("77", Decimal("0.01"))
    assert "1 gaps" in found.notes[0]
    assert "line 6)" in found.notes[0]
    assert "1 of 2 books compared differ" in found.notes[1]


# -- what makes no sense

GOOD_BOOK = kraken_book("snapshot", [(100.0, 1.0)], [(101.0, 1.0)], 0)
BAD = [
    ({"channel": "book", "type": "update", "data": [{"symbol": "BTC/USD"}]}, "key 'bids' is miss"),
    (kraken_book("update", [(-1.0, 1.0)], [], 1), "price '-1.0' is not a number >= 0"),
    (kraken_book("update", [(1.0, "nan")], [], 1), "size 'nan' is not a number"),
    (kraken_book("update", [(1.0, True)], [], 1), "size 'True' is not a number"),
    ({**kraken_trade(1, 3, "up")}, "side 'up' is neither buy nor sell"),
    ({"channel": "l2Book", "data": {}}, "is no message of Kraken's"),
    (b"[[[", "bad JSON"), ([], "is no message of Kraken's"), (b"17", "is no message of Kraken"),
]


@pytest.mark.parametrize(("message", "why"), BAD)
def test_a_message_that_makes_no_sense_is_named_with_its_line(tmp_path, message, why):
    path = capture(tmp_path, GOOD_BOOK, message)
    with pytest.raises(DataError, match=why) as caught:
        open_rows(path)
    assert f"{path}: line 2: " in str(caught.value)


@pytest.mark.parametrize("when", ["2023-11-14 22:13:20+01:00", "soon", "2023-11-14T22:13:20.12a4Z",
                                  "", "2023-11-14T22:13:20", "3023-11-14T22:13:20Z"])
def test_times_that_are_none_are_refused(tmp_path, when):
    frame = kraken_book("snapshot", [(100.0, 1.0)], [(101.0, 1.0)], 0)
    frame["data"][0]["timestamp"] = when
    with pytest.raises(DataError, match=r"line 1: .* is not a time"):
        open_rows(capture(tmp_path, frame))


def test_a_capture_cut_off_in_its_packing_is_refused(tmp_path):
    path = capture(tmp_path, *[GOOD_BOOK] * 200)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"after line \d+: the gzip stream is cut off"):
        open_rows(path)


def test_a_last_line_that_is_not_whole_is_left_out_and_noted(tmp_path):
    path = capture(tmp_path, GOOD_BOOK, kraken_trade(1, 3), kraken_trade(2, 4), name="cut.raw")
    path.write_bytes(path.read_bytes()[:-30])
    found = open_rows(path)
    assert [row[0] for row in plainly(found)] == [CLEAR, CLEAR, SNAPSHOT, SNAPSHOT, TRADE]
    assert found.notes[0] == (f"the last line is left out: {path}: line 3: bad JSON: its end is "
                              "missing, the file is cut off")


@pytest.mark.parametrize(("content", "why"), [
    (b"hello\n", "line 1: does not begin with a receive time"), (b"\n\n", "holds no message"),
    (b'5 {"strange": 1}\n', "line 1: is no message of Binance, Kraken, Hyperliquid or Poly"),
    (b"", "the file is empty")])
def test_files_of_no_known_format(tmp_path, content, why):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        open_rows(path)
    assert str(path) in str(caught.value)


def test_a_book_without_a_time_takes_the_next_one(tmp_path):
    first = kraken_book("snapshot", [(100.0, 1.0)], [(101.0, 1.0)], 0)
    del first["data"][0]["timestamp"]
    found = open_rows(capture(tmp_path, first, kraken_book("update", [(99.0, 1.0)], [], 1)))
    assert set(found.array["exch_ts"].tolist()) == {BEGIN_NS + 1_000_000}
    assert np.all(np.diff(found.array["local_ts"]) >= 0)
