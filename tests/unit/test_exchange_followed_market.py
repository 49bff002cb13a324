"""exchange.followed_market: a real book and its trades, our orders queued in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.errors import StoreError
from hftbot.exchange.followed_market import KEPT_DEPTHS, FollowedMarket
from hftbot.exchange.listings import Listing
from hftbot.exchange.server import ExchangeServer
from hftbot.exchange.settings import ExchangeSettings

GRID = Listing("BTC/USD", 1, 8)
BIDS, ASKS = [(100, 5), (99, 7), (98, 9)], [(102, 4), (103, 6), (104, 8)]


class Now:
    """A clock that is set by hand."""

    us = 1_000

    def __call__(self) -> int:
        return self.us


def market(depth: int = 3) -> FollowedMarket:
    made = FollowedMarket(GRID, depth, Now())
    made.show(BIDS, ASKS)
    made.open(1_000)
    return made


def play(followed: FollowedMarket) -> list:
    """Everything that is due; the batches."""
    batches = []
    while followed.next_due_us() is not None:
        batches.append(followed.step(2_000))
    return batches


def test_what_was_told_is_played_in_its_order_and_once():
    followed = market()
    assert followed.next_due_us() is None
    assert (followed.matcher.levels(0, 9), followed.matcher.levels(1, 9)) == (BIDS, ASKS)
    followed.trade(1, 100, 2)
    followed.show([(100, 3), (99, 7), (98, 9)], ASKS)
    assert followed.next_due_us() == 1_000
    first, second = play(followed)
    assert first.prints == [(1, 100, 2)]
    assert second.changes == [(0, 100, 3)]
    assert followed.mid_ticks() == 101


def test_an_order_of_ours_waits_behind_what_the_level_shows():
    """Five lots before us: a trade of five brings nothing, the next one fills what it has left."""
    followed = market()
    ours = followed.matcher.place(7, 0, 100, 4, 0)
    followed.trade(1, 100, 5)
    followed.trade(1, 100, 3)
    fills = [row for batch in play(followed) for row in batch.fills]
    assert [(row[0], row[6]) for row in fills] == [(ours, 3)]
    assert followed.matcher.leaves_of(ours) == 1


def test_a_level_that_leaves_the_view_is_kept_and_one_that_is_gone_goes():
    followed = market()
    followed.show([(101, 1), (100, 5), (99, 7)], [(103, 6), (104, 8), (105, 1)])
    play(followed)
    assert followed.matcher.lots_at(0, 98) == 9, "behind the last level in view: nobody knows"
    assert followed.matcher.lots_at(1, 102) == 0
    followed.show([(101, 1), (100, 5)], [(103, 6), (104, 8), (105, 1)])
    play(followed)
    assert followed.matcher.levels(0, 9) == [(101, 1), (100, 5)], "a book of two: that is all of it"


def test_what_was_left_behind_is_forgotten_far_away():
    followed = market()
    for up in range(1, 30):
        followed.show([(100 + up - n, 1) for n in range(3)], [(102 + up + n, 1) for n in range(3)])
        play(followed)
    assert len(followed.matcher.levels(0, 99)) <= KEPT_DEPTHS * 3 + 3


def test_a_lost_book_is_empty_and_fills_nothing():
    followed = market()
    ours = followed.matcher.place(7, 0, 100, 4, 0)
    followed.lose()
    batches = play(followed)
    assert not [row for batch in batches for row in batch.fills]
    assert (followed.matcher.levels(0, 9), followed.matcher.levels(1, 9)) == ([], [])
    assert followed.mid_ticks() == 101, "the last one"
    assert followed.matcher.leaves_of(ours) == 4


def test_a_jump_of_the_clock_forgets_nothing():
    followed = market()
    followed.trade(0, 102, 1)
    followed.skip(9_000_000)
    assert followed.next_due_us() == 9_000_000
    assert play(followed)[0].prints == [(0, 102, 1)]



@given(st.lists(st.tuples(st.integers(20, 40), st.lists(st.integers(0, 3), min_size=6, max_size=6),
                          st.lists(st.integers(0, 3), min_size=6, max_size=6)), max_size=12))
def test_what_is_in_view_is_what_was_shown(books):
    """Whatever books follow each other: within the view ours is the last one."""
    followed = FollowedMarket(GRID, 4, Now())
    followed.open(1_000)
    for top, bid_lots, ask_lots in books:
        bids = [(top - n, lots) for n, lots in enumerate(bid_lots) if lots][:4]
        asks = [(top + 1 + n, lots) for n, lots in enumerate(ask_lots) if lots][:4]
        followed.show(bids, asks)
        play(followed)
        for number, levels in ((0, bids), (1, asks)):
            assert followed.matcher.levels(number, len(levels)) == levels


@pytest.mark.parametrize(("before", "after"), [("synthetic", "paper"), ("paper", "synthetic"),
                                               ("paper", "replay")])
def test_an_account_stays_on_its_kind_of_market(tmp_path, before, after):
    (tmp_path / "state.json").write_text(f'{{"version": 1, "mode": "{before}"}}')
    with pytest.raises(StoreError, match=f"traded in mode {before}"):
        ExchangeServer(ExchangeSettings(state_dir=tmp_path, mode=after, listings=(GRID,)))
