"""Binance's combined streams (depth, trade) with a REST snapshot among them."""

from __future__ import annotations

from typing import Any

from hftbot.backtest.depth_chain import DepthChain, is_message
from hftbot.backtest.dialect import Dialect
from hftbot.backtest.event_file import CLEAR


class BinanceDialect(Dialect):
    """Futures and spot; a capture that continues another one needs no snapshot of its own."""

    name = "binance capture"

    def __init__(self, symbol: str | None, keep: Any) -> None:
        super().__init__(symbol, keep)
        self.chain = DepthChain(self, self.prices, self.sizes, self._push)

    @staticmethod
    def knows(message: object) -> bool:
        """True if the message is Binance's."""
        return is_message(message)

    def take(self, message: Any) -> None:
        """See Dialect.take."""
        if not is_message(message):
            raise ValueError(f"is no Binance combined-stream message: {str(message)[:60]!r}")
        data = message.get("data")
        market = None
        if data is not None and data.get("e") in ("depthUpdate", "trade"):
            market = data["s"]
        elif "lastUpdateId" in message:
            market = message.get("symbol")
        if market is None or self.mine(market):
            self.chain.take(message)

    def _push(self, exch_ns: int, rows: list[Any]) -> None:
        nothing = float("nan")
        self.keep(exch_ns, [(kind, side, nothing if kind == CLEAR else price, size)
                            for _, kind, side, price, size in rows])
