"""What the scalper knows of one instrument."""

from __future__ import annotations

from decimal import Decimal

from hftbot.errors import ConfigError
from hftbot.signal.momentum import Momentum
from hftbot.strategy.execution import Execution
from hftbot.strategy.order_size import OrderTemplate, least_lots, order_lots
from hftbot.strategy.position_cycler import ExitReason, ExitRules, PositionCycler
from hftbot.words.instrument import Instrument


class ScalperMarket:
    """Position, signal, the touch last seen, and the executions of one instrument.

    ``fees_e10`` is what the trade that is open paid so far; ``counted`` whether the position
    counts as opened already.
    """

    __slots__ = ("adopted", "ask", "bid", "counted", "cycler", "entry", "exit", "exit_lots_max",
                 "exit_reason", "failures", "fees_e10", "instrument", "known", "momentum",
                 "next_entry_us", "next_exit_us", "refused", "template")

    def __init__(self, instrument: Instrument, momentum: Momentum, rules: ExitRules,
                 template: OrderTemplate) -> None:
        self.instrument = instrument
        self.momentum = momentum
        self.template = template
        self.cycler = PositionCycler(
            rules, instrument.taker_fee_e6,
            instrument.maker_fee_e6 if template.post_only else instrument.taker_fee_e6)
        self.bid = self.ask = 0
        self.entry: Execution | None = None
        self.exit: Execution | None = None
        self.exit_reason = ExitReason.NONE
        self.exit_lots_max = 0
        self.failures = 0
        self.fees_e10 = 0
        self.counted = False
        self.next_entry_us = self.next_exit_us = 0
        self.adopted = 0
        self.known = False
        self.refused = ""

    def sellable(self) -> bool:
        """Whether the venue takes an order that closes what is held; less is dust."""
        return self.template.sellable(abs(self.cycler.lots), self.bid)

    def holds(self) -> bool:
        """Whether there is a position worth the name."""
        return self.cycler.lots != 0 and self.sellable()

    def quiet(self) -> bool:
        """No order of ours can still trade."""
        return self.entry is None and self.exit is None

    def turned(self, direction: int) -> bool:
        """Whether the signal no longer points that way."""
        return self.momentum.direction != direction

    def exit_lots(self, held: int) -> int:
        """How much of what is held the next exit takes."""
        most = self.exit_lots_max
        if most == 0 or held <= most:
            return held
        rest = held - most
        least = least_lots(self.instrument, self.bid)
        # Leave nothing behind that is too small to sell.
        return most if rest >= least or most <= 2 * least else most - least

    def refusal(self, ticks: int, value: Decimal, how: str) -> str:
        """Why an entry of this value is not sent."""
        try:
            order_lots(self.instrument, ticks, value, how)
        except ConfigError as error:
            return str(error)
        return ""

    def adopted_text(self) -> str:
        """What was taken over at the start, and what its price is taken to be."""
        grid = self.instrument
        how = ("adopted at its cost" if self.known else
               "adopted, entry price unknown, taken as the first mid seen")
        return f"{grid.symbol}: {grid.qty_text(self.adopted)} {grid.base} {how}"
