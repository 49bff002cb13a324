"""The exchange of a replayed instrument: our orders in its recorded book."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.latency cimport OrderLatency
from fastcore.sim.replay_bus cimport Bus
from fastcore.sim.replay_depth cimport Depth


cdef class ExchangeSide:
    # What every exchange model has. Order records are kept in the row that the sender chose.
    cdef Depth depth
    cdef Bus requests                  # to us
    cdef Bus responses                 # from us
    cdef OrderLatency latency
    cdef readonly int64_t next_row     # first event row not processed
    cdef int64_t capacity
    cdef int64_t[::1] orders           # rows of ORDER_WORDS
    cdef int64_t[::1] live             # whether an order rests in that row
    cdef readonly int64_t open_orders
    cdef int64_t answers               # responses so far

    cdef int advance(self, int64_t limit_ns, int stops) noexcept nogil
    @cython.locals(at=int64_t, data_ns=int64_t)
    cdef int64_t next_ns(self) noexcept nogil
    @cython.locals(at=int64_t, source=int64_t, k=int64_t)
    cdef void respond(self, int64_t row, int64_t request) noexcept nogil
    @cython.locals(at=int64_t, source=int64_t, k=int64_t)
    cdef int64_t accept(self) noexcept nogil
    @cython.locals(row=int64_t)
    cdef int64_t find_live(self, int64_t at) noexcept nogil
    @cython.locals(at=int64_t, source=int64_t, k=int64_t)
    cdef void refuse(self, int64_t source, int64_t exch_ns) noexcept nogil
    cdef bint needs_room(self) noexcept nogil


cdef class BookExchange(ExchangeSide):
    cdef int partial
    cdef int queue_kind
    cdef double queue_power
    cdef double[::1] fronts            # quantity before each order, in base units
    cdef double[::1] traded            # what trades took from its level since the last depth row
    cdef int64_t[::1] resting          # rows of resting orders by arrival; sells in the second half
    cdef int64_t[::1] counts
    cdef int64_t alarms                # of the book, when its marks were last made
    # What we took from levels since their last rows, SPENT_LEVELS a side.
    cdef int64_t[::1] spent_keys, spent_lots, spent

    # recorded rows
    @cython.locals(answers=int64_t, until_ns=int64_t)
    cdef int advance(self, int64_t limit_ns, int stops) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, ev=int64_t, kind=int64_t, side=int64_t, price=double)
    cdef int event(self, int64_t i) noexcept nogil
    @cython.final
    @cython.locals(key=int64_t, best=int64_t, before=double, i=int64_t, row=int64_t)
    cdef void level(self, int64_t side, double price, double quantity,
                    int64_t exch_ns) noexcept nogil
    @cython.final
    @cython.locals(i=int64_t, row=int64_t)
    cdef void pass_by(self, int64_t side, int64_t key, int64_t exch_ns) noexcept nogil
    @cython.final
    @cython.locals(side=int64_t, key=int64_t, left=int64_t, i=int64_t, row=int64_t, lots=int64_t)
    cdef void trade(self, int64_t taker, double price, double quantity,
                    int64_t exch_ns) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t)
    cdef int fill(self, int64_t row, int64_t lots, int64_t exch_ns) noexcept nogil

    # our orders
    @cython.final
    @cython.locals(source=int64_t, exch_ns=int64_t, request=int64_t, row=int64_t)
    cdef void serve(self) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, side=int64_t, tif=int64_t, crosses=cython.int)
    cdef void arrive(self, int64_t row, int64_t exch_ns, int64_t request) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, side=int64_t)
    cdef void take_whole(self, int64_t row, int64_t exch_ns, int64_t request) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, side=int64_t, wanted=int64_t, key=int64_t, levels=int64_t)
    cdef void take_shown(self, int64_t row, int64_t exch_ns, int64_t request) noexcept nogil
    @cython.final
    cdef bint within(self, int64_t row, int64_t key) noexcept nogil
    @cython.final
    @cython.locals(side=int64_t, key=int64_t, levels=int64_t, lots=int64_t)
    cdef int64_t shown_within(self, int64_t row) noexcept nogil
    @cython.final
    @cython.locals(lots=int64_t, i=int64_t)
    cdef int64_t shown(self, int64_t side, int64_t key) noexcept nogil
    @cython.final
    @cython.locals(i=int64_t)
    cdef void spend(self, int64_t side, int64_t key, int64_t lots) noexcept nogil
    @cython.final
    @cython.locals(start=int64_t, i=int64_t)
    cdef void refresh(self, int64_t side, int64_t key) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, side=int64_t, key=int64_t)
    cdef void rest(self, int64_t row, int64_t exch_ns, int64_t request) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t)
    cdef void end(self, int64_t row, int64_t status, int64_t exch_ns,
                  int64_t request) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t, ticks=int64_t, lots=int64_t, stays=cython.int)
    cdef void change(self, int64_t row, int64_t source, int64_t exch_ns) noexcept nogil
    @cython.final
    @cython.locals(at=int64_t)
    cdef void execute(self, int64_t row, int64_t ticks, int64_t lots, int maker, int64_t exch_ns,
                      int64_t request) noexcept nogil
    @cython.final
    cdef int64_t key_of(self, int64_t row) noexcept nogil
    @cython.final
    @cython.locals(side=int64_t, at=int64_t, kept=int64_t, i=int64_t, other=int64_t)
    cdef void drop(self, int64_t row) noexcept nogil
    @cython.final
    @cython.locals(side=int64_t, i=int64_t)
    cdef void mark_all(self) noexcept nogil
