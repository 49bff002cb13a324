"""DRAIN in the simulated world, and what the file itself does."""

from __future__ import annotations

import pathlib

import pytest

from hftbot.engine.guard import HALTED
from hftbot.store.drain_file import DrainFile
from world.ring import Ring, run_ring
from world.tamper import Quoter


@pytest.mark.law(12)
def test_drain_cancels_all_and_stops_without_a_halt() -> None:
    def plan(ring: Ring) -> None:
        ring.session.drain_asked = lambda: ring.venue.loop.time() > 3.0
    ring = run_ring(1, 60.0, strategy=Quoter(1), script=plan)
    assert ring.session.stop_reason == "drain file"
    assert ring.venue.loop.time() < 6.0
    assert ring.session.open_at_exit == 0
    assert ring.world.router.orders_sent > 0
    assert ring.world.guard.state != HALTED
    assert not ring.world.guard.sticky


def test_drain_asked_before_the_start_trades_nothing() -> None:
    def plan(ring: Ring) -> None:
        ring.session.drain_asked = lambda: True
    ring = run_ring(1, 60.0, strategy=Quoter(1), script=plan)
    assert ring.world.router.orders_sent == 0
    assert (ring.session.stop_reason, ring.session.open_at_exit) == ("drain file", 0)


def test_drain_file_is_taken_once(tmp_path: pathlib.Path) -> None:
    file = DrainFile(tmp_path)
    assert not file.take()
    file.path.touch()
    assert file.take()
    assert not file.take()
    file.path.mkdir()
    assert file.take(), "what cannot be removed asks all the same"
