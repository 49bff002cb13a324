"""Venue truth against our rows."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.engine.reconcile import compare
from hftbot.words import events as ev
from hftbot.words.intent import Intent
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif

OVER_NS = 6_000_000_000


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice())


def listed(client_id: int, ticks: int = BID, lots: int = LOTS, filled: int = 0,
           venue_id: str = "V") -> ev.OrderSeen:
    return ev.OrderSeen(client_id, venue_id, 0, 0, ticks, lots, filled, 5)


def found(rig: Rig, *orders: ev.OrderSeen):
    return compare(ev.OrdersSeen(orders, 5), rig.table, rig.engine.rows.open_handles(),
                   rig.clock.ns, OVER_NS)


def test_reconcile_nothing_on_both_sides_is_clean(rig: Rig) -> None:
    assert found(rig).clean


def test_reconcile_live_order_listed_as_it_is_is_clean(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    assert found(rig, listed(order)).clean


@pytest.mark.fault("V8")
@pytest.mark.law(4)
def test_reconcile_young_order_that_is_not_listed_stays_in_doubt(rig: Rig) -> None:
    order = rig.buy()
    rig.later(6.0)
    assert found(rig).unproved == [order]
    assert not found(rig).ended


@pytest.mark.fault("V8")
def test_reconcile_old_order_that_is_not_listed_is_over(rig: Rig) -> None:
    order = rig.buy()
    rig.fill(order, 7)
    rig.later(6.001)
    assert found(rig).ended == [ev.OrderDone(order, S.CANCELED, 7,
                                             "not among the venue's open orders", 5)]


def test_reconcile_age_is_counted_from_naming_not_from_the_wish(rig: Rig) -> None:
    """An intent may be old when it is sent; its order may still be on its way."""
    rig.later(0)
    old_us = rig.clock.us - 60_000_000
    for created_us in (old_us, 0):
        order = rig.desk().submit(Intent(0, 0, ASK, LOTS, created_us=created_us,
                                         ttl_us=3_600_000_000))
        assert order > 0
        assert order in found(rig).unproved


@pytest.mark.fault("T1")
def test_reconcile_wall_clock_steps_do_not_end_an_order(rig: Rig) -> None:
    order = rig.buy()
    rig.clock.us += 3_600_000_000
    assert found(rig).unproved == [order]
    rig.clock.us -= 7_200_000_000
    rig.clock.ns += OVER_NS + 1
    assert [event.client_id for event in found(rig).ended] == [order]


@pytest.mark.parametrize("doubtful", [True, False])
def test_reconcile_listing_proves_an_order_without_an_answer(rig: Rig, doubtful: bool) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    if doubtful:
        rig.doubt(order)
    difference = found(rig, listed(order))
    assert difference.proved == [ev.OrderAcked(order, "V", 5)]
    rig.tell(*difference.proved)
    assert rig.state(order) == S.LIVE
    assert found(rig, listed(order)).clean


def test_reconcile_doubtful_amend_takes_what_the_venue_lists(rig: Rig) -> None:
    """Applied or not, the wish is over and the exposure is that of the listed order."""
    for ticks, lots in ((BID - 10, 2 * LOTS), (BID, LOTS)):
        order = rig.buy(ticks=BID, tif=Tif.GTC)
        rig.ack(order)
        assert rig.desk().amend(order, BID - 10, 2 * LOTS) == 0
        rig.doubt(order)
        rig.tell(*found(rig, listed(order, ticks, lots)).proved)
        row = rig.table.get(rig.table.find(order))
        assert (row["ticks"], row["lots"], row["state"]) == (ticks, lots, S.LIVE)
        assert rig.held() == (lots, 0, 1)
        assert rig.desk().amend(order, BID - 20, LOTS) == 0
        rig.done(order)
        assert rig.held() == (0, 0, 0)


def test_reconcile_amend_on_its_way_is_left_alone(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    assert rig.desk().amend(order, BID - 10, 2 * LOTS) == 0
    assert found(rig, listed(order)).clean


def test_reconcile_fills_that_were_never_told_are_named(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    rig.fill(order, 5)
    assert found(rig, listed(order, filled=5)).clean
    assert found(rig, listed(order, filled=6)).missing == [order]


def test_reconcile_strangers_and_done_orders_are_leftovers(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.done(order)
    difference = found(rig, listed(order, venue_id="A"), listed(0, venue_id="B"),
                       listed(99, venue_id="C"))
    assert difference.leftovers == ["A", "B", "C"]
