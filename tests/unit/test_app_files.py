"""`hftbot convert` and `hftbot replay`: what they print and write, and what they refuse."""

from __future__ import annotations

import json
import os
import pathlib
from decimal import Decimal

import numpy as np
import pytest

from hftbot.app import replaying
from hftbot.app.cli import main
from hftbot.backtest import numpy_file, order_latency
from hftbot.backtest.data import DEPTH, TRADE, open_rows
from hftbot.backtest.event_rows import BOTH_FLAGS, BUY_FLAG, SELL_FLAG, rows_of

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
ORACLE = SHARED / "backtest_oracle" / "btcusdt.npz"
SECOND = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND
BID, ASK = (BOTH_FLAGS | flag | DEPTH for flag in (BUY_FLAG, SELL_FLAG))
TOOK = BOTH_FLAGS | SELL_FLAG | TRADE
EVENTS = [(BID, 0, 2, 100.0, 1.5), (ASK, 0, 2, 100.5, 2.0), (TOOK, 1, 2, 100.0, 0.5),
          (BID, 1, 2, 100.0, 1.0), (ASK, 3, 4, 100.5, 0.0), (ASK, 3, 4, 101.0, 1.0),
          (BID, 5, 7, 100.5, 3.0)]


def saved(folder, events=EVENTS, name="abc.npz"):
    """Path of these events, their times in seconds."""
    path = folder / name
    numpy_file.write(path, rows_of([(flags, BEGIN_NS + exch * SECOND, BEGIN_NS + local * SECOND,
                                     price, size) for flags, exch, local, price, size in events]))
    return path


def told(capsys, *arguments):
    """(exit code, standard output, standard error)."""
    code = main([str(argument) for argument in arguments])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


@pytest.mark.parametrize("name", ["out.npy", "out.npz"])
def test_convert_writes_the_same_rows(tmp_path, capsys, name):
    source, output = saved(tmp_path), tmp_path / name
    code, out, _ = told(capsys, "convert", source, output)
    assert code == 0
    assert "ABC: hftbacktest, 7 rows (6 depth, 1 trade) in 3 moments" in out
    assert "from 2023-11-14 22:13:20 UTC on, 7.0 s; tick 0.5, lot 0.5" in out
    assert np.array_equal(open_rows(output).array, open_rows(source).array)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["abc.npz", name]


def test_convert_keeps_the_grid_in_parquet_and_prints_json(tmp_path, capsys):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    output = tmp_path / "out.parquet"
    code, out, _ = told(capsys, "convert", saved(tmp_path), output, "--tick", "0.1", "--json",
                        "--symbol", "XYZ/USD")
    content = json.loads(out)
    assert (code, content["symbol"], content["tick_size"]) == (0, "XYZ/USD", "0.1")
    again = open_rows(output)
    assert (again.symbol, again.tick_size) == ("XYZ/USD", Decimal("0.1"))


def test_convert_tells_a_crossed_book_and_is_strict_about_it_when_asked(tmp_path, capsys):
    crossed = saved(tmp_path, [*EVENTS, (BID, 8, 9, 101.0, 1.0)])
    output = tmp_path / "out.npy"
    code, out, _ = told(capsys, "convert", crossed, output)
    assert code == 0
    assert "note: the book is crossed or locked after 1 of 4 moments (first after row 7)" in out
    code, _, err = told(capsys, "convert", crossed, output)
    assert (code, "is there already; --force replaces it" in err) == (2, True)
    assert told(capsys, "convert", crossed, output, "--force", "--strict")[0] == 1
    assert told(capsys, "convert", saved(tmp_path), output, "--force", "--strict")[0] == 0


def test_convert_repairs_what_it_refuses(tmp_path, capsys):
    swapped = saved(tmp_path, [*EVENTS, (BID, 4, 9, 99.0, 1.0)])
    output = tmp_path / "out.npy"
    code, out, err = told(capsys, "convert", swapped, output)
    assert (code, out) == (2, "")
    assert err.startswith(f"hftbot: error: {swapped}: row 7: exch_ts goes backwards")
    assert "--repair" in err
    assert not output.exists()
    assert told(capsys, "convert", swapped, output, "--repair")[0] == 0
    assert open_rows(output).rows == 9


