"""Kraken's public stream: routes hot frames to their lanes and reads the cold ones.

Sans-IO: frames come in through ``on_frame``; what has to be sent waits in the outbox, what the
engine should know in the events. A book that fails its checksum is subscribed afresh, that symbol
alone; repeated failures are asked again ever more slowly.

Kraken beats one heart for the whole connection, so a frozen subscription of one symbol shows only
in what that symbol says: trades that its book does not follow make it suspect, and a book that was
quiet for long is asked for afresh while it stays trusted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from fastcore.lane.lane import (
    EVENT_BAD,
    EVENT_BOOK,
    EVENT_COLD,
    EVENT_HEARTBEAT,
    EVENT_OTHER,
    EVENT_RESYNC,
    EVENT_SNAPSHOT,
    EVENT_TRADE,
    REASONS,
)
from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, refusals, rules
from hftbot.venue.kraken.recovery import ANSWER_NS, SECOND_NS, Recovery
from hftbot.venue.kraken.summaries import CHANNELS as SUMMARIES
from hftbot.venue.kraken.summaries import Summaries
from hftbot.words.events import Event, ModeChanged, TrustChanged, VenueError
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, VenueMode

HOT = EVENT_BOOK | EVENT_SNAPSHOT | EVENT_TRADE | EVENT_RESYNC
RARE = EVENT_SNAPSHOT | EVENT_TRADE | EVENT_RESYNC | EVENT_COLD | EVENT_BAD | EVENT_HEARTBEAT
DEPTHS = (10, 25, 100, 500, 1000)
BAD_FRAMES_MAX = 10
BAD_WINDOW_NS = 60 * SECOND_NS
TRADE_WORDS = 5
_BENIGN = ("Already subscribed", "Subscription Not Found")


class Feed:
    """Market data of the given instruments over one public connection.

    ``lanes[i]`` belongs to ``instruments[i]`` and all share one decoder, whose symbols were added
    in the same order. ``touched`` is the index of the last hot frame's instrument. A book without
    an update for ``quiet_ns`` is asked for afresh (0: never). ``summaries`` adds tickers and
    candles. Raises ValueError for a depth that the venue does not offer.
    """

    def __init__(self, instruments: Sequence[Instrument], lanes: Sequence[Any],
                 depth: int = 10, quiet_ns: int = 0, summaries: Summaries | None = None) -> None:
        if depth not in DEPTHS:
            raise ValueError(f"a book has {', '.join(map(str, DEPTHS))} levels, not {depth}")
        if not instruments or len(instruments) != len(lanes):
            raise ValueError("one lane for each instrument")
        if [instrument.index for instrument in instruments] != list(range(len(lanes))):
            raise ValueError("instruments come in the order of their indexes, from 0")
        self.instruments = tuple(instruments)
        self.lanes = tuple(lanes)
        self.depth = depth
        self.summaries = summaries or Summaries(instruments)
        self.quiet_ns = quiet_ns
        self.probes = self.contradictions = 0
        self.touched = 0
        self.last_seen_ns = 0
        self.mode: VenueMode | None = None
        self.frames = self.bad_frames = self.resyncs = self.trade_gaps = self.unknown = 0
        self.unmapped = 0
        self._first = lanes[0]
        self._decoder = lanes[0].decoder
        self._index = {instrument.symbol: instrument.index for instrument in instruments}
        self._recovery = [Recovery() for _ in instruments]
        self._trade_id = [0] * len(instruments)
        self._bad_ns: deque[int] = deque(maxlen=BAD_FRAMES_MAX)
        self._ts_us = 0
        self._system = VenueMode.DOWN
        self._pairs: dict[str, VenueMode] = {}
        self._outbox: list[bytes] = []
        self._events: list[Event] = []

    @property
    def ready(self) -> bool:
        """True if the venue's mode is known and every book has a verified snapshot."""
        return self.mode is not None and all(entry.synced for entry in self._recovery)

    def connected(self) -> list[bytes]:
        """The subscriptions to send on a new connection."""
        symbols = [instrument.symbol for instrument in self.instruments]
        return [codec.subscribe("instrument", snapshot=True),
                codec.subscribe("book", symbols, depth=self.depth, snapshot=True),
                codec.subscribe("trade", symbols, snapshot=False),
                *self.summaries.subscriptions()]

    def disconnected(self) -> None:
        """The connection is gone: books are emptied until the next snapshot."""
        for instrument, lane in zip(self.instruments, self.lanes, strict=True):
            if lane.reset() != BookTrust.EMPTY:
                self._trust(instrument.index, BookTrust.EMPTY, "disconnected")
        self._recovery = [Recovery() for _ in self.instruments]
        self._trade_id = [0] * len(self.instruments)
        self._outbox.clear()
        self._bad_ns.clear()
        self._pairs.clear()
        self.summaries.forget()
        self._system = VenueMode.DOWN
        self.mode = None

    def on_frame(self, view: bytes | memoryview, padding: int, recv_ns: int) -> int:
        """One text frame; never raises. Returns the event bits of the lane it belonged to.

        ``padding`` is how many bytes after the view may be read; ``recv_ns`` is monotonic.
        """
        bits: int = self._first.on_frame(view, padding, recv_ns)
        self.last_seen_ns = recv_ns
        self.frames += 1
        if bits & EVENT_OTHER:
            self.touched = self._decoder.instrument
            bits = self.lanes[self.touched].apply(recv_ns)
        elif bits & HOT:
            self.touched = 0
        if bits & RARE:
            self._rare(bits, view, recv_ns)
        return bits

    def take_outbox(self) -> list[bytes]:
        """Frames that have to be sent now."""
        taken, self._outbox = self._outbox, []
        return taken

    def take_events(self) -> list[Event]:
        """What happened since the last call, oldest first."""
        taken, self._events = self._events, []
        return taken

    def trades(self) -> Iterator[tuple[int, ...]]:
        """(side, ticks, lots, trade_id, ts_us) of each trade in the last trade frame."""
        words = iter(self._decoder.trades[:TRADE_WORDS * self._decoder.trade_count])
        return zip(words, words, words, words, words, strict=True)

    def statistics(self) -> dict[str, int]:
        """Counters for the summary."""
        return {"frames": self.frames, "bad_frames": self.bad_frames, "resyncs": self.resyncs,
                "trade_gaps": self.trade_gaps, "unknown_messages": self.unknown,
                "probes": self.probes, "contradictions": self.contradictions,
                "unmapped_errors": self.unmapped, "stale_candles": self.summaries.stale}

    def _rare(self, bits: int, view: bytes | memoryview, recv_ns: int) -> None:
        self._ts_us = self._decoder.ts_us or self._ts_us
        if bits & EVENT_TRADE:
            self._check_trades(recv_ns)
        if bits & EVENT_RESYNC:
            self._broke(self.touched, recv_ns, REASONS[self.lanes[self.touched].resync_reason])
        elif bits & EVENT_SNAPSHOT:
            expected = self._recovery[self.touched].probed_ns > 0
            self._recovery[self.touched].arrived()
            if not expected:
                self._trust(self.touched, BookTrust.TRUSTED, "snapshot verified")
        if bits & EVENT_BAD:
            self._bad(view, recv_ns)
        if bits & EVENT_COLD:
            try:
                self._cold(codec.parse(view))
            except BadFrame:
                self._bad(view, recv_ns)
        for index, entry in enumerate(self._recovery):
            if entry.synced:
                self._cross_check(index, entry, recv_ns)
            if entry.due(recv_ns):
                self._ask(index, recv_ns)
                self.resyncs += 1

    def _cross_check(self, index: int, entry: Recovery, now_ns: int) -> None:
        """A book that contradicts its trades is lost; one long quiet has to prove itself."""
        book_ns = self.lanes[index].book.recv_ns
        if entry.contradicted(book_ns, now_ns):
            self.contradictions += 1
            self._lose(index, now_ns, "trades that the book does not follow")
        elif entry.probed_ns:
            if now_ns - entry.probed_ns > ANSWER_NS:
                self._lose(index, now_ns, "no answer to the question for a quiet book")
        elif self.quiet_ns and now_ns - book_ns > self.quiet_ns:
            self.probes += 1
            self._ask(index, now_ns)
            entry.probed_ns = now_ns

    def _check_trades(self, now_ns: int) -> None:
        index = self.touched
        entry, book = self._recovery[index], self.lanes[index].book
        for _side, ticks, _lots, trade_id, _ts_us in self.trades():
            if entry.synced:
                outside = not book.best_bid() <= ticks <= book.best_ask()
                entry.traded(outside, book.recv_ns, now_ns)
            if 0 < self._trade_id[index] < trade_id - 1:
                self.trade_gaps += 1
            self._trade_id[index] = max(trade_id, self._trade_id[index])

    def _broke(self, index: int, now_ns: int, reason: str) -> None:
        if self._recovery[index].synced:
            self._trust(index, BookTrust.SUSPECT, reason)
        self._recovery[index].broke(now_ns)

    def _ask(self, index: int, now_ns: int) -> None:
        symbols = [self.instruments[index].symbol]
        self._outbox += [codec.subscribe("book", symbols, undo=True, depth=self.depth),
                         codec.subscribe("book", symbols, depth=self.depth, snapshot=True)]
        self._recovery[index].asked(now_ns)

    def _bad(self, view: bytes | memoryview, now_ns: int) -> None:
        self.bad_frames += 1
        if bytes(view[:len(rules.PROXY_RESTART)]) == rules.PROXY_RESTART.encode():
            self._say(rules.PROXY_RESTART, 0)
            return
        index = self._book_of(view)
        if index >= 0:
            self._lose(index, now_ns, "a frame of this book cannot be read")
        self._bad_ns.append(now_ns)
        if len(self._bad_ns) == BAD_FRAMES_MAX and now_ns - self._bad_ns[0] < BAD_WINDOW_NS:
            self._bad_ns.clear()
            self._say(f"{BAD_FRAMES_MAX} unreadable frames within a minute", 0)
            for index in range(len(self.lanes)):
                self._lose(index, now_ns, "unreadable frames")

    def _book_of(self, view: bytes | memoryview) -> int:
        """Whose book frame could not be applied; -1 if it was another frame or no JSON."""
        try:
            message = codec.parse(view)
            if message.get("channel") == "book":
                for row in codec.rows(message):
                    return self._index.get(codec.text(row, "symbol"), -1)
        except BadFrame:
            pass
        return -1

    def _lose(self, index: int, now_ns: int, reason: str) -> None:
        """An update is missing, although the book does not show it yet."""
        if self._recovery[index].synced:
            self.lanes[index].reset()
        self._broke(index, now_ns, reason)

    def _cold(self, message: dict[str, Any]) -> None:
        channel = message.get("channel")
        if channel == "status":
            for row in codec.rows(message):
                self._system = rules.mode_of(codec.text(row, "system"))
                self._mode_moved(announce=self.mode is None)
        elif channel == "instrument":
            self._instruments(message)
        elif channel in SUMMARIES and "method" not in message:
            self.summaries.on_message(message)
        elif message.get("error") is not None or message.get("Error") is not None:
            self._refused(message)
        elif "method" not in message and channel != "heartbeat":
            self.unknown += 1

    def _instruments(self, message: dict[str, Any]) -> None:
        for row in rules.instruments_from(message):
            index = self._index.get(row.symbol)
            if index is None:
                continue
            ours = self.instruments[index]
            if (row.price_precision, row.qty_precision, row.tick_units, row.lot_units) != (
                    ours.price_precision, ours.qty_precision, ours.tick_units, ours.lot_units):
                # Our ticks no longer mean the venue's: nothing may be sent on this pair.
                self._pairs[row.symbol] = VenueMode.DOWN
                self._say(f"{row.symbol}: the venue changed its price or size grid; restart", 0)
            else:
                self._pairs[row.symbol] = rules.pair_mode_of(row.status)
        self._mode_moved(announce=False)

    def _mode_moved(self, announce: bool) -> None:
        """Tell the strictest of the system's mode and our pairs' modes, if it changed."""
        if self.mode is None and not announce:
            return
        mode = max(self._system, *self._pairs.values(), VenueMode.OPEN)
        if announce or mode != self.mode:
            self.mode = mode
            self._events.append(ModeChanged(mode, self._ts_us))

    def _refused(self, message: dict[str, Any]) -> None:
        key = "error" if message.get("error") is not None else "Error"
        code = codec.text(message, key)
        symbol = codec.text_or(message, "symbol")
        if code.startswith(_BENIGN):
            return
        self.unmapped += not refusals.row_of(code)
        self._say(f"{code} ({symbol})" if symbol and symbol not in code else code,
                  codec.stamp_us(message, "time_out"))

    def _say(self, code: str, ts_us: int) -> None:
        self._events.append(VenueError(code, ts_us or self._ts_us))

    def _trust(self, index: int, trust: BookTrust, reason: str) -> None:
        self._events.append(TrustChanged(index, trust, reason, self._ts_us))
