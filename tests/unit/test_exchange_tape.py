"""Public channels that remember trades: ticker, ohlc; many symbols; all depths."""

import json
import random
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
from exchange_client import START_US, BookCopy, VirtualExchange, acks, channel

from hftbot.exchange.book_view import DEPTHS, BookView
from hftbot.exchange.kraken_text import ListingText
from hftbot.exchange.market import SyntheticMarket
from hftbot.exchange.settings import LISTINGS, Switches
from hftbot.exchange.tape import DAY_MIN, INTERVALS_MIN, MINUTE_US, Tape, percent

BTC = LISTINGS["BTC/USD"]
DAY_US = DAY_MIN * MINUTE_US


@pytest.fixture
def venue():
    return VirtualExchange(symbols=("BTC/USD", "ETH/USD"))


def ask(name, *symbols, method="subscribe", **params):
    return {"method": method, "req_id": 7,
            "params": {"channel": name, "symbol": list(symbols), **params}}


def rows(messages, name):
    return [frame["data"][0] for frame in channel(messages, name)]


class NaiveTape:
    """Keeps every trade and works everything out again at each question."""

    def __init__(self):
        self.trades = []

    def candle(self, begin_us, end_us):
        inside = [trade for trade in self.trades if begin_us <= trade[0] < end_us]
        prices = [ticks for _, ticks, _ in inside]
        return (prices[0], max(prices), min(prices), prices[-1], len(inside),
                sum(lots for *_, lots in inside), sum(t * lots for _, t, lots in inside))


def told(candle):
    return (candle.open, candle.high, candle.low, candle.close, candle.trades, candle.lots,
            candle.tick_lots)


def test_candles_and_the_rolling_day_are_what_the_trades_say():
    rng = random.Random(4)
    tape, naive, now_us = Tape(ListingText(BTC)), NaiveTape(), START_US
    tape.open(600_000)
    for _ in range(1_500):
        now_us += rng.choice((1, 20_000_000, 150_000_000, 400_000_000))
        trade = (now_us, 600_000 + rng.randrange(-900, 900), rng.randrange(1, 10**9))
        tape.add(*trade)
        naive.trades.append(trade)
        minute_us = now_us - now_us % MINUTE_US
        since_us = minute_us - DAY_US + MINUTE_US
        assert told(tape.day(now_us)) == naive.candle(since_us, now_us + 1)
    assert now_us - START_US > DAY_US, "the day has rolled"
    for minutes in INTERVALS_MIN:
        for candle in tape.candles[minutes]:
            assert candle.begin_us % (minutes * MINUTE_US) == 0
            assert told(candle) == naive.candle(candle.begin_us,
                                                candle.begin_us + minutes * MINUTE_US)
        assert len(tape.ohlc_rows(minutes)) == min(720, len(tape.candles[minutes]))


@pytest.mark.parametrize(("change", "start", "text"), [
    (-4293, 841_736, "-0.51"), (1, 20_000, "0.01"), (-1, 20_000, "-0.01"), (1, 20_001, "0.00"),
    (0, 5, "0.00"), (600_000, 600_000, "100.00"), (3, 0, "0.00")])
def test_change_in_percent(change, start, text):
    assert percent(change, start) == text


def test_ticker_tells_book_and_day(venue):
    client = venue.connect()
    client.say(ask("ticker", "BTC/USD"))
    client.say(ask("trade", "BTC/USD"))
    client.say(ask("book", "BTC/USD"))
    [messages] = venue.run(8.0, client)
    assert acks(messages)[0]["result"] == {"channel": "ticker", "event_trigger": "trades",
                                           "snapshot": True, "symbol": "BTC/USD"}
    book, traded, updates = BookCopy("BTC/USD", 10), [], 0
    for frame in messages:
        if frame.get("channel") == "book":
            book.apply(frame["data"][0])
        elif frame.get("channel") == "trade":
            traded += frame["data"]
        elif frame.get("channel") == "ticker" and frame["type"] == "update":
            [row] = frame["data"]
            updates += 1
            assert (row["bid"], row["ask"]) == (max(book.sides[0]), min(book.sides[1]))
            assert row["bid_qty"] == book.sides[0][row["bid"]]
            prices = [trade["price"] for trade in traded]
            assert (row["last"], row["low"], row["high"]) == (prices[-1], min(prices), max(prices))
            assert row["trades"] == len(traded)
            assert row["volume"] == sum(trade["qty"] for trade in traded)
            assert row["change"] == prices[-1] - prices[0]
            exact = sum(t["qty"] * t["price"] for t in traded) / row["volume"]
            assert row["vwap"] == exact.quantize(Decimal("0.1"), ROUND_HALF_UP)
            assert row["timestamp"] == traded[-1]["timestamp"]
    assert updates == len(channel(messages, "trade")) > 10


