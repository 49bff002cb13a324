"""Paper trading: a real market (here an exchange of our own in its place), fills of a model."""

from __future__ import annotations

import json
import signal

import pytest

from journeys.bot import (
    endpoint,
    finish,
    run,
    sim,
    start,
    status,
    wait_condition,
)

STRATEGY = """
from hftbot import Side, Strategy, Tif

class Both(Strategy):
    name = "both"
    def on_book(self, book):
        if len(self.desk.open_orders()) < 2:
            self.desk.place(0, Side.BUY, book.best_bid() - 400, 100_000, Tif.GTC, post_only=True)
        if not self.desk.position_lots(0):
            self.desk.place(0, Side.BUY, book.best_ask() + 20, 100_000)
"""


@pytest.fixture
def market(tmp_path, nothing_stays):
    """The address of somebody's market, and what the exchange there says of itself."""
    (tmp_path / "both.py").write_text(STRATEGY)
    (tmp_path / "venue").mkdir()
    venue = start(tmp_path / "venue", "exchange", "--json")
    told = json.loads(venue.stdout.readline())
    return told["ws_url"], lambda: sim(told["rest_url"])


def test_paper_trades_at_real_prices_and_sends_nothing(tmp_path, market) -> None:
    """Killed in the middle, it finds its account again; the venue saw subscriptions only."""
    url, venue = market
    flags = ("--venue", "paper", "--set", f"KRAKEN_WS_URL={url}", "--strategy", "both.py:Both")
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", *flags, "--json")
    wait_condition(lambda: status(state)["positions"] and status(state)["open_orders"] >= 2)
    assert status(state)["mode"] == "paper"
    bot.kill()
    bot.communicate()
    again = start(tmp_path, "run", *flags, "--json")
    wait_condition(lambda: status(state)["pid"] == again.pid and status(state)["positions"])
    ours = sim(endpoint(state)["rest_url"])
    out, err = finish(again, signal.SIGINT)
    assert again.returncode == 0, err
    result = json.loads(out)
    assert (result["mode"], result["open_orders_at_exit"]) == ("paper", 0)
    assert [row["size"] for row in result["positions"]] == [0.001]
    assert result["reconciliation"]["differences"] == []
    assert "PAPER: a real market" in err
    assert ours["mode"] == "paper"
    assert ours["source"] in url
    there = venue()
    assert (there["orders"], there["fills"]) == (0, 0)
    assert there["frames_in"] <= 2 * 4, "an instrument list, and three subscriptions a start"
    other = run(tmp_path, "run", "--duration", "1")
    assert other.returncode == 3
    assert "traded in mode paper" in other.stderr
    assert "use another --state, or --fresh" in other.stderr


def test_paper_without_its_market_says_so(tmp_path) -> None:
    done = run(tmp_path, "run", "--venue", "paper", "--set", "KRAKEN_WS_URL=ws://127.0.0.1:9/v2")
    assert done.returncode == 3
    assert "ws://127.0.0.1:9/v2" in done.stderr
    assert "Traceback" not in done.stderr


def test_paper_and_other_markets_exclude_each_other(tmp_path) -> None:
    for flag in (("--replay", "x.npz"), ("--exchange", "http://127.0.0.1:1")):
        done = run(tmp_path, "run", "--venue", "paper", *flag)
        assert done.returncode == 2
        assert "exclude each other" in done.stderr
