"""`hftbot backtest --engine hftbacktest` and `--exchange l3-fifo`: what they ask for and refuse."""

import json
import stat
import sys

import numpy as np
import pytest

from hftbot.app import cli
from world.backtest_rig import packed, random_market
from world.order_market import seeded_orders

ROW = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
JOINER = '''
from hftbot import Strategy
from hftbot.words.order import Tif

class Joiner(Strategy):
    """Joins both sides of the touch, again and again."""
    name = "joiner"
    seen = 0

    def on_book(self, book):
        self.seen += 1
        if self.seen % 10 == 0:
            self.desk.cancel_all()
            self.desk.place(0, 0, book.best_bid(), 1, Tif.GTC, post_only=True)
            self.desk.place(0, 1, book.best_ask(), 1, Tif.GTC, post_only=True)
'''
GENEROUS = [word for key in ("MAX_ORDERS_PER_MIN=6000", "SAME_ORDER_WINDOW_MS=0",
                             "POSITION_USD_MAX=1000000", "GROSS_USD_MAX=1000000",
                             "LOSS_USD_DAY_MAX=100000") for word in ("--set", key)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Levels, single orders and a strategy in the working directory; no hftbacktest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HFTBOT_HFTBACKTEST", raising=False)
    levels = np.frombuffer(packed(random_market(3, 10.0)), ROW).copy()
    np.savez("levels.npz", data=levels)
    fat = levels.copy()
    fat["qty"] = np.rint(fat["qty"] * 1e3) * 1e6
    np.savez("fat.npz", data=fat)
    levels["px"] = np.rint(levels["px"] * 10) / 1e6
    np.savez("cheap.npz", data=levels)
    np.savez("orders.npz", data=np.frombuffer(seeded_orders(3), ROW))
    (tmp_path / "joiner.py").write_text(JOINER)
    return tmp_path


def run(*words, data="levels.npz"):
    return cli.main(["backtest", "--data", data, "--symbols", "BTC/USDT", "--fees", "free",
                     "--strategy", "joiner.py:Joiner", "--latency", "2ms/2ms", *GENEROUS, *words])


def test_single_orders_are_traded_in_their_own_queues(folder, capsys):
    assert run("--exchange", "l3-fifo", "--json", "--fills", "fills.csv", data="orders.npz") == 0
    told = json.dumps(json.loads(capsys.readouterr().out))
    assert "recorded: every order has its place" in told
    assert "optimistic" not in told
    assert len((folder / "fills.csv").read_text().splitlines()) > 10


@pytest.mark.parametrize(("words", "data", "complaint"), [
    (["--exchange", "l3-fifo"], "levels.npz", "levels.npz holds levels, not single orders"),
    ([], "orders.npz", "orders.npz holds single orders (market by order): give --exchange"),
    (["--exchange", "l3-fifo", "--queue", "log-prob"], "orders.npz", "leave --queue out"),
    (["--engine", "other"], "levels.npz", "invalid choice: 'other'"),
    (["--engine", "hftbacktest", "--latency", "realistic"], "levels.npz", "no random latency"),
    (["--engine", "hftbacktest", "--fees", "polymarket"], "cheap.npz", "no fee curve"),
    (["--fees", "polymarket"], "levels.npz", "levels.npz: row 0: price 60000 is above 1, and "
                                             "--fees polymarket is for contracts that pay 1"),
    (["--contract", "binary"], "levels.npz", "and --contract binary is for contracts that pay"),
    (["--tick", "0.1", "--tick", "0.1"], "levels.npz", "--tick is given 2 times and there are 1"),
    (["--tick", "7"], "levels.npz", "row 0: price is not a multiple of 7"),
    (["--lot", "0"], "levels.npz", "'0' is not a step such as 0.01"),
    (["--lot", "1000000", "--contract-size", "1000000000"], "fat.npz", "more than a guard can"),
])
def test_what_does_not_fit_is_refused(folder, capsys, monkeypatch, words, data, complaint):
    monkeypatch.setenv("HFTBOT_HFTBACKTEST", sys.executable)
    assert run(*words, data=data) == 2
    assert complaint in capsys.readouterr().err


def test_without_hftbacktest_it_says_how_to_get_it(folder, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("--engine", "hftbacktest") == 2
    assert "pip install 'hftbot[hftbacktest]'" in capsys.readouterr().err
    monkeypatch.setenv("HFTBOT_HFTBACKTEST", "/nowhere/python")
    assert run("--engine", "hftbacktest") == 2
    assert "HFTBOT_HFTBACKTEST=/nowhere/python is no program" in capsys.readouterr().err


def test_the_comparison_is_printed_with_the_report(folder, capsys, monkeypatch):
    """A stand-in that fills nothing: every fill of ours is then ours alone."""
    other = folder / "other"
    found = {"fills": [], "refused": 0, "ended": 1, "position": 0.0, "balance": 0.0, "fee": 0.0,
             "trades": 0, "version": "2.4.4", "cpu_s": 1.0}
    other.write_text(f"#!{sys.executable}\nprint({json.dumps(found)!r})\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("HFTBOT_HFTBACKTEST", str(other))
    assert run("--engine", "hftbacktest", "--single") == 0
    text = capsys.readouterr().out
    assert "Beside hftbacktest" in text
    assert "0 fills are the same to the nanosecond" in text
    assert "only ours: order" in text
    assert run("--engine", "hftbacktest", "--single", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["comparison"]
    assert told["symbol"] == "BTC/USDT"
    assert not told["same"]
    assert told["ours"]["fills"] > 10
    assert told["requests"] > told["ours"]["fills"]
