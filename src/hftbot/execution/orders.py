"""What goes into the execution door and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from hftbot.words.order import OrderState

PENDING, OPEN, DOUBT = "pending", "open", "doubt"
FILLED, PARTLY_FILLED, CANCELLED = "filled", "partly filled", "cancelled"
REJECTED, DENIED = "rejected", "denied"
ENDED = frozenset((FILLED, PARTLY_FILLED, CANCELLED, REJECTED, DENIED))


@dataclass(slots=True)
class HFTOrder:
    """One order as it was asked for, and where it stands.

    ``price`` and ``quantity`` are in quote and base units, on the venue's grid once it was sent;
    ``timestamp`` is wall-clock seconds. ``queue_position`` is the quantity that stood before it at
    the decision, ``fill_probability`` the queue model's guess; ``latency_ns`` is measured, from
    the call to the venue's first answer. ``status`` is pending, open, doubt, filled, partly
    filled (and over), cancelled, rejected (by the venue) or denied (by our own guard).
    """

    order_id: str
    symbol: str
    side: str
    order_type: str
    price: float
    quantity: float
    timestamp: float = 0.0
    queue_position: float | None = None
    latency_ns: int | None = None
    status: str = PENDING
    filled_quantity: float = 0.0
    fill_probability: float | None = None


@dataclass(slots=True)
class HFTExecution:
    """What became of one order.

    ``executed_price`` is the mean of its fills (0.0 without one) and ``slippage`` that price
    against the opposite touch at the decision: positive is worse, a maker's is negative.
    ``execution_time_ns`` runs from the call of ``execute_order`` to the order's end, or until it
    was left resting, on this machine's clock; ``queue_wait_time_ns`` from the venue's acceptance
    to the first fill, on the clock of the market (in a backtest that of the simulation).
    ``simulated_time_ns`` is, in a backtest, the whole time on that clock. ``fee`` and ``pnl``
    (realised, before fees) are in quote units. An order that was left resting goes on: the same
    object then changes with it.
    """

    order_id: str
    symbol: str
    side: str
    executed_price: float = 0.0
    executed_quantity: float = 0.0
    execution_time_ns: int = 0
    slippage: float = 0.0
    queue_wait_time_ns: int = 0
    fee: float = 0.0
    pnl: float = 0.0
    status: str = PENDING
    reason: str = ""
    price: float = 0.0
    quantity: float = 0.0
    fill_probability: float | None = None
    simulated_time_ns: int = 0
    notes: tuple[str, ...] = ()

    @property
    def resting(self) -> bool:
        """True while the order still works at the venue, or may."""
        return self.status not in ENDED


def status_of(state: int, filled: bool) -> str:
    """The word for an order that is over."""
    if state == OrderState.FILLED:
        return FILLED
    if state == OrderState.REJECTED:
        return REJECTED
    return PARTLY_FILLED if filled else CANCELLED
