"""`hftbot backtest` from its flags to its files, and what it says to wrong ones."""

import io
import json
import os
import pathlib
import re
import shlex

import numpy as np
import pytest

from hftbot.app import cli
from hftbot.app.backtest import ProgressBar
from hftbot.app.backtest_markets import venue_of
from world.backtest_rig import MS, packed, random_market

SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
GOLDEN = SHARED / "backtest_oracle" / "btcusdt.npz"
ROW = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
QUOTER = '''
from hftbot import Strategy
from hftbot.words.order import Tif

class Quoter(Strategy):
    """Joins both sides of the touch, and stays there for a while."""
    name = "quoter"
    wakes = "top"
    seen = 0

    def on_book(self, book):
        self.seen += 1
        if self.seen % 20:
            return
        self.desk.cancel_all()
        self.desk.place(0, 0, book.best_bid(), 5, Tif.GTC, post_only=True)
        self.desk.place(0, 1, book.best_ask(), 5, Tif.GTC, post_only=True)

class Broken(Quoter):
    name = "broken"

    def on_book(self, book):
        raise RuntimeError("planted")

class Mute(Quoter):
    name = "mute"

    def statistics(self):
        raise RuntimeError("planted too")
'''
GENEROUS = [word for key in ("MAX_ORDERS_PER_MIN=6000", "SAME_ORDER_WINDOW_MS=0",
                             "POSITION_USD_MAX=1000000", "GROSS_USD_MAX=1000000",
                             "LOSS_USD_DAY_MAX=100000") for word in ("--set", key)]


def array_of(seed=1, seconds=10.0):
    """A random market as hftbacktest's rows."""
    return np.frombuffer(packed(random_market(seed, seconds)), ROW).copy()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with data and a strategy in it, and no settings from elsewhere."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "btcusdt.npz", data=array_of())
    (tmp_path / "quoter.py").write_text(QUOTER)
    return tmp_path


def run(*words, data="btcusdt.npz", fees="free", strategy="quoter.py:Quoter"):
    """The exit code of one command."""
    told = [] if fees is None else ["--fees", fees]
    return cli.main(["backtest", "--data", data, *told, "--strategy", strategy, *GENEROUS, *words])


