"""Row Q1: while newer frames are already here, a book waits for them; every skip is counted."""

from __future__ import annotations

import pathlib
import random
from typing import Any

import pytest
from engine_rig import ASK, BID, BOTH, Rig, Voice

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from hftbot.engine.engine import POSTPONED_NS_MAX
from hftbot.words.market import BookTrust

pytestmark = [pytest.mark.fault("Q1"), pytest.mark.law(8)]
BOOK = EVENT_BOOK | EVENT_TOP


class Seer(Voice):
    """Remembers the best bid of each book that it is woken for."""

    def __init__(self) -> None:
        super().__init__("seer")
        self.bids: list[int] = []

    def on_book(self, book: Any) -> None:
        self.bids.append(book.best_bid())


def market(rig: Rig, bid: int, more: bool, bits: int = BOOK, index: int = 0,
           recv_ns: int = 1, trades: Any = ()) -> None:
    """One frame changes the best bid of a book."""
    rig.quote(bid, ASK + 100, index)
    rig.engine.on_market(index, bits, trades, recv_ns, more)


def test_backlog_newest_book_wins_and_skips_are_counted(tmp_path: pathlib.Path) -> None:
    seer = Seer()
    rig = Rig(tmp_path, seer)
    for step in range(10):
        market(rig, BID + step, more=step < 9)
    assert seer.bids == [BID + 9]
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (1, 9)
    market(rig, BID, more=False)
    assert seer.bids == [BID + 9, BID]
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (2, 9)


def test_backlog_that_ends_with_another_kind_of_frame(tmp_path: pathlib.Path) -> None:
    """Each market is woken for its newest book, whatever frame came last."""
    seer = Seer()
    rig = Rig(tmp_path, seer, symbols=BOTH)
    market(rig, BID + 1, more=True)
    market(rig, BID + 2, more=True, index=1)
    market(rig, BID + 3, more=True)
    assert seer.bids == []
    rig.engine.catch_up()
    assert sorted(seer.bids) == [BID + 2, BID + 3]
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (2, 1)
    market(rig, BID + 4, more=True)
    market(rig, BID + 5, more=False, index=1)
    assert seer.bids[2:] == [BID + 5, BID + 4]
    rig.engine.catch_up()
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (4, 1)


def test_backlog_trades_are_never_skipped(tmp_path: pathlib.Path) -> None:
    seer = Seer()
    rig = Rig(tmp_path, seer)
    for number in range(5):
        market(rig, BID, more=number < 4, bits=BOOK | EVENT_TRADE,
               trades=[(0, BID, 1, number, 1)])
    assert [where for where, _ in seer.told].count("on_trade") == 5
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (1, 4)


def test_backlog_without_end_still_wakes(tmp_path: pathlib.Path) -> None:
    """The wait is bounded, however long newer frames keep coming."""
    seer = Seer()
    rig = Rig(tmp_path, seer)
    for step in range(100):
        market(rig, BID + step % 50, more=True, recv_ns=1 + step * POSTPONED_NS_MAX // 10)
    assert len(seer.bids) == 100 // 12
    assert rig.engine.wakes == len(seer.bids)


def test_backlog_of_a_book_that_became_suspect_wakes_nobody(tmp_path: pathlib.Path) -> None:
    seer = Seer()
    rig = Rig(tmp_path, seer)
    market(rig, BID, more=True)
    rig.engine.books[0].trust = BookTrust.SUSPECT
    rig.engine.catch_up()
    assert seer.bids == []
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (0, 1)
    market(rig, BID, more=True)
    rig.engine.stop()
    rig.engine.catch_up()
    assert (rig.engine.wakes, rig.engine.wakes_skipped) == (0, 2)


@pytest.mark.parametrize("seed", range(20))
def test_backlog_every_book_is_accounted_for(tmp_path: pathlib.Path, seed: int) -> None:
    """In = woken + skipped + waiting after each frame; at the end the newest was seen."""
    chance = random.Random(seed)
    seer = Seer()
    rig = Rig(tmp_path, seer, symbols=BOTH)
    sent = recv_ns = 0
    newest = [0, 0]
    for number in range(400):
        recv_ns += chance.randrange(POSTPONED_NS_MAX // 4)
        index, more = chance.randrange(2), chance.random() < 0.8
        if chance.random() < 0.2 and not more:
            rig.engine.catch_up()
            continue
        newest[index] = BID - number
        market(rig, newest[index], more, index=index, recv_ns=recv_ns)
        sent += 1
        waiting = len(rig.engine._postponed)
        assert sent == rig.engine.wakes + rig.engine.wakes_skipped + waiting
        assert waiting == 0 or more
    rig.engine.catch_up()
    assert sent == rig.engine.wakes + rig.engine.wakes_skipped
    assert rig.engine.wakes == len(seer.bids)
    assert rig.engine.wakes_skipped > 100
    assert set(newest) <= set(seer.bids)
