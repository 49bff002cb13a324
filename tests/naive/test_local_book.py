"""LocalBook against a book that looks for its best levels anew each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest.event_file import CLEAR, DEPTH
from hftbot.backtest.event_rows import BOTH_FLAGS, SIDE_FLAGS, rows_of
from hftbot.backtest.local_book import LocalBook

CHANGES = st.lists(st.tuples(
    st.sampled_from([DEPTH, DEPTH, DEPTH, CLEAR]), st.integers(0, 1), st.integers(1, 12),
    st.integers(0, 3), st.integers(0, 1)), max_size=40)


@given(CHANGES)
def test_the_best_levels_are_those_of_a_plain_book(changes):
    """Bids lie below 8 and asks above 7, so that nothing crosses."""
    sides, now_ns, rows, expected = ({}, {}), 0, [], {}
    for kind, side, price, size, step in changes:
        now_ns += step
        price = 7 + (price + 1) // 2 if side else price // 2 + 1
        rows.append((BOTH_FLAGS | SIDE_FLAGS[side] | kind, now_ns, now_ns, float(price),
                     float(size)))
        if kind == CLEAR:
            sides[side].update(dict.fromkeys(
                [each for each in sides[side] if (each <= price if side else each >= price)], 0))
        else:
            sides[side][price] = size
        bids, asks = ({price: size for price, size in levels.items() if size} for levels in sides)
        expected[now_ns] = ((max(bids), bids[max(bids)]) if bids else None,
                            (min(asks), asks[min(asks)]) if asks else None)
    book = LocalBook()
    seen = {local_ns: book.top() for local_ns, _ in book.follow(rows_of(rows))}
    assert seen == expected
    assert book.crossed == 0


def test_a_book_left_crossed_is_counted_and_the_older_levels_go():
    at = BOTH_FLAGS | DEPTH
    rows = rows_of([(at | SIDE_FLAGS[0], 1, 1, 10.0, 1.0), (at | SIDE_FLAGS[0], 1, 1, 9.0, 1.0),
                    (at | SIDE_FLAGS[1], 2, 2, 12.0, 1.0), (at | SIDE_FLAGS[1], 3, 3, 10.0, 2.0),
                    (at | SIDE_FLAGS[0], 4, 4, 11.0, 1.0), (at | SIDE_FLAGS[0], 4, 4, 11.0, 0.0)])
    book = LocalBook()
    tops = [(row, book.top()) for _, row in book.follow(rows)]
    assert tops == [(1, ((10.0, 1.0), None)), (2, ((10.0, 1.0), (12.0, 1.0))),
                    (3, ((9.0, 1.0), (10.0, 2.0))), (5, ((9.0, 1.0), (10.0, 2.0)))]
    assert (book.crossed, book.crossed_row) == (1, 3)
