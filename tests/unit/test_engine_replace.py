"""A moved order: by amend or by cancel and new, whichever the venue's counter likes better."""

from __future__ import annotations

import json
import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from fastcore.money.throttle import POINT
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice(), kraken_tier="auto")


def quote(rig: Rig, ticks: int = BID, lots: int = LOTS) -> int:
    return int(rig.desk().place(0, Side.BUY, ticks, lots, Tif.GTC, post_only=True))


def methods(rig: Rig) -> list[str]:
    return [json.loads(frame)["method"] for frame in rig.sent]


def used(rig: Rig) -> float:
    return rig.world.limits.left()["trading"]["BTC/USD"]["used"]


def test_replace_of_a_working_order_is_an_amend(rig: Rig) -> None:
    order = quote(rig)
    rig.ack(order)
    assert rig.desk().replace(order, BID - 5, LOTS) == order
    assert methods(rig) == ["add_order", "amend_order"]
    assert used(rig) == 1 + 4
    assert rig.desk().replace(order, BID - 6, LOTS) == -int(Verdict.DENY_DUPLICATE)
    rig.tell(ev.OrderAmended(order, BID - 5, LOTS, rig.clock.us))
    rig.later(20.0)
    assert rig.desk().replace(order, BID - 6, LOTS) == order
    assert methods(rig)[2:] == ["amend_order"]


def test_replace_of_an_order_without_an_answer_is_cancel_and_new(rig: Rig) -> None:
    """An amend of it is not legal yet. What was wanted of the old order is wanted of the new."""
    order = quote(rig)
    moved = rig.desk().replace(order, BID - 5, 2 * LOTS)
    assert methods(rig) == ["add_order", "cancel_order", "add_order"]
    assert moved > 0
    assert moved != order
    params = json.loads(rig.sent[-1])["params"]
    assert (params["post_only"], params["time_in_force"], params["side"]) == (True, "gtc", "buy")
    assert used(rig) == 1 + 8 + 1
    assert rig.held() == (3 * LOTS, 0, 2), "both count until the cancel is confirmed"
    assert rig.desk().replace(order, BID - 6, LOTS) == -int(Verdict.DENY_DUPLICATE)


def test_replace_that_the_counter_cannot_pay_for_sends_nothing(rig: Rig) -> None:
    order = quote(rig)
    counter = rig.world.limits.trading
    counter.spend(0, 40 * POINT, 0, rig.clock.ns)
    assert rig.desk().replace(order, BID - 5, LOTS) == -int(Verdict.DENY_VENUE_RATE)
    assert methods(rig) == ["add_order"]
    rig.ack(order)
    assert rig.desk().replace(order, BID - 5, LOTS) == order, "an amend costs less"


@pytest.mark.parametrize(("ticks", "lots"), [(BID - 5, 0), (0, LOTS), (BID - 5, -1)])
def test_replace_by_nonsense_is_denied_and_the_order_stays(rig: Rig, ticks: int,
                                                           lots: int) -> None:
    order = quote(rig)
    rig.ack(order)
    assert rig.desk().replace(order, ticks, lots) < 0
    assert methods(rig) == ["add_order"]
    assert rig.state(order) == S.LIVE
    assert rig.desk().replace(12345, BID, LOTS) == -1


def test_replace_needs_what_an_order_needs(rig: Rig) -> None:
    order = quote(rig)
    rig.world.router.allow_entries(False)
    assert rig.desk().replace(order, BID - 5, LOTS) == -int(Verdict.DENY_REDUCING)
    rig.world.router.admit(False)
    assert rig.desk().replace(order, BID - 5, LOTS) == -int(Verdict.DENY_NOT_READY)
    assert methods(rig) == ["add_order"]


def test_counter_follows_the_life_of_an_order(rig: Rig) -> None:
    """Answers start the decay, acks and amends the age; a cancel by amend costs a cancel."""
    counter = rig.world.limits.trading
    order = quote(rig)
    handle = rig.table.find(order)
    rig.later(30.0)
    assert counter.cancel_cost(handle, rig.clock.ns) == 8 * POINT
    rig.ack(order)
    rig.later(20.0)
    assert counter.cancel_cost(handle, rig.clock.ns) == 4 * POINT
    assert rig.desk().amend(order, BID - 1, LOTS) == 0
    rig.tell(ev.CancelRejected(order, "EOrder:Invalid price", rig.clock.us, True))
    assert counter.cancel_cost(handle, rig.clock.ns) == 4 * POINT
    before = used(rig)
    assert rig.desk().amend(order, BID - 1, LOTS) == 0
    rig.done(order)
    assert used(rig) == before + 1 + 8
    assert counter.open_orders[0] == 0


def test_counter_hears_the_answers_of_the_venue(rig: Rig) -> None:
    order = quote(rig)
    request = json.loads(rig.sent[0])["req_id"]
    rig.later(2.0)
    assert used(rig) == 1.0
    answer = {"method": "add_order", "req_id": request, "success": True,
              "result": {"order_id": "OAAAAA-BBBBB-CCCCCC"}}
    rig.tell(*rig.world.gateway.on_frame(json.dumps(answer).encode(), rig.clock.ns))
    assert rig.state(order) == S.LIVE
    rig.later(0.5)
    assert used(rig) == 0.5


def test_cancels_have_their_share_and_urgent_ones_always_leave(rig: Rig) -> None:
    orders = [quote(rig, BID - i, LOTS // 10) for i in range(45)]
    assert all(order > 0 for order in orders)
    assert quote(rig, BID - 50, LOTS // 10) == -int(Verdict.DENY_VENUE_RATE)
    assert rig.desk().cancel(orders[0]) == 0
    assert rig.desk().cancel(orders[1]) == -int(Verdict.DENY_VENUE_RATE)
    assert rig.engine.cancel_everything() == 45
    assert used(rig) == 45 + 8 * 46


def test_an_exit_may_use_the_share_of_cancels(rig: Rig) -> None:
    entry = rig.buy(lots=2 * LOTS)
    rig.fill(entry, 2 * LOTS)
    counter = rig.world.limits.trading
    counter.spend(0, 50 * POINT, 0, rig.clock.ns)
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) == -int(Verdict.DENY_VENUE_RATE)
    assert rig.desk().place(0, Side.SELL, BID, LOTS) > 0
    assert ASK > BID
