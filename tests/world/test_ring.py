"""The whole of bot and exchange in one process, on virtual time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hftbot.words.market import Side
from hftbot.words.ports import Strategy
from world.ring import Ring, run_ring

SEEDS = range(1, 11)


@pytest.mark.parametrize("seed", SEEDS)
def test_world_same_seed_same_trace(seed: int) -> None:
    """Equal seeds give equal frames, times and money; and nothing stays open."""
    first, second = run_ring(seed, 20.0), run_ring(seed, 20.0)
    assert first.trace == second.trace
    assert first.state_hash() == second.state_hash()
    assert first.venue.frames > 500
    assert first.session.open_at_exit == 0
    assert not first.venue.face.desk.orders


def test_world_seeds_differ() -> None:
    assert len({run_ring(seed, 5.0).trace for seed in (1, 2, 3)}) == 3


def test_world_trace_does_not_depend_on_the_process() -> None:
    """Hash randomisation must not reach a decision."""
    program = ("import sys; sys.path.insert(0, 'tests'); "
               "from world.ring import run_ring; print(run_ring(4, 8.0).trace)")
    traces = set()
    for seed in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
                              cwd=_root(), timeout=100)
        traces.add(done.stdout.strip())
    assert len(traces) == 1


def _root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.law(3)
@pytest.mark.parametrize("seed", SEEDS)
def test_world_money_agrees_with_the_venue(seed: int) -> None:
    """After the drain, position and cash are what the venue says they are."""
    ring = run_ring(seed, 30.0)
    account = ring.venue.face.account
    grid = ring.world.instruments[0]
    assert ring.world.ledger.balances_e10["BTC"] == account.balances["BTC"]
    assert ring.world.ledger.balances_e10["USD"] == account.balances["USD"]
    held = ring.world.ledger.positions[0].lots
    assert held * grid.lot_units * 10**10 // 10**grid.qty_precision == account.balances["BTC"]
    assert len(ring.witness.fills) == ring.world.ledger.fills
    assert len({fill.fill_id for fill in ring.witness.fills}) == len(ring.witness.fills)


@pytest.mark.law(12)
@pytest.mark.parametrize("seed", SEEDS)
def test_world_every_order_ends_once(seed: int) -> None:
    """Each order that was sent is told as done exactly once, whole fills included."""
    ring = run_ring(seed, 30.0)
    ends = [client_id for client_id, _ in ring.witness.ends]
    assert len(ends) == len(set(ends)) == ring.world.router.orders_sent > 0


def test_world_all_trackers_have_samples() -> None:
    statistics = run_ring(1, 30.0).world.trackers.statistics()
    assert all(row["count"] for row in statistics.values()), statistics


@pytest.mark.long
def test_world_first_entry_within_five_seconds() -> None:
    """100 of 100 seeds give the scalper its first entry within 5 s of market time."""
    late = []
    for seed in range(1, 101):
        ring = run_ring(seed, 5.0)
        if not ring.world.router.orders_sent:
            late.append(seed)
    assert not late


class Quoter(Strategy):
    """Rests one order far below the market, so that there is something to lose."""

    name = "quoter"

    def __init__(self) -> None:
        self.client_id = 0
        self.events: list[object] = []

    def on_book(self, book) -> None:
        if not self.client_id:
            self.client_id = self.desk.place(0, Side.BUY, book.best_bid() - 500, 10_000, 0)

    def on_order(self, event) -> None:
        self.events.append(event)


def test_world_resting_order_is_cancelled_at_stop() -> None:
    ring = run_ring(1, 5.0, strategy=Quoter())
    assert ring.session.open_at_exit == 0
    assert not ring.venue.face.desk.orders
    assert ring.world.router.cancels_sent == 1


def test_world_private_link_lost_then_order_is_found_again() -> None:
    """A lost trading link: blind at once, sight after the new snapshot, order still ours."""
    seen: list[tuple[bool, bool]] = []

    def mischief(ring: Ring) -> None:
        def cut() -> None:
            wire = next(w for w in ring.venue.wires if w.connection.kind == "private")
            wire.close("cut", abort=True)
            ring.venue.loop.call_later(0.0001, look)

        def look() -> None:
            seen.append((ring.world.engine.blind, ring.world.router.attached))
        ring.venue.loop.call_later(3.0, cut)

    ring = run_ring(2, 10.0, strategy=Quoter(), script=mischief)
    assert seen == [(True, False)]
    assert not ring.world.engine.blind
    assert ring.session.open_at_exit == 0
    assert not ring.venue.face.desk.orders


def test_world_public_link_lost_no_order_is_priced_from_an_empty_book() -> None:
    """Between loss and snapshot the book is empty and nothing is sent."""
    def mischief(ring: Ring) -> None:
        def cut() -> None:
            wire = next(w for w in ring.venue.wires if w.connection.kind == "public")
            wire.close("cut", abort=True)
        ring.venue.loop.call_later(3.0, cut)

    ring = run_ring(3, 10.0, script=mischief)
    assert any("market link lost" in line for line in ring.notes.lines)
    assert ring.world.feed.ready
    assert ring.session.open_at_exit == 0


class Broken(Strategy):
    """Raises once it has an order."""

    name = "broken"

    def on_book(self, book) -> None:
        if not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_bid() - 500, 10_000, 0)
            return
        raise RuntimeError("planted")


@pytest.mark.fault("P5")
def test_world_strategy_that_raises_is_disabled_and_its_orders_cancelled() -> None:
    ring = run_ring(1, 60.0, strategy=Broken())
    assert "every strategy is disabled" in ring.session.stop_reason
    assert ring.world.engine.disabled == ["broken"]
    assert not ring.venue.face.desk.orders
    assert ring.session.open_at_exit == 0
