"""The live test as a strategy: what it places, and how each step may fail."""

from __future__ import annotations

import pathlib
from decimal import Decimal
from typing import Any

import pytest

from hftbot.app.jobs import FlattenJob, LiveTestJob, TradeJob, job_of
from hftbot.app.livetest import LiveTest, minimum_lots
from hftbot.app.options import FLATTEN, LIVETEST, RunOptions
from hftbot.config.schema import Settings
from hftbot.words.events import (
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderDone,
    OrderFilled,
    OrderRejected,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.verdict import Verdict

GRID = Instrument(0, "kraken", "BTC/USD", "BTC", "USD", 1, 8, 1, 1, lots_min=5_000,
                  cost_min=Decimal("0.5"))
CLIENT = 77


class Desk:
    """Keeps what it is asked, and answers what a test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, int] = {}
        self.now = 1_000_000

    def instruments(self) -> list[Instrument]:
        return [GRID]

    def place(self, *what: Any, **more: Any) -> int:
        self.calls.append(("place", *what, more))
        return self.answers.get("place", CLIENT)

    def amend(self, *what: Any) -> int:
        self.calls.append(("amend", *what))
        return self.answers.get("amend", 0)

    def cancel(self, *what: Any) -> int:
        self.calls.append(("cancel", *what))
        return self.answers.get("cancel", 0)

    def now_us(self) -> int:
        return self.now

    def mono_ns(self) -> int:
        self.now += 100
        return self.now * 1000


class Book:
    instrument = 0
    bid = 600_000

    def has_bid(self) -> bool:
        return True

    def best_bid(self) -> int:
        return self.bid


def begun() -> tuple[LiveTest, Desk, list[str]]:
    ended: list[str] = []
    test, desk = LiveTest(300), Desk()
    test.ended = ended.append
    test.on_start(desk)  # type: ignore[arg-type]
    test.on_book(Book())
    return test, desk, ended


def test_livetest_places_amends_cancels() -> None:
    test, desk, ended = begun()
    test.on_book(Book())
    ticks = 600_000 - 600_000 * 240 // 10_000
    assert desk.calls == [("place", 0, Side.BUY, ticks, 5_000, Tif.GTC, {"post_only": True})]
    test.on_order(OrderAcked(CLIENT, "O1", 1))
    test.on_order(OrderAcked(CLIENT, "O1", 1))
    assert desk.calls[1:] == [("amend", CLIENT, ticks - 1, 5_000)]
    test.on_order(OrderAmended(CLIENT, ticks - 1, 5_000, 2))
    assert desk.calls[2:] == [("cancel", CLIENT)]
    assert not test.passed
    test.on_order(OrderDone(CLIENT, OrderState.CANCELED, 0, "User requested", 3))
    assert test.passed
    assert ended == ["the live test is done"]
    assert all(value > 0 for value in test.statistics()["latency_us"].values())
    assert "passed: placed, amended and cancelled" in test.lines()[-1]


@pytest.mark.parametrize(("events", "words"), [
    ([OrderRejected(CLIENT, "EOrder:Insufficient funds", 1)], "the venue refused it: EOrder:Ins"),
    ([OrderAcked(CLIENT, "O1", 1), CancelRejected(CLIENT, "EOrder:Unknown order", 2, True)],
     "amend refused: EOrder:Unknown order"),
    ([OrderAcked(CLIENT, "O1", 1), OrderAmended(CLIENT, 1, 1, 2),
      CancelRejected(CLIENT, "EOrder:Unknown order", 3)], "cancel refused"),
    ([OrderDone(CLIENT, OrderState.CANCELED, 0, "Post only order", 1)],
     "ended too early: CANCELED"),
])
def test_livetest_says_which_step_failed(events: list[Any], words: str) -> None:
    test, _, ended = begun()
    for event in events:
        test.on_order(event)
    test.on_order(OrderAcked(CLIENT, "O1", 9))
    assert not test.passed
    assert words in ended[0]
    assert len(ended) == 1
    assert "FAILED" in test.lines()[-1]


def test_livetest_that_is_denied_unanswered_or_filled() -> None:
    desk = Desk()
    desk.answers["place"] = -int(Verdict.DENY_NO_FUNDS)
    ended: list[str] = []
    test = LiveTest(300)
    test.ended = ended.append
    test.on_start(desk)  # type: ignore[arg-type]
    test.on_book(Book())
    assert "our own guard denied it: DENY_NO_FUNDS" in ended[0]
    for name in ("amend", "cancel"):
        test, desk, ended = begun()
        desk.answers[name] = -int(Verdict.DENY_MESSAGE_RATE)
        test.on_order(OrderAcked(CLIENT, "O1", 1))
        test.on_order(OrderAmended(CLIENT, 1, 1, 2))
        assert f"{name} was not sent: DENY_MESSAGE_RATE" in ended[0]
    test, desk, ended = begun()
    test.on_timer(desk.now + 9_000_000)
    assert ended == []
    test.on_timer(desk.now + 11_000_000)
    assert ended == ["the live test failed: place was not answered within 10 s"]
    test, _, ended = begun()
    test.on_fill(OrderFilled(CLIENT, "O1", "T1", 0, 0, 1, 1, 0, True, 1))
    assert "`hftbot flatten` closes it" in ended[0]
    assert "no order: no trusted book was seen" in LiveTest(300).lines()[0]


@pytest.mark.parametrize(("ticks", "lots"), [(600_000, 5_000), (10_000, 50_000), (1, 500_000_000)])
def test_livetest_takes_the_smallest_order_that_the_venue_allows(ticks: int, lots: int) -> None:
    assert minimum_lots(GRID, ticks) == lots


def test_each_job_is_what_the_command_asked_for() -> None:
    settings = Settings()
    assert isinstance(job_of(settings, RunOptions(), pathlib.Path()), TradeJob)
    assert isinstance(job_of(settings, RunOptions(job=FLATTEN), pathlib.Path()), FlattenJob)
    assert isinstance(job_of(settings, RunOptions(job=LIVETEST), pathlib.Path()), LiveTestJob)
