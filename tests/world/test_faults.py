"""Bot and exchange on virtual time, on a wire that loses, repeats and spoils frames."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hftbot.engine.engine import Engine
from hftbot.engine.ledger import Ledger
from hftbot.exchange.requests import AddRequest
from hftbot.exchange.settings import Latency
from hftbot.live.reconciling import Reconciler
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from world.ring import Ring
from world.tamper import (
    LOTS,
    Once,
    Quoter,
    Tamper,
    Trader,
    deaf,
    doubled,
    method,
    play,
    storm,
    wrong,
)

# --- the same thing more than once, or out of order ---------------------------------------------


@pytest.mark.fault("F1")
@pytest.mark.law(2)
def test_fault_every_fill_twice() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        tamper.inbound = doubled(b'"exec_type":"trade"')
    ring, tamper = play(10.0, Trader(), plan)
    assert wrong(ring, tamper) == []
    assert ring.world.ledger.duplicates == ring.world.ledger.fills > 20


RICH = {"order_value_usd_max": Decimal(50_000), "position_usd_max": Decimal(50_000),
        "gross_usd_max": Decimal(50_000)}


@pytest.mark.fault("B6")
@pytest.mark.law(2)
@pytest.mark.parametrize("seed", [1, 3, 6, 7, 8])
def test_fault_snapshot_replays_fills_after_each_reconnect(seed: int) -> None:
    """An order that took a part of its size and rests: each reconnect tells its fills again."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        for i in range(12):
            ring.venue.loop.call_later(0.6 + 0.5 * i, tamper.cut, "private")
    ring, tamper = play(20.0, Once(-1, Tif.GTC, 16_000_000), plan, seed, bot=RICH)
    assert wrong(ring, tamper) == []
    assert ring.notes.lines.count("trading link lost: cut") >= 3
    assert ring.world.ledger.duplicates > 0 < ring.world.ledger.fills


@pytest.mark.fault("B3")
@pytest.mark.law(3)
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


@pytest.mark.fault("W7")
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


@pytest.mark.fault("W2")
@pytest.mark.law(4)
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


@pytest.mark.fault("V8")
@pytest.mark.law(4)
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


@pytest.mark.fault("W1")
@pytest.mark.law(4)
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


@pytest.mark.fault("V2")
@pytest.mark.parametrize(("until_s", "left"), [(20.0, 0), (200.0, 1)])
def test_fault_stop_in_maintenance_cancels_when_the_engine_returns(until_s: float,
                                                                   left: int) -> None:
    """No cancel is taken meanwhile: it is asked again, and what is open at the end is told."""
    def plan(ring: Ring, _tamper: Tamper) -> None:
        face, loop = ring.venue.face, ring.venue.loop
        loop.call_later(2.5, face.set_system, "maintenance")
        loop.call_later(until_s, face.set_system, "online")
    ring, tamper = play(3.0, Once(500, Tif.GTC), plan)
    assert ring.session.open_at_exit == left
    assert len(ring.venue.face.desk.orders) == left
    asked = [frame for frame in tamper.sent if frame["method"] == "cancel_order"]
    assert 2 <= len(asked) <= 20
    assert (until_s < ring.venue.loop.time() < until_s + 6.0) if not left else (
        ring.venue.loop.time() < 3.1 + 61.0)


