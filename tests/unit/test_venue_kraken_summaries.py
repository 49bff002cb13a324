"""venue.kraken.summaries: tickers and candles, alone and through the feed."""

from __future__ import annotations

import json

import pytest
from test_venue_kraken_feed import Fake

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.feed import Feed
from hftbot.venue.kraken.summaries import CANDLES_MAX, Summaries
from kraken_frames import BTC, ETH, Raw, fixture_lines, needs_fixtures, written

TICKER = {"symbol": "BTC/USD", "bid": Raw("83744.2"), "bid_qty": Raw("0.56251979"),
          "ask": Raw("83744.3"), "ask_qty": Raw("4.4780e-4"), "last": Raw("83744.3"),
          "volume": Raw("3156.84782110"), "vwap": Raw("84174.65"), "low": 83163,
          "high": Raw("85247.4"), "change": Raw("-429.3"), "change_pct": Raw("-0.51"),
          "trades": 135262, "timestamp": "2026-09-25T17:48:26.844359Z"}
CANDLE = {"symbol": "ETH/USD", "open": Raw("3027.80"), "high": Raw("3027.80"),
          "low": Raw("3026.13"), "close": Raw("3026.13"), "trades": 9,
          "volume": Raw("13.31603062"), "vwap": Raw("3027.01"), "interval": 1,
          "interval_begin": "2024-05-17T11:12:00.000000000Z",
          "timestamp": "2024-05-17T11:13:00.000000Z"}


def message(channel, *rows, kind="update"):
    return codec.parse(written({"channel": channel, "type": kind, "data": list(rows)}).encode())


def at(minute, **changes):
    return {**CANDLE, "interval_begin": f"2024-05-17T11:{minute:02}:00.000000000Z", **changes}


def test_nothing_is_subscribed_unless_it_is_asked_for():
    assert Summaries((BTC, ETH)).subscriptions() == []
    asked = [json.loads(frame)["params"] for frame in Summaries(
        (BTC, ETH), "bbo", 5).subscriptions()]
    assert asked == [
        {"channel": "ticker", "symbol": ["BTC/USD", "ETH/USD"], "event_trigger": "bbo",
         "snapshot": True},
        {"channel": "ohlc", "symbol": ["BTC/USD", "ETH/USD"], "interval": 5, "snapshot": True}]


@pytest.mark.parametrize(("trigger", "interval", "words"), [
    ("always", 0, "trades or bbo"), ("", 2, "1, 5, 15"), ("", -1, "1, 5, 15")])
def test_what_the_venue_does_not_offer_is_refused(trigger, interval, words):
    with pytest.raises(ValueError, match=words):
        Summaries((BTC,), trigger, interval)


def test_a_ticker_is_exact():
    seen = Summaries((BTC, ETH), "trades")
    seen.on_message(message("ticker", TICKER))
    found = seen.tickers[0]
    assert (found.bid_ticks, found.bid_lots, found.ask_ticks, found.ask_lots) == (
        837442, 56251979, 837443, 44780)
    assert (found.last_ticks, found.low_ticks, found.high_ticks) == (837443, 831630, 852474)
    assert (found.volume_lots, found.trades) == (315684782110, 135262)
    assert (found.average, found.change) == (84174.65, -429.3)
    assert found.ts_us == codec.time_us("2026-09-25T17:48:26.844359Z")
    assert seen.tickers[1] is None
    old = {key: value for key, value in TICKER.items() if key not in ("trades", "timestamp")}
    seen.on_message(message("ticker", old))
    assert (seen.tickers[0].trades, seen.tickers[0].ts_us) == (0, 0)


