"""Polymarket's market channel: book, price_change, last_trade_price; one outcome token each."""

from __future__ import annotations

from typing import Any

from hftbot.backtest.capture_lines import milliseconds_ns
from hftbot.backtest.dialect import Dialect, LevelBook

_SIDES = {"BUY": 0, "SELL": 1}


class PolymarketDialect(Dialect):
    """The market is the token's ``asset_id``; both tokens of a market come on one connection.

    The venue numbers nothing: a gap is counted where the best prices that it tells differ from
    those of the book that its messages give.
    """

    name = "polymarket capture"

    def __init__(self, symbol: str | None, keep: Any) -> None:
        super().__init__(symbol, keep)
        self.book = LevelBook()

    @staticmethod
    def knows(message: object) -> bool:
        """True if the message is Polymarket's."""
        if isinstance(message, list):
            return all(isinstance(each, dict) and "event_type" in each for each in message)
        return isinstance(message, dict) and "event_type" in message

    def take(self, message: Any) -> None:
        """See Dialect.take."""
        if not self.knows(message):
            raise ValueError(f"is no message of Polymarket's market channel: {str(message)[:60]!r}")
        for event in message if isinstance(message, list) else [message]:
            kind = event["event_type"]
            if kind == "book":
                if self.mine(event["asset_id"]):
                    bids, asks = (self._levels(event[name]) for name in _names(event))
                    self.keep(milliseconds_ns(event["timestamp"]), self.book.replaced(bids, asks))
            elif kind == "price_change":
                self._changes(event)
            elif kind == "last_trade_price":
                if self.mine(event["asset_id"]) and self.book.known:
                    self.trade(milliseconds_ns(event["timestamp"]), _SIDES[event["side"]],
                               event["price"], event["size"])
            else:
                self.skipped += 1

    def _levels(self, levels: list[dict[str, Any]]) -> list[tuple[float, float]]:
        return [(self.prices.steps(level["price"]), self.sizes.steps(level["size"]))
                for level in levels]

    def _changes(self, event: dict[str, Any]) -> None:
        """Both shapes: a list of changes since September 2025, before that one market's."""
        changes = event.get("price_changes", event.get("changes", [event]))
        rows, last = [], None
        for change in changes:
            if self.mine(change.get("asset_id", event.get("asset_id"))) and self.book.known:
                side = _SIDES[change["side"]]
                rows.append(self.book.put(side, self.prices.steps(change["price"]),
                                          self.sizes.steps(change["size"])))
                last = change
        if rows:
            self.keep(milliseconds_ns(event["timestamp"]), rows)
        if last is not None and "best_bid" in last:
            self._compare(last)

    def _compare(self, change: dict[str, Any]) -> None:
        told = [self.prices.steps(change[name]) for name in ("best_bid", "best_ask")]
        ours = [self.book.best(0) or 0.0, self.book.best(1) or 1.0]
        self.checked += 1
        if [told[0], told[1] or 1.0] != ours:
            self.gaps += 1
            self.unequal += 1


def _names(event: dict[str, Any]) -> tuple[str, str]:
    """Recordings before 2025 call the sides buys and sells."""
    return ("bids", "asks") if "bids" in event else ("buys", "sells")
