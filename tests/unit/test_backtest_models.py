"""The words of a backtest's flags become models, or an error that says what is allowed."""

import types

import numpy as np
import pytest

from fastcore.sim import model_codes as kinds
from fastcore.sim import queue as queues
from hftbot.app import backtest_models as models
from hftbot.backtest.event_rows import EVENT
from hftbot.backtest.market import instrument_of, market_of
from hftbot.backtest.order_latency import LATENCY
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, DataError

MS = 1_000_000
SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(("text", "kind", "maker", "taker"), [
    ("free", kinds.PER_VALUE, 0.0, 0.0),
    ("kraken", kinds.PER_VALUE, 0.0025, 0.0040),
    ("250k", kinds.PER_VALUE, 0.0010, 0.0020),
    ("maker=-0.5,taker=7", kinds.PER_VALUE, -0.00005, 0.0007),
    ("2, 5.5", kinds.PER_VALUE, 0.0002, 0.00055),
    ("qty:maker=0.01,taker=0.02", kinds.PER_QUANTITY, 0.01, 0.02),
    ("flat:1,2", kinds.FLAT, 1.0, 2.0),
    ("polymarket", kinds.CURVE, 0.0, 0.07),
    ("polymarket:0.05", kinds.CURVE, 0.0, 0.05),
])
def test_fees_are_what_they_say(text, kind, maker, taker):
    choice = models.fee_choice(text, "BTC/USD")
    assert (choice.model.kind, choice.model.maker, choice.model.taker) == pytest.approx(
        (kind, maker, taker))
    expected = (round(maker * 1e6), round(taker * 1e6)) if kind == kinds.PER_VALUE else (0, 0)
    assert choice.rates_e6 == expected


@pytest.mark.parametrize("text", ["", "cheap", "1", "maker=x,taker=1", "nan,1", "1,2,3", "qty:1",
                                  "polymarket:x", "maker=9999,taker=9999", "inf,inf"])
def test_other_fees_are_refused_with_what_there_is(text):
    with pytest.raises(ConfigError, match=r"--fees.*maker=-0\.5,taker=7"):
        models.fee_choice(text, "BTC/USD")


@pytest.mark.parametrize(("text", "kind", "power"), [
    ("risk-averse", queues.RISK_AVERSE, 3.0), ("log-prob2", queues.LOG_PROB2, 3.0),
    ("power-prob", queues.POWER_PROB, 3.0), ("power-prob3:0.25", queues.POWER_PROB3, 0.25),
])
def test_queues_are_what_they_say(text, kind, power):
    choice = models.queue_choice(text)
    assert (choice.kind, choice.power) == (kind, power)


@pytest.mark.parametrize(("text", "words"), [
    ("power-prop:3", "did you mean power-prob"), ("zzz", "one of: risk-averse"),
    ("power-prob:0", "above 0"), ("power-prob:x", "above 0"), ("log-prob:2", "above 0"),
])
def test_other_queues_are_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        models.queue_choice(text)


def latency(text, venue="", data=None):
    """The latency model of a text, and one made of it."""
    choice = models.latency_choice(text, Settings(), venue, data)
    return choice, choice.make()


@pytest.mark.parametrize(("text", "venue", "entry_ns", "response_ns", "jitter_ns"), [
    ("5ms/7ms", "", 5 * MS, 7 * MS, 0), ("5ms", "", 5 * MS, 5 * MS, 0),
    ("0.5ms/900us/10us", "", 500_000, 900_000, 10_000), ("0/0", "", 0, 0, 0),
    ("venue", "", 5 * MS, 5 * MS, 0), ("venue", "binance", 5 * MS, 5 * MS, MS),
    ("kraken", "binance", 2_500_000, 1_500_000, 250_000),
    ("venue", "kraken", 2_500_000, 1_500_000, 250_000),
])
def test_latencies_are_what_they_say(text, venue, entry_ns, response_ns, jitter_ns):
    choice, made = latency(text, venue)
    for _ in range(50):
        assert abs(made.entry(SECOND_NS) - entry_ns) <= jitter_ns
        assert abs(made.response(SECOND_NS) - response_ns) <= jitter_ns
    assert not choice.in_core
    again = choice.make()
    assert [choice.make().entry(1) for _ in range(3)] == [again.entry(1)] * 3


def test_the_presets_say_that_no_network_is_in_them():
    choice, made = latency("pessimistic")
    assert choice.in_core
    assert "no network" in choice.text
    assert 0 < made.entry(1) < 1000


