"""A burst of the same refusal is one line."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import BID, Notes, Rig, Voice

from hftbot.engine.refusals import BURSTS_MAX, Refusals
from hftbot.words import events as ev
from hftbot.words.order import Tif

CODE = "EOrder:Post only order"


def test_refusals_a_burst_is_one_line_with_its_count(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    orders = [rig.buy(lots=10_000, ticks=BID - i, tif=Tif.GTC) for i in range(40)]
    for order in orders:
        rig.tell(ev.OrderRejected(order, CODE, rig.clock.us))
    rig.engine.on_timer()
    assert rig.notes.said("rejected") == 0
    rig.later(1.0)
    rig.engine.on_timer()
    rig.engine.on_timer()
    assert [line for line in rig.notes.lines if "rejected" in line] == [
        f"40 orders rejected: {CODE} (orders {orders[0]} to {orders[-1]}, within 1.0 s)"]
    assert rig.engine.rejects == 40


def test_refusals_one_alone_reads_as_ever_and_words_are_kept_apart() -> None:
    notes = Notes()
    refusals = Refusals(notes.warn)
    refusals.add(1, CODE, 0)
    refusals.add(2, "EOrder:Insufficient funds", 5 * 10**8)
    refusals.tick(10**9)
    assert notes.lines == [f"order 1 rejected: {CODE}"]
    refusals.tell_all(10**9)
    assert notes.lines[1:] == ["order 2 rejected: EOrder:Insufficient funds"]
    refusals.tell_all(2 * 10**9)
    assert len(notes.lines) == 2


@pytest.mark.parametrize("count", [BURSTS_MAX, BURSTS_MAX + 1])
def test_refusals_of_many_kinds_are_bounded(count: int) -> None:
    notes = Notes()
    refusals = Refusals(notes.warn)
    for i in range(count):
        refusals.add(i, f"words {i}", 0)
    assert len(notes.lines) == (0 if count == BURSTS_MAX else BURSTS_MAX)
    refusals.tell_all(1)
    assert len(notes.lines) == count
