"""Orders that a strategy decided on in two worlds, and how far the two agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Decision(NamedTuple):
    """An order as it left: when (ns of the world's clock), which side, what price and size."""

    at_ns: int
    side: int
    ticks: int
    lots: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many decisions both worlds share, and the first of each that the other does not."""

    shared: int
    first_here: Decision | None
    first_there: Decision | None


def agreement(here: Sequence[Decision], there: Sequence[Decision], within_ns: int,
              within_e6: int) -> Agreement:
    """Pair decisions of the same side that are close in time and in price.

    Both in order of time. At most ``within_ns`` apart, prices at most ``within_e6`` millionths;
    each is paired once, with the earliest that is left.
    """
    left: tuple[list[Decision], list[Decision]] = ([], [])
    for decision in there:
        left[decision.side].append(decision)
    shared = 0
    first_here: Decision | None = None
    for decision in here:
        waiting = left[decision.side]
        found = next((one for one in waiting if abs(one.at_ns - decision.at_ns) <= within_ns
                      and abs(one.ticks - decision.ticks) * 1_000_000
                      <= within_e6 * decision.ticks), None)
        if found is not None:
            waiting.remove(found)
            shared += 1
        elif first_here is None:
            first_here = decision
    return Agreement(shared, first_here, min((*left[0], *left[1]), default=None))
