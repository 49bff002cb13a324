"""Position against exact fractions: no value is created or lost, and every rounding is bounded."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import BOTH, both

AMOUNT_MAX = 1 << 61
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
ORDINARY = st.tuples(st.integers(0, 1), st.integers(1, 10**7), st.integers(1, 10**10),
                     st.integers(-10**9, 10**12))
ANY = st.tuples(st.integers(-1, 2), INT64, INT64, INT64)
EDGE = st.tuples(st.integers(0, 1), st.integers(1, 3),
                 st.integers(AMOUNT_MAX - 2, AMOUNT_MAX + 2), st.integers(0, 1))
rooms = both("fastcore.money.position")


class NaivePosition:
    """The books of an honest accountant: every fill is kept, amounts are whole numbers."""

    def __init__(self):
        self.lots = self.cost = self.cash = self.realised = self.fees = self.traded = 0

    def apply(self, side, ticks, lots, fee):
        if side not in (0, 1) or ticks < 1 or lots < 1 or ticks * lots > AMOUNT_MAX:
            return -1
        signed = lots if side == 0 else -lots
        after = NaivePosition()
        after.lots = self.lots + signed
        after.cash = self.cash - ticks * signed
        after.fees = self.fees + fee
        after.traded = self.traded + lots
        closing = min(lots, abs(self.lots)) if self.lots * signed < 0 else 0
        share = Fraction(closing, abs(self.lots)) if closing else Fraction(0)
        released = int(share * self.cost)  # int() rounds towards zero
        opened = (lots - closing) * ticks * (1 if side == 0 else -1)
        after.cost = self.cost - released + opened
        after.realised = after.cash + after.cost
        amounts = (after.lots, after.cost, after.cash, after.realised, after.fees, after.traded,
                   fee)
        if any(abs(amount) > AMOUNT_MAX for amount in amounts):
            return -1
        self.__dict__.update(after.__dict__)
        return 0


def seen(position):
    return (position.lots, position.cost, position.cash, position.realised, position.fees_e10,
            position.traded_lots)


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.lists(ORDINARY | ANY | EDGE, max_size=30))
def test_every_form_agrees_with_the_accountant(fills):
    positions = [room.Position(4) for room in rooms]
    naive = NaivePosition()
    for side, ticks, lots, fee in fills:
        expected = naive.apply(side, ticks, lots, fee)
        assert [p.apply(side, ticks, lots, fee) for p in positions] == [expected] * len(rooms)
        for position in positions:
            assert seen(position) == (naive.lots, naive.cost, naive.cash, naive.realised,
                                      naive.fees, naive.traded)
    assert len({position.state_hash() for position in positions}) == 1


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.lists(ORDINARY, max_size=30))
def test_double_entry_and_the_average_price(fills):
    position = rooms[0].Position()
    exact = Fraction(0)
    lots_before = 0
    reductions = 0
    for side, ticks, lots, fee in fills:
        assert position.apply(side, ticks, lots, fee) == 0
        signed = lots if side == 0 else -lots
        if lots_before * signed < 0:
            reductions += 1
            keep = max(0, abs(lots_before) - lots)
            exact = exact * Fraction(keep, abs(lots_before))
            exact += ticks * max(0, lots - abs(lots_before)) * (1 if side == 0 else -1)
        else:
            exact += ticks * signed
        lots_before += signed
        assert position.cash + position.cost == position.realised
        assert (position.lots == 0) <= (position.cost == 0)
        assert position.lots * position.cost >= 0
        # A reduction rounds by less than one tick-lot, and later ones scale that down.
        assert abs(position.cost - exact) <= reductions


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.lists(ORDINARY, max_size=5), st.integers(-5, 1 << 62))
def test_unrealised_is_the_value_at_the_mark(fills, mark2):
    for room in rooms:
        position = room.Position()
        for fill in fills:
            position.apply(*fill)
        exact = position.lots * mark2 - 2 * position.cost
        if position.lots == 0 or mark2 <= 0:
            exact = 0
        elif abs(position.lots) * mark2 > AMOUNT_MAX:
            exact = AMOUNT_MAX if position.lots > 0 else -AMOUNT_MAX
        assert position.unrealised2(mark2) == exact
        assert position.unrealised(mark2) == exact // 2


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_naive_twin_would_notice_a_wrong_rounding(room):
    position = room.Position()
    position.apply(0, 100, 3, 0)
    position.apply(0, 101, 1, 0)
    position.apply(1, 100, 3, 0)
    assert (position.realised, position.cost) == (300 - 300, 401 - 300)
