"""Kraken's execution reports as events; the gateway's memory of orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, rules
from hftbot.venue.kraken.limits import points_told
from hftbot.words.events import (
    Event,
    OrderAcked,
    OrderAmended,
    OrderDone,
    OrderFilled,
    OrderSeen,
    OrdersSeen,
    VenueError,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState

DONE_MAX = 256
EXPECTED_MAX = 4096
WORKING = ("pending_new", "new", "partially_filled")
ENDS = {"filled": OrderState.FILLED, "canceled": OrderState.CANCELED,
        "expired": OrderState.EXPIRED}


@dataclass(slots=True)
class Known:
    """What reports have told of one order; later reports do not repeat symbol and side."""

    venue_id: str = ""
    client_id: int = 0
    instrument: Instrument | None = None
    foreign: bool = False
    side: Side | None = None
    ticks: int = 0
    lots: int = 0
    filled: int = 0
    done: bool = False


class Reports:
    """Execution reports to events. Orders are known by the venue's id, ours by ClientId too.

    Of an order that is not ours (client_id 0) only fills and snapshot rows are told; of symbols
    that we do not trade, nothing.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.foreign = self.external = self.odd_fees = 0
        # Called with an instrument and the whole points of its counter, if a report tells them.
        self.on_count: Callable[[int, int], None] = lambda instrument, points: None
        # Whether a fill, by the venue's id, is part of our position already.
        self.booked: Callable[[str], bool] = lambda fill_id: False
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._orders: dict[str, Known] = {}
        self._reported: dict[int, str] = {}
        self._expected: dict[int, None] = {}
        self._done: deque[str] = deque()
        self._adopted: dict[str, int] = {}
        # Fills of a snapshot that nobody needs and that cannot be read, each told once.
        self._left_out: set[str] = set()
        # Orders of ours that the last frame was about.
        self.touched: set[int] = set()

    def expect(self, client_id: int) -> None:
        """An order of ours may be working: its fills are told even from a snapshot."""
        self._expected[client_id] = None
        if len(self._expected) > EXPECTED_MAX:
            del self._expected[next(iter(self._expected))]

    def dismiss(self, client_id: int) -> None:
        """An order of ours is over or never was."""
        self._expected.pop(client_id, None)

    def named(self, venue_id: str, client_id: int) -> None:
        """The answer to a request gave the venue's id of an order."""
        known = self._orders.setdefault(venue_id, Known(venue_id))
        known.client_id = client_id

    def adopt(self, venue_id: str, client_id: int) -> None:
        """An order that is not ours by name has this ClientId here."""
        self._adopted[venue_id] = client_id
        self.named(venue_id, client_id)

    def venue_id(self, client_id: int) -> str:
        """The venue's id of an order of ours, empty if no report told it."""
        return self._reported.get(client_id, "")

    def client_of(self, venue_id: str) -> int:
        """The ClientId of an order that the venue names, 0 if it is not ours."""
        known = self._orders.get(venue_id)
        return known.client_id if known is not None else 0

    def reported(self, client_id: int) -> bool:
        """True if a report told of this order of ours."""
        return client_id in self._reported

    def awaited(self) -> bool:
        """True if any order may still be filled."""
        return bool(self._expected) or len(self._orders) > len(self._done)

    def update(self, message: codec.Row, ts_us: int, found: list[Event]) -> None:
        """All reports of one frame; an unreadable one raises BadFrame after the others."""
        trouble: BadFrame | None = None
        self.touched.clear()
        for row in codec.rows(message):
            try:
                self._count(row, self._told(row, ts_us, found))
            except BadFrame as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def snapshot(self, message: codec.Row, ts_us: int, found: list[Event]) -> None:
        """Fills that we may have missed, oldest first, then all working orders."""
        reports = list(codec.rows(message))
        fills = [row for row in reports if row.get("exec_type") == "trade"]
        for row in sorted(fills, key=lambda row: codec.text_or(row, "timestamp")):
            before = self._orders.get(codec.text(row, "order_id"))
            ours = codec.client_id_parse(codec.text_or(row, "cl_ord_id"))
            if ours in self._expected or (before is not None and not before.done):
                self._missed(row, ts_us, found)
        working = [row for row in reports if row.get("order_status") in WORKING
                   and row.get("exec_type") != "trade"]
        self._orders = {venue_id: known for venue_id, known in self._orders.items() if known.done}
        self._reported = {known.client_id: venue_id for venue_id, known in self._orders.items()
                          if known.client_id}
        seen = []
        for row in working:
            known = self._known(row)
            if known.instrument is not None:
                seen.append(_seen(row, known, codec.stamp_us(row, default_us=ts_us)))
        found.append(OrdersSeen(tuple(seen), ts_us))

    def statistics(self) -> dict[str, int]:
        """Counters for the summary."""
        return {"foreign_reports": self.foreign, "external_reports": self.external,
                "odd_fees": self.odd_fees, "fills_left_out": len(self._left_out)}

    def _missed(self, row: codec.Row, ts_us: int, found: list[Event]) -> None:
        """A fill that a snapshot lists; one that changes no position of ours may be unreadable.

        The venue lists what was traded before, and its ticks or lots may be coarser since.
        """
        try:
            self._told(row, ts_us, found)
        except BadFrame as error:
            fill_id = codec.text_or(row, "exec_id")
            known = self._orders.get(codec.text(row, "order_id"))
            if not self.booked(fill_id) and (known is None or known.client_id):
                raise
            if fill_id not in self._left_out:
                self._left_out.add(fill_id)
                found.append(VenueError(f"an old fill that cannot be read is left out: {error}"
                                        [:codec.TEXT_MAX], ts_us))

    def _told(self, row: codec.Row, ts_us: int, found: list[Event]) -> Known:
        known = self._known(row)
        kind = codec.text(row, "exec_type")
        stamp_us = codec.stamp_us(row, default_us=ts_us)
        if known.foreign:
            self.foreign += 1
        elif kind == "trade":
            found.append(self._fill(row, known, stamp_us))
        elif not known.client_id:
            self.external += 1
        elif kind in ("pending_new", "new"):
            found.append(OrderAcked(known.client_id, known.venue_id, stamp_us,
                                    live=kind == "new"))
        elif kind in ("amended", "restated"):
            if known.instrument is not None and known.ticks and known.lots:
                found.append(OrderAmended(known.client_id, known.ticks, known.lots, stamp_us))
        elif kind in ENDS:
            found.append(_done(row, known, ENDS[kind], stamp_us))
        if kind in ENDS and not known.done:
            self._ended(known.venue_id, known)
        return known

    def _count(self, row: codec.Row, known: Known) -> None:
        """The venue's own counter of the pair may stand in any report of it."""
        points = points_told(row)
        if points >= 0 and known.instrument is not None:
            self.on_count(known.instrument.index, points)

    def _known(self, row: codec.Row) -> Known:
        venue_id = codec.text(row, "order_id")
        known = self._orders.get(venue_id)
        if known is None:
            known = self._orders[venue_id] = Known(venue_id)
        name = codec.text_or(row, "cl_ord_id")
        known.client_id = (known.client_id or codec.client_id_parse(name)
                           or self._adopted.get(venue_id, 0))
        if known.client_id:
            self._reported[known.client_id] = known.venue_id
            self.touched.add(known.client_id)
        if known.instrument is None and row.get("symbol") is not None:
            known.instrument = self._instruments.get(codec.text(row, "symbol"))
            known.foreign = known.instrument is None
        if row.get("side") is not None:
            known.side = codec.side(row)
        if known.instrument is not None:
            self._sizes(row, known, known.instrument)
        return known

    def _sizes(self, row: codec.Row, known: Known, grid: Instrument) -> None:
        try:
            if row.get("order_qty") is not None:
                known.lots = codec.lots(row, "order_qty", grid)
            if row.get("cum_qty") is not None:
                known.filled = codec.lots(row, "cum_qty", grid)
            if row.get("limit_price") is not None:
                known.ticks = codec.ticks(row, "limit_price", grid)
        except BadFrame:
            # Somebody else's order may carry a price that is no price, such as a trailing offset,
            # or sizes of a time when lots were finer.
            if known.client_id:
                raise

    def _fill(self, row: codec.Row, known: Known, ts_us: int) -> OrderFilled:
        grid = known.instrument
        if grid is None or known.side is None:
            raise BadFrame("a fill of an order whose symbol and side were never told")
        ticks = codec.ticks(row, "last_price", grid)
        lots = codec.lots(row, "last_qty", grid)
        exec_id = codec.text(row, "exec_id")
        if not lots or not exec_id:
            raise BadFrame("a fill without size or id")
        if row.get("cum_qty") is None:
            known.filled += lots
        return OrderFilled(
            known.client_id, known.venue_id, exec_id, grid.index, int(known.side),
            ticks, lots, self._fee_e10(row, grid, ticks),
            codec.text_or(row, "liquidity_ind") == "m", ts_us)

    def _fee_e10(self, row: codec.Row, grid: Instrument, ticks: int) -> int:
        """Fees in 1e-10 quote units; those taken in base are valued at the fill's price."""
        if row.get("fees") is None:
            return 0
        total = 0
        for fee in codec.rows(row, "fees"):
            asset, amount = codec.text(fee, "asset"), codec.e10(fee, "qty")
            if asset == grid.base:
                # Rounded up: a fee is never understated.
                amount = -(-amount * ticks * grid.tick_units // 10**grid.price_precision)
            elif asset != grid.quote:
                self.odd_fees += 1
                amount = codec.e10(row, "fee_usd_equiv") if row.get("fee_usd_equiv") else 0
            total += amount
        return total

    def _ended(self, venue_id: str, known: Known) -> None:
        """Keep a done order a while, for reports that come late."""
        known.done = True
        self.dismiss(known.client_id)
        self._done.append(venue_id)
        while len(self._done) > DONE_MAX:
            oldest = self._done.popleft()
            self._adopted.pop(oldest, None)
            gone = self._orders.pop(oldest, None)
            if gone is not None:
                self._reported.pop(gone.client_id, None)


def _done(row: codec.Row, known: Known, state: OrderState, ts_us: int) -> OrderDone:
    reason = codec.text_or(row, "reason") or codec.text_or(row, "cancel_reason")
    if reason.endswith(rules.POST_ONLY_REASON) and not known.filled:
        state, reason = OrderState.REJECTED, rules.POST_ONLY
    return OrderDone(known.client_id, state, known.filled, reason, ts_us)


def _seen(row: codec.Row, known: Known, ts_us: int) -> OrderSeen:
    if known.instrument is None or known.side is None:
        raise BadFrame("a working order without symbol or side")
    return OrderSeen(known.client_id, codec.text(row, "order_id"), known.instrument.index,
                     int(known.side), known.ticks, known.lots, known.filled, ts_us)
