"""Our executions as the ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Settlement(IntEnum):
    """How sure a fill is."""

    CLAIMED = 0
    SETTLED = 1
    BUSTED = 2


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution of ours, applied once by its ``fill_id``.

    ``ts_us`` is the venue's stamp; ``seen_us`` ours (both wall clock). Fee in 1e-10 quote units.
    """

    fill_id: str
    client_id: int
    instrument: int
    side: int
    ticks: int
    lots: int
    fee_e10: int
    maker: bool
    ts_us: int
    seen_us: int
    settlement: Settlement = Settlement.SETTLED