def test_fault_drain_ends_when_the_venue_is_silent() -> None:
    """No answer of any kind: not verified is what is said."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def dumb() -> None:
            tamper.inbound = lambda frame: []
        ring.venue.loop.call_later(2.5, dumb)
    ring, _ = play(3.0, Once(500, Tif.GTC), plan)
    assert ring.session.open_at_exit is None
    assert ring.venue.loop.time() < 3.1 + 61.0


@pytest.mark.fault("W7")
@pytest.mark.law(2, 3)
@pytest.mark.parametrize("jitter", [False, True])
@pytest.mark.parametrize("seed", range(1, 17))
def test_fault_storm(seed: int, jitter: bool) -> None:
    """All faults of the private link at once; orders, amends and cancels at random."""
    latency = Latency(1_500, 8_000, 1_000, 5_000) if jitter else Latency()
    ring, tamper = play(20.0, Quoter(seed), lambda ring, tamper: storm(ring, tamper, seed, 15.0),
                        seed, latency=latency)
    assert wrong(ring, tamper) == []
    assert ring.world.guard.state == 0


# --- what an earlier run and other people left --------------------------------------------------


def rest_at_venue(ring: Ring, name: str, below: int = 400, lots: int = LOTS) -> Any:
    """An order that nobody of this run has made."""
    face = ring.venue.face
    listing = face.listings["BTC/USD"]
    ticks = face.markets[0].matcher.levels(0, 1)[0][0] - below
    order, _ = face.desk.add(AddRequest(listing, 0, ticks, lots, 0, False, 0, "limit", name, 0, 0,
                                        face.now_us + 10**9, False), face.now_us)
    face.desk.drain()
    return order


@pytest.mark.fault("V11")
def test_fault_leftover_is_gone_before_trading_and_an_external_order_is_left() -> None:
    open_at_start: list[set[str]] = []

    class Looks(Trader):
        def on_start(self, desk: Any) -> None:
            super().on_start(desk)
            open_at_start.append({o.cl_ord_id for o in rings[0].venue.face.desk.orders.values()})

    def plan(ring: Ring, tamper: Tamper) -> None:
        rings.append(ring)
        rest_at_venue(ring, "h2rs1ql03rd")
        rest_at_venue(ring, "")
        rest_at_venue(ring, "somebody-else")
    rings: list[Ring] = []
    ring, tamper = play(5.0, Looks(), plan)
    assert open_at_start == [{"", "somebody-else"}]
    assert ring.session.reconciler.leftovers_cancelled == 1
    assert sum("left alone" in line for line in ring.notes.lines) == 2
    assert [o.cl_ord_id for o in ring.venue.face.desk.orders.values()] == ["", "somebody-else"]
    assert ring.session.open_at_exit == 0
    assert not [p for p in wrong(ring, tamper) if "open at" not in p and "held" not in p]
    assert ring.world.account.open_orders == 2


@pytest.mark.parametrize("seed", range(1, 5))
def test_fault_leftover_that_trades_while_we_start(seed: int) -> None:
    """It fills between our first look and its cancel: the adopted position holds it all."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        rest_at_venue(ring, "h2rs1ql03rd", -1, 30_000)

        def outbound(frame: bytes) -> list[bytes]:
            held = method(frame) == "cancel_order" and b"h2rs1ql03rd" in frame
            return [] if held and ring.venue.loop.time() < 4.0 else [frame]
        tamper.outbound = outbound
    ring, tamper = play(8.0, Trader(), plan, seed, balances={
        "USD": Decimal(10_000), "BTC": Decimal("0.002"), "ETH": Decimal(0)})
    assert ring.world.router.orders_sent > 0
    problems = [p for p in wrong(ring, tamper) if not p.startswith("cash")]
    assert problems == []


# --- two strategies, stops, halts ---------------------------------------------------------------


@pytest.mark.fault("P5")
def test_fault_one_strategy_breaks_the_other_trades_on() -> None:
    class Breaks(Once):
        name = "breaks"

        def on_order(self, event: Any) -> None:
            raise RuntimeError("planted")

    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.world.add_strategy(Breaks(500, Tif.GTC))
    ring, tamper = play(6.0, Trader(), plan)
    assert ring.world.engine.disabled == ["breaks"]
    assert ring.world.ledger.fills > 10
    assert wrong(ring, tamper) == []


@pytest.mark.fault("P5")
def test_fault_orders_of_a_disabled_strategy_are_cancelled_once_there_is_a_wire() -> None:
    """It raises when it hears that its order is in doubt, while the link is down."""
    class Breaks(Once):
        name = "breaks"

        def on_timer(self, now_us: int) -> None:
            if cut and now_us > cut[0] + 1_000:
                raise RuntimeError("planted")

    cut: list[int] = []
    opened: list[int] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.world.add_strategy(Strategy())  # with none left the run would end

        def now() -> None:
            cut.append(ring.venue.clock.now_us())
            tamper.cut("private")
        ring.venue.loop.call_later(3.0, now)
        ring.venue.loop.call_later(11.9, lambda: opened.append(len(ring.venue.face.desk.orders)))
    ring, tamper = play(12.0, Breaks(500, Tif.GTC), plan)
    assert ring.world.engine.disabled == ["breaks"]
    assert opened == [0]
    assert wrong(ring, tamper) == []


