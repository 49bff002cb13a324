"""One instrument's hot half, inbound: a frame becomes a book that may be traded on."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

if cython.compiled:
    from cython.cimports.fastcore.probe.clock import mono_ns
else:
    from fastcore.probe.clock import mono_ns

    (BIT_BOOK, BIT_TOP, BIT_TRADE, BIT_SNAPSHOT, BIT_RESYNC, BIT_OTHER, BIT_COLD, BIT_BAD,
     BIT_HEARTBEAT) = [1 << i for i in range(9)]
    KIND_COLD, KIND_BOOK_UPDATE, KIND_BOOK_SNAPSHOT, KIND_TRADE, KIND_HEARTBEAT = range(5)
    INEXACT = -5
    EMPTY, SUSPECT, TRUSTED = 0, 1, 2
    BOOK_UPDATE, FAIR_PRICE_CALC = 4, 5
    REASON_NONE, REASON_CHECKSUM, REASON_CROSSED, REASON_INEXACT, REASON_LEVEL = range(5)

EVENT_BOOK = BIT_BOOK              # the book changed and is trusted
EVENT_TOP = BIT_TOP                # its best price or size changed
EVENT_TRADE = BIT_TRADE            # the decoder holds public trades
EVENT_SNAPSHOT = BIT_SNAPSHOT      # the whole book was replaced
EVENT_RESYNC = BIT_RESYNC          # the book became suspect: subscribe it again
EVENT_OTHER = BIT_OTHER            # for the lane of decoder.instrument: call its apply()
EVENT_COLD = BIT_COLD              # valid, but not for the hot path
EVENT_BAD = BIT_BAD                # cannot be read: see last_error
EVENT_HEARTBEAT = BIT_HEARTBEAT
REASONS = {REASON_NONE: "", REASON_CHECKSUM: "checksum mismatch", REASON_CROSSED: "crossed book",
           REASON_INEXACT: "a number is off the instrument's grid",
           REASON_LEVEL: "a level that cannot be"}


class Lane:
    """Decodes frames, applies them to its book, verifies the checksum, sets trust and fair value.

    ``instrument`` is also the decoder's index of the symbol. ``checksum``, ``fair`` and
    ``trackers`` may be None. Updates are ignored until a snapshot came, and again after the book
    became suspect.
    """

    def __init__(self, instrument, decoder, book, checksum=None, fair=None,
                 trackers=None) -> None:
        if decoder is None or book is None:
            raise ValueError("a Lane needs a decoder and a book")
        self.instrument = instrument
        self.decoder = decoder
        self.book = book
        self.checksum = checksum
        self.fair = fair
        self.trackers = trackers
        self.fair_ticks = 0.0
        self.last_error = 0
        self.resync_reason = REASON_NONE
        self.book_frames = 0
        self.trade_frames = 0
        self.ignored = 0
        self.resyncs = 0
        self.bad_frames = 0

    def on_frame(self, buffer, padding: int, recv_ns: int) -> int:
        """Take one frame and answer with EVENT_* bits; 0 means that nothing came of it.

        ``padding`` is how many bytes behind the buffer may be read (64 lets it be parsed in
        place), ``recv_ns`` the monotonic time of its arrival.
        """
        started_ns = 0
        if self.trackers is not None:
            started_ns = mono_ns()
        self.decoder.decode(buffer, padding)
        return self._sort(recv_ns, started_ns)

    def apply(self, recv_ns: int) -> int:
        """Apply what the shared decoder holds, after another lane answered EVENT_OTHER."""
        return self._sort(recv_ns, mono_ns() if self.trackers is not None else 0)

    def reset(self) -> int:
        """The link was lost: the book is EMPTY until the next snapshot. Returns the old trust."""
        before = self.book.trust
        self.book.clear()
        self.book.trust = EMPTY
        self.fair_ticks = 0.0
        return before

    def _sort(self, recv_ns, started_ns):
        kind = self.decoder.kind
        if kind < 0:
            return self._failed(kind)
        if kind == KIND_HEARTBEAT:
            return BIT_HEARTBEAT
        if kind == KIND_COLD:
            return BIT_COLD
        if self.decoder.instrument != self.instrument:
            return BIT_OTHER
        if kind == KIND_TRADE:
            self.trade_frames += 1
            return BIT_TRADE
        return self._book(recv_ns, started_ns)

    def _failed(self, error):
        if error == INEXACT and self.decoder.instrument >= 0:
            if self.decoder.instrument != self.instrument:
                return BIT_OTHER
            self.last_error = error
            self.bad_frames += 1
            return BIT_BAD | self._suspect(REASON_INEXACT)
        self.last_error = error
        self.bad_frames += 1
        return BIT_BAD

    def _book(self, recv_ns, started_ns):
        kind = self.decoder.kind
        bits = BIT_BOOK
        moved = 0
        wrong = 0
        if kind == KIND_BOOK_SNAPSHOT:
            self.book.clear()
            bits = BIT_BOOK | BIT_TOP | BIT_SNAPSHOT
        elif self.book.trust != TRUSTED:
            self.ignored += 1
            return 0
        for i in range(self.decoder.level_count):
            code = self.book.update(self.decoder.levels[3 * i], self.decoder.levels[3 * i + 1],
                                    self.decoder.levels[3 * i + 2])
            if code > 0:
                moved = 1
            elif code == -1:
                wrong = 1
        self.book.truncate()
        if self.decoder.ts_us > 0:
            self.book.ts_us = self.decoder.ts_us
        self.book.recv_ns = recv_ns
        if wrong:
            return self._suspect(REASON_LEVEL)
        if self.checksum is not None:
            if self.checksum.compute(self.book) != self.decoder.checksum:
                return self._suspect(REASON_CHECKSUM)
        if self.book.crossed():
            return self._suspect(REASON_CROSSED)
        self.book.trust = TRUSTED
        self.book_frames += 1
        if moved:
            bits |= BIT_TOP
        if self.trackers is not None:
            self.trackers.record(BOOK_UPDATE, mono_ns() - started_ns)
        self._price()
        return bits

    def _price(self):
        if self.fair is None:
            return
        if self.trackers is None:
            self.fair_ticks = self.fair.microprice(self.book)
            return
        started_ns = mono_ns()
        self.fair_ticks = self.fair.microprice(self.book)
        self.trackers.record(FAIR_PRICE_CALC, mono_ns() - started_ns)

    def _suspect(self, reason):
        self.book.trust = SUSPECT
        self.fair_ticks = 0.0
        self.resync_reason = reason
        self.resyncs += 1
        return BIT_RESYNC


def replay(lane, desk, frames, edge_ticks: int, lots: int = 1, padding: int = 0,
           now_ns: int = 1_000_000_000) -> tuple[int, int]:
    """Drive a lane and a desk over frames, as live trading does; returns (orders, good frames).

    After each book change the fair value is held against the mid: an IOC for ``lots`` at the
    touch goes out where they differ by at least ``edge_ticks``, and is at once done unfilled. A
    frame is good if it did not make the book suspect. Time starts at ``now_ns`` and takes 1 ms a
    frame.
    """
    orders = 0
    good = 0
    edge = 2.0 * edge_ticks
    now_us = 0
    for frame in frames:
        now_ns += 1_000_000
        bits = lane.on_frame(frame, padding, now_ns)
        if bits & (BIT_RESYNC | BIT_BAD) == 0:
            good += 1
        if bits & BIT_BOOK == 0 or lane.book.best_bid() == 0:
            continue
        desk.gate.link_seen_ns = now_ns
        gap = 2.0 * lane.fair_ticks - (lane.book.best_bid() + lane.book.best_ask())
        if gap < edge and -gap < edge:
            continue
        side = 0 if gap >= 0.0 else 1
        now_us = lane.book.ts_us
        handle = desk.place(0, side, lane.book.best_ask() if side == 0 else lane.book.best_bid(),
                            lots, 1, False, now_us, 0, now_us, now_ns)
        if handle >= 0:
            orders += 1
            desk.retire(handle)
    return orders, good
