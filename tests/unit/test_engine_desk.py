"""One desk per strategy: whose orders are whose, ttl, rows that come back."""

from __future__ import annotations

import json
import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.engine.desk import GRACE_US
from hftbot.venue.kraken import codec
from hftbot.words import events as ev
from hftbot.words.intent import Intent
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif, client_id_parts
from hftbot.words.verdict import Verdict


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice("first"), Voice("second"))


def test_desk_two_strategies_do_not_see_each_others_orders(rig: Rig) -> None:
    mine = rig.buy(ticks=BID, tif=Tif.GTC)
    theirs = rig.buy(ticks=BID - 1, tif=Tif.GTC, voice=1)
    rig.ack(mine)
    rig.ack(theirs)
    first, second = rig.desk(0), rig.desk(1)
    assert [order.client_id for order in first.open_orders()] == [mine]
    assert [order.client_id for order in second.open_orders()] == [theirs]
    assert first.cancel(theirs) < 0
    assert first.amend(theirs, BID - 2, LOTS) < 0
    sent = len(rig.sent)
    assert first.cancel_all() == 1
    assert len(rig.sent) == sent + 1
    rig.fill(theirs, 5)
    for voice, own in zip(rig.engine.voices, (mine, theirs), strict=True):
        told = [what for where, what in voice[0].told if where in ("on_order", "on_fill")]
        assert {event.client_id for event in told} == {own}
    assert (client_id_parts(mine).strategy, client_id_parts(theirs).strategy) == (1, 2)
    assert client_id_parts(mine).run == 7


@pytest.mark.law(6)
def test_desk_intent_past_its_ttl_is_denied_and_counted(rig: Rig) -> None:
    desk = rig.desk()
    for age_us, allowed in ((0, True), (100, True), (101, False), (5_000_000, False)):
        intent = Intent(0, Side.BUY, ASK, LOTS + age_us, created_us=rig.clock.us - age_us,
                        ttl_us=100)
        verdict = desk.submit(intent)
        assert (verdict > 0) == allowed
        if not allowed:
            assert verdict == -int(Verdict.DENY_EXPIRED_INTENT)
    assert rig.engine.rows.expired == rig.engine.rows.denials["DENY_EXPIRED_INTENT"] == 2
    assert desk.intents == 4
    assert len(rig.sent) == 2


def test_desk_an_order_until_a_time_is_told_when_it_ends(rig: Rig) -> None:
    """In whole seconds, rounded up: never earlier than the strategy asked for."""
    client_id = rig.desk().place(0, Side.BUY, BID, LOTS, Tif.GTD, post_only=True, ttl_us=90_000_001)
    assert client_id > 0
    params = json.loads(rig.sent[-1])["params"]
    assert (params["time_in_force"], params["post_only"]) == ("gtd", True)
    assert params["expire_time"] == codec.stamp(rig.clock.us + 91_000_000, 0)
    order, = rig.desk().open_orders()
    assert order.tif == Tif.GTD
    rig.ack(client_id)
    rig.done(client_id, S.EXPIRED)
    assert rig.desk().open_orders() == []
    assert rig.desk().place(0, Side.BUY, BID, LOTS, Tif.GTD,
                            ttl_us=1 << 62) == -int(Verdict.DENY_INVALID)


def test_desk_intent_without_ttl_has_the_runs(rig: Rig) -> None:
    """QUOTE_REFRESH_TTL_MS (500) acts on every strategy; an unstamped wish was made now."""
    denied = -int(Verdict.DENY_EXPIRED_INTENT)
    assert rig.desk().submit(Intent(0, Side.BUY, ASK, LOTS)) > 0
    for age_us, answer in ((500_000, 1), (500_001, denied)):
        told = rig.desk().submit(Intent(0, Side.BUY, ASK, LOTS + age_us,
                                        created_us=rig.clock.us - age_us))
        assert (told == denied) == (answer == denied)


@pytest.mark.parametrize(("ticks", "lots"), [
    (0, LOTS), (-1, LOTS), (ASK, 0), (ASK, -5), (2**62, LOTS), (ASK, 2**62)])
def test_desk_impossible_orders_are_denied(rig: Rig, ticks: int, lots: int) -> None:
    assert rig.desk().place(0, Side.BUY, ticks, lots) < 0
    assert not rig.sent
    assert rig.held() == (0, 0, 0)


