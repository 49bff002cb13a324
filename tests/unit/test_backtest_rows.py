"""Rows of events: hftbacktest's files, the order of events, and what is refused with its row."""

from __future__ import annotations

import gzip
import itertools
import os
import pathlib
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest import event_rows, numpy_file
from hftbot.backtest.data import CLEAR, DEPTH, SNAPSHOT, TRADE, open_rows
from hftbot.backtest.event_order import (
    correct_event_order,
    correct_local_timestamp,
    unfolded,
)
from hftbot.backtest.event_rows import (
    BOTH_FLAGS,
    BUY_FLAG,
    EVENT,
    EXCHANGE_FLAG,
    LOCAL_FLAG,
    SELL_FLAG,
    RowStore,
    bytes_of,
    rows_of,
)
from hftbot.errors import DataError

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
ORACLE = SHARED / "backtest_oracle" / "btcusdt.npz"
CAPTURES = SHARED / "data" / "hftbacktest_examples"
needs_shared = pytest.mark.skipif(not ORACLE.exists(), reason="recorded data is not here")

BID = BOTH_FLAGS | BUY_FLAG | DEPTH
ASK = BOTH_FLAGS | SELL_FLAG | DEPTH
TOOK = BOTH_FLAGS | BUY_FLAG | TRADE
GOOD = [(BID, 10, 20, 100.1, 0.5), (ASK, 10, 20, 100.2, 1.0), (TOOK, 15, 22, 100.2, 0.25),
        (BID, 30, 31, 100.1, 0.0)]


def saved(folder, rows, name="abc.npy"):
    """Path of a file with these rows."""
    path = folder / name
    numpy_file.write(path, rows if isinstance(rows, np.ndarray) else rows_of(rows))
    return path


# -- real files

@needs_shared
def test_a_capture_becomes_the_rows_that_another_program_made_of_it():
    theirs = open_rows(ORACLE)
    ours = open_rows(CAPTURES / "usdm_btcusdt_20240808.gz")
    assert (theirs.rows, theirs.symbol, theirs.format) == (491_973, "BTCUSDT", "hftbacktest")
    assert (ours.tick_size, ours.lot_size) == (theirs.tick_size, theirs.lot_size) \
        == (Decimal("0.1"), Decimal("0.001"))
    assert any("every receive time is moved by 1.273157 s" in note for note in ours.notes)
    assert (ours.symbol, ours.format) == ("BTCUSDT", "binance capture")
    first, second = (_stream(found.array, EXCHANGE_FLAG) for found in (theirs, ours))
    assert _same(first, second, ("exch_ts", "px", "qty"))
    # One message overtook the snapshot on its way here. It means something only after it, so we
    # give it the snapshot's receipt; they leave it before, where the snapshot undoes it.
    other = np.flatnonzero(first["local_ts"] != second["local_ts"])
    assert other.tolist() == list(range(2_000, 2_070))
    assert set(second["local_ts"][other]) == set(second["local_ts"][:2_000])
    first, second = (_stream(found.array, LOCAL_FLAG) for found in (theirs, ours))
    assert _same(first[2_000:], second[2_070:], ("exch_ts", "local_ts", "px", "qty"))


def _same(first, second, names):
    return all(np.array_equal(first[name], second[name]) for name in names) and np.array_equal(
        first["ev"] & 0x3FFFFFFF, second["ev"] & 0x3FFFFFFF)


def _stream(rows, flag):
    """What one side sees from the snapshot on, without the rows that clear."""
    seen = rows[(rows["ev"] & np.uint64(flag)) != 0]
    begin = np.flatnonzero((seen["ev"] & np.uint64(0xFF)) == SNAPSHOT)[0]
    seen = seen[begin:]
    return seen[(seen["ev"] & np.uint64(0xFF)) != CLEAR]


