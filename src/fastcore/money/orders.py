"""Fixed-capacity table of our orders, with the state machine of words/order.py.

Transitions answer 0 (applied), 1 (legal, nothing to do: it was known), 2 (applied, but the fills
exceed the order), -1 (illegal, nothing changed) or -2 (no such order). They never raise. Late
events are legal: a fill before the ack, a fill after the order was done. An order in DOUBT moves
to any state on proof, and is never sent again.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore.money._wide import AMOUNT_MAX, mix
else:
    from fastcore.money.wide import AMOUNT_MAX, mix

if not cython.compiled:
    (STATE, SIDE, TICKS, LOTS, FILLED, INSTRUMENT, CLIENT_ID, STRATEGY, TIF, CREATED_US,
     CREATED_NS, HELD, WISH_TICKS, WISH_LOTS, WISH_HELD, POST_ONLY) = range(16)
    ROW_BITS = 4
    (FREE, NAMED, SENT, LIVE, PARTIAL, DOUBT, FULL, CANCELED, REJECTED, EXPIRED) = range(10)
    DONE_ALREADY, OVERFILLED, ILLEGAL, NO_ORDER = 1, 2, -1, -2

FIELDS = {
    "state": STATE, "side": SIDE, "ticks": TICKS, "lots": LOTS, "filled": FILLED,
    "instrument": INSTRUMENT, "client_id": CLIENT_ID, "strategy": STRATEGY, "tif": TIF,
    "created_us": CREATED_US, "created_ns": CREATED_NS, "held": HELD, "wish_ticks": WISH_TICKS,
    "wish_lots": WISH_LOTS, "wish_held": WISH_HELD, "post_only": POST_ONLY,
}
STATES = {
    "FREE": FREE, "NAMED": NAMED, "SENT": SENT, "LIVE": LIVE, "PARTIAL": PARTIAL,
    "DOUBT": DOUBT, "FILLED": FULL, "CANCELED": CANCELED, "REJECTED": REJECTED,
    "EXPIRED": EXPIRED,
}


class OrderTable:
    """Orders by handle (0 ..< capacity) and by ClientId. All desks of a run share one.

    ``run`` and ``counter`` make the ClientIds, ``request`` the numbers of requests to the venue.
    """

    def __init__(self, capacity: int = 1024) -> None:
        if not 0 < capacity <= 1 << 20:
            raise ValueError(f"capacity must be 1..{1 << 20} orders, not {capacity}")
        self.capacity = capacity
        self.used = 0
        self.run = 0
        self.counter = 0
        self.request = 0
        self.rows = array("q", bytes(8 * 16 * capacity))
        self.free_rows = array("q", range(capacity - 1, -1, -1))
        slots = 1 << (4 * capacity - 1).bit_length()
        self.slots = array("q", [-1]) * slots
        self.mask = slots - 1

    def set_run(self, run: int) -> int:
        """Set the run number (16 bits) that goes into every ClientId. Returns 0 or -1."""
        if run < 0 or run > 65535:
            return -1
        self.run = run
        return 0

    def next_client_id(self, strategy: int) -> int:
        """A ClientId never given out before in this run, or -1 if there are no more."""
        if strategy < 0 or strategy > 31 or self.counter < 0 or self.counter >> 32:
            return -1
        self.counter += 1
        if self.counter >> 32:
            return -1
        return (strategy << 48) | (self.run << 32) | self.counter

    def next_request(self) -> int:
        """A request number never given out before in this run."""
        self.request += 1
        return self.request

    def name(self, client_id: int, instrument: int, strategy: int, side: int, ticks: int,
             lots: int, tif: int, created_us: int, created_ns: int) -> int:
        """Enter an order as NAMED. Returns its handle, -1 if full, -2 if the name is bad or taken.

        ``created_us`` is wall clock, ``created_ns`` monotonic.
        """
        if client_id <= 0 or client_id >> 53 or self.find(client_id) >= 0:
            return NO_ORDER
        if self.used >= self.capacity:
            return ILLEGAL
        self.used += 1
        handle = self.free_rows[self.capacity - self.used]
        at = handle << ROW_BITS
        self.rows[at + STATE] = NAMED
        self.rows[at + SIDE] = side
        self.rows[at + TICKS] = ticks
        self.rows[at + LOTS] = lots
        self.rows[at + FILLED] = 0
        self.rows[at + INSTRUMENT] = instrument
        self.rows[at + CLIENT_ID] = client_id
        self.rows[at + STRATEGY] = strategy
        self.rows[at + TIF] = tif
        self.rows[at + CREATED_US] = created_us
        self.rows[at + CREATED_NS] = created_ns
        self.rows[at + HELD] = 0
        self.rows[at + WISH_TICKS] = 0
        self.rows[at + WISH_LOTS] = 0
        self.rows[at + WISH_HELD] = 0
        self.rows[at + POST_ONLY] = 0
        self._remember(handle, client_id)
        return handle

    def find(self, client_id: int) -> int:
        """Handle of a ClientId, or -1."""
        slot = (client_id ^ (client_id >> 32)) & self.mask
        handle = self.slots[slot]
        while handle >= 0:
            if self.rows[(handle << ROW_BITS) + CLIENT_ID] == client_id:
                return handle
            slot = (slot + 1) & self.mask
            handle = self.slots[slot]
        return -1

    def free(self, handle: int) -> int:
        """Give the row of a done order back. Returns 0, -1 (not done) or -2 (no such order)."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        if self.rows[at + STATE] < FULL:
            return ILLEGAL
        self._forget(self.rows[at + CLIENT_ID])
        self.rows[at + STATE] = FREE
        self.free_rows[self.capacity - self.used] = handle
        self.used -= 1
        return 0

    def sent(self, handle: int) -> int:
        """Its bytes leave. Legal once, from NAMED."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        if self.rows[at + STATE] != NAMED:
            return ILLEGAL
        self.rows[at + STATE] = SENT
        return 0

    def acked(self, handle: int) -> int:
        """The venue accepted it. After a fill or the end it is no news (1)."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        state = self.rows[at + STATE]
        if state == SENT or state == DOUBT:
            self.rows[at + STATE] = PARTIAL if self.rows[at + FILLED] > 0 else LIVE
            return 0
        return ILLEGAL if state == NAMED else DONE_ALREADY

    def filled(self, handle: int, lots: int) -> int:
        """It traded ``lots``: the truth in every state but NAMED, done ones included."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        state = self.rows[at + STATE]
        if state == NAMED or lots <= 0 or lots > AMOUNT_MAX - self.rows[at + FILLED]:
            return ILLEGAL
        self.rows[at + FILLED] += lots
        # An amend on its way may have made the order larger already.
        size = self.rows[at + LOTS]
        if self.rows[at + WISH_LOTS] > size:
            size = self.rows[at + WISH_LOTS]
        if self.rows[at + FILLED] >= size:
            self.rows[at + STATE] = FULL
        elif state < FULL:
            self.rows[at + STATE] = PARTIAL
        return OVERFILLED if self.rows[at + FILLED] > size else 0

    def wish(self, handle: int, ticks: int, lots: int, held: int) -> int:
        """An amend is on its way; ``held`` are the extra lots that the gate holds for it."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        if self.rows[at + WISH_TICKS] != 0 or ticks <= 0 or lots <= 0 or held < 0:
            return ILLEGAL
        if self.rows[at + STATE] != LIVE and self.rows[at + STATE] != PARTIAL:
            return ILLEGAL
        self.rows[at + WISH_TICKS] = ticks
        self.rows[at + WISH_LOTS] = lots
        self.rows[at + WISH_HELD] = held
        return 0

    def unwish(self, handle: int) -> int:
        """No amend is on its way any more; a filled order may be over by that."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        self.rows[at + WISH_TICKS] = 0
        self.rows[at + WISH_LOTS] = 0
        self.rows[at + WISH_HELD] = 0
        if self.rows[at + STATE] < FULL and self.rows[at + FILLED] >= self.rows[at + LOTS]:
            self.rows[at + STATE] = FULL
        return 0

    def amended(self, handle: int, ticks: int, lots: int) -> int:
        """The venue changed it in place; ``lots`` is the new total, filled ones included."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        state = self.rows[at + STATE]
        if state == NAMED or state >= FULL or ticks <= 0 or lots <= 0:
            return ILLEGAL
        self.rows[at + TICKS] = ticks
        self.rows[at + LOTS] = lots
        self.rows[at + STATE] = PARTIAL if self.rows[at + FILLED] > 0 else LIVE
        return 0

    def done(self, handle: int, state: int) -> int:
        """No more can happen to it; ``state`` is FILLED, CANCELED, REJECTED or EXPIRED."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        before = self.rows[at + STATE]
        if state < FULL or state > EXPIRED:
            return ILLEGAL
        if before == NAMED and state == FULL:
            return ILLEGAL
        if before >= FULL:
            return DONE_ALREADY
        self.rows[at + STATE] = state
        return 0

    def doubt(self, handle: int) -> int:
        """Sent, outcome not known. It keeps its exposure until there is proof."""
        at = self._at(handle)
        if at < 0:
            return NO_ORDER
        state = self.rows[at + STATE]
        if state >= FULL:
            return ILLEGAL
        if state == DOUBT:
            return DONE_ALREADY
        self.rows[at + STATE] = DOUBT
        return 0

    def word(self, handle: int, index: int) -> int:
        """One word of a row by its index in FIELDS; 0 if there is no such order or word."""
        if self._at(handle) < 0 or index < 0 or index > POST_ONLY:
            return 0
        return self.rows[(handle << ROW_BITS) + index]

    def state(self, handle: int) -> int:
        """OrderState; 0 (FREE) if there is no such order."""
        return self.word(handle, STATE)

    def side(self, handle: int) -> int:
        """0 BUY, 1 SELL."""
        return self.word(handle, SIDE)

    def ticks(self, handle: int) -> int:
        """Limit price as the venue has it."""
        return self.word(handle, TICKS)

    def lots(self, handle: int) -> int:
        """Whole size, filled lots included."""
        return self.word(handle, LOTS)

    def filled_lots(self, handle: int) -> int:
        """Lots traded so far."""
        return self.word(handle, FILLED)

    def open_lots(self, handle: int) -> int:
        """Lots that may still trade; 0 for a done order."""
        if not self.is_open(handle):
            return 0
        if self.word(handle, FILLED) >= self.word(handle, LOTS):
            return 0
        return self.word(handle, LOTS) - self.word(handle, FILLED)

    def instrument(self, handle: int) -> int:
        """Index of its instrument."""
        return self.word(handle, INSTRUMENT)

    def client_id(self, handle: int) -> int:
        """Its ClientId."""
        return self.word(handle, CLIENT_ID)

    def strategy(self, handle: int) -> int:
        """Who asked for it, 0..31."""
        return self.word(handle, STRATEGY)

    def tif(self, handle: int) -> int:
        """Time in force, words/order.py Tif."""
        return self.word(handle, TIF)

    def created_us(self, handle: int) -> int:
        """Wall-clock microseconds of its naming."""
        return self.word(handle, CREATED_US)

    def created_ns(self, handle: int) -> int:
        """Monotonic nanoseconds of its naming."""
        return self.word(handle, CREATED_NS)

    def is_open(self, handle: int) -> bool:
        """True from NAMED to DOUBT: it is, or may be, working."""
        return self._at(handle) >= 0 and self.rows[(handle << ROW_BITS) + STATE] < FULL

    def set_word(self, handle, index, value):
        self.rows[(handle << ROW_BITS) + index] = value

    def get(self, handle: int) -> dict[str, int]:
        """A copy of one row by field name; empty if there is no such order."""
        if self.state(handle) == FREE:
            return {}
        return {name: self.word(handle, index) for name, index in FIELDS.items()}

    def handles(self) -> list[int]:
        """Handles of all orders not freed, in the order of their ClientIds."""
        found = [handle for handle in range(self.capacity) if self.state(handle) != FREE]
        found.sort(key=self.client_id)
        return found

    def held_handles(self) -> list[int]:
        """Handles of the orders that are not done, DOUBT included, oldest ClientId first."""
        found = []
        seen = 0
        for handle in range(self.capacity):
            if seen == self.used:
                break
            at = handle << ROW_BITS
            if self.rows[at + STATE] != FREE:
                seen += 1
                if self.rows[at + STATE] < FULL:
                    found.append(handle)
        found.sort(key=self.client_id)
        return found

    def open_count(self, instrument: int) -> int:
        """Orders of one instrument that are not done; -1 counts all instruments."""
        count = 0
        for handle in range(self.capacity):
            at = handle << ROW_BITS
            if (self.rows[at + STATE] != FREE and self.rows[at + STATE] < FULL
                    and (instrument < 0 or self.rows[at + INSTRUMENT] == instrument)):
                count += 1
        return count

    def state_hash(self) -> int:
        """64-bit digest of all rows in use and the counters; equal on every interpreter."""
        digest = mix(0, self.used)
        digest = mix(digest, self.run)
        digest = mix(digest, self.counter)
        digest = mix(digest, self.request)
        for handle in range(self.capacity):
            at = handle << ROW_BITS
            if self.rows[at + STATE] != FREE:
                digest = mix(digest, handle)
                for i in range(16):
                    digest = mix(digest, self.rows[at + i])
        return digest

    def _at(self, handle):
        if handle < 0 or handle >= self.capacity:
            return -1
        if self.rows[(handle << ROW_BITS) + STATE] == FREE:
            return -1
        return handle << ROW_BITS

    def _remember(self, handle, client_id):
        slot = (client_id ^ (client_id >> 32)) & self.mask
        while self.slots[slot] >= 0:
            slot = (slot + 1) & self.mask
        self.slots[slot] = handle

    def _forget(self, client_id):
        slot = (client_id ^ (client_id >> 32)) & self.mask
        while self.rows[(self.slots[slot] << ROW_BITS) + CLIENT_ID] != client_id:
            slot = (slot + 1) & self.mask
        # Close the gap, so that searches never need tombstones.
        empty = slot
        slot = (slot + 1) & self.mask
        while self.slots[slot] >= 0:
            handle = self.slots[slot]
            wanted = self.rows[(handle << ROW_BITS) + CLIENT_ID]
            wanted = (wanted ^ (wanted >> 32)) & self.mask
            if ((slot - wanted) & self.mask) >= ((slot - empty) & self.mask):
                self.slots[empty] = handle
                empty = slot
            slot = (slot + 1) & self.mask
        self.slots[empty] = -1
