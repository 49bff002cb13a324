"""The fill models that a report shows side by side, so that a profit is read as a range.

A queue model guesses whether a cancel at our price stood before us or behind us. Nobody outside
the exchange knows, so one number would claim too much: the world runs the same strategy on the
same data under each of these.
"""

from __future__ import annotations

from dataclasses import dataclass

OPTIMISTIC, CALIBRATED, PESSIMISTIC = "optimistic", "calibrated", "pessimistic"


@dataclass(frozen=True, slots=True)
class FillModel:
    """One way to fill: the queue model by name, its power, and a factor on order latency.

    ``power`` is 0 for a model that has none.
    """

    name: str
    queue: str
    power: float
    latency_factor: float
    why: str


def side_by_side(queue: str = "power-prob", power: float = 3.0) -> tuple[FillModel, ...]:
    """Optimistic, calibrated and pessimistic, in this order; the middle one is as asked for."""
    return (
        FillModel(OPTIMISTIC, "power-prob2", 3.0, 0.5,
                  "most cancels stood before us; orders travel in half the time"),
        FillModel(CALIBRATED, queue, power, 1.0,
                  "the model asked for; its calibration says how true it was"),
        FillModel(PESSIMISTIC, "risk-averse", 0.0, 2.0,
                  "every cancel stood behind us; orders travel twice as long"),
    )
