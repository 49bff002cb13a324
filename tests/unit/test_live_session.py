"""The session on virtual time: waiting for sight, doubt, drains, wires that close."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.app import children, compose
from hftbot.app.reporter import Reporter
from hftbot.errors import Disconnected, Timeout
from hftbot.live import session as live
from hftbot.live.session import Session
from hftbot.venue.kraken import codec
from hftbot.watch.redaction import Redactor
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif, client_id_pack
from kraken_frames import BALANCES, EMPTY, TOKEN, executions, trade, working
from world.virtual_loop import VirtualClock, VirtualLoop


class DeadWire:
    """Accepts frames until it is closed; then it refuses them as real wires do."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, frame: Any) -> None:
        if self.closed:
            raise Disconnected("not sent: the connection is closed")
        self.sent.append(bytes(frame))

    def close(self, *_: Any) -> None:
        self.closed = True

    def count(self, part: bytes) -> int:
        return sum(part in frame for frame in self.sent)


class Scene:
    """A session whose venue is the test."""

    def __init__(self, folder: pathlib.Path, loop: VirtualLoop, *voices: Voice) -> None:
        self.rig = Rig(folder, *(voices or (Voice(),)), start=False)
        self.world = self.rig.world
        self.loop = loop
        clock = VirtualClock(loop)
        self.rig.clock.now_us = clock.now_us  # type: ignore[method-assign]
        self.rig.clock.mono_ns = clock.mono_ns  # type: ignore[method-assign]
        self.session = Session(self.world, self.token, 50_000, 5_000_000)
        self.world.router.detach()
        self.world.engine.blind = True
        self.wire = DeadWire()

    async def token(self) -> Any:
        return TOKEN

    def up(self, snapshot: bytes = EMPTY) -> None:
        """The private link opens and its snapshots arrive."""
        self.wire = DeadWire()
        self.session.private_up(self.wire)
        self.frames(snapshot, BALANCES)

    def frames(self, *frames: bytes) -> None:
        for frame in frames:
            self.session.private_frame(frame, 0, self.rig.clock.mono_ns())

    def market(self) -> None:
        """The feed counts as ready and the link as alive."""
        for entry in self.world.feed._recovery:
            entry.synced = True
        self.world.feed.mode = 0
        self.world.link_seen(self.rig.clock.mono_ns())


