"""One run: connect, reconcile, trade, drain, cancel all, verify that none is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastcore.lane.lane import EVENT_BOOK, EVENT_RESYNC, EVENT_SNAPSHOT, EVENT_TRADE
from hftbot.engine.guard import HALTED
from hftbot.engine.reconcile import Reconciliation
from hftbot.engine.recover import Carried
from hftbot.errors import Disconnected, StoreError, Timeout
from hftbot.live.level3_stream import Level3Stream
from hftbot.live.reconciling import Reconciler
from hftbot.live.waiting import MOMENT_S, Waiting
from hftbot.live.world import World
from hftbot.venue.kraken import rules
from hftbot.venue.kraken.feed import RARE
from hftbot.words import crash_points
from hftbot.words import events as ev
from hftbot.words.events import OrderDone, OrderDoubt, OrdersSeen, PrivateLost, PrivateReady
from hftbot.words.order import OrderState, Tif, client_id_parts
from hftbot.words.ports import Batch, Wire
from hftbot.words.secret import Secret

HOT = EVENT_BOOK | EVENT_SNAPSHOT | EVENT_TRADE | EVENT_RESYNC
READY_S = 30.0
DRAIN_S = 30.0
CANCEL_AGAIN_S = 5.0
DOUBT_GRACE_NS = 1_000_000_000
ASK_AGAIN_NS = 1_000_000_000
KILL_AGAIN_NS = 100_000_000
_SINGLE = Batch()  # of a wire that hands over frame by frame: nothing newer is ever here
# A process that was stopped for so long does not trade on what it knew before.
GAP_NS = 2_000_000_000
Token = Callable[[], Awaitable[Secret]]


class Session:
    """Drives one World on an asyncio loop, through wires that others open.

    The links call public_* and private_*; ``run`` is the life from ready to verified stop.
    Uses no executor and no real clock, so it runs on virtual time unchanged. ``carried`` is what
    the last run of the account left; ``on_reconciled`` is told how that was found, before trading.
    ``on_halt`` keeps a sticky halt (reason, wall us) and is called off the frame path, once unless
    it raises StoreError; ``kill_asked`` says why a kill is asked for, or nothing, ``drain_asked``
    whether to end in order.
    """

    def __init__(self, world: World, fetch_token: Token, loop_interval_us: int,
                 order_deadline_us: int, carried: Carried | None = None) -> None:
        self.world = world
        self.engine = world.engine
        self.feed = world.feed
        self.gateway = world.gateway
        self.notes = world.notes
        self.stop_asked = asyncio.Event()
        self.stop_reason = ""
        self.venue_gone = False
        self.open_at_exit: int | None = None
        self.begun = self.drained = False
        self._fetch_token = fetch_token
        self.level3 = None if world.level3 is None else Level3Stream(world.level3, fetch_token,
                                                                     world.notes)
        self._interval_s = loop_interval_us / 1e6
        self._over_ns = order_deadline_us * 1000 + DOUBT_GRACE_NS
        self._ask_ns = 0
        self._kill_ns = 0
        self._halt_kept = self._halt_failed = False
        self.reconciler = Reconciler(world, self._over_ns, world.settings.reconcile_interval_us
                                     * 1000, self._send_private, carried)
        self.on_reconciled: Callable[[Reconciliation], None] = lambda report: None
        self.gap_ns = GAP_NS + loop_interval_us * 1000
        self._fresh_until_ns = 1 << 63
        self.guarded = True
        self.before_trading: Callable[[], Awaitable[None]] | None = None
        # Between the last cancel and the verification: what shall become of positions.
        self.leaving: Callable[[], Awaitable[object]] | None = None
        self.on_tick: Callable[[int], None] = lambda now_us: None
        self.on_halt: Callable[[str, int], None] = lambda reason, now_us: None
        self.kill_asked: Callable[[], str] = lambda: ""
        self.drain_asked: Callable[[], bool] = lambda: False
        self._public: Wire | None = None
        self._batch: Batch = _SINGLE
        self._private: Wire | None = None
        self._waiting = Waiting()
        self.wait_condition = self._waiting.condition
        self._seen: OrdersSeen | None = None
        self._refusals = 0
        self._sighted = self.hurried = False
        # When a run of a given length will be over; None before it trades, or without a length.
        self.ends_us: int | None = None
        self._token = Secret("")

    # --- the public link -----------------------------------------------------------------------

    def public_up(self, wire: Wire) -> None:
        """The market link is open: subscribe."""
        self._public = wire
        self._batch = getattr(wire, "batch", _SINGLE)
        self._send(wire, self.feed.connected())

    def public_down(self, reason: str) -> None:
        """The market link is gone: books are empty until it is back."""
        self._public = None
        self.feed.disconnected()
        self.engine.on_events(self.feed.take_events())
        self.notes.warn(f"market link lost: {reason}")
        self._waiting.stir()

    def public_frame(self, view: memoryview | bytes, padding: int, recv_ns: int) -> None:
        """One market frame; the view is valid during the call only."""
        if recv_ns > self._fresh_until_ns:
            self._notice_gap(recv_ns)
        bits = self.feed.on_frame(view, padding, recv_ns)
        self.world.link_seen(recv_ns)
        more = self._batch.more
        if bits & HOT:
            self.engine.on_market(self.feed.touched, bits,
                                  self.feed.trades() if bits & EVENT_TRADE else (), recv_ns, more)
        elif not more:
            self.engine.catch_up()
        if bits & RARE:
            self._after_rare()
        self._waiting.stir()

    def _after_rare(self) -> None:
        events = self.feed.take_events()
        if events:
            self.engine.on_events(events)
        frames = self.feed.take_outbox()
        if frames and self._public is not None:
            self._send(self._public, frames)

    # --- the private link ----------------------------------------------------------------------

    async def private_prepare(self) -> None:
        """Before each attempt: a fresh token. Raises what the venue refuses it with."""
        self._token = await self._fetch_token()
        self.world.set_token(self._token)

    def private_up(self, wire: Wire) -> None:
        """The trading link is open: subscribe."""
        self._private = wire
        self._send(wire, self.gateway.connected(self._token))

    def private_down(self, reason: str) -> None:
        """The trading link is gone: we are blind, and unanswered orders are in doubt."""
        self._private = None
        self._go_blind()
        self.engine.router.detach()
        self.engine.on_events(self.gateway.disconnected(reason))
        self.notes.warn(f"trading link lost: {reason}")
        self._waiting.stir()

    def private_frame(self, view: memoryview | bytes, padding: int, recv_ns: int) -> None:
        """One frame about our own orders and money."""
        if recv_ns > self._fresh_until_ns:
            self._notice_gap(recv_ns)
        self._private_events(self.gateway.on_frame(view, recv_ns))
        self._flush_private()
        self._waiting.stir()

    def _private_events(self, events: Iterable[Any]) -> None:
        for event in events:
            kind = type(event)
            if kind is OrdersSeen:
                self._seen = event
                self.reconciler.on_orders(event)
            elif kind is PrivateReady:
                self._restore_sight()
            elif kind is PrivateLost:
                self._go_blind()
            elif kind is ev.VenueError and rules.token_refused(event.code):
                self._token_refused(event.code)
            else:
                self.engine.on_events((event,))
                if kind is OrderDone and (self.engine.blind
                                          or event.client_id in self.engine.late):
                    # Its last fills may be lost on the way: the next list has to tell them.
                    self.gateway.expect(event.client_id)

    def _token_refused(self, code: str) -> None:
        """A new token, once; a venue that refuses that too refuses us."""
        self._refusals += 1
        if self._refusals > 1:
            self.fail(f"the venue refused two tokens in a row: {code}")
            return
        self.notes.warn(f"token refused ({code}): fetching a new one")
        if self._private is not None:
            self._private.close()

    def _flush_private(self) -> None:
        frames = self.gateway.take_outbox()
        if frames and self._private is not None:
            self._send(self._private, frames)

    def _restore_sight(self) -> None:
        if self._private is None:
            return
        self.engine.blind = False
        self._sighted = True
        self.world.threshold_told()
        self._refusals = 0
        self.engine.router.attach(self._private.send)
        self.reconciler.sight_restored(self.world.clock.mono_ns())
        self.reconciler.cancel_old()
        self._admit()
        self.world.guard.set_ready(True)

    def _go_blind(self) -> None:
        """No new orders until the venue has told us where we stand; cancels go out meanwhile."""
        self.engine.blind = True
        self.reconciler.listed = False
        self.engine.router.admit(False)
        self.world.guard.set_ready(False)

    # --- guarded, and awake -------------------------------------------------------------------

    def set_guarded(self, guarded: bool) -> None:
        """Without a guardian no order leaves; cancels do."""
        self.guarded = guarded
        self._admit()

    def _admit(self) -> None:
        self.engine.router.admit(self.guarded and self.engine.trading
                                 and self.engine.guard.state != HALTED
                                 and not self.engine.blind and not self.reconciler.doubtful)

    def _notice_gap(self, now_ns: int) -> None:
        """This process was stopped: what it knows is old, and others may have cancelled for it."""
        stopped_s = (now_ns - self._fresh_until_ns + self.gap_ns) / 1e9
        self._fresh_until_ns = now_ns + self.gap_ns
        self.doubt_everything(f"this process was stopped for {stopped_s:.1f} s")

    def doubt_everything(self, reason: str) -> None:
        """As after a disconnect: no order leaves before the venue told anew where we stand."""
        self.notes.warn(f"{reason}: connecting anew")
        self._go_blind()
        for wire in (self._private, self._public):
            if wire is not None:
                wire.close()

    # --- life ----------------------------------------------------------------------------------

    async def run(self, duration_s: float | None) -> None:
        """Wait until ready, trade for ``duration_s`` (None: until stopped), then drain.

        Raises Timeout if the venue is not ready in time. Orders are cancelled whatever happens.
        """
        timer = asyncio.ensure_future(self._timer())
        try:
            if not await self.wait_condition(self.ready, READY_S):
                raise Timeout(f"not ready after {READY_S:.0f} s: {self.missing()}")
            self._look_for_kill(self.world.clock.mono_ns())
            self._stop_if_halted()
            if self.before_trading is not None and not self.stop_asked.is_set():
                await self.before_trading()
            if not self.stop_asked.is_set():
                await self.reconciler.settle(self.wait_condition)
                self.on_reconciled(self.reconciler.report)
                self.world.refresh_limits()
                self.engine.start()
                self.begun = True
                self._admit()
                await self._until_stopped(duration_s)
        finally:
            try:
                await self.drain()
            finally:
                self._keep_halt()
                self.reconciler.seal(self.open_at_exit == 0)
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)

    def ready(self) -> bool:
        """True once books are trusted, the private stream is in and orders are reconciled."""
        return (self.stop_asked.is_set()
                or (self.feed.ready and self.gateway.ready and self.reconciler.reconciled
                    and not self.engine.blind))

    def missing(self) -> str:
        """What ``ready`` still waits for, in words."""
        parts = []
        if not self.feed.ready:
            parts.append("market data snapshot")
        if not self.gateway.ready:
            parts.append("private stream")
        if not self.reconciler.reconciled:
            parts.append("reconciliation of open orders")
        return ", ".join(parts) or "nothing"

    def stop(self, reason: str) -> None:
        """Ask for an orderly stop; the second call does not wait for a link that is down."""
        if self.stop_asked.is_set():
            self.hurried = True
            self.notes.warn(f"{reason}: cancelling again")
            self.engine.cancel_everything()
        else:
            self.stop_reason = reason
            self.notes.info(f"stopping: {reason}")
        self.stop_asked.set()
        self._waiting.stir()

    def fail(self, reason: str, sticky: bool = True) -> None:
        """A condition that no retry mends: halt and stop."""
        self.world.guard.halt(reason, sticky)
        self.stop(reason)

    def lose_venue(self, reason: str) -> None:
        """The venue will not answer again: stop, and do not wait for it.

        Not sticky: it says nothing about the account, and the next start reconciles anyway.
        """
        self.venue_gone = True
        self.fail(reason, sticky=False)

    async def _until_stopped(self, duration_s: float | None) -> None:
        if duration_s is not None:
            self.ends_us = self.world.clock.now_us() + int(duration_s * 1_000_000)
        try:
            await asyncio.wait_for(self.stop_asked.wait(), duration_s)
        except TimeoutError:
            self.stop_reason = "duration reached"

    async def _timer(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                self._tick()
            except Exception as error:
                # Without its timer a run has no loss limit: no new risk, but cancels still go.
                if self.engine.guard.state != HALTED or not self.stop_asked.is_set():
                    self.fail(f"the timer failed: {type(error).__name__}: {error}")
            self._keep_halt()

    def _keep_halt(self) -> None:
        """Tell a sticky halt to who keeps it: after the cancels, and again until it is kept."""
        self.world.guard.check_journal()
        if self._halt_kept or not self.world.guard.sticky:
            return
        try:
            self.on_halt(self.world.guard.reason, self.world.clock.now_us())
            self._halt_kept = True
        except StoreError as error:
            if not self._halt_failed:
                self.notes.error(f"the halt could not be kept for the next start: {error}")
            self._halt_failed = True

    def _look_for_kill(self, now_ns: int) -> None:
        if now_ns < self._kill_ns:
            return
        self._kill_ns = now_ns + KILL_AGAIN_NS
        reason = self.kill_asked()
        if reason:
            self.world.guard.halt(reason)
        elif not self.stop_asked.is_set() and self.drain_asked():
            self.stop("drain file")

    def _tick(self) -> None:
        now_ns = self.world.clock.mono_ns()
        now_us = self.world.clock.now_us()
        if now_ns > self._fresh_until_ns:
            self._notice_gap(now_ns)
        self._fresh_until_ns = now_ns + self.gap_ns
        self._look_for_kill(now_ns)
        for client_id in self.gateway.overdue(now_ns):
            self.engine.on_events((OrderDoubt(client_id, "no answer in time", now_us),))
        self._private_events(self.gateway.take_events())
        self._flush_private()
        self._after_rare()
        self.engine.catch_up()
        self._ask_about_doubt(now_ns)
        self._reconcile_in_time(now_ns)
        self.world.refresh_limits()
        self.engine.on_timer()
        self.on_tick(now_us)
        self._stop_if_halted()
        if self.engine.mute and not self.stop_asked.is_set():
            self.stop(f"every strategy is disabled: {', '.join(self.engine.disabled)}")

    def _reconcile_in_time(self, now_ns: int) -> None:
        doubtful = self.reconciler.doubtful
        if self.reconciler.tick(now_ns) and self._private is not None:
            self.gateway.ask_again(now_ns)
            self._flush_private()
        if doubtful and not self.reconciler.doubtful:
            self._admit()

    def _stop_if_halted(self) -> None:
        if self.engine.guard.state == HALTED and not self.stop_asked.is_set():
            self.stop(f"halted: {self.engine.guard.reason}")

    def _ask_about_doubt(self, now_ns: int) -> None:
        """Ask the venue for its list while something is open that should be over by now.

        A fill may come a moment after the end of its order: that moment is left to it.
        """
        if self.engine.blind or self._private is None or now_ns < self._ask_ns:
            return
        if (not self.reconciler.reconciled or self.engine.late.are_due(now_ns)
                or any(map(self._should_be_over, self.engine.rows.open_handles()))):
            self._ask_ns = now_ns + ASK_AGAIN_NS
            self.gateway.ask_again(now_ns)
            self._flush_private()

    def _should_be_over(self, handle: int) -> bool:
        """An order in doubt, or one that never rests, past its deadline."""
        table = self.engine.table
        if table.state(handle) != OrderState.DOUBT and table.tif(handle) not in (Tif.IOC, Tif.FOK):
            return False
        age_ns: int = self.world.clock.mono_ns() - table.created_ns(handle)
        return age_ns > self._over_ns

    @property
    def verified(self) -> bool:
        """True if no order is open, or if none can be: we never had a link to send one on."""
        return self.open_at_exit == 0 or (
            self.open_at_exit is None and not self._sighted
            and not self.engine.rows.open_handles())

    async def drain(self) -> None:
        """Stop strategies, cancel everything, and prove that nothing of ours is open."""
        self.engine.stop()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (0.0 if self.venue_gone else DRAIN_S)
        while True:
            # A cancel may be lost, refused for its rate, or find no wire: it is repeated.
            self.engine.cancel_everything()
            crash_points.pass_by("during_drain")
            if end_s - loop.time() < DRAIN_S / 2:
                self._insist()
            left_s = end_s - loop.time()
            if left_s < MOMENT_S or self.venue_gone or await self.wait_condition(
                    lambda: not self.engine.rows.open_handles(), min(left_s, CANCEL_AGAIN_S)):
                break
        if self.leaving is not None and self._sighted and not self.venue_gone:
            await self.leaving()
        crash_points.pass_by("after_cancel_all_before_verify")
        self.open_at_exit = await self._verify()
        self.drained = True

    def _insist(self) -> None:
        """Cancel past our own message limit: an order left open is worse than a message."""
        if self._private is None:
            return
        for client_id in self.engine.open_client_ids():
            handle = self.engine.table.find(client_id)
            self.world.count_cancel(self.engine.table.instrument(handle), handle)
            self._send(self._private, [self.gateway.cancel_frame(client_id,
                                                                 self.world.request_id())])

    async def _verify(self) -> int | None:
        """How many orders of ours the venue still lists; None if it cannot be asked."""
        seen = await self.open_orders()
        return None if seen is None else sum(
            1 for order in seen if client_id_parts(order.client_id).strategy)

    async def open_orders(self) -> tuple[ev.OrderSeen, ...] | None:
        """All that the venue lists as open, asked now; None if it cannot be asked.

        A link that was up before is waited for, unless we are hurried.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + READY_S
        hopeless = self.venue_gone or not self._sighted
        if hopeless or not await self.wait_condition(
                lambda: self.hurried or not self.engine.blind, READY_S) or self.engine.blind:
            return None
        self._seen = None
        self.gateway.ask_again(self.world.clock.mono_ns())
        self._flush_private()
        if not await self.wait_condition(lambda: self._seen is not None, end_s - loop.time()):
            return None
        return None if self._seen is None else self._seen.orders

    def _send(self, wire: Wire, frames: Iterable[bytes]) -> None:
        """Send; a wire that is closing tells its link, which comes back with a new one."""
        try:
            for frame in frames:
                wire.send(frame)
        except Disconnected as error:
            self.notes.warn(str(error))

    def _send_private(self, frames: Iterable[bytes]) -> None:
        if self._private is not None:
            self._send(self._private, frames)

    def limits_left(self) -> dict[str, Any]:
        """How much of the venue's limits and of our own is used, for the status."""
        return self.world.limits.left()

    def wires(self) -> dict[str, Wire | None]:
        """Both connections, None while one is down."""
        return {"market": self._public, "trading": self._private}