def test_it_writes_report_and_fills_and_prints_one_object(folder, capsys):
    assert run("--report", "out.html", "--fills", "fills.csv", "--json", "--latency",
               "1ms/1ms") == 0
    told = capsys.readouterr()
    content = json.loads(told.out)
    assert content["exit_code"] == 0
    assert content["files"] == {"fills": "fills.csv", "report": "out.html"}
    lines = pathlib.Path("fills.csv").read_text().splitlines()
    assert lines[0].startswith("seen_ns,exch_ns,symbol,order_id,side,ticks")
    assert len(lines) > 10
    assert all(line.split(",")[2] == "BTC/USDT" for line in lines[1:])
    page = pathlib.Path("out.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert all(word in page for word in ("quoter", "optimistic", "calibrated", "pessimistic"))
    assert "<script" not in page
    assert "calibrated (1 of 3) 25%" in told.err
    assert "pessimistic (3 of 3) 100%" in told.err


def test_three_fill_models_stand_side_by_side(folder, capsys):
    assert run("--json", "--latency", "1ms/1ms") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["chosen"] == "calibrated"
    assert list(content["models"]) == ["optimistic", "calibrated", "pessimistic"]
    assert all(report["fills"] > 0 for report in content["models"].values())


def test_the_text_says_what_was_assumed(folder, capsys):
    assert run("--single", "--queue", "log-prob2", "--latency", "pessimistic", "--exchange",
               "no-partial", fees="maker=-0.5,taker=7") == 0
    text = capsys.readouterr().out
    assert "log-prob2" in text
    assert "in-core latency only, no network" in text
    assert "maker -0.5 bps, taker 7 bps" in text
    assert "optimistic" not in text


def test_a_run_without_fees_is_refused(folder, capsys):
    assert run(fees=None) == 2
    assert "give --fees (one of: free, kraken" in capsys.readouterr().err


def test_a_step_that_is_given_is_the_one_that_is_used(folder, capsys):
    assert run("--single", "--json", "--tick", "0.05", "--lot", "0.001", "--fills",
               "fills.csv") == 0
    (asset,) = json.loads(capsys.readouterr().out)["models"]["calibrated"]["assets"]
    assert (asset["tick_size"], asset["lot_size"]) == (0.05, 0.001)
    rows = [line.split(",") for line in pathlib.Path("fills.csv").read_text().splitlines()[1:]]
    assert all(float(row[7]) == int(row[5]) / 20 for row in rows)


@pytest.mark.parametrize(("contract", "size", "value_max", "admitted"), [
    ("linear", "1", "400", True), ("linear", "1", "200", False),
    ("linear", "1000", "200000", False), ("linear", "1000", "400000", True),
    ("inverse", "100000", "400", False), ("inverse", "100000", "600", True)])
def test_the_guard_counts_what_a_contract_is_worth(folder, capsys, contract, size, value_max,
                                                   admitted):
    """Five lots of 0.001 at a price of 60,000: 300, or 500 where each contract is 100,000."""
    assert run("--single", "--json", "--contract", contract, "--contract-size", size,
               "--set", f"ORDER_VALUE_USD_MAX={value_max}", "--set", "POSITION_USD_MAX=1000000",
               "--set", "GROSS_USD_MAX=1000000", "--set", "LOSS_USD_DAY_MAX=1000000") == 0
    report = json.loads(capsys.readouterr().out)["models"]["calibrated"]
    assert (report["fills"] > 10) == admitted
    assert ("ORDER_VALUE" in json.dumps(report["denied"]).upper()) != admitted


def test_fees_of_an_inverse_contract_are_in_its_money(folder, capsys):
    assert run("--single", "--json", "--fills", "fills.csv", "--contract", "inverse",
               "--contract-size", "100", fees="maker=2,taker=7") == 0
    report = json.loads(capsys.readouterr().out)["models"]["calibrated"]
    (account,) = report["accounts"]
    rows = [line.split(",") for line in pathlib.Path("fills.csv").read_text().splitlines()[1:]]
    paid = sum(100 * float(row[8]) / float(row[7]) * (2e-4 if int(row[9]) else 7e-4)
               for row in rows)
    assert account["currency"] == "BTC"
    assert len(rows) > 10
    assert account["fees"] == pytest.approx(paid, abs=1e-12 * len(rows))
    gone = account["profit_before_fees"] - account["profit"]
    assert gone == pytest.approx(paid, abs=1e-12 * len(rows))


def unsorted(rows):
    rows["local_ts"][50] = rows["local_ts"][20]
    rows["exch_ts"][50] = rows["exch_ts"][20]
    return rows


def nan_price(rows):
    rows["px"][77] = np.nan
    return rows


def minus(rows):
    rows["qty"][78] = -1.0
    return rows


def strange(rows):
    return np.zeros(len(rows), [("a", "<f8")])


@pytest.mark.parametrize(("spoil", "words"), [
    (unsorted, "row 50"), (nan_price, "row 77"), (minus, "row 78"), (strange, "ev"),
    (lambda rows: rows[:0], "no rows")])
def test_bad_arrays_are_refused_by_row(folder, capsys, spoil, words):
    np.savez(folder / "bad.npz", data=spoil(array_of()))
    assert run(data="bad.npz") == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("hftbot: error: bad.npz")
    assert words in line


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"hello world\n", None])
def test_files_that_are_no_data_are_refused(folder, capsys, content):
    whole = (folder / "btcusdt.npz").read_bytes()
    (folder / "bad.npz").write_bytes(whole[:len(whole) // 2] if content is None else content)
    assert run(data="bad.npz") == 2
    told = capsys.readouterr().err
    assert "hftbot: error: bad.npz" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("words", "said"), [
    (("--queue", "power"), "--queue 'power' is no queue model"),
    (("--latency", "5"), "times need a unit"),
    (("--report", "nowhere/out.html"), "there is no directory"),
    (("--fills", "."), "is a directory"),
    (("--symbols", "A/USD,B/USD"), "--symbols names 2 and there are 1 --data"),
    (("--data", "btcusdt.npz"), "two --data hold BTC/USDT"),
    (("--exchange", "best"), "invalid choice"), (("--contract-size", "0"), "size above 0"),
    (("--strategy", "quoter.py:Nobody"), "defines no Nobody"),
    (("--data", "gone.npz"), "gone.npz: cannot be opened"),
])
def test_wrong_flags_are_refused_in_one_line(folder, capsys, words, said):
    assert run(*words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    [line] = [line for line in told.err.splitlines() if "error" in line]
    assert said in line


def test_a_strategy_that_fails_is_a_failure_of_the_command(folder, capsys):
    assert run("--single", strategy="quoter.py:Broken") == 1
    assert "every strategy is disabled: broken" in capsys.readouterr().out


def test_a_strategy_whose_figures_fail_keeps_its_report(folder, capsys):
    assert run("--single", strategy="quoter.py:Mute") == 0
    assert "statistics of mute raised RuntimeError: planted too" in capsys.readouterr().out


@pytest.mark.skipif(not GOLDEN.is_file(), reason="the recorded market is absent")
def test_the_command_of_the_readme(folder, capsys):
    readme = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    [line] = re.findall(r"`hftbot (backtest [^`]*spread_maker[^`]*)`", readme)
    (folder / "btcusdt.npz").unlink()
    (folder / "btcusdt.npz").symlink_to(GOLDEN)
    assert cli.main([*shlex.split(line), "--fills", "fills.csv"]) == 0
    assert len((folder / "fills.csv").read_text().splitlines()) > 100
    assert "spread_maker on BTC/USDT: 344.8 s of data" in capsys.readouterr().out
    assert (folder / "out.html").stat().st_size > 20_000


def test_a_halt_is_told_by_the_exit_code(folder, capsys):
    assert run("--single", "--set", "LOSS_USD_DAY_MAX=0.01", "--latency", "1ms/1ms",
               fees="maker=50,taker=50") == 5
    assert "halted: daily loss" in capsys.readouterr().out


def test_files_that_continue_each_other_are_one_market(folder, capsys):
    rows = array_of()
    cut = next(i for i in range(len(rows) // 2, len(rows))
               if rows["exch_ts"][i] != rows["exch_ts"][i - 1])
    np.savez(folder / "btcusdt_1.npz", data=rows[:cut])
    np.savez(folder / "btcusdt_2.npz", data=rows[cut:])
    assert run("--single", "--fills", "whole.csv", "--symbols", "BTC/USDT") == 0
    assert run("--single", "--fills", "parts.csv", "--symbols", "BTC/USDT",
               data="btcusdt_1.npz,btcusdt_2.npz") == 0
    assert (folder / "whole.csv").read_text() == (folder / "parts.csv").read_text()


def test_a_market_without_two_sides_is_a_failure(folder, capsys):
    rows = array_of()
    np.savez(folder / "half.npz", data=rows[(rows["ev"] & (1 << 29)) != 0])
    assert run("--single", data="half.npz") == 1
    assert "nothing could be traded" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_moves_on_a_terminal_and_is_wiped():
    stream = Terminal()
    bar = ProgressBar(stream, 2)
    for name in ("calibrated", "optimistic"):
        for i in range(1001):
            bar.show(name, i / 1000)
    bar.close()
    text = stream.getvalue()
    assert "calibrated (1 of 2)" in text
    assert "optimistic (2 of 2)" in text
    assert "100.0%" in text
    assert text.count("\r") == 401
    assert text.endswith("\r\033[K")


def test_elsewhere_it_is_a_line_a_quarter():
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for i in range(1001):
        bar.show("calibrated", i / 1000)
    bar.close()
    assert stream.getvalue().splitlines() == [
        f"calibrated (1 of 1) {part}%" for part in (25, 50, 75, 100)]


@pytest.mark.parametrize(("format_name", "venue"), [
    ("kraken capture", "kraken"), ("binance capture", "binance"), ("hftbacktest", "")])
def test_the_venue_of_the_data_is_known_by_their_format(format_name, venue):
    assert venue_of(format_name) == venue


def test_the_rig_has_a_feed_latency():
    rows = array_of()
    assert set((rows["local_ts"] - rows["exch_ts"]).tolist()) == {2 * MS}