def test_ticker_at_the_touch_has_other_moments(venue):
    client = venue.connect()
    client.say(ask("ticker", "BTC/USD", event_trigger="bbo"))
    [messages] = venue.run(3.0, client)
    seen = [(row["bid"], row["ask"]) for row in rows(messages, "ticker")]
    assert len(seen) > 20
    assert all(one != other for one, other in pairwise(seen))
    client.say(ask("ticker", "BTC/USD", method="unsubscribe", event_trigger="trades"))
    client.say(ask("ticker", "BTC/USD", method="unsubscribe", event_trigger="bbo"))
    [messages] = venue.run(2.0, client)
    assert [answer["success"] for answer in acks(messages)] == [False, True]
    assert acks(messages)[0]["error"] == "Subscription Not Found"
    after = messages[messages.index(acks(messages)[1]) + 1:]
    assert not channel(after, "ticker")


def test_ohlc_rows_follow_the_trades(venue):
    client = venue.connect()
    client.say(ask("trade", "BTC/USD"))
    client.say(ask("ohlc", "BTC/USD", interval=1))
    client.say(ask("ohlc", "BTC/USD", interval=5, snapshot=False))
    [messages] = venue.run(130.0, client)
    assert acks(messages)[1]["result"] == {
        "channel": "ohlc", "interval": 1, "snapshot": True, "symbol": "BTC/USD",
        "warnings": ["timestamp is deprecated, use interval_begin"]}
    frames = channel(messages, "ohlc")
    assert [frame["type"] for frame in frames[:2]] == ["snapshot", "update"]
    assert list(frames[0]) == ["channel", "type", "timestamp", "data"]
    minutes = {}
    for frame in frames[1:]:
        [row] = frame["data"]
        assert row["interval_begin"].endswith(":00.000000000Z")
        if row["interval"] == 1:
            minutes[row["interval_begin"]] = row
    assert len(minutes) == 3
    for begin, row in list(minutes.items())[1:]:
        inside = [trade for frame in channel(messages, "trade") for trade in frame["data"]
                  if trade["timestamp"][:16] == begin[:16]]
        prices = [trade["price"] for trade in inside]
        assert (row["open"], row["high"], row["low"], row["close"]) == (
            prices[0], max(prices), min(prices), prices[-1])
        assert (row["trades"], row["volume"]) == (len(inside), sum(t["qty"] for t in inside))
    assert {row["interval"] for row in rows(frames[1:], "ohlc")} == {1, 5}
    late = venue.connect()
    late.say(ask("ohlc", "BTC/USD", interval=1))
    [messages] = venue.run(0.1, late)
    begins = [row["interval_begin"] for row in channel(messages, "ohlc")[0]["data"]]
    assert begins == sorted(minutes)


@pytest.mark.parametrize(("params", "error"), [
    ({"channel": "ohlc"}, "Subscription ohlc requires interval"),
    ({"channel": "ohlc", "interval": 2}, "Subscription ohlc interval not supported"),
    ({"channel": "ohlc", "interval": True}, "Subscription ohlc interval not supported"),
    ({"channel": "ohlc", "interval": "1"}, "Subscription ohlc interval not supported"),
    ({"channel": "ticker", "event_trigger": "x"}, "EGeneral:Invalid arguments:event_trigger"),
    ({"channel": "ticker", "event_trigger": []}, "EGeneral:Invalid arguments:event_trigger"),
    ({"channel": "book", "depth": [10]}, "Subscription depth not supported"),
    ({"channel": "ticker", "snapshot": 1}, "Snapshot field must be a boolean"),
])
def test_refused_parameters(venue, params, error):
    client = venue.connect()
    client.say({"method": "subscribe", "params": {"symbol": ["BTC/USD"], **params}})
    [messages] = venue.run(0.1, client)
    [refusal] = acks(messages)
    assert (refusal["error"], refusal["symbol"], refusal["success"]) == (error, "BTC/USD", False)
    assert venue.face.feed.watchers == {}


