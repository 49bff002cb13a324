"""Order lifecycle: one desk per strategy, and the bookkeeping that all of them share."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from fastcore.probe.clock import mono_ns
from fastcore.probe.trackers import ORDER_PLACEMENT
from hftbot.engine.router import Router
from hftbot.words.crash_points import pass_by, watches
from hftbot.words.instrument import Instrument
from hftbot.words.intent import Intent
from hftbot.words.market import Candle, Ticker
from hftbot.words.order import COUNTER_BITS, RUN_BITS, OpenOrder, OrderState, Tif
from hftbot.words.ports import Book, Clock, Views
from hftbot.words.verdict import Verdict

EXPIRED = -int(Verdict.DENY_EXPIRED_INTENT)
GRACE_US = 30_000_000
_STATES, _TIFS = tuple(OrderState), tuple(Tif)


class OrderBookkeeping:
    """Handles by ClientId, denials by rule, and the grace in which a done row is kept.

    A done order keeps its row for GRACE_US, so that a late fill still finds it; done orders never
    take more than half of the table.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self.denials: Counter[str] = Counter()
        self.expired = 0
        # Why a strategy wanted an order, by ClientId, as long as the order has its row.
        self.reasons: dict[int, str] = {}
        self._done: deque[tuple[int, int]] = deque()
        self._ended: set[int] = set()

    def denied(self, verdict: int) -> int:
        """Count a negative verdict under each of its rules and hand it back."""
        mask = Verdict(-verdict)
        for rule in mask:
            self.denials[str(rule.name)] += 1
        if mask & Verdict.DENY_EXPIRED_INTENT:
            self.expired += 1
        return verdict

    def finished(self, handle: int, now_us: int) -> bool:
        """An order is done: its row may be freed after the grace. False if that was said before."""
        if handle in self._ended:
            return False
        self._ended.add(handle)
        self._done.append((now_us + GRACE_US, handle))
        while len(self._done) > max(1, self.table.capacity // 2):
            self._free_oldest()
        return True

    def sweep(self, now_us: int, most: int = 64) -> None:
        """Free rows whose grace is over."""
        while self._done and most and self._done[0][0] <= now_us:
            self._free_oldest()
            most -= 1

    def _free_oldest(self) -> None:
        handle = self._done.popleft()[1]
        self._ended.discard(handle)
        self.reasons.pop(self.table.client_id(handle), None)
        self.table.free(handle)

    def ended(self) -> list[tuple[int, int]]:
        """(handle, when it ended in wall us) of the done orders that still have a row."""
        return [(handle, free_us - GRACE_US) for free_us, handle in self._done]

    def held_handles(self) -> list[int]:
        """Rows whose order is not done, DOUBT and other people's (strategy 0) included."""
        handles: list[int] = self.table.held_handles()
        return handles

    def open_handles(self) -> list[int]:
        """Rows of our own orders that are not done, DOUBT included."""
        return [handle for handle in self.held_handles() if self.table.strategy(handle)]


class StrategyDesk:
    """How one strategy speaks: implements words.ports.Desk."""

    def __init__(self, strategy: int, clock: Clock, router: Router, rows: OrderBookkeeping,
                 instruments: Sequence[Instrument], books: Sequence[Book],
                 trackers: Any, ttl_us: int = 0) -> None:
        self.strategy = strategy
        self.ttl_us = ttl_us
        self.intents = 0
        self.placing_ns = 0
        self.enabled = True
        self.views: Views | None = None
        self._clock = clock
        self._router = router
        self._rows = rows
        self._table = rows.table
        self._instruments = tuple(instruments)
        self._books = tuple(books)
        self._trackers = trackers

    def place(self, instrument: int, side: int, ticks: int, lots: int, tif: int = Tif.IOC, *,
              post_only: bool = False, ttl_us: int = 0, reason: str = "") -> int:
        """Ask for an order. Returns its ClientId, or a negative verdict."""
        return self._place(instrument, side, ticks, lots, tif, post_only, self._clock.now_us(),
                           ttl_us or self.ttl_us, reason)

    def submit(self, intent: Intent) -> int:
        """Ask for an order by Intent; an expired Intent is denied and counted.

        An Intent without a ttl of its own has the run's; one without a stamp was made now.
        """
        now_us = self._clock.now_us()
        created_us = intent.created_us or now_us
        ttl_us = intent.ttl_us or self.ttl_us
        if ttl_us and now_us - created_us > ttl_us:
            self.intents += 1
            return self._rows.denied(EXPIRED)
        return self._place(intent.instrument, intent.side, intent.ticks, intent.lots, intent.tif,
                           intent.post_only, created_us, ttl_us, intent.reason)

    def _place(self, instrument: int, side: int, ticks: int, lots: int, tif: int,
               post_only: bool, created_us: int, ttl_us: int, reason: str) -> int:
        start_ns = mono_ns()
        self.intents += 1
        if watches:
            pass_by("after_intent")
        if not self.enabled:
            return self._rows.denied(-int(Verdict.DENY_HALTED))
        handle = self._router.place(self.strategy, instrument, side, ticks, lots, tif, post_only,
                                    created_us, ttl_us)
        elapsed_ns = mono_ns() - start_ns
        self.placing_ns += elapsed_ns
        if handle < 0:
            return self._rows.denied(handle)
        self._trackers.record(ORDER_PLACEMENT, elapsed_ns)
        client_id: int = self._table.client_id(handle)
        if reason:
            self._rows.reasons[client_id] = reason
        return client_id

    def amend(self, client_id: int, ticks: int, lots: int) -> int:
        """Change a working order in place. Returns 0 or a negative verdict."""
        handle = self._own(client_id)
        if handle < 0:
            return -1
        verdict = self._router.amend(handle, ticks, lots)
        return self._rows.denied(verdict) if verdict < 0 else 0

    def replace(self, client_id: int, ticks: int, lots: int) -> int:
        """Let a working order be ``lots`` at ``ticks`` the way that costs the venue's limits least.

        Returns the ClientId of the order that is to work: the same after an amend, a new one
        after a cancel and a new order. Negative: the verdict.
        """
        handle = self._own(client_id)
        if handle < 0:
            return -1
        found = self._router.replace(handle, ticks, lots, self._clock.now_us(), self.ttl_us)
        if found < 0:
            return self._rows.denied(found)
        return int(self._table.client_id(found))

    def cancel(self, client_id: int) -> int:
        """Cancel a working order. Returns 0, or a negative number if there is nothing to do."""
        handle = self._own(client_id)
        if handle < 0:
            return -1
        return 0 if self._router.cancel_pending(client_id) else self._router.cancel(handle)

    def cancel_all(self) -> int:
        """Cancel every working order of this strategy. Returns how many were asked."""
        return sum(self.cancel(self._table.client_id(handle)) == 0 for handle in self._handles())

    def position_lots(self, instrument: int) -> int:
        """Net lots held."""
        return self._router.ledger.position_lots(instrument)

    def position_cost(self, instrument: int) -> int:
        """What the lots held cost, in ticks * lots, with their sign."""
        return int(self._router.ledger.positions[instrument].cost)

    def position_opened_us(self, instrument: int) -> int:
        """Since when they are held, wall clock; 0 if nothing is. It outlives a run."""
        return self._router.ledger.opened_us[instrument]

    def open_orders(self) -> list[OpenOrder]:
        """This strategy's orders that are not done."""
        return [open_order(self._table, handle) for handle in self._handles()]

    def instruments(self) -> Sequence[Instrument]:
        """The instruments traded in this run."""
        return self._instruments

    def book(self, instrument: int) -> Book:
        """The live book of an instrument."""
        return self._books[instrument]

    def ticker(self, instrument: int) -> Ticker | None:
        """The venue's summary of 24 hours, if the run asks for it."""
        return self.views.ticker(instrument) if self.views is not None else None

    def candles(self, instrument: int) -> Sequence[Candle]:
        """The last candles, oldest first, if the run asks for them."""
        return self.views.candles(instrument) if self.views is not None else ()

    def ahead_lots(self, client_id: int) -> int:
        """Visible size that trades before our order at its price; -1 if that is not known."""
        if self.views is None or self._own(client_id) < 0:
            return -1
        return self.views.ahead_lots(client_id)

    def now_us(self) -> int:
        """The world's wall clock, microseconds."""
        return self._clock.now_us()

    def mono_ns(self) -> int:
        """The world's monotonic clock, nanoseconds."""
        return self._clock.mono_ns()

    def _own(self, client_id: int) -> int:
        handle = int(self._table.find(client_id))
        if handle < 0 or not self._is_own(handle):
            return -1
        return handle if self._table.state(handle) < OrderState.FILLED else -1

    def _handles(self) -> list[int]:
        return [handle for handle in self._rows.open_handles() if self._is_own(handle)]

    def _is_own(self, handle: int) -> bool:
        """An order of an earlier run is nobody's, even if its strategy had this number."""
        maker = (self.strategy << RUN_BITS) + self._table.run
        return bool(self._table.client_id(handle) >> COUNTER_BITS == maker)


def open_order(table: Any, handle: int) -> OpenOrder:
    """Copy one row of the order table."""
    return OpenOrder(
        client_id=table.client_id(handle), instrument=table.instrument(handle),
        side=table.side(handle), ticks=table.ticks(handle), lots=table.lots(handle),
        filled_lots=table.filled_lots(handle), state=_STATES[table.state(handle)],
        tif=_TIFS[table.tif(handle)], created_us=table.created_us(handle))