def test_a_candle_grows_until_a_later_one_begins():
    seen = Summaries((BTC, ETH), interval_min=1)
    seen.on_message(message("ohlc", at(12), at(13, trades=4), kind="snapshot"))
    seen.on_message(message("ohlc", at(13, trades=5, close=Raw("3026.50"))))
    assert [(candle.trades, candle.close_ticks) for candle in seen.candles[1]] == [
        (9, 302613), (5, 302650)]
    assert [candle.trades for candle in seen.closed(1)] == [9]
    seen.on_message(message("ohlc", at(14)))
    assert [candle.trades for candle in seen.closed(1)] == [9, 5]
    seen.on_message(message("ohlc", at(13, trades=99)))
    assert ([candle.trades for candle in seen.candles[1]], seen.stale) == ([9, 5, 9], 1)
    newest = seen.candles[1][-1]
    assert (newest.interval_s, newest.begin_us) == (60, codec.time_us("2024-05-17T11:14:00Z"))
    assert (newest.open_ticks, newest.volume_lots) == (302780, 1331603062)
    seen.on_message(message("ohlc", *(at(minute % 60, interval_begin=codec.stamp(
        1_800_000_000_000_000 + minute * 60_000_000, 6)) for minute in range(800))))
    assert len(seen.candles[1]) == CANDLES_MAX
    seen.forget()
    assert not seen.candles[1]


@pytest.mark.parametrize("changes", [
    {"bid": "83744.2"}, {"bid": Raw("-1")}, {"ask_qty": None}, {"trades": Raw("1.5")},
    {"timestamp": "now"}, {"volume": Raw("1e40")}, {"symbol": 5}, {"vwap": True}])
def test_a_ticker_that_cannot_be_is_a_bad_frame(changes):
    with pytest.raises(BadFrame):
        Summaries((BTC,)).on_message(message("ticker", {**TICKER, **changes}))


@pytest.mark.parametrize("changes", [{"interval": 7}, {"interval": "1"}, {"interval_begin": 5},
                                     {"open": None}, {"trades": None}, {"volume": Raw("-1")}])
def test_a_candle_that_cannot_be_is_a_bad_frame(changes):
    with pytest.raises(BadFrame):
        Summaries((BTC, ETH)).on_message(message("ohlc", {**CANDLE, **changes}))


def test_rows_of_symbols_that_are_not_ours_are_passed_over():
    seen = Summaries((BTC,))
    seen.on_message(message("ticker", {"symbol": "DOGE/USD"}, TICKER))
    assert seen.tickers[0] is not None


def test_the_feed_carries_them_and_forgets_them_with_the_connection():
    fake = Fake()
    seen = Summaries((BTC, ETH), "trades", 1)
    feed = Feed((BTC, ETH), fake.lanes, summaries=seen)
    channels = [json.loads(frame)["params"]["channel"] for frame in feed.connected()]
    assert channels == ["instrument", "book", "trade", "ticker", "ohlc"]
    for channel, row in (("ticker", TICKER), ("ohlc", CANDLE)):
        fake.lanes[0].bits.append(1 << 6)
        feed.on_frame(written({"channel": channel, "type": "update", "data": [row]}).encode(), 0, 5)
    assert seen.tickers[0].last_ticks == 837443
    assert len(seen.candles[1]) == 1
    assert feed.statistics()["unknown_messages"] == 0
    feed.disconnected()
    assert (seen.tickers, len(seen.candles[1])) == ([None, None], 0)
    with pytest.raises(ValueError, match="10, 25, 100, 500, 1000 levels, not 50"):
        Feed((BTC, ETH), fake.lanes, depth=50)


@needs_fixtures
def test_recorded_summaries_are_read():
    rows = 0
    for line in fixture_lines("ws_public/asyncrs_ticker.jsonl", "ws_public/bytex_*.jsonl",
                              "ws_public/asyncrs_ohlc_snapshot.jsonl"):
        found = codec.parse(line)
        if found.get("channel") in ("ticker", "ohlc"):
            seen = Summaries((BTC, ETH))
            seen.on_message(found)
            rows += any(seen.tickers) or any(map(len, seen.candles))
    assert rows == 5