def test_convert_makes_rows_of_order_latency(tmp_path, capsys):
    output = tmp_path / "latency.npz"
    code, out, _ = told(capsys, "convert", saved(tmp_path), output, "--order-latency", "--times",
                        "0.5", "--json")
    assert code == 0
    assert json.loads(out)["entry_us"]["p50"] == 500_000
    rows = order_latency.read(output)
    assert ((rows["exch_ts"] - rows["req_ts"]) // 10**6).tolist() == [500, 500, 1_000]


@pytest.mark.parametrize(("arguments", "message"), [
    (["out.csv"], "one of .npy, .npz, .parquet"), (["out.parquet", "--order-latency"],
                                                   "one of .npy, .npz"),
    (["out.npy", "--tick", "0"], "'0' is not a step"), (["out.npy", "--tick", "x"], "not a step"),
    (["out.npy", "--base-latency", "-1"], "'-1' is not a number"),
    (["out.npy", "--times", "0"], "'0' is not a number above 0"),
    (["nowhere/out.npy"], "cannot write nowhere/out.npy: No such file")])
def test_convert_refuses(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = told(capsys, "convert", saved(tmp_path), *arguments)
    assert code in (2, 3)
    assert out == ""
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("content", "message"), [
    (b"", "the file is empty"), (b"\x00\x01strange", "line 1: does not begin with"),
    (b"PK\x03\x04rubbish", "row 0: the file is cut off"),
    (b"PAR1rubbish", "Parquet"), (b"5 {\n", "line 1: bad JSON")])
def test_replay_refuses_files_that_are_none(tmp_path, capsys, content, message):
    path = tmp_path / "strange"
    path.write_bytes(content)
    code, out, err = told(capsys, "replay", path)
    assert (code, out) == (2, "")
    assert message in err


def test_replay_prints_the_best_prices_and_what_there_is(tmp_path, capsys):
    code, out, _ = told(capsys, "replay", saved(tmp_path), "--every", "2")
    assert code == 0
    lines = out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["22:13:22.000000", "1", "@", "100", "|", "2", "@", "100.5", "1", "trades"],
        ["22:13:24.000000", "1", "@", "100", "|", "1", "@", "101", "1", "trades"],
        ["22:13:27.000000", "3", "@", "100.5", "|", "1", "@", "101", "1", "trades"]]
    assert lines[3].startswith("ABC: hftbacktest, 7 rows")
    assert "rows/s" in lines[-1]


def test_replay_tells_the_same_as_json(tmp_path, capsys):
    code, out, _ = told(capsys, "replay", saved(tmp_path), "--json", "--every", "3")
    content = json.loads(out)
    assert code == 0
    assert content["tops"][0] == {"local_ns": BEGIN_NS + 2 * SECOND, "row": 3,
                                  "bid": [100.0, 1.0], "ask": [100.5, 2.0], "trades": 1}
    assert [top["row"] for top in content["tops"]] == [3, 6]
    assert (content["rows"], content["crossed"]) == (7, 0)


def test_replay_waits_as_long_as_its_speed_asks(tmp_path, capsys, monkeypatch):
    waited, now_s = [], [50.0]

    def sleep(seconds):
        waited.append(seconds)
        now_s[0] += seconds

    monkeypatch.setattr(replaying.time, "sleep", sleep)
    monkeypatch.setattr(replaying.time, "perf_counter", lambda: now_s[0])
    assert told(capsys, "replay", saved(tmp_path), "--speed", "10")[0] == 0
    assert waited == pytest.approx([0.2, 0.3])


@pytest.mark.parametrize(("arguments", "message"), [
    (["--depth", "7"], "10, 25, 100, 500, 1000 levels, not 7"),
    (["--exchange", "http://127.0.0.1:1"], "no embedded exchange answers at http://127.0.0.1:1"),
    (["--exchange", "localhost:8080"], "must be an address such as http://127.0.0.1:8080"),
    (["--exchange", "http://example.com"], "the embedded exchange is on this machine"),
    (["--exchange", "http://127.0.0.1:99999"], "a port is from 1 to 65535"),
    (["--live", "--exchange", "http://127.0.0.1:1"], "--live and --exchange exclude each other"),
    (["--rotate", "0"], "'0' is not a number above 0")])
def test_record_refuses(tmp_path, capsys, arguments, message):
    code, out, err = told(capsys, "record", tmp_path / "recordings", *arguments)
    assert code in (1, 2)
    assert out == ""
    assert message in err
    assert not (tmp_path / "recordings").exists()


@pytest.mark.skipif(not ORACLE.exists(), reason="recorded data is not here")
def test_replay_of_a_real_file(capsys):
    code, out, _ = told(capsys, "replay", ORACLE, "--json")
    content = json.loads(out)
    assert (code, content["moments"], content["kinds"]["trade"]) == (0, 27_865, 21_313)
    assert content["crossed"] == 0
    assert content["tops"][0]["bid"] == [61800.2, 2.507]
