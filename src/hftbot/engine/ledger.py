"""Fills applied once, positions, balances, profit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from hftbot.words.events import E10, OrderFilled
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument

SEEN_MAX = 200_000
FUNDS_MAX = 1 << 60


def fill_key(fill_id: str) -> int:
    """63 bits that name a fill in the journal's fixed rows."""
    return int.from_bytes(hashlib.blake2b(fill_id.encode(), digest_size=8).digest()) >> 1


def opened_us(before: int, after: int, opened: int, now_us: int) -> int:
    """Since when a position is held, after it went from ``before`` to ``after`` lots.

    The last change that more than doubled it, or turned it round, began it: dust that could not
    be sold does not make a new position old. 0 if nothing is held.
    """
    if after == 0:
        return 0
    if (before > 0) != (after > 0) or abs(after) > 2 * abs(before):
        return now_us
    return opened


class Ledger:
    """What we own and what we made.

    Fills are recognised by the venue's fill id, so that a fill changes the position once whatever
    the channel or the number of deliveries. Balances are the venue's totals, in 1e-10 units.
    """

    def __init__(self, instruments: Sequence[Instrument], positions: Sequence[Any]) -> None:
        self.instruments = tuple(instruments)
        self.positions = tuple(positions)
        self.balances_e10: dict[str, int] = {}
        # What of an asset is on the account and not ours: never counted, never sold.
        self.aside_e10: dict[str, int] = {}
        # Whether others trade on the account too: their fills go there, not into our positions.
        self.leave_others = False
        self.fills = 0
        self.duplicates = 0
        self.fees_e10 = 0
        self.opened_us = [0] * len(self.positions)
        self._seen: dict[str, None] = {}
        self._carried: frozenset[int] = frozenset()

    def seen(self, fill_id: str) -> bool:
        """True if this fill was applied before; remembers it otherwise."""
        if self.knows(fill_id):
            self.duplicates += 1
            return True
        self._seen[fill_id] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return False

    def knows(self, fill_id: str) -> bool:
        """True if this fill was applied before."""
        return fill_id in self._seen or (bool(self._carried)
                                         and fill_key(fill_id) in self._carried)

    def keys(self, most: int) -> list[int]:
        """The ``fill_key`` of the fills that were applied last, the youngest last."""
        young = [fill_key(fill_id) for fill_id in islice(reversed(self._seen), most)]
        old = islice(self._carried, max(0, most - len(young)))
        return [*old, *reversed(young)]

    def carry(self, keys: Iterable[int]) -> None:
        """Fills that are part of the positions already, by their ``fill_key``."""
        self._carried = frozenset(keys)

    def book(self, event: OrderFilled, seen_us: int) -> Fill:
        """Count a fill whose position is already updated and return its record."""
        self.fills += 1
        self.fees_e10 += event.fee_e10
        index = event.instrument
        after = self.position_lots(index)
        before = after - (event.lots if event.side == 0 else -event.lots)
        self.opened_us[index] = opened_us(before, after, self.opened_us[index], seen_us)
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

    def put_aside(self, event: OrderFilled) -> None:
        """Somebody else bought or sold on the account: their coins, not ours."""
        grid = self.instruments[event.instrument]
        lot_e10: int = grid.lot_units * E10 // 10**grid.qty_precision
        amount_e10 = event.lots * lot_e10 * (1 if event.side == 0 else -1)
        self.aside_e10[grid.base] = max(0, self.aside_e10.get(grid.base, 0) + amount_e10)

    def own_e10(self, asset: str) -> int | None:
        """The balance without what is not ours; None if it was never told."""
        amount_e10 = self.balances_e10.get(asset)
        return None if amount_e10 is None else amount_e10 - self.aside_e10.get(asset, 0)

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
        amount_e10 = self.own_e10(grid.base)
        if amount_e10 is None:
            return -1
        scale: int = 10**grid.qty_precision
        return max(0, min(FUNDS_MAX, amount_e10 * scale // (grid.lot_units * E10)))

    def fees(self) -> float:
        """Fees paid in this run, in quote units."""
        return self.fees_e10 / E10
