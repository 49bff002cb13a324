"""A sticky halt is told once, after the cancels; a kill halts; the rest keeps silent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from hftbot.errors import StoreError
from hftbot.live.session import KILL_AGAIN_NS
from hftbot.words.market import Side
from hftbot.words.ports import Strategy
from world.ring import Ring, run_ring


class Rester(Strategy):
    """Keeps one order resting far below the market."""

    name = "rester"

    def on_book(self, book) -> None:
        if not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_bid() - 500, 10_000, 0)


def play(plan: Callable[[Ring], None]) -> tuple[Ring, list[tuple[str, int, int]]]:
    """One ring of at most a minute, and what its port was told: reason, wall us, cancels sent."""
    told: list[tuple[str, int, int]] = []

    def script(ring: Ring) -> None:
        ring.session.on_halt = lambda reason, now_us: told.append(
            (reason, now_us - ring.start_us, ring.world.router.cancels_sent))
        plan(ring)
    ring = run_ring(1, 60.0, strategy=Rester(), script=script)
    assert not ring.venue.face.desk.orders
    return ring, told


@pytest.mark.law(7)
def test_world_halt_is_told_once_with_its_reason_after_the_cancel() -> None:
    def plan(ring: Ring) -> None:
        for at_s in (3.0, 3.01, 3.2):
            ring.venue.loop.call_later(at_s, ring.world.guard.halt, f"planted at {at_s}")
    ring, told = play(plan)
    assert [reason for reason, _, _ in told] == ["planted at 3.0"]
    assert 3_000_000 <= told[0][1] <= 3_100_000
    assert told[0][2] == 1
    assert ring.session.open_at_exit == 0


@pytest.mark.fault("K3")
def test_world_kill_is_seen_within_a_timer_interval() -> None:
    looks: list[int] = []

    def plan(ring: Ring) -> None:
        def asked() -> str:
            looks.append(ring.world.clock.mono_ns())
            return "killed: planted" if ring.venue.loop.time() > 3.0 else ""
        ring.session.kill_asked = asked
    ring, told = play(plan)
    assert [reason for reason, _, _ in told] == ["killed: planted"]
    assert ring.session.stop_reason == "halted: killed: planted"
    assert ring.session.open_at_exit == 0
    assert ring.venue.loop.time() < 4.0
    pauses = [later - sooner for sooner, later in pairwise(looks)]
    assert min(pauses) >= KILL_AGAIN_NS
    assert max(pauses) <= KILL_AGAIN_NS + 2 * ring.world.settings.loop_interval_us * 1000


@pytest.mark.fault("K3")
@pytest.mark.law(7)
def test_world_kill_before_trading_sends_no_order() -> None:
    def plan(ring: Ring) -> None:
        ring.session.kill_asked = lambda: "killed: early"
    ring, told = play(plan)
    assert [reason for reason, _, _ in told] == ["killed: early"]
    assert ring.world.router.orders_sent == 0


@pytest.mark.parametrize("end", ["stop", "lose_venue"])
def test_world_end_of_the_process_alone_is_not_told(end: str) -> None:
    def plan(ring: Ring) -> None:
        def act() -> None:
            for wire in list(ring.venue.wires) if end == "lose_venue" else ():
                wire.close("gone", abort=True)
                ring.venue.face.desk.orders.clear()
            getattr(ring.session, end)("planted")
        ring.venue.loop.call_later(3.0, act)
    ring, told = play(plan)
    assert told == []
    assert not ring.world.guard.sticky


def test_world_halt_that_could_not_be_kept_is_told_again() -> None:
    tries: list[str] = []

    def plan(ring: Ring) -> None:
        def full(reason: str, now_us: int) -> None:
            tries.append(reason)
            if len(tries) < 3:
                raise StoreError("disk full")
        ring.session.on_halt = full
        ring.venue.loop.call_later(3.0, ring.world.guard.halt, "planted")
        # The drain ends only after a while, so that the timer comes by again.
        ring.world.router.cancel = lambda handle, urgent=False: -1
        ring.venue.loop.call_later(6.0, ring.venue.face.desk.orders.clear)
    ring, _ = play(plan)
    assert tries == ["planted"] * 3
    assert sum("could not be kept" in line for line in ring.notes.lines) == 1


def test_world_journal_refusal_at_the_last_moment_is_told() -> None:
    """The hot path halts by itself; the end of the run looks, even if no timer came by."""
    def plan(ring: Ring) -> None:
        def refuse() -> None:
            ring.session.stop("Ctrl-C")
            ring.world.account.state = 2
        ring.venue.loop.call_later(3.0, refuse)
    _, told = play(plan)
    assert [reason for reason, _, _ in told] == ["the journal refused a record"]
