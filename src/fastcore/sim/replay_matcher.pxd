cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastcore.sim.ladder cimport Ladder


@cython.final
cdef class ReplayMatcher:
    # The recorded book.
    cdef Ladder ladder
    # Our orders in order of arrival; `ahead`: lots estimated before us in the level.
    cdef int64_t[::1] ids, owners, sides, prices, leaves, ahead, expiry
    cdef int64_t[::1] display, visible
    cdef int64_t[::1] fill_rows, change_rows, cancel_rows
    cdef int64_t last_id
    cdef uint64_t mask, prime
    cdef readonly int64_t capacity, open_orders
    cdef readonly int64_t fill_count, change_count, cancel_count
    # Outcome of the last call: codes.py; lots.
    cdef readonly int state, reason
    cdef readonly int64_t filled, remaining
    # Time of the earliest GTD expiry (0: none), and price of the last recorded trade.
    cdef readonly int64_t expiry_us, last_ticks

    cpdef void clear_events(self) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_fill(self, int64_t maker_id, int64_t maker_owner, int64_t taker_id,
                        int64_t taker_owner, int taker_side, int64_t ticks, int64_t lots,
                        int64_t left) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_change(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_cancel(self, int64_t row, int reason) noexcept nogil
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list fills(self)
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list changes(self)
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list cancels(self)

    @cython.locals(before=int64_t, row=int64_t, after=int64_t)
    cpdef void depth(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(other=cython.int, row=int64_t, best=int64_t)
    cdef void uncross(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(i=int64_t)
    cdef void advance_queues(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(i=int64_t, reached=cython.int)
    cdef void pass_by(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(ours=cython.int, taken=int64_t, i=int64_t, price=int64_t, reach=int64_t)
    cpdef void trade(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    cdef void fill_ours(self, int64_t row, int64_t lots) noexcept nogil
    @cython.locals(row=int64_t, best=int64_t)
    cpdef void clear(self, int side, int64_t ticks=*) noexcept nogil

    @cython.locals(i=int64_t)
    cdef int64_t row_of(self, int64_t order_id) noexcept nogil
    @cython.locals(i=int64_t)
    cdef void drop(self, int64_t row) noexcept nogil
    cdef void show(self, int64_t row) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int crosses(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(found=int64_t, rank=int64_t, row=int64_t, price=int64_t)
    cpdef int64_t fillable(self, int64_t owner, int side, int64_t ticks, int64_t lots,
                           int stp) noexcept nogil
    @cython.locals(stopped=cython.int, i=int64_t, price=int64_t, meets=cython.int)
    cdef int meets_own(self, int64_t owner, int side, int64_t ticks, int stp) noexcept nogil
    @cython.locals(left=int64_t, rank=int64_t, row=int64_t, price=int64_t, quantity=int64_t)
    cdef int64_t take(self, int64_t order_id, int64_t owner, int side, int64_t ticks,
                      int64_t lots) noexcept nogil
    @cython.locals(i=int64_t)
    cdef void queue(self, int64_t order_id, int64_t owner, int side, int64_t ticks,
                    int64_t lots, int64_t expire_us, int64_t display) noexcept nogil
    @cython.locals(stopped=cython.int, left=int64_t)
    cdef void arrive(self, int64_t order_id, int64_t owner, int side, int64_t ticks,
                     int64_t lots, int keep, int stp, int64_t expire_us,
                     int64_t display) noexcept nogil

    @cython.locals(keep=cython.int)
    cpdef int64_t place(self, int64_t owner, int side, int64_t ticks, int64_t lots, int tif=*,
                        int post_only=*, int stp=*, int64_t expire_us=*,
                        int64_t display=*) noexcept nogil
    @cython.locals(row=int64_t, side=cython.int, owner=int64_t, expire_us=int64_t,
                   shown=int64_t)
    cpdef int64_t amend(self, int64_t order_id, int64_t ticks, int64_t lots, int post_only=*,
                        int stp=*, int64_t display=*) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int64_t cancel(self, int64_t order_id) noexcept nogil
    @cython.locals(i=int64_t, due=int64_t)
    cpdef int64_t expire(self, int64_t now_us) noexcept nogil

    cpdef int64_t best(self, int side) noexcept nogil
    cpdef int64_t count(self, int side) noexcept nogil
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    cpdef list levels(self, int side, int64_t count)
    @cython.locals(row=int64_t)
    cpdef int64_t leaves_of(self, int64_t order_id) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int64_t ahead_of(self, int64_t order_id) noexcept nogil
    @cython.locals(lots=int64_t)
    cpdef list orders_at(self, int side, int64_t ticks)
    cdef uint64_t mix(self, uint64_t seed, int64_t value) noexcept nogil
    @cython.locals(seed=uint64_t, side=cython.int, rank=int64_t, row=int64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil
