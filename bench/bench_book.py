"""A book update: compiled loop, from Python, and the same at any depth."""

from __future__ import annotations

from array import array

import pytest

from fastcore.market.book import OrderBook
from harness import Gate, Side
from reference_book import SortedBook, changes, snapshot

CHUNK = 256
DEPTHS = (10, 100, 1000)


def filled(levels: int) -> tuple[OrderBook, SortedBook, list[tuple[int, int, int]]]:
    """The same book twice, and the changes that both will see."""
    ours, theirs = OrderBook(0, 0, 4096), SortedBook()
    for side, ticks, lots in snapshot(levels):
        ours.update(side, ticks, lots)
        theirs.update(side, ticks, lots)
    return ours, theirs, changes(levels, CHUNK)


def each(update: object, rows: list[tuple[int, int, int]]) -> Side:
    """A side that applies the rows one call at a time."""
    def run() -> None:
        apply = update
        for side, ticks, lots in rows:
            apply(side, ticks, lots)  # type: ignore[operator]
    return run


def in_one_loop(book: OrderBook, rows: list[tuple[int, int, int]]) -> Side:
    """A side that applies the rows in one compiled call."""
    words = array("q", [word for row in rows for word in row])
    return lambda: book.update_all(words, CHUNK)


@pytest.mark.parametrize("levels", DEPTHS)
def test_from_python(gate: Gate, levels: int) -> None:
    """One call an update, the for-loop included."""
    ours, theirs, rows = filled(levels)
    gate.compare(f"book update at {levels} levels, from Python", ours=each(ours.update, rows),
                 theirs=each(theirs.update, rows), reference="dict + bisect", ops=CHUNK,
                 at_least=1.7)
    assert ours.levels(0, levels) == [(t, theirs.bids[t]) for t in reversed(theirs.bids_sorted)]
    assert ours.levels(1, levels) == [(t, theirs.asks[t]) for t in theirs.asks_sorted]


@pytest.mark.parametrize("levels", DEPTHS)
def test_compiled_loop(gate: Gate, levels: int) -> None:
    """The updates of a frame in one loop, as the lane applies them."""
    ours, theirs, rows = filled(levels)
    gate.compare(f"book update at {levels} levels, compiled loop", ours=in_one_loop(ours, rows),
                 theirs=each(theirs.update, rows), reference="dict + bisect", ops=CHUNK,
                 at_least=20)


def test_flat(gate: Gate) -> None:
    """A deep book costs what a shallow one costs: at most a third more."""
    shallow, _, few = filled(10)
    deep, _, many = filled(1000)
    gate.compare("book update at 1,000 levels, compiled loop", ours=in_one_loop(deep, many),
                 theirs=in_one_loop(shallow, few), reference="ours at 10 levels", ops=CHUNK,
                 at_least=(0.75, None, None))
