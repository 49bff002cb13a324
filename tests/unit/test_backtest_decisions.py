"""Orders of two worlds paired by side, time and price; against all pairings by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest.decisions import Agreement, Decision, agreement

BASE = 1_000_000
decisions = st.lists(st.builds(Decision, st.integers(0, 50), st.integers(0, 1),
                               st.integers(BASE - 4, BASE + 4), st.just(1)), max_size=8).map(sorted)


def test_close_ones_are_paired_once() -> None:
    here = [Decision(0, 0, BASE, 5), Decision(10, 0, BASE, 5), Decision(20, 1, BASE, 5)]
    there = [Decision(2, 0, BASE + 3, 5), Decision(23, 0, BASE, 5)]
    assert agreement(here, there, 5, 3) == Agreement(1, here[1], there[1])
    assert agreement(here, there, 5, 2) == Agreement(0, here[0], there[0])
    assert agreement(here, here, 0, 0) == Agreement(3, None, None)
    assert agreement([], [], 5, 3) == Agreement(0, None, None)


@given(decisions, decisions, st.integers(0, 20), st.integers(0, 4))
def test_what_is_shared_is_possible_and_no_more_than_either_has(
        here: list[Decision], there: list[Decision], within_ns: int, within_e6: int) -> None:
    found = agreement(here, there, within_ns, within_e6)

    def close(one: Decision, other: Decision) -> bool:
        return (one.side == other.side and abs(one.at_ns - other.at_ns) <= within_ns
                and abs(one.ticks - other.ticks) * 1_000_000 <= within_e6 * one.ticks)

    assert found.shared <= sum(any(close(one, other) for other in there) for one in here)
    assert found.shared <= sum(any(close(one, other) for one in here) for other in there)
    assert (found.first_here is None) == (found.shared == len(here))
    assert (found.first_there is None) == (found.shared == len(there))
    # Whoever found nobody at all is left over.
    lonely = [one for one in here if not any(close(one, other) for other in there)]
    assert not lonely or (found.first_here is not None and found.first_here <= lonely[0])
