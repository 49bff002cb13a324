"""Fills to round trips: first in, first out, for each strategy and symbol by itself.

A sale on a spot venue of more than its strategy bought is one of what another one left: the next
run takes positions over, whatever strategy it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from hftbot.words.order import OPERATOR_NAME

SIZE_UNIT = 10**10


@dataclass(frozen=True, slots=True)
class TradedFill:
    """One fill as bot_hft.db has it. Size in base units, price and fee in quote units.

    ``spot``: on its venue nothing can be sold that was not bought. ``account`` counts how many
    accounts of the state directory were archived before it.
    """

    ts_us: int
    strategy: str
    symbol: str
    buy: bool
    size: float
    price: float
    fee: float
    order: str
    intent: str = ""
    maker: bool | None = None
    spot: bool = False
    account: int = 0


@dataclass(slots=True)
class RoundTrip:
    """What one order opened and another one closed. Money in quote units, ``net`` of both fees.

    An entry that leaves by two orders is two trips, and so is an exit that closes two entries.
    """

    strategy: str
    symbol: str
    long: bool
    entry_order: str
    exit_order: str
    entry_us: int
    exit_us: int
    intent: str
    size: float = 0.0
    cost: float = 0.0
    gross: float = 0.0
    fees: float = 0.0

    @property
    def net(self) -> float:
        """Profit after the fees of entry and exit."""
        return self.gross - self.fees

    @property
    def held_us(self) -> int:
        """From the first fill of the entry in it to the last one of the exit."""
        return self.exit_us - self.entry_us


@dataclass(slots=True)
class OpenRest:
    """What no later fill closed. Size in base units, signed."""

    strategy: str
    symbol: str
    size: float
    average_price: float
    since_us: int


@dataclass(slots=True)
class _Lot:
    fill: TradedFill
    units: int
    left: int


class Matcher:
    """Feed it fills in the order of time; ``trips`` grows, ``rest`` says what is still open.

    ``strange`` has by symbol the size that was sold on a spot venue without a buy that is known:
    what it cost is not known either, so it makes no trip.
    """

    def __init__(self) -> None:
        self.trips: list[RoundTrip] = []
        self.strange: dict[str, float] = {}
        self._open: dict[tuple[str, str], deque[_Lot]] = {}
        self._last: dict[tuple[str, str], RoundTrip] = {}
        self._account = 0

    def feed(self, fills: Iterable[TradedFill]) -> None:
        """Match each fill against what its strategy holds of that symbol, oldest first."""
        for fill in fills:
            self.begin(fill.account)
            units = round(fill.size * SIZE_UNIT)
            if units > 0:
                self._match(fill, units)

    def begin(self, account: int) -> None:
        """Nothing of what an earlier account held can be sold any more."""
        if account > self._account:
            self._account = account
            self._open.clear()

    def _match(self, fill: TradedFill, units: int) -> None:
        key = fill.strategy, fill.symbol
        left = units
        takes_over = fill.strategy == OPERATOR_NAME or (fill.spot and not fill.buy)
        for closed in (key, *(self._others(fill) if takes_over else ())):
            left = self._close_lots(closed, fill, left, units)
        lots = self._open.setdefault(key, deque())
        if left and fill.spot and not fill.buy:
            size = left / SIZE_UNIT
            self.strange[fill.symbol] = self.strange.get(fill.symbol, 0.0) + size
        elif left:
            lots.append(_Lot(fill, units, left))

    def _others(self, fill: TradedFill) -> list[tuple[str, str]]:
        """Whose lots it closes beside its own: anybody's of that symbol, the oldest first."""
        found = [key for key, lots in self._open.items()
                 if key[1] == fill.symbol and lots and lots[0].fill.buy != fill.buy]
        return sorted(found, key=lambda key: self._open[key][0].fill.ts_us)

    def _close_lots(self, key: tuple[str, str], fill: TradedFill, left: int, units: int) -> int:
        """Close what the fill can; how many units of it are left."""
        lots = self._open.setdefault(key, deque())
        while left and lots and lots[0].fill.buy != fill.buy:
            lot = lots[0]
            taken = min(left, lot.left)
            self._close(key, lot, fill, taken, units)
            lot.left -= taken
            left -= taken
            if not lot.left:
                lots.popleft()
        return left

    def _close(self, key: tuple[str, str], lot: _Lot, fill: TradedFill, taken: int,
               units: int) -> None:
        entry = lot.fill
        trip = self._last.get(key)
        if trip is None or (trip.entry_order, trip.exit_order) != (entry.order, fill.order):
            trip = RoundTrip(entry.strategy, fill.symbol, entry.buy, entry.order, fill.order,
                             entry.ts_us, fill.ts_us, fill.intent)
            self._last[key] = trip
            self.trips.append(trip)
        size = taken / SIZE_UNIT
        trip.exit_us = fill.ts_us
        trip.size += size
        trip.cost += size * entry.price
        trip.gross += size * (fill.price - entry.price) * (1 if entry.buy else -1)
        trip.fees += entry.fee * taken / lot.units + fill.fee * taken / units

    def rest(self) -> list[OpenRest]:
        """What is held by these fills, by strategy and symbol."""
        found = []
        for (strategy, symbol), lots in self._open.items():
            left = sum(lot.left for lot in lots)
            if left:
                worth = sum(lot.left * lot.fill.price for lot in lots)
                sign = 1 if lots[0].fill.buy else -1
                found.append(OpenRest(strategy, symbol, sign * left / SIZE_UNIT, worth / left,
                                      lots[0].fill.ts_us))
        return found
