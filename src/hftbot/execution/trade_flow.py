"""How much traded against each side of a market, so that a queue model knows what to expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hftbot.execution.market import Market
from hftbot.execution.orders import HFTOrder
from hftbot.words.market import Trade

SEEN_NS_MIN = 1_000_000_000


class TradeFlow:
    """Volume by market and taker's side since the first trade that was seen, base units."""

    def __init__(self) -> None:
        self._since_ns: dict[int, int] = {}
        self._last_ns: dict[int, int] = {}
        self._volume: dict[tuple[int, int], float] = {}

    def add(self, market: Market, trade: Trade, now_ns: int) -> None:
        """Somebody traded."""
        key = id(market)
        self._since_ns.setdefault(key, now_ns)
        self._last_ns[key] = now_ns
        taken = key, trade.side
        self._volume[taken] = self._volume.get(taken, 0.0) + market.grid.qty(trade.lots)

    def expected(self, market: Market, order: HFTOrder, order_book: Mapping[str, Any],
                 rests_s: float) -> float | None:
        """The quantity to trade at the order's price within ``rests_s``; None if not known yet.

        Takers come to the best price first: behind ``n`` better levels it is one part in n + 1.
        """
        key = id(market)
        seen_ns = self._last_ns.get(key, 0) - self._since_ns.get(key, 0)
        if seen_ns < SEEN_NS_MIN:
            return None
        buys = order.side == "buy"
        volume = self._volume.get((key, 1 if buys else 0), 0.0)
        better: int = sum(level[0] > order.price if buys else level[0] < order.price
                     for level in order_book.get("bids" if buys else "asks", ()))
        rate = volume / (seen_ns / 1e9)
        return rate * rests_s / (better + 1)
