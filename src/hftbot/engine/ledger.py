"""Fills applied once, positions, balances, profit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hftbot.words.events import E10, OrderFilled
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument

SEEN_MAX = 200_000
FUNDS_MAX = 1 << 60


class Ledger:
    """What we own and what we made.

    Fills are recognised by the venue's fill id, so that a fill changes the position once whatever
    the channel or the number of deliveries. Balances are the venue's totals, in 1e-10 units.
    """

    def __init__(self, instruments: Sequence[Instrument], positions: Sequence[Any]) -> None:
        self.instruments = tuple(instruments)
        self.positions = tuple(positions)
        self.balances_e10: dict[str, int] = {}
        self.fills = 0
        self.duplicates = 0
        self.fees_e10 = 0
        self._seen: dict[str, None] = {}

    def seen(self, fill_id: str) -> bool:
        """True if this fill was applied before; remembers it otherwise."""
        if fill_id in self._seen:
            self.duplicates += 1
            return True
        self._seen[fill_id] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return False

    def remember(self, fill_id: str) -> None:
        """Mark a fill as already part of an adopted position."""
        self._seen[fill_id] = None

    def book(self, event: OrderFilled, seen_us: int) -> Fill:
        """Count a fill whose position is already updated and return its record."""
        self.fills += 1
        self.fees_e10 += event.fee_e10
        return Fill(event.fill_id, event.client_id, event.instrument, event.side, event.ticks,
                    event.lots, event.fee_e10, event.maker, event.ts_us, seen_us)

    def position_lots(self, instrument: int) -> int:
        """Net lots held."""
        return int(self.positions[instrument].lots)

    def profit(self, instrument: int, bid_ticks: int, ask_ticks: int) -> float:
        """Realised plus unrealised at mid, before fees, in quote units (a report figure)."""
        position = self.positions[instrument]
        grid = self.instruments[instrument]
        twice_open = position.lots * (bid_ticks + ask_ticks) - 2 * position.cost
        return grid.worth(position.realised) + grid.worth(twice_open) / 2

    def funds_value(self, instrument: int) -> int:
        """Quote balance in tick-lots of the instrument, rounded down; -1 if never told."""
        grid = self.instruments[instrument]
        amount_e10 = self.balances_e10.get(grid.quote)
        if amount_e10 is None:
            return -1
        unit = grid.tick_units * grid.lot_units * E10
        scale: int = 10**grid.value_exponent
        return min(FUNDS_MAX, amount_e10 * scale // unit)

    def funds_lots(self, instrument: int) -> int:
        """Base balance in lots of the instrument, rounded down; -1 if never told."""
        grid = self.instruments[instrument]
        amount_e10 = self.balances_e10.get(grid.base)
        if amount_e10 is None:
            return -1
        scale: int = 10**grid.qty_precision
        return min(FUNDS_MAX, amount_e10 * scale // (grid.lot_units * E10))

    def fees(self) -> float:
        """Fees paid in this run, in quote units."""
        return self.fees_e10 / E10
