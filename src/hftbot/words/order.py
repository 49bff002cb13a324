"""Orders: lifetimes, states, the ClientId, and the view of one open order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

STRATEGY_BITS = 5
RUN_BITS = 16
COUNTER_BITS = 32
# The strategy number of orders that a human asked for.
OPERATOR = (1 << STRATEGY_BITS) - 1
OPERATOR_NAME = "operator"
CLIENT_ID_MAX = 1 << (STRATEGY_BITS + RUN_BITS + COUNTER_BITS)


class Tif(IntEnum):
    """Time in force."""

    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3


class OrderState(IntEnum):
    """Life of an OpenOrder. FILLED and above are done, DOUBT is not."""

    FREE = 0
    NAMED = 1
    SENT = 2
    LIVE = 3
    PARTIAL = 4
    DOUBT = 5
    FILLED = 6
    CANCELED = 7
    REJECTED = 8
    EXPIRED = 9

    @property
    def done(self) -> bool:
        """True if no more can happen to the order."""
        return self >= OrderState.FILLED


class ClientIdParts(NamedTuple):
    """The three fields of a ClientId."""

    strategy: int
    run: int
    counter: int


def client_id_pack(strategy: int, run: int, counter: int) -> int:
    """Build a ClientId: 5 bits strategy, 16 run, 32 order; below 2**53."""
    if not (0 <= strategy < 1 << STRATEGY_BITS and 0 <= run < 1 << RUN_BITS
            and 0 <= counter < 1 << COUNTER_BITS):
        raise ValueError(f"client id out of range: strategy={strategy} run={run} "
                         f"counter={counter}")
    return (strategy << (RUN_BITS + COUNTER_BITS)) | (run << COUNTER_BITS) | counter


def client_id_parts(client_id: int) -> ClientIdParts:
    """Split a ClientId into strategy, run and counter."""
    return ClientIdParts(client_id >> (RUN_BITS + COUNTER_BITS),
                         client_id >> COUNTER_BITS & ((1 << RUN_BITS) - 1),
                         client_id & ((1 << COUNTER_BITS) - 1))


@dataclass(slots=True)
class OpenOrder:
    """An Intent that was allowed and named; a copy of one order-table row."""

    client_id: int
    instrument: int
    side: int
    ticks: int
    lots: int
    filled_lots: int
    state: OrderState
    tif: Tif
    created_us: int
    venue_id: str = ""

    @property
    def ts(self) -> int:
        """Wall-clock microseconds of its creation."""
        return self.created_us

    @property
    def created_ts(self) -> int:
        """Wall-clock microseconds of its creation."""
        return self.created_us

    @property
    def open_lots(self) -> int:
        """Lots still to be filled."""
        return self.lots - self.filled_lots
