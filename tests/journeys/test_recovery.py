"""kill -9 during trading, and the next run says what it owned and what became of each order."""

from __future__ import annotations

import json
import pathlib
import sqlite3

import pytest

from journeys.bot import run, sim, start, status, stop_exchange, wait_condition

pytestmark = pytest.mark.usefixtures("nothing_stays")
RUN = ("run", "--profile", "hft", "--strategy", "both.py:Both", "--set",
       "MAX_ORDERS_PER_MIN=6000")
STRATEGY = """
from hftbot import Side, Strategy, Tif


class Both(Strategy):
    name = "both"

    def on_start(self, desk):
        self.desk = desk
        self.turn = 0
        self.lots_min = desk.instruments()[0].lots_min

    def on_timer(self, now_us):
        book = self.desk.book(0)
        if not (book.has_bid() and book.has_ask()):
            return
        mine = self.desk.open_orders()
        resting = [order for order in mine if order.tif == Tif.GTC]
        if len(resting) < 3:
            self.desk.place(0, Side.BUY, book.best_bid() - 500 - len(resting),
                            2 * self.lots_min, Tif.GTC, reason="rest")
        elif len(mine) == len(resting):
            self.turn += 1
            held = self.desk.position_lots(0)
            if self.turn % 2 or held < self.lots_min:
                self.desk.place(0, Side.BUY, book.best_ask(), 4 * self.lots_min, Tif.IOC,
                                reason="take")
            else:
                self.desk.place(0, Side.SELL, book.best_bid(), 2 * self.lots_min, Tif.IOC)
"""


def replayed(folder: pathlib.Path, number: int) -> dict:
    told = run(folder, "journal", "replay", "--run", str(number), "--json")
    assert told.returncode == 0, (told.stdout, told.stderr)
    return json.loads(told.stdout)


@pytest.mark.fault("P1", "D4")
@pytest.mark.law(1, 2, 3, 4, 9)
def test_recovery_explains_every_order_and_the_position(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    (tmp_path / "both.py").write_text(STRATEGY)
    bot = start(tmp_path, *RUN)
    wait_condition(lambda: status(state)["pid"] == bot.pid and status(state)["fills"] > 10
                   and status(state)["open_orders"] >= 3)
    bot.kill()
    bot.communicate()
    left = replayed(tmp_path, 1)
    assert not left["clean"]
    assert left["mismatch"] == 0
    assert len(left["open_orders"]) >= 3
    second = run(tmp_path, *RUN, "--duration", "2", "--json")
    assert second.returncode == 0, second.stderr
    result = json.loads(second.stdout)
    found = result["reconciliation"]
    assert (found["run"], found["clean"], found["records"]) == (1, False, left["records"])
    named = {order["cl_ord_id"]: order for order in found["orders"]}
    assert set(named) == {order["cl_ord_id"] for order in left["open_orders"]}
    assert all(order["is"] for order in named.values())
    assert found["differences"] == []
    assert "RECOVERY   run 1 ended without a clean stop" in second.stderr
    for name, order in named.items():
        assert f"{name} {order['side']}" in second.stderr
        assert f"was {order['was']}, is {order['is']}" in second.stderr
    after = replayed(tmp_path, 2)
    assert after["clean"]
    assert after["open_orders"] == []
    url = json.loads((state / "exchange" / "endpoint.json").read_text())["rest_url"]
    assert sim(url)["open_orders"] == 0
    stop_exchange(state)
    saved = json.loads((state / "exchange" / "state.json").read_text())
    assert after["positions"][0]["lots"] * 100 == int(saved["balances"]["BTC"])
    third = run(tmp_path, *RUN, "--duration", "1", "--json")
    assert third.returncode == 0, third.stderr
    found = json.loads(third.stdout)["reconciliation"]
    assert (found["run"], found["clean"], found["orders"]) == (2, True, [])
    assert "run 2 stopped cleanly" in third.stderr
    compare_rebuilt(tmp_path, state)


def compare_rebuilt(folder: pathlib.Path, state: pathlib.Path) -> None:
    """The database is deleted and written anew from the journals of three runs, one killed."""
    live_fills, live_orders = tables(state)
    (state / "bot_hft.db").unlink()
    told = run(folder, "journal", "rebuild", "--json")
    assert told.returncode == 0, told.stderr
    fills, orders = tables(state)
    assert json.loads(told.stdout)["fills"] == len(fills) > 10
    # What the database thread had not written at the kill, the journal has.
    assert live_fills.items() <= fills.items()
    assert live_orders.items() <= orders.items()
    assert {row["intent"] for row in live_orders.values()} == {None, "rest", "take"}
    assert all(row["reason"] is not None for row in live_orders.values())
    (state / "bot_hft.db").unlink()
    again = run(folder, *RUN, "--duration", "1", "--json")
    assert again.returncode == 0, again.stderr
    assert "was missing" in again.stderr
    assert fills.items() <= tables(state)[0].items()


def tables(state: pathlib.Path) -> tuple[dict, dict]:
    """Fills by their id, orders by their ClientId, as plain rows."""
    with sqlite3.connect(state / "bot_hft.db") as database:
        database.row_factory = sqlite3.Row
        return ({row["fill_id"]: dict(row) for row in database.execute("SELECT * FROM fills")},
                {row["client_id"]: dict(row) for row in database.execute("SELECT * FROM orders")})