@needs_shared
def test_a_capture_that_continues_another_one_is_read_with_it(tmp_path):
    parts = [tmp_path / "first.gz", tmp_path / "second.raw"]
    with gzip.open(CAPTURES / "spot_ethusdt_20240808.gz") as source:
        parts[0].write_bytes(gzip.compress(b"".join(itertools.islice(source, 3_000)), 1))
        parts[1].write_bytes(b"".join(itertools.islice(source, 3_000)))
    with pytest.raises(DataError, match="no book to start from"):
        open_rows(parts[1])
    both, alone = open_rows(parts), open_rows(parts[0])
    assert not any("gaps" in note for note in both.notes)
    assert both.lot_size == Decimal("0.0001")
    assert both.rows > alone.rows
    assert both.last_ns > alone.last_ns
    parts[1].write_bytes(b"".join(parts[1].read_bytes().splitlines(True)[500:]))
    assert any("gaps" in note for note in open_rows(parts).notes)


# -- files of rows

def test_an_array_file_is_mapped_and_never_changed(tmp_path):
    path = saved(tmp_path, GOOD)
    found = open_rows(path)
    assert (found.symbol, found.tick_size, found.lot_size) == (
        "ABC", Decimal("0.1"), Decimal("0.25"))
    assert (found.first_ns, found.last_ns, found.rows) == (10, 31, 4)
    assert isinstance(found.array.base, memoryview)
    words = found.buffer.cast("q")
    assert (words[8 + 1], words[8 + 2], found.buffer.cast("d")[8 + 3]) == (10, 20, 100.2)
    with pytest.raises(ValueError, match="read-only"):
        found.array["px"][0] = 7.0
    assert np.array_equal(np.load(path), rows_of(GOOD))


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_numpy_reads_what_we_write_and_we_read_what_it_writes(tmp_path, name):
    rows = rows_of(GOOD)
    path = saved(tmp_path, rows, name)
    loaded = np.load(path)
    assert np.array_equal(loaded if name.endswith("npy") else loaded["data"], rows)
    other = tmp_path / ("b" + name)
    if name.endswith("npy"):
        np.save(other, rows)
    else:
        np.savez(other, data=rows)
    assert bytes(open_rows(other).buffer) == bytes(bytes_of(rows))


def test_rows_that_do_not_fit_go_to_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(event_rows.tempfile, "tempdir", str(tmp_path))
    store = RowStore(spill_bytes=200)
    parts = [rows_of([(BID, at, at, 1.0, float(at))]) for at in range(10)]
    for part in parts:
        store.add(part)
    rows = store.finished()
    assert isinstance(rows.base, np.memmap)
    assert np.array_equal(rows, np.concatenate(parts))
    assert list(tmp_path.iterdir()) == []


def test_files_that_follow_each_other_are_joined(tmp_path):
    later = [(flags, exch + 100, local + 100, price, size)
             for flags, exch, local, price, size in GOOD]
    first, second = saved(tmp_path, GOOD), saved(tmp_path, later, "def.npz")
    found = open_rows([first, second])
    assert (found.rows, found.symbol, found.last_ns) == (8, "ABC", 131)
    assert np.array_equal(found.array, rows_of(GOOD + later))
    with pytest.raises(DataError, match=r"abc\.npy: row 0: exch_ts goes backwards"):
        open_rows([second, first])


def test_files_of_two_formats_are_not_joined(tmp_path):
    text = tmp_path / "capture"
    text.write_text("1 {}\n")
    with pytest.raises(DataError, match="different formats"):
        open_rows([saved(tmp_path, GOOD), text])


def changed(row, **columns):
    """GOOD with one row changed."""
    rows = rows_of(GOOD)
    for name, value in columns.items():
        rows[name][row] = value
    return rows


