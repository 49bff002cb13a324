"""What the fills of a run would have cost an account that pays the venue's public base fees."""

from __future__ import annotations

from collections.abc import Callable


class BaseFees:
    """Adds up the fills' value at base fees, beside what they really cost.

    ``rates`` gives (maker, taker) of a symbol in millionths of the traded value. Amounts are
    quote units, floats: figures for people.
    """

    def __init__(self, rates: Callable[[str], tuple[int, int]]) -> None:
        self._rates = rates
        self.fees_usd = 0.0

    def add_fill(self, symbol: str, value: float, maker: bool) -> None:
        """One execution of ours."""
        maker_e6, taker_e6 = self._rates(symbol)
        self.fees_usd += value * (maker_e6 if maker else taker_e6) / 1e6
