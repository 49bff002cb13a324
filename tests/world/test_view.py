"""The answer to `view` from a bot that trades: what it says at each moment is so, and draws."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from hftbot.app.reporter import Reporter
from hftbot.app.view import View
from hftbot.live.control import Clean
from hftbot.watch import alarms
from hftbot.watch.recent import RecentNotes
from hftbot.watch.redaction import Redactor
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from world.ring import Notes, Ring, run_ring

SECRET = "hunter2hunter2"
LOTS = 100_000


class Quoter(Strategy):
    """Buys once, then rests one order on each side; says something that it should not."""

    name = "quoter"

    def __init__(self) -> None:
        self.asked = False
        self.counted = 0

    def on_book(self, book: Any) -> None:
        if not self.asked:
            self.asked = True
            self.desk.place(0, Side.BUY, book.best_ask() + 50, LOTS, Tif.IOC)
        elif self.desk.position_lots(0) and not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_bid() - 3_000, LOTS, Tif.GTC)
            self.desk.place(0, Side.SELL, book.best_ask() + 3_000, LOTS // 2, Tif.GTC)

    def statistics(self) -> dict[str, Any]:
        self.counted += 1
        return {"quotes": 2, "key": f"it is {SECRET}"}


class NoStore:
    def fill(self, row: dict[str, Any]) -> None: ...
    def order(self, row: dict[str, Any]) -> None: ...
    def note(self, row: dict[str, Any]) -> None: ...

    def loss(self) -> str:
        return ""


class LossyStore(NoStore):
    def loss(self) -> str:
        return "the database lacks 3 rows"


@pytest.fixture
def seen(tmp_path: pathlib.Path) -> dict[str, Clean]:
    """Answers at the start, in the middle, blind, and halted."""
    told: dict[str, Clean] = {}
    closing: list[Reporter] = []

    def plan(ring: Ring) -> None:
        redactor = Redactor([Secret(SECRET)])
        recent = RecentNotes(Notes(), ring.venue.clock.now_us, redactor)
        ring.world.notes = ring.session.notes = ring.world.engine.notes = recent
        reporter = Reporter(ring.world.settings, "sim", ring.session, NoStore(), tmp_path,
                            lambda text: None, redactor)
        closing.append(reporter)
        view = View(ring.session, reporter, recent, redactor)
        ring.world.engine.observers += (reporter, view)

        def look(name: str) -> None:
            told[name] = view.content()

        def lose() -> None:
            ring.session.doubt_everything(f"lost it, {SECRET}")
            look("blind")

        def halt() -> None:
            ring.world.guard.halt(f"{SECRET} was told")
            look("halted")

        look("start")
        for at_s, call in ((4.0, lambda: look("quoting")), (4.1, lambda: look("soon after")),
                           (5.0, lose), (9.0, halt)):
            ring.venue.loop.call_later(at_s, call)
    run_ring(3, 12.0, strategy=Quoter(), script=plan)
    for reporter in closing:
        reporter._latency_log.close(0)
    return told


def test_view_of_a_bot_from_start_to_halt(seen: dict[str, Clean]) -> None:
    assert set(seen) == {"start", "quoting", "soon after", "blind", "halted"}
    start, quoting = seen["start"], seen["quoting"]
    assert start["state"] == "starting"
    assert "market data snapshot" in start["missing"]
    assert quoting["state"] == "trading"
    assert alarms.found(quoting) == []
    market, = quoting["markets"]
    orders = {row["side"]: row for row in quoting["orders"]}
    assert market["trust"] == "TRUSTED"
    assert float(market["bid"]) < float(market["ask"])
    assert market["position"] == "0.00100000"
    assert market["quote_buy"] == orders["BUY"]["price"]
    assert market["quote_sell"] == orders["SELL"]["price"]
    assert float(orders["SELL"]["price"]) > float(orders["BUY"]["price"])
    assert {row["state"] for row in quoting["orders"]} == {"LIVE"}
    assert quoting["open_orders"] == 2
    fill, = quoting["fills_last"]
    assert (fill["side"], fill["size"]) == ("BUY", "0.00100000")
    assert quoting["fills"] == market["fills"] == 1
    mid = (float(market["bid"]) + float(market["ask"])) / 2
    assert market["unrealised"] == pytest.approx(0.001 * (mid - market["average"]))
    assert quoting["net_usd"] == pytest.approx(
        quoting["realised_usd"] + quoting["unrealised_usd"] - quoting["fees_usd"])
    assert quoting["net_at_base_fees_usd"] < quoting["net_usd"]
    assert quoting["limits"]["messages"]["used"] == quoting["orders_sent"] == 3


def test_view_tells_of_blindness_and_halt(seen: dict[str, Clean]) -> None:
    assert alarms.state_word(seen["blind"], "")[0] == "BLIND"
    assert any("BLIND" in text for _, text in alarms.found(seen["blind"]))
    halted = seen["halted"]
    assert halted["guard"] == "HALTED"
    assert halted["sticky"]
    assert alarms.state_word(halted, "") == ("HALTED", "alarm")
    assert alarms.found(halted)[0][1].startswith("HALTED: *** was told")


def test_view_holds_no_secret_and_is_plain_json(seen: dict[str, Clean]) -> None:
    for told in seen.values():
        assert SECRET not in json.dumps(told, allow_nan=False)
    assert seen["quoting"]["strategy"] == {"quoter": {"quotes": 2, "key": "it is ***"}}
    assert any(text == "lost it, ***: connecting anew" for _, _, text in seen["halted"]["events"])


def test_view_asks_strategies_and_histograms_once_a_second(seen: dict[str, Clean]) -> None:
    assert seen["soon after"]["latency"] is seen["quoting"]["latency"]
    assert seen["soon after"]["strategy"] is seen["quoting"]["strategy"]
    assert seen["halted"]["latency"] is not seen["quoting"]["latency"]


def test_view_draws_at_every_moment(seen: dict[str, Clean]) -> None:
    panes = pytest.importorskip("hftbot.watch.panes")
    for told in seen.values():
        content = json.loads(json.dumps(told))
        for columns, rows in ((80, 24), (160, 50)):
            lines = panes.frame(panes.Scene(content), columns, rows)
            assert len(lines) == rows
            assert any("BTC/USD" in line.plain for line in lines)


def test_view_of_a_database_that_loses_rows_is_told_once_and_at_the_end(
        tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    reporters: list[Reporter] = []

    def plan(ring: Ring) -> None:
        reporters.append(Reporter(ring.world.settings, "sim", ring.session, LossyStore(), tmp_path,
                                  said.append, Redactor([])))
        ring.session.on_tick = reporters[0].tick

    ring = run_ring(3, 6.0, strategy=Quoter(), script=plan)
    assert ring.notes.lines.count("the database lacks 3 rows") == 1
    assert "the database lacks 3 rows" not in said
    reporters[0].finish([], False)
    assert said[-1] == "the database lacks 3 rows"
