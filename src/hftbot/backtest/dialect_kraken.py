"""Kraken's WebSocket v2: book and trade, with checksums where the instrument channel is there."""

from __future__ import annotations

import calendar
import zlib
from decimal import Decimal, InvalidOperation
from heapq import nlargest, nsmallest
from typing import Any

from hftbot.backtest.capture_lines import NS_MAX
from hftbot.backtest.dialect import Dialect, LevelBook

DEPTHS = (10, 25, 100, 500, 1000)
CHECKED_LEVELS = 10
PLACES_MAX = 18
CHANNELS = frozenset({"book", "trade", "instrument", "status", "heartbeat", "ticker", "ohlc",
                      "level3", "executions", "balances"})
SECONDS_MAX = NS_MAX // 1_000_000_000
_STAMPS_MAX = 1_000


class KrakenDialect(Dialect):
    """The book is cut at the depth that was subscribed, as Kraken's rules ask of the client."""

    name = "kraken v2 capture"

    def __init__(self, symbol: str | None, keep: Any) -> None:
        super().__init__(symbol, keep)
        self.book = LevelBook()
        self.depth = 0
        self._digits: tuple[dict[float, str], dict[float, str]] = ({}, {})
        self._places: tuple[int, int] | None = None
        self._listed: dict[str, Any] = {}
        self._seconds: dict[str, int] = {}
        self._unstamped: list[tuple[int, int, float, float]] = []
        self._trade_id = 0

    @staticmethod
    def knows(message: object) -> bool:
        """True if the message is Kraken's."""
        return isinstance(message, dict) and (message.get("channel") in CHANNELS
                                              or ("method" in message and "success" in message))

    def take(self, message: Any) -> None:
        """See Dialect.take."""
        if not self.knows(message):
            raise ValueError(f"is no message of Kraken's WebSocket v2: {str(message)[:60]!r}")
        channel = message.get("channel")
        if channel == "book":
            for row in message["data"]:
                if self.mine(row["symbol"]):
                    self._book(row, message["type"] == "snapshot")
        elif channel == "trade":
            if message["type"] == "update":
                for row in message["data"]:
                    if self.mine(row["symbol"]):
                        self._trade(row)
        elif channel == "instrument":
            for pair in message["data"].get("pairs", ()):
                self._listed[str(pair["symbol"])] = pair
        elif message.get("method") == "subscribe" and message.get("success") is True:
            result = message.get("result", {})
            if result.get("channel") == "book" and self.wanted in (None, result.get("symbol")):
                self.depth = int(result.get("depth", self.depth))
        else:
            self.skipped += 1

    def _book(self, row: dict[str, Any], snapshot: bool) -> None:
        if self._places is None and self.symbol in self._listed:
            self._instrument(self._listed[self.symbol])
        sides = [[(self.prices.steps(level["price"]), self.sizes.steps(level["qty"]), level)
                  for level in row[name]] for name in ("bids", "asks")]
        if snapshot:
            if not self.depth:
                self.depth = min((depth for depth in DEPTHS if depth >= max(map(len, sides))),
                                 default=DEPTHS[-1])
            for digits in self._digits:
                digits.clear()
            rows = self.book.replaced(*([level[:2] for level in side] for side in sides))
        elif not self.book.known:
            self.skipped += 1
            return
        else:
            rows = [self.book.put(side, price, size) for side, levels in enumerate(sides)
                    for price, size, _ in levels]
            rows += self.book.cut(self.depth)
        if self._places is not None:
            for side, levels in enumerate(sides):
                for price, _, level in levels:
                    self._digits[side][price] = self._text(level)
            if "checksum" in row:
                self._compare(int(row["checksum"]))
        self._stamped(row.get("timestamp"), rows)

    def _stamped(self, stamp: object, rows: list[tuple[int, int, float, float]]) -> None:
        """A book without a time of its own takes that of the next one."""
        if not isinstance(stamp, str):
            self._unstamped += rows
            return
        rows, self._unstamped = self._unstamped + rows, []
        self.keep(self.stamp_ns(stamp), rows)

    def _trade(self, row: dict[str, Any]) -> None:
        number = int(row.get("trade_id", 0))
        if 0 < self._trade_id < number - 1:
            self.gaps += 1
        if not number or number > self._trade_id:
            self._trade_id = number
            if row["side"] not in ("buy", "sell"):
                raise ValueError(f"side {str(row['side'])[:20]!r} is neither buy nor sell")
            self.trade(self.stamp_ns(row["timestamp"]), int(row["side"] == "sell"), row["price"],
                       row["qty"])

    def _instrument(self, pair: dict[str, Any]) -> None:
        places = int(pair["price_precision"]), int(pair["qty_precision"])
        if not all(0 <= each <= PLACES_MAX for each in places):
            raise ValueError(f"precisions {str(places)[:60]} are out of range")
        self._places = places
        tick = pair.get("price_increment")
        self.tick_text = str(pair["tick_size"] if tick is None else tick)
        self.lot_text = str(pair["qty_increment"])

    def _text(self, level: dict[str, Any]) -> str:
        assert self._places is not None
        return _digits(level["price"], self._places[0]) + _digits(level["qty"], self._places[1])

    def _compare(self, told: int) -> None:
        """The best ten asks, then bids, as CRC-32 of their digits."""
        bids, asks = self.book.sides
        best = [self._digits[1][price] for price in nsmallest(CHECKED_LEVELS, asks)]
        best += [self._digits[0][price] for price in nlargest(CHECKED_LEVELS, bids)]
        self.checked += 1
        if zlib.crc32("".join(best).encode()) != told:
            self.unequal += 1

    def stamp_ns(self, stamp: str) -> int:
        """RFC 3339 in UTC as nanoseconds. Raises ValueError."""
        second = self._seconds.get(stamp[:19])
        if second is None:
            if len(self._seconds) >= _STAMPS_MAX:
                self._seconds.clear()
            try:
                fields = [int(stamp[begin:end]) for begin, end in
                          ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
                second = calendar.timegm((*fields, 0, 0, 0))
            except (ValueError, OverflowError):
                raise ValueError(f"{stamp[:40]!r} is not a time") from None
            self._seconds[stamp[:19]] = second
        fraction = stamp[20:-1]
        if stamp[-1:] != "Z" or stamp[19:20] not in ("", ".", "Z") or (
                fraction and not (fraction.isascii() and fraction.isdigit())):
            raise ValueError(f"{stamp[:40]!r} is not a time in UTC")
        if not 0 < second < SECONDS_MAX:
            raise ValueError(f"{stamp[:40]!r} is not a time of this age")
        return second * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


def _digits(number: object, places: int) -> str:
    """The digits of a number with so many places, without point and leading zeros."""
    text = str(number)
    whole, _, fraction = text.partition(".")
    if len(fraction) > places or not (whole + fraction).isdigit():
        try:
            whole, fraction = str(int(Decimal(text).scaleb(places))), ""
        except (InvalidOperation, ValueError, OverflowError):
            raise ValueError(f"{text[:40]!r} is not a number") from None
        return whole.lstrip("0")
    return (whole + fraction.ljust(places, "0")).lstrip("0")
