"""A wire that loses, repeats and spoils frames between the bot and the exchange of a Ring."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import Ring, run_ring

LOTS = 100_000
Frames = Callable[[bytes], list[bytes]]
# A breaker that opens would leave little to tamper with.
GENEROUS = {"same_order_window_us": 0, "max_orders_per_min": 6000, "breaker_failures": 0,
            "kraken_tier": "off"}


class Tamper:
    """Sits between both ends of every connection, once installed by a script.

    ``inbound`` and ``outbound`` say what becomes of a private frame; ``market`` of a public one.
    """

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.inbound: Frames = lambda frame: [frame]
        self.outbound: Frames = lambda frame: [frame]
        self.market: Frames = lambda frame: [frame]
        self.sent: list[dict[str, Any]] = []
        self._known: list[Any] = []
        self._turn = ring.venue._turn
        ring.venue._turn = self.turn

    def turn(self) -> None:
        for wire in self.ring.venue.wires:
            if wire not in self._known:
                self._known.append(wire)
                self._wrap(wire)
        self._turn()

    def _wrap(self, wire: Any) -> None:
        deliver, leave = wire.on_frame, wire.connection.on_text
        private = wire.connection.kind == "private"

        def on_frame(view: memoryview, padding: int, recv_ns: int) -> None:
            for frame in (self.inbound if private else self.market)(bytes(view)):
                deliver(memoryview(frame), 0, recv_ns)

        def on_text(text: str) -> None:
            if private:
                self.sent.append(json.loads(text))
            for frame in self.outbound(text.encode()) if private else [text.encode()]:
                leave(frame.decode())
        wire.on_frame, wire.connection.on_text = on_frame, on_text

    def adds(self) -> list[dict[str, Any]]:
        """add_order requests that left, lost ones included."""
        return [m["params"] for m in self.sent if m["method"] == "add_order"]

    def cut(self, kind: str) -> None:
        """Both directions end at once."""
        for wire in tuple(self.ring.venue.wires):
            if wire.connection.kind == kind:
                wire.close("cut", abort=True)


class Once(Strategy):
    """Wants one order in its life; remembers what it is told."""

    name = "once"

    def __init__(self, below: int = -5, tif: int = Tif.IOC, lots: int = LOTS,
                 after_s: float = 0.0) -> None:
        self.below, self.tif, self.lots, self.after_s = below, tif, lots, after_s
        self.client_id = 0
        self.start_us = 0
        self.events: list[Any] = []
        self.fills: list[Any] = []

    def on_book(self, book: Any) -> None:
        self.start_us = self.start_us or self.desk.now_us()
        if not self.client_id and self.desk.now_us() - self.start_us >= self.after_s * 1e6:
            self.client_id = self.desk.place(0, Side.BUY, book.best_ask() - self.below - 1,
                                             self.lots, self.tif)

    def on_order(self, event: Any) -> None:
        self.events.append(event)

    def on_fill(self, fill: Any) -> None:
        self.fills.append(fill)

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


class Trader(Strategy):
    """Buys and sells in turn as fast as it is answered; one order at a time."""

    name = "trader"

    def __init__(self, lots: int = LOTS, gap_us: int = 50_000) -> None:
        self.lots, self.gap_us = lots, gap_us
        self.at_us = 0

    def on_book(self, book: Any) -> None:
        if self.desk.open_orders() or self.desk.now_us() - self.at_us < self.gap_us:
            return
        held = self.desk.position_lots(0)
        side = Side.SELL if held >= self.lots else Side.BUY
        ticks = book.best_bid() - 5 if side else book.best_ask() + 5
        if self.desk.place(0, side, ticks, held if side else self.lots, Tif.IOC) > 0:
            self.at_us = self.desk.now_us()


class Quoter(Strategy):
    """Places, amends and cancels at random, a few orders at a time."""

    name = "quoter"

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def on_book(self, book: Any) -> None:
        chance = self.chance
        if chance.random() > 0.15:
            return
        mine, act = self.desk.open_orders(), chance.random()
        if len(mine) < 4 and act < 0.5:
            side = chance.randrange(2) if self.desk.position_lots(0) >= 50_000 else 0
            touch = book.best_ask() if side else book.best_bid()
            self.desk.place(0, side, touch + (1 - 2 * side) * chance.randrange(-20, 3),
                            chance.randrange(10_000, 60_000), chance.choice([0, 0, 1, 2]))
        elif mine and act < 0.8:
            order = chance.choice(mine)
            self.desk.amend(order.client_id, order.ticks + chance.randrange(-10, 11),
                            max(10_000, order.lots + chance.randrange(-10_000, 10_000)))
        elif mine:
            self.desk.cancel(chance.choice(mine).client_id)


def storm(ring: Ring, tamper: Tamper, seed: int, until_s: float) -> None:
    """Lose and repeat private frames and cut the link at random, for a while."""
    chance = random.Random(seed)
    lost_in, lost_out = chance.choice([0, 0.01, 0.05]), chance.choice([0, 0.02, 0.1])
    cut, twice = chance.choice([0, 0.02, 0.05]), chance.choice([0, 0.1])

    def on(share: float) -> bool:
        return (ring.world.engine.trading and ring.venue.loop.time() < until_s
                and chance.random() < share)

    def inbound(frame: bytes) -> list[bytes]:
        return [] if on(lost_in) else [frame] * (1 + on(twice))

    def outbound(frame: bytes) -> list[bytes]:
        if on(cut):
            ring.venue.loop.call_later(chance.random() * 0.01, tamper.cut, "private")
        return [] if method(frame) != "subscribe" and on(lost_out) else [frame]
    tamper.inbound, tamper.outbound = inbound, outbound


def play(seconds: float, strategy: Strategy, plan: Callable[[Ring, Tamper], None],
         seed: int = 1, **told: Any) -> tuple[Ring, Tamper]:
    """One run with a tampered wire."""
    kept: list[Tamper] = []

    def script(ring: Ring) -> None:
        kept.append(Tamper(ring))
        plan(ring, kept[0])

    told["bot"] = {**GENEROUS, **told.pop("bot", {})}
    return run_ring(seed, seconds, strategy=strategy, script=script, **told), kept[0]


def wrong(ring: Ring, tamper: Tamper, opened: int = 0) -> list[str]:
    """What does not agree between us and the venue after a run; empty if all does."""
    found = []
    account, grid = ring.venue.face.account, ring.world.instruments[0]
    position = ring.world.ledger.positions[0]
    if position.lots * 100 != account.balances["BTC"]:
        found.append(f"position {position.lots} but the venue has {account.balances['BTC']} e-10")
    cash = 10_000 * 10**10 + position.cash * 10**10 // 10**grid.value_exponent
    if opened == 0 and cash - ring.world.ledger.fees_e10 != account.balances["USD"]:
        found.append(f"cash {cash} but the venue has {account.balances['USD']}")
    names = [add["cl_ord_id"] for add in tamper.adds()]
    if len(names) != len(set(names)):
        found.append("a ClientId was sent twice")
    fill_ids = [fill.fill_id for fill in ring.witness.fills]
    if len(fill_ids) != len(set(fill_ids)) or len(fill_ids) != ring.venue.face.desk.counts["fills"]:
        found.append(f"{len(fill_ids)} fills, the venue has {ring.venue.face.desk.counts['fills']}")
    if ring.venue.face.desk.orders or ring.session.open_at_exit != 0:
        found.append(f"open at the venue: {len(ring.venue.face.desk.orders)}, "
                     f"verified {ring.session.open_at_exit}")
    gate = ring.world.gates[0]
    held = (gate.exposure.open_lots(0), gate.exposure.open_lots(1), ring.world.account.open_orders)
    if held != (0, 0, 0):
        found.append(f"still held after all is done: {held}")
    ends = [client_id for client_id, _ in ring.witness.ends
            if client_id >> 32 & 0xFFFF == ring.world.table.run and client_id >> 48]
    if len(ends) != len(set(ends)) or len(ends) != ring.world.router.orders_sent:
        found.append(f"{ring.world.router.orders_sent} orders, {len(ends)} ends")
    return found


def method(frame: bytes) -> str:
    """What a frame answers, or its channel."""
    message = json.loads(frame)
    return str(message.get("method") or message.get("channel"))


def doubled(kind: bytes) -> Frames:
    """Deliver each executions report with ``kind`` twice, with a sequence that has no gap."""
    extra = [0]

    def renumbered(frame: bytes) -> bytes:
        return re.sub(rb'"sequence":(\d+)',
                      lambda m: b'"sequence":%d' % (int(m[1]) + extra[0]), frame)

    def inbound(frame: bytes) -> list[bytes]:
        if b'"channel":"executions"' not in frame:
            return [frame]
        if b'"type":"snapshot"' in frame:
            extra[0] = 0
        frames = [renumbered(frame)]
        if kind in frame and b'"type":"update"' in frame:
            extra[0] += 1
            frames.append(renumbered(frame))
        return frames
    return inbound


def deaf(ring: Ring, tamper: Tamper, until_s: float = 4.0) -> None:
    """Lose every answer and report of a while, once trading has begun."""
    end_ns = ring.venue.clock.mono_ns() + round(until_s * 1e9)

    def inbound(frame: bytes) -> list[bytes]:
        silent = ring.world.engine.trading and ring.venue.clock.mono_ns() < end_ns
        lost = silent and method(frame) in ("add_order", "cancel_order", "executions")
        return [] if lost else [frame]
    tamper.inbound = inbound
