"""The words of a backtest's flags become models, or an error that says what is allowed."""

import types

import numpy as np
import pytest

from fastcore.sim import model_codes as kinds
from fastcore.sim import queue as queues
from hftbot.app import backtest_models as models
from hftbot.backtest.latency_rows import feed_latency_rows, read_latency_rows
from hftbot.backtest.market import instrument_of, market_of
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


def latency(text, venue="", rows=None):
    """The latency model of a text, and one made of it."""
    choice = models.latency_choice(text, Settings(), venue, rows)
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


def test_the_feeds_latency_becomes_the_orders():
    array = np.zeros(40, np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8")]))
    array["ev"] = 3 << 30
    array["ev"][::4] = 1 << 30
    array["exch_ts"] = np.arange(40) * 100 * MS
    array["local_ts"] = array["exch_ts"] + 3 * MS
    sent, reached, answered = feed_latency_rows(types.SimpleNamespace(array=array, symbol="X"), 2.0)
    assert [ns // SECOND_NS for ns in sent] == [0, 1, 2, 3]
    assert {there - ns for there, ns in zip(reached, sent, strict=True)} == {6 * MS}
    assert {back - there for back, there in zip(answered, reached, strict=True)} == {6 * MS}
    _choice, made = latency("feed:2", rows=types.SimpleNamespace(array=array, symbol="X"))
    assert made.entry(2 * SECOND_NS) == 6 * MS
    array["ev"] = 1 << 30
    with pytest.raises(DataError, match="no row has both"):
        feed_latency_rows(types.SimpleNamespace(array=array, symbol="X"))


def latency_file(path, rows):
    np.savez(path, data=np.array(rows, np.dtype(
        [("req_ts", "<i8"), ("exch_ts", "<i8"), ("resp_ts", "<i8"), ("_padding", "<i8")])))
    return path


def test_recorded_orders_are_read_from_a_file(tmp_path):
    path = latency_file(tmp_path / "orders.npz", [(10, 13, 18, 0), (20, 25, 29, 0)])
    assert read_latency_rows(path) == ([10, 20], [13, 25], [18, 29])
    choice, made = latency(str(path))
    assert (made.entry(10), made.entry(15), made.entry(20)) == (3, 4, 5)
    assert "2 orders of orders.npz" in choice.text


@pytest.mark.parametrize(("rows", "words"), [
    ([(10, 13, 18, 0), (9, 25, 29, 0)], "row 1.*before the row above"),
    ([(10, 9, 18, 0)], "row 0"), ([(10, 13, 12, 0)], "row 0"), ([], "holds no rows"),
])
def test_recorded_orders_that_cannot_be_name_their_row(tmp_path, rows, words):
    path = latency_file(tmp_path / "orders.npz", rows)
    with pytest.raises(DataError, match=rf"orders\.npz.*{words}"):
        read_latency_rows(path)


def test_what_holds_no_latency_rows_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04cut")
    for name, words in (("a.npy", "req_ts is missing"), ("b.npz", "cannot be read")):
        with pytest.raises(DataError, match=words):
            read_latency_rows(tmp_path / name)


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
