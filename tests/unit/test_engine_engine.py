"""The turn: who is told what, once, and what becomes of a strategy that raises."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import ASK, BID, BOTH, LOTS, Rig, Voice

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from hftbot.errors import ConfigError
from hftbot.words import events as ev
from hftbot.words.market import BookTrust, Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif

TRADES = ((0, ASK, 5, 1, 1),)


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice())


def voice(rig: Rig, index: int = 0) -> Voice:
    return rig.engine.voices[index][0]


def test_engine_ack_after_the_end_is_not_told(rig: Rig) -> None:
    order = rig.buy()
    rig.done(order)
    rig.ack(order)
    rig.doubt(order)
    rig.tell(ev.OrderRejected(order, "late", 1))
    assert [type(what) for where, what in voice(rig).told if where == "on_order"] == [ev.OrderDone]
    assert rig.state(order) == S.CANCELED
    assert rig.ends == [(order, S.CANCELED)]


def test_engine_reject_after_a_fill_keeps_the_position(rig: Rig) -> None:
    order = rig.buy()
    rig.fill(order, 5)
    rig.tell(ev.OrderRejected(order, "EOrder:Unknown", 1))
    assert rig.lots() == 5
    assert rig.state(order) == S.REJECTED
    assert rig.held() == (0, 0, 0)
    rig.fill(order, 6, "F2")
    assert rig.lots() == 11


def test_engine_doubt_is_told_once_and_ends_on_proof(rig: Rig) -> None:
    order = rig.buy()
    for _ in range(3):
        rig.doubt(order)
    assert rig.engine.doubts == len(voice(rig).heard(ev.OrderDoubt)) == 1
    rig.ack(order)
    assert rig.state(order) == S.LIVE
    rig.doubt(order)
    rig.fill(order, 5)
    assert rig.state(order) == S.PARTIAL
    assert rig.engine.doubts == 2


def test_engine_unknown_orders_change_nothing(rig: Rig) -> None:
    before = rig.table.state_hash()
    rig.tell(ev.OrderAcked(77, "V", 1), ev.OrderRejected(77, "x", 1), ev.OrderDoubt(77, "x", 1),
             ev.OrderDone(77, S.CANCELED, 0, "", 1), ev.OrderAmended(77, 1, 1, 1),
             ev.CancelRejected(77, "x", 1, True))
    assert rig.table.state_hash() == before
    assert not rig.ends


def test_engine_cancel_rejected_leaves_the_order_alive(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    rig.tell(ev.CancelRejected(order, "EOrder:Unknown order", 1))
    assert rig.state(order) == S.LIVE
    assert rig.held() == (LOTS, 0, 1)


@pytest.mark.fault("P5")
@pytest.mark.parametrize("where", ["on_start", "on_book", "on_trade", "on_order", "on_fill",
                                   "on_timer", "on_stop"])
def test_engine_strategy_that_raises_in_any_handler(tmp_path: pathlib.Path, where: str) -> None:
    """It is disabled once, its orders are cancelled, and the other goes on."""
    rig = Rig(tmp_path, Voice("bad", (where,)), Voice("good"), start=where == "on_start")
    if where != "on_start":
        rig.engine.start()
        order = rig.buy(ticks=BID, tif=Tif.GTC)
        rig.ack(order)
        if where == "on_fill":
            rig.fill(order, 5)
        rig.engine.on_market(0, EVENT_BOOK | EVENT_TRADE, TRADES, rig.clock.ns)
        rig.engine.on_timer()
        if where == "on_stop":
            assert not rig.engine.disabled
            rig.engine.stop()
        assert b"cancel_order" in rig.sent[-1]
    assert rig.engine.disabled == ["bad"]
    assert rig.desk(0).place(0, Side.BUY, ASK, LOTS) < 0
    heard = len(voice(rig).told)
    rig.engine.on_market(0, EVENT_BOOK | EVENT_TRADE, TRADES, rig.clock.ns)
    rig.engine.on_timer()
    assert len(voice(rig).told) == heard
    if where != "on_stop":
        assert rig.buy(voice=1, ticks=BID - 1) > 0
        assert {"on_book", "on_trade", "on_timer"} <= {name for name, _ in voice(rig, 1).told}


def test_engine_fills_of_a_disabled_strategy_still_count(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice("bad", ("on_timer",)))
    order = rig.buy()
    rig.engine.on_timer()
    rig.fill(order)
    assert rig.lots() == LOTS
    assert rig.state(order) == S.FILLED
    assert rig.held() == (0, 0, 0)


@pytest.mark.fault("P5")
def test_engine_cancels_of_a_disabled_strategy_are_repeated(tmp_path: pathlib.Path) -> None:
    """It raised while there was no wire; the cancel goes out when there is one."""
    rig = Rig(tmp_path, Voice("bad", ("on_trade",)))
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    rig.world.router.detach()
    rig.engine.on_market(0, EVENT_TRADE, TRADES, rig.clock.ns)
    rig.engine.on_timer()
    assert len(rig.sent) == 1
    rig.world.router.attach(rig.send)
    for _ in range(20):
        rig.later(0.5)
        rig.engine.on_timer()
    assert sum(b"cancel_order" in frame for frame in rig.sent) == 2
    rig.done(order)
    rig.later(60)
    rig.engine.on_timer()
    assert len(rig.sent) == 3


def test_engine_strategy_that_refuses_its_configuration_refuses_the_run(
        tmp_path: pathlib.Path) -> None:
    class Refuses(Voice):
        def on_start(self, desk: object) -> None:
            raise ConfigError("planted")

    with pytest.raises(ConfigError):
        Rig(tmp_path, Refuses())


@pytest.mark.law(6)
def test_engine_untrusted_book_wakes_nobody(rig: Rig) -> None:
    rig.engine.books[0].trust = BookTrust.SUSPECT
    rig.engine.on_market(0, EVENT_BOOK | EVENT_TOP, (), rig.clock.ns)
    assert not [where for where, _ in voice(rig).told if where == "on_book"]


def test_engine_stop_twice_tells_once(rig: Rig) -> None:
    rig.engine.stop()
    rig.engine.stop()
    rig.engine.on_market(0, EVENT_BOOK, (), rig.clock.ns)
    rig.engine.on_timer()
    assert [where for where, _ in voice(rig).told] == ["on_start", "on_stop"]
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) < 0


@pytest.mark.law(7)
def test_engine_halt_in_a_handler_cancels_everything(rig: Rig) -> None:
    orders = [rig.buy(ticks=BID - i, tif=Tif.GTC) for i in range(4)]
    rig.doubt(orders[0])
    rig.guard.halt("planted")
    rig.guard.halt("again")
    assert rig.cancels() == 4
    assert rig.guard.reason == "planted"
    rig.fill(orders[1], 5)
    assert rig.lots() == 5


def test_engine_markets_are_kept_apart(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), symbols=BOTH)
    rig.quote(250_000, 250_010, index=1)
    rig.world.refresh_limits()
    order = rig.desk().place(1, Side.BUY, 250_010, 2_000_000)
    assert order > 0
    assert b"ETH/USD" in rig.sent[-1]
    rig.fill(order, 2_000_000, instrument=1, ticks=250_010)
    assert (rig.lots(0), rig.lots(1)) == (0, 2_000_000)
