"""fuzz: spoiled files of every format give rows that hold together, or a DataError."""

from __future__ import annotations

import gzip
import json
import random

import numpy as np
import pytest

from fuzz.counts import long_seeds
from fuzz.mutations import bent, warped
from hftbot.backtest import numpy_file
from hftbot.backtest.data import open_rows
from hftbot.backtest.event_rows import BOTH_FLAGS, BUY_FLAG, SELL_FLAG, rows_of
from hftbot.errors import DataError

NS = 1_700_000_000_000_000_000
MS = NS // 10**6


def _binance():
    levels = [[f"100.{at}", "0.5"] for at in range(3)]
    yield {"lastUpdateId": 10, "E": MS, "T": MS, "bids": levels, "asks": [["101.0", "2"]]}
    for at in range(3):
        yield {"stream": "abc@depth", "data": {
            "e": "depthUpdate", "E": MS + at, "T": MS + at, "s": "ABC", "U": 9 + at, "u": 10 + at,
            "pu": 9 + at, "b": [["100.1", str(at)]], "a": [["101.1", "1"]]}}
        yield {"stream": "abc@trade", "data": {"e": "trade", "E": MS + at, "T": MS + at, "t": 1,
                                               "s": "ABC", "p": "100.1", "q": "1", "m": at > 1}}


def _kraken():
    stamp = "2023-11-14T22:13:20.{:06d}Z"
    yield {"channel": "instrument", "type": "snapshot", "data": {"pairs": [
        {"symbol": "A/B", "price_precision": 1, "qty_precision": 2, "price_increment": 0.1,
         "qty_increment": 0.01}]}}
    yield {"method": "subscribe", "success": True, "result": {"channel": "book", "symbol": "A/B",
                                                              "depth": 10}}
    for at in range(3):
        yield {"channel": "book", "type": "update" if at else "snapshot", "data": [
            {"symbol": "A/B", "bids": [{"price": 10.1, "qty": at}], "checksum": 5 + at,
             "asks": [{"price": 10.2 + at, "qty": 1}], "timestamp": stamp.format(at)}]}
        yield {"channel": "trade", "type": "update", "data": [
            {"symbol": "A/B", "side": "buy", "price": 10.2, "qty": 1.5, "trade_id": 4 + at,
             "timestamp": stamp.format(at)}]}
    yield {"hftbot": "lost", "text": "gone"}


def _hyperliquid():
    for at in range(3):
        yield {"channel": "l2Book", "data": {"coin": "BTC", "time": MS + at, "levels": [
            [{"px": "10.0", "sz": "1", "n": 1}], [{"px": "11.0", "sz": str(at), "n": 1}]]}}
        yield {"channel": "trades", "data": [{"coin": "BTC", "side": "A", "px": "10.5", "sz": "1",
                                              "time": MS + at, "tid": at}]}


def _polymarket():
    yield [{"event_type": "book", "asset_id": "7", "timestamp": str(MS),
            "bids": [{"price": "0.4", "size": "1"}], "asks": [{"price": "0.6", "size": "1"}]}]
    yield {"event_type": "price_change", "timestamp": str(MS), "price_changes": [
        {"asset_id": "7", "price": "0.5", "size": "3", "side": "BUY", "best_bid": "0.5",
         "best_ask": "0.6"}]}
    yield {"event_type": "last_trade_price", "asset_id": "7", "timestamp": str(MS), "price": "0.6",
           "size": "1", "side": "SELL"}


CAPTURES = [_binance, _kraken, _hyperliquid, _polymarket]
TARDIS = b"""exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
x,A,1700000000000000,1700000000000005,true,bid,1.5,1
x,A,1700000000000000,1700000000000005,true,ask,2,1
x,A,1700000000000007,1700000000000009,false,ask,2,0
"""


def _capture(rng):
    frames = [json.dumps(frame).encode() for frame in rng.choice(CAPTURES)()]
    at = rng.randrange(len(frames))
    frames[at] = warped(frames[at], rng).replace(b"\n", b"")
    text = b"".join(b"%d %s\n" % (NS + number * 10**6, frame)
                    for number, frame in enumerate(frames))
    text = bent(text, rng) if rng.randrange(3) == 0 else text
    return text if rng.randrange(2) else gzip.compress(text)


def _array(rng, folder):
    rows = rows_of([(BOTH_FLAGS | (BUY_FLAG if at % 2 else SELL_FLAG) | 1 + at % 2, NS + at,
                     NS + at + 5, 100.0 + at % 3, 1.0 + at) for at in range(8)])
    if rng.randrange(2):
        name = rng.choice(rows.dtype.names)
        rows[name][rng.randrange(8)] = rng.choice([0, 1, 7, 100]) if rows.dtype[name].kind != "f" \
            else rng.choice([float("nan"), float("inf"), -1.0, 1e300, 1e-300, 0.1 + 0.2])
    path = folder / rng.choice(["a.npy", "a.npz"])
    numpy_file.write(path, rows)
    return path.read_bytes()


def spoiled(rng, folder):
    """One spoiled file's bytes."""
    kind = rng.randrange(4)
    content = (_capture(rng) if kind < 2 else bent(TARDIS, rng) if kind == 2
               else _array(rng, folder))
    return bent(content, rng) if rng.randrange(4) == 0 else content


def held_together(found):
    """What every replay relies on."""
    rows = found.array
    assert found.rows == len(rows) > 0
    assert found.tick_size > 0
    assert found.lot_size > 0
    for flag, name in ((1 << 31, "exch_ts"), (1 << 30, "local_ts")):
        assert np.all(np.diff(rows[name][(rows["ev"] & np.uint64(flag)) != 0]) >= 0)
    assert np.all(rows["local_ts"] >= rows["exch_ts"])
    market = np.isin(rows["ev"] & np.uint64(0xFF), (1, 2, 4))
    for name in ("px", "qty"):
        assert np.all(np.isfinite(rows[name][market]))
        assert np.all(rows[name][market] >= 0)


def fuzz(seed, count, folder, opened=open_rows):
    """Spoiled files to their readers. Returns how many could be read."""
    rng = random.Random(seed)
    path = folder / "spoiled"
    read = 0
    for _ in range(count):
        path.write_bytes(spoiled(rng, folder))
        try:
            found = opened(path, symbol=rng.choice([None, None, None, "A/B"]),
                           repair=rng.randrange(2) == 0)
        except DataError as error:
            named = str(path) in str(error)
        else:
            named = True
            held_together(found)
            read += 1
        assert named
    return read


@pytest.mark.parametrize("seed", range(3))
def test_spoiled_files(tmp_path, seed):
    assert fuzz(seed, 150, tmp_path) > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", long_seeds(100, 10))
def test_spoiled_files_long(tmp_path, seed):
    assert fuzz(seed, 1_000, tmp_path) > 100


def test_canary_a_reader_that_lets_one_through_is_found(tmp_path):
    def careless(path, **options):
        if path.read_bytes()[:1] == b"\x93":
            raise KeyError("data")
        return open_rows(path, **options)

    with pytest.raises(KeyError):
        fuzz(1, 400, tmp_path, careless)
