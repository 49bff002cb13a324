"""How likely an order fills, learned from the orders of the run that ended before it left.

An order with some lots before it fills whole if the price goes through it, or if more than those
lots and its own trade at its price while it rests. That volume is taken as exponential. Its mean
and the chance that the price goes through are kept for each distance from the best price, and each
order that ends moves both by what the prediction missed. So nothing of the future is used, and the
report's calibration shows how far the predictions could be trusted.
"""

from __future__ import annotations

import math

from fastcore.sim.queue import fill_probability

RATE_LEAST = 0.02
"""An order moves what is learned by the share it has of the orders so far, and at least by this."""
THROUGH_FIRST, THROUGH_MAX = 0.1, 0.99
LOG_MEAN_MAX = 60.0
DISTANCES = (-1, 0, 1, 2, 4, 8, 16)
"""Upper ends, in ticks behind the best price, of the distances told apart; -1 improves on it."""


class FillChance:
    """Predicts and learns. One for each asset and fill model."""

    __slots__ = ("_log_means", "_seen", "_through")

    def __init__(self) -> None:
        self._log_means: list[float | None] = [None] * (len(DISTANCES) + 1)
        self._through = [THROUGH_FIRST] * (len(DISTANCES) + 1)
        self._seen = [0] * (len(DISTANCES) + 1)

    def predict(self, place: int, reach_lots: float) -> float:
        """Probability that an order fills whole, 0 to 1.

        ``place`` is from ``place_of``; ``reach_lots`` what stands before the order, and itself.
        The first order of a distance is taken to be as long as the mean.
        """
        through = self._through[place]
        return through + (1.0 - through) * self._reached(place, reach_lots)

    def learn(self, place: int, reach_lots: float, predicted: float, filled: bool) -> None:
        """An order that was predicted so has ended."""
        self._seen[place] += 1
        moved = max(1.0 / (1 + self._seen[place]), RATE_LEAST) * (filled - predicted)
        reached = self._reached(place, reach_lots)
        through = self._through[place] + moved * (1.0 - reached)
        self._through[place] = min(max(through, 0.0), THROUGH_MAX)
        log_mean = (self._log_means[place] or 0.0) + moved
        self._log_means[place] = min(max(log_mean, -LOG_MEAN_MAX), LOG_MEAN_MAX)

    def _reached(self, place: int, reach_lots: float) -> float:
        log_mean = self._log_means[place]
        if log_mean is None:
            log_mean = self._log_means[place] = math.log(max(reach_lots, 1.0))
        return float(fill_probability(0.0, reach_lots, math.exp(log_mean)))


def place_of(distance_ticks: int) -> int:
    """The number of a distance among those told apart; the last is everything farther."""
    for place, end in enumerate(DISTANCES):
        if distance_ticks <= end:
            return place
    return len(DISTANCES)