Act = Callable[[Scene], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Callable[..., Scene]:
    """Run a coroutine on virtual time with a scene."""
    def run(act: Act, *voices: Voice) -> Scene:
        loop = VirtualLoop()
        asyncio.set_event_loop(loop)
        try:
            scene = Scene(tmp_path, loop, *voices)
            loop.run_until_complete(act(scene))
            return scene
        finally:
            asyncio.set_event_loop(None)
            loop.close()
    return run


def test_session_not_ready_in_time_says_what_is_missing(play) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(Timeout, match="market data snapshot, private stream, reconciliation"):
            await scene.session.run(1.0)
    scene = play(act)
    assert scene.session.open_at_exit is None
    assert 30.0 <= scene.loop.time() < 31.0


def test_session_stop_before_ready_ends_at_once(play) -> None:
    async def act(scene: Scene) -> None:
        scene.loop.call_later(1.0, scene.session.stop, "Ctrl-C")
        await scene.session.run(None)
    scene = play(act)
    assert scene.loop.time() < 1.5
    assert not scene.rig.engine.trading
    assert scene.session.open_at_exit is None
    assert scene.session.verified, "without a link nothing of ours can be open"


@pytest.mark.parametrize(("ready", "ended"), [
    (True, "end of data; the venue could not be asked whether orders are open"),
    (False, "the data ended before trading began, missing: market data snapshot, private stream, "
            "reconciliation of open orders; the account was never seen, no order was sent")])
def test_replay_whose_data_ended_before_trading_began_has_failed(
        play, ready: bool, ended: str, tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_url: str) -> dict[str, bool]:
        return {"finished": True}
    monkeypatch.setattr(children, "status", answer)

    async def act(scene: Scene) -> None:
        if ready:
            scene.market()
            scene.up()
        endpoint = children.Endpoint("", "", "", TOKEN, TOKEN, {})
        watching = asyncio.ensure_future(compose._watch_data(endpoint, scene.session))
        await scene.session.run(None)
        await watching
    scene = play(act)
    reporter = Reporter(scene.world.settings, "replay", scene.session, None, tmp_path,
                        lambda text: None, Redactor([]))
    assert reporter.totals().ended == ended
    assert scene.session.begun is ready
    assert compose._exit_code(scene.session) == (4 if ready else 1)


def test_session_leftovers_of_an_earlier_run_have_to_be_gone(play) -> None:
    left = codec.client_id_text(client_id_pack(1, 3, 9))
    asked: list[bool] = []

    async def act(scene: Scene) -> None:
        scene.market()
        row = working(left, exec_type="new", order_status="new")
        stranger = working("their-own", "OSTRAN-GERRRR-AAAAAA", "new", order_status="new")
        scene.up(executions(row, stranger, sequence=1, kind="snapshot"))
        asked.append(scene.session.ready())
        timer = asyncio.ensure_future(scene.session._timer())
        await asyncio.sleep(1.2)
        assert scene.wire.count(b'"cancel_order"') in (1, 2)
        assert scene.world.account.open_orders == 2
        scene.frames(executions(stranger, sequence=1, kind="snapshot"))
        asked.append(scene.session.ready())
        timer.cancel()
    scene = play(act)
    assert asked == [False, True]
    assert scene.session.reconciler.leftovers_cancelled == 1
    assert scene.wire.count(b"OSTRAN") == 0
    assert scene.world.account.open_orders == 1
    assert scene.rig.notes.said("left alone, and counted") == 1


def test_session_balances_gap_blinds_for_a_moment_only(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        assert scene.session.ready()
        scene.frames(BALANCES.replace(b'"snapshot"', b'"update"').replace(
            b'"sequence":1', b'"sequence":9'))
        assert scene.rig.engine.blind
        scene.frames(BALANCES)
        assert not scene.rig.engine.blind
        timer = asyncio.ensure_future(scene.session._timer())
        await asyncio.sleep(0.2)
        scene.frames(EMPTY)
        timer.cancel()
        assert scene.session.ready()
    play(act)


def test_session_cancels_leave_while_blind_orders_do_not(play) -> None:
    """A gap takes our sight, not our wire: a halt in that moment must reach the venue."""
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        order = scene.rig.buy(ticks=BID, tif=Tif.GTC)
        scene.session._go_blind()
        assert scene.rig.desk().place(0, Side.BUY, ASK, LOTS) < 0
        scene.world.guard.halt("planted")
        assert scene.wire.count(codec.client_id_text(order).encode()) == 2
        assert scene.wire.count(b'"cancel_order"') == 1
        scene.frames(EMPTY)
        assert scene.rig.desk().place(0, Side.BUY, ASK, LOTS) < 0
    play(act)


@pytest.mark.law(7)
def test_session_reconnect_after_a_halt_does_not_open_the_door(play) -> None:
    async def act(scene: Scene) -> None:
        scene.up()
        scene.rig.engine.start()
        scene.world.guard.halt("planted")
        scene.session.private_down("cut")
        scene.up()
        scene.market()
        assert -scene.rig.desk().place(0, Side.BUY, ASK, LOTS) == 1 << 22
    play(act)


def test_session_wire_that_closes_under_us_disables_nobody(play) -> None:
    """Between the close and its news, orders and subscriptions meet a dead wire."""
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        scene.wire.close()
        assert scene.rig.desk().place(0, Side.BUY, ASK, LOTS) < 0
        scene.world.gateway.ask_again(scene.rig.clock.mono_ns())
        scene.session._flush_private()
        scene.session.private_down("gone")
        scene.up()
        assert scene.rig.buy() > 0
    scene = play(act)
    assert scene.rig.engine.disabled == []
    assert scene.rig.held() == (LOTS, 0, 1)


@pytest.mark.law(3)
def test_session_venue_that_counts_more_fills_than_it_told_halts(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        order = scene.rig.buy(lots=LOTS, ticks=BID, tif=Tif.GTC)
        scene.frames(executions(working(
            codec.client_id_text(order), exec_type="new", order_status="partially_filled",
            price="60000.0", qty="0.00100000", cum_qty=0.0005), sequence=1, kind="snapshot"))
    scene = play(act)
    assert scene.world.guard.state == 2
    assert scene.rig.notes.said("the venue counts fills that it never told")


def test_session_lost_link_then_snapshot_with_the_missed_fill(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        order = scene.rig.buy()
        scene.session.private_down("cut")
        assert scene.rig.state(order) == S.DOUBT
        assert scene.rig.held() == (LOTS, 0, 1)
        name = codec.client_id_text(order)
        fill = trade(name, "T1", "0.00100000", "0.00100000", "60001.0")
        for _ in range(3):
            scene.up(executions(fill, sequence=1, kind="snapshot"))
            scene.session.private_down("cut")
        assert scene.rig.state(order) == S.FILLED
    scene = play(act)
    assert scene.rig.lots() == LOTS
    assert scene.rig.ledger.fills == 1
    assert scene.rig.held() == (0, 0, 0)
    assert scene.world.gateway.reports.booked("T1")
    assert not scene.world.gateway.reports.booked("T2")


def test_session_order_that_never_rests_is_asked_about(play) -> None:
    """Acked, and then silence: an IOC past its deadline is no working order."""
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        order = scene.rig.buy()
        scene.rig.ack(order)
        timer = asyncio.ensure_future(scene.session._timer())
        await asyncio.sleep(5.5)
        assert scene.wire.count(b'"executions"') == 1
        await asyncio.sleep(1.0)
        assert scene.wire.count(b'"executions"') == 3
        scene.frames(EMPTY)
        timer.cancel()
        assert scene.rig.state(order) == S.CANCELED
    play(act)


@pytest.mark.law(12)
def test_session_drain_repeats_cancels_and_is_bounded(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.rig.engine.start()
        order = scene.rig.buy(ticks=BID, tif=Tif.GTC)
        scene.rig.ack(order)
        await scene.session.drain()
    scene = play(act)
    assert 5 <= scene.wire.count(b'"cancel_order"') <= 12
    assert scene.session.open_at_exit is None
    assert scene.loop.time() <= live.DRAIN_S + live.READY_S + 1.0


def test_session_second_stop_does_not_wait_for_a_link_that_is_down(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.session.private_down("cut")
        scene.loop.call_later(1.0, scene.session.stop, "first")
        scene.loop.call_later(3.0, scene.session.stop, "second")
        await scene.session.run(None)
    scene = play(act)
    assert scene.loop.time() < 3.5
    assert scene.session.stop_reason == "first"
    assert scene.session.open_at_exit is None
    assert not scene.session.verified


@pytest.mark.fault("V12")
def test_session_token_refused_closes_the_wire_and_survives(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        scene.up()
        scene.frames(b'{"error":"ESession:Invalid session","method":"add_order","req_id":99,'
                     b'"success":false}')
        assert scene.wire.closed
        scene.session._tick()
    scene = play(act)
    assert scene.world.guard.state == 0
    assert scene.rig.notes.said("token refused") == 1
