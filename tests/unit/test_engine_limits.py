"""Latency and blindness: at the limit nothing happens, one beyond for long enough halts."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.engine.guard import ACTIVE, HALTED, REDUCING
from hftbot.engine.limits import BlindLimit, LatencyLimit
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict

SECOND_NS = 1_000_000_000


@pytest.mark.fault("K3")
def test_limits_latency_at_the_limit_and_one_beyond() -> None:
    limit = LatencyLimit(1_000, 10 * SECOND_NS)
    limit.answered(1_000_000)
    assert limit.tick(0, 1) == limit.tick(0, 100 * SECOND_NS) == ""
    limit.answered(1_000_010)
    assert limit.tick(0, 1) == ""
    assert limit.tick(0, 10 * SECOND_NS) == ""
    assert "latency limit" in limit.tick(0, 10 * SECOND_NS + 1)


def test_limits_latency_a_fast_answer_among_slow_ones_does_not_hide_them() -> None:
    limit = LatencyLimit(1_000, 0)
    for latency_us in (5_000, 5_000, 10, 5_000):
        limit.answered(latency_us * 1000)
    assert limit.tick(0, 1)
    for _ in range(20):
        limit.answered(10_000)
    assert limit.tick(0, 2) == ""


def test_limits_latency_an_order_that_waits_counts_with_its_age() -> None:
    limit = LatencyLimit(1_000, SECOND_NS)
    assert limit.tick(1_000_000, 1) == ""
    assert limit.tick(1_000_001, 2) == ""
    assert limit.tick(1_000_001, 2 + SECOND_NS)


def test_limits_latency_recovered_in_time_starts_the_clock_anew() -> None:
    limit = LatencyLimit(1_000, SECOND_NS)
    limit.tick(2_000_000, 1)
    limit.tick(0, SECOND_NS // 2)
    assert limit.tick(2_000_000, SECOND_NS + 1) == ""


def test_limits_off_is_off() -> None:
    latency, blind = LatencyLimit(0, 0), BlindLimit(0)
    latency.answered(10**12)
    assert latency.tick(10**12, 1) == latency.tick(10**12, 10**15) == ""
    assert blind.tick(True, True, 1) == blind.tick(True, True, 10**18) == ""


@pytest.mark.fault("K3")
def test_limits_blind_only_with_something_at_stake_and_from_its_last_sight() -> None:
    limit = BlindLimit(60 * SECOND_NS)
    assert limit.tick(True, False, 1) == limit.tick(True, False, 10**15) == ""
    start_ns = 2 * 10**15
    assert limit.tick(True, True, start_ns) == ""
    assert limit.tick(True, True, start_ns + 60 * SECOND_NS - 1) == ""
    assert "blind" in limit.tick(True, True, start_ns + 60 * SECOND_NS)
    assert limit.tick(False, True, start_ns + 61 * SECOND_NS) == ""
    assert limit.tick(True, True, start_ns + 62 * SECOND_NS) == ""


def test_limits_engine_blind_with_a_position_halts(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), blind_max_us=60_000_000)
    rig.fill(rig.buy(), LOTS)
    rig.engine.blind = True
    rig.engine.on_timer()
    rig.later(59.9)
    rig.engine.on_timer()
    assert rig.guard.state == ACTIVE
    rig.later(0.1)
    rig.engine.on_timer()
    assert (rig.guard.state, rig.guard.sticky) == (HALTED, True)


def test_limits_engine_blind_with_nothing_at_stake_waits(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), blind_max_us=60_000_000)
    rig.engine.blind = True
    for _ in range(100):
        rig.later(60.0)
        rig.engine.on_timer()
    assert rig.guard.state == ACTIVE


@pytest.mark.parametrize("answered", [False, True])
def test_limits_engine_slow_answers_halt(tmp_path: pathlib.Path, answered: bool) -> None:
    rig = Rig(tmp_path, Voice(), kill_latency_us=200_000, kill_latency_after_us=1_000_000)
    order = rig.buy(LOTS, BID - 5, Tif.GTC)
    rig.later(0.3)
    if answered:
        rig.ack(order)
        rig.fill(order, 10)
    rig.engine.on_timer()
    assert rig.guard.state == ACTIVE
    rig.later(1.0)
    rig.engine.on_timer()
    assert rig.guard.state == HALTED
    assert "latency limit" in rig.guard.reason
    # A fill long after the answer is no latency.
    assert not answered or rig.guard.latency.mean_us == pytest.approx(300_000)


@pytest.mark.fault("H4")
@pytest.mark.parametrize(("limits", "state"), [
    ({"position_usd_max": 1_200}, ACTIVE), ({"position_usd_max": 300}, REDUCING),
    ({"gross_usd_max": 300}, REDUCING), ({"position_usd_max": 600.0005}, ACTIVE),
    ({"position_usd_max": 599.9999}, REDUCING)])
def test_limits_lowered_below_what_is_held_reduce_and_send_nothing(
        tmp_path: pathlib.Path, limits: dict[str, float], state: int) -> None:
    rig = Rig(tmp_path, Voice(), start=False, **limits)
    rig.tell(ev.BalanceSeen("BTC", 1_000_000 * 100, 1))
    rig.world.adopt_positions()
    rig.engine.start()
    rig.engine.on_timer()
    assert rig.guard.state == state
    assert not rig.guard.sticky
    assert rig.sent == []
    if state == REDUCING:
        assert -rig.desk().place(0, Side.BUY, ASK, LOTS, Tif.IOC) & Verdict.DENY_REDUCING
    assert rig.sell(1_000_000) > 0


def test_limits_repeated_fills_stop_the_strategy_and_are_kept(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice("first"), Voice("second"), fills_in_row_max=3)
    order = rig.buy(LOTS, ASK)
    for i in range(3):
        rig.fill(order, 10, f"F{i}")
    rig.engine.on_timer()
    assert not rig.guard.sticky
    rig.fill(order, 10, "F3")
    rig.engine.on_timer()
    rig.engine.on_timer()
    assert rig.guard.sticky
    assert rig.guard.state == ACTIVE
    assert "strategy first: more than 3 fills in a row" in rig.guard.reason
    assert rig.notes.said("strategy first: more than 3") == 1
    assert -rig.desk().place(0, Side.BUY, ASK, LOTS, Tif.IOC) & Verdict.DENY_REPEATED_FILLS
    assert rig.desk(1).place(0, Side.BUY, ASK, LOTS, Tif.IOC) > 0
    rig.guard.raise_to(REDUCING, "loss")
    rig.guard.halt("the exchange ended", sticky=False)
    assert rig.guard.sticky, "a kept stop outlives what comes later"
