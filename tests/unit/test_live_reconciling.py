"""What a start takes over, what a reconnect and the timer compare; the venue is the test."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable

import pytest
from engine_rig import ASK, BID, LOTS, Voice
from test_live_session import Act, Scene

from hftbot.engine.guard import REDUCING
from hftbot.engine.ledger import fill_key
from hftbot.engine.recover import (
    Carried,
    Held,
    Replay,
    ReplayedOrder,
    row_records,
    state_hash,
)
from hftbot.live.session import Session
from hftbot.store.journal_reader import read_copy
from hftbot.venue.kraken import codec
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif, client_id_pack
from kraken_frames import EMPTY, executions, trade, working
from world.virtual_loop import VirtualLoop

OLD = client_id_pack(1, 3, 9)
NAME = codec.client_id_text(OLD)
DAY_US = 86_400_000_000


def btc(amount: str, sequence: int) -> bytes:
    return (f'{{"channel":"balances","type":"update","data":[{{"asset":"BTC","balance":{amount},'
            f'"wallet_type":"spot","wallet_id":"main","timestamp":"2026-05-28T20:26:40.000001Z"}}'
            f'],"sequence":{sequence}}}').encode()


def carried(scene: Scene, *orders: ReplayedOrder, lots: int = 0, cost: int = 0,
            keys: tuple[int, ...] = (), first_profit_e10: int = 0) -> None:
    """The session of the scene begins after a run that left this."""
    now_us = scene.rig.clock.now_us()
    left = Carried(3, False, 77, now_us, (Held(lots, cost, now_us - 60_000_000),), orders,
                   (), keys, now_us // DAY_US, first_profit_e10, ())
    scene.session = Session(scene.world, scene.token, 50_000, 5_000_000, left)


def left_open(scene: Scene, state: int = S.LIVE, arrived: bool = True, age_us: int = 1_000_000,
              filled: int = 0) -> ReplayedOrder:
    return ReplayedOrder(OLD, 0, Side.BUY, Tif.GTC, 0, BID, LOTS,
                         scene.rig.clock.now_us() - age_us, filled, int(state), 0, 0, arrived)


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Callable[..., Scene]:
    """Run a coroutine on virtual time with a scene, and stop its timer."""
    def run(act: Act, *voices: Voice) -> Scene:
        loop = VirtualLoop()
        asyncio.set_event_loop(loop)
        try:
            scene = Scene(tmp_path, loop, *voices)
            loop.run_until_complete(act(scene))
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            return scene
        finally:
            asyncio.set_event_loop(None)
            loop.close()
    return run


def timer(scene: Scene) -> asyncio.Task[None]:
    return asyncio.ensure_future(scene.session._timer())


# --- the start -----------------------------------------------------------------------------------


def test_reconciling_restored_state_is_in_the_new_journal(play) -> None:
    async def act(scene: Scene) -> None:
        order = left_open(scene, S.PARTIAL, filled=30_000)
        order.wish_ticks, order.wish_lots = BID + 1, LOTS + 50_000
        carried(scene, order, lots=30_000, cost=30_000 * BID, keys=tuple(range(1, 10)))
        replay = Replay(1)
        for kind, words in row_records(read_copy(scene.rig.path).rows()):
            replay.feed(kind, words)
        table, positions = scene.world.table, scene.world.ledger.positions
        assert replay.state_hash() == state_hash(table, positions)
        assert (replay.first, replay.mismatch, sorted(replay.keys)) == (True, 0, list(range(1, 10)))
        assert replay.orders[OLD].state == S.DOUBT
        assert replay.opened_us[0] == scene.world.ledger.opened_us[0] > 0
        # What may still be bought is held at the size of the amend that was on its way.
        assert scene.rig.held() == (LOTS + 20_000, 0, 1)
    play(act)


def test_reconciling_order_that_never_arrived_waits_for_its_deadline(play) -> None:
    async def act(scene: Scene) -> None:
        carried(scene, left_open(scene, S.SENT, arrived=False))
        scene.market()
        scene.up()
        running = timer(scene)
        assert not scene.session.ready()
        assert scene.rig.held() == (LOTS, 0, 1)
        for _ in range(6):
            await asyncio.sleep(1.0)
            scene.frames(EMPTY)
        assert scene.session.ready()
        assert scene.rig.held() == (0, 0, 0)
        running.cancel()
    scene = play(act)
    fate = scene.session.reconciler.report.fates[OLD]
    assert (fate.was, fate.state, fate.listed) == (S.SENT, S.CANCELED, False)
    assert scene.wire.count(b'"cancel_order"') == 0


def test_reconciling_order_that_arrived_and_is_not_listed_is_over(play) -> None:
    async def act(scene: Scene) -> None:
        carried(scene, left_open(scene))
        scene.market()
        scene.up()
        assert scene.session.ready()
    scene = play(act)
    assert scene.session.reconciler.report.fates[OLD].state == S.CANCELED


def test_reconciling_listed_order_is_cancelled_and_its_fills_count_once(play) -> None:
    """One fill of two was in the journal already; the strategy of this run hears of none."""
    voice = Voice()

    async def act(scene: Scene) -> None:
        carried(scene, left_open(scene, S.PARTIAL, filled=30_000), lots=30_000, cost=30_000 * BID,
                keys=(fill_key("T1"),))
        scene.market()
        scene.up(executions(
            trade(NAME, "T1", "0.00030000", "0.00030000", "60000.0"),
            trade(NAME, "T2", "0.00020000", "0.00050000", "60000.0"),
            working(NAME, exec_type="new", order_status="partially_filled", price="60000.0",
                    qty="0.00100000", cum_qty=0.0005), sequence=1, kind="snapshot"))
        assert scene.rig.lots() == 50_000
        assert scene.wire.count(b'"cancel_order"') == 1
        assert scene.wire.count(NAME.encode()) == 1
        assert not scene.session.ready()
        assert scene.rig.desk().open_orders() == []
        assert scene.rig.desk().cancel(OLD) < 0
        scene.frames(executions(working(
            NAME, exec_type="canceled", order_status="canceled", price="60000.0",
            qty="0.00100000", cum_qty=0.0005), sequence=2))
        assert scene.session.ready()
    scene = play(act, voice)
    fate = scene.session.reconciler.report.fates[OLD]
    assert (fate.was, fate.state, fate.listed, fate.found_lots) == (S.PARTIAL, S.CANCELED, True,
                                                                    20_000)
    assert scene.rig.ledger.duplicates == 1
    assert scene.rig.held() == (0, 0, 0)
    assert not [told for told in voice.told if "on_order" in str(told) or "on_fill" in str(told)]


def test_reconciling_difference_at_the_start_is_adopted_at_the_mid(play) -> None:
    """What is held keeps its cost; what nobody can explain comes in at the price of now."""
    async def act(scene: Scene) -> None:
        carried(scene, lots=30_000, cost=30_000 * (BID - 500))
        scene.market()
        scene.up()
        scene.frames(btc("0.0005", 2))
        await scene.session.reconciler.settle(scene.session.wait_condition)
        event, = scene.session.reconciler.report.differences
        assert (event.ours_lots, event.venue_lots, event.adopted) == (30_000, 50_000, True)
        mid = (BID + ASK) // 2
        assert scene.rig.desk().position_cost(0) == 30_000 * (BID - 500) + 20_000 * mid
        assert scene.world.guard.state == 0
    scene = play(act)
    assert scene.loop.time() >= 1.0


def test_reconciling_fills_that_nobody_tells_any_more_come_with_the_balance(play) -> None:
    """The venue repeats 50 trades at most: what is older is known by count and balance only."""
    async def act(scene: Scene) -> None:
        carried(scene, left_open(scene))
        scene.market()
        scene.up(executions(working(
            NAME, exec_type="new", order_status="partially_filled", price="60000.0",
            qty="0.00100000", cum_qty=0.0004), sequence=1, kind="snapshot"))
        scene.frames(btc("0.0004", 2), executions(working(
            NAME, exec_type="canceled", order_status="canceled", price="60000.0",
            qty="0.00100000", cum_qty=0.0004), sequence=2))
        assert scene.session.ready()
        await scene.session.reconciler.settle(scene.session.wait_condition)
        await asyncio.sleep(20.0)
        scene.rig.engine.on_timer()
    scene = play(act)
    assert scene.rig.lots() == 40_000
    assert scene.world.guard.state == 0
    event, = scene.session.reconciler.report.differences
    assert (event.ours_lots, event.venue_lots) == (0, 40_000)


def test_reconciling_checkpoints_follow_what_happens(play) -> None:
    """Once a second while records come, not at all while nothing does."""
    async def act(scene: Scene) -> None:
        trading(scene)
        timer(scene)
        await asyncio.sleep(3.0)
        quiet = scene.rig.journal.sequence
        await asyncio.sleep(20.0)
        assert scene.rig.journal.sequence == quiet
        scene.market()
        scene.rig.buy()
        await asyncio.sleep(1.5)
        assert scene.rig.journal.sequence == quiet + 2
    play(act)


def test_reconciling_scalpers_clock_goes_on(play) -> None:
    async def act(scene: Scene) -> None:
        carried(scene, lots=30_000, cost=30_000 * BID)
        opened_us = scene.rig.desk().position_opened_us(0)
        assert scene.rig.clock.now_us() - opened_us == 60_000_000
        scene.rig.fill(0, 20_000, side=Side.BUY)
        assert scene.rig.desk().position_opened_us(0) == opened_us
        scene.rig.fill(0, 50_000, "F2", side=Side.SELL)
        assert scene.rig.desk().position_opened_us(0) == 0
    play(act)


def test_reconciling_loss_of_an_earlier_run_of_the_day_counts(play) -> None:
    async def act(scene: Scene) -> None:
        carried(scene, first_profit_e10=24 * 10**10)
        scene.world.engine.on_timer()
        assert scene.world.guard.state == 0
        scene.rig.fill(0, LOTS, fee_e10=2 * 10**10)
        scene.world.engine.on_timer()
        assert scene.world.guard.state == REDUCING
        assert "daily loss 26" in scene.world.guard.reason
    play(act)


# --- while it runs -------------------------------------------------------------------------------


def trading(scene: Scene, interval_s: float = 300.0) -> None:
    scene.market()
    scene.up()
    scene.frames(btc("0", 2))
    scene.session.reconciler._interval_ns = round(interval_s * 1e9)
    scene.session.reconciler._next_ns = scene.rig.clock.mono_ns() + round(interval_s * 1e9)
    scene.rig.engine.start()


def test_reconciling_difference_that_lasts_only_lets_exits_through(play) -> None:
    async def act(scene: Scene) -> None:
        trading(scene, 10.0)
        timer(scene)
        await asyncio.sleep(5.0)
        scene.frames(btc("0.0001", 3))
        await asyncio.sleep(4.0)
        assert scene.world.guard.state == 0
        await asyncio.sleep(4.0)
        assert scene.world.guard.state == REDUCING
        await asyncio.sleep(30.0)
    scene = play(act)
    event, = scene.session.reconciler.report.differences
    assert (event.ours_lots, event.venue_lots, event.adopted) == (0, 10_000, False)
    assert "no fill explains it" in scene.world.guard.reason
    assert scene.rig.notes.said("no fill explains it") == 2


def test_reconciling_difference_that_goes_is_none(play) -> None:
    async def act(scene: Scene) -> None:
        trading(scene, 10.0)
        timer(scene)
        await asyncio.sleep(9.0)
        scene.frames(btc("0.0001", 3))
        await asyncio.sleep(2.5)
        scene.frames(btc("0", 4))
        await asyncio.sleep(8.0)
    scene = play(act)
    assert scene.world.guard.state == 0
    assert scene.session.reconciler.report.differences == []


def test_reconciling_list_is_asked_for_on_the_timer_and_sight_is_kept(play) -> None:
    async def act(scene: Scene) -> None:
        trading(scene, 10.0)
        timer(scene)
        before = scene.wire.count(b'"subscribe"')
        order = scene.rig.buy(ticks=BID, tif=Tif.GTC)
        scene.rig.ack(order)
        await asyncio.sleep(10.5)
        assert scene.wire.count(b'"subscribe"') == before + 1
        assert not scene.rig.engine.blind
        scene.market()
        young = scene.rig.buy(ticks=BID - 1, tif=Tif.GTC)
        scene.rig.ack(young)
        scene.frames(EMPTY)
        assert scene.rig.state(order) == S.CANCELED
        assert scene.rig.state(young) == S.LIVE
        # The young one may have been on its way: it is asked about once it no longer can be.
        await asyncio.sleep(6.2)
        assert scene.wire.count(b'"subscribe"') == before + 2
        scene.frames(EMPTY)
        assert scene.rig.state(young) == S.CANCELED
    scene = play(act)
    assert scene.rig.notes.said("the venue lists it no more") == 2


def test_reconciling_nothing_is_placed_after_a_reconnect_until_positions_agree(play) -> None:
    async def act(scene: Scene) -> None:
        trading(scene)
        timer(scene)
        assert scene.rig.buy() > 0
        scene.session.private_down("cut")
        scene.wire.close()
        scene.world.ledger.balances_e10["BTC"] = 10**6
        scene.up()
        assert not scene.rig.engine.blind
        assert scene.rig.desk().place(0, Side.BUY, ASK - 1, LOTS) < 0
        scene.frames(btc("0", 2))
        await asyncio.sleep(0.1)
        assert scene.rig.desk().place(0, Side.BUY, ASK - 1, LOTS) > 0
    scene = play(act)
    assert scene.world.guard.state == 0


@pytest.mark.fault("V11")
def test_reconciling_order_of_somebody_else_counts_until_it_is_over(play) -> None:
    async def act(scene: Scene) -> None:
        scene.market()
        stranger = working("their-own", "OSTRAN-GERRRR-AAAAAA", "new", order_status="new",
                           price="60000.0", qty="0.00100000")
        scene.up(executions(stranger, sequence=1, kind="snapshot"))
        assert scene.session.ready()
        assert scene.rig.held() == (LOTS, 0, 1)
        assert scene.rig.engine.rows.open_handles() == []
        scene.frames(executions(trade("their-own", "T1", "0.00040000", "0.00040000", "60000.0",
                                      "OSTRAN-GERRRR-AAAAAA"), sequence=2))
        assert scene.rig.lots() == 40_000
        assert scene.rig.held() == (60_000, 0, 1)
        assert scene.rig.engine.external_fills == 1
        # Each new list names it as before: it is adopted once.
        scene.frames(executions(stranger.replace("}", ',"cum_qty":0.0004}'), sequence=1,
                                kind="snapshot"))
        assert scene.rig.held() == (60_000, 0, 1)
        scene.frames(executions(working(
            "their-own", "OSTRAN-GERRRR-AAAAAA", "canceled", order_status="canceled",
            price="60000.0", qty="0.00100000", cum_qty=0.0004), sequence=2))
        assert scene.rig.held() == (0, 0, 0)
        assert scene.rig.engine.cancel_everything() == 0
    scene = play(act)
    assert scene.wire.count(b"OSTRAN") == 0
    external, = scene.session.reconciler.report.externals
    assert external.counted
