"""Kraken's checksum against its definition: decimal texts and zlib."""

import zlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import BOTH, both, interpreted


def naive_checksum(asks, bids, price_precision, qty_precision):
    """Checksum of levels of (price, size) as Decimal, best first."""
    def digits(number, precision):
        return f"{number:.{precision}f}".replace(".", "").lstrip("0")
    text = "".join(digits(price, price_precision) + digits(size, qty_precision)
                   for price, size in asks[:10] + bids[:10])
    return zlib.crc32(text.encode())


LEVELS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 400),
                            st.integers(0, 10**12) | st.integers(0, 3)), max_size=60)


@pytest.mark.parametrize("index", range(len(BOTH)), ids=BOTH)
@given(levels=LEVELS, grid=st.sampled_from([(1, 8, 1, 1), (5, 8, 10000, 1), (2, 4, 5, 100)]),
       offset=st.sampled_from([0, 1000, 10**9]))
@settings(max_examples=examples(60), deadline=None)
def test_checksum_equals_its_definition_after_every_change(index, levels, grid, offset):
    price_precision, qty_precision, tick_units, lot_units = grid
    book = both("fastcore.market.book")[index].OrderBook(width=64)
    checksum = both("fastcore.market.checksum")[index].KrakenChecksum(tick_units, lot_units)
    for side, ticks, lots in levels:
        book.update(side, ticks + offset, lots)
        asks, bids = ([(Decimal(level[0] * tick_units).scaleb(-price_precision),
                        Decimal(level[1] * lot_units).scaleb(-qty_precision))
                       for level in book.levels(at, 10)] for at in (1, 0))
        expected = naive_checksum(asks, bids, price_precision, qty_precision)
        assert checksum.compute(book) == expected
        assert checksum.compute(book) == expected


@given(ticks=st.integers(1, 1 << 60), lots=st.integers(1, (1 << 63) - 1),
       units=st.integers(1, 10**18))
@settings(max_examples=examples(200), deadline=None)
def test_checksum_of_digits_beyond_int64_is_the_same_everywhere(ticks, lots, units):
    answers = set()
    for load in (both("fastcore.market.book")[0], interpreted("fastcore.market.book")):
        compiled = load is both("fastcore.market.book")[0]
        sums = both("fastcore.market.checksum")[0] if compiled else interpreted(
            "fastcore.market.checksum")
        book = load.OrderBook()
        book.update(0, ticks, lots)
        answers.add(sums.KrakenChecksum(units, units).compute(book))
    assert len(answers) == 1
