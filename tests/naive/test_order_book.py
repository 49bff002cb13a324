"""The order books against a dictionary that is sorted at every question."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcore
from fuzz.counts import examples
from twins import BOTH, both

NO_ASK = (1 << 63) - 1


class NaiveBook:
    """Two dictionaries of lots by ticks."""

    def __init__(self, depth=0):
        self.depth = depth
        self.sides = ({}, {})

    def levels(self, side):
        return sorted(self.sides[side].items(), reverse=side == 0)

    def best(self, side):
        return self.levels(side)[0] if self.sides[side] else (NO_ASK if side else 0, 0)

    def update(self, side, ticks, lots):
        before = self.best(side)
        if lots:
            self.sides[side][ticks] = lots
        else:
            self.sides[side].pop(ticks, None)
        after = self.best(side)
        return 2 if after[0] != before[0] else int(after != before)

    def truncate(self):
        for side in (0, 1):
            for ticks, _ in self.levels(side)[self.depth:] if self.depth else ():
                del self.sides[side][ticks]

    def clear(self):
        self.sides = ({}, {})


TICKS = st.one_of(
    st.integers(900, 1100), st.integers(1000, 1010), st.integers(1, 40), st.integers(1, 3000),
    st.sampled_from([1, 1 << 40, (1 << 60) - 1, 1 << 60]))
CHANGES = st.lists(st.one_of(
    st.tuples(st.integers(0, 1), TICKS, st.sampled_from([0, 0, 1, 2, 1 << 62])),
    st.sampled_from(["truncate", "truncate", "clear"])), max_size=60)


def agree(book, naive):
    for side in (0, 1):
        levels = naive.levels(side)
        assert book.levels(side, 1000) == levels
        assert book.count(side) == len(levels)
        for i, (ticks, lots) in enumerate([*levels, (0, 0)]):
            assert (book.level_ticks(side, i), book.level_lots(side, i)) == (ticks, lots)
            assert ticks == 0 or book.lots_at(side, ticks) == lots
    assert (book.best_bid(), book.best_bid_lots()) == naive.best(0)
    assert (book.best_ask(), book.best_ask_lots()) == naive.best(1)
    assert (book.has_bid(), book.has_ask()) == (bool(naive.sides[0]), bool(naive.sides[1]))
    assert book.crossed() == (naive.best(0)[0] >= naive.best(1)[0])


@pytest.mark.parametrize("room", both("fastcore.market.book"), ids=BOTH)
@given(changes=CHANGES, depth=st.sampled_from([0, 1, 3, 10]),
       width=st.sampled_from([64, 128, 4096]))
@settings(max_examples=examples(60), deadline=None)
def test_ladder_equals_naive_book(room, changes, depth, width):
    book = room.OrderBook(depth=depth, width=width)
    naive = NaiveBook(depth)
    for change in changes:
        if isinstance(change, str):
            getattr(book, change)()
            getattr(naive, change)()
        else:
            assert book.update(*change) == naive.update(*change)
        agree(book, naive)
    assert book.dropped == 0


@pytest.mark.skipif(not fastcore.compiled, reason="there is nothing to compare with")
@given(changes=CHANGES, spill=st.integers(1, 4))
@settings(max_examples=examples(150), deadline=None)
def test_compiled_and_interpreted_ladder_have_one_state(changes, spill):
    """With a spill so small that levels are dropped, which the naive book does not know."""
    books = [room.OrderBook(depth=10, width=64, spill=spill)
             for room in both("fastcore.market.book")]
    for change in changes:
        if isinstance(change, str):
            for book in books:
                getattr(book, change)()
        else:
            assert books[0].update(*change) == books[1].update(*change)
    first, second = ((book.state_hash(), book.dropped, book.updates, book.count(0), book.count(1),
                      book.levels(0, 99), book.levels(1, 99)) for book in books)
    assert first == second


SNAPSHOT = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 30), st.integers(0, 3)),
                    max_size=40)


@pytest.mark.parametrize(("room", "ladder_room"), [
    pytest.param(*modules, id=name) for name, *modules in zip(
        BOTH, both("fastcore.market.snapshot"), both("fastcore.market.book"), strict=True)])
@given(levels=SNAPSHOT)
@settings(max_examples=examples(60), deadline=None)
def test_snapshot_book_equals_naive_book_and_ladder(room, ladder_room, levels):
    book = room.SnapshotBook(depth=30)
    ladder = ladder_room.OrderBook()
    naive = NaiveBook()
    words = array("q", [word for level in levels for word in level])
    assert book.replace(words, len(levels)) == 0
    for level in levels:
        naive.update(*level)
        ladder.update(*level)
    agree(book, naive)
    assert book.state_hash() == ladder.state_hash()
    assert book.state_hash() == room.hash_levels(naive.levels(0), naive.levels(1))
