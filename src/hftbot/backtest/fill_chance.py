"""How likely an order fills, learned from the orders of the run that ended before it left.

An order with ``front`` lots before it and a size of ``lots`` fills whole if more than both trade at
its price while it rests. That volume is taken as exponential, with one mean for each distance from
the best price. The means are learned: each order that ends moves the mean of its distance by what
the prediction missed. So nothing of the future is used, and the report's calibration shows how far
the predictions could be trusted.
"""

from __future__ import annotations

import math

LEARNING_RATE = 0.05
DISTANCES = (-1, 0, 1, 2, 4, 8, 16)
"""Upper ends, in ticks behind the best price, of the distances told apart; -1 improves on it."""
_LOG_MAX = 60.0


class FillChance:
    """Predicts and learns. One for each asset and fill model."""

    __slots__ = ("_log_means",)

    def __init__(self) -> None:
        self._log_means: list[float | None] = [None] * (len(DISTANCES) + 1)

    def predict(self, place: int, reach_lots: float) -> float:
        """Probability that the volume while an order rests is above ``reach_lots``, 0 to 1.

        ``place`` is from ``place_of``; ``reach_lots`` what stands before the order, and itself.
        The first prediction for a distance is 1 / e.
        """
        log_mean = self._log_means[place]
        if log_mean is None:
            log_mean = self._log_means[place] = math.log(max(reach_lots, 1.0))
        return math.exp(-reach_lots / math.exp(log_mean))

    def learn(self, place: int, predicted: float, filled: bool) -> None:
        """An order that was predicted so has ended."""
        log_mean = self._log_means[place]
        if log_mean is not None:
            moved = log_mean + LEARNING_RATE * (filled - predicted)
            self._log_means[place] = min(max(moved, -_LOG_MAX), _LOG_MAX)


def place_of(distance_ticks: int) -> int:
    """The number of a distance among those told apart; the last is everything farther."""
    for place, end in enumerate(DISTANCES):
        if distance_ticks <= end:
            return place
    return len(DISTANCES)
