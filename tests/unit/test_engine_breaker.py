"""The circuit breaker: five failures in a row, five minutes, one trial; and where it is wired."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.engine.breaker import CLOSED, OPEN, TRIAL, Breaker
from hftbot.venue.kraken import rules
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict

COOLDOWN_NS = 300_000_000_000
BREAKER = Verdict.DENY_BREAKER


def tripped(count: int = 5) -> Breaker:
    breaker = Breaker(5, COOLDOWN_NS)
    for at in range(count):
        breaker.failed(at, "EService:Busy", at)
    return breaker


def test_breaker_opens_at_the_fifth_failure_in_a_row() -> None:
    assert tripped(4).state == CLOSED
    breaker = tripped(5)
    assert (breaker.state, breaker.admits, breaker.trips) == (OPEN, False, 1)
    assert "EService:Busy" in breaker.text()


def test_breaker_success_begins_the_row_anew() -> None:
    breaker = tripped(4)
    breaker.succeeded(9)
    for at in range(4):
        assert not breaker.failed(at, "x", 100 + at)
    assert breaker.failed(5, "x", 200)


def test_breaker_failures_of_one_moment_are_one() -> None:
    breaker = Breaker(2, COOLDOWN_NS)
    for client_id in range(20):
        assert not breaker.failed(client_id, "connection lost", 7)
    assert breaker.failed(20, "connection lost", 8)


def test_breaker_off_never_opens() -> None:
    breaker = Breaker(0, COOLDOWN_NS)
    assert not any(breaker.failed(at, "x", at) for at in range(1000))
    assert breaker.admits


def test_breaker_cooldown_then_one_trial_that_closes_it() -> None:
    breaker = tripped()
    assert not breaker.tick(4 + COOLDOWN_NS - 1)
    assert breaker.tick(4 + COOLDOWN_NS)
    assert (breaker.state, breaker.admits) == (TRIAL, True)
    breaker.tried(50)
    assert not breaker.admits
    assert not breaker.succeeded(49)
    assert breaker.succeeded(50)
    assert (breaker.state, breaker.failures) == (CLOSED, 0)


def test_breaker_trial_that_fails_waits_anew() -> None:
    breaker = tripped()
    start_ns = 4 + COOLDOWN_NS
    breaker.tick(start_ns)
    breaker.tried(50)
    assert not breaker.failed(49, "of an older order", start_ns + 5)
    assert breaker.failed(50, "again", start_ns + 10)
    assert not breaker.tick(start_ns + 10 + COOLDOWN_NS - 1)
    assert breaker.tick(start_ns + 10 + COOLDOWN_NS)


def test_breaker_success_while_open_does_not_shorten_the_wait() -> None:
    breaker = tripped()
    assert not breaker.succeeded(3)
    assert breaker.state == OPEN


@pytest.mark.parametrize(("code", "counts"), [
    ("EOrder:Insufficient funds", False), ("EOrder:Insufficient margin", False),
    ("EOrder:Post only order", False), ("EOrder:Invalid price", False),
    ("EOrder:Invalid price:far off", False), ("EOrder:Tick size check failed", False),
    ("EService:Market in cancel_only mode", False), ("EService:Market in post_only mode", False),
    ("ESession:Invalid session", False), ("EBM:limit exceeded:CAL", False),
    ("EService:Unavailable", True), ("EService:Busy", True), ("EService:Timeout", True),
    ("EService:Deadline elapsed", True), ("EGeneral:Internal error", True),
    ("EOrder:Rate limit exceeded", True), ("EAPI:Invalid nonce", True),
    ("EGeneral:Permission denied", True), ("words nobody documented", True), ("", True)])
def test_breaker_which_refusals_count(code: str, counts: bool) -> None:
    assert rules.is_failure(code) is counts


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice())


def refuse(rig: Rig, times: int, code: str = "EService:Busy", ticks: int = ASK) -> None:
    for _ in range(times):
        order = rig.buy(ticks=ticks)
        rig.later(0.01)
        rig.tell(ev.OrderRejected(order, code, rig.clock.us))


def entry(rig: Rig, lots: int = LOTS) -> int:
    return int(rig.desk().place(0, Side.BUY, ASK, lots, Tif.IOC))


def test_breaker_five_rejects_deny_the_sixth_entry(rig: Rig) -> None:
    refuse(rig, 4)
    assert entry(rig) > 0
    refuse(rig, 1)
    assert entry(rig) == -BREAKER
    assert rig.engine.rows.denials["DENY_BREAKER"] == 1
    assert rig.notes.said("breaker OPEN") == 1


def test_breaker_insufficient_funds_never_open_it(rig: Rig) -> None:
    refuse(rig, 100, "EOrder:Insufficient funds")
    assert entry(rig) > 0


def test_breaker_an_acked_order_resets_the_count(rig: Rig) -> None:
    for _ in range(3):
        refuse(rig, 4)
        order = rig.buy(ticks=BID - 5, tif=Tif.GTC)
        rig.ack(order)
        rig.done(order)
    assert entry(rig) > 0


def test_breaker_orders_in_doubt_count(rig: Rig) -> None:
    for _ in range(5):
        order = entry(rig)
        rig.later(5.0)
        rig.doubt(order)
    assert entry(rig) == -BREAKER


def test_breaker_one_lost_connection_is_one_failure(rig: Rig) -> None:
    orders = [rig.buy(ticks=BID - i, tif=Tif.GTC) for i in range(8)]
    for order in orders:
        rig.doubt(order)
    assert entry(rig) > 0


def test_breaker_exits_and_cancels_still_go(rig: Rig) -> None:
    rig.fill(rig.buy(LOTS), LOTS)
    rig.tell(ev.BalanceSeen("BTC", LOTS * 100, rig.clock.us))
    resting = rig.buy(ticks=BID - 5, tif=Tif.GTC)
    rig.ack(resting)
    refuse(rig, 5)
    assert entry(rig) == -BREAKER
    assert rig.desk().amend(resting, BID - 5, 2 * LOTS) == -BREAKER
    assert rig.desk().amend(resting, BID - 6, LOTS) == 0
    assert rig.desk().cancel(resting) == 0
    assert rig.desk().place(0, Side.SELL, BID, LOTS + 1, Tif.IOC) == -BREAKER
    assert rig.sell(LOTS) > 0


def test_breaker_after_the_cooldown_one_order_is_tried(rig: Rig) -> None:
    refuse(rig, 5)
    rig.later(299.0)
    rig.engine.on_timer()
    assert entry(rig) == -BREAKER
    rig.later(1.1)
    rig.engine.on_timer()
    assert rig.notes.said("breaker TRIAL") == 1
    # One that the guard denies is not the trial.
    assert rig.desk().place(0, Side.BUY, ASK * 2, LOTS, Tif.IOC) < 0
    tried = rig.buy(LOTS, BID - 5, Tif.GTC)
    assert entry(rig) == -BREAKER
    rig.ack(tried)
    assert rig.notes.said("breaker CLOSED") == 1
    assert entry(rig) > 0


def test_breaker_trial_refused_for_funds_lets_the_next_be_tried(rig: Rig) -> None:
    refuse(rig, 5)
    rig.later(300.1)
    rig.engine.on_timer()
    rig.tell(ev.OrderRejected(entry(rig), "EOrder:Insufficient funds", rig.clock.us))
    assert entry(rig) > 0
    assert entry(rig, LOTS + 1) == -BREAKER


def test_breaker_opens_while_the_door_is_shut(rig: Rig) -> None:
    """The door and the breaker are two locks: opening one does not open the other."""
    order = entry(rig)
    refuse(rig, 4)
    rig.world.router.admit(False)
    rig.later(5.0)
    rig.doubt(order)
    assert entry(rig) == -Verdict.DENY_NOT_READY
    rig.world.router.admit(True)
    assert entry(rig) == -BREAKER
