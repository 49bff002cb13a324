"""Bot and exchange on virtual time, with a wire that loses, repeats and spoils frames."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from world.ring import Ring, run_ring

from hftbot.engine.engine import Engine
from hftbot.engine.guard import HALTED
from hftbot.engine.ledger import Ledger
from hftbot.exchange.requests import AddRequest
from hftbot.live.session import Session
from hftbot.words import events as ev
from hftbot.words.market import BookTrust, Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy

LOTS = 100_000
Frames = Callable[[bytes], list[bytes]]
GENEROUS = {"same_order_window_us": 0, "max_orders_per_min": 6000}


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
    ends = [client_id for client_id, _ in ring.witness.ends]
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


# --- the same thing more than once, or out of order ---------------------------------------------


def test_fault_every_fill_twice() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.inbound = doubled(b'"exec_type":"trade"')
    ring, tamper = play(10.0, Trader(), plan)
    assert wrong(ring, tamper) == []
    assert ring.world.ledger.duplicates == ring.world.ledger.fills > 20


def test_fault_snapshot_replays_fills_after_each_reconnect() -> None:
    """An order that stays open and fills in parts: each reconnect tells its old fills again."""
    class Resting(Once):
        def on_book(self, book: Any) -> None:
            for order in self.desk.open_orders():
                if order.open_lots and order.ticks < book.best_bid():
                    self.desk.amend(order.client_id, book.best_bid(), order.lots)
            super().on_book(book)

    def plan(ring: Ring, tamper: Tamper) -> None:
        for i in range(6):
            ring.venue.loop.call_later(3.0 + 4 * i, tamper.cut, "private")
    ring, tamper = play(30.0, Resting(11, Tif.GTC, 1_900_000), plan)
    assert wrong(ring, tamper) == []
    assert ring.notes.lines.count("trading link lost: cut") >= 5
    assert ring.world.ledger.duplicates > 0 < ring.world.ledger.fills


@pytest.mark.parametrize("seed", range(1, 7))
def test_fault_executions_lost_at_random(seed: int) -> None:
    """Gaps in the executions sequence: subscribed afresh, and no fill is missing after it."""
    chance = random.Random(seed)

    def plan(ring: Ring, tamper: Tamper) -> None:
        def inbound(frame: bytes) -> list[bytes]:
            lost = (b'"channel":"executions"' in frame and b'"type":"update"' in frame
                    and ring.world.engine.trading and chance.random() < 0.03)
            return [] if lost else [frame]
        tamper.inbound = inbound
    ring, tamper = play(25.0, Trader(), plan, seed)
    assert wrong(ring, tamper) == []
    assert ring.world.gateway.gaps > 0


def test_fault_stream_is_quiet_but_ends_are_lost() -> None:
    """The last report of an order is lost and nothing follows it: the list is asked for."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def inbound(frame: bytes) -> list[bytes]:
            over = b'"exec_type":"filled"' in frame or b'"exec_type":"trade"' in frame
            return [] if over and b'"type":"update"' in frame else [frame]
        tamper.inbound = inbound
    strategy = Once()
    ring, tamper = play(12.0, strategy, plan)
    assert wrong(ring, tamper) == []
    assert len(strategy.fills) == 1
    assert strategy.events[-1].state == OrderState.FILLED


# --- the answer is lost -------------------------------------------------------------------------


def deaf(ring: Ring, tamper: Tamper, until_s: float = 4.0) -> None:
    """Lose every answer and report of a while, once trading has begun."""
    end_ns = ring.venue.clock.mono_ns() + round(until_s * 1e9)

    def inbound(frame: bytes) -> list[bytes]:
        silent = ring.world.engine.trading and ring.venue.clock.mono_ns() < end_ns
        lost = silent and method(frame) in ("add_order", "cancel_order", "executions")
        return [] if lost else [frame]
    tamper.inbound = inbound