def test_desk_done_order_cannot_be_touched(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.done(order)
    assert rig.desk().cancel(order) < 0
    assert rig.desk().amend(order, BID, LOTS) < 0
    assert rig.desk().cancel(12345) < 0


def test_desk_five_thousand_orders_leave_no_row_behind(tmp_path: pathlib.Path) -> None:
    """Faster than the grace: done rows never take more than half of the table."""
    rig = Rig(tmp_path, Voice(), journal_bytes=1 << 22)
    table, most = rig.table, 0
    for i in range(5_000):
        order = rig.buy(ticks=ASK - i % 50)
        if i % 3:
            rig.ack(order)
        if i % 2:
            rig.fill(order, LOTS, f"B{i}")
            rig.tell(ev.BalanceSeen("BTC", rig.lots() * 100, 1))
            sold = rig.sell(ticks=BID + i % 50)
            rig.fill(sold, LOTS, f"S{i}", Side.SELL)
        elif i % 5:
            rig.done(order)
        else:
            rig.tell(ev.OrderRejected(order, "EOrder:Insufficient funds", 1))
        rig.later(0.02)
        if i % 100 == 0:
            rig.engine.on_timer()
        most = max(most, table.used)
    assert most <= table.capacity // 2 + 1
    assert rig.held() == (0, 0, 0)
    assert rig.lots() == 0
    rig.later(GRACE_US / 1e6)
    for _ in range(20):
        rig.engine.on_timer()
    assert table.used == 0
    assert rig.guard.state == 0


def test_desk_remembers_why_an_order_was_wanted_as_long_as_its_row(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    rows = rig.engine.rows
    order = rig.desk().place(0, Side.BUY, BID, LOTS, Tif.GTC, reason="exit stop_loss")
    other = rig.desk().place(0, Side.BUY, BID - 1, LOTS, Tif.GTC)
    denied = rig.desk().place(0, Side.BUY, BID, 0, Tif.GTC, reason="nothing")
    assert denied < 0
    assert rows.reasons == {order: "exit stop_loss"}
    rig.done(order)
    rig.done(other)
    assert rows.reasons == {order: "exit stop_loss"}
    rig.later(GRACE_US / 1e6)
    rig.engine.on_timer()
    assert rows.reasons == {}


def test_desk_full_table_denies_and_recovers(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), open_orders_max=1000, position_usd_max=10**7,
              gross_usd_max=10**7)
    orders = []
    while (verdict := rig.desk().place(0, Side.BUY, BID - len(orders), 10_000, Tif.GTC)) > 0:
        orders.append(verdict)
    assert len(orders) == 1000
    assert -verdict == Verdict.DENY_OPEN_ORDERS
    for order in orders:
        rig.done(order)
    assert rig.held() == (0, 0, 0)
    assert rig.buy()


def test_desk_row_of_a_late_fill_is_kept_through_the_grace(rig: Rig) -> None:
    order = rig.buy()
    rig.done(order)
    rig.later(GRACE_US / 1e6 - 0.001)
    rig.engine.on_timer()
    rig.fill(order, 3)
    assert rig.engine.external_fills == 0
    assert rig.state(order) == S.CANCELED
    assert rig.lots() == 3


def test_desk_fill_after_its_row_is_freed_is_told_to_its_strategy(rig: Rig) -> None:
    order = rig.buy(voice=1)
    rig.done(order)
    rig.later(GRACE_US / 1e6 + 1)
    rig.engine.on_timer()
    assert rig.state(order) == S.FREE
    rig.fill(order, 3)
    rig.fill(order | 1 << 40, 4, "F2")
    told = [[what.lots for where, what in strategy.told if where == "on_fill"]
            for strategy, _ in rig.engine.voices]
    assert told == [[], [3]]
    assert rig.lots() == 7
    assert rig.engine.external_fills == 1


@pytest.mark.law(4)
def test_desk_order_in_doubt_is_never_freed(rig: Rig) -> None:
    order = rig.buy()
    rig.doubt(order)
    rig.later(3_600)
    rig.engine.on_timer()
    assert rig.state(order) == S.DOUBT
    assert rig.held() == (LOTS, 0, 1)
    assert [o.client_id for o in rig.desk().open_orders()] == [order]
