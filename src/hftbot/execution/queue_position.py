"""Where an order stands in its queue, and how likely it is filled: the models by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastcore.sim import model_codes, queue
from hftbot.errors import ConfigError
from hftbot.execution.orders import HFTOrder

MODELS = {"PowerProb": model_codes.POWER_PROB, "RiskAverse": model_codes.RISK_AVERSE,
          "LogProb": model_codes.LOG_PROB, "LogProb2": model_codes.LOG_PROB2,
          "PowerProb2": model_codes.POWER_PROB2, "PowerProb3": model_codes.POWER_PROB3}
POWER = 3.0


class QueuePositionManager:
    """A queue model by its name: who leaves when a level shrinks without a trade.

    Subclasses override what they know better and are assigned to ``engine.queue_manager``: the
    engine asks ``estimate_queue_position`` once for each limit order, a backtest the other two as
    the market moves. All quantities are in base units. Raises ConfigError for an unknown model.
    """

    def __init__(self, model: str = "PowerProb", power: float = POWER) -> None:
        if model not in MODELS:
            raise ConfigError(f"queue_model {model!r}: is one of {', '.join(MODELS)}")
        self.model_type = model
        self.power = power
        self._kind = MODELS[model]

    def estimate_queue_position(self, order: HFTOrder, order_book: Mapping[str, Any]) -> float:
        """The quantity that trades before the order at its price; 0.0 where it is the first.

        A new order joins behind everything that its level shows.
        """
        for price, quantity in order_book.get(_side_name(order.side), ()):
            if float(price) == order.price:
                return float(quantity)
        return 0.0

    def estimate_fill_probability(self, order: HFTOrder, order_book: Mapping[str, Any],
                                  expected: float | None = None) -> float:
        """How likely the order is filled whole while it rests, 0 to 1.

        1.0 if the opposite side shows enough within its price. ``expected`` is the quantity that
        trades at a price like its own while it rests; without one, what the opposite touch shows
        stands for it.
        """
        opposite = order_book.get(_side_name("sell" if order.side == "buy" else "buy"), ())
        if order.order_type == "market" or reachable(order, opposite) >= order.quantity:
            return 1.0 if opposite else 0.0
        if expected is None:
            expected = float(opposite[0][1]) if opposite else 0.0
        front = order.queue_position
        if front is None:
            front = self.estimate_queue_position(order, order_book)
        found: float = queue.fill_probability(float(front), order.quantity, expected)
        return found

    def after_trade(self, front: float, quantity: float) -> float:
        """The front once ``quantity`` traded at the price; below 0.0 the trade reached us."""
        left: float = queue.after_trade(front, quantity)
        return left

    def after_depth(self, front: float, traded: float, before: float, after: float) -> float:
        """The front once the level shows ``after`` where it showed ``before``.

        ``traded`` is what trades took from the level in between.
        """
        left: float = queue.after_depth(self._kind, self.power, front, traded, before, after)
        return left


def reachable(order: HFTOrder, opposite: Sequence[Sequence[float]]) -> float:
    """The quantity that the opposite side shows within the order's price."""
    if order.side == "buy":
        return float(sum(level[1] for level in opposite if level[0] <= order.price))
    return float(sum(level[1] for level in opposite if level[0] >= order.price))


def _side_name(side: str) -> str:
    return "bids" if side == "buy" else "asks"
