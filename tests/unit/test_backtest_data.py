"""Opening recorded data: the two real files, small ones made here, and files that are not."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import pathlib
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest.data import CLEAR, DEPTH, SNAPSHOT, TRADE, open_events
from hftbot.backtest.grid import Grid, exact_units, grid_step, step_decimal
from hftbot.errors import DataError

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
ORACLE = SHARED / "backtest_oracle" / "btcusdt.npz"
CAPTURES = SHARED / "data" / "hftbacktest_examples"
needs_shared = pytest.mark.skipif(not ORACLE.exists(), reason="recorded data is not here")

EVENT = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                  ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
EXCHANGE, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28


# -- real files

@needs_shared
def test_the_array_file_opens_on_its_grid():
    found = open_events(ORACLE)
    assert (found.tick_size, found.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert (found.symbol, found.span_ns) == ("BTCUSDT", 344_756_000_000)
    assert found.rows == 466_836
    assert next(found.events()) == (1_723_161_256_298_000_000, DEPTH, 0, 587_102, 14)


@needs_shared
def test_the_capture_gives_the_very_rows_of_the_array_file():
    """Another program made the array file of this capture: from the snapshot on they agree."""
    rows = list(open_events(ORACLE).events())
    first = next(place for place, row in enumerate(rows) if row[1] == SNAPSHOT)
    theirs = [row for row in rows[first:] if row[1] != CLEAR]
    capture = open_events(CAPTURES / "usdm_btcusdt_20240808.gz")
    ours = list(capture.events())
    assert ours[:2] == [(ours[0][0], CLEAR, 0, 0, 0), (ours[0][0], CLEAR, 1, 0, 0)]
    assert ours[2:] == theirs
    assert (capture.tick_size, capture.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert (capture.gaps, capture.late, capture.rounded) == (0, 0, 0)
    assert capture.span_ns == ours[-1][0] - ours[0][0]


@needs_shared
@pytest.mark.parametrize(("name", "tick", "lot", "rows"), [
    ("spot_btcusdt_20240808.gz", "0.01", "0.00001", 135_831),
    ("cm_ethusd_perp_20240808.gz", "0.01", "1", 197_405)])
def test_other_captures_open(name, tick, lot, rows):
    capture = open_events(CAPTURES / name)
    assert (capture.tick_size, capture.lot_size) == (Decimal(tick), Decimal(lot))
    count, last_ns = 0, 0
    for row in capture.events():
        assert row[0] >= last_ns
        last_ns = row[0]
        count += 1
    assert count >= rows
    assert (capture.gaps, capture.late) == (0, 0)
    assert capture.rounded < 10


@needs_shared
@pytest.mark.parametrize(("path", "message"), [
    (CAPTURES / "spot_btcusdt_20240809.gz", "no depth snapshot"),
    (SHARED / "backtest_oracle" / "lat_btcusdt.npz", "lacks ev, px, qty"),
    (SHARED / "README.md", "line 1: does not begin with a receive time")])
def test_real_files_of_another_kind_are_refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        open_events(path)
    assert str(path) in str(caught.value)


@needs_shared
def test_a_capture_of_another_venue_opens_too():
    found = open_events(CAPTURES / "hyperliquid_btcusd_20250126.gz")
    assert (found.symbol, found.format, found.tick_size) == (
        "BTC", "hyperliquid capture", Decimal("1"))
    rows = list(found.events())
    assert [row[1] for row in rows[:3]] == [CLEAR, CLEAR, SNAPSHOT]
    assert rows[2][2:] == (0, 105_055, 303_622)
    assert all(first[0] <= second[0] for first, second in itertools.pairwise(rows))


# -- captures made here

def depth(first, last, bids=(), asks=(), at=1_000, before=None):
    """One depth message; ``before`` is pu, which only futures have."""
    data = {"e": "depthUpdate", "E": at + 1, "T": at, "s": "ABC", "U": first, "u": last,
            "b": [list(level) for level in bids], "a": [list(level) for level in asks]}
    if before is None:
        del data["T"]
        data["E"] = at
    else:
        data["pu"] = before
    return {"stream": "abc@depth", "data": data}


def trade(price, size, at=1_000, maker=False):
    """One trade message."""
    return {"stream": "abc@trade", "data": {"e": "trade", "E": at, "T": at, "s": "ABC", "t": 1,
                                            "p": price, "q": size, "m": maker}}


def snapshot(update_id, at=1_000):
    """A book of two levels a side, on a grid of 0.1 and 0.001."""
    return {"lastUpdateId": update_id, "E": at, "T": at,
            "bids": [["100.1", "0.001"], ["100.0", "2.500"]],
            "asks": [["100.2", "0.013"], ["100.3", "7.000"]]}


def capture(folder, *messages, pack=True, tail=b""):
    """A capture file of these messages (bytes are taken as lines)."""
    lines = [one if isinstance(one, bytes) else f"17000000000000000{n:02d} {json.dumps(one)}"
             .encode() for n, one in enumerate(messages)]
    path = folder / "abc.gz"
    text = b"\n".join(lines) + b"\n" + tail
    path.write_bytes(gzip.compress(text) if pack else text)
    return path


def rows_of(path):
    """All rows with the time in milliseconds."""
    return [(row[0] // 1_000_000, *row[1:]) for row in open_events(path).events()]


BOOK = [(1_000, CLEAR, 0, 0, 0), (1_000, CLEAR, 1, 0, 0), (1_000, SNAPSHOT, 0, 1_001, 1),
        (1_000, SNAPSHOT, 0, 1_000, 2_500), (1_000, SNAPSHOT, 1, 1_002, 13),
        (1_000, SNAPSHOT, 1, 1_003, 7_000)]


@pytest.mark.parametrize("pack", [True, False])
def test_futures_depth_around_the_snapshot(tmp_path, pack):
    path = capture(
        tmp_path,
        depth(1, 4, [("100.1", "9")], at=900, before=0),
        depth(5, 12, [("100.1", "0")], at=1_001, before=4),
        {"stream": "abc@bookTicker", "data": {"e": "bookTicker", "b": "oops"}},
        {"result": None, "id": 1},
        trade("100.2", "0.002", at=990), trade("100.2", "0.003", at=1_003),
        snapshot(10),
        depth(6, 9, [("100.0", "1")], at=1_001, before=4),
        depth(13, 15, asks=[("100.2", "0.5")], at=1_002, before=12), pack=pack)
    assert rows_of(path) == [*BOOK, (1_001, DEPTH, 0, 1_001, 0), (1_002, DEPTH, 1, 1_002, 500),
                             (1_003, TRADE, 0, 1_002, 3)]
    assert open_events(path).symbol == "ABC"


def test_futures_depth_that_ends_with_the_snapshot_joins_it(tmp_path):
    found = open_events(capture(
        tmp_path, snapshot(10), depth(9, 10, [("100.1", "0.002")], at=1_001, before=8),
        depth(11, 11, [("100.1", "0.003")], at=1_002, before=10)))
    assert len(list(found.events())) == 8
    assert found.gaps == 0


def test_spot_depth_follows_its_own_rules(tmp_path):
    path = capture(
        tmp_path, depth(1, 10, [("100.1", "9")], at=1_000), snapshot(10),
        depth(9, 11, [("100.1", "0.005")], at=1_001),
        depth(12, 12, [("100.1", "0.006")], at=1_002))
    assert rows_of(path) == [*BOOK, (1_001, DEPTH, 0, 1_001, 5), (1_002, DEPTH, 0, 1_001, 6)]


@pytest.mark.parametrize("messages", [
    [depth(9, 11, before=8), depth(14, 15, before=13)], [depth(11, 12, before=10)],
    [depth(10, 11), depth(13, 14)], [depth(12, 13)]])
def test_a_broken_depth_chain_is_counted(tmp_path, messages):
    found = open_events(capture(tmp_path, snapshot(10), *messages))
    list(found.events())
    assert found.gaps == 1
    list(found.events())
    assert found.gaps == 1


def test_rows_come_in_exchange_order_and_depth_keeps_its_own(tmp_path):
    path = capture(
        tmp_path, snapshot(10), trade("100.2", "0.001", at=1_300, maker=True),
        depth(9, 11, [("100.1", "0.002")], at=1_100, before=1),
        depth(12, 13, [("100.1", "0.003")], at=1_050, before=11),
        trade("100.2", "0.004", at=1_010), trade("100.2", "0", at=1_010),
        trade("100.2", "0.005", at=9_000), trade("100.2", "0.006", at=1_400))
    assert rows_of(path)[6:] == [
        (1_010, TRADE, 0, 1_002, 4), (1_100, DEPTH, 0, 1_001, 2), (1_100, DEPTH, 0, 1_001, 3),
        (1_300, TRADE, 1, 1_002, 1), (1_400, TRADE, 0, 1_002, 6), (9_000, TRADE, 0, 1_002, 5)]


def test_rows_that_are_too_late_are_stamped_later_and_counted(tmp_path):
    path = capture(tmp_path, snapshot(10), trade("100.2", "0.001", at=2_000),
                   trade("100.2", "0.002", at=3_000), trade("100.2", "0.003", at=1_500))
    found = open_events(path)
    assert [row[0] // 1_000_000 for row in found.events()][6:] == [2_000, 2_000, 3_000]
    assert found.late == 1


def test_a_second_snapshot_starts_the_book_again(tmp_path):
    path = capture(tmp_path, snapshot(10), depth(9, 11, before=1), snapshot(20, at=1_500),
                   depth(12, 19, [("100.1", "1")], at=1_400, before=11),
                   depth(19, 21, [("100.1", "2")], at=1_501, before=18))
    found = rows_of(path)
    assert [row[1] for row in found] == [CLEAR] * 2 + [SNAPSHOT] * 4 + [CLEAR] * 2 + [
        SNAPSHOT] * 4 + [DEPTH]
    assert found[-1] == (1_501, DEPTH, 0, 1_001, 2_000)


def test_a_given_grid_is_used(tmp_path):
    found = open_events(capture(tmp_path, snapshot(10), trade("100.2", "1")),
                        tick_size=Decimal("0.05"), lot_size=Decimal("0.0005"))
    assert (1_000_000_000, SNAPSHOT, 1, 2_004, 26) in list(found.events())


BAD_LINES = [
    (b"17 {", "line 2: bad JSON"),
    (b'17 {"stream":"x","data":{"e":"trade","s":"ABC"}}', "line 2: the key 'E' is missing"),
    (json.dumps(trade("100.2", "1")).encode(), "line 2: does not begin with a receive time"),
    (b"17 []", "line 2: is no Binance"), (b"17 3", "line 2: is no Binance"),
    (b"17 {}", "line 2: is no Binance"), (b'17 {"x":1}', "line 2: is no Binance"),
    (b"17 \xff\xfe", "line 2: bad JSON"), (b"17 " + b"[" * 100_000, "line 2: bad JSON"),
    (b"\0" * 40, "line 2: does not begin"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = capture(tmp_path, snapshot(10), line)
    with pytest.raises(DataError, match=message) as caught:
        rows_of(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("message", "why"), [
    (trade("100.25", "1"), "price 100.25 is not a multiple of 0.1"),
    (trade("-100.2", "1"), "negative"), (trade("nan", "1"), "not a number"),
    (trade("1e400", "1"), "too large"),
    (trade("1e999999999", "1"), "not a number|too large"), (trade("", "1"), "not a number"),
    (trade(None, "1"), "not a number"), (trade(["1"], "1"), "unhashable"),
    (trade("100.2", "1", at="soon"), "not a time"), (trade("100.2", "1", at=-5), "not a time"),
    (trade("100.2", "1", at=True), "not a time"), (trade("100.2", "1", at=1 << 60), "not a time"),
    (depth("x", 3, before=1), "line 2: "), (depth(9, 11, [("100.1",)], before=1), "line 2: "),
    (depth(9, 11, [(100, 1)], before=1), "pair of decimal texts"),
    (depth(9, 11, [("100.1", "99999999999999999999")], before=1), "too large"),
])
def test_bad_values_are_named_with_their_line(tmp_path, message, why):
    with pytest.raises(DataError, match=why) as caught:
        rows_of(capture(tmp_path, snapshot(10), message))
    assert "line 2: " in str(caught.value)


@pytest.mark.parametrize("bad", [
    {"lastUpdateId": 1}, {"lastUpdateId": 1, "bids": 3, "asks": []},
    {"lastUpdateId": 1, "bids": [], "asks": []},
    {"lastUpdateId": 1, "bids": [["x", "1"]], "asks": []},
    {"lastUpdateId": 1, "bids": [["0.0", "0"]], "asks": [["0", "0"]]}])
def test_a_bad_snapshot_is_refused_when_opening(tmp_path, bad):
    with pytest.raises(DataError, match="line 2: "):
        open_events(capture(tmp_path, trade("1", "1"), bad))


def test_odd_sizes_are_rounded_while_they_are_rare(tmp_path):
    found = open_events(capture(tmp_path, snapshot(10), trade("100.2", "0.0015"),
                                trade("100.2", "0.0014")))
    assert [row[4] for row in found.events()][6:] == [2, 1]
    assert found.rounded == 2
    many = [trade("100.2", f"0.{n}5") for n in range(1_000, 1_060)]
    with pytest.raises(DataError, match=r"not a multiple of 0\.001"):
        rows_of(capture(tmp_path, snapshot(10), *many))


def test_a_truncated_gzip_keeps_its_rows_and_then_says_so(tmp_path):
    lines = [snapshot(10), *[trade("100.2", f"0.{n:03d}", at=1_000 + 10 * n)
                             for n in range(1, 900)]]
    path = capture(tmp_path, *lines)
    path.write_bytes(path.read_bytes()[:-200])
    found = open_events(path).events()
    assert next(found)[1] == CLEAR
    with pytest.raises(DataError, match=r"after line \d+: the gzip stream is cut off"):
        list(found)
    whole = bytearray(capture(tmp_path, *lines).read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(DataError):
        rows_of(path)


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "zeros.gz"
    path.write_bytes(gzip.compress(bytes(17 << 20)))
    with pytest.raises(DataError, match="line 1: is longer than"):
        open_events(path)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("nothing", b"", "empty"), ("short.gz", b"\x1f\x8b", "cut off"),
    ("text", b"hello\nworld\n", "line 1: does not begin"), ("blank", b"\n\n", "no depth snapshot"),
    ("zip.npz", b"PK\x03\x04rubbish", "cannot be read as a NumPy file"),
    ("array.npy", b"\x93NUMPY\x01\x00v\x00{oops", "cannot be read as a NumPy file"),
    ("noise.gz", b"\x1f\x8b\x08\x00" + bytes(range(256)), "cannot be read|cut off")])
def test_files_that_are_nothing(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_events(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "absent", pathlib.Path("/dev/zero"), "a\0b"):
        with pytest.raises(DataError):
            open_events(path)


# -- arrays made here

def array(rows, **changed):
    """Event rows of (flags and kind, time, price, size)."""
    events = np.zeros(len(rows), EVENT)
    for place, (flags, at, price, size) in enumerate(rows):
        events[place]["ev"], events[place]["exch_ts"] = flags, at
        events[place]["px"], events[place]["qty"] = price, size
    for name, value in changed.items():
        events[name] = value
    return events


def saved(folder, events, key="data"):
    """Path of an .npz with this array."""
    path = folder / "abc_20240101.npz"
    np.savez_compressed(path, **{key: events})
    return path


BOTH = EXCHANGE | LOCAL
GOOD = [(BOTH | BUY | DEPTH, 5, 100.1, 0.001), (LOCAL | SELL | DEPTH, 5, 100.2, 1.0),
        (EXCHANGE | SELL | DEPTH, 6, 100.3, 2.5), (BOTH | BUY | TRADE, 6, 100.3, 0.003),
        (BOTH | 5 | BUY, 6, 1.234567, 1.0), (BOTH | 100 | BUY, 6, 1.234567, 1.0),
        (BOTH | TRADE, 6, 100.1, 1.0), (BOTH | BUY | CLEAR, 7, 100.0, 0.0),
        (BOTH | CLEAR, 7, float("nan"), 0.0), (BOTH | BUY | SNAPSHOT, 8, 100.0, 0.0)]
GOOD_ROWS = [(5, DEPTH, 0, 1_001, 1), (6, DEPTH, 1, 1_003, 2_500), (6, TRADE, 0, 1_003, 3),
             (7, CLEAR, 0, 1_000, 0), (7, CLEAR, 0, 0, 0), (7, CLEAR, 1, 0, 0),
             (8, SNAPSHOT, 0, 1_000, 0)]


def test_array_rows_valid_at_the_exchange(tmp_path):
    found = open_events(saved(tmp_path, array(GOOD)))
    assert list(found.events()) == GOOD_ROWS
    assert (found.tick_size, found.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert found.span_ns == 3
    plain = tmp_path / "abc.npy"
    np.save(plain, array(GOOD))
    assert list(open_events(plain).events()) == GOOD_ROWS


@pytest.mark.parametrize(("events", "message"), [
    (array([]), "no rows"), (array([(BOTH | 10 | BUY, 1, 1.0, 1.0)]), "none of its 1 rows"),
    (array([(BOTH | TRADE | BUY, 1, 1.0, 1.0)]), "none of its 1 rows"),
    (array([*GOOD, GOOD[0]]), "row 10: exch_ts goes backwards"),
    (array(GOOD, exch_ts=-1), "row 0: exch_ts is not a time"),
    (array([*GOOD, (BOTH | BUY | DEPTH, 9, float("nan"), 1.0)]), "row 10: price nan"),
    (array([*GOOD, (BOTH | BUY | DEPTH, 9, -1.0, 1.0)]), r"row 10: price -1\.0"),
    (array([*GOOD, (BOTH | BUY | DEPTH, 9, 1.0, float("inf"))]), "row 10: size inf"),
    (array([*GOOD, (BOTH | BUY | DEPTH, 9, 1 / 3, 1.0)]), r"row 10: price 0\.33.* is on no grid"),
    (array([*GOOD, (BOTH | BUY | DEPTH, 9, 1e300, 1.0)]), "row 10: price"),
    (np.zeros(3), "not an array of event rows"), (np.zeros((2, 2), EVENT), "not an array"),
    (np.zeros(2, [("ev", "U4"), ("exch_ts", "i8"), ("px", "f8"), ("qty", "f8")]), "not numbers"),
    (np.array([object()]), "cannot be read"),
])
def test_bad_arrays_are_named_with_their_row(tmp_path, events, message):
    path = saved(tmp_path, events)
    with pytest.raises(DataError, match=message) as caught:
        open_events(path)
    assert str(path) in str(caught.value)


def test_an_array_under_another_name_and_a_cut_file(tmp_path):
    with pytest.raises(DataError, match=r"no array named 'data' in it \(its arrays: rows\)"):
        open_events(saved(tmp_path, array(GOOD), key="rows"))
    path = saved(tmp_path, array(GOOD))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read"):
        open_events(path)
    buffer = io.BytesIO()
    np.save(buffer, array(GOOD))
    cut = tmp_path / "cut.npy"
    cut.write_bytes(buffer.getvalue()[:-8])
    with pytest.raises(DataError, match="cannot be read"):
        open_events(cut)


def test_a_given_grid_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"row 0: price 100\.1 is not a multiple of 0\.5"):
        open_events(saved(tmp_path, array(GOOD)), tick_size=Decimal("0.5"))


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10**9)), min_size=1, max_size=30),
       st.sampled_from([0.1, 0.01, 0.5, 0.00001]))
def test_floats_go_back_to_the_integers_they_came_from(tmp_path_factory, levels, tick):
    folder = tmp_path_factory.mktemp("arrays")
    events = array([(BOTH | BUY | DEPTH, 1, ticks * tick, lots * 0.001) for ticks, lots in levels])
    found = open_events(saved(folder, events), tick_size=Decimal(str(tick)),
                        lot_size=Decimal("0.001"))
    assert [(row[3], row[4]) for row in found.events()] == levels


# -- the grid

@given(st.integers(0, 10**15), st.integers(0, 12))
def test_exact_units_agree_with_decimal(units, places):
    text = f"{Decimal(units).scaleb(-places):f}"
    assert exact_units(text) == units * 10**(12 - places)


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([1, 2, 5, 25]),
       st.integers(0, 12))
def test_the_step_found_divides_all_and_is_not_finer_than_the_true_one(numbers, digit, power):
    step = digit * 10**power
    units = [number * step for number in numbers]
    found = grid_step(units)
    if not any(numbers):
        assert found == 0
        return
    assert all(unit % found == 0 for unit in units)
    assert found >= step // (2 if digit == 2 else 1)
    assert str(found).rstrip("0") in ("1", "2", "5", "25")


def test_grid_refuses_what_is_not_on_it():
    grid = Grid(Decimal("0.25"), "price")
    assert [grid.steps(text) for text in ("0.25", "1", "1.50", "0")] == [1, 4, 6, 0]
    for text in ("0.3", "-0.25", "x", "1e-20", "Infinity", "1e27", "1" * 28, "0." + "1" * 28):
        with pytest.raises(ValueError, match=r"number|multiple|negative|places|too l"):
            grid.steps(text)
    with pytest.raises(ValueError, match="not positive"):
        Grid(Decimal(0), "price")
    assert f"{step_decimal(10**11):f}" == "0.1"
