"""What an account holds, against what we know of it: at the start, after a loss, on a timer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastcore.lane.desk import KIND_SEEN, KIND_STATE
from hftbot.engine.guard import HALTED, REDUCING
from hftbot.engine.ledger import fill_key
from hftbot.engine.reconcile import (
    ExternalSeen,
    OrderFate,
    PositionDiffered,
    Reconciliation,
    compare,
)
from hftbot.engine.recover import (
    KIND_FILL_TEXT,
    STATE_CHECK,
    STATE_CLEAN,
    STATE_FIRST,
    Carried,
    ReplayedOrder,
    fill_text,
    key_rows,
    state_hash,
)
from hftbot.live.world import World
from hftbot.words import crash_points
from hftbot.words.events import OrderDoubt, OrderSeen, OrdersSeen
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument
from hftbot.words.order import OrderState, Tif, client_id_parts

STATE_NS = 1_000_000_000
LOOK_NS = 1_000_000_000
LOOKS = 3
SETTLE_S = 5.0
EXTERNAL = 0
Send = Callable[[list[bytes]], None]
Wait = Callable[[Callable[[], bool], float], Awaitable[bool]]


class Reconciler:
    """Keeps our orders and positions equal to the venue's, and tells where they were not.

    ``report`` is about the start. Orders of earlier runs are adopted under their own ClientId,
    with their exposure, and cancelled; orders that are not ours by name are adopted as strategy
    EXTERNAL and left alone. ``over_ns``: an order that never arrived is over after that.
    ``doubtful``: a position disagrees after a reconnect, and nothing new is placed.
    """

    def __init__(self, world: World, over_ns: int, interval_ns: int, send: Send,
                 carried: Carried | None = None) -> None:
        self.world = world
        self.engine = world.engine
        self.report = Reconciliation()
        self.listed = False
        self.doubtful = False
        self.leftovers_cancelled = 0
        self._over_ns = over_ns
        self._interval_ns = interval_ns
        self._send = send
        self._old: set[int] = set()
        self._arrived: set[int] = set()
        self._warned: set[str] = set()
        self._state_ns = 0
        self._noted = (0, (0, 0))
        self._next_ns = world.clock.mono_ns() + interval_ns
        self._asked = False
        self._unlisted: set[int] = set()
        self._unlisted_ns = 0
        self._looks = 0
        self._look_ns = 0
        self._last_look: list[tuple[int, int, int]] = []
        self._told: list[tuple[int, int, int]] = []
        if carried is not None:
            self._restore(carried)
        self._checkpoint(STATE_FIRST)
        self.engine.observers.append(self)

    # --- at the start --------------------------------------------------------------------------

    def _restore(self, carried: Carried) -> None:
        """Begin where an earlier run ended; each row is in the new journal before we go on."""
        world, now_us = self.world, self.world.clock.now_us()
        self.report = Reconciliation(carried.run, carried.clean, carried.records, carried.last_us,
                                     carried.lost)
        for index, held in enumerate(carried.positions):
            if held.lots:
                world.desks[index].adopt_position(held.lots, held.cost, now_us, held.opened_us)
                world.ledger.opened_us[index] = held.opened_us
        crash_points.pass_by("mid_recover")
        for order in carried.orders:
            self._restore_order(order, now_us)
        for client_id in carried.ended:
            world.gateway.expect(client_id)
        world.ledger.carry(carried.keys)
        for keys in key_rows(carried.keys):
            self._append(KIND_SEEN, *keys, now_us, 0)
        world.guard.carry_day(carried.day, carried.first_profit_e10)
        world.limits.resume(carried.spent, [order.instrument for order in carried.orders])

    def _restore_order(self, order: ReplayedOrder, now_us: int) -> None:
        age_ns = max(0, now_us - order.created_us) * 1000
        desk = self.world.desks[order.instrument]
        client_id = order.client_id
        handle = desk.adopt(client_id, order.side, order.ticks, order.lots, order.filled,
                            order.tif, now_us, self.world.clock.mono_ns() - age_ns,
                            bool(order.post_only), order.created_us)
        self.report.fates[client_id] = OrderFate(
            client_id, order.instrument, order.side, order.ticks, order.lots, order.filled,
            OrderState(order.state))
        self.world.gateway.expect(client_id)
        if handle < 0:
            self.world.notes.warn(f"order {client_id} of run {self.report.run} cannot be taken "
                                  "over: its exposure does not count")
            return
        if order.wish_ticks:
            desk.adopt_wish(handle, order.wish_ticks, order.wish_lots, now_us)
        desk.doubt(handle, now_us)
        self._old.add(client_id)
        if order.arrived:
            self._arrived.add(client_id)

    async def settle(self, wait: Wait) -> None:
        """Once all orders are explained: the positions, the venue's word last.

        Fills and balances come by two channels: a difference has to last before it is believed.
        """
        if self.report.run or self.report.fates:
            await wait(self._agrees_or_lasts, SETTLE_S)
        if self.world.ledger.leave_others:
            self.report.remarks += self.world.set_aside()
        self.report.positions = self.world.positions_told()
        self.report.differences += self.world.adopt_positions()

    def _agrees_or_lasts(self) -> bool:
        found, now_ns = self.world.position_differences(), self.world.clock.mono_ns()
        if found != self._last_look:
            self._last_look, self._look_ns = found, now_ns
        return not found or now_ns - self._look_ns >= LOOK_NS

    @property
    def reconciled(self) -> bool:
        """True while the venue's list was seen and no order of an earlier run is open."""
        return self.listed and not self._old

    # --- the venue's list ----------------------------------------------------------------------

    def on_orders(self, seen: OrdersSeen) -> None:
        """Venue truth against our rows."""
        clock, engine = self.world.clock, self.engine
        difference = compare(seen, engine.table, engine.rows.held_handles(), clock.mono_ns(),
                             self._over_ns, self._arrived)
        asked, self._asked = self._asked, False
        if asked:
            for ended in difference.ended:
                self.world.notes.warn(f"order {ended.client_id} is over: the venue lists it no "
                                      "more, and its end was not told")
        for order in seen.orders:
            if order.client_id in self.report.fates:
                self.report.fates[order.client_id].listed = True
        engine.on_events(difference.ended)
        crash_points.pass_by("mid_reconcile")
        engine.on_events(difference.proved)
        for client_id in difference.unproved:
            # What was sent while the list was on its way is no news: the next list may tell.
            if asked and client_id not in self._old:
                self._unlisted.add(client_id)
                self._unlisted_ns = clock.mono_ns() + self._over_ns
            else:
                engine.on_events((OrderDoubt(client_id, "not in the venue's list yet",
                                             clock.now_us()),))
        for client_id in difference.missing:
            if client_id not in self._old:
                self.world.guard.halt(f"order {client_id}: the venue counts fills that it never "
                                      "told")
        leftovers = set(difference.leftovers)
        self.listed = True
        for order in seen.orders:
            if order.venue_id in leftovers:
                self._take_over(order)
        # The venue knew it: once it is no longer listed, it is over.
        self._arrived |= self._old & {order.client_id for order in seen.orders}
        self.cancel_old()

    def _take_over(self, order: OrderSeen) -> None:
        """An order that no row of ours explains counts in the exposure from now on."""
        ours = order.client_id != 0
        first = order.venue_id not in self._warned
        self._warned.add(order.venue_id)
        if not ours and self.world.ledger.leave_others:
            self._leave(order, first)
            return
        client_id = order.client_id or self.engine.table.next_client_id(EXTERNAL)
        handle = self.world.desks[order.instrument].adopt(
            client_id, order.side, order.ticks, order.lots, order.filled_lots, int(Tif.GTC),
            self.world.clock.now_us(), self.world.clock.mono_ns())
        if ours:
            self._take_over_ours(order, handle >= 0, first)
            return
        if handle >= 0:
            self.world.gateway.adopt(order.venue_id, client_id)
        self._leave(order, first, handle >= 0)

    def _leave(self, order: OrderSeen, first: bool, counted: bool = False) -> None:
        """An order of somebody else is told of once, and never touched."""
        if first:
            self.report.externals.append(ExternalSeen(
                order.venue_id, order.instrument, order.side, order.ticks, order.lots,
                counted, order.ts_us))
            self.world.notes.warn(
                f"open order {order.venue_id} is not ours by name: left alone, and "
                + ("counted in our exposure" if counted else "not counted in our exposure"))

    def _take_over_ours(self, order: OrderSeen, adopted: bool, first: bool) -> None:
        if first:
            self.leftovers_cancelled += 1
            self.world.notes.warn(f"open order {order.venue_id} of an earlier run: cancelling it")
            self.report.fates[order.client_id] = OrderFate(
                order.client_id, order.instrument, order.side, order.ticks, order.lots,
                order.filled_lots, None, True)
        if adopted:
            self._old.add(order.client_id)
            self.world.gateway.expect(order.client_id)
            return
        # No row for it: it has to be gone before we count as reconciled all the same.
        self.listed = False
        if self.world.spend_cancel(order.instrument):
            self._send([self.world.gateway.cancel_venue_frame(order.venue_id,
                                                              self.world.request_id())])

    def cancel_old(self) -> None:
        """Ask for the end of what earlier runs left working; again, until it is over."""
        table, router = self.engine.table, self.world.router
        for client_id in sorted(self._old):
            handle = table.find(client_id)
            if table.state(handle) in (OrderState.LIVE, OrderState.PARTIAL) \
                    and not router.cancel_pending(client_id):
                router.cancel(handle, urgent=True)

    # --- observer of the engine ----------------------------------------------------------------

    def on_fill(self, fill: Fill, grid: Instrument, bid: int, ask: int) -> None:
        """The fill's own name goes into the journal; one that an earlier run missed is told."""
        self.world.journal.append(KIND_FILL_TEXT, fill_text(fill_key(fill.fill_id), fill.maker,
                                                            fill.fill_id))
        if client_id_parts(fill.client_id).run != self.engine.table.run and fill.client_id:
            self.report.fills_found += 1
            fate = self.report.fates.get(fill.client_id)
            if fate is not None:
                fate.found_lots += fill.lots

    def on_done(self, client_id: int, state: OrderState, reason: str, ts_us: int) -> None:
        """An order of an earlier run is over."""
        self._old.discard(client_id)
        self._arrived.discard(client_id)
        fate = self.report.fates.get(client_id)
        if fate is not None and fate.state is None:
            fate.state, fate.reason = state, reason

    # --- on the timer --------------------------------------------------------------------------

    def tick(self, now_ns: int) -> bool:
        """Do what is due. True if the venue has to be asked for its list."""
        if now_ns >= self._state_ns:
            self._state_ns = now_ns + STATE_NS
            if (self.world.journal.sequence, self.world.guard.day) != self._noted:
                self._checkpoint(STATE_CHECK)
        if self.engine.blind:
            return False
        self.cancel_old()
        if not self.engine.trading:
            return False
        if self._looks and now_ns >= self._look_ns:
            self._look(now_ns)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self._interval_ns
            self._begin_looks(now_ns)
            self._asked = True
        elif self._unlisted and now_ns >= self._unlisted_ns:
            table = self.engine.table
            self._asked = any(table.is_open(table.find(client_id))
                              for client_id in self._unlisted)
            self._unlisted.clear()
        else:
            return False
        return self._asked

    def sight_restored(self, now_ns: int) -> None:
        """After a reconnect nothing is quoted on a position that the venue does not confirm."""
        if self.engine.trading:
            self.doubtful = bool(self.world.position_differences())
            if self.doubtful:
                self._begin_looks(now_ns)

    def _begin_looks(self, now_ns: int) -> None:
        self._looks = 1
        self._look_ns = now_ns
        self._last_look = []

    def _look(self, now_ns: int) -> None:
        """Only what stays different in all looks counts."""
        found = self.world.position_differences()
        same = [(row[0], row[2] - row[1]) for row in found] == [
            (row[0], row[2] - row[1]) for row in self._last_look]
        self._looks = self._looks + 1 if same else 2
        self._last_look = found
        self._look_ns = now_ns + LOOK_NS
        if found and self._looks <= LOOKS:
            return
        self._looks = 0
        self.doubtful = False
        if found and found != self._told:
            self._told = found
            self._differ(found)

    def _differ(self, found: list[tuple[int, int, int]]) -> None:
        now_us = self.world.clock.now_us()
        for index, lots, wanted in found:
            grid = self.world.instruments[index]
            self.report.differences.append(PositionDiffered(index, lots, wanted, False, now_us))
            sentence = (f"{grid.symbol}: we hold {grid.qty_text(lots)}, the venue says "
                        f"{grid.qty_text(wanted)}, and no fill explains it")
            self.world.notes.warn(sentence)
            self.world.guard.raise_to(REDUCING, sentence)

    # --- the journal ---------------------------------------------------------------------------

    def seal(self, verified: bool) -> None:
        """The end of the run; ``verified``: the venue confirmed that nothing of ours is open."""
        self._checkpoint(STATE_CLEAN if verified else STATE_CHECK)

    def _checkpoint(self, mark: int) -> None:
        table = self.engine.table
        day, profit_e10 = self.world.guard.day
        self._append(KIND_STATE, state_hash(table, self.world.ledger.positions), day, profit_e10,
                     table.counter, self.world.clock.now_us(), mark)
        self._noted = (self.world.journal.sequence, (day, profit_e10))

    def _append(self, kind: int, *words: Any) -> None:
        if self.world.journal.append_words(kind, 0, 0, *words) < 0:
            self.world.account.state = HALTED
