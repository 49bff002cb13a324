"""A run that goes on in another journal again and again, on a hostile wire, loses no state."""

from __future__ import annotations

import pathlib

import pytest

from fastcore.money.journal import Journal, read_records
from hftbot.engine.recover import Replay, row_records, state_hash
from hftbot.live.carry_over import base_rows
from world.ring import Ring
from world.tamper import Quoter, Tamper, Trader, play, storm, wrong

EVERY_S = 0.7


def replayed(path: str | pathlib.Path, instruments: int) -> Replay:
    """The state that one file gives by itself."""
    replay = Replay(instruments)
    for kind, words in row_records(read_records(path)):
        replay.feed(kind, words)
    return replay


class Rotations:
    """Switches the journal of a ring on a timer, and looks at each file when it is left."""

    def __init__(self, ring: Ring, folder: pathlib.Path, rounds: int) -> None:
        self.ring, self.folder = ring, folder
        self.hashes: list[tuple[int, int]] = []
        self.mismatches: list[int] = []
        self.began: list[int] = []
        self.fills = 0
        for number in range(1, rounds + 1):
            ring.venue.loop.call_later(EVERY_S * number, self.rotate, number)

    def rotate(self, number: int) -> None:
        """As the run's timer does it."""
        world = self.ring.world
        self.look()
        journal = Journal(str(self.folder / str(number)), 1 << 20, b"ring part")
        for kind, words in base_rows(world):
            assert journal.append_words(kind, *words) > 0
        world.use_journal(journal)
        self.began.append(replayed(journal.path, len(world.instruments)).mismatch)

    def look(self) -> None:
        """What the file says that is written now, and what is."""
        world = self.ring.world
        replay = replayed(world.journal.path, len(world.instruments))
        self.hashes.append((replay.state_hash(), state_hash(world.table, world.ledger.positions)))
        self.mismatches.append(replay.mismatch)
        self.fills += replay.fills


@pytest.mark.law(9)
@pytest.mark.fault("P2")
@pytest.mark.parametrize("seed", range(1, 4))
def test_world_each_journal_of_a_run_gives_its_state(seed: int, tmp_path: pathlib.Path) -> None:
    kept: list[Rotations] = []

    def script(ring: Ring, tamper: Tamper) -> None:
        kept.append(Rotations(ring, tmp_path, 20))
        storm(ring, tamper, seed, 15.0)
        ring.venue.loop.call_later(17.0, kept[0].look)

    ring, tamper = play(20.0, Quoter(seed) if seed % 3 else Trader(), script, seed)
    rotations = kept[0]
    assert len(rotations.hashes) == 21
    assert [told for told, lived in rotations.hashes if told != lived] == []
    assert not any(rotations.mismatches + rotations.began)
    assert 0 < rotations.fills <= ring.world.ledger.fills
    assert wrong(ring, tamper) == []
