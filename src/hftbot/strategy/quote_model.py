"""How far from the fair price to quote, and how far to lean against inventory.

Prices are in bps of the fair price and inventory in orders, so that one set of parameters serves
markets of every price. Only the four operations, the square root and fastcore's own logarithm and
exponential are used: the same inputs give the same quotes on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from fastcore.market.fair import natural_exp, natural_log
from hftbot.errors import ConfigError

GLFT, AVELLANEDA = "glft", "avellaneda"


class Widths(NamedTuple):
    """Half the spread, and how far both quotes move for one order of inventory, in bps."""

    half_bps: float
    skew_bps: float


@dataclass(frozen=True, slots=True)
class QuoteModel:
    """The two textbook makers, with the takers' intensity A exp(-k depth) and volatility s.

    ``glft`` (Gueant, Lehalle and Fernandez-Tapia, the stationary solution, one order at a time):

        half = ln(1 + risk/k) / risk + skew / 2
        skew = s * sqrt(risk / (2 A k) * (1 + risk/k) ** (1 + k/risk))

    ``avellaneda`` (Avellaneda and Stoikov, ``horizon_s`` before the end of time):

        half = ln(1 + risk/k) / risk + skew / 2
        skew = risk * s**2 * horizon

    The half spread stays within ``least_bps`` and ``most_bps``. Raises ConfigError for parameters
    that cannot be meant.
    """

    kind: str = GLFT
    risk: float = 0.05
    horizon_s: float = 5.0
    least_bps: float = 0.5
    most_bps: float = 50.0

    def __post_init__(self) -> None:
        if self.kind not in (GLFT, AVELLANEDA):
            raise ConfigError(f"MAKER_MODEL: {self.kind!r} is neither {GLFT} nor {AVELLANEDA}")
        if not (self.risk > 0.0 and self.horizon_s > 0.0):
            raise ConfigError("MAKER_RISK and MAKER_HORIZON_S must be positive")
        if not 0.0 <= self.least_bps <= self.most_bps:
            raise ConfigError(
                f"MAKER_HALF_SPREAD_MAX_BPS: {self.most_bps:g} is below the least half spread of "
                f"{self.least_bps:g} bps, which is the maker fee and MAKER_EDGE_BPS")

    def widths(self, volatility_bps: float, rate_per_s: float, decay_per_bps: float) -> Widths:
        """The quotes' widths for a volatility in bps per square-root second, and takers."""
        ratio = self.risk / decay_per_bps
        # For a risk near zero the logarithm is its argument, and half of the spread 1 / k.
        log = natural_log(1.0 + ratio) if ratio > 1e-9 else ratio
        if self.kind == GLFT:
            power = natural_exp(min(600.0, (1.0 + 1.0 / ratio) * log))
            skew = volatility_bps * sqrt(ratio / (2.0 * rate_per_s) * power)
        else:
            skew = self.risk * volatility_bps * volatility_bps * self.horizon_s
        half = log / self.risk + 0.5 * skew
        return Widths(min(self.most_bps, max(self.least_bps, half)), min(skew, self.most_bps))
