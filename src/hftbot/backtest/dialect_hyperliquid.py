"""Hyperliquid's WebSocket: l2Book (a whole book each time) and trades."""

from __future__ import annotations

from collections import deque
from typing import Any

from hftbot.backtest.capture_lines import milliseconds_ns
from hftbot.backtest.dialect import Dialect, LevelBook

CHANNELS = frozenset({"l2Book", "trades", "bbo", "allMids", "candle", "subscriptionResponse",
                      "pong", "error", "post", "activeAssetCtx"})
TRADES_KNOWN = 10_000


class HyperliquidDialect(Dialect):
    """A book becomes the difference from the one before; what it shows no more is gone.

    Every subscription repeats the last trades: those known, and those older than the first book,
    are left out.
    """

    name = "hyperliquid capture"

    def __init__(self, symbol: str | None, keep: Any) -> None:
        super().__init__(symbol, keep)
        self.book = LevelBook()
        self.begin_ns = 0
        self._known: set[object] = set()
        self._order: deque[object] = deque()

    @staticmethod
    def knows(message: object) -> bool:
        """True if the message is Hyperliquid's."""
        return isinstance(message, dict) and message.get("channel") in CHANNELS

    def take(self, message: Any) -> None:
        """See Dialect.take."""
        if not self.knows(message):
            raise ValueError(f"is no message of Hyperliquid's WebSocket: {str(message)[:60]!r}")
        channel = message["channel"]
        if channel == "l2Book":
            data = message["data"]
            if self.mine(data["coin"]):
                exch_ns = milliseconds_ns(data["time"])
                self.begin_ns = self.begin_ns or exch_ns
                bids, asks = ([(self.prices.steps(level["px"]), self.sizes.steps(level["sz"]))
                               for level in side] for side in data["levels"])
                self.keep(exch_ns, self.book.replaced(bids, asks))
        elif channel == "trades":
            for row in message["data"]:
                if self.mine(row["coin"]):
                    self._trade(row)
        else:
            self.skipped += 1

    def _trade(self, row: dict[str, Any]) -> None:
        exch_ns = milliseconds_ns(row["time"])
        key = (row["tid"], row["time"])
        if not self.begin_ns or exch_ns < self.begin_ns or key in self._known:
            self.skipped += 1
            return
        self._known.add(key)
        self._order.append(key)
        if len(self._order) > TRADES_KNOWN:
            self._known.discard(self._order.popleft())
        if row["side"] not in ("A", "B"):
            raise ValueError(f"side {str(row['side'])[:20]!r} is neither A nor B")
        self.trade(exch_ns, int(row["side"] == "A"), row["px"], row["sz"])
