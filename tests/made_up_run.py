"""A backtest result made up by a seed: a maker on a random walk. Not a market, only its shape."""

from __future__ import annotations

import math
import random

from hftbot.backtest.result import (
    CANCELED,
    EXPIRED,
    FILLED,
    LINEAR,
    REJECTED,
    Assumptions,
    BacktestResult,
    Samples,
    SimAsset,
    SimFill,
)

BEGIN_NS = 1_723_075_200_000_000_000
STEP_NS = 100_000_000


def assumptions(name: str = "calibrated", in_core: bool = False) -> Assumptions:
    return Assumptions(name=name, queue="power-prob, power 3", exchange="no partial fills",
                       order_latency="5 ms there, 5 ms back", fees="maker -0.005 %, taker 0.07 %",
                       in_core=in_core, seed=7, notes=("the book is not ours",))


def asset(symbol: str = "BTC/USDT", contract: str = LINEAR) -> SimAsset:
    base, quote = symbol.split("/")
    return SimAsset(symbol=symbol, base=base, quote=quote, tick_size=0.1, lot_size=0.001,
                    contract=contract, data=(f"{base.lower()}.npz",), rows=491_973,
                    first_ns=BEGIN_NS, last_ns=BEGIN_NS + 345_000_000_000)


class MadeUpRun:
    """Steps of 100 ms; in each the mid walks, an order may leave, fill, or be taken back."""

    def __init__(self, seed: int, steps: int, *, name: str = "calibrated", luck: float = 0.3,
                 in_core: bool = False, contract: str = LINEAR) -> None:
        self.rng = random.Random(seed)
        self.luck = luck
        self.result = BacktestResult(
            strategy="made-up maker", assets=(asset(contract=contract),),
            assumptions=assumptions(name, in_core), settings={"ORDER_LOTS": 10},
            samples=Samples(1, STEP_NS), begin_ns=BEGIN_NS, end_ns=BEGIN_NS + steps * STEP_NS,
            wakes=steps, cpu_s=0.25, wall_s=0.3)
        self.mid_ticks = 600_000.0
        self.position = self.order_id = 0
        self.balance = self.fee = self.value = 0.0
        for _ in range(100):
            self.result.feed_latency.record(self.rng.randrange(500_000, 3_000_000))
        for step in range(steps):
            self.step(BEGIN_NS + step * STEP_NS)
        self.sample(BEGIN_NS + steps * STEP_NS)

    def step(self, now_ns: int) -> None:
        rng = self.rng
        self.mid_ticks += rng.gauss(0, 4)
        if now_ns >= self.result.samples.rows.due_ns:
            self.sample(now_ns)
        for side in (0, 1):
            if rng.random() < 0.5 and (self.position < 200 if side == 0 else self.position > -200):
                self.trade(side, now_ns)

    def trade(self, side: int, now_ns: int) -> None:
        """One order from sending to its end, all within the step."""
        rng, orders = self.rng, self.result.orders
        self.order_id += 1
        key = (0, self.order_id)
        chance = rng.random()
        orders.sent(*key, 10, now_ns, int(-100 * math.log(1 - chance)), rng.randrange(3))
        acked_ns = now_ns + rng.randrange(4_000_000, 6_000_000)
        orders.answered(*key, acked_ns, acked_ns + 5_000_000)
        if rng.random() < 0.02:
            orders.ended(*key, REJECTED if rng.random() < 0.2 else EXPIRED)
        elif rng.random() < self.luck * 2 * (1 - chance):
            wait_ns = int(rng.expovariate(1 / 20e6))
            self.fill(side, acked_ns + min(wait_ns, STEP_NS // 2))
            orders.ended(*key, FILLED)
        else:
            orders.asked(*key, now_ns + 10_000_000)
            orders.answered(*key, now_ns + 15_000_000, now_ns + 20_000_000)
            orders.ended(*key, CANCELED)

    def fill(self, side: int, exch_ns: int) -> None:
        asset_ = self.result.assets[0]
        ticks = int(self.mid_ticks) + (-3 if side == 0 else 4)
        maker = self.rng.random() < 0.95
        amount = asset_.amount(ticks, 10)
        fee = amount * (-0.00005 if maker else 0.0007)
        self.result.add_fill(SimFill(0, self.order_id, side, ticks, 10, maker, fee, exch_ns,
                                     exch_ns + 5_000_000))
        self.position += 10 if side == 0 else -10
        self.balance -= amount if side == 0 else -amount
        self.fee += fee
        self.value += amount
        self.mid_ticks += -0.8 if side == 0 else 0.8

    def sample(self, now_ns: int) -> None:
        self.result.samples.add(now_ns, [(self.mid_ticks * 0.1, self.position, self.balance,
                                          self.fee, self.value)])


def three(seed: int = 1, steps: int = 3450, in_core: bool = False) -> list[BacktestResult]:
    """Results of the three fill models."""
    return [MadeUpRun(seed, steps, name=name, luck=luck, in_core=in_core).result
            for name, luck in (("optimistic", 0.45), ("calibrated", 0.35), ("pessimistic", 0.25))]