@pytest.mark.parametrize(("rows", "message"), [
    (changed(3, exch_ts=14), "row 3: exch_ts goes backwards, from 15 to 14"),
    (changed(3, exch_ts=16, local_ts=21), "row 3: local_ts goes backwards, from 22 to 21"),
    (changed(2, local_ts=14), "row 2: local_ts 14 is before exch_ts 15"),
    (changed(1, px=float("nan")), "row 1: price nan is not a number >= 0"),
    (changed(1, px=float("inf")), "row 1: price inf"),
    (changed(2, qty=-0.25), "row 2: size -0.25 is not a number >= 0"),
    (changed(2, px=-1.0), "row 2: price -1.0 is not a number >= 0"),
    (changed(0, exch_ts=-5), "row 0: exch_ts -5"),
    (changed(3, local_ts=1 << 62 | 1), "row 3: exch_ts 30 or local_ts"),
    (changed(1, ev=BOTH_FLAGS | 7), "row 1: kind 7 of ev is unknown"),
    (changed(1, ev=SELL_FLAG | DEPTH), r"row 1: ev 0x10000001 is valid neither"),
    (changed(1, px=100 / 3), r"row 1: price 33\.3+\d* is on no grid"),
    (changed(3, px=1e15), r"row 3: price 1000000000000000\.0 is on no grid"),
    (changed(slice(None), ev=TOOK), "none of its rows is a depth row"),
    (rows_of([]), "it holds no rows"),
])
@pytest.mark.parametrize("name", ["abc.npy", "abc.npz"])
def test_bad_rows_are_named(tmp_path, rows, message, name):
    path = saved(tmp_path, rows, name)
    with pytest.raises(DataError, match=message) as caught:
        open_rows(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_rows_are_named_across_chunks(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("hftbot.backtest.row_checks.CHUNK_ROWS", chunk)
    with pytest.raises(DataError, match="row 3: exch_ts goes backwards"):
        open_rows(saved(tmp_path, changed(3, exch_ts=14)))
    assert open_rows(saved(tmp_path, GOOD)).lot_size == Decimal("0.25")


def test_files_that_are_cut_off_say_where(tmp_path):
    plain = saved(tmp_path, GOOD)
    plain.write_bytes(plain.read_bytes()[:-70])
    with pytest.raises(DataError, match="row 2: the file is cut off: its header tells of 4 rows"):
        open_rows(plain)
    packed = tmp_path / "cut.npz"
    noise = np.random.default_rng(1).integers(0, 255, 200_000 * 64, np.uint8).view(EVENT)
    numpy_file.write(packed, noise)
    whole = bytearray(packed.read_bytes())
    whole[len(whole) // 2:len(whole) // 2 + 64] = bytes(64)
    packed.write_bytes(whole)
    with pytest.raises(DataError, match=r"row \d+: the array is cut off or damaged from there on"):
        open_rows(packed)
    for save in (np.savez, np.savez_compressed):
        save(packed, data=np.tile(rows_of(GOOD), 10_000))
        whole = packed.read_bytes()
        packed.write_bytes(whole[:len(whole) // 2])
        with pytest.raises(DataError, match=r"row \d+: the file is cut off: the rows") as told:
            open_rows(packed)
        row = int(str(told.value).split("row ")[1].split(":")[0])
        assert 15_000 < row < 25_000


@pytest.mark.parametrize(("array", "message"), [
    (np.zeros(3, [("ev", "<u8"), ("exch_ts", "<i8")]), "it lacks local_ts, px, qty"),
    (np.zeros(3, [(name, "<f4" if name == "px" else EVENT[name]) for name in EVENT.names]),
     "px is float32 and should be float64"),
    (np.zeros((3, 2), EVENT), r"shape \(3, 2\)"), (np.zeros(3), "fields none"),
])
def test_arrays_of_another_kind_are_refused(tmp_path, array, message):
    path = tmp_path / "other.npy"
    np.save(path, array)
    with pytest.raises(DataError, match=message):
        open_rows(path)


def test_no_file_and_a_wrong_grid(tmp_path):
    with pytest.raises(DataError, match="no file was given"):
        open_rows([])
    with pytest.raises(DataError, match=r"row 0: price is not a multiple of 0\.25"):
        open_rows(saved(tmp_path, GOOD), tick_size=Decimal("0.25"))
    found = open_rows(saved(tmp_path, GOOD), tick_size=Decimal("0.05"), lot_size=Decimal("0.001"))
    assert (found.tick_size, found.lot_size) == (Decimal("0.05"), Decimal("0.001"))


def test_a_pause_and_odd_sizes_are_noted(tmp_path):
    rows = [(BID, at, at + 1, 100.0, 1.0) for at in range(2_000)]
    rows[7] = (BID, 7, 8, 100.0, 0.123)
    rows += [(BID, 70 * 10**9, 70 * 10**9 + 5, 100.0, 1.0)]
    found = open_rows(saved(tmp_path, rows))
    assert found.lot_size == 1
    assert "1 sizes (first in row 7) are no multiple of the lot 1" in found.notes[0]
    assert "the longest, 70 s, ends with row 2000 of abc.npy" in found.notes[1]


# -- order

STAMPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=24)


@given(STAMPS)
def test_the_order_agrees_with_the_merge_as_it_is_described(stamps):
    rows = rows_of([(BUY_FLAG | DEPTH, exch, local, 1.0, float(at))
                    for at, (exch, local) in enumerate(stamps)])
    made = correct_event_order(rows)
    assert [(int(row["ev"]), row["qty"]) for row in made] == [
        (flags | BUY_FLAG | DEPTH, float(at)) for flags, at in _merged(stamps)]


def _merged(stamps):
    """The rows sorted by either time; equal heads are one row, else the earlier made goes."""
    made = sorted(range(len(stamps)), key=lambda at: (*stamps[at], at))
    received = sorted(range(len(stamps)), key=lambda at: (stamps[at][1], at))
    while made or received:
        if made and received and made[0] == received[0]:
            yield BOTH_FLAGS, made.pop(0)
            received.pop(0)
        elif made and (*stamps[made[0]], made[0]) < (*stamps[received[0]], received[0]):
            yield EXCHANGE_FLAG, made.pop(0)
        else:
            yield LOCAL_FLAG, received.pop(0)


@given(STAMPS)
def test_either_side_sees_every_row_once_in_its_own_time(stamps):
    rows = rows_of([(DEPTH | BUY_FLAG, exch, local, 1.0, float(at))
                    for at, (exch, local) in enumerate(stamps)])
    made = correct_event_order(rows)
    for flag, name in ((EXCHANGE_FLAG, "exch_ts"), (LOCAL_FLAG, "local_ts")):
        seen = made[(made["ev"] & np.uint64(flag)) != 0]
        assert sorted(seen["qty"]) == list(range(len(stamps)))
        assert np.all(np.diff(seen[name]) >= 0)
    back = unfolded(made)
    assert np.array_equal(back["local_ts"], np.sort(rows["local_ts"]))
    assert np.array_equal(correct_event_order(back)["exch_ts"], made["exch_ts"])


def test_receive_times_move_only_if_one_is_before_its_making():
    rows = rows_of([(BID, 100, 90, 1.0, 1.0), (BID, 110, 115, 1.0, 1.0)])
    assert correct_local_timestamp(rows, 3) == 13
    assert rows["local_ts"].tolist() == [103, 128]
    assert correct_local_timestamp(rows, 50) == 0
    assert rows["local_ts"].tolist() == [103, 128]
    assert correct_local_timestamp(rows_of([]), 5) == 0


def test_a_broken_order_is_repaired_when_asked_for(tmp_path):
    path = saved(tmp_path, changed(3, exch_ts=14))
    found = open_rows(path, repair=True)
    assert found.rows == 5
    assert found.array["ev"].tolist()[2:4] == [
        EXCHANGE_FLAG | BUY_FLAG | DEPTH, TOOK]
    again = open_rows(saved(tmp_path, found.array, "again.npy"), repair=True)
    assert np.array_equal(again.array, found.array)
    early = open_rows(saved(tmp_path, changed(2, local_ts=14)), repair=True, base_latency_ns=2)
    assert any("every receive time is moved" in note for note in early.notes)
    assert (early.array["local_ts"] - early.array["exch_ts"]).min() == 2
