"""An order on its way: what the door knows of it, and its form on the venue's grid."""

from __future__ import annotations

import asyncio
import math

from hftbot.execution.market import Market
from hftbot.execution.orders import HFTExecution, HFTOrder
from hftbot.words.instrument import Instrument

NEARLY = 1e-6
NAMED = "HFT_"
SIDES, TYPES = ("buy", "sell"), ("limit", "market")


class Working(HFTOrder):
    """An order that the venue may still act on. One object: there may be many of them."""

    __slots__ = ("ack_ns", "began_ns", "execution", "lots", "market", "started_ns", "tick_lots",
                 "touch", "waiters")

    def __init__(self, execution: HFTExecution, order_type: str, price: float, quantity: float,
                 market: Market, started_ns: int) -> None:
        super().__init__(execution.order_id, execution.symbol, execution.side, order_type, price,
                         quantity, market.world.clock.now_us() / 1e6)
        self.execution = execution
        self.market = market
        self.started_ns = self.began_ns = started_ns
        self.lots = self.tick_lots = self.ack_ns = 0
        self.touch = 0.0
        self.waiters: tuple[asyncio.Future[bool], ...] = ()

    @property
    def accepted_ns(self) -> int:
        """When the venue's first word came, on the market's clock."""
        return self.ack_ns or self.started_ns + (self.latency_ns or 0)


def order_name(client_id: int) -> str:
    """An order's id at the door: the name under which the venue knows it, and who gave it."""
    return f"{NAMED}{client_id}"


def client_id_of(order_id: str) -> int:
    """The venue's name in an order id of ours."""
    return int(order_id.removeprefix(NAMED))


def seconds(timeout_s: float) -> float:
    """A time to wait. Raises ValueError for one that cannot be."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s={timeout_s!r}: give seconds above 0")
    return timeout_s


def check_order(side: str, order_type: str, price: float | None, quantity: float) -> None:
    """Raises ValueError for an order that cannot be, naming the value."""
    if side not in SIDES:
        raise ValueError(f"side={side!r}: give 'buy' or 'sell'")
    if order_type not in TYPES:
        raise ValueError(f"order_type={order_type!r}: give 'limit' or 'market'")
    if not (math.isfinite(quantity) and quantity > 0):
        raise ValueError(f"quantity={quantity!r}: give a number above 0, in base units")
    if order_type == "limit" and (price is None or not (math.isfinite(price) and price > 0)):
        raise ValueError(f"price={price!r}: a limit order needs a number above 0, in quote units")


def on_grid(order: HFTOrder, grid: Instrument) -> tuple[int, int]:
    """Ticks and lots, never at a worse price or for more than was asked."""
    exact = order.price / grid.tick_size
    ticks = round(exact)
    if abs(exact - ticks) > NEARLY:
        ticks = math.floor(exact) if order.side == "buy" else math.ceil(exact)
    exact = order.quantity / grid.lot_size
    lots = round(exact)
    return ticks, lots if abs(exact - lots) <= NEARLY else math.floor(exact)
