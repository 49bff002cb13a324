"""A wall clock that steps under the bot, and a kill with a hundred orders open."""

from __future__ import annotations

from typing import Any

import pytest

from hftbot.engine.guard import HALTED
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import Ring
from world.tamper import Quoter, Tamper, play, wrong
from world.virtual_loop import VirtualClock

CROWD = 100


@pytest.mark.fault("T1", "T3")
@pytest.mark.law(6)
@pytest.mark.parametrize("step_us", [-1_000_000, 10_000_000])
def test_clock_that_steps_moves_no_duration(step_us: int) -> None:
    """Only the bot's wall clock steps: orders go on, no latency is negative, money agrees."""
    sent_at: list[int] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        ours, venue = ring.venue.clock, VirtualClock(ring.venue.loop)
        ring.venue.clock = ring.venue.face.clock = venue

        def step() -> None:
            sent_at.append(len(tamper.adds()))
            ours.epoch_us += step_us
        ring.venue.loop.call_later(8.0, step)
    ring, tamper = play(20.0, Quoter(3), plan, 3)
    assert wrong(ring, tamper) == []
    assert len(tamper.adds()) > 1.3 * sent_at[0] > 0
    statistics = ring.world.trackers.statistics()
    assert all(row["min_us"] >= 0 for row in statistics.values() if row["count"])
    assert ring.world.guard.state != HALTED


class Crowd(Strategy):
    """Rests a hundred orders and asks for more whenever one is gone."""

    name = "crowd"

    def on_book(self, book: Any) -> None:
        for number in range(len(self.desk.open_orders()), CROWD):
            self.desk.place(0, Side.BUY, book.best_bid() - 1000 - number, 10_000, Tif.GTC)

    def on_order(self, event: Any) -> None:
        self.on_book(self.desk.book(0))


@pytest.mark.fault("K1")
@pytest.mark.law(7)
def test_kill_with_a_hundred_orders_open() -> None:
    """All are cancelled and that is verified within a second; none is sent after the stamp."""
    seen: list[int] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        def look() -> str:
            if ring.venue.loop.time() < 5.0:
                return ""
            if not seen:
                seen.extend((len(ring.venue.face.desk.orders), len(tamper.adds())))
            return "killed: planted"
        ring.session.kill_asked = look
    ring, tamper = play(30.0, Crowd(), plan, bot={"open_orders_max": 2 * CROWD})
    assert seen[0] == CROWD
    assert len(tamper.adds()) == seen[1]
    assert wrong(ring, tamper) == []
    assert ring.world.guard.sticky
    assert ring.venue.loop.time() < 6.5
