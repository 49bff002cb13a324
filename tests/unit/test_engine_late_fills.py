"""Fills that the end of an order counted: waited for, then asked for, then a reason to halt."""

from __future__ import annotations

from hftbot.engine.late_fills import FILL_LATE_NS, FILL_WAIT_NS, LateFills

NOW_NS = 10**15


class Table:
    """Orders by ClientId; the handle is the ClientId."""

    def __init__(self, filled_lots: dict[int, int]) -> None:
        self.told = filled_lots

    def find(self, client_id: int) -> int:
        return client_id if client_id in self.told else -1

    def filled_lots(self, handle: int) -> int:
        return self.told.get(handle, 0)


def test_what_comes_in_time_is_forgotten() -> None:
    table = Table({7: 2})
    late = LateFills(table)
    late.add(7, 5, NOW_NS)
    assert 7 in late
    assert late.check(NOW_NS + FILL_LATE_NS) == ""
    assert 7 in late
    table.told[7] = 5
    # Told in full is in time, however late it was.
    assert late.check(NOW_NS + 2 * FILL_LATE_NS) == ""
    assert 7 not in late


def test_a_moment_is_left_to_them_before_they_are_asked_for() -> None:
    late = LateFills(Table({7: 2}))
    assert not late.are_due(NOW_NS)
    late.add(7, 5, NOW_NS)
    assert not late.are_due(NOW_NS + FILL_WAIT_NS)
    assert late.are_due(NOW_NS + FILL_WAIT_NS + 1)


def test_the_first_that_never_came_is_the_reason() -> None:
    """An order whose row is gone was told of nothing; all that are over are forgotten."""
    late = LateFills(Table({7: 2}))
    late.add(7, 5, NOW_NS)
    late.add(8, 3, NOW_NS)
    late.add(9, 3, NOW_NS + 1)
    assert late.check(NOW_NS + FILL_LATE_NS + 1) == (
        "order 7: the venue counts 5 lots filled, we were told of 2")
    assert [number in late for number in (7, 8, 9)] == [False, False, True]
    assert late.check(NOW_NS + FILL_LATE_NS + 2).startswith("order 9: the venue counts 3 lots")
