"""One instrument's hot half, outbound: a wish becomes a named, journaled order text."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.codec.text cimport KrakenOrderText
from fastcore.market.book cimport OrderBook
from fastcore.money.journal cimport Journal
from fastcore.money.orders cimport OrderTable
from fastcore.money.position cimport Position
from fastcore.money.risk cimport AccountRisk, RiskGate
from fastcore.money.throttle cimport TradingCounter
from fastcore.probe.trackers cimport Trackers

cdef enum:  # kinds of journal rows; desk.py shows them to Python as KIND_*
    ROW_ORDER = 1
    ROW_FILL = 2
    ROW_DONE = 3
    ROW_ACK = 4
    ROW_CANCEL = 5
    ROW_AMEND = 6
    ROW_DOUBT = 7
    ROW_AMENDED = 8
    ROW_ADOPT = 9
    ROW_POSITION = 10
    ROW_AMEND_REFUSED = 11
    ROW_DISCARD = 12
    ROW_STATE = 13
    ROW_SEEN = 14

cdef enum:
    RISK_CHECK = 2          # tracker
    RELEASED = -1           # in the HELD word: the gate holds nothing for it any more
    NOT_JOURNALED = 3       # answer: applied, but the journal refused, and the account is halted


@cython.final
cdef class LaneDesk:
    cdef readonly int64_t instrument
    cdef readonly OrderTable table          # shared by all desks
    cdef readonly RiskGate gate
    cdef readonly AccountRisk account       # shared by all gates
    cdef readonly Position position
    cdef readonly OrderBook book
    cdef readonly KrakenOrderText text
    cdef public Journal journal             # never None: World.use_journal goes on in another
    cdef readonly TradingCounter counter    # shared by all desks
    cdef readonly Trackers trackers         # or None
    cdef public int64_t deadline_us         # how long the venue may match it, 0 = no deadline
    cdef readonly int64_t request           # number in the frame
    cdef readonly bint framed               # frame() holds something to send
    cdef readonly int64_t placed
    cdef readonly int64_t denied

    # to the venue
    @cython.locals(mask=int64_t, started_ns=int64_t)
    cpdef int64_t place(self, int64_t strategy, int side, int64_t ticks, int64_t lots, int tif,
                        bint post_only, int64_t created_us, int64_t ttl_us, int64_t now_us,
                        int64_t now_ns) noexcept nogil
    @cython.locals(extra=int64_t, open_lots=int64_t, mask=int64_t, side=int, cost=int64_t)
    cpdef int64_t amend(self, int64_t handle, int64_t ticks, int64_t lots, int64_t now_us,
                        int64_t now_ns) noexcept nogil
    @cython.locals(cost=int64_t)
    cpdef int64_t cancel(self, int64_t handle, int64_t now_us, int64_t now_ns,
                         bint urgent=*) noexcept nogil

    # from the venue
    @cython.locals(state=int64_t)
    cpdef int64_t acked(self, int64_t handle, int64_t now_us=*) noexcept nogil
    cpdef int64_t rejected(self, int64_t handle, int64_t now_us=*) noexcept nogil
    @cython.locals(code=int64_t, journaled=int64_t, held=int64_t, side=int)
    cpdef int64_t fill(self, int64_t handle, int64_t ticks, int64_t lots, int64_t fee_e10,
                       int64_t fill_key=*, int64_t now_us=*) noexcept nogil
    @cython.locals(journaled=int64_t)
    cpdef int64_t stray_fill(self, int64_t client_id, int side, int64_t ticks, int64_t lots,
                             int64_t fee_e10, int64_t fill_key=*,
                             int64_t now_us=*) noexcept nogil
    @cython.locals(code=int64_t)
    cpdef int64_t done(self, int64_t handle, int64_t state, int64_t now_us=*) noexcept nogil
    cpdef int64_t doubt(self, int64_t handle, int64_t now_us=*) noexcept nogil
    @cython.locals(side=int, held=int64_t, open_lots=int64_t, code=int64_t)
    cpdef int64_t amended(self, int64_t handle, int64_t ticks, int64_t lots,
                          int64_t now_us=*) noexcept nogil
    cpdef int64_t amend_rejected(self, int64_t handle, int64_t now_us=*) noexcept nogil
    cpdef int64_t discard(self, int64_t handle, int64_t now_us=*) noexcept nogil
    cpdef int64_t retire(self, int64_t handle) noexcept nogil

    # from an earlier run, or from the venue's own books
    @cython.locals(handle=int64_t, flags=int64_t)
    cpdef int64_t adopt(self, int64_t client_id, int side, int64_t ticks, int64_t lots,
                        int64_t filled_lots, int tif, int64_t now_us, int64_t now_ns,
                        bint post_only=*, int64_t created_us=*) noexcept nogil
    @cython.locals(extra=int64_t)
    cpdef int64_t adopt_wish(self, int64_t handle, int64_t ticks, int64_t lots,
                             int64_t now_us) noexcept nogil
    @cython.locals(code=int64_t)
    cpdef int64_t adopt_position(self, int64_t lots, int64_t cost, int64_t now_us,
                                 int64_t opened_us) noexcept nogil

    # inside
    @cython.locals(client_id=int64_t, handle=int64_t, deadline=int64_t, flags=int64_t)
    cdef int64_t _name_and_send(self, int64_t strategy, int side, int64_t ticks, int64_t lots,
                                int tif, bint post_only, int64_t created_us, int64_t now_us,
                                int64_t now_ns) noexcept nogil
    cdef int64_t _undo(self, int64_t handle, int64_t reason) noexcept nogil
    cdef void _spend(self, int64_t cost, int64_t now_ns) noexcept nogil
    cdef int64_t _venue_rules(self, int64_t cost, int64_t now_ns, bint reserved) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void _settle(self, int64_t handle) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void _unwish(self, int64_t handle) noexcept nogil
    @cython.locals(before=int64_t, after=int64_t)
    cdef int64_t _apply(self, int64_t strategy, int side, int64_t ticks, int64_t lots,
                        int64_t fee_e10) noexcept nogil
    cdef int64_t _note(self, int64_t kind, int64_t handle, int64_t w2, int64_t w3, int64_t w4,
                       int64_t w5, int64_t now_us) noexcept nogil
