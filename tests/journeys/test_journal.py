"""kill -9 in the middle of trading: the journal has every order that the exchange saw."""

from __future__ import annotations

import json
import pathlib
import sqlite3

import pytest

from hftbot.store.state_dir import hot_folder
from journeys.bot import run, start, status, stop_exchange, wait_condition

pytestmark = pytest.mark.usefixtures("nothing_stays")
BUSY = ("run", "--profile", "hft", "--strategy", "busy.py:Busy", "--set",
        "MAX_ORDERS_PER_MIN=6000", "--set", "KRAKEN_TIER=off")
STRATEGY = """
from hftbot import Side, Strategy, Tif


class Busy(Strategy):
    name = "busy"

    def on_start(self, desk):
        self.desk = desk
        self.lots_min = desk.instruments()[0].lots_min

    def on_timer(self, now_us):
        book = self.desk.book(0)
        held = self.desk.position_lots(0)
        if self.desk.open_orders() or not (book.has_bid() and book.has_ask()):
            return
        if held >= self.lots_min:
            self.desk.place(0, Side.SELL, book.best_bid(), held, Tif.IOC)
        else:
            self.desk.place(0, Side.BUY, book.best_ask(), 4 * self.lots_min, Tif.IOC)
"""


def show(folder: pathlib.Path, number: int) -> list[dict]:
    told = run(folder, "journal", "show", "--run", str(number), "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)["records"]


def projected(state: pathlib.Path) -> set[int]:
    """ClientIds of the orders and fills that SQLite has."""
    with sqlite3.connect(state / "bot_hft.db") as database:
        return {int(row[0]) for row in database.execute(
            "SELECT client_id FROM orders UNION SELECT client_id FROM fills")}


def traded(state: pathlib.Path) -> set[str]:
    """cl_ord_ids of all that the exchange traded or still has open, from its saved state."""
    saved = json.loads((state / "exchange" / "state.json").read_text())["desk"]
    assert not saved["orders"]
    return {json.loads(report)["cl_ord_id"] for report in saved["recent_trades"]}


@pytest.mark.fault("P1")
@pytest.mark.law(1)
def test_kill_in_the_middle_of_trading_loses_no_record(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    (tmp_path / "busy.py").write_text(STRATEGY)
    bot = start(tmp_path, *BUSY)
    wait_condition(lambda: status(state)["pid"] == bot.pid and status(state)["fills"] > 20)
    living = run(tmp_path, "journal", "verify")
    assert living.returncode == 0, living.stdout
    bot.kill()
    bot.communicate()
    hot = hot_folder(state)
    verified = run(tmp_path, "journal", "verify")
    assert verified.returncode == 0, verified.stdout
    before = show(tmp_path, 1)
    assert len([row for row in before if row["kind"] == "ORDER"]) > 20
    if hot is not None:
        assert (hot / "run-00001.journal").exists()
    second = run(tmp_path, *BUSY, "--duration", "2", "--json")
    assert second.returncode == 0, second.stderr
    assert hot_folder(state) is None, "a clean end leaves nothing in shared memory"
    assert show(tmp_path, 1) == before
    stop_exchange(state)
    orders = [row for row in before + show(tmp_path, 2) if row["kind"] == "ORDER"]
    assert traded(state)
    assert traded(state) <= {row["cl_ord_id"] for row in orders}
    assert projected(state)
    assert projected(state) <= {row["client_id"] for row in orders}
    verified = run(tmp_path, "journal", "verify")
    assert verified.returncode == 0, verified.stdout
    assert len(verified.stdout.splitlines()) == 2
