"""bot_hft.db out of the journals is the one that the run wrote, row by row and word by word."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from typing import Any

import pytest

from fastcore.money.journal import Journal
from hftbot.app import ledger
from hftbot.app.journal_header import journal_header
from hftbot.app.reporter import Reporter
from hftbot.live.carry_over import base_rows
from hftbot.store.journal_reader import file_name
from hftbot.store.ledger_db import LedgerDb
from hftbot.store.state_dir import StateDir
from hftbot.watch.redaction import Redactor
from hftbot.words.secret import Secret
from world.ring import Ring
from world.tamper import Quoter, Tamper, Trader, play, storm

FILES = 5
WORD = "confidential-wish"


class Wishing:
    """Gives each order that a strategy places a reason, some of them odd."""

    def __init__(self, place: Any) -> None:
        self.place = place
        self.count = 0

    def __call__(self, *words: Any, **named: Any) -> Any:
        self.count += 1
        reasons = ("", "exit stop_loss", "wünscht", f"a {WORD} b", "x" * (self.count % 90),
                   "y" * 500)
        return self.place(*words, **named, reason=reasons[self.count % len(reasons)])


class Kept:
    """The ring's session with a database, and with journals as a run has them."""

    def __init__(self, ring: Ring, state: StateDir, every_s: float) -> None:
        self.ring, self.state = ring, state
        self.store = LedgerDb(state.database)
        state.journal.mkdir(exist_ok=True)
        reporter = Reporter(ring.world.settings, "sim", ring.session, self.store, state.path,
                            lambda text: None, Redactor([Secret(WORD)]))
        ring.world.engine.observers += (reporter,)
        for _, desk in ring.world.engine.voices:
            desk.place = Wishing(desk.place)  # type: ignore[method-assign]
        self.go_on(1)
        for number in range(2, FILES + 1):
            ring.venue.loop.call_later(every_s * number, self.go_on, number)

    def go_on(self, number: int) -> None:
        """As the run's timer does it."""
        world = self.ring.world
        header = journal_header(world.settings, 1, world.instruments, "sim:1", "one",
                                self.ring.start_us)
        journal = Journal(str(self.state.journal / file_name(1, number)), 1 << 20, header)
        for kind, words in base_rows(world):
            assert journal.append_words(kind, *words) > 0
        world.use_journal(journal)


def tables(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fills by their names, orders by their ClientId."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return ({row["fill_id"]: dict(row) for row in database.execute("SELECT * FROM fills")},
                {row["client_id"]: dict(row) for row in database.execute("SELECT * FROM orders")})


@pytest.mark.law(9)
@pytest.mark.parametrize(("seed", "trader"), [(1, Quoter(1)), (3, Trader()), (4, Quoter(4))])
def test_world_rebuilt_database_is_the_live_one(seed: int, trader: Any,
                                                tmp_path: pathlib.Path) -> None:
    kept: list[Kept] = []
    trader.name = "one"
    with StateDir(tmp_path) as state:
        def script(ring: Ring, tamper: Tamper) -> None:
            kept.append(Kept(ring, state, 1.2))
            storm(ring, tamper, seed, 6.0)

        ring, _ = play(8.0, trader, script, seed)
        ring.world.journal.close()
        assert kept[0].store.flush()
        kept[0].store.close()
        fills, orders = tables(state.database)
        found, ended, remarks = ledger.rebuild(state)
        assert found == len(fills) > 0
        # What ended shortly before a file began is told again in it.
        assert ended >= len(orders) > 10
        assert remarks == []
        assert tables(state.database) == (fills, orders)
    reasons = {row["reason"] for row in orders.values()}
    intents = {row["intent"] for row in orders.values()}
    assert len(reasons) > 1
    assert {None, "exit stop_loss", "a *** b", "y" * 300} <= intents
