"""Tardis CSV, Parquet and rows of order latency."""

from __future__ import annotations

import gzip
import os
import pathlib
from decimal import Decimal

import numpy as np
import pytest

from fastcore.lane import desk
from fastcore.money.journal import Journal
from hftbot.backtest import order_latency, parquet_file
from hftbot.backtest.data import CLEAR, DEPTH, SNAPSHOT, TRADE, open_rows
from hftbot.backtest.event_rows import BOTH_FLAGS, BUY_FLAG, LOCAL_FLAG, rows_of
from hftbot.errors import ConfigError, DataError

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
LATENCIES = SHARED / "backtest_oracle" / "lat_btcusdt.npz"
BEGIN_US = 1_700_000_000_000_000
BID = BOTH_FLAGS | BUY_FLAG | DEPTH
BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"


def table(folder, name, header, *rows):
    """Path of a CSV; each row begins with the microseconds of making and of receipt."""
    path = folder / name
    lines = [header, *(f"bitmex,{row[2]},{BEGIN_US + row[0]},{BEGIN_US + row[1]},"
                       + ",".join(str(cell) for cell in row[3:]) for row in rows)]
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return path


def plainly(found):
    """(kind, side, price, size) of every row seen here."""
    return [(int(row["ev"]) & 0xFF, 0 if int(row["ev"]) & BUY_FLAG else 1, row["px"], row["qty"])
            for row in found.array if int(row["ev"]) & LOCAL_FLAG]


# -- Tardis

def book_file(folder, name="book.csv.gz"):
    """A snapshot, a change, another snapshot."""
    return table(folder, name, BOOK,
                 (0, 5, "XBTUSD", "false", "bid", 99, 7),
                 (10, 20, "XBTUSD", "true", "bid", 100.5, 3),
                 (10, 20, "XBTUSD", "true", "ask", 101, 4),
                 (30, 41, "XBTUSD", "false", "ask", 101, 0),
                 (30, 41, "XBTUSD", "false", "ask", 101.5, 2),
                 (50, 60, "XBTUSD", "true", "bid", 100.5, 3),
                 (50, 60, "XBTUSD", "true", "ask", 102, 4))


def test_tardis_books_and_trades_are_put_together(tmp_path):
    trades = table(tmp_path, "trades.csv", TRADES, (28, 41, "XBTUSD", "a", "buy", 101, 1),
                   (29, 42, "XBTUSD", "b", "unknown", 101, 1),
                   (44, 55, "XBTUSD", "c", "sell", 100.5, 2))
    found = open_rows([book_file(tmp_path), trades])
    assert plainly(found) == [
        *plainly(found)[:2], (SNAPSHOT, 0, 100.5, 3.0), (SNAPSHOT, 1, 101.0, 4.0),
        (TRADE, 0, 101.0, 1.0), (DEPTH, 1, 101.0, 0.0), (DEPTH, 1, 101.5, 2.0),
        (TRADE, 1, 100.5, 2.0), (DEPTH, 1, 101.5, 0.0), (DEPTH, 1, 102.0, 4.0)]
    assert [row[0] for row in plainly(found)[:2]] == [CLEAR, CLEAR]
    assert (found.symbol, found.format, found.tick_size) == (
        "XBTUSD", "tardis csv", Decimal("0.5"))
    assert found.first_ns == (BEGIN_US + 10) * 1_000
    assert found.last_ns == (BEGIN_US + 60) * 1_000
    assert found.notes == ("1 book rows before the first snapshot are left out",
                           "1 trades without a side are left out")


@pytest.mark.parametrize(("row", "why"), [
    ((1, 2, "XBTUSD", "true", "up", 1, 1), "side 'up' is neither bid nor ask"),
    ((1, 2, "XBTUSD", "maybe", "bid", 1, 1), "is_snapshot 'maybe' is neither true nor false"),
    ((1, 2, "XBTUSD", "true", "bid", "nan", 1), "price 'nan' is not a number >= 0"),
    ((1, 2, "XBTUSD", "true", "bid", 1, -1), "size '-1' is not a number >= 0"),
    ((1, 2, "ETHUSD", "true", "bid", 1, 1), "holds more than one market, XBTUSD and ETHUSD"),
    ((1, 2, "XBTUSD", "true", "bid", 1), "7 columns and not 8"),
    ((-2 * BEGIN_US, 2, "XBTUSD", "true", "bid", 1, 1), "is not a time in microseconds")])
def test_a_bad_line_of_tardis_is_named(tmp_path, row, why):
    path = table(tmp_path, "book.csv", BOOK, (0, 1, "XBTUSD", "true", "bid", 99, 7), row)
    with pytest.raises(DataError, match=why) as caught:
        open_rows(path)
    assert f"{path}: line 3: " in str(caught.value)


def test_tardis_files_of_another_kind_or_market(tmp_path):
    with pytest.raises(DataError, match="line 1: the columns are neither"):
        open_rows(table(tmp_path, "a.csv", "exchange,symbol,timestamp,local_timestamp,mark_price"))
    with pytest.raises(DataError, match=r"no rows of ETHUSD \(markets seen: XBTUSD\)"):
        open_rows(book_file(tmp_path), symbol="ETHUSD")


# -- Parquet

