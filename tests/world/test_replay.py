"""The journal of a run gives its money state, record by record, on a hostile wire."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from hftbot.engine.recover import Replay
from world.replaying import JournalWatch
from world.ring import Ring
from world.tamper import Quoter, Tamper, Trader, play, storm, wrong

ROOT = pathlib.Path(__file__).resolve().parents[2]


def watched(seed: int, strategy, plan=lambda ring: None, seconds: float = 20.0):
    """A stormy run, and the watch of its journal."""
    kept: list[JournalWatch] = []

    def script(ring: Ring, tamper: Tamper) -> None:
        kept.append(JournalWatch(ring))
        storm(ring, tamper, seed, seconds - 5.0)
        plan(ring)

    ring, tamper = play(seconds, strategy, script, seed)
    kept[0].close()
    return ring, tamper, kept[0]


@pytest.mark.law(9)
@pytest.mark.parametrize("seed", range(1, 11))
def test_world_replay_equals_the_run_at_every_record(seed: int) -> None:
    ring, tamper, watch = watched(seed, Quoter(seed) if seed % 3 else Trader())
    assert watch.wrong == []
    assert watch.compared > 50
    assert wrong(ring, tamper) == []
    assert watch.replay.unknown == 0
    assert watch.replay.fills == ring.world.ledger.fills


@pytest.mark.law(9)
def test_world_replay_equals_the_run_before_every_append_interpreted() -> None:
    """The interpreted rooms let a test look before each append, in a process of their own."""
    program = ("import sys; sys.path.insert(0, 'tests'); import fastcore\n"
               "from world.test_replay import Quoter, watched\n"
               "assert not fastcore.compiled\n"
               "watch = watched(5, Quoter(5), seconds=12.0)[2]\n"
               "print(watch.wrong, watch.compared > 50)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          cwd=ROOT, env={**os.environ, "FASTCORE_PURE": "1"}, check=True,
                          timeout=100)
    assert done.stdout.split() == ["[]", "True"], done.stdout


@pytest.mark.law(9)
def test_world_replay_finds_a_change_without_a_record() -> None:
    """The watch itself is watched: a state that moves behind the journal's back is seen."""
    def plan(ring: Ring) -> None:
        def lie() -> None:
            table = ring.world.table
            for handle in ring.world.engine.rows.open_handles():
                table.doubt(handle)
        for i in range(20):
            ring.venue.loop.call_later(2.0 + 0.3 * i, lie)
    *_, watch = watched(1, Quoter(1), plan)
    assert watch.wrong


@pytest.mark.law(9)
def test_world_replay_that_forgets_a_rule_is_seen(monkeypatch) -> None:
    monkeypatch.setattr(Replay, "_amended", lambda self, words: None)
    assert any(watched(seed, Quoter(seed))[2].wrong for seed in (1, 2, 3))
