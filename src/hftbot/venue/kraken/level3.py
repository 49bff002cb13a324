"""Kraken's level 3: the book order by order, and so the queue that our own orders stand in.

Another address, another token, another checksum. Sans-IO, as the feed; off the order's way.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hftbot.errors import BadFrame, ChecksumMismatch
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.recovery import Recovery
from hftbot.words.events import Event, TrustChanged, VenueError
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, Side
from hftbot.words.secret import Secret

DEPTHS = (10, 100, 1000)
COSTS = {10: 5, 100: 25, 1000: 100}
COST_MAX = 200
CHECKED_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Resting:
    """One visible order of the book. ``placed_ns`` is its place in the queue, wall clock."""

    placed_ns: int
    venue_id: str
    lots: int


class Level3Book:
    """The visible orders of one instrument, best price first, each level in its queue's order."""

    def __init__(self, instrument: Instrument, depth: int) -> None:
        self.instrument = instrument
        self.depth = depth
        self.trust = BookTrust.EMPTY
        self._levels: tuple[dict[int, list[Resting]], ...] = ({}, {})
        # Keys of the prices, ascending from the best: bids are negative.
        self._ranked: tuple[list[int], ...] = ([], [])
        self._places: dict[str, tuple[int, int]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self.trust = BookTrust.EMPTY
        for side in (0, 1):
            self._levels[side].clear()
            self._ranked[side].clear()
        self._places.clear()

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """(ticks, lots) of the best levels, as the aggregated book has them."""
        return [(abs(key), sum(order.lots for order in self._levels[side][key]))
                for key in self._ranked[side][:count]]

    def queue(self, side: int, ticks: int) -> tuple[Resting, ...]:
        """The orders of a level, who is next first; empty if the book does not show it."""
        return tuple(self._levels[side].get(_key(side, ticks), ()))

    def ahead_lots(self, venue_id: str) -> int:
        """How much visible size of its level trades before this order; -1 if it is not shown."""
        place = self._places.get(venue_id)
        if place is None:
            return -1
        ahead = 0
        for order in self._levels[place[0]][place[1]]:
            if order.venue_id == venue_id:
                break
            ahead += order.lots
        return ahead

    def apply(self, row: codec.Row, snapshot: bool) -> None:
        """One row of a message. Raises BadFrame or ChecksumMismatch: the book is then SUSPECT."""
        try:
            if snapshot:
                self.clear()
            for name, side in (("bids", Side.BUY), ("asks", Side.SELL)):
                for entry in codec.rows(row, name):
                    self._change(int(side), entry, snapshot)
                self._truncate(int(side))
            wanted = codec.integer(row, "checksum")
            if self.checksum() != wanted:
                raise ChecksumMismatch(f"{self.instrument.symbol} level 3: {self.checksum()}, the "
                                       f"venue says {wanted}")
        except (BadFrame, ChecksumMismatch):
            self.trust = BookTrust.SUSPECT
            raise
        self.trust = BookTrust.TRUSTED

    def checksum(self) -> int:
        """CRC-32 of every order of the best ten levels a side: asks, then bids, queue order."""
        tick, lot = self.instrument.tick_units, self.instrument.lot_units
        digits = [f"{abs(key) * tick}{order.lots * lot}"
                  for side in (1, 0) for key in self._ranked[side][:CHECKED_LEVELS]
                  for order in self._levels[side][key]]
        return zlib.crc32("".join(digits).encode())

    def _change(self, side: int, entry: codec.Row, snapshot: bool) -> None:
        venue_id = codec.text(entry, "order_id")
        event = "add" if snapshot else codec.text(entry, "event")
        if event not in ("add", "modify", "delete"):
            raise BadFrame(f"event {event:.20} is neither add, modify nor delete")
        key = _key(side, codec.ticks(entry, "limit_price", self.instrument))
        lots = codec.lots(entry, "order_qty", self.instrument)
        placed_ns = codec.time_ns(codec.text(entry, "timestamp"))
        self._remove(venue_id)
        if event == "delete":
            return
        if lots < 1:
            raise BadFrame("order_qty of a resting order is zero")
        level = self._levels[side].get(key)
        if level is None:
            level = self._levels[side][key] = []
            insort(self._ranked[side], key)
        insort(level, Resting(placed_ns, venue_id, lots), key=lambda order: order.placed_ns)
        self._places[venue_id] = (side, key)

    def _remove(self, venue_id: str) -> None:
        """An order leaves; one that the window has lost before is not missed."""
        place = self._places.pop(venue_id, None)
        if place is None:
            return
        side, key = place
        level = self._levels[side][key]
        level[:] = [order for order in level if order.venue_id != venue_id]
        if not level:
            del self._levels[side][key]
            del self._ranked[side][bisect_left(self._ranked[side], key)]

    def _truncate(self, side: int) -> None:
        ranked = self._ranked[side]
        while len(ranked) > self.depth:
            for order in self._levels[side].pop(ranked.pop()):
                del self._places[order.venue_id]


def _key(side: int, ticks: int) -> int:
    return ticks if side else -ticks


class Level3Feed:
    """Level 3 of the given instruments over one authenticated connection.

    A book that breaks is subscribed afresh, alone, ever more slowly. Raises ValueError for a depth
    that the venue does not offer, or more symbols than it takes at once.
    """

    def __init__(self, instruments: Sequence[Instrument], depth: int = 10) -> None:
        if depth not in DEPTHS:
            raise ValueError(f"level 3 has {', '.join(map(str, DEPTHS))} levels, not {depth}")
        cost = COSTS[depth] * len(instruments)
        if cost > COST_MAX:
            raise ValueError(f"level 3 of {len(instruments)} symbols at depth {depth} costs "
                             f"{cost}, the venue takes {COST_MAX} a second; use fewer symbols or "
                             "levels")
        self.instruments = tuple(instruments)
        self.depth = depth
        self.books = tuple(Level3Book(grid, depth) for grid in instruments)
        self.frames = self.bad_frames = self.resyncs = 0
        self._index = {grid.symbol: index for index, grid in enumerate(instruments)}
        self._recovery = [Recovery() for _ in instruments]
        self._token = Secret("")
        self._outbox: list[bytes] = []
        self._events: list[Event] = []

    def connected(self, token: Secret) -> list[bytes]:
        """The subscription to send on a new connection, with its token."""
        self._token = token
        return [self._subscribe([grid.symbol for grid in self.instruments])]

    def disconnected(self) -> None:
        """The connection is gone: books are empty until the next snapshot."""
        for index, book in enumerate(self.books):
            if book.trust != BookTrust.EMPTY:
                book.clear()
                self._events.append(TrustChanged(index, BookTrust.EMPTY, "disconnected", 0))
        self._recovery = [Recovery() for _ in self.instruments]
        self._outbox.clear()

    def on_frame(self, view: bytes | memoryview, recv_ns: int) -> bool:
        """One text frame; never raises. True if a book changed and is trusted."""
        self.frames += 1
        changed = False
        try:
            message = codec.parse(view)
            if message.get("channel") == "level3" and "method" not in message:
                changed = self._books(message, recv_ns)
            elif message.get("error") is not None:
                self._refused(message)
        except BadFrame:
            self.bad_frames += 1
            # Whose update it was is not known: what a book missed, its checksum will tell.
        for index, entry in enumerate(self._recovery):
            if entry.due(recv_ns):
                self._ask(index, recv_ns)
        return changed

    def take_outbox(self) -> list[bytes]:
        """Frames that have to be sent now."""
        taken, self._outbox = self._outbox, []
        return taken

    def take_events(self) -> list[Event]:
        """What happened since the last call, oldest first."""
        taken, self._events = self._events, []
        return taken

    def statistics(self) -> dict[str, int]:
        """Counters for the summary."""
        return {"frames": self.frames, "bad_frames": self.bad_frames, "resyncs": self.resyncs}

    def _books(self, message: dict[str, Any], recv_ns: int) -> bool:
        snapshot = message.get("type") == "snapshot"
        changed = False
        for row in codec.rows(message):
            index = self._index.get(codec.text(row, "symbol"), -1)
            if index < 0 or not (snapshot or self._recovery[index].synced):
                continue
            ts_us = codec.stamp_us(row)
            try:
                self.books[index].apply(row, snapshot)
            except (BadFrame, ChecksumMismatch) as error:
                self.bad_frames += isinstance(error, BadFrame)
                self._recovery[index].broke(recv_ns)
                self._events.append(TrustChanged(index, BookTrust.SUSPECT, str(error), ts_us))
                continue
            changed = True
            if snapshot:
                self._recovery[index].arrived()
                self._events.append(TrustChanged(index, BookTrust.TRUSTED, "snapshot verified",
                                                 ts_us))
        return changed

    def _refused(self, message: dict[str, Any]) -> None:
        code = codec.text(message, "error")
        if not code.startswith(("Already subscribed", "Subscription Not Found")):
            self._events.append(VenueError(code, codec.stamp_us(message, "time_out")))

    def _ask(self, index: int, now_ns: int) -> None:
        symbols = [self.instruments[index].symbol]
        self.resyncs += 1
        self._outbox += [self._subscribe(symbols, undo=True), self._subscribe(symbols)]
        self._recovery[index].asked(now_ns)

    def _subscribe(self, symbols: list[str], undo: bool = False) -> bytes:
        more = {} if undo else {"snapshot": True}
        return codec.subscribe("level3", symbols, undo=undo, depth=self.depth, **more,
                               token=self._token.reveal())