@pytest.mark.parametrize("tif", [Tif.IOC, Tif.GTC])
def test_fault_lost_ack_is_doubt_then_the_venue_is_asked(tif: Tif) -> None:
    """Exposure is kept, nothing is sent again, and the venue's list settles it."""
    strategy = Once(-5 if tif == Tif.IOC else 500, tif)
    held: list[tuple[int, int]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        deaf(ring, tamper)
        gate = ring.world.gates[0]
        for at_s in (1.0, 3.0, 5.4):
            ring.venue.loop.call_later(at_s, lambda: held.append(
                (gate.exposure.open_lots(0), ring.world.account.open_orders)))
    ring, tamper = play(12.0, strategy, plan)
    assert held == [(LOTS, 1)] * 3
    assert len(tamper.adds()) == 1
    assert strategy.kinds()[0] is ev.OrderDoubt
    assert strategy.kinds().count(ev.OrderDoubt) == 1
    assert wrong(ring, tamper) == []
    if tif == Tif.IOC:
        assert [fill.lots for fill in strategy.fills] == [LOTS]
    else:
        assert strategy.kinds()[1:] == [ev.OrderAcked, ev.OrderDone]


def test_fault_doubt_does_not_ask_for_ever() -> None:
    """An order that is found working is in doubt no longer: no stream of subscriptions."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        deaf(ring, tamper)
    ring, tamper = play(30.0, Once(500, Tif.GTC), plan)
    asked = [m for m in tamper.sent if m["method"] == "subscribe"]
    assert len(asked) <= 3
    assert wrong(ring, tamper) == []


@pytest.mark.parametrize("tif", [Tif.IOC, Tif.GTC])
def test_fault_request_is_lost(tif: Tif) -> None:
    """The order never arrived: over only when its deadline has passed, then the exposure ends."""
    strategy = Once(-5 if tif == Tif.IOC else 500, tif)

    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.outbound = lambda frame: [] if method(frame) == "add_order" else [frame]
    ring, tamper = play(12.0, strategy, plan)
    assert strategy.kinds() == [ev.OrderDoubt, ev.OrderDone]
    assert strategy.events[-1].state == OrderState.CANCELED
    assert (strategy.events[-1].ts_us - strategy.events[0].ts_us) > 500_000
    assert len(tamper.adds()) == 1
    assert wrong(ring, tamper) == []


@pytest.mark.parametrize("seed", range(1, 9))
def test_fault_link_lost_with_orders_in_flight(seed: int) -> None:
    """Cut at random moments, most of them between request and answer."""
    chance = random.Random(seed)

    def plan(ring: Ring, tamper: Tamper) -> None:
        def outbound(frame: bytes) -> list[bytes]:
            if method(frame) == "add_order" and chance.random() < 0.1:
                ring.venue.loop.call_later(chance.random() * 0.008, tamper.cut, "private")
            return [frame]
        tamper.outbound = outbound
    ring, tamper = play(40.0, Trader(), plan, seed)
    assert wrong(ring, tamper) == []
    assert ring.world.engine.doubts > 0


def test_fault_cancel_is_lost_and_repeated_at_the_drain() -> None:
    """The first cancels of the drain are lost: they are sent again, and the end is verified."""
    lost = [2]

    def plan(ring: Ring, tamper: Tamper) -> None:
        def outbound(frame: bytes) -> list[bytes]:
            if method(frame) == "cancel_order" and lost[0]:
                lost[0] -= 1
                return []
            return [frame]
        tamper.outbound = outbound
    ring, tamper = play(3.0, Once(500, Tif.GTC), plan)
    assert wrong(ring, tamper) == []
    assert ring.venue.loop.time() < 15.0


def test_fault_drain_ends_when_the_venue_never_cancels() -> None:
    """Bounded in time, and the truth is told: one order is still open."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.outbound = lambda frame: [] if method(frame) == "cancel_order" else [frame]
    ring, _ = play(3.0, Once(500, Tif.GTC), plan)
    assert ring.session.open_at_exit == 1
    assert ring.venue.loop.time() < 3.1 + 61.0


def test_fault_drain_ends_when_the_venue_is_silent() -> None:
    """No answer of any kind: not verified is what is said."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def dumb() -> None:
            tamper.inbound = lambda frame: []
        ring.venue.loop.call_later(2.5, dumb)
    ring, _ = play(3.0, Once(500, Tif.GTC), plan)
    assert ring.session.open_at_exit is None
    assert ring.venue.loop.time() < 3.1 + 61.0


# --- the market link ----------------------------------------------------------------------------


def trusts(ring: Ring, seen: list[tuple[int, ...]], every_s: float = 0.001) -> None:
    """Sample the trust of all books."""
    now = tuple(int(book.trust) for book in ring.world.engine.books)
    if not seen or seen[-1] != now:
        seen.append(now)
    ring.venue.loop.call_later(every_s, trusts, ring, seen)


def test_fault_flipped_digit_makes_only_that_book_suspect() -> None:
    """Suspect, subscribed afresh, trusted again; no order of that symbol meanwhile."""
    seen: list[tuple[int, ...]] = []
    flipped = [3]
    orders: list[tuple[int, int]] = []

    class Both(Trader):
        def on_book(self, book: Any) -> None:
            assert book.trust == BookTrust.TRUSTED
            orders.append((book.instrument, int(book.trust)))

    def plan(ring: Ring, tamper: Tamper) -> None:
        def market(frame: bytes) -> list[bytes]:
            if (flipped[0] and ring.world.engine.trading and b'"book","type":"update"' in frame
                    and b'"BTC/USD"' in frame):
                flipped[0] -= 1
                return [re.sub(rb'("qty":0\.\d*?)([1-8])', lambda m: m[1] + b"9", frame, count=1)]
            return [frame]
        tamper.market = market
        trusts(ring, seen)
    ring, _ = play(12.0, Both(), plan, bot={"symbols": ("BTC/USD", "ETH/USD")})
    assert flipped[0] == 0
    assert (1, 2) in seen
    assert not [pair for pair in seen[seen.index((2, 2)):] if pair[1] != 2]
    assert seen[-1] == (2, 2)
    assert ring.world.feed.resyncs >= 1
    assert any("BTC/USD: book is SUSPECT: checksum" in line for line in ring.notes.lines)
    assert not any("ETH/USD: book is SUSPECT" in line for line in ring.notes.lines)


def test_fault_no_order_leaves_while_the_book_is_suspect() -> None:
    class Eager(Strategy):
        name = "eager"

        def on_timer(self, now_us: int) -> None:
            book = self.desk.book(0)
            if book.has_bid():
                self.desk.place(0, Side.BUY, book.best_bid() - 500, LOTS, Tif.IOC)

    def plan(ring: Ring, tamper: Tamper) -> None:
        def market(frame: bytes) -> list[bytes]:
            spoil = 3.0 < ring.venue.loop.time() < 6.0 and b'"channel":"book"' in frame
            return [re.sub(rb'"checksum":\d+', b'"checksum":1', frame)] if spoil else [frame]

        def outbound(frame: bytes) -> list[bytes]:
            if method(frame) == "add_order":
                assert ring.world.engine.books[0].trust == BookTrust.TRUSTED
                times.append(ring.venue.loop.time())
            return [frame]
        tamper.market, tamper.outbound = market, outbound
    times: list[float] = []
    ring, tamper = play(10.0, Eager(), plan)
    assert ring.world.engine.rows.denials["DENY_UNTRUSTED_BOOK"] > 10
    assert [t for t in times if t < 3.0] and [t for t in times if t > 7.5]
    assert not [t for t in times if 3.3 < t < 6.0]
    assert wrong(ring, tamper) == []


def test_fault_silent_market_link_denies_within_its_limit() -> None:
    class Eager(Strategy):
        name = "eager"

        def on_timer(self, now_us: int) -> None:
            book = self.desk.book(0)
            verdict = self.desk.place(0, Side.BUY, book.best_bid() - 500, LOTS, Tif.IOC)
            allowed.append((now_us, verdict > 0))

    allowed: list[tuple[int, bool]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.market = lambda frame: [] if 3.0 < ring.venue.loop.time() < 6.0 else [frame]
    ring, tamper = play(7.5, Eager(), plan, bot={"book_silence_us": 1_000_000})
    quiet = [(now_us - ring.venue.clock.epoch_us) / 1e6 for now_us, good in allowed if not good]
    assert 3.9 < quiet[0] < 4.1
    assert max(quiet) < 6.6
    assert ring.world.engine.rows.denials["DENY_STALE_BOOK"] > 10
    assert wrong(ring, tamper) == []
