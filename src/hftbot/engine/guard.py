"""Risk and halt: the cold half. The hot half is fastcore.money.risk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hftbot.engine.ledger import Ledger
from hftbot.engine.limits import BlindLimit, LatencyLimit
from hftbot.words.events import E10
from hftbot.words.market import VenueMode

ACTIVE, REDUCING, HALTED = 0, 1, 2
STATE_NAMES = ("ACTIVE", "REDUCING", "HALTED")
DAY_US = 86_400_000_000


class Guard:
    """Keeps the account's trading state and the facts that its gates read.

    The daily loss (realised plus marked minus fees since UTC midnight) takes it first to REDUCING,
    at the limit, and to HALTED at one and a half times the limit: exits may still run in between.

    ``sticky`` is True once a halt, or a strategy's stop, is in force that outlives the process:
    only a human clears it.
    """

    def __init__(self, account: Any, gates: Sequence[Any], loss_day_max: float,
                 on_state: Callable[[int, str], None], latency: LatencyLimit | None = None,
                 blindness: BlindLimit | None = None) -> None:
        self.account = account
        self.gates = tuple(gates)
        self.loss_day_max = loss_day_max
        self.mode = VenueMode.OPEN
        self._modes = [VenueMode.OPEN, VenueMode.OPEN]
        self.reason = ""
        self.sticky = False
        self.latency = latency or LatencyLimit(0, 0)
        self.blindness = blindness or BlindLimit(0)
        self._kept = False
        self._on_state = on_state
        self._journal_reason = "the journal refused a record"
        self._told = ACTIVE
        # Instruments that a human closed: what is held there may only become less.
        self.closed: set[int] = set()
        self._day = -1
        self._day_start_profit = 0.0

    @property
    def state(self) -> int:
        """ACTIVE, REDUCING or HALTED."""
        return int(self.account.state)

    def set_mode(self, mode: VenueMode, private: bool = False) -> None:
        """The venue changed what it accepts. Where its links disagree, the stricter one counts."""
        self._modes[private] = mode
        self.mode = max(self._modes)
        self.account.mode = int(self.mode)

    def set_ready(self, ready: bool) -> None:
        """Orders are admitted only while the private stream is up and reconciled."""
        self.account.ready = int(ready)

    def link_seen(self, mono_ns: int) -> None:
        """The market link showed life at mono_ns; a book is as fresh as its link."""
        for gate in self.gates:
            gate.link_seen_ns = mono_ns

    def refresh_funds(self, ledger: Ledger) -> None:
        """The venue told a balance: gates know what can be paid."""
        for index, gate in enumerate(self.gates):
            gate.funds_value = ledger.funds_value(index)
            gate.funds_lots = ledger.funds_lots(index)

    def refresh_limits(self, ledger: Ledger, books: Sequence[Any], position_max: float) -> None:
        """Position limits are money; gates count lots, so they follow the price.

        ``position_max`` is quote units. A gate whose book shows no price keeps its last limit.
        """
        for index, (gate, book) in enumerate(zip(self.gates, books, strict=True)):
            if book.has_bid():
                worth = ledger.instruments[index].value(book.best_bid(), 1)
                gate.position_lots_max = (0 if index in self.closed
                                          else int(position_max / worth))
                gate.revalue()

    def check_loss(self, profit_net: float, now_us: int) -> None:
        """Compare today's result with the daily limit. ``profit_net`` is quote units, fees off."""
        day = now_us // DAY_US
        if day != self._day:
            self._day = day
            self._day_start_profit = profit_net
        loss = self._day_start_profit - profit_net
        self.account.loss_e10 = int(max(loss, 0.0) * E10)
        if self.loss_day_max <= 0 or loss < self.loss_day_max:
            return
        sentence = f"daily loss {loss:.2f} reached the limit {self.loss_day_max:.2f}"
        if loss >= 1.5 * self.loss_day_max:
            self.raise_to(HALTED, sentence)
        else:
            self.raise_to(REDUCING, sentence)

    def check_venue(self, blind: bool, at_stake: bool, oldest_ns: int, now_ns: int) -> None:
        """Halt if the venue answers too slowly or was out of sight for too long."""
        reason = (self.latency.tick(oldest_ns, now_ns)
                  or self.blindness.tick(blind, at_stake, now_ns))
        if reason:
            self.halt(reason)

    def check_holdings(self, ledger: Ledger) -> None:
        """What was taken over may be more than the limits allow: then it may only become less."""
        for grid, gate in zip(ledger.instruments, self.gates, strict=True):
            if abs(gate.position.lots) > gate.position_lots_max:
                self.raise_to(REDUCING, f"{grid.symbol}: {grid.qty_text(abs(gate.position.lots))} "
                              "held is more than POSITION_USD_MAX allows")
        if self.account.gross_e10 > self.account.gross_e10_max:
            self.raise_to(REDUCING, f"{self.account.gross_e10 / E10:.2f} held is more than "
                          "GROSS_USD_MAX allows")

    def close(self, index: int) -> None:
        """Only exits from here on in one market, until the next start."""
        self.closed.add(index)
        self.gates[index].position_lots_max = 0

    def keep(self, reason: str) -> None:
        """Something was stopped that only a human may start again; the rest goes on."""
        if self.account.state != HALTED:
            self.reason = reason
        self.sticky = self._kept = True
        self._on_state(self.state, reason)

    @property
    def day(self) -> tuple[int, int]:
        """The UTC day (-1: none yet) and the profit it began with, in e10, for the journal."""
        return self._day, round(self._day_start_profit * E10)

    def carry_day(self, day: int, first_profit_e10: int) -> None:
        """An earlier run began the day: its loss counts on, unless the day is over."""
        self._day = day
        self._day_start_profit = first_profit_e10 / E10

    def check_journal(self) -> None:
        """The hot path halts the account when the journal refuses a record: say so, once."""
        if self.account.state == HALTED and self._told != HALTED:
            self.reason = self._journal_reason
            self._told = HALTED
            self.sticky = True
            self._on_state(HALTED, self.reason)

    def journal_failed(self, reason: str) -> None:
        """The journal can no longer be kept; the hot path may have halted on it already."""
        self._journal_reason = reason
        self.halt(reason)
        self.check_journal()

    def halt(self, reason: str, sticky: bool = True) -> None:
        """Stop taking risk at once. ``sticky`` False: it is about this process only.

        A sticky reason takes the place of one that is not.
        """
        self.raise_to(HALTED, reason, sticky)

    def raise_to(self, state: int, reason: str, sticky: bool = True) -> None:
        """Make the state stricter; it never relaxes by itself."""
        lasts = state == HALTED and sticky
        if state <= self.account.state and not (lasts and self._told == HALTED
                                                and not self.sticky):
            return
        self.account.state = self._told = state
        self.reason = reason
        self.sticky = lasts or self._kept
        self._on_state(state, reason)