class HastyCopy(BookCopy):
    """Cuts its window after each level already, as python-kraken-sdk does."""

    def apply(self, row):
        for name in ("bids", "asks"):
            for level in row[name]:
                side = self.sides[name == "asks"]
                side.pop(level["price"], None)
                if level["qty"]:
                    side[level["price"]] = level["qty"]
                for price in self.best_first(name == "asks")[self.depth:]:
                    del side[price]
        super().apply({**row, "bids": [], "asks": []})


@pytest.mark.parametrize("depth", DEPTHS)
def test_each_depth_shows_its_window_of_a_deep_book(depth):
    rng = random.Random(depth)
    view, copy = BookView(ListingText(BTC)), BookCopy("BTC/USD", depth)
    hasty = HastyCopy("BTC/USD", depth)
    view.watch(depth)
    deep = [(side, 600_000 + (k if side else -k - 1), rng.randrange(1, 10**9))
            for side in (0, 1) for k in range(1_200)]
    view.apply(deep, 0, "-")
    for one in (copy, hasty):
        one.apply(json.loads(view.snapshot(depth, "-"), parse_float=Decimal)["data"][0])
    assert [len(side) for side in copy.sides] == [depth, depth]
    for _ in range(300 if depth <= 100 else 60):
        changes = [(side, 600_000 + (k if side else -k - 1), rng.choice((0, 0, 7)))
                   for side, k in [(rng.randrange(2), int(rng.random() ** 3 * 1_200))
                                   for _ in range(3)]]
        for frame in view.apply(changes, 0, "-").values():
            copy.apply(json.loads(frame, parse_float=Decimal)["data"][0])
            hasty.apply(json.loads(frame, parse_float=Decimal)["data"][0])
        assert hasty.sides == copy.sides
        for side in (0, 1):
            shown = view.sides[side]
            assert [int(price * 10) * shown.sign for price in copy.best_first(side)] == \
                shown.keys[:depth]
            assert all(int(copy.sides[side][Decimal(key * shown.sign) / 10] * 10**8)
                       == shown.lots[key] for key in shown.keys[:depth])


def test_a_deep_market_fills_every_depth_and_moves_with_the_price():
    venue = VirtualExchange(switches=Switches(deep_book=1_100))
    clients = {depth: venue.connect() for depth in DEPTHS}
    for depth, client in clients.items():
        client.say(ask("book", "BTC/USD", depth=depth))
    market, copies = venue.face.markets[0], {depth: BookCopy("BTC/USD", depth) for depth in DEPTHS}
    for _ in range(3):
        told = venue.run(2.0, *clients.values())
        for copy, messages in zip(copies.values(), told, strict=True):
            for row in rows(messages, "book"):
                copy.apply(row)
            assert [len(side) for side in copy.sides] == [copy.depth, copy.depth]
    before = market.far_at[0][500]
    market.value = market.seen = market.value * 1.01
    venue.run(120.0)
    assert market.far_at[0][500] - before > 3_000


def test_fifty_symbols_trade_side_by_side():
    assert len(LISTINGS) == 50
    venue = VirtualExchange(symbols=tuple(LISTINGS))
    client = venue.connect()
    client.say(ask("book", *LISTINGS))
    client.say(ask("ticker", *LISTINGS, event_trigger="bbo"))
    client.say(ask("trade", *LISTINGS))
    [messages] = venue.run(2.0, client)
    assert [answer["success"] for answer in acks(messages)] == [True] * 150
    copies = {symbol: BookCopy(symbol, 10) for symbol in LISTINGS}
    for row in rows(messages, "book"):
        copies[row["symbol"]].apply(row)
    assert {row["symbol"] for row in rows(messages, "ticker")} == set(LISTINGS)
    assert len({row["symbol"] for row in rows(messages, "trade")}) > 25
    for book in copies.values():
        assert [len(side) for side in book.sides] == [10, 10]
        assert max(book.sides[0]) < min(book.sides[1])


@pytest.mark.parametrize("symbol", LISTINGS)
def test_a_listing_is_exact_and_its_crowd_keeps_a_book(symbol):
    listing = LISTINGS[symbol]
    assert listing.value_exponent <= 10, "value in 1e-10 is exact"
    value = Decimal(listing.lots_min * listing.start_ticks).scaleb(-listing.value_exponent)
    assert Decimal("0.5") <= value < 20
    market = SyntheticMarket(listing, 3)
    market.open(0)
    for _ in range(300):
        market.step(0)
        assert min(market.matcher.count(0), market.matcher.count(1)) >= 10
        assert 0 < market.matcher.best(0) < market.matcher.best(1)
