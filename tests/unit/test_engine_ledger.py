"""Fills once, positions right in every order of events, money exact."""

from __future__ import annotations

import itertools
import pathlib
import random

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from fastcore.money.journal import read_records
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S

FILL_ROW = 2


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice())


@pytest.mark.fault("F1")
@pytest.mark.law(2)
def test_ledger_same_fill_many_times_counts_once(rig: Rig) -> None:
    order = rig.buy()
    rig.ack(order)
    for _ in range(5):
        rig.fill(order, LOTS // 2)
    assert rig.lots() == LOTS // 2
    assert rig.ledger.fills == len(rig.fills) == 1
    assert rig.ledger.duplicates == 4
    assert rig.state(order) == S.PARTIAL


@pytest.mark.fault("F1")
@pytest.mark.law(2)
def test_ledger_same_fill_after_its_order_is_done_and_its_row_freed(rig: Rig) -> None:
    order = rig.buy()
    rig.fill(order)
    rig.later(40)
    rig.engine.on_timer()
    assert rig.state(order) == S.FREE
    rig.fill(order)
    assert rig.lots() == LOTS
    assert rig.engine.external_fills == 0


@pytest.mark.fault("F1")
@pytest.mark.law(2)
def test_ledger_same_fill_id_by_the_thousand_is_journaled_once(rig: Rig) -> None:
    order = rig.buy(LOTS * 10)
    for _ in range(1_000):
        rig.fill(order, 1, "only")
    rig.journal.close()
    kinds = [kind for _, kind, _ in read_records(str(rig.path))]
    assert kinds.count(FILL_ROW) == 1


@pytest.mark.fault("F2")
@pytest.mark.parametrize("order_of_events", list(itertools.permutations(
    ["ack", "part", "rest", "done"])))
def test_ledger_every_order_of_four_events(rig: Rig, order_of_events: tuple[str, ...]) -> None:
    """Fill before ack, ack after done, fill after done: position, end and exposure are right."""
    order = rig.buy()
    acts = {"ack": lambda: rig.ack(order), "part": lambda: rig.fill(order, LOTS // 4, "A"),
            "rest": lambda: rig.fill(order, LOTS - LOTS // 4, "B"),
            "done": lambda: rig.done(order, S.FILLED, LOTS)}
    for name in order_of_events:
        acts[name]()
    assert rig.lots() == LOTS
    assert rig.state(order) == S.FILLED
    assert rig.held() == (0, 0, 0)
    assert rig.ends == [(order, S.FILLED)]
    rig.later(11)
    rig.engine.on_timer()
    assert rig.guard.state == 0


@pytest.mark.fault("F2")
@pytest.mark.parametrize("order_of_events", list(itertools.permutations(
    ["ack", "fill", "cancelled", "again"])))
def test_ledger_fill_around_a_cancel(rig: Rig, order_of_events: tuple[str, ...]) -> None:
    order = rig.buy()
    acts = {"ack": lambda: rig.ack(order), "fill": lambda: rig.fill(order, 7),
            "cancelled": lambda: rig.done(order, S.CANCELED, 7),
            "again": lambda: rig.fill(order, 7)}
    for name in order_of_events:
        acts[name]()
    assert rig.lots() == 7
    assert rig.state(order) == S.CANCELED
    assert rig.held() == (0, 0, 0)
    assert rig.ends == [(order, S.CANCELED)]


def test_ledger_fills_that_the_end_counts_and_nobody_told_halt(rig: Rig) -> None:
    """The end of an order says 9 lots, 4 were told: after the wait the ledger is not believed."""
    order = rig.buy()
    rig.fill(order, 4)
    rig.done(order, S.CANCELED, 9)
    rig.later(9)
    rig.engine.on_timer()
    assert rig.guard.state == 0
    rig.later(2)
    rig.engine.on_timer()
    assert rig.guard.state == 2
    assert rig.notes.said("9 lots filled, we were told of 4")


@pytest.mark.fault("V10")
def test_ledger_over_fill_is_booked_and_reduces(rig: Rig) -> None:
    order = rig.buy()
    rig.fill(order, LOTS + 10)
    assert rig.lots() == LOTS + 10
    assert rig.guard.state == 1
    assert rig.held() == (0, 0, 0)


def test_ledger_external_fill_moves_the_position_and_is_counted(rig: Rig) -> None:
    rig.fill(0, 5, "X1", Side.BUY)
    rig.fill(0, 2, "X2", Side.SELL)
    assert rig.lots() == 3
    assert rig.engine.external_fills == 2


@pytest.mark.fault("P6")
def test_ledger_impossible_fill_halts_and_changes_nothing(rig: Rig) -> None:
    order = rig.buy()
    rig.fill(order, 0)
    assert rig.guard.state == 2
    assert rig.lots() == 0
    assert rig.ledger.fills == 0


def test_ledger_sell_takes_away_and_earns(rig: Rig) -> None:
    bought = rig.buy()
    rig.fill(bought, fee_e10=3)
    rig.tell(ev.BalanceSeen("BTC", LOTS * 100, rig.clock.us))
    sold = rig.sell()
    rig.fill(sold, LOTS, "F2", Side.SELL, ASK + 50, fee_e10=4)
    position = rig.ledger.positions[0]
    assert (position.lots, position.cost) == (0, 0)
    assert position.realised == position.cash == 50 * LOTS
    assert rig.ledger.fees_e10 == position.fees_e10 == 7
    assert rig.engine.profit_net() == pytest.approx(50 * LOTS * 1e-9 - 7e-10)


def test_ledger_profit_does_not_move_with_a_lost_link(rig: Rig) -> None:
    """An empty book is no price: neither a realised loss vanishes nor a false one appears."""
    order = rig.buy()
    rig.fill(order, ticks=ASK + 1_000)
    before = rig.engine.profit_net()
    rig.engine.books[0].clear()
    assert rig.engine.profit_net() == before < 0


def test_ledger_position_that_never_had_a_price_has_no_profit_yet(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), start=False)
    rig.engine.books[0].clear()
    rig.fill(0, 5, "left over")
    assert rig.engine.profit_net() == 0.0


@pytest.mark.law(3)
def test_ledger_random_storm_keeps_the_sums(rig: Rig) -> None:
    """Duplicates, late fills and unknown orders in random order: the sums are those of the set."""
    chance = random.Random(5)
    orders = [rig.buy(LOTS, BID - 100 + i, 0) for i in range(10)]
    fills = [(orders[i % 10], 1 + i, f"S{i}") for i in range(60)]
    storm = fills * 3
    chance.shuffle(storm)
    for client_id, lots, fill_id in storm:
        if chance.random() < 0.1:
            rig.ack(client_id)
        rig.fill(client_id, lots, fill_id)
    assert rig.lots() == sum(lots for _, lots, _ in fills)
    assert rig.ledger.duplicates == 120
    position = rig.ledger.positions[0]
    assert position.cash + position.cost == position.realised
    open_lots = 10 * LOTS - rig.lots()
    assert rig.held() == (open_lots, 0, 10)
