"""Recorded data on the embedded exchange: pace, uncrossed books, our place, the end."""

import json
import os
import pathlib
from decimal import Decimal

import pytest
from exchange_client import PRECISIONS, BookCopy, VirtualExchange, acks, channel, executions

from hftbot.errors import ConfigError
from hftbot.exchange.settings import replay_listing

DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
LISTING = replay_listing("BTC/USD", Decimal("0.1"), Decimal("0.001"))
SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
MS = 1_000_000


def opening():
    return [(0, SNAPSHOT, side, 600_000 + (i + 1 if side else -i), 100)
            for i in range(12) for side in (0, 1)]


def rows():
    yield from opening()
    yield (500 * MS, TRADE, 1, 600_000, 40)
    yield (500 * MS, DEPTH, 0, 600_000, 60)
    # The book crosses for a moment inside one message, as recorded data does.
    yield (1_000 * MS, DEPTH, 0, 600_002, 5)
    yield (1_000 * MS, DEPTH, 1, 600_001, 0)
    yield (2_000 * MS, TRADE, 1, 600_000, 200)
    yield (3_000 * MS, DEPTH, 1, 600_004, 50)


@pytest.fixture
def venue(monkeypatch):
    monkeypatch.setitem(PRECISIONS, "BTC/USD", (1, 3))
    return VirtualExchange(events=rows(), mode="replay", listings=(LISTING,))


def test_the_data_is_listed_with_its_own_grid(venue):
    client = venue.connect()
    client.say({"method": "subscribe", "params": {"channel": "instrument"}})
    [messages] = venue.run(0.05, client)
    [pair] = channel(messages, "instrument")[0]["data"]["pairs"]
    assert (pair["price_precision"], pair["qty_precision"]) == (1, 3)
    assert (pair["price_increment"], pair["qty_increment"]) == (Decimal("0.1"), Decimal("0.001"))


def test_it_keeps_the_recorded_pace_and_says_when_it_is_over(venue):
    client = venue.connect()
    for name in ("book", "trade"):
        client.say({"method": "subscribe", "params": {"channel": name, "symbol": ["BTC/USD"]}})
    copy = BookCopy("BTC/USD", 10)
    seen = []
    for _ in range(8):
        [messages] = venue.run(0.5, client)
        seen.append(sum(len(frame["data"]) for frame in channel(messages, "trade")))
        for frame in channel(messages, "book"):
            copy.apply(frame["data"][0])
            assert max(copy.sides[0]) < min(copy.sides[1])
    assert seen == [0, 1, 0, 0, 1, 0, 0, 0]
    assert venue.face.finished
    assert venue.face.status()["finished"]
    assert venue.face.status()["market_time_us"] == 3_000_000
    assert min(copy.sides[1]) == Decimal("60000.3")


def test_our_order_waits_behind_the_recorded_queue(venue):
    trader = venue.trader()
    trader.order(limit_price=60000.0, order_qty=0.02)
    [messages] = venue.run(1.5, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["pending_new", "new"]
    [messages] = venue.run(1.0, trader)
    assert [row["exec_type"] for row in executions(messages)] == ["trade", "filled"]
    assert executions(messages)[0]["liquidity_ind"] == "m"


def test_takers_get_what_is_shown_and_the_trade_channel_only_the_recording(venue):
    client = venue.connect()
    client.say({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}})
    trader = venue.trader()
    trader.order(limit_price=60000.2, order_qty=0.15, time_in_force="ioc")
    public, private = venue.run(0.3, client, trader)
    trades = [row for row in executions(private) if row["exec_type"] == "trade"]
    assert [(row["last_price"], row["last_qty"]) for row in trades] == [
        (Decimal("60000.1"), Decimal("0.100")), (Decimal("60000.2"), Decimal("0.050"))]
    assert not channel(public, "trade")
    assert acks(private)[0]["success"]


def test_an_order_or_a_trade_of_another_grid_is_not_restored(venue):
    other = VirtualExchange()
    trader = other.trader()
    trader.order(limit_price=50000.0)
    trader.order(limit_price=66000.0, order_qty=0.00123456, time_in_force="ioc")
    other.run(0.1)
    saved = json.loads(json.dumps(other.face.saved()))
    assert saved["desk"]["recent_trades"]
    again = VirtualExchange(saved=saved, events=rows(), mode="replay", listings=(LISTING,))
    assert again.face.desk.orders == {}
    assert again.face.account.holds.get("USD", 0) == 0
    assert list(again.face.desk.recent_trades) == []
    same = VirtualExchange(saved=saved)
    assert list(same.face.desk.recent_trades) == saved["desk"]["recent_trades"]


def test_empty_data_is_finished_at_once():
    venue = VirtualExchange(events=[], mode="replay", listings=(LISTING,))
    assert venue.face.finished
    assert venue.run(1.0) == []


@pytest.mark.parametrize(("tick", "lot"), [("0", "1"), ("-1", "1"), ("NaN", "1"),
                                           ("0.000001", "0.00001")])
def test_impossible_grids(tick, lot):
    with pytest.raises(ConfigError):
        replay_listing("BTC/USD", Decimal(tick), Decimal(lot))


def test_real_recorded_data_verifies(monkeypatch):
    path = SHARED / "backtest_oracle" / "btcusdt.npz"
    if not path.exists():
        pytest.skip(f"recorded data is not here: {path}")
    from hftbot.backtest.data import open_events

    data = open_events(path)
    listing = replay_listing("BTC/USD", data.tick_size, data.lot_size)
    monkeypatch.setitem(PRECISIONS, "BTC/USD", (listing.price_precision, listing.qty_precision))
    venue = VirtualExchange(events=data.events(), mode="replay", listings=(listing,))
    client = venue.connect()
    client.say({"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"]}})
    copy = BookCopy("BTC/USD", 10)
    [messages] = venue.run(20.0, client)
    frames = channel(messages, "book")
    assert len(frames) > 100
    for frame in frames:
        copy.apply(frame["data"][0])
        assert max(copy.sides[0]) < min(copy.sides[1])
