"""The order books: what they refuse, what they say when empty, how the window moves."""

from array import array

import pytest

from twins import BOTH, both

NO_ASK = (1 << 63) - 1

snapshot_room = pytest.fixture(params=both("fastcore.market.snapshot"), ids=BOTH)(
    lambda request: request.param)
room = pytest.fixture(params=both("fastcore.market.book"), ids=BOTH)(lambda request: request.param)


def test_empty_book_says_so(room):
    book = room.OrderBook(instrument=3)
    assert (book.instrument, book.depth, book.width, book.trust) == (3, 10, 4096, room.EMPTY)
    assert (book.best_bid(), book.best_ask()) == (0, NO_ASK)
    assert (book.best_bid_lots(), book.best_ask_lots()) == (0, 0)
    assert not book.has_bid()
    assert not book.has_ask()
    assert not book.crossed()
    assert book.levels(0, 10) == []
    assert book.level_ticks(0, 0) == book.level_lots(1, 0) == book.lots_at(0, 5) == 0


def test_update_says_what_changed(room):
    book = room.OrderBook()
    assert book.update(0, 100, 5) == 2
    assert book.update(0, 99, 5) == 0
    assert book.update(0, 100, 6) == 1
    assert book.update(0, 100, 6) == 0
    assert book.update(0, 98, 0) == 0
    assert book.update(0, 100, 0) == 2
    assert (book.best_bid(), book.best_bid_lots(), book.updates) == (99, 5, 6)


@pytest.mark.parametrize("change", [
    (2, 1, 1), (-1, 1, 1), (0, 0, 1), (0, -1, 1), (0, 1, -1), (0, (1 << 60) + 1, 1),
    (1, -(1 << 63), 1), (1, 1, -(1 << 63))])
def test_what_cannot_be_is_refused_and_changes_nothing(room, change):
    book = room.OrderBook()
    book.update(0, 1, 1)
    before = book.state_hash()
    assert book.update(*change) == room.INVALID
    assert book.state_hash() == before
    assert book.count(change[0]) in (0, 1)


def test_integers_beyond_64_bits_are_refused_by_the_interpreter_or_by_code(room):
    try:
        code = room.OrderBook().update(0, 1 << 70, 1)
    except OverflowError:
        code = room.INVALID
    assert code == room.INVALID


def test_crossed_and_locked_books_are_crossed(room):
    book = room.OrderBook()
    book.update(0, 100, 1)
    book.update(1, 101, 1)
    assert not book.crossed()
    book.update(1, 100, 1)
    assert book.crossed()
    book.clear()
    assert not book.crossed()
    assert book.count(0) == book.count(1) == 0


def test_truncate_keeps_the_best_of_window_and_spill(room):
    book = room.OrderBook(depth=3, width=64)
    for ticks in (5000, 4999, 4000, 3000, 4998):
        book.update(0, ticks, 1)
        book.update(1, 10000 - ticks, 1)
    assert book.count(0) == 5
    book.truncate()
    assert book.levels(0, 9) == [(5000, 1), (4999, 1), (4998, 1)]
    assert book.levels(1, 9) == [(5000, 1), (5001, 1), (5002, 1)]


def test_window_follows_the_best_and_nothing_is_lost(room):
    book = room.OrderBook(depth=0, width=64)
    for ticks in range(1, 1000):
        book.update(0, ticks, ticks)
    assert book.levels(0, 1000) == [(ticks, ticks) for ticks in range(999, 0, -1)]
    for ticks in range(999, 0, -1):
        assert book.best_bid() == ticks
        assert book.update(0, ticks, 0) == 2
    assert (book.count(0), book.best_bid(), book.dropped) == (0, 0, 0)


def test_full_spill_drops_the_worst_and_counts_it(room):
    book = room.OrderBook(depth=0, width=64, spill=2)
    for ticks in (10_000, 500, 400):
        book.update(0, ticks, 1)
    assert book.update(0, 300, 1) == room.NOT_KEPT
    assert book.update(0, 450, 1) == 0
    assert book.levels(0, 9) == [(10_000, 1), (500, 1), (450, 1)]
    assert book.dropped == 2


def test_state_hash_depends_on_levels_alone(room):
    first, second = room.OrderBook(width=64), room.OrderBook(instrument=9, depth=0, width=4096)
    for ticks in (100, 5000, 7, 90):
        first.update(0, ticks, ticks)
    for ticks in (7, 90, 5000, 100):
        second.update(0, ticks, ticks)
    assert first.state_hash() == second.state_hash()
    second.update(1, 6000, 1)
    assert first.state_hash() != second.state_hash()
    assert first.state_hash() < 1 << 64


@pytest.mark.parametrize("keywords", [{"width": 100}, {"width": 32}, {"depth": -1}, {"spill": 0}])
def test_impossible_books_are_refused(room, keywords):
    with pytest.raises(ValueError, match="must"):
        room.OrderBook(**keywords)


def test_snapshot_book_replaces_as_a_whole(snapshot_room):
    book = snapshot_room.SnapshotBook(depth=2)
    words = snapshot_room.array("q", [0, 100, 5, 0, 99, 4, 0, 98, 3, 1, 101, 2])
    assert book.replace(words, 4) == 0
    assert book.levels(0, 9) == [(100, 5), (99, 4)]
    assert (book.best_bid(), book.best_ask(), book.best_ask_lots()) == (100, 101, 2)
    assert book.replace(snapshot_room.array("q", [0, -5, 1]), 1) == -1
    assert (book.count(0), book.best_ask(), book.updates) == (0, NO_ASK, 2)
    with pytest.raises(ValueError, match="depth"):
        snapshot_room.SnapshotBook(depth=0)


def test_many_changes_in_one_call_are_the_same_as_one_by_one(room):
    rows = [(0, 100, 5), (1, 101, 4), (0, 99, 1), (0, 100, 6), (1, 101, 0), (0, 98, 0)]
    together, single = room.OrderBook(), room.OrderBook()
    moved = sum(single.update(*row) > 0 for row in rows)
    words = array("q", [word for row in rows for word in row])
    assert together.update_all(words, len(rows)) == moved == 4
    assert together.state_hash() == single.state_hash()
    assert together.update_all(words, len(rows) + 1) == together.update_all(words, -1) == -1