@pytest.mark.parametrize(("text", "words"), [
    ("5", "need a unit"), ("5ms/x", "need a unit"), ("1ms/1ms/1ms/1ms", "need a unit"),
    ("1ms/1ms/2ms", "jitter"), ("nowhere.npz", "no latency and no file"),
    ("feed:0", "factor"), ("feed:x", "factor"), ("fast", "no latency and no file"),
])
def test_other_latencies_are_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        latency(text)


def feed(count=40):
    """Data whose events took 3 ms to come here, ten a second; every fourth is not both-sided."""
    array = np.zeros(count, EVENT)
    array["ev"] = 3 << 30
    array["ev"][::4] = 1 << 30
    array["exch_ts"] = np.arange(count) * 100 * MS
    array["local_ts"] = array["exch_ts"] + 3 * MS
    return types.SimpleNamespace(array=array, symbol="X", first_ns=0, last_ns=4 * SECOND_NS)


def test_the_feeds_latency_becomes_the_orders():
    choice, made = latency("feed:2", data=feed())
    assert "4 points" in choice.text
    assert made.entry(2 * SECOND_NS) == made.response(2 * SECOND_NS) == 6 * MS
    data = feed()
    data.array["ev"] = 1 << 30
    with pytest.raises(DataError, match="no row has both"):
        latency("feed", data=data)


def latency_file(path, rows):
    np.savez(path, data=np.array(rows, LATENCY))
    return path


def test_recorded_orders_are_read_from_a_file(tmp_path):
    path = latency_file(tmp_path / "orders.npz", [(10, 13, 18, 0), (20, 25, 29, 0)])
    choice, made = latency(str(path), data=feed())
    assert (made.entry(10), made.entry(15), made.entry(20)) == (3, 4, 5)
    assert choice.text.endswith("2 orders of orders.npz")


def test_orders_of_another_time_are_laid_over_the_data(tmp_path):
    far, second = 900 * SECOND_NS, SECOND_NS
    path = latency_file(tmp_path / "orders.npz", [
        (far, far + 3, far + 8, 0), (far + second // 2, 0, far + second // 2 + 9, 0),
        (far + second, far + second + 5, far + second + 9, 0)])
    choice, made = latency(str(path), data=feed())
    assert "laid over the data" in choice.text
    # The rows take a second and 10 ns, again and again.
    assert [made.entry(ns) for ns in (0, second // 2, second, second + 10, 3 * second,
                                      3 * second + 20)] == [-8, -9, 5, -8, -9, 5]


@pytest.mark.parametrize(("rows", "words"), [
    ([(10, 13, 18, 0), (9, 25, 29, 0)], "row 1"), ([(10, 9, 18, 0)], "row 0"), ([], "not rows"),
])
def test_recorded_orders_that_cannot_be_name_their_row(tmp_path, rows, words):
    path = latency_file(tmp_path / "orders.npz", rows)
    with pytest.raises(DataError, match=rf"orders\.npz.*{words}"):
        latency(str(path), data=feed())


def test_a_directory_without_journals_tells_no_latency(tmp_path):
    with pytest.raises(DataError, match="no order of its journals"):
        latency(str(tmp_path), data=feed())


@pytest.mark.parametrize(("symbol", "pair"), [
    ("BTCUSDT", ("BTC", "USDT")), ("btc-usd", ("BTC", "USD")), ("XBT/EUR", ("XBT", "EUR")),
    ("ETHBTC", ("ETH", "BTC")), ("ESH4", ("ESH4", "")), ("USDT", ("USDT", "")),
])
def test_a_symbol_is_split_into_base_and_quote(symbol, pair):
    assert market_of(symbol) == pair


@pytest.mark.parametrize(("tick", "lot", "price", "size"), [
    ("0.1", "0.001", "60000.1", "0.012"), ("0.5", "10", "60000.5", "120"),
    ("25", "1", "600025", "12"), ("0.00001", "0.00000001", "0.06001", "0.00000012"),
])
def test_an_instrument_has_the_grid_of_the_data(tick, lot, price, size):
    from decimal import Decimal
    grid = instrument_of(0, "BTCUSDT", Decimal(tick), Decimal(lot))
    assert grid.symbol == "BTC/USDT"
    ticks, lots = grid.ticks(price), grid.lots(size)
    assert (grid.price_text(ticks), grid.qty_text(lots)) == (price, size)
    assert (ticks, lots) == (int(Decimal(price) / Decimal(tick)), int(Decimal(size) / Decimal(lot)))
