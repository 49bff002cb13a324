"""Rows of the account, compiled and interpreted, against lists that keep everything."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twins import BOTH, both

ROOMS = both("fastcore.sim.account_rows")
MOMENTS = st.lists(st.tuples(st.integers(0, 40), st.integers(-9, 9)), min_size=1, max_size=120)


class Everything:
    """The same rule told from the end: what stays of all rows that were ever added."""

    def __init__(self, interval_ns: int, rows_max: int) -> None:
        self.interval_ns, self.rows_max = interval_ns, rows_max
        self.kept: list[tuple[int, Any]] = []
        self.passing = False

    def add(self, now_ns: int, row: Any) -> None:
        """One moment."""
        due = not self.kept or now_ns >= self.next_ns()
        if self.passing:
            self.kept.pop()
        elif self.kept and self.kept[-1][0] == now_ns:
            self.kept.pop()
            due = True
        self.kept.append((now_ns, row))
        self.passing = not due
        while len(self.kept) >= self.rows_max:
            self.interval_ns *= 2
            firsts = {self.number(at): (at, one) for at, one in reversed(self.kept)}
            last = self.kept[-1]
            self.kept = sorted(firsts.values(), key=lambda pair: pair[0])
            self.passing = self.kept[-1][0] != last[0]
            if self.passing:
                self.kept.append(last)

    def number(self, at_ns: int) -> int:
        """Which interval a moment is in."""
        return (at_ns - self.kept[0][0]) // self.interval_ns

    def next_ns(self) -> int:
        """When the next interval begins."""
        last_ns = self.kept[-2 if self.passing else -1][0]
        return self.kept[0][0] + (self.number(last_ns) + 1) * self.interval_ns


@pytest.mark.parametrize("room", ROOMS, ids=BOTH)
@given(MOMENTS, st.integers(1, 3), st.integers(1, 20), st.integers(3, 30), st.integers(-50, 50))
def test_rows_are_those_of_the_simple_rule(room: ModuleType, moments: list[tuple[int, int]],
                                           assets: int, interval_ns: int, rows_max: int,
                                           start_ns: int) -> None:
    rows = room.AccountRows(assets, interval_ns, rows_max)
    naive = Everything(interval_ns, rows_max)
    now_ns = start_ns
    for gap_ns, position in moments:
        now_ns += gap_ns
        row = [(now_ns + 0.5 * asset, position - asset, 0.1 * position, 0.2, 0.3)
               for asset in range(assets)]
        assert not rows.add(now_ns, row)
        naive.add(now_ns, row)
        assert (len(rows), rows.interval_ns) == (len(naive.kept), naive.interval_ns)
        assert rows.due_ns == naive.next_ns()
    assert list(rows.moments()) == [at for at, _ in naive.kept]
    names = (room.MID, room.POSITION, room.BALANCE, room.FEE, room.VALUE)
    for asset in range(assets):
        columns = [list(rows.column(asset, name)) for name in names]
        assert list(zip(*columns, strict=True)) == [row[asset] for _, row in naive.kept]


@pytest.mark.parametrize("room", ROOMS, ids=BOTH)
def test_who_watches_is_told_and_makes_a_row_due(room: ModuleType) -> None:
    rows = room.AccountRows(1, 100, 1000)
    row = [(math.nan, 0, 0.0, 0.0, 0.0)]
    assert not rows.add(0, row)
    rows.watch(30)
    assert rows.due_ns == 30
    assert not rows.add(29, row)
    assert rows.add(30, row)
    assert rows.add(31, row)
    rows.watch(1000)
    assert rows.due_ns == 100
    assert list(rows.moments()) == [0, 31]


@pytest.mark.parametrize("room", ROOMS, ids=BOTH)
def test_what_cannot_be_a_row_is_refused_and_changes_nothing(room: ModuleType) -> None:
    for wrong in ((0, 1, 3), (1, 0, 3), (1, 1, 2)):
        with pytest.raises(ValueError, match="at least one asset"):
            room.AccountRows(*wrong)
    rows = room.AccountRows(2, 10, 300)
    for number in range(280):
        rows.add(10 * number, [(1.0, number, 0.0, 0.0, 0.0)] * 2)
    with pytest.raises(ValueError, match="comes after 2790 ns"):
        rows.add(2789, [(1.0, 0, 0.0, 0.0, 0.0)] * 2)
    with pytest.raises(ValueError, match="1 assets; the run has 2"):
        rows.add(3000, [(1.0, 0, 0.0, 0.0, 0.0)])
    with pytest.raises(IndexError, match="no asset 2"):
        rows.column(2, room.MID)
    assert list(rows.column(1, room.POSITION)) == list(range(280))
