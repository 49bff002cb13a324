"""Private events: what a venue told us about our own orders, money and access.

Names are past tense. Each carries the venue's stamp ``ts_us`` (wall-clock microseconds).
Amounts of money are integers of 1e-10 quote (or asset) units, suffix ``_e10``.
"""

from __future__ import annotations

from dataclasses import dataclass

from hftbot.words.market import BookTrust, VenueMode
from hftbot.words.order import OrderState

E10 = 10**10


@dataclass(slots=True, frozen=True)
class OrderAcked:
    """The venue accepted an order. ``live`` is False if it is accepted but not yet working."""

    client_id: int
    venue_id: str
    ts_us: int
    live: bool = True


@dataclass(slots=True, frozen=True)
class OrderRejected:
    """The venue refused an order: it does not exist. ``code`` is the venue's own words.

    ``again``: nothing is wrong with the order, the venue may take the same one a moment later.
    """

    client_id: int
    code: str
    ts_us: int
    again: bool = False


@dataclass(slots=True, frozen=True)
class OrderFilled:
    """An execution of ours. ``fill_id`` is the venue's and is applied once."""

    client_id: int
    venue_id: str
    fill_id: str
    instrument: int
    side: int
    ticks: int
    lots: int
    fee_e10: int
    maker: bool
    ts_us: int


@dataclass(slots=True, frozen=True)
class OrderAmended:
    """The venue changed a working order in place."""

    client_id: int
    ticks: int
    lots: int
    ts_us: int


@dataclass(slots=True, frozen=True)
class OrderDone:
    """The venue says that nothing more can happen to the order."""

    client_id: int
    state: OrderState
    filled_lots: int
    reason: str
    ts_us: int


@dataclass(slots=True, frozen=True)
class OrderDoubt:
    """Sent, outcome not known. It keeps its exposure and is never sent again under a new id."""

    client_id: int
    reason: str
    ts_us: int


@dataclass(slots=True, frozen=True)
class CancelRejected:
    """The venue refused a cancel (or an ``amend``); the order itself may still live."""

    client_id: int
    code: str
    ts_us: int
    amend: bool = False


@dataclass(slots=True, frozen=True)
class OrderSeen:
    """One working order in the venue's snapshot. client_id is 0 if it is not ours by name."""

    client_id: int
    venue_id: str
    instrument: int
    side: int
    ticks: int
    lots: int
    filled_lots: int
    ts_us: int


@dataclass(slots=True, frozen=True)
class OrdersSeen:
    """The venue's whole list of our working orders at one moment."""

    orders: tuple[OrderSeen, ...]
    ts_us: int


@dataclass(slots=True, frozen=True)
class BalanceSeen:
    """Total balance of one asset at the venue, holds included."""

    asset: str
    amount_e10: int
    ts_us: int


@dataclass(slots=True, frozen=True)
class ModeChanged:
    """The venue changed what it accepts; ``private``: it said so on the trading link."""

    mode: VenueMode
    ts_us: int
    private: bool = False


@dataclass(slots=True, frozen=True)
class TrustChanged:
    """A book became trusted, suspect or empty."""

    instrument: int
    trust: BookTrust
    reason: str
    ts_us: int


@dataclass(slots=True, frozen=True)
class PrivateReady:
    """The private stream is subscribed and its snapshots are in."""

    ts_us: int


@dataclass(slots=True, frozen=True)
class PrivateLost:
    """The private stream broke: we are blind until PrivateReady."""

    reason: str
    ts_us: int


@dataclass(slots=True, frozen=True)
class VenueError:
    """The venue said something is wrong that is not about one order."""

    code: str
    ts_us: int


Event = (OrderAcked | OrderRejected | OrderFilled | OrderAmended | OrderDone | OrderDoubt
         | CancelRejected | OrderSeen | OrdersSeen | BalanceSeen | ModeChanged | TrustChanged
         | PrivateReady | PrivateLost | VenueError)
