"""One open position and when to leave it: loss, profit, a gain that shrinks, age."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from hftbot.errors import ConfigError

_E6 = 1_000_000


class ExitReason(IntEnum):
    """Why a position is left. NONE means stay."""

    NONE = 0
    STOP_LOSS = 1
    PROFIT_TARGET = 2
    MAX_HOLD = 3
    MIN_PROFIT = 4
    TRAILING_STOP = 5

    @property
    def label(self) -> str:
        """The name in reports; what no rule of ours closed is "other"."""
        return self.name.lower() if self else "other"


@dataclass(frozen=True, slots=True)
class ExitRules:
    """When to leave. Ratios in millionths of the position's cost, times in microseconds.

    Profits are net of the fees of both trades; the stop is a move of the price at which we could
    leave. Once the net gain was ``trailing_start_e6``, the position is left as soon as the price
    at which we could leave falls ``trailing_stop_e6`` below the best one seen; 0 never does.
    Raises ConfigError for rules that cannot be meant.
    """

    profit_target_e6: int = 2_000
    stop_loss_e6: int = 1_000
    min_profit_e6: int = 1_000
    min_hold_us: int = 30_000_000
    max_hold_us: int = 300_000_000
    trailing_stop_e6: int = 0
    trailing_start_e6: int = 1_000

    def __post_init__(self) -> None:
        for name in ("profit_target_e6", "stop_loss_e6", "max_hold_us"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"exit rules: {name} is {getattr(self, name)}, "
                                  "it must be positive")
        for name in ("min_profit_e6", "min_hold_us", "trailing_stop_e6", "trailing_start_e6"):
            if getattr(self, name) < 0:
                raise ConfigError(f"exit rules: {name} is {getattr(self, name)}, "
                                  "it must not be negative")


class ClosedTrade(NamedTuple):
    """One round trip. ``profit2`` is twice the profit before fees, in ticks * lots."""

    lots: int
    profit2: int
    held_us: int


class PositionCycler:
    """Net lots of one instrument (short is negative), what they cost, and since when.

    Costs are exact integers of twice a tick times a lot, so that a mid price stays whole. A
    position whose price is not known (``adopt``) is valued at the first mid that is seen, or at
    the first fill if that comes earlier. It is left as a taker; ``entry_fee_e6`` is the fee of its
    entry where that is another one. ``best_ticks`` is the best price at which we could have left,
    0 before one was seen.
    """

    __slots__ = ("_lots_out", "_profit2", "best_ticks", "cost2", "entry_fee_e6", "fee_e6", "lots",
                 "opened_us", "priced", "rules")

    def __init__(self, rules: ExitRules, taker_fee_e6: int = 0,
                 entry_fee_e6: int | None = None) -> None:
        self.rules = rules
        self.fee_e6 = taker_fee_e6
        self.entry_fee_e6 = taker_fee_e6 if entry_fee_e6 is None else entry_fee_e6
        self._clear()

    def _clear(self) -> None:
        self.lots = 0
        self.cost2 = 0
        self.opened_us = 0
        self.priced = True
        self.best_ticks = 0
        self._lots_out = 0
        self._profit2 = 0

    def adopt(self, lots: int, cost: int = 0, opened_us: int = 0) -> None:
        """Take over a position. Without a cost its price is unknown: ``mark`` gives it one.

        ``cost`` is in ticks * lots; a position of known cost is as old as ``opened_us`` says.
        """
        self._clear()
        self.lots = lots
        self.priced = lots == 0 or cost != 0
        if cost:
            self.cost2 = 2 * abs(cost)
            self.opened_us = opened_us

    def mark(self, bid_ticks: int, ask_ticks: int, now_us: int) -> None:
        """Give an adopted position its price, the mid, and its age, none."""
        self.cost2 = (bid_ticks + ask_ticks) * abs(self.lots)
        self.opened_us = now_us
        self.priced = True

    def fill(self, side: int, ticks: int, lots: int, now_us: int) -> ClosedTrade | None:
        """Apply a fill of ours; returns the round trip if this closed the position."""
        signed = lots if side == 0 else -lots
        if not self.priced:
            self.mark(ticks, ticks, now_us)
        if self.lots == 0:
            self._clear()
            self.opened_us = now_us
        if self.lots == 0 or (self.lots > 0) == (signed > 0):
            self.lots += signed
            self.cost2 += 2 * ticks * lots
            return None
        closing = min(lots, abs(self.lots))
        closed = self._reduce(ticks, closing, now_us)
        if lots > closing:
            self.fill(side, ticks, lots - closing, now_us)
        return closed

    def _reduce(self, ticks: int, lots: int, now_us: int) -> ClosedTrade | None:
        held = abs(self.lots)
        # The last reduction takes what is left, so that rounding never makes or loses value.
        cost2 = self.cost2 * lots // held
        sign = 1 if self.lots > 0 else -1
        self._profit2 += sign * (2 * ticks * lots - cost2)
        self.cost2 -= cost2
        self.lots -= sign * lots
        self._lots_out += lots
        if self.lots:
            return None
        closed = ClosedTrade(self._lots_out, self._profit2, now_us - self.opened_us)
        self._clear()
        return closed

    def settle(self, lots: int, bid_ticks: int, ask_ticks: int, now_us: int) -> int:
        """Make the position what the desk says; returns by how many lots that differs.

        More lots come in at the mid, fewer leave at their average cost: nothing is earned here.
        """
        difference = lots - self.lots
        if difference == 0:
            return 0
        held = abs(self.lots)
        if lots == 0:
            self._clear()
        elif self.lots == 0 or (self.lots > 0) != (lots > 0):
            self.adopt(lots)
            self.mark(bid_ticks, ask_ticks, now_us)
        elif abs(lots) > held:
            if not self.priced:
                self.mark(bid_ticks, ask_ticks, now_us)
            self.cost2 += (bid_ticks + ask_ticks) * (abs(lots) - held)
            self.lots = lots
        else:
            self.cost2 = self.cost2 * abs(lots) // held
            self.lots = lots
        return difference

    def decide(self, bid_ticks: int, ask_ticks: int, now_us: int) -> ExitReason:
        """Whether to leave now, if what we hold could be closed at the touch. O(1)."""
        lots = self.lots
        if lots == 0:
            return ExitReason.NONE
        if not self.priced:
            self.mark(bid_ticks, ask_ticks, now_us)
        rules = self.rules
        cost2 = self.cost2
        touch = bid_ticks if lots > 0 else ask_ticks
        if self.best_ticks == 0 or (touch > self.best_ticks) == (lots > 0):
            self.best_ticks = touch
        if self._gain2(touch) * _E6 <= -rules.stop_loss_e6 * cost2:
            return ExitReason.STOP_LOSS
        net2_e6 = self._net2_e6(touch)
        if net2_e6 >= rules.profit_target_e6 * cost2:
            return ExitReason.PROFIT_TARGET
        if rules.trailing_stop_e6 and self._fell(touch):
            return ExitReason.TRAILING_STOP
        age_us = now_us - self.opened_us
        if age_us >= rules.max_hold_us:
            return ExitReason.MAX_HOLD
        if age_us >= rules.min_hold_us and net2_e6 >= rules.min_profit_e6 * cost2:
            return ExitReason.MIN_PROFIT
        return ExitReason.NONE

    def _gain2(self, touch: int) -> int:
        """Twice the gain before fees if we left at a price."""
        worth2 = 2 * touch * self.lots
        return worth2 - self.cost2 if self.lots > 0 else self.cost2 + worth2

    def _net2_e6(self, touch: int) -> int:
        """The same after the fees of both trades, in millionths."""
        worth2 = 2 * touch * abs(self.lots)
        return (self._gain2(touch) * _E6 - self.entry_fee_e6 * self.cost2
                - self.fee_e6 * worth2)

    def _fell(self, touch: int) -> bool:
        """Whether the price came back from the best one by the trailing stop."""
        best, rules = self.best_ticks, self.rules
        if abs(best - touch) * _E6 < rules.trailing_stop_e6 * best:
            return False
        return self._net2_e6(best) >= rules.trailing_start_e6 * self.cost2
