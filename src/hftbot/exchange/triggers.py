"""Prices that an order waits for: stops, profit targets, trailing stops, and closing templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hftbot.exchange.kraken_text import ListingText, fixed, quoted

# A percentage is kept in millionths of a percent.
PERCENT_DIGITS = 6
PERCENT_E6 = 100_000_000


@dataclass(slots=True)
class Term:
    """A price as a client names it: ``static`` where it is, ``quote`` or ``pct`` its distance.

    ``amount`` is in ticks, for ``pct`` in millionths of a percent.
    """

    kind: str
    amount: int

    def distance(self, anchor_ticks: int) -> int:
        """Ticks from the anchor, signed, cut towards zero."""
        if self.kind == "static":
            return self.amount - anchor_ticks
        if self.kind == "quote":
            return self.amount
        whole = abs(self.amount) * anchor_ticks // PERCENT_E6
        return whole if self.amount >= 0 else -whole

    def ticks(self, anchor_ticks: int) -> int:
        """The price that it means, seen from the anchor; never below one tick."""
        return max(1, anchor_ticks + self.distance(anchor_ticks))

    def text(self, text: ListingText) -> str:
        """The amount as a number token."""
        return fixed(self.amount, PERCENT_DIGITS) if self.kind == "pct" else text.price(self.amount)


@dataclass(slots=True)
class Trigger:
    """What must happen to the last price before an order becomes active.

    ``ticks`` is the price now in force; ``peak_ticks`` the best price since the order came, for
    trailing stops. ``limit`` is the limit of the order that it becomes, None for a market order.
    """

    shape: str
    price: Term
    limit: Term | None = None
    ticks: int = 0
    peak_ticks: int = 0
    fired_us: int = 0
    fired_ticks: int = 0

    @property
    def trailing(self) -> bool:
        """Whether the price in force follows the market."""
        return self.shape == "trailing-stop"

    @property
    def limit_ticks(self) -> int:
        """Limit of the order that it becomes now, 0 for a market order."""
        return self.limit.ticks(self.ticks) if self.limit is not None else 0

    def start(self, side: int, last_ticks: int) -> None:
        """Begin to watch at this last price."""
        self.peak_ticks = last_ticks if self.trailing else 0
        self.place(side, last_ticks)

    def place(self, side: int, last_ticks: int) -> None:
        """Work out the price in force from the peak, or from the last price if it is relative."""
        if self.trailing:
            away = abs(self.price.distance(self.peak_ticks))
            self.ticks = max(1, self.peak_ticks - away if side == 1 else self.peak_ticks + away)
        else:
            self.ticks = self.price.ticks(last_ticks)

    def move(self, side: int, last_ticks: int) -> bool:
        """The market traded here: follow it. True if the price in force is another one now."""
        if not self.trailing:
            return False
        better = last_ticks > self.peak_ticks if side == 1 else last_ticks < self.peak_ticks
        if not better:
            return False
        before, self.peak_ticks = self.ticks, last_ticks
        self.place(side, last_ticks)
        return self.ticks != before

    def reached(self, side: int, last_ticks: int) -> bool:
        """Whether a trade at this price makes the order active."""
        falling = (side == 1) == (self.shape != "take-profit")
        return last_ticks <= self.ticks if falling else last_ticks >= self.ticks

    def json(self, text: ListingText, stamp_of: Any) -> str:
        """The ``triggers`` object of a report; ``stamp_of`` makes a time out of microseconds."""
        peak = f'"peak_price":{text.price(self.peak_ticks)},' if self.trailing else ""
        fired = (f'"last_price":{text.price(self.fired_ticks)},"status":"triggered",'
                 f'"timestamp":"{stamp_of(self.fired_us)}"' if self.fired_us
                 else '"status":"untriggered"')
        return (f'{{"reference":"last","price":{self.price.text(text)},'
                f'"price_type":"{self.price.kind}","actual_price":{text.price(self.ticks)},'
                f'{peak}{fired}}}')


@dataclass(slots=True)
class Close:
    """The template of the orders that each fill of an order adds on the other side."""

    order_type: str
    limit: Term | None = None
    trigger: Term | None = None

    def json(self, text: ListingText) -> str:
        """The ``contingent`` object of a report."""
        pieces = [f'"order_type":{quoted(self.order_type)}']
        for name, term in (("trigger_price", self.trigger), ("limit_price", self.limit)):
            if term is not None:
                pieces.append(f'"{name}":{term.text(text)},"{name}_type":"{term.kind}"')
        return "{" + ",".join(pieces) + "}"

    def trigger_of(self) -> Trigger | None:
        """The trigger of an order made from it, None if that order works at once."""
        if self.trigger is None:
            return None
        return Trigger(shape_of(self.order_type), Term(self.trigger.kind, self.trigger.amount),
                       self.limit)


def shape_of(order_type: str) -> str:
    """Kind of trigger of an order type, without the ``-limit``."""
    return order_type.removesuffix("-limit")


def restored_term(saved: Mapping[str, Any] | None) -> Term | None:
    """A Term from plain data."""
    return None if saved is None else Term(**saved)


def restored_trigger(saved: Mapping[str, Any] | None) -> Trigger | None:
    """A Trigger from plain data."""
    if saved is None:
        return None
    return Trigger(**{**saved, "price": Term(**saved["price"]),
                      "limit": restored_term(saved["limit"])})


def restored_close(saved: Mapping[str, Any] | None) -> Close | None:
    """A Close from plain data."""
    if saved is None:
        return None
    return Close(saved["order_type"], restored_term(saved["limit"]),
                 restored_term(saved["trigger"]))
