"""What a strategy can ask beside books: tickers, candles, its place in the queue; and the depth."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import random

import pytest
from engine_rig import BID, Rig, Voice

from hftbot.errors import ConfigError
from hftbot.venue.kraken import codec
from hftbot.words.order import Tif
from kraken_frames import (
    BALANCES,
    BTC,
    EMPTY,
    ETH,
    TOKEN,
    Raw,
    executions,
    working,
    written,
)
from level3_market import SlowVenue

TICKER = {"symbol": "BTC/USD", "bid": 8, "bid_qty": 1, "ask": 9, "ask_qty": 1, "last": Raw("8.5"),
          "volume": 5, "vwap": 8, "low": 7, "high": 9, "change": 1, "change_pct": 1}
CANDLE = {"symbol": "BTC/USD", "open": 1, "high": 2, "low": 1, "close": 2, "trades": 1, "volume": 3,
          "vwap": 1, "interval": 5, "interval_begin": "2026-05-17T11:10:00.000000000Z"}


def frame(channel: str, row: dict[str, object]) -> bytes:
    return written({"channel": channel, "type": "update", "data": [row]}).encode()


def test_views_are_empty_and_nothing_is_asked_for_by_default(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    asked = [json.loads(sent)["params"] for sent in rig.world.feed.connected()]
    assert [params["channel"] for params in asked] == ["instrument", "book", "trade"]
    assert asked[1]["depth"] == 10
    desk = rig.desk()
    assert (desk.ticker(0), list(desk.candles(0))) == (None, [])
    assert desk.ahead_lots(rig.buy(ticks=BID, tif=Tif.GTC)) == -1
    assert rig.world.level3 is None


@pytest.mark.parametrize("depth", ["25", "1000"])
def test_views_that_a_run_asks_for_reach_its_strategies(tmp_path: pathlib.Path, depth: str) -> None:
    rig = Rig(tmp_path, Voice(), book_depth=depth, ticker="bbo", candles="5")
    asked = {params["channel"]: params for params in (
        json.loads(sent)["params"] for sent in rig.world.feed.connected())}
    assert (asked["book"]["depth"], asked["ticker"]["event_trigger"]) == (int(depth), "bbo")
    assert asked["ohlc"]["interval"] == 5
    for channel, row in (("ticker", TICKER), ("ohlc", CANDLE)):
        rig.world.feed.on_frame(frame(channel, row), 0, rig.clock.ns)
    assert rig.desk().ticker(0).last_ticks == 85
    assert [candle.close_ticks for candle in rig.desk().candles(0)] == [20]


def test_views_of_the_queue_that_our_order_stands_in(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), level3_depth="10")
    level3, gateway = rig.world.level3, rig.world.gateway
    assert level3 is not None
    level3.connected(TOKEN)
    venue = SlowVenue(BTC, 10, random.Random(3))
    for _ in range(60):
        venue.happen()
    level3.on_frame(venue.snapshot(), rig.clock.ns)
    ticks, queue = max(venue.queue(0), key=lambda level: len(level[1]))
    last = queue[-1]["name"]
    client_id = rig.buy(ticks=BID, tif=Tif.GTC)
    gateway.connected(TOKEN)
    gateway.on_frame(EMPTY, 1)
    gateway.on_frame(BALANCES, 1)
    assert rig.desk().ahead_lots(client_id) == -1, "no report has told its id"
    gateway.on_frame(executions(working(codec.client_id_text(client_id), last), sequence=2), 1)
    assert rig.desk().ahead_lots(client_id) == sum(order["lots"] for order in queue[:-1])
    assert [resting.venue_id for resting in level3.books[0].queue(0, ticks)][-1] == last
    assert rig.desk().ahead_lots(client_id + 1) == -1, "not an order of this strategy"
    level3.disconnected()
    assert rig.desk().ahead_lots(client_id) == -1


def test_views_of_too_many_symbols_are_refused_with_the_arithmetic(tmp_path: pathlib.Path) -> None:
    third = dataclasses.replace(ETH, index=2, symbol="SOL/USD", base="SOL")
    with pytest.raises(ConfigError, match=r"LEVEL3_DEPTH=1000: .*3 symbols at depth 1000 costs"):
        Rig(tmp_path, Voice(), symbols=(BTC, ETH, third), level3_depth="1000")