@pytest.mark.parametrize("at_s", [0.0, 0.001, 0.004, 0.008, 0.02])
def test_fault_stop_at_any_moment_of_the_start(at_s: float) -> None:
    """Before ready, and twice: the run ends soon, with nothing open."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        for later_s in (0.0, 0.05):
            ring.venue.loop.call_later(at_s + later_s, ring.session.stop, "Ctrl-C")
    ring, _ = play(60.0, Trader(), plan)
    assert ring.venue.loop.time() < 5.0
    assert not ring.venue.face.desk.orders
    assert ring.session.stop_reason == "Ctrl-C"


@pytest.mark.law(7)
def test_fault_halt_cancels_all_and_ends_the_run() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.venue.loop.call_later(3.0, ring.world.guard.halt, "planted")
    ring, tamper = play(60.0, Once(500, Tif.GTC), plan)
    assert ring.session.stop_reason == "halted: planted"
    assert ring.venue.loop.time() < 5.0
    assert wrong(ring, tamper) == []


@pytest.mark.law(7)
def test_fault_timer_that_fails_halts_instead_of_leaving_no_loss_limit() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        def bad(now_us: int) -> None:
            if ring.venue.loop.time() > 3.0:
                raise OSError("disk full")
        ring.session.on_tick = bad
    ring, tamper = play(60.0, Once(500, Tif.GTC), plan)
    assert ring.session.stop_reason == "the timer failed: OSError: disk full"
    assert ring.venue.loop.time() < 5.0
    assert wrong(ring, tamper) == []


# --- planted bugs: the checks above must see each of them ---------------------------------------


def no_dedupe(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "seen", lambda self, fill_id: False)


def sell_sign(patch: pytest.MonkeyPatch) -> None:
    right = Engine._filled

    def wrong_sign(self: Engine, event: ev.OrderFilled) -> None:
        right(self, event)
        if event.side == Side.SELL:
            self.ledger.positions[event.instrument].apply(0, event.ticks, 2 * event.lots, 0)
    patch.setattr(Engine, "_filled", wrong_sign)


def new_id_on_retry(patch: pytest.MonkeyPatch) -> None:
    right = Engine._doubt

    def again(self: Engine, event: ev.OrderDoubt) -> None:
        right(self, event)
        handle = self.table.find(event.client_id)
        self.router.place(1, 0, 0, self.table.ticks(handle), self.table.lots(handle), 1, False,
                          self.clock.now_us(), 0)
    patch.setattr(Engine, "_doubt", again)


def doubt_is_no(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "_doubt", lambda self, event: self._rejected(
        ev.OrderRejected(event.client_id, event.reason, event.ts_us)))


def no_reconcile(patch: pytest.MonkeyPatch) -> None:
    def skipped(self: Reconciler, seen: ev.OrdersSeen) -> None:
        self.listed = True
    patch.setattr(Reconciler, "on_orders", skipped)


def no_late_fills(patch: pytest.MonkeyPatch) -> None:
    right = Engine._filled

    def only_open(self: Engine, event: ev.OrderFilled) -> None:
        if self.table.state(self.table.find(event.client_id)) < OrderState.FILLED:
            right(self, event)
    patch.setattr(Engine, "_filled", only_open)


SCENES: dict[str, Callable[[], None]] = {
    "twice": test_fault_every_fill_twice,
    "lost ack": lambda: test_fault_lost_ack_is_doubt_then_the_venue_is_asked(Tif.IOC),
    "lost request": lambda: test_fault_request_is_lost(Tif.IOC),
    "cut": lambda: test_fault_link_lost_with_orders_in_flight(2),
    "gap": lambda: test_fault_executions_lost_at_random(4),
    "leftover": test_fault_leftover_is_gone_before_trading_and_an_external_order_is_left,
}


@pytest.mark.parametrize(("plant", "seen_by"), [
    (no_dedupe, ("twice",)), (sell_sign, ("twice", "cut", "gap")),
    (new_id_on_retry, ("lost ack",)), (doubt_is_no, ("lost ack",)),
    (no_reconcile, ("lost request", "leftover")), (no_late_fills, ("gap",))])
def test_fault_planted_bug_is_caught(plant: Callable[[pytest.MonkeyPatch], None],
                                     seen_by: tuple[str, ...],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for scene in seen_by:
        with pytest.raises(AssertionError):
            SCENES[scene]()
