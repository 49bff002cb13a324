"""The golden grid as a plain Python strategy on a Replay: what a user would write, without tricks.

It keeps its own orders by what the responses say, and thinks again only if the touch, its position
or one of its orders changed.
"""

from __future__ import annotations

import math
from typing import Any

from fastcore.sim.replay_codes import (
    CANCELED,
    EXPIRED,
    FILLED,
    GTX,
    NO_ASK,
    NO_BID,
    REFUSED,
)

SENT, LIVE, LEAVING = 0, 1, 2
ENDED = (EXPIRED, FILLED, CANCELED)


class PythonGrid:
    """``parameters`` are those of the golden files; sizes in lots of 0.001."""

    def __init__(self, replay: Any, parameters: dict[str, Any]) -> None:
        self.replay = replay
        self.interval_ns: int = parameters["interval"]
        self.half_spread: float = parameters["half_spread_tick"]
        self.step: int = parameters["grid_step_tick"]
        self.levels: int = parameters["grid_num"]
        self.skew: float = parameters["skew_tick"]
        self.lots = round(parameters["order_qty"] * 1000)
        self.position_max: float = parameters["max_pos"]
        self.orders: dict[int, int] = {}
        self.fills = 0

    def run(self) -> int:
        """Trade to the end; returns the fills that were seen."""
        replay, elapse, interval_ns = self.replay, self.replay.elapse, self.interval_ns
        best, responses = replay.best, replay.responses
        bid = ask = 0
        while elapse(interval_ns) == 0:
            told = responses()
            if told:
                self.hear(told)
            now_bid, now_ask = best(0, 0), best(0, 1)
            if told or now_bid != bid or now_ask != ask:
                bid, ask = now_bid, now_ask
                if bid != NO_BID and ask != NO_ASK:
                    self.quote(bid, ask)
        return self.fills

    def hear(self, told: list[tuple[int, ...]]) -> None:
        """Take in what the exchange answered."""
        orders = self.orders
        gone = False
        for row in told:
            order_id, request, status = row[1], row[2], row[3]
            if request == REFUSED:
                if orders.get(order_id) == LEAVING:
                    orders[order_id] = LIVE
            elif status in ENDED:
                orders.pop(order_id, None)
                self.fills += status == FILLED
                gone = True
            else:
                orders[order_id] = LIVE
        if gone:
            self.replay.drop_inactive(0)

    def quote(self, bid: int, ask: int) -> None:
        """Cancel what is not wanted any more, then send what is missing."""
        position = self.replay.position_quantity(0)
        centre = (bid + ask) / 2.0 - self.skew * (position / self.position_max)
        step, reach = self.step, self.levels * self.step
        highest_bid = min(math.floor((centre - self.half_spread) / step) * step, bid)
        lowest_ask = max(math.ceil((centre + self.half_spread) / step) * step, ask)
        wanted: list[int] = []
        if position < self.position_max:
            wanted += range(2 * highest_bid, 2 * (highest_bid - reach), -2 * step)
        if position > -self.position_max:
            wanted += range(2 * lowest_ask + 1, 2 * (lowest_ask + reach) + 1, 2 * step)
        orders, replay = self.orders, self.replay
        kept = set(wanted)
        for order_id, state in orders.items():
            if state == LIVE and order_id not in kept:
                replay.cancel(0, order_id)
                orders[order_id] = LEAVING
        for order_id in wanted:
            if order_id not in orders:
                replay.submit(0, order_id, order_id & 1, order_id >> 1, self.lots, GTX)
                orders[order_id] = SENT