def test_parquet_keeps_rows_market_and_grid(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    found = open_rows(book_file(tmp_path), lot_size=Decimal("0.25"))
    path = tmp_path / "rows.parquet"
    parquet_file.write(path, found)
    again = open_rows(path)
    assert bytes(again.buffer) == bytes(found.buffer)
    assert (again.symbol, again.tick_size, again.lot_size, again.format) == (
        "XBTUSD", Decimal("0.5"), Decimal("0.25"), "tardis csv, parquet")
    assert again.notes == found.notes
    parquet_file.write(path, again)
    assert open_rows(path).format == "tardis csv, parquet"


def test_bad_parquet_is_named(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    import pyarrow.parquet as files
    path = tmp_path / "other.parquet"
    files.write_table(arrow.table({"ev": arrow.array([1, 2], arrow.uint64()),
                                   "px": [1.0, 2.0]}), path)
    with pytest.raises(DataError, match="it lacks exch_ts"):
        open_rows(path)
    rows = rows_of([(BID, 1, 2, 1.0, 1.0)] * 3)
    columns = {name: arrow.array(rows[name]) for name in rows.dtype.names}
    files.write_table(arrow.table({**columns, "px": arrow.array([1.0, None, 1.0])}), path)
    with pytest.raises(DataError, match="row 1: px is missing"):
        open_rows(path)
    files.write_table(arrow.table({**columns, "px": arrow.array(["a", "b", "c"])}), path)
    with pytest.raises(DataError, match="column px is string and should be float64"):
        open_rows(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_rows(path)


def test_parquet_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"pip install 'hftbot\[parquet\]'"):
        open_rows(path)


# -- order latency

def test_order_latency_guessed_from_the_feed():
    second = 1_000_000_000
    rows = rows_of([(BID, 10, 30, 1.0, 1.0), (BID, 50, 90, 1.0, 1.0),
                    (LOCAL_FLAG | BUY_FLAG | DEPTH, 0, 95, 1.0, 1.0),
                    (BID, second, second + 7, 1.0, 1.0), (BID, 3 * second, 3 * second + 9, 1., 1.)])
    made = order_latency.from_feed(rows, 2.0, 3.0, 1, 5)
    assert made["req_ts"].tolist() == [90, second + 7, 3 * second + 9]
    assert (made["exch_ts"] - made["req_ts"]).tolist() == [81, 15, 19]
    assert (made["resp_ts"] - made["exch_ts"]).tolist() == [125, 26, 32]


def journal_of(folder, *records):
    """A state directory whose one run has these records of (kind, eight words)."""
    (folder / "journal").mkdir()
    journal = Journal(folder / "journal" / "run-00001.journal", 1 << 16, b"hftbot 0 run 1")
    for kind, words in records:
        journal.append_words(kind, *words)
    journal.close()
    return folder


def test_order_latency_measured_on_the_orders_of_a_state_directory(tmp_path):
    state = journal_of(
        tmp_path, (desk.KIND_ORDER, (7, 0, 1, 1, 100, 110, 0, 0)),
        (desk.KIND_ORDER, (8, 0, 1, 1, 100, 120, 0, 0)),
        (desk.KIND_ACK, (8, 0, 0, 0, 0, 0, 160, 0)), (desk.KIND_ACK, (7, 0, 0, 0, 0, 0, 190, 0)),
        (desk.KIND_ACK, (7, 0, 0, 0, 0, 0, 400, 0)), (desk.KIND_ORDER, (9, 0, 1, 1, 0, 500, 0, 0)))
    made = order_latency.from_state(state)
    assert made["req_ts"].tolist() == [110_000, 120_000]
    assert made["exch_ts"].tolist() == [150_000, 150_000]
    assert made["resp_ts"].tolist() == [190_000, 190_000]


def test_a_state_directory_without_answers_is_refused(tmp_path):
    with pytest.raises(DataError, match="no order of its journals was answered"):
        order_latency.from_state(journal_of(tmp_path))


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_order_latency_is_written_and_read(tmp_path, name):
    made = order_latency.from_feed(rows_of([(BID, 10, 30, 1.0, 1.0)]))
    order_latency.write(tmp_path / name, made)
    assert np.array_equal(order_latency.read(tmp_path / name), made)


@pytest.mark.parametrize(("rows", "why"), [
    ([(5, 6, 7), (4, 6, 8)], "row 1: req_ts goes backwards"),
    ([(5, 6, 7), (6, 5, 8)], "row 1: its three times are out of order"),
    ([(5, 8, 7)], "row 0: its three times are out of order"), ([], "not rows of order latency")])
def test_bad_order_latency_is_named(tmp_path, rows, why):
    made = np.zeros(len(rows), order_latency.LATENCY)
    for at, row in enumerate(rows):
        made[at] = (*row, 0)
    order_latency.write(tmp_path / "a.npy", made)
    with pytest.raises(DataError, match=why):
        order_latency.read(tmp_path / "a.npy")


def test_other_files_are_no_order_latency(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(DataError, match="cannot be read as rows of order latency"):
        order_latency.read(path)
    np.savez(path, other=np.zeros(2))
    with pytest.raises(DataError, match="no array named 'data' in it"):
        order_latency.read(path)


@pytest.mark.skipif(not LATENCIES.exists(), reason="recorded data is not here")
def test_real_order_latency_opens():
    assert len(order_latency.read(LATENCIES)) == 1_379
