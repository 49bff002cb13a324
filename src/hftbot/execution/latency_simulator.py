"""How long a simulated order travels: the handbook's presets, in-core and without a network."""

from __future__ import annotations

import random

from hftbot.errors import ConfigError

# Feed and order latency in nanoseconds, as the handbook gives them.
PRESETS = {"realistic": (50, 100), "optimistic": (30, 70), "pessimistic": (100, 200)}
JITTER_NS = 20
TARGET_NS = 100
REMARK = "in-core latency only, no network"


class LatencySimulator:
    """Moves the simulated clock of a backtest; what is reported as measured never comes from it.

    ``feed_latency_ns`` is the way of market data and of answers to us, ``order_latency_ns`` that
    of an order to the venue; each draw is off by at most ``jitter_ns``, by seed. Subclasses set
    these three, or override the ``get_`` methods, and are assigned to ``engine.latency_sim``.
    """

    def __init__(self, model: str = "realistic", seed: int = 1) -> None:
        if model not in PRESETS:
            raise ConfigError(f"latency_model {model!r}: is one of {', '.join(PRESETS)}")
        self.model_type = model
        self.feed_latency_ns, self.order_latency_ns = PRESETS[model]
        self.jitter_ns = JITTER_NS
        self._random = random.Random(seed)

    def get_feed_latency_ns(self) -> int:
        """One draw of the way from the market to us, nanoseconds."""
        return self._jittered(self.feed_latency_ns)

    def get_order_latency_ns(self) -> int:
        """One draw of the way from us to the market, nanoseconds."""
        return self._jittered(self.order_latency_ns)

    def get_total_latency_ns(self) -> int:
        """One draw of a round trip: an order there, its answer back."""
        return self.get_feed_latency_ns() + self.get_order_latency_ns()

    def _jittered(self, mean_ns: int) -> int:
        return max(0, mean_ns + self._random.randint(-self.jitter_ns, self.jitter_ns))
